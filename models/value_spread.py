"""How far the truth lies from a forecast of value: 80 % intervals measured on what came.

Here: quantiles of outcome over forecast, by how many orders were expected. Not here: the forecasts.

Conformal in spirit (Vovk, Gammerman, Shafer 2005, "Algorithmic Learning in a Random World"): the quantiles are those of
customers whose outcome the estimator had not seen, and the tails left out are chosen so that 80 % of them lie inside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from scipy.stats import nbinom

from models.features import FloatArray, numbers

LEVEL = 0.8
MIN_ROWS = 100
ROWS_PER_BIN = 60
MAX_BINS = 24
FLOOR = 1e-4
TAILS = np.linspace(0.02, 0.6, 59)
# Negative binomial counts at the size that gives four customers in five of the CDNOW sample an interval they keep to.
PRIOR_SIZE = 0.6


@dataclass(frozen=True)
class Outcome:
    """Expected and actual orders and margin of customers over one window, one entry each."""

    expected_orders: FloatArray
    expected_margin: FloatArray
    orders: FloatArray
    margin: FloatArray

    @classmethod
    def of(cls, labels: pl.DataFrame, expected_orders: FloatArray, expected_margin: FloatArray) -> Self:
        """From labelled rows and what was expected of them."""
        margin = np.nan_to_num(numbers(labels, "margin"))
        return cls(expected_orders, expected_margin, numbers(labels, "orders"), margin)


@dataclass(frozen=True)
class _Bands:
    """Quantiles of actual over expected (`low`, `high`), at the mean logarithm of expected orders of each bin."""

    level: FloatArray
    low: FloatArray
    high: FloatArray

    def around(self, expected_orders: FloatArray, expected: FloatArray) -> tuple[FloatArray, FloatArray]:
        at = np.log(np.maximum(expected_orders, FLOOR))
        low, high = (np.interp(at, self.level, quantile) * expected for quantile in (self.low, self.high))
        return low, high


class Spread:
    """Intervals of orders and of margin around a forecast; without enough outcomes, those of a negative binomial.

    What decides how far the truth may lie from the forecast is how many orders were expected, in whatever window: a
    forecast over a year is taken like one of as many orders over 90 days.
    """

    def __init__(self) -> None:
        self._orders: _Bands | None = None
        self._margin: _Bands | None = None

    @classmethod
    def of(cls, outcome: Outcome | None) -> Self:
        """Learnt from forecasts and what came; nothing is learnt from fewer than 100 customers."""
        spread = cls()
        if outcome is not None and len(outcome.orders) >= MIN_ROWS:
            orders = _levelled(outcome.expected_orders, outcome.orders)
            margin = _levelled(outcome.expected_margin, outcome.margin)
            spread._orders = _bands(orders, orders, outcome.orders, _whole)
            spread._margin = _bands(orders, margin, outcome.margin, _as_it_is)
        return spread

    def orders(self, expected: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Low and high of the number of order days."""
        if self._orders is None:
            return _prior(expected)
        low, high = self._orders.around(expected, expected)
        return _whole(low), np.maximum(_whole(high), _whole(low))

    def margin(
        self, expected_orders: FloatArray, expected_margin: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Low and high of the margin."""
        if self._margin is not None:
            return self._margin.around(expected_orders, expected_margin)
        per_order = expected_margin / np.maximum(expected_orders, FLOOR)
        low, high = _prior(expected_orders)
        return low * per_order, high * per_order


def _prior(expected: FloatArray) -> tuple[FloatArray, FloatArray]:
    share = PRIOR_SIZE / (PRIOR_SIZE + np.maximum(expected, FLOOR))
    tail = (1.0 - LEVEL) / 2.0
    low, high = (np.asarray(nbinom.ppf(q, PRIOR_SIZE, share), dtype=np.float64) for q in (tail, 1.0 - tail))
    return low, high


def _levelled(expected: FloatArray, actual: FloatArray) -> FloatArray:
    """With the total of what came: whether all forecasts of one season were too high says nothing of the next one's."""
    total = float(actual.sum())
    return expected * (total / float(expected.sum())) if total > 0 and expected.sum() > 0 else expected


def _whole(values: FloatArray) -> FloatArray:
    whole: FloatArray = np.rint(values)
    return whole


def _as_it_is(values: FloatArray) -> FloatArray:
    return values


def _bands(
    expected_orders: FloatArray,
    expected: FloatArray,
    actual: FloatArray,
    shown: Callable[[FloatArray], FloatArray],
) -> _Bands:
    """Bins of equally many customers by expected orders; the narrowest bands that, as shown, hold 80 % of all."""
    order = np.argsort(expected_orders, kind="stable")
    n_bins = int(np.clip(len(order) // ROWS_PER_BIN, 1, MAX_BINS)) if np.ptp(expected_orders) > 0 else 1
    bins = np.array_split(order, n_bins)
    ratio = actual / np.maximum(expected, FLOOR)
    level = np.array([np.log(np.maximum(expected_orders[rows], FLOOR)).mean() for rows in bins])
    widest, *narrower = (
        _Bands(
            level,
            np.array([np.quantile(ratio[rows], tail / 2.0) for rows in bins]),
            np.array([np.quantile(ratio[rows], 1.0 - tail / 2.0) for rows in bins]),
        )
        for tail in TAILS
    )
    best = widest
    for bands in narrower:
        low, high = (shown(bound) for bound in bands.around(expected_orders, expected))
        if np.mean((actual >= low) & (actual <= high)) < LEVEL:
            break
        best = bands
    return best
