"""What another policy would have earned, from decisions that were logged with their chance.

A decision is a contextual bandit's: seen the context, one action is drawn, its reward follows. IPS, SNIPS, DM, DR and
Switch-DR with intervals by customer, how far the log reaches the policy, and the paired difference of two policies.

The value is that of the policy's choices in the situations the log met. Would it be followed for long, customers would come
into others (caps, fatigue, what they have bought already); no weighting of single decisions knows of them.

What belongs elsewhere: how a policy chooses (`models.policy`), the effect of mailing at all (control group), plain bootstrap
intervals (`models.evaluation.intervals`).
"""

from models.evaluation.off_policy.estimate import (
    OffPolicyEstimate,
    PolicyDifference,
    estimate_policy,
    estimates_frame,
    policy_differences,
)
from models.evaluation.off_policy.estimators import ESTIMATORS, switch_threshold
from models.evaluation.off_policy.inference import IntervalParams
from models.evaluation.off_policy.log import LoggedDecisions, logged_decisions, read_log
from models.evaluation.off_policy.overlap import Overlap, overlap_of, unsupported_mass
from models.evaluation.off_policy.rewards import (
    Options,
    RewardEstimates,
    cross_fitted_rewards,
    from_model,
    from_sklearn,
)

__all__ = [
    "ESTIMATORS",
    "IntervalParams",
    "LoggedDecisions",
    "OffPolicyEstimate",
    "Options",
    "Overlap",
    "PolicyDifference",
    "RewardEstimates",
    "cross_fitted_rewards",
    "estimate_policy",
    "estimates_frame",
    "from_model",
    "from_sklearn",
    "logged_decisions",
    "overlap_of",
    "policy_differences",
    "read_log",
    "switch_threshold",
    "unsupported_mass",
]
