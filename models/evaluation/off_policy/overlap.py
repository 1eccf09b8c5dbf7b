"""How far a log reaches a target policy, in numbers and in plain words with what to do.

Here: effective sample size, largest weight, missing support. Not here: the estimates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from models.evaluation.metrics import FloatArray
from models.evaluation.off_policy.inference import IntervalParams, Ratio, cluster_totals, uncertain
from models.evaluation.off_policy.log import LoggedDecisions

FEW_DECISIONS = 100
"""Fewer effective decisions than this are too few for an interval to be trusted."""
FEW_CLUSTERS = 30
LARGE_SHARE = 0.05
"""Of the whole weight on one decision."""
UNSUPPORTED = 0.01
ERRORS_OFF = 3.0
"""Standard errors by which the mean weight may be off 1."""


@dataclass(frozen=True)
class Overlap:
    """Attributes:
    n_decisions, n_clusters: in the log.
    ess: Kish's effective sample size (1965), (sum w)^2 / sum w^2: decisions of the target policy itself that would say as
        much. ess_clusters: the same of the customers' total weights.
    mean_weight: 1 on average if the chances are right and the log can hold all the policy does; mean_weight_error: its
        standard error by cluster.
    largest_weight, largest_weight_share: of one decision, and as a share of the whole weight.
    unsupported_share: of the target policy's chance on actions the log cannot hold; None if the log does not say.
    warnings: what is wrong, what it does to which estimator, and what to do.
    """

    n_decisions: int
    n_clusters: int
    ess: float
    ess_clusters: float
    mean_weight: float
    mean_weight_error: float
    largest_weight: float
    largest_weight_share: float
    unsupported_share: float | None
    warnings: tuple[str, ...]


def effective_sample_size(weight: FloatArray) -> float:
    """Kish: (sum w)^2 / sum w^2; the weights may be on any scale."""
    scaled = weight / weight.max()
    return float(scaled.sum() ** 2 / (scaled**2).sum())


def overlap_of(log: LoggedDecisions) -> Overlap:
    """Figures and warnings of a log."""
    weight = log.weight
    mean = uncertain(Ratio(weight, np.ones(len(log))), log.cluster, IntervalParams())
    figures = Overlap(
        n_decisions=len(log),
        n_clusters=log.n_clusters,
        ess=effective_sample_size(weight),
        ess_clusters=effective_sample_size(cluster_totals(log.cluster, weight)),
        mean_weight=mean.value,
        mean_weight_error=mean.standard_error,
        largest_weight=float(weight.max()),
        largest_weight_share=float(weight.max() / weight.sum()),
        unsupported_share=None if log.unsupported is None else float(log.unsupported.mean()),
        warnings=(),
    )
    return replace(figures, warnings=tuple(_warnings(figures)))


def unsupported_mass(
    decision: ArrayLike, propensity: ArrayLike, target: ArrayLike, *, n_decisions: int
) -> FloatArray:
    """Per logged decision, the target policy's chance of actions the logging policy never takes there.

    Args:
        decision: number of the logged decision, from 0 on, of each option of each decision.
        propensity, target: chance of the option under the logging and the target policy.
    """
    number = np.asarray(decision, dtype=np.int64)
    logged, chance = np.asarray(propensity, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if not number.shape == logged.shape == chance.shape or number.ndim != 1:
        raise ValueError(
            f"decision, propensity and target have the shapes {number.shape}, {logged.shape} and {chance.shape}; give one "
            "entry per option"
        )
    if len(number) and not 0 <= number.min() <= number.max() < n_decisions:
        raise ValueError(f"decision must lie in 0..{n_decisions - 1}; number the logged decisions from 0 on")
    missing = cluster_totals(number, np.where(logged > 0, 0.0, chance), n_decisions)
    return np.clip(missing, 0.0, 1.0)


def _warnings(seen: Overlap) -> list[str]:
    found = []
    if seen.unsupported_share is not None and seen.unsupported_share > UNSUPPORTED:
        found.append(
            f"{seen.unsupported_share:.1%} of what the target policy does is never done by the logging policy: IPS counts "
            "it as 0, SNIPS as if it earned what the rest does, the others believe the model; let the logging policy "
            "explore these actions, or evaluate a policy that leaves them out"
        )
    off = abs(seen.mean_weight - 1)
    if off > 1e-9 and off > ERRORS_OFF * seen.mean_weight_error:
        found.append(
            f"the weights average {seen.mean_weight:.3f} (standard error {seen.mean_weight_error:.3f}) where 1 is expected: "
            "the chances are not those of the logged actions, the log lacks actions of the target policy, or the rare "
            "decisions that carry most weight did not come up; compare both policies' actions, and prefer SNIPS or DR to IPS"
        )
    if seen.ess < min(FEW_DECISIONS, seen.n_decisions):
        found.append(
            f"{seen.n_decisions:,} decisions say as much as {seen.ess:.0f} of the target policy itself; log for longer, "
            "explore more, or evaluate a policy nearer to the logging one (a mixture of both)"
        )
    if seen.largest_weight_share > LARGE_SHARE and seen.n_decisions > 1 / LARGE_SHARE:
        found.append(
            f"one decision carries {seen.largest_weight_share:.0%} of all weight (weight {seen.largest_weight:,.0f}): the "
            "estimates hang on its reward; trust Switch-DR more than IPS, and raise the least chance of exploration"
        )
    if seen.n_clusters < FEW_CLUSTERS:
        found.append(
            f"only {seen.n_clusters} customers: intervals by customer are unreliable; use the bootstrap, or more customers"
        )
    return found
