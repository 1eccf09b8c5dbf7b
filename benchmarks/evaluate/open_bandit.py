"""Two policies of a real shop, each judged from the other's log: the small sample of the Open Bandit Dataset.

The random policy shows each of 34 items with equal chance at each of three positions; BTS (Bernoulli Thompson sampling) knows
no user, and its chances move with the clicks of the week. As a target it is its mean over the week: the share of each item
among what it showed at a position. (The mean of its logged chances by item would be no distribution: an item is shown when its
chance is high.) Nobody's id is in the data; what was shown within a minute to users with the same four features counts as one
visit, and intervals are by visit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from math import ceil, hypot
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import norm

from benchmarks.evaluate.table import Table, data_file
from models.evaluation.metrics import FloatArray
from models.evaluation.off_policy import (
    LoggedDecisions,
    OffPolicyEstimate,
    Options,
    cross_fitted_rewards,
    estimate_policy,
    logged_decisions,
)
from models.evaluation.off_policy.estimators import RATIOS
from models.evaluation.off_policy.inference import IntervalParams, uncertain
from models.evaluation.off_policy.rewards import Predict
from models.shrinkage import prior_strength, shrink

FILES = {"random": "open_bandit_random_men.parquet", "bts": "open_bandit_bts_men.parquet"}
USER = [f"user_feature_{number}" for number in range(4)]
N_ITEMS, N_POSITIONS = 34, 3
STRENGTH = (10.0, 10_000.0)
"""Limits, in impressions, of what the common click rate is worth beside an item's own."""
Z = float(norm.ppf(0.975))


@dataclass(frozen=True)
class Verdict:
    """What a log can say of which estimator is nearer to the truth.

    Attributes:
        pairs, decided: pairs of estimators, and those of which one is nearer beyond chance.
        largest_gap: between two estimates. half_width: of the observed rate's 95 % interval.
        clicks: in the observed log. clicks_needed: for the pair that is nearest to being decided, if the differences stay as
            they are; None where one is decided.
    """

    pairs: int
    decided: int
    largest_gap: float
    half_width: float
    clicks: int
    clicks_needed: int | None


def tables(data: Path) -> Iterator[Table]:
    """The estimates in both directions, then whether they can be ranked."""
    logs = {name: _read(data, file) for name, file in FILES.items()}
    shares = {name: shown_shares(log) for name, log in logs.items()} | {
        "random": np.full((N_POSITIONS, N_ITEMS), 1 / N_ITEMS)
    }
    rows, verdicts = [], {}
    for logging, target in (("random", "bts"), ("bts", "random")):
        log = decisions(logs[logging], shares[target])
        (observed,) = estimate_policy(_as_it_ran(logs[target]), estimators=["ips"])
        found = estimate_policy(log)
        rows += [_row(f"{target} from {logging} - {e.estimator}", e, observed) for e in found]
        verdicts[f"{target} from {logging}"] = verdict(
            log, found, observed, clicks=int(logs[target]["click"].sum())
        )
    clicks = {name: int(log["click"].sum()) for name, log in logs.items()}
    mean_chances = logs["bts"].group_by("position", "item_id").agg(pl.col("propensity_score").mean())
    sums = (
        mean_chances.group_by("position").agg(pl.col("propensity_score").sum())["propensity_score"].to_numpy()
    )
    yield Table(
        name="open_bandit",
        title=f"clicks per impression of a policy estimated from the other policy's log ({len(logs['random']):,} and "
        f"{len(logs['bts']):,} impressions), beside its own log's mean; BTS as target: shares of the items it showed at each "
        f"position (the means of its logged chances would sum to {sums.min():.2f} to {sums.max():.2f}); difference: estimate less "
        "observed, the two logs being independent; the reward model is the click rate by item, shrunk to that of all",
        figures=pl.DataFrame(rows),
        params={"items": N_ITEMS, "positions": N_POSITIONS},
    )
    yield Table(
        name="open_bandit_verdict",
        title=in_words(verdicts, clicks),
        figures=pl.DataFrame([{"method": name, **vars(found)} for name, found in verdicts.items()]),
    )


def in_words(verdicts: Mapping[str, Verdict], clicks: Mapping[str, int]) -> str:
    """What the counts of decided pairs come to."""
    said = " and ".join(str(number) for number in clicks.values())
    decided, pairs = (sum(getattr(v, name) for v in verdicts.values()) for name in ("decided", "pairs"))
    nearer = f"of {pairs} pairs of estimators, {decided} differ beyond chance in how near they are to the observed rate"
    if decided == 0:
        return f"{said} clicks are too few to rank estimators: {nearer}"
    if decided < pairs:
        return f"{said} clicks rank some estimators and leave the others open: {nearer}"
    return f"{said} clicks are enough to rank the estimators: {nearer}"


