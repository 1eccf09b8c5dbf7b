"""What a customer is worth, told simply: the rules the value model has to beat, and the base on which it
stands.

Here: the result's columns, the frame every value estimator shares, MeanValue, RecentSpend, BgNbdValue. Not
here: the learnt model and its evaluation (`value`).

Orders are order days; margin is in the shop's currency, net of discounts and refunds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from models.btyd import BgNbdParams
from models.features import KEYS, LABELS, FloatArray, numbers
from models.model import NoParams, NotFittedError, require
from models.order_rates import FEATURES as RATE_FEATURES
from models.order_rates import HORIZON_DAYS, YEAR_DAYS, OrderRates, basis, labelled, newest, profiled

ESTIMATES = ("expected_orders_90d", "expected_margin_90d", "lifetime_value")


@dataclass(frozen=True)
class ValueEstimate:
    """Arrays, one entry per row: expected order days and margin in 90 days, expected margin in 365."""

    orders_90d: FloatArray
    margin_90d: FloatArray
    margin_365d: FloatArray

    def means(self) -> tuple[float, float, float]:
        """The average customer; zeros where there is none."""
        if not len(self.orders_90d):
            return 0.0, 0.0, 0.0
        return float(self.orders_90d.mean()), float(self.margin_90d.mean()), float(self.margin_365d.mean())


class ValueEstimator(ABC):
    """fit and predict of everything that answers "what is this customer worth".

    `fit(frame)`: feat_customer rows of one or more snapshots with label_customer's columns joined
    (`features.join_labels`), null where unknown. Labels may span any `horizon_days`; they are taken as rates
    over their own window and carried to 90 days, so that a shop younger than 90 days can learn from windows
    of 30. Without any label the estimate rests on the newest snapshot's own history.

    `predict(frame)`: customer_id, as_of, expected_orders_90d, expected_margin_90d, lifetime_value (expected
    margin of the next 365 days), basis. Rows keep their order. Who does not allow profiling (`has_behaviour`
    false) is left out of training and gets the average of those who do.
    """

    name: ClassVar[str]
    features: ClassVar[tuple[str, ...]]
    params: Any

    def __init__(self) -> None:
        self._average: tuple[float, float, float] | None = None

    def fit(self, frame: pl.DataFrame) -> Self:
        """Learn from a training frame."""
        require(frame, (*KEYS, *LABELS, *self.features), self.name)
        allowed = frame.filter(profiled())
        self._learn(allowed)
        self._average = self._estimate(newest(allowed)).means()
        return self

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        """One estimate per row."""
        require(frame, (*KEYS, *self.features), self.name)
        if self._average is None:
            raise NotFittedError(self.name)
        estimate = self._estimate(frame)
        values = (estimate.orders_90d, estimate.margin_90d, estimate.margin_365d)
        return frame.select(
            *KEYS,
            *(
                pl.when(profiled())
                .then(pl.Series(column, value, dtype=pl.Float64))
                .otherwise(pl.lit(average))
                .alias(column)
                for column, value, average in zip(ESTIMATES, values, self._average, strict=True)
            ),
            basis(),
        )

    @abstractmethod
    def _learn(self, frame: pl.DataFrame) -> None: ...

    @abstractmethod
    def _estimate(self, frame: pl.DataFrame) -> ValueEstimate: ...


class MeanValue(ValueEstimator):
    """Everyone is the average customer: labelled orders and margin per day, of all.

    Without labels: order days and margin per day since the customers were first seen.
    """

    name = "mean_value"
    features = ("n_order_days", "margin_total", "tenure_days", "has_behaviour")

    def __init__(self) -> None:
        super().__init__()
        self.params = NoParams()

    def _learn(self, frame: pl.DataFrame) -> None:
        outcome = labelled(frame)
        if outcome.is_empty():
            now = newest(frame)
            days = np.maximum(np.nan_to_num(numbers(now, "tenure_days")), 1.0).sum()
            orders, margin = now["n_order_days"].sum(), now["margin_total"].sum()
        else:
            days = outcome["horizon_days"].sum()
            orders, margin = outcome["orders"].sum(), outcome["margin"].sum()
        days = max(float(days), 1.0)
        self.orders_per_day, self.margin_per_day = float(orders) / days, max(float(margin), 0.0) / days

    def _estimate(self, frame: pl.DataFrame) -> ValueEstimate:
        everyone = np.ones(frame.height)
        margin = everyone * self.margin_per_day
        return ValueEstimate(
            everyone * self.orders_per_day * HORIZON_DAYS, margin * HORIZON_DAYS, margin * YEAR_DAYS
        )


@dataclass(frozen=True)
class RecentSpendParams:
    """Tenure below `min_days` counts as `min_days`: one early order is not a daily habit."""

    min_days: float = 90.0


class RecentSpend(ValueEstimator):
    """The customer goes on as in the last 365 days (or since first seen): the same orders and margin per day."""

    name = "recent_spend"
    features = ("n_orders_365d", "margin_365d", "tenure_days", "n_order_days", "has_behaviour")

    def __init__(self, params: RecentSpendParams | None = None) -> None:
        super().__init__()
        self.params = params or RecentSpendParams()

    def _learn(self, frame: pl.DataFrame) -> None:
        """There is nothing to learn."""

    def _estimate(self, frame: pl.DataFrame) -> ValueEstimate:
        tenure = np.nan_to_num(numbers(frame, "tenure_days"), nan=float(YEAR_DAYS))
        days = np.clip(tenure, self.params.min_days, YEAR_DAYS)
        orders = np.nan_to_num(numbers(frame, "n_orders_365d")) / days
        margin = np.maximum(np.nan_to_num(numbers(frame, "margin_365d")), 0.0) / days
        return ValueEstimate(orders * HORIZON_DAYS, margin * HORIZON_DAYS, margin * YEAR_DAYS)


@dataclass(frozen=True)
class BgNbdValueParams:
    """`margin_prior_orders`: how many average orders a customer's own mean margin is shrunk by."""

    btyd: BgNbdParams = field(default_factory=BgNbdParams)
    margin_prior_orders: float = 2.0


