"""The estimates of a policy's value side by side, and the difference of two policies on the same log.

Here: results and the calls that make them. Not here: the formulas (`estimators`, `inference`, `overlap`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType

import numpy as np
import polars as pl

from models.evaluation.off_policy.estimators import (
    ESTIMATORS,
    RATIOS,
    WITHOUT_MODEL,
    share_beyond,
    switch_threshold,
)
from models.evaluation.off_policy.inference import IntervalParams, uncertain
from models.evaluation.off_policy.log import LoggedDecisions
from models.evaluation.off_policy.overlap import Overlap, overlap_of

MODEL_ALONE = (
    "this is the reward model's opinion: its interval leaves out that the model may be wrong; read it beside DR, which "
    "corrects it by what was seen"
)

MODEL_BEYOND = (
    "{share:.0%} of the weight lies beyond the threshold of {threshold:.3g} and is left to the reward model, whose error "
    "the interval leaves out; read it beside DR, which has no such error"
)


@dataclass(frozen=True)
class OffPolicyEstimate:
    """Value per decision of a target policy by one estimator, in the unit of the reward.

    Attributes:
        estimator: one of ESTIMATORS.
        value, low, high, standard_error: the estimate and its interval at `level`, by cluster; NaN with one cluster.
        ess, largest_weight_share, mean_weight, unsupported_share, n_decisions, n_clusters: as in `Overlap`, of the log.
        threshold: of the weight, beyond which Switch-DR believes the model; None for the others.
        warnings: what to know before believing it.
    """

    estimator: str
    value: float
    low: float
    high: float
    standard_error: float
    level: float
    ess: float
    largest_weight_share: float
    mean_weight: float
    unsupported_share: float | None
    threshold: float | None
    n_decisions: int
    n_clusters: int
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class PolicyDifference:
    """Value of the first policy less that of the second by one estimator, with its interval at `level`."""

    estimator: str
    difference: float
    low: float
    high: float
    standard_error: float
    level: float
    first_value: float
    second_value: float


ESTIMATE_SCHEMA: Mapping[str, pl.DataType | type[pl.DataType]] = MappingProxyType(
    {
        "estimator": pl.String,
        "value": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "standard_error": pl.Float64,
        "level": pl.Float64,
        "ess": pl.Float64,
        "largest_weight_share": pl.Float64,
        "mean_weight": pl.Float64,
        "unsupported_share": pl.Float64,
        "threshold": pl.Float64,
        "n_decisions": pl.Int64,
        "n_clusters": pl.Int64,
        "warnings": pl.List(pl.String),
    }
)


def estimate_policy(
    log: LoggedDecisions,
    *,
    estimators: Sequence[str] | None = None,
    threshold: float | None = None,
    intervals: IntervalParams | None = None,
) -> tuple[OffPolicyEstimate, ...]:
    """The target policy's value by each estimator.

    Args:
        estimators: some of ESTIMATORS; None: all that the log allows (those without a reward model, or all).
        threshold: of Switch-DR; None: `switch_threshold`. The interval takes it for given.
        intervals: None: linearised at 95 %.
    """
    params = intervals or IntervalParams()
    names = _chosen(estimators, log)
    overlap = overlap_of(log)
    limit = _threshold(names, log, threshold)
    return tuple(_estimate(name, log, overlap, limit, params) for name in names)


def estimates_frame(
    log: LoggedDecisions,
    *,
    estimators: Sequence[str] | None = None,
    threshold: float | None = None,
    intervals: IntervalParams | None = None,
) -> pl.DataFrame:
    """`estimate_policy` as a frame: a row per estimator, in the columns of `OffPolicyEstimate`."""
    found = estimate_policy(log, estimators=estimators, threshold=threshold, intervals=intervals)
    return pl.DataFrame([asdict(estimate) for estimate in found], schema=dict(ESTIMATE_SCHEMA))


def policy_differences(
    first: LoggedDecisions,
    second: LoggedDecisions,
    *,
    estimators: Sequence[str] | None = None,
    threshold: float | None = None,
    intervals: IntervalParams | None = None,
) -> tuple[PolicyDifference, ...]:
    """Which of two policies is worth more, decision by decision on one log: what both share cancels out.

    Args:
        first, second: the same decisions with either policy's chances (`LoggedDecisions.under`).
        estimators, threshold, intervals: as in `estimate_policy`; a chosen threshold is each policy's own.
    Raises: ValueError where the decisions are not the same.
    """
    for name in ("reward", "propensity", "cluster"):
        if not np.array_equal(getattr(first, name), getattr(second, name)):
            raise ValueError(
                f"{name} differs between the two logs; ask both policies about the same decisions in the same order"
            )
    params = intervals or IntervalParams()
    names = [
        name for name in _chosen(estimators, first) if estimators is not None or name in _chosen(None, second)
    ]
    limits = [_threshold(names, log, threshold) for log in (first, second)]
    found = []
    for name in names:
        plus, minus = RATIOS[name](first, limits[0]), RATIOS[name](second, limits[1])
        apart = uncertain(plus, first.cluster, params, minus=minus)
        found.append(
            PolicyDifference(
                name,
                apart.value,
                apart.low,
                apart.high,
                apart.standard_error,
                params.level,
                plus.value,
                minus.value,
            )
        )
    return tuple(found)


def _chosen(estimators: Sequence[str] | None, log: LoggedDecisions) -> list[str]:
    if estimators is None:
        return list(ESTIMATORS if log.has_model else WITHOUT_MODEL)
    unknown = [name for name in estimators if name not in RATIOS]
    if unknown or not estimators:
        raise ValueError(
            f"there is no estimator {', '.join(unknown) or 'asked for'}; choose from {', '.join(ESTIMATORS)}"
        )
    return list(estimators)


def _threshold(names: Sequence[str], log: LoggedDecisions, given: float | None) -> float:
    if given is not None and not given >= 0:
        raise ValueError(f"threshold must be 0 or more, not {given}; it is compared with the weights")
    if "switch_dr" not in names:
        return float("inf")
    return switch_threshold(log) if given is None else given


def _estimate(
    name: str, log: LoggedDecisions, overlap: Overlap, threshold: float, params: IntervalParams
) -> OffPolicyEstimate:
    found = uncertain(RATIOS[name](log, threshold), log.cluster, params)
    return OffPolicyEstimate(
        estimator=name,
        value=found.value,
        low=found.low,
        high=found.high,
        standard_error=found.standard_error,
        level=params.level,
        ess=overlap.ess,
        largest_weight_share=overlap.largest_weight_share,
        mean_weight=overlap.mean_weight,
        unsupported_share=overlap.unsupported_share,
        threshold=threshold if name == "switch_dr" else None,
        n_decisions=overlap.n_decisions,
        n_clusters=overlap.n_clusters,
        warnings=(*_trust_in_model(name, log, threshold), *overlap.warnings),
    )


def _trust_in_model(name: str, log: LoggedDecisions, threshold: float) -> tuple[str, ...]:
    if name == "dm":
        return (MODEL_ALONE,)
    share = share_beyond(log.weight, threshold)
    if name == "switch_dr" and share > 0:
        return (MODEL_BEYOND.format(share=share, threshold=threshold),)
    return ()
