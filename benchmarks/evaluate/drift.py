"""Drift checks on shops that do not change, and on shops that do: what alarms without reason, and what is noticed."""

from __future__ import annotations

import math
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType

import polars as pl

from assets.training import training_dates
from benchmarks.evaluate.simulated import SimulatedShop, build_shop, build_tables
from benchmarks.evaluate.table import Table, Target
from models.evaluation.drift import ALARM, WARN, Reference
from models.evaluation.metrics import psi, psi_categories
from models.features import CUSTOMER_FEATURES, FloatArray
from models.lessons.customers import MAIL_CALENDAR, seen_customers
from models.lessons.hours import counts_of
from models.lessons.products import activity_of
from models.send_time import send_hour_profile
from shop.config import ShopConfig

SEEDS = (11, 12)
CUSTOMERS, DAYS = 1_000, 182
AGES = MappingProxyType({"young": range(7, 56, 7), "grown": range(133, 182, 7)})
"""Days of the shop before a training; the six days after it, and its own, are checked."""

CHECK, PLAIN = "drift_check", "psi_alone"
READ = [feature for feature in CUSTOMER_FEATURES if feature not in MAIL_CALENDAR]
Tables = dict[str, pl.DataFrame]


def _without_visits(now: Tables) -> Tables:
    silent = pl.col("n_sessions_7d", "n_sessions_30d", "n_sessions_90d") * 0
    return {**now, "customers": now["customers"].with_columns(silent)}


def _without_opens(now: Tables) -> Tables:
    return {**now, "hours": now["hours"].with_columns(pl.col("open_rate") * 0)}


def _dearer(now: Tables) -> Tables:
    return {**now, "customers": now["customers"].with_columns(pl.col("avg_order_value") * 3)}


CHANGES: Mapping[str, Callable[[Tables], Tables]] = MappingProxyType(
    {"no_visits": _without_visits, "no_opens": _without_opens, "orders_x3": _dearer}
)
"""What befalls a grown shop: visits are no longer reported, opens are not, orders are worth three times as much."""


def tables(data: Path) -> Iterator[Table]:
    """Simulated shops, three tables each: customers, hours of mail, interactions."""
    counts: dict[str, dict[str, list[bool]]] = {name: defaultdict(list) for name in (PLAIN, CHECK)}
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            _watch(build_shop(ShopConfig(customers=CUSTOMERS, days=DAYS, seed=seed), Path(folder)), counts)
    rows = [
        {"method": name, **{metric: sum(seen) / len(seen) for metric, seen in found.items()}}
        for name, found in counts.items()
    ]
    yield Table(
        name="drift",
        title=f"seeds {', '.join(map(str, SEEDS))} ({CUSTOMERS:,} customers): share of the checks of a table and day within a week of "
        "training that warn or alarm though nothing changed, in the shop's first seven weeks and in its weeks 19 to 25, "
        "and of those in the grown shop that alarm after a change",
        figures=pl.DataFrame(rows),
        params={"seeds": SEEDS, "customers": CUSTOMERS, "days": DAYS},
        targets=(
            *(Target(CHECK, f"{age}_alarm", high=0.01) for age in AGES),
            *(Target(CHECK, change, low=0.99) for change in CHANGES),
        ),
    )


def _watch(shop: SimulatedShop, counts: dict[str, dict[str, list[bool]]]) -> None:
    """Train on every Monday and check every day of its week."""
    first = shop.week - timedelta(days=DAYS)
    weeks = {age: [first + timedelta(days=day) for day in days] for age, days in AGES.items()}
    mondays = [monday for some in weeks.values() for monday in some]
    days = {day for monday in mondays for day in (*_earlier(monday, first).values(), *_week_of(monday))}
    names = ("feat_customer", "feat_interactions", "feat_send_hours")
    build_tables(shop, names, sorted(day for day in days if day))
    everything = {name: shop.table(name) for name in names}
    for age, some in weeks.items():
        for monday in some:
            trained = _looked_at(everything, monday)
            before = {
                name: _looked_at(everything, day)[name] if day else trained[name].clear()
                for name, day in _earlier(monday, first).items()
            }
            references = {name: Reference.of(trained[name], before[name]) for name in trained}
            for day in _week_of(monday):
                now = _looked_at(everything, day)
                for name, table in now.items():
                    states = set(references[name].compare(table)["state"])
                    counts[CHECK][f"{age}_warn"].append("warn" in states)
                    counts[CHECK][f"{age}_alarm"].append("alarm" in states)
                    moved = _largest(trained[name], table)
                    counts[PLAIN][f"{age}_warn"].append(WARN < moved <= ALARM)
                    counts[PLAIN][f"{age}_alarm"].append(moved > ALARM)
                if age == "grown":
                    for change, happen in CHANGES.items():
                        then = happen(now)
                        counts[CHECK][change].append(
                            any("alarm" in set(references[n].compare(then[n])["state"]) for n in then)
                        )
                        counts[PLAIN][change].append(any(_largest(trained[n], then[n]) > ALARM for n in then))


def _earlier(monday: date, first: date) -> dict[str, date | None]:
    """The snapshot before that each lesson compares its newest one with."""
    dates = training_dates(monday, first)
    return {
        "customers": dates.customers.holdout,
        "hours": max((day for day in dates.all if day < monday), default=None),
        "interactions": dates.products[-1] if dates.products else None,
    }


def _week_of(monday: date) -> list[date]:
    return [monday + timedelta(days=ahead) for ahead in range(7)]


def _looked_at(everything: Tables, day: date) -> Tables:
    """What the checks of a day compare."""
    feat_customer, feat_interactions, feat_send_hours = (
        everything[name].filter(pl.col("as_of") == day)
        for name in ("feat_customer", "feat_interactions", "feat_send_hours")
    )
    known = feat_send_hours.select("customer_id").unique().sort("customer_id")
    return {
        "customers": seen_customers(feat_customer).select(READ),
        "hours": counts_of(send_hour_profile(known, feat_send_hours)),
        "interactions": activity_of(feat_interactions),
    }


def _largest(before: pl.DataFrame, now: pl.DataFrame) -> float:
    """The largest population stability index of a table's columns, by custom: quantile bins and nothing else."""
    found = [
        psi_categories(before[name], now[name])
        if before[name].dtype == pl.String
        else psi(_numbers(before[name]), _numbers(now[name]))
        for name in before.columns
    ]
    return max((value for value in found if not math.isnan(value)), default=0.0)


def _numbers(column: pl.Series) -> FloatArray:
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
