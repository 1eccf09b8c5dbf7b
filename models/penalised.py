"""Penalised maximum likelihood for a handful of positive parameters.

Here: a normal prior on their logarithms, one climb, the best of several. Not here: any likelihood (`btyd`,
`pareto_nbd`, `gamma_gamma`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from models.features import FloatArray

LOG_BOUND = 8.0
STEP = 1e-5
GRADIENT_TOLERANCE = 1e-7

Objective = Callable[[FloatArray], tuple[float, FloatArray]]
"""Logarithms of the parameters -> mean log likelihood of an observation, and its gradient."""


@dataclass(frozen=True)
class Prior:
    """Normal in the logarithms; `weight` is its strength over the number of observations."""

    centre: FloatArray
    log_sd: FloatArray
    weight: float


@dataclass(frozen=True)
class Summit:
    """Where a climb ended. `loss` is the negative penalised mean log likelihood."""

    log_params: FloatArray
    loss: float
    converged: bool


def climb(start: FloatArray, objective: Objective, prior: Prior, tolerance: float = 1e-12) -> Summit:
    """Follow the gradient from `start` to a maximum, until a step gains less than `tolerance`.

    On one BLAS thread: the optimiser's matrices are tiny, and a pool of threads only waits for itself.
    """

    def loss(log_params: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = objective(log_params)
        off = (log_params - prior.centre) / prior.log_sd
        return (
            -value + 0.5 * prior.weight * float(off @ off),
            -gradient + prior.weight * off / prior.log_sd,
        )

    with threadpool_limits(limits=1):
        found = minimize(
            loss,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=[(-LOG_BOUND, LOG_BOUND)] * len(start),
            options={"ftol": tolerance, "gtol": GRADIENT_TOLERANCE, "maxiter": 500},
        )
    inside = bool((np.abs(found.x) < LOG_BOUND).all())
    return Summit(np.asarray(found.x, dtype=np.float64), float(found.fun), bool(found.success) and inside)


def climb_from(
    starts: Sequence[FloatArray], objective: Objective, prior: Prior, tolerance: float = 1e-8
) -> Summit:
    """The best of the climbs; of equals the earlier start's."""
    summits = (climb(start, objective, prior, tolerance) for start in starts)
    return min(summits, key=lambda summit: summit.loss)


def by_differences(value: Callable[[FloatArray], float]) -> Objective:
    """The objective of a likelihood without a closed gradient: central differences."""

    def objective(log_params: FloatArray) -> tuple[float, FloatArray]:
        steps = np.eye(len(log_params)) * STEP
        gradient = [(value(log_params + step) - value(log_params - step)) / (2.0 * STEP) for step in steps]
        return value(log_params), np.array(gradient)

    return objective
