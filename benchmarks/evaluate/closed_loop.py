"""The closed loop: three policies mail the same simulated shops for eight weeks, and the shops' own truth says what came of it.

Each shop first lives through 120 days of a weekly broadcast with subjects, offers and a part of the hours by lot. Then the same
shop is played three times: **broadcast**, the same content to all with consent, Tuesdays at 10:00 local; **rules**, triggers with
fixed waits, RFM segments and everybody's most frequent open hour; **sendplan**, this product's daily plan, made from what has
landed by its own code and trained every four weeks. No policy sees the truth. Margin is that of the whole shop, mailed or not: price less
discounts, goods and parcels. A 95 % interval over the shops stands in brackets; differences are taken shop by shop.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from benchmarks.closed_loop.judged import judged
from benchmarks.closed_loop.run import POLICIES, Loop, play
from benchmarks.evaluate.table import Table, Target
from models.features import FloatArray

SEEDS = tuple(range(101, 111))
FOLDER = "closed_loop"
_THREADS = ("OMP_NUM_THREADS", "POLARS_MAX_THREADS")
PER_MAIL = {
    "opens_per_mail": "opens",
    "clicks_per_mail": "clicks",
    "orders_per_mail": "mail_orders",
    "unsubscribes_per_mail": "unsubscribes",
}
TOTALS = ("margin", "calm_margin", "mails", "orders", "mail_margin", "given_discount", "given_shipping")


def tables(data: Path) -> Iterator[Table]:
    """What each policy comes to, and how they differ. Shops already played to the end stand in `data`/closed_loop.

    One process per processor, a shop at a time in each; what was begun is taken up again.
    """
    with _single_threaded(), ProcessPoolExecutor(mp_context=get_context("spawn")) as processes:
        shops = list(processes.map(partial(_shop, data / FOLDER), SEEDS))
    played = pl.DataFrame([row for rows in shops for row in rows])
    yield levels(played)
    yield differences(played)
    places = {seed: data / FOLDER / f"seed-{seed}" / POLICIES[-1] for seed in SEEDS}
    yield off_policy({seed: judged(place) for seed, place in places.items()})


def _shop(folder: Path, seed: int) -> list[dict[str, Any]]:
    """Seed, policy and sums of one shop under each policy."""
    return [
        {"seed": seed, "policy": policy, **(play(folder, Loop(), seed, policy) or {})} for policy in POLICIES
    ]


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Processes begun meanwhile have one thread each."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def with_rates(played: pl.DataFrame) -> pl.DataFrame:
    """Adds the rates of PER_MAIL."""
    return played.with_columns(**{name: pl.col(count) / pl.col("mails") for name, count in PER_MAIL.items()})


def levels(played: pl.DataFrame) -> Table:
    """One row per policy.

    Args: played: seed, policy and the sums of `day_figures`.
    """
    rows = []
    for policy in POLICIES:
        of = with_rates(played).filter(pl.col("policy") == policy)
        rows.append(
            {"method": policy}
            | {k: v for name in (*PER_MAIL, *TOTALS) for k, v in _mean(name, of[name].to_numpy()).items()}
        )
    return Table(
        name="policies",
        title=f"{played['seed'].n_unique()} shops of {Loop.customers:,} customers, {Loop.days} days; orders_per_mail: of visits that a "
        "click in the mail began",
        figures=pl.DataFrame(rows),
        params={
            "seeds": played["seed"].unique().sort().to_list(),
            "days": Loop.days,
            "customers": Loop.customers,
        },
    )


def differences(played: pl.DataFrame) -> Table:
    """The product beside each of the others: rates as ratios, totals as differences, shop by shop."""
    rows = [_versus(with_rates(played), other) for other in POLICIES[:-1]]
    broadcast, rules = (str(row["method"]) for row in rows)
    return Table(
        name="differences",
        title="rates of the product over those of the other; totals of the product less those of the other; calm_margin: what the "
        "margin is expected to be given what was looked at in the shop: the same mean, without the luck of who then buys and how much",
        figures=pl.DataFrame(rows),
        targets=(
            Target(broadcast, "opens_per_mail", low=1.29),
            Target(broadcast, "clicks_per_mail", low=1.41),
            Target(broadcast, "orders_per_mail", low=6.0),
            Target(broadcast, "unsubscribes_per_mail", high=1.0),
            Target(broadcast, "calm_margin", low=0.0),
            Target(broadcast, "mails", high=0.0),
            Target(rules, "margin_low", low=0.0),
            Target(rules, "calm_margin_low", low=0.0),
        ),
    )


def off_policy(found: Mapping[int, pl.DataFrame]) -> Table:
    """How often the log of the product holds the truth about the other policies.

    Args: found: `judged` of each seed.
    """
    every = pl.concat([rows.with_columns(seed=pl.lit(seed)) for seed, rows in found.items()])
    figures = (
        every.group_by("target", "reward", maintain_order=True)
        .agg(
            shops=pl.len(),
            covered=pl.col("is_covered").sum(),
            truth=pl.col("truth").mean(),
            estimate=pl.col("value").mean(),
            width=(pl.col("high") - pl.col("low")).mean(),
            bias=(pl.col("value") - pl.col("truth")).mean(),
            decisions=pl.col("decisions").mean(),
            ess=pl.col("ess").mean(),
        )
        .with_columns(method=pl.format("{} {}", "target", "reward"))
        .select("method", pl.exclude("target", "reward", "method"))
    )
    return Table(
        name="off_policy",
        title="the product's log asked about the other policies, message and offer chosen in its own situations: DR estimate per decision "
        "beside the true chance of a human open or click; covered: shops whose 95 % interval holds the truth",
        figures=figures,
        targets=tuple(Target(method, "covered", low=0.9 * len(found)) for method in figures["method"]),
        params={"seeds": list(found)},
    )


def _versus(played: pl.DataFrame, other: str) -> dict[str, object]:
    ours, theirs = (
        played.filter(pl.col("policy") == policy).sort("seed") for policy in (POLICIES[-1], other)
    )
    figures: dict[str, object] = {"method": f"{POLICIES[-1]} : {other}"}
    for name in PER_MAIL:
        # Counts may be small in one shop: the ratio of all shops' rates, its spread by leaving out one shop at a time.
        figures |= _ratio(name, ours[name].to_numpy(), theirs[name].to_numpy())
    for name in ("margin", "calm_margin", "mails", "orders"):
        figures |= _mean(name, ours[name].to_numpy() - theirs[name].to_numpy())
    return figures


def _mean(name: str, values: FloatArray) -> dict[str, float | None]:
    """Mean and its 95 % interval by Student's t; no interval for a single shop."""
    half = _half(values.std(ddof=1) / np.sqrt(len(values)), len(values)) if len(values) > 1 else None
    return _with_interval(name, float(values.mean()), half)


def _ratio(name: str, ours: FloatArray, theirs: FloatArray) -> dict[str, float | None]:
    """Ratio of the means with a jackknife interval over shops."""
    value = float(ours.mean() / theirs.mean()) if theirs.mean() else float("nan")
    n = len(ours)
    if n == 1:
        return _with_interval(name, value, None)
    left_out: Sequence[float] = [np.delete(ours, at).mean() / np.delete(theirs, at).mean() for at in range(n)]
    error = np.sqrt((n - 1) / n * np.sum((np.asarray(left_out) - np.mean(left_out)) ** 2))
    return _with_interval(name, value, _half(float(error), n))


def _half(error: float, n: int) -> float:
    return float(stats.t.ppf(0.975, n - 1) * error)


def _with_interval(name: str, value: float, half: float | None) -> dict[str, float | None]:
    if half is None:
        return {name: value, f"{name}_low": None, f"{name}_high": None}
    return {name: value, f"{name}_low": value - half, f"{name}_high": value + half}
