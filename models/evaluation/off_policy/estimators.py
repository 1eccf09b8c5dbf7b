"""Estimators of a policy's value as ratios of totals, and the threshold at which Switch-DR trusts the model more.

With weight w = target / propensity, reward r, and a reward model's estimates of the logged action (q) and of the target
policy's mean (m), each of n decisions:

    ips        sum w r / n                          Horvitz and Thompson 1952
    snips      sum w r / sum w                      Swaminathan and Joachims 2015
    dm         sum m / n                            the model alone
    dr         sum (m + w (r - q)) / n              Dudík, Langford and Li 2011; Dudík, Erhan, Langford and Li 2014
    switch_dr  sum (m + w [w <= t] (r - q)) / n     Wang, Agarwal and Dudík 2017

IPS, SNIPS and DR approach the value if the logged chances are right and the log can hold every action of the policy; DR also
if the model is right instead. DM is off by as much as the model is. Not here: intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from models.evaluation.metrics import FloatArray
from models.evaluation.off_policy.inference import IntervalParams, Ratio, uncertain
from models.evaluation.off_policy.log import LoggedDecisions

ESTIMATORS = ("ips", "snips", "dm", "dr", "switch_dr")
WITHOUT_MODEL = ("ips", "snips")
N_THRESHOLDS = 21


def _mean(scores: FloatArray) -> Ratio:
    return Ratio(scores, np.ones(len(scores)))


def _model(log: LoggedDecisions) -> tuple[FloatArray, FloatArray]:
    if log.q_logged is None or log.q_target is None:
        raise ValueError(
            "dm, dr and switch_dr need a reward model: give q_logged and q_target (cross_fitted_rewards makes them), or ask "
            f"for {' and '.join(WITHOUT_MODEL)} alone"
        )
    return log.q_logged, log.q_target


def ips(log: LoggedDecisions, threshold: float) -> Ratio:
    """Inverse propensity score."""
    return _mean(log.weight * log.reward)


def snips(log: LoggedDecisions, threshold: float) -> Ratio:
    """Self-normalised IPS: does not move with the level of rewards, and stays within their range."""
    return Ratio(log.weight * log.reward, log.weight)


def dm(log: LoggedDecisions, threshold: float) -> Ratio:
    """Direct method; the interval takes the model for given, so it is too narrow for a learnt one."""
    return _mean(_model(log)[1])


def dr(log: LoggedDecisions, threshold: float) -> Ratio:
    """Doubly robust."""
    return switch_dr(log, float("inf"))


def switch_dr(log: LoggedDecisions, threshold: float) -> Ratio:
    """Doubly robust up to the threshold of the weight, the model alone beyond it; DM at a threshold of 0."""
    q_logged, q_target = _model(log)
    weight = log.weight
    return _mean(q_target + np.where(weight <= threshold, weight, 0.0) * (log.reward - q_logged))


RATIOS: Mapping[str, Callable[[LoggedDecisions, float], Ratio]] = MappingProxyType(
    {"ips": ips, "snips": snips, "dm": dm, "dr": dr, "switch_dr": switch_dr}
)
"""Each from a log and the threshold, which only `switch_dr` looks at."""


def share_beyond(weight: FloatArray, threshold: float) -> float:
    """Share of the total weight on weights above the threshold."""
    return float(weight[weight > threshold].sum() / weight.sum())


def switch_threshold(log: LoggedDecisions, *, reward_range: float | None = None) -> float:
    """The threshold with the least variance + squared bound of the bias, out of quantiles of the weights and 0.

    Wang, Agarwal and Dudík (2017): beyond the threshold the model may be wrong by the whole range of rewards, so the bias is
    at most that range times the target policy's chance of actions with larger weights. That chance is estimated from the
    log, which holds no list of actions: share of the total weight beyond the threshold, plus what the log cannot hold. The
    variance is that of the estimate, by cluster. Of equals the largest threshold, which trusts the model least. The bound is
    careful: with rare rewards it leaves little to the model unless a smaller range is given.

    Args:
        reward_range: the most by which the model's expectation can be wrong; None: range of the rewards and expectations.
    """
    q_logged, q_target = _model(log)
    if reward_range is None:
        seen = np.concatenate([log.reward, q_logged, q_target])
        reward_range = float(seen.max() - seen.min())
    elif not reward_range >= 0:
        raise ValueError(
            f"reward_range must be 0 or more, not {reward_range}; give it in the unit of the reward"
        )
    weight = log.weight
    held = 0.0 if log.unsupported is None else float(log.unsupported.mean())
    quantiles = np.quantile(weight[weight > 0], np.linspace(0, 1, N_THRESHOLDS), method="lower")
    thresholds = np.unique(np.append(quantiles, 0.0))[::-1]
    linearised = IntervalParams()
    risks = []
    for threshold in thresholds:
        beyond = held + (1 - held) * share_beyond(weight, float(threshold))
        error = uncertain(switch_dr(log, threshold), log.cluster, linearised).standard_error
        risks.append(error**2 + (reward_range * beyond) ** 2)
    return float(thresholds[np.argmin(risks)]) if np.isfinite(risks).all() else float(thresholds[0])