class BgNbdValue(ValueEstimator):
    """BG/NBD order rates times the customer's own margin per order day, shrunk to the shop's.

    The step from 90 to 365 days is the customer's own ratio of expected orders; for one without orders, that
    of all customers with orders.
    """

    name = "bg_nbd_value"
    features = (*RATE_FEATURES, "margin_total")

    def __init__(self, params: BgNbdValueParams | None = None) -> None:
        super().__init__()
        self.params = params or BgNbdValueParams()

    def _learn(self, frame: pl.DataFrame) -> None:
        self.rates = OrderRates(self.params.btyd).fit(frame)
        buyers = newest(frame).filter(pl.col("n_order_days") > 0)
        orders = float(buyers["n_order_days"].sum())
        self.mean_margin = max(float(buyers["margin_total"].sum()), 0.0) / max(orders, 1.0)
        self.prospect_growth = self._growth_of(buyers)

    def _estimate(self, frame: pl.DataFrame) -> ValueEstimate:
        orders = self.expected_orders(frame, HORIZON_DAYS)
        margin = orders * self.margin_per_order(frame)
        return ValueEstimate(orders, margin, margin * self.growth(frame))

    def expected_orders(self, frame: pl.DataFrame, days: float | FloatArray) -> FloatArray:
        """Expected order days in the `days` after as_of."""
        return self.rates.expected_orders(frame, days)

    def margin_per_order(self, frame: pl.DataFrame) -> FloatArray:
        """Expected margin of one order day, never below 0."""
        own = np.nan_to_num(numbers(frame, "margin_total"))
        orders = np.nan_to_num(numbers(frame, "n_order_days"))
        prior = self.params.margin_prior_orders
        shrunk: FloatArray = np.maximum((own + prior * self.mean_margin) / (orders + prior), 0.0)
        return shrunk

    def growth(self, frame: pl.DataFrame) -> FloatArray:
        """Expected orders of 365 days over those of 90."""
        bought = numbers(frame, "n_order_days") > 0
        quarter = self.rates.expected_orders(frame, HORIZON_DAYS)
        year = self.rates.expected_orders(frame, YEAR_DAYS)
        ratio = np.divide(year, quarter, out=np.full(len(year), self.prospect_growth), where=quarter > 0)
        growth: FloatArray = np.where(bought, np.maximum(ratio, 1.0), self.prospect_growth)
        return growth

    def _growth_of(self, buyers: pl.DataFrame) -> float:
        quarter = float(self.rates.expected_orders(buyers, HORIZON_DAYS).sum())
        year = float(self.rates.expected_orders(buyers, YEAR_DAYS).sum())
        return year / quarter if quarter > 0 else YEAR_DAYS / HORIZON_DAYS
