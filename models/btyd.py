"""Buy till you die: when will a customer who has bought buy again, and has he stopped?

Here: what the family shares (the history, the penalised fit from several starts, the next order), and the BG/NBD
model. Not here: Pareto/NBD (`pareto_nbd`), customers who have not ordered yet (`order_rates`), money
(`gamma_gamma`, `value`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import polars as pl
from scipy.special import digamma, expit, gammaln, hyp2f1

from models.features import FloatArray, numbers
from models.model import NotFittedError, require
from models.penalised import Objective, Prior, climb, climb_from

FEATURES = ("repeat_days", "recency_days", "age_days")

MAX_ROWS_PER_START = 1_500
UNITS_PER_MEAN_AGE = 10.0


@dataclass(frozen=True)
class BtydParams:
    """How strongly the prior holds: 1 is as strong as stated, 0 is plain maximum likelihood."""

    prior_weight: float = 1.0


class BuyTillYouDie(ABC):
    """Four positive parameters fitted to purchase histories by penalised maximum likelihood, on rescaled time.

    Columns used, one row per customer with at least one order, all in days (repeat_days is a count of days):
    repeat_days (x), recency_days (first to last order, t_x), age_days (first order to as_of; T is one less, for the last
    day seen is the one before as_of). After `fit`:
    `fitted` (times in days) and `converged`. Without customers they are the prior's medians: the published fit to the
    CDNOW sample, in which times move with the shop's own pace once there are customers.
    """

    name: ClassVar[str]
    features: ClassVar[tuple[str, ...]] = FEATURES
    medians: ClassVar[tuple[float, float, float, float]]
    """The prior's medians, times in days."""
    medians_per_age: ClassVar[tuple[float | None, ...]]
    """Of the parameters that are times: the prior's median over the customers' mean age; of others None."""
    log_sd: ClassVar[tuple[float, ...]]
    """Of the prior, in logarithms of the parameters."""
    starts: ClassVar[tuple[tuple[float, ...], ...]]
    """Where the optimiser begins, as steps from the prior's medians in logarithms."""
    max_rows: ClassVar[int]
    """More customers than this add time and no knowledge: evenly spaced rows are taken."""

    def __init__(self, params: BtydParams | None = None) -> None:
        self.params = params or BtydParams()
        self.converged = False
        self._fitted: tuple[float, ...] | None = None

    def fit(self, frame: pl.DataFrame) -> Self:
        """Fit to one row per customer who has ordered, all at the same as_of."""
        history = self._history(frame)
        n = len(history[0])
        if not n:
            self._fitted, self.converged = self.medians, True
            return self
        scale = max(float(history[2].mean()), 1.0) / UNITS_PER_MEAN_AGE
        centre = np.log(
            [
                median if per_age is None else per_age * UNITS_PER_MEAN_AGE
                for median, per_age in zip(self.medians, self.medians_per_age, strict=True)
            ]
        )
        prior = Prior(centre, np.array(self.log_sd), self.params.prior_weight / n)
        history = (history[0], history[1] / scale, history[2] / scale)
        few, all_rows = (
            self._objective(*(values[_spread(n, rows)] for values in history))
            for rows in (MAX_ROWS_PER_START, self.max_rows)
        )
        first = climb_from([centre + np.array(start) for start in self.starts], few, prior)
        best = climb(first.log_params, all_rows, prior)
        self.converged = best.converged
        is_time = np.array([per_age is not None for per_age in self.medians_per_age])
        fitted = np.exp(best.log_params) * np.where(is_time, scale, 1.0)
        self._fitted = tuple(float(value) for value in fitted)
        return self

    @property
    def fitted(self) -> tuple[float, ...]:
        """The four parameters, in the order of the paper, times in days."""
        if self._fitted is None:
            raise NotFittedError(self.name)
        return self._fitted

    @abstractmethod
    def p_alive(self, frame: pl.DataFrame) -> FloatArray:
        """P(still a customer at as_of)."""

    @abstractmethod
    def expected_orders(self, frame: pl.DataFrame, days: float | FloatArray) -> FloatArray:
        """Expected number of order days in the `days` after as_of."""

    @abstractmethod
    def p_no_order(self, frame: pl.DataFrame, days: float | FloatArray) -> FloatArray:
        """P(no order in the `days` after as_of)."""

    @abstractmethod
    def _objective(self, x: FloatArray, t_x: FloatArray, age: FloatArray) -> Objective:
        """Mean log likelihood of the histories, and its gradient, by the logarithms of the parameters."""

    def _history(self, frame: pl.DataFrame) -> tuple[FloatArray, FloatArray, FloatArray]:
        require(frame, FEATURES, self.name)
        x, t_x, age = (np.maximum(np.nan_to_num(numbers(frame, column)), 0.0) for column in FEATURES)
        age = np.maximum(age - 1.0, 0.0)
        return x, np.minimum(t_x, age), age


def _spread(n: int, at_most: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Evenly spaced row numbers."""
    return np.linspace(0, n - 1, min(n, at_most)).astype(np.intp)


class BgNbd(BuyTillYouDie):
    """BG/NBD: r, alpha (days), a, b.

    While active a customer orders at a gamma-distributed rate; after each repeat order he drops out with a
    beta-distributed probability.

    Source: Fader, Hardie, Lee (2005), "Counting Your Customers the Easy Way: An Alternative to the Pareto/NBD
    Model", Marketing Science 24(2).
    """

    name = "bg_nbd"
    medians = (0.243, 4.414 * 7.0, 0.793, 2.426)
    medians_per_age = (None, 0.135, None, None)
    log_sd = (1.5, 2.0, 1.5, 1.5)
    starts = ((0.0, 0.0, 0.0, 0.0), (1.0, 1.5, 0.0, 1.0), (-1.0, -1.0, -1.5, 1.0), (0.5, 0.5, 1.5, 2.0))
    max_rows = 100_000

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

    def _objective(self, x: FloatArray, t_x: FloatArray, age: FloatArray) -> Objective:
        """Equation 6 of the paper per customer."""

        def mean_log_likelihood(log_params: FloatArray) -> tuple[float, FloatArray]:
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
            by_rate = (
                digamma(r + x) - digamma(r) + np.log(alpha) - p_active * log_age - p_dropped * log_recency
            )
            gradient = np.array(
                [
                    np.mean(by_rate),
                    np.mean(r / alpha - (r + x) * (p_active / (alpha + age) + p_dropped / (alpha + t_x))),
                    np.mean(shared + p_dropped / a),
                    np.mean(shared + digamma(b + x) - digamma(b) - np.where(repeat, p_dropped / tail, 0.0)),
                ]
            )
            return float(np.mean(common + chance + either)), gradient * np.array([r, alpha, a, b])

        return mean_log_likelihood
