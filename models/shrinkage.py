"""Rates from few trials: Beta-binomial shrinkage towards what is known of others.

Here: the posterior mean, the strength of a prior by the method of moments, log-odds. Not here: which groups shrink
towards which (`response`, `send_time`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

EDGE = 1e-6
"""Estimated probabilities stay this far from 0 and 1."""


def shrink(successes: ArrayLike, trials: ArrayLike, prior_mean: ArrayLike, strength: float) -> FloatArray:
    """Posterior mean of a rate under a Beta prior worth `strength` trials: between own rate and `prior_mean`."""
    k, n, mean = (np.asarray(values, dtype=np.float64) for values in (successes, trials, prior_mean))
    return np.asarray(np.clip((k + strength * mean) / (n + strength), EDGE, 1 - EDGE), dtype=np.float64)


def prior_strength(
    successes: ArrayLike, trials: ArrayLike, *, low: float, high: float, expected: ArrayLike | None = None
) -> float:
    """How many trials the group's common rate is worth, from how much the members' rates differ.

    The method of moments for Beta-binomial counts with unequal trials: the intra-class correlation that explains
    the weighted variance of the members' rates around the common rate, or around `expected`, a rate per member
    (Kleinman 1973, Proportions with Extraneous Variance). `strength = (1 - rho) / rho`, held within [low, high];
    `high` where members do not differ more than chance allows or fewer than two have trials.
    """
    k, n = np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    seen = n > 0
    common = k.sum() / max(n.sum(), 1.0)
    mean = np.full(len(n), common) if expected is None else np.asarray(expected, dtype=np.float64)
    k, n, mean = k[seen], n[seen], mean[seen]
    spread = mean * (1 - mean)
    if len(n) < 2 or not (spread > 0).all():
        return high
    excess = float((n * (k / n - mean) ** 2 / spread).sum()) - (len(n) - 1)
    room = float(n.sum() - (n**2).sum() / n.sum()) - (len(n) - 1)
    if excess <= 0 or room <= 0:
        return high
    rho = min(excess / room, 1.0)
    return float(np.clip((1 - rho) / rho, low, high))


def logit(probability: ArrayLike) -> FloatArray:
    """Log-odds."""
    p = np.clip(np.asarray(probability, dtype=np.float64), EDGE, 1 - EDGE)
    return np.asarray(np.log(p) - np.log1p(-p), dtype=np.float64)


def expit(log_odds: ArrayLike) -> FloatArray:
    """The probability of log-odds."""
    return np.asarray(1 / (1 + np.exp(-np.asarray(log_odds, dtype=np.float64))), dtype=np.float64)
