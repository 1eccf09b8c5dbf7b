"""What a chosen hour is worth: simulated shops that sent at random hours, judged by the chance the simulator knows.

Everybody gets mails at uniformly random hours of the week. What the shop sees of it goes through the product's own
pipeline (landing, dbt, `feat_send_hours`, `label_sends`); the methods learn from that and choose an hour for each customer.
The truth is the simulator's chance of a human open of one more plain mail, sent in each of the 168 hours of the next week
on the clock by which the shop knows the customer.

    share of the oracle's lift = (chosen hours - random hours) / (best hours - random hours), of mean true chances
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.evaluate.simulated_shop import play
from benchmarks.evaluate.table import Table, Target, data_file
from models.lessons.hours import METHODS
from models.reading import HOURS
from models.send_time import SendTimeModel, send_hour_profile
from models.send_time_rules import BaseRate, PopulationCurve
from models.shrinkage import FloatArray
from shop.config import ShopConfig
from shop.landing import TIME
from shop.mailing import respond
from shop.mails import SENDS
from shop.people import US_PER_HOUR
from shop.world import World

CUSTOMERS = 3_000
SEEDS = (1, 2, 3)
N_SENDS = (5, 20, 50)
WEEKS = (2, 2, 1, 0, *[2] * 7, 1, 0, *[2] * 15, 0, *[2] * 5, 0)
"""Mails to each customer per week; the empty weeks let the last answers come in and end the stretches of N_SENDS."""

LATE_SHARE = 0.45
"""Customers who get their first mail in a week of their own, so that the last date has every size of evidence."""

_WEEKS_LEFT = np.array([(0, 1), (1, 4), (4, 12), (12, 26), (26, 33)])
"""Of late customers an equal share has so many weeks left at the first mail: from, below; they make the COHORTS."""

COHORTS = ("0", "1-5", "6-20", "21-50", "over 50")
COHORT_ENDS = (0, 5, 20, 50)
N_RESAMPLES = 400

OPENS = "outspot_opens.parquet"
SENDING_HOURS = (6, 7, 8, 12, 13, 14)
"""Hours in which the sender of OPENS mailed."""


def tables(data: Path) -> Iterator[Table]:
    """The value of chosen hours after 5, 20 and 50 mails, and by what was known of a customer; what opens alone would say."""
    shops = [_shop(seed) for seed in SEEDS]
    yield _by_number(shops)
    yield _by_cohort(shops)
    yield _opens_follow_sends(pl.read_parquet(data_file(data, OPENS)))


@dataclass(frozen=True)
class Judged:
    """Chosen hours of one shop at one date, per customer judged.

    n_sends: mails whose answers were known. chosen: method -> true chance at its hour; of equally good hours, their mean.
    at_random, best: true chance over all hours, and at the best one.
    """

    n_sends: NDArray[np.int64]
    chosen: Mapping[str, FloatArray]
    at_random: FloatArray
    best: FloatArray

    def where(self, rows: NDArray[np.bool_]) -> Judged:
        """Some of the customers."""
        chosen = {method: chance[rows] for method, chance in self.chosen.items()}
        return Judged(self.n_sends[rows], chosen, self.at_random[rows], self.best[rows])


def pooled(parts: Sequence[Judged]) -> Judged:
    """The customers of several shops."""
    return Judged(
        np.concatenate([part.n_sends for part in parts]),
        {m: np.concatenate([part.chosen[m] for part in parts]) for m in parts[0].chosen},
        np.concatenate([part.at_random for part in parts]),
        np.concatenate([part.best for part in parts]),
    )


@dataclass
class RandomHours:
    """The sender: WEEKS at random minutes, and the truth on the dates when N_SENDS and all mails have been answered."""

    config: ShopConfig
    truths: dict[date, pl.DataFrame] = field(default_factory=dict)

    @property
    def dates(self) -> list[date]:
        """Where the stretches end."""
        return [self.config.start + timedelta(weeks=1 + week) for week, n in enumerate(WEEKS) if n == 0]

    def mails(self, world: World) -> pl.DataFrame | None:
        """On Mondays the week's mails."""
        week, weekday = divmod((world.today - self.config.start).days, 7)
        if weekday or not WEEKS[week]:
            return None
        monday_us = int(np.datetime64(world.today, "us").astype(np.int64))
        now = np.full(world.people.size + 1, monday_us)
        may = world.state.may_mail(world.people, now)[:-1] & (self._first_week(world.people.size) <= week)
        person = np.repeat(np.flatnonzero(may), WEEKS[week])
        minute = self.config.rng("random hours", world.today).integers(0, HOURS * 60, len(person))
        return plain_mails(world, person, monday_us + minute * (US_PER_HOUR // 60), f"{world.today}")

    def look(self, world: World) -> None:
        """Note the truth where a stretch ends."""
        if world.today in self.dates:
            self.truths[world.today] = true_chances(world)

    def _first_week(self, size: int) -> NDArray[np.int64]:
        rng = self.config.rng("first weeks")
        is_late = rng.random(size) < LATE_SHARE
        fewest, most = _WEEKS_LEFT[rng.integers(0, len(_WEEKS_LEFT), size)].T
        left = fewest + ((most - fewest) * rng.random(size)).astype(np.int64)
        return np.where(is_late, len(WEEKS) - left, 0)


def plain_mails(world: World, person: NDArray[np.int64], at: NDArray[np.int64], name: str) -> pl.DataFrame:
    """One plain mail per row to a position in the customers, at microseconds since 1970 UTC."""
    nothing = {column: pl.lit(None, kind) for column, kind in SENDS.items()}
    return pl.DataFrame(
        {
            "customer_id": world.people.customers["customer_id"].gather(person),
            "send_at": pl.Series(at).cast(TIME),
        }
    ).select(
        **nothing
        | {
            "customer_id": pl.col("customer_id"),
            "send_at": pl.col("send_at"),
            "message_id": pl.format("{}-{}-{}", pl.lit(name), "customer_id", pl.int_range(pl.len())),
            "message_key": pl.lit("plain"),
        }
    )


def true_chances(world: World) -> pl.DataFrame:
    """Chance of an open of one more mail by hour of the coming week, for who may be mailed and profiled.

    Returns customer_id, p_open (168) on the clock the shop has of the customer: his zone if stated, else UTC.
    """
    people, state = world.people, world.state
    monday = world.today + timedelta(days=-world.today.weekday() % 7)
    begins = int(np.datetime64(monday, "us").astype(np.int64))
    refuses = people.initial_consents.filter(~pl.col("granted"))["customer_id"].unique().to_list()
    ids = people.customers["customer_id"]
    may = state.may_mail(people, np.full(people.size + 1, begins))[:-1] & ~ids.is_in(refuses).to_numpy()
    person = np.flatnonzero(may)
    is_stated = people.customers["timezone"].is_not_null().to_numpy()
    offset = np.where(is_stated, people.utc_offset_us(monday)[:-1], 0)[person]
    by_hour = []
    for hour in range(HOURS):
        at = begins + hour * US_PER_HOUR + US_PER_HOUR // 2 - offset
        answer = respond(
            plain_mails(world, person, at, f"{hour}"),
            people,
            world.catalogue,
            copy.deepcopy(state),
            world.today,
            np.random.default_rng(0),
        )
        by_hour.append(answer.truth.sort("customer_id")["p_open"].to_numpy())
    chances = np.stack(by_hour, axis=1)
    return pl.DataFrame({"customer_id": ids.gather(person), "p_open": chances}).filter(
        pl.Series(chances.min(axis=1) > 0)
    )


def _shop(seed: int) -> list[Judged]:
    """One shop, judged where each stretch ends."""
    config = ShopConfig(customers=CUSTOMERS, days=7 * len(WEEKS), seed=seed)
    sender = RandomHours(config)
    with tempfile.TemporaryDirectory() as folder:
        played = play(config, Path(folder), sender.mails, sender.look)
        found = played.tables(("feat_send_hours", "label_sends"), sender.dates, 90)
    return [
        judge(truth, *(frame.filter(pl.col("as_of") == day) for frame in found.values()))
        for day, truth in sender.truths.items()
    ]


def judge(truth: pl.DataFrame, hours: pl.DataFrame, sends: pl.DataFrame) -> Judged:
    """Every method, fitted on what a shop knew at one date, by the truth of that date."""
    profile = send_hour_profile(truth, hours)
    p = truth["p_open"].to_numpy()
    chosen, n_sends = {}, np.zeros(len(p), dtype=np.int64)
    for method, make in METHODS.items():
        model = make()
        fitted = model.fit(sends, hours) if isinstance(model, SendTimeModel) else model.fit(sends)
        answer = fitted.predict(profile)
        said = answer["p_open_by_hour"].cast(pl.Array(pl.Float64, HOURS)).to_numpy()
        is_best = said == said.max(axis=1, keepdims=True)
        chosen[method] = (p * is_best).sum(axis=1) / is_best.sum(axis=1)
        n_sends = answer["n_sends"].to_numpy()
    return Judged(n_sends, chosen, p.mean(axis=1), p.max(axis=1))


def lift_share(judged: Judged, method: str, rows: NDArray[np.intp] | slice = slice(None)) -> float:
    """The share of the oracle's lift that a method's hours bring."""
    at_random, best = judged.at_random[rows].mean(), judged.best[rows].mean()
    return float((judged.chosen[method][rows].mean() - at_random) / (best - at_random))


def _intervals(
    judged: Judged, shares: Mapping[str, tuple[str, str | None]]
) -> dict[str, tuple[float, float, float]]:
    """Share, or difference of two shares, with its 95 % bootstrap interval over customers."""

    def of(pair: tuple[str, str | None], rows: NDArray[np.intp] | slice) -> float:
        first, second = pair
        share = lift_share(judged, first, rows)
        return share - lift_share(judged, second, rows) if second else share

    rng = np.random.default_rng(0)
    size = len(judged.best)
    draws = [rng.integers(0, size, size) for _ in range(N_RESAMPLES)]
    found = {}
    for name, pair in shares.items():
        low, high = np.quantile([of(pair, rows) for rows in draws], [0.025, 0.975])
        found[name] = (of(pair, slice(None)), float(low), float(high))
    return found


def _by_number(shops: Sequence[Sequence[Judged]]) -> Table:
    methods = [method for method in METHODS if method != BaseRate.name]
    rows: dict[str, dict[str, float | str]] = {method: {"method": method} for method in methods}
    people: dict[str, object] = {}
    for stretch, n in enumerate(N_SENDS):
        judged = pooled([shop[stretch].where(shop[stretch].n_sends == n) for shop in shops])
        people[f"customers_{n}"] = len(judged.best)
        people[f"open_rate_{n}"] = f"random {judged.at_random.mean():.4f}, best {judged.best.mean():.4f}"
        for method, (share, low, high) in _intervals(judged, {m: (m, None) for m in methods}).items():
            rows[method] |= {f"share_{n}": share, f"share_{n}_low": low, f"share_{n}_high": high}
    return Table(
        name="lift by number of mails",
        title=f"share of the oracle's lift in opens, {len(shops)} simulated shops, hours chosen after N mails at random "
        "hours; 95 % bootstrap interval over customers (random hours 0, each customer's best hour 1)",
        figures=pl.DataFrame(list(rows.values())),
        params={"seeds": SEEDS, "customers": CUSTOMERS, **people},
        targets=(Target(SendTimeModel.name, "share_20", low=0.5),),
    )


def _by_cohort(shops: Sequence[Sequence[Judged]]) -> Table:
    judged = pooled([shop[-1] for shop in shops])
    cohort = np.searchsorted(COHORT_ENDS, judged.n_sends)
    rows = []
    for number, name in enumerate(COHORTS):
        part = judged.where(cohort == number)
        ours, common = SendTimeModel.name, PopulationCurve.name
        found = _intervals(part, {"ours": (ours, None), "common": (common, None), "more": (ours, common)})
        rows.append(
            {
                "method": f"{name} mails",
                "customers": len(part.best),
                ours: found["ours"][0],
                common: found["common"][0],
                "difference": found["more"][0],
                "difference_low": found["more"][1],
                "difference_high": found["more"][2],
            }
        )
    return Table(
        name="lift by evidence",
        title="share of the oracle's lift at the last date, by how many mails to a customer were known: the model, the "
        "population's best hour, and the paired difference with its 95 % bootstrap interval over customers",
        figures=pl.DataFrame(rows),
        params={"seeds": SEEDS, "customers": CUSTOMERS},
        targets=tuple(Target(f"{name} mails", "difference", low=0.0) for name in COHORTS),
    )


def _opens_follow_sends(opens: pl.DataFrame) -> Table:
    """Real opens without the sends they answer: how often a rule that knows no sends names an hour of the sender's."""
    at = pl.col("opened")
    hourly = opens.with_columns(at.dt.truncate("1h")).unique()
    frames = {"as logged": opens, "without duplicates": opens.unique(), "one an hour": hourly}
    rows = []
    for name, frame in frames.items():
        by_clock = frame.with_columns(clock=at.dt.hour()).group_by("user_id", "clock").len()
        usual = by_clock.sort("len", "clock", descending=[True, False]).unique(
            "user_id", keep="first", maintain_order=True
        )
        per_person = frame.group_by("user_id").len()["len"]
        rows.append(
            {
                "method": name,
                "opens": frame.height,
                "largest_person": per_person.max(),
                "opens_in_sending_hours": float(
                    frame.select(at.dt.hour().is_in(SENDING_HOURS).mean()).item()
                ),
                "people_given_a_sending_hour": float(
                    usual.select(pl.col("clock").is_in(SENDING_HOURS).mean()).item()
                ),
            }
        )
    return Table(
        name="opens follow sends",
        title=f"real opens of {opens['user_id'].n_unique():,} people mailed in {len(SENDING_HOURS)} hours of the day only: share "
        f"of opens in these hours, and of people whose most frequent hour of opening is one of them ({len(SENDING_HOURS) / 24:.2f} by chance)",
        figures=pl.DataFrame(rows),
        params={"sending_hours": SENDING_HOURS},
    )
