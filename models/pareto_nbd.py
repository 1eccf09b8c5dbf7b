"""Pareto/NBD: buy till you die, where the end may come at any moment and not only after an order.

Here: the model. Not here: what it shares with BG/NBD (`btyd`).

Sources: Schmittlein, Morrison, Colombo (1987), "Counting Your Customers: Who Are They and What Will They Do Next?",
Management Science 33(1); the likelihood as in Fader and Hardie (2005), "A Note on Deriving the Pareto/NBD Model and
Related Expressions".
"""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.special import gammaln, hyp2f1

from models.btyd import BuyTillYouDie
from models.features import FloatArray
from models.penalised import Objective, by_differences


class ParetoNbd(BuyTillYouDie):
    """Pareto/NBD: r, alpha (days), s, beta (days).

    While active a customer orders at a gamma(r, alpha) rate; his active time is exponential at a gamma(s, beta) rate.
    """

    name = "pareto_nbd"
    medians = (0.553, 10.578 * 7.0, 0.606, 11.669 * 7.0)
    medians_per_age = (None, 0.324, None, 0.357)
    log_sd = (1.5, 2.0, 1.5, 2.0)
    starts = ((0.0, 0.0, 0.0, 0.0), (1.0, 1.0, -1.0, 1.0), (-1.0, -1.0, 0.5, 1.5))
    max_rows = 20_000

    def p_alive(self, frame: pl.DataFrame) -> FloatArray:
        """P(still a customer at as_of)."""
        alive, ended = _alive_and_ended(self.fitted, *self._history(frame))
        p: FloatArray = np.exp(alive - np.logaddexp(alive, ended))
        return p

    def expected_orders(self, frame: pl.DataFrame, days: float | FloatArray) -> FloatArray:
        """Expected number of order days in the `days` after as_of."""
        r, alpha, s, beta = self.fitted
        x, _, age = self._history(frame)
        s = s + 1e-6 if abs(s - 1.0) < 1e-6 else s
        active_days = (
            (beta + age) / (s - 1.0) * -np.expm1((s - 1.0) * np.log((beta + age) / (beta + age + days)))
        )
        expected: FloatArray = (r + x) / (alpha + age) * active_days * self.p_alive(frame)
        return expected

    def p_no_order(self, frame: pl.DataFrame, days: float | FloatArray) -> FloatArray:
        """P(no order in the `days` after as_of): how much likelier the history is than the same one, silent for longer."""
        x, t_x, age = self._history(frame)
        since_last = _log_tail(self.fitted, x, t_x)
        now, silent = (
            np.logaddexp(*_terms(self.fitted, x, since_last, until)) for until in (age, age + days)
        )
        none: FloatArray = np.exp(np.minimum(silent - now, 0.0))
        return none

    def _objective(self, x: FloatArray, t_x: FloatArray, age: FloatArray) -> Objective:
        def mean_log_likelihood(log_params: FloatArray) -> float:
            r, alpha, s, beta = params = np.exp(log_params)
            common = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
            return float(np.mean(common + np.logaddexp(*_alive_and_ended(params, x, t_x, age))))

        return by_differences(mean_log_likelihood)


def _alive_and_ended(
    params: FloatArray | tuple[float, ...], x: FloatArray, t_x: FloatArray, age: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Logarithms of the likelihood's two terms: active at `age`, and ended between `t_x` and `age`."""
    return _terms(params, x, _log_tail(params, x, t_x), age)


def _terms(
    params: FloatArray | tuple[float, ...], x: FloatArray, since_last: FloatArray, age: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The same from the hypergeometric term at `t_x`."""
    r, alpha, s, beta = params
    alive = -(r + x) * np.log(alpha + age) - s * np.log(beta + age)
    since_now = _log_tail(params, x, age)
    with np.errstate(divide="ignore"):
        between = np.log(-np.expm1(np.minimum(since_now - since_last, 0.0)))
    ended: FloatArray = np.log(s / (r + s + x)) + since_last + between
    return alive, ended


def _log_tail(params: FloatArray | tuple[float, ...], x: FloatArray, time: FloatArray) -> FloatArray:
    """Logarithm of the hypergeometric term of A_0 at `time`.

    The Gauss hypergeometric function is taken after Euler's transformation: with 1 as its first argument it is a sum
    of positive terms that stay below those of the geometric series, whatever the number of orders.
    """
    r, alpha, s, beta = params
    c = r + s + x + 1.0
    if alpha >= beta:
        gauss = hyp2f1(1.0, r + x, c, (alpha - beta) / (alpha + time))
        tail = -(r + x) * np.log(alpha + time) - s * np.log(beta + time) + np.log(gauss)
    else:
        gauss = hyp2f1(1.0, s + 1.0, c, (beta - alpha) / (beta + time))
        tail = (1.0 - r - x) * np.log(alpha + time) - (s + 1.0) * np.log(beta + time) + np.log(gauss)
    log_tail: FloatArray = tail
    return log_tail
