"""A policy's estimated value beside that of the plan, on the plan's own log."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np
import polars as pl

from models.evaluation.metrics import FloatArray
from models.evaluation.off_policy import (
    LoggedDecisions,
    Overlap,
    RewardEstimates,
    estimates_frame,
    logged_decisions,
    overlap_of,
    policy_differences,
    unsupported_mass,
)
from models.evaluation.off_policy.inference import IntervalParams, Ratio, uncertain
from models.evaluation.off_policy.log import cluster_numbers
from models.evaluation.plan_policy.log import PlanLog
from models.evaluation.plan_policy.policies import Policy, PolicyError, logged, policy_chances
from models.evaluation.plan_policy.reward_model import expected_rewards

INTERVALS = IntervalParams(n_resamples=999)
"""Clicks and orders are rare and weights uneven: intervals that bend with skewed sums hold better than symmetric ones."""
ERRORS_OFF = 3.0
NOTICEABLE = 1.1
"""The control group's share of decisions as a multiple of its share of customers, from which on it is said."""


@dataclass(frozen=True, eq=False, slots=True)
class Judgement:
    """What a policy would have earned.

    Attributes:
        estimates: one row per estimator: estimator, value, low, high, standard_error, threshold (of Switch-DR),
            logged_value, logged_low, logged_high (of the plan for customers outside the control group), difference,
            difference_low, difference_high; per decision, in the unit of the reward, 95 % intervals by customer (INTERVALS).
        overlap: how far the log reaches the policy.
        nothing_share: of decisions in which the policy sends nothing, on average.
        control_share: of the control group among the decisions.
        warnings: what to know before believing the estimates.
    """

    estimates: pl.DataFrame
    overlap: Overlap
    nothing_share: float
    control_share: float
    warnings: tuple[str, ...]


def judge(log: PlanLog, policy: Policy) -> Judgement:
    """A policy by all five estimators, and its difference from the plan's own; of very few customers by IPS and SNIPS alone.

    Raises:
        PolicyError: its answer cannot be, or nothing of what it does was ever done.
    """
    expected = expected_rewards(log)
    chance, nothing = policy_chances(policy, log)
    target = _under(log, chance, nothing, expected)
    own = _under(log, *policy_chances(logged, log), expected)
    found = estimates_frame(target, intervals=INTERVALS)
    beside = estimates_frame(own, intervals=INTERVALS).select(
        "estimator", logged_value="value", logged_low="low", logged_high="high"
    )
    differences = policy_differences(target, own, intervals=INTERVALS)
    apart = pl.DataFrame([asdict(difference) for difference in differences]).select(
        "estimator", "difference", difference_low="low", difference_high="high"
    )
    estimates = (
        found.select("estimator", "value", "low", "high", "standard_error", "threshold")
        .join(beside, on="estimator", maintain_order="left")
        .join(apart, on="estimator", maintain_order="left")
    )
    overlap = overlap_of(target)
    said = dict.fromkeys(
        warning if warning in overlap.warnings else f"{estimator}: {warning}"
        for estimator, warnings in found.select("estimator", "warnings").iter_rows()
        for warning in warnings
    )
    return Judgement(
        estimates=estimates,
        overlap=overlap,
        nothing_share=float(nothing.mean()),
        control_share=float(log.is_control.mean()),
        warnings=(*_unlike_control(log, nothing), *said),
    )


def _under(
    log: PlanLog, chance: FloatArray, nothing: FloatArray, expected: RewardEstimates | None
) -> LoggedDecisions:
    """The log with the chances of a policy."""
    is_sent = log.done >= 0
    target = np.where(is_sent, chance[log.done], nothing)
    if not target.any():
        raise PolicyError(
            f"nothing that the policy does was done in any of the {len(log):,} decisions, so the log cannot say what it "
            "earns; give some weight to what the plan does (the column propensity), or raise its exploration and try again "
            "later"
        )
    decisions = logged_decisions(
        log.reward,
        np.where(is_sent, log.chance[log.done], log.hold_chance),
        np.clip(target, 0.0, 1.0),
        cluster=log.customers,
        unsupported=unsupported_mass(log.decision, log.chance, chance, n_decisions=len(log)),
    )
    if expected is None:
        return decisions
    return replace(
        decisions, q_logged=expected.logged, q_target=expected.under(np.concatenate([chance, nothing]))
    )


def _unlike_control(log: PlanLog, nothing: FloatArray) -> tuple[str, ...]:
    """Whether those left without a mail are still like the mailed, where the policy is judged by them."""
    if not nothing.any():
        return ()
    seen = uncertain(
        Ratio(log.is_control.astype(np.float64), np.ones(len(log))),
        cluster_numbers(log.customers),
        IntervalParams(),
    )
    off = abs(seen.value - log.member_share)
    times = max(seen.value, log.member_share) / max(min(seen.value, log.member_share), 1e-12)
    if times < NOTICEABLE or not off > ERRORS_OFF * seen.standard_error:
        return ()
    return (
        f"the control group makes up {seen.value:.1%} of the decisions and {log.member_share:.1%} of the customers: "
        "unsubscribing, caps and cool-downs hold back the mailed, so that both groups are no longer met in the same "
        "situations; what sending nothing earns is that of customers who are never mailed, and compares roughly",
    )
