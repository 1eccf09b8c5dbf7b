"""Buy till you die: when will a customer who has bought buy again, and has he stopped?

Here: the BG/NBD model, penalised so that fifty customers are enough. Not here: customers who have not ordered
yet (`order_rates`), money (`value`).

Source: Fader, Hardie, Lee (2005), "Counting Your Customers the Easy Way: An Alternative to the Pareto/NBD
Model", Marketing Science 24(2). While active a customer orders at a gamma-distributed rate; after each repeat
order he drops out with a beta-distributed probability.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from scipy.optimize import minimize
from scipy.special import digamma, expit, gammaln, hyp2f1
from threadpoolctl import threadpool_limits

from models.features import FloatArray, numbers
from models.model import NotFittedError, require

FEATURES = ("repeat_days", "recency_days", "age_days")

# The published fit to the CDNOW sample, in days: what is believed of a shop before it has customers.
PRIOR_MEDIANS = (0.243, 4.414 * 7.0, 0.793, 2.426)
# Median of alpha over mean age in that sample: a prior that moves with the shop's own pace.
PRIOR_ALPHA_PER_AGE = 0.135
PRIOR_LOG_SD = np.array([1.5, 2.0, 1.5, 1.5])
LOG_BOUND = 8.0
STARTS = ((0.0, 0.0, 0.0, 0.0), (1.0, 1.5, 0.0, 1.0), (-1.0, -1.0, -1.5, 1.0), (0.5, 0.5, 1.5, 2.0))
MAX_ROWS_PER_START = 4_000
UNITS_PER_MEAN_AGE = 10.0


@dataclass(frozen=True)
class BgNbdParams:
    """How strongly the prior holds: 1 is as strong as stated, 0 is plain maximum likelihood."""

    prior_weight: float = 1.0


class BgNbd:
    """BG/NBD by penalised maximum likelihood, several starts, on rescaled time.

    Columns used, one row per customer with at least one order, all in days (repeat_days is a count of days):
    repeat_days (x), recency_days (first to last order, t_x), age_days (first order to as_of, T). After `fit`:
    `r`, `alpha` (days), `a`, `b`. Without customers they are the prior's medians.
    """

    name = "bg_nbd"
    features = FEATURES

    def __init__(self, params: BgNbdParams | None = None) -> None:
        self.params = params or BgNbdParams()
        self._fitted: tuple[float, float, float, float] | None = None

    def fit(self, frame: pl.DataFrame) -> Self:
        """Fit to one row per customer who has ordered, all at the same as_of.

        On one BLAS thread: the optimiser's matrices are 4 by 4, and a pool of threads only waits for itself.
        """
        x, t_x, age = self._history(frame)
        if not len(x):
            self._fitted = PRIOR_MEDIANS
            return self
        scale = max(float(age.mean()), 1.0) / UNITS_PER_MEAN_AGE
        t_x, age = t_x / scale, age / scale
        centre = np.log(
            [PRIOR_MEDIANS[0], PRIOR_ALPHA_PER_AGE * UNITS_PER_MEAN_AGE, PRIOR_MEDIANS[2], PRIOR_MEDIANS[3]]
        )
        few = np.linspace(0, len(x) - 1, min(len(x), MAX_ROWS_PER_START)).astype(int)
        with threadpool_limits(limits=1):
            best = min(
                (
                    self._climb(centre + np.array(start), centre, x[few], t_x[few], age[few])
                    for start in STARTS
                ),
                key=lambda found: found[0],
            )[1]
            r, alpha, a, b = np.exp(self._climb(best, centre, x, t_x, age)[1])
        self._fitted = float(r), float(alpha * scale), float(a), float(b)
        return self

    @property
    def fitted(self) -> tuple[float, float, float, float]:
        """(r, alpha in days, a, b)."""
        if self._fitted is None:
            raise NotFittedError(self.name)
        return self._fitted

    def p_alive(self, frame: pl.DataFrame) -> FloatArray:
        """P(still a customer at as_of); 1 for a customer without a repeat order."""
        r, alpha, a, b = self.fitted
        x, t_x, age = self._history(frame)
        log_odds_dead = (
            np.log(a) - np.log(b + np.maximum(x, 1.0) - 1.0) + (r + x) * np.log((alpha + age) / (alpha + t_x))
        )
        alive: FloatArray = np.where(x > 0, expit(-log_odds_dead), 1.0)
        return alive

    def expected_orders(self, frame: pl.DataFrame, days: float | FloatArray) -> FloatArray:
        """Expected number of order days in the `days` after as_of (equation 10 of the paper).

        The hypergeometric function is taken after Euler's transformation: its arguments then stay small
        whatever the number of orders, so that the heaviest buyers do not overflow.
        """
        r, alpha, a, b = self.fitted
        x, _, age = self._history(frame)
        a = a + 1e-6 if abs(a - 1.0) < 1e-6 else a
        z = days / (alpha + age + days)
        c = a + b + x - 1.0
        c = np.where(np.abs(c) < 1e-6, 1e-6, c)
        orders = c / (a - 1.0) * (1.0 - (1.0 - z) ** (a - 1.0) * hyp2f1(a + b - 1.0 - r, a - 1.0, c, z))
        expected: FloatArray = np.maximum(orders, 0.0) * self.p_alive(frame)
        return expected

    def p_no_order(self, frame: pl.DataFrame, days: float | FloatArray) -> FloatArray:
        """P(no order in the `days` after as_of): dropped out, or active and silent."""
        r, alpha, _, _ = self.fitted
        x, _, age = self._history(frame)
        silent = ((alpha + age) / (alpha + age + days)) ** (r + x)
        none: FloatArray = 1.0 - self.p_alive(frame) * (1.0 - silent)
        return none

    def _history(self, frame: pl.DataFrame) -> tuple[FloatArray, FloatArray, FloatArray]:
        require(frame, FEATURES, self.name)
        x, t_x, age = (np.maximum(np.nan_to_num(numbers(frame, column)), 0.0) for column in FEATURES)
        return x, np.minimum(t_x, age), age

    def _climb(
        self, start: FloatArray, centre: FloatArray, x: FloatArray, t_x: FloatArray, age: FloatArray
    ) -> tuple[float, FloatArray]:
        weight = self.params.prior_weight / len(x)

        def loss(log_params: FloatArray) -> tuple[float, FloatArray]:
            value, gradient = _mean_log_likelihood(log_params, x, t_x, age)
            off = (log_params - centre) / PRIOR_LOG_SD
            return -value + 0.5 * weight * float(off @ off), -gradient + weight * off / PRIOR_LOG_SD

        found = minimize(
            loss,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=[(-LOG_BOUND, LOG_BOUND)] * 4,
            options={"ftol": 1e-12, "gtol": 1e-8, "maxiter": 500},
        )
        return float(found.fun), np.asarray(found.x, dtype=np.float64)


def _mean_log_likelihood(
    log_params: FloatArray, x: FloatArray, t_x: FloatArray, age: FloatArray
) -> tuple[float, FloatArray]:
    """Equation 6 of the paper per customer, and its gradient in the logarithms of (r, alpha, a, b)."""
    r, alpha, a, b = np.exp(log_params)
    repeat = x > 0
    log_age, log_recency = np.log(alpha + age), np.log(alpha + t_x)
    tail = b + np.maximum(x, 1.0) - 1.0
    active = -(r + x) * log_age
    dropped = np.where(repeat, np.log(a) - np.log(tail) - (r + x) * log_recency, -np.inf)
    either = np.logaddexp(active, dropped)
    p_active = np.exp(active - either)
    p_dropped = 1.0 - p_active
    common = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    chance = gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
    shared = digamma(a + b) - digamma(a + b + x)
    gradient = np.array(
        [
            np.mean(
                digamma(r + x) - digamma(r) + np.log(alpha) - p_active * log_age - p_dropped * log_recency
            ),
            np.mean(r / alpha - (r + x) * (p_active / (alpha + age) + p_dropped / (alpha + t_x))),
            np.mean(shared + p_dropped / a),
            np.mean(shared + digamma(b + x) - digamma(b) - np.where(repeat, p_dropped / tail, 0.0)),
        ]
    )
    return float(np.mean(common + chance + either)), gradient * np.array([r, alpha, a, b])