def verdict(
    log: LoggedDecisions,
    found: tuple[OffPolicyEstimate, ...],
    observed: OffPolicyEstimate,
    *,
    clicks: int,
) -> Verdict:
    """Which pairs of estimates are decided: both their difference and the side of their midpoint on which the truth lies.

    The midpoint's standard error is at most the mean of theirs; the observed rate comes from an independent log.
    """
    short_by = []
    for one, two in combinations(found, 2):
        first, second = (RATIOS[e.estimator](log, e.threshold or 0.0) for e in (one, two))
        apart = uncertain(first, log.cluster, IntervalParams(), minus=second)
        middle = (one.value + two.value) / 2
        error = hypot(observed.standard_error, (one.standard_error + two.standard_error) / 2)
        short_by.append(
            max(_errors_over(apart.standard_error, apart.value), _errors_over(error, observed.value - middle))
        )
    values = [estimate.value for estimate in found]
    least = min(short_by)
    return Verdict(
        pairs=len(short_by),
        decided=sum(share < 1 for share in short_by),
        largest_gap=max(values) - min(values),
        half_width=(observed.high - observed.low) / 2,
        clicks=clicks,
        clicks_needed=ceil(clicks * least**2) if least >= 1 else None,
    )


def _errors_over(error: float, difference: float) -> float:
    """Half the 95 % interval over the difference: below 1 where chance is excluded."""
    return Z * error / abs(difference) if difference else float("inf")


def decisions(log: pl.DataFrame, target: FloatArray) -> LoggedDecisions:
    """A log with a target policy's chances (positions x items) and click rates by item from other visits."""
    item, position = log["item_id"].to_numpy(), log["position"].to_numpy() - 1
    n = log.height
    options = Options(np.tile(np.arange(N_ITEMS), n)[:, None], np.repeat(np.arange(n), N_ITEMS))
    rates = cross_fitted_rewards(
        item_rates, item[:, None], log["click"].to_numpy(), cluster=log["visit"], options=options
    )
    return logged_decisions(
        log["click"].to_numpy(),
        log["propensity_score"].to_numpy(),
        target[position, item],
        cluster=log["visit"],
        q_logged=rates.logged,
        q_target=rates.under(target[position].ravel()),
    )


def item_rates(item: NDArray[np.int64], click: FloatArray) -> Predict:
    """Click rate by item (one column), shrunk to that of all items."""
    shown = np.bincount(item[:, 0], minlength=N_ITEMS).astype(np.float64)
    clicks = np.bincount(item[:, 0], weights=click, minlength=N_ITEMS)
    strength = prior_strength(clicks, shown, low=STRENGTH[0], high=STRENGTH[1])
    rates = shrink(clicks, shown, click.mean(), strength)
    return lambda asked: rates[asked[:, 0]]


def shown_shares(log: pl.DataFrame) -> FloatArray:
    """Positions x items: share of each item among what was shown at the position."""
    counts = np.zeros((N_POSITIONS, N_ITEMS))
    np.add.at(counts, (log["position"].to_numpy() - 1, log["item_id"].to_numpy()), 1.0)
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def _read(data: Path, file: str) -> pl.DataFrame:
    minute = pl.col("timestamp").dt.truncate("1m")
    return (
        pl.read_parquet(data_file(data, file))
        .with_columns(visit=pl.struct(*USER, minute).rank("dense").cast(pl.Int64))
        .select("visit", "item_id", "position", "click", "propensity_score")
    )


def _as_it_ran(log: pl.DataFrame) -> LoggedDecisions:
    ones = np.ones(log.height)
    return logged_decisions(log["click"].to_numpy(), ones, ones, cluster=log["visit"])


def _row(method: str, found: OffPolicyEstimate, observed: OffPolicyEstimate) -> dict[str, object]:
    difference = found.value - observed.value
    half = Z * hypot(found.standard_error, observed.standard_error)
    return {
        "method": method,
        "value": found.value,
        "value_low": found.low,
        "value_high": found.high,
        "observed": observed.value,
        "observed_low": observed.low,
        "observed_high": observed.high,
        "difference": difference,
        "difference_low": difference - half,
        "difference_high": difference + half,
        "ess": found.ess,
        "largest_weight_share": found.largest_weight_share,
        "threshold": found.threshold,
    }
