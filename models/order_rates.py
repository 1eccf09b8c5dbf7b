"""How many orders to expect of any customer, buyer or not: the base on which value and churn stand.

Here: a buy-till-you-die model for customers with orders, rates by tenure for those without, what an estimate rests on. Not
here: what else is known of a customer (`value`, `churn` correct the base by it), money.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np
import polars as pl

from models.btyd import FEATURES as BTYD_FEATURES
from models.btyd import BuyTillYouDie
from models.features import FloatArray, numbers
from models.model import NotFittedError, require

HORIZON_DAYS = 90
YEAR_DAYS = 365

FEATURES = (
    *BTYD_FEATURES,
    "n_orders",
    "n_order_days",
    "tenure_days",
    "days_since_first_order",
    "has_behaviour",
)

KNOTS_DAYS = (1.0, 7.0, 14.0, 30.0, 60.0, 90.0, 180.0, 365.0, 730.0)
TENURE_EDGES_DAYS = (7.0, 30.0, 90.0, 180.0)
# One order in a thousand days of waiting: what is believed of prospects before any was seen.
PRIOR_EVENTS, PRIOR_DAYS = 1.0, 1000.0
# A tenure band's own rate counts as much as the shop's once it has seen this many orders.
BAND_EVENTS = 5.0

BASIS_OWN = "own orders"
BASIS_FIRST = "one order"
BASIS_PROSPECT = "prior: no orders yet"
BASIS_POPULATION = "population: no profiling"


def basis() -> pl.Expr:
    """What a customer's estimate rests on, as a string."""
    return (
        pl.when(~profiled())
        .then(pl.lit(BASIS_POPULATION))
        .when(pl.col("n_order_days") >= 2)
        .then(pl.lit(BASIS_OWN))
        .when(pl.col("n_order_days") == 1)
        .then(pl.lit(BASIS_FIRST))
        .otherwise(pl.lit(BASIS_PROSPECT))
        .alias("basis")
    )


def profiled() -> pl.Expr:
    """True where the customer allows profiling; unknown counts as not."""
    return pl.col("has_behaviour").fill_null(False)


def newest(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of the latest snapshot."""
    return frame.filter(pl.col("as_of") == pl.col("as_of").max())


def labelled(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows whose outcome is known."""
    return frame.filter(pl.col("orders").is_not_null(), pl.col("horizon_days") > 0)


def judged_longest(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows up to the newest snapshot that is labelled over the longest window: a shorter one says less of how far
    the truth may lie from an estimate.
    """
    longest = labelled(frame).filter(pl.col("horizon_days") == pl.col("horizon_days").max())
    newest_such = longest.get_column("as_of").max()
    return frame if newest_such is None else frame.filter(pl.col("as_of") <= pl.lit(newest_such))


class OrderRates:
    """Expected order days, and P(no order), over any number of days.

    Customers with orders: the given buy-till-you-die model on the newest snapshot. Customers without: orders per day,
    and the hazard of a first order, by band of tenure, learnt on the labelled snapshots and shrunk to the shop's rate.
    That in turn is shrunk to how long customers waited for their first order before the newest snapshot, so that
    without labels it is that.
    """

    name = "order_rates"

    def __init__(self, btyd: BuyTillYouDie) -> None:
        self.btyd = btyd
        self.order_rate: FloatArray | None = None
        self.first_order_hazard: FloatArray | None = None

    def fit(self, frame: pl.DataFrame) -> Self:
        """Learn from a training frame: snapshots with labels where known (`features.join_labels`)."""
        require(frame, ("as_of", "orders", "horizon_days", *FEATURES), self.name)
        now = newest(frame)
        self.btyd.fit(now.filter(pl.col("n_order_days") > 0))
        wait_rate = _first_order_rate(now)
        outcome = labelled(frame).filter(pl.col("n_order_days") == 0)
        band = _tenure_band(outcome)
        orders, days = numbers(outcome, "orders"), numbers(outcome, "horizon_days")
        ordered = (orders > 0).astype(np.float64)
        self.order_rate = _rate_by_band(band, orders, days, wait_rate)
        # Who ordered waited for half of his window on average: the hazard's exposure ends there.
        self.first_order_hazard = _rate_by_band(band, ordered, days * (1.0 - 0.5 * ordered), wait_rate)
        return self

    def expected_orders(self, frame: pl.DataFrame, days: float | FloatArray) -> FloatArray:
        """Expected order days in the `days` after each row's as_of."""
        if self.order_rate is None:
            raise NotFittedError(self.name)
        prospects = self.order_rate[_tenure_band(frame)] * days
        bought = numbers(frame, "n_order_days") > 0
        expected: FloatArray = np.where(bought, self.btyd.expected_orders(frame, days), prospects)
        return expected

    def p_no_order(self, frame: pl.DataFrame, days: float | FloatArray) -> FloatArray:
        """P(no order in the `days` after each row's as_of)."""
        if self.first_order_hazard is None:
            raise NotFittedError(self.name)
        prospects = np.exp(-self.first_order_hazard[_tenure_band(frame)] * days)
        bought = numbers(frame, "n_order_days") > 0
        none: FloatArray = np.where(bought, self.btyd.p_no_order(frame, days), prospects)
        return none


class PopulationCurve:
    """A population's mean of something that grows with the days ahead: known at knots, between them a power of time."""

    def __init__(self, means: FloatArray) -> None:
        self.means = means

    @classmethod
    def of(cls, after: Callable[[float], FloatArray]) -> Self:
        """From `after(days)`, one value above 0 per customer; 1 per 90 days where there is none."""
        values = [after(days) for days in KNOTS_DAYS]
        means = [
            float(v.mean()) if len(v) else days / HORIZON_DAYS
            for v, days in zip(values, KNOTS_DAYS, strict=True)
        ]
        return cls(np.array(means))

    def __call__(self, days: float | FloatArray) -> FloatArray:
        """The mean after `days`."""
        at = np.interp(np.log(days), np.log(KNOTS_DAYS), np.log(self.means))
        mean: FloatArray = np.exp(at)
        return mean


def _tenure_band(frame: pl.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    tenure = np.nan_to_num(numbers(frame, "tenure_days"))
    return np.searchsorted(np.array(TENURE_EDGES_DAYS), tenure, side="right")


def _first_order_rate(now: pl.DataFrame) -> float:
    """First orders per day of waiting, over everyone known at the newest snapshot."""
    tenure = np.maximum(np.nan_to_num(numbers(now, "tenure_days")), 0.0)
    bought = numbers(now, "n_order_days") > 0
    since_first = np.nan_to_num(numbers(now, "days_since_first_order"))
    waited = np.where(bought, np.maximum(tenure - since_first, 0.0), tenure)
    # A customer first seen by his order was never a prospect and says nothing about how long prospects wait.
    converted = bought & (waited > 1.0)
    return float((converted.sum() + PRIOR_EVENTS) / (waited[converted | ~bought].sum() + PRIOR_DAYS))


def _rate_by_band(
    band: np.ndarray[tuple[int], np.dtype[np.intp]], events: FloatArray, days: FloatArray, prior: float
) -> FloatArray:
    n_bands = len(TENURE_EDGES_DAYS) + 1
    overall = (events.sum() + BAND_EVENTS) / (days.sum() + BAND_EVENTS / prior)
    band_events = np.bincount(band, weights=events, minlength=n_bands)
    band_days = np.bincount(band, weights=days, minlength=n_bands)
    rate: FloatArray = (band_events + BAND_EVENTS) / (band_days + BAND_EVENTS / overall)
    return rate
