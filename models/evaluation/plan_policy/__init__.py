"""What another policy would have earned in the shop's own days: the plan's options, what came of them, a function.

The files in the order data meets them: `log` (options and outcomes become logged decisions), `policies` (what a policy
answers, the ones with a name), `reward_model` (expected rewards of all options), `judge` (all estimates beside those of
the plan).

Not here: the estimators (`models.evaluation.off_policy`), files and where they lie (`pipelines.policies`).
"""

from models.evaluation.plan_policy.judge import Judgement, judge
from models.evaluation.plan_policy.log import OUTCOME_COLUMNS, REWARDS, PlanLog, PlanLogError, plan_log
from models.evaluation.plan_policy.policies import NAMED, Policy, PolicyError, policy_chances

__all__ = [
    "NAMED",
    "OUTCOME_COLUMNS",
    "REWARDS",
    "Judgement",
    "PlanLog",
    "PlanLogError",
    "Policy",
    "PolicyError",
    "judge",
    "plan_log",
    "policy_chances",
]
