"""What every answer to "what is this customer worth" shares: the frame, the columns, the average for the unprofiled.

Here: the base class and its columns. Not here: the rules (`value_rules`), the learnt model (`value`), how far the truth
lies from a forecast (`value_spread`).

Orders are order days; margin is in the shop's currency, net of discounts and refunds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from models.evaluation.splits import time_split
from models.features import KEYS, LABELS, FloatArray, numbers
from models.model import NotFittedError, require
from models.order_rates import HORIZON_DAYS, YEAR_DAYS, basis, judged_longest, newest, profiled
from models.value_spread import Outcome, Spread

SHARED_FEATURES = ("n_order_days", "margin_total", "has_behaviour")
"""What every estimator needs: the basis and the historic value rest on it."""
NEXT_ORDER = "expected_next_order_days"
NEXT_ORDER_WITHIN_DAYS = 730
BISECTIONS = 12
Silence = Callable[[FloatArray], FloatArray]
"""From days after as_of, one number per row, to P(no order in them)."""

AHEAD: Mapping[str, str] = MappingProxyType(
    {
        "expected_orders": "expected_orders_90d",
        "orders_low": "orders_90d_low",
        "orders_high": "orders_90d_high",
        "expected_margin": "expected_margin_90d",
        "margin_low": "margin_90d_low",
        "margin_high": "margin_90d_high",
    }
)
"""A forecast's columns, and their names in `predict` over 90 days."""


class ValueEstimator(ABC):
    """fit, predict and forecast of everything that answers "what is this customer worth".

    `fit(frame)`: feat_customer rows of one or more snapshots with label_customer's columns joined
    (`features.join_labels`), null where unknown. Labels may span any `horizon_days`; they are taken as rates
    over their own window and carried to the days asked for, so that a shop younger than 90 days can learn from
    windows of 30. Without any label the estimate rests on the newest snapshot's own history.

    `forecast(frame, horizon_days)`: customer_id, as_of, horizon_days, expected_orders, orders_low, orders_high,
    expected_margin, margin_low, margin_high, basis. Low and high enclose the outcome of 80 % of the customers.

    `predict(frame)`: customer_id, as_of; expected_orders_90d and expected_margin_90d; lifetime_value (expected margin of
    the next 365 days); `orders_90d_low`, `_high`, `margin_90d_low`, `_high`, `lifetime_value_low`, `_high`;
    historic_value (margin so far), total_value (historic and lifetime value); expected_next_order_days (median time to
    the next order; null if it is not expected within two years); basis.

    Rows keep their order. Who does not allow profiling (`has_behaviour` false) is left out of training and gets the
    average of those who do.
    """

    name: ClassVar[str]
    features: ClassVar[tuple[str, ...]]
    params: Any

    def __init__(self) -> None:
        self._averages: dict[str, float] | None = None
        self.spread = Spread()

    def fit(self, frame: pl.DataFrame) -> Self:
        """Learn from a training frame."""
        require(frame, (*KEYS, *LABELS, *self.features), self.name)
        allowed = frame.filter(profiled())
        self._learn(allowed)
        self.spread = Spread.of(self._held_out(allowed))
        now = newest(allowed)
        self._averages = {column: _mean(values) for column, values in self._estimates(now).items()}
        return self

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        """One row of estimates per row."""
        averages = self._checked(frame)
        estimates = self._estimates(frame)
        return frame.select(*KEYS, *_columns(estimates, averages), basis())

    def forecast(self, frame: pl.DataFrame, horizon_days: int) -> pl.DataFrame:
        """Orders and margin of the next `horizon_days`, one row per row; the average goes on at its 90 days' pace."""
        averages = self._checked(frame)
        ahead = self._ahead(frame, horizon_days)
        share = horizon_days / HORIZON_DAYS
        pace = {column: averages[source] * share for column, source in AHEAD.items()}
        horizon = pl.lit(horizon_days, dtype=pl.Int32).alias("horizon_days")
        return frame.select(*KEYS, horizon, *_columns(ahead, pace), basis())

    @abstractmethod
    def _learn(self, frame: pl.DataFrame) -> None: ...

    @abstractmethod
    def _expect(self, frame: pl.DataFrame, days: float | FloatArray) -> tuple[FloatArray, FloatArray]:
        """Expected order days and margin of the `days` after as_of, one entry per row."""

    def _silence(self, frame: pl.DataFrame) -> Silence:
        """P(no order in the days after as_of), each row its own days: without a better model, orders at random."""
        return lambda days: np.exp(-self._expect(frame, days)[0])

    def _held_out(self, frame: pl.DataFrame) -> Outcome | None:
        """What the estimator would have said at the newest labelled snapshot, and what came; None without labels."""
        split = time_split(judged_longest(frame))
        if split is None:
            return None
        then = type(self)()
        then.params = self.params
        then._learn(split.train)
        return Outcome.of(split.holdout, *then._expect(split.holdout, numbers(split.holdout, "horizon_days")))

    def _checked(self, frame: pl.DataFrame) -> dict[str, float]:
        require(frame, (*KEYS, *self.features), self.name)
        if self._averages is None:
            raise NotFittedError(self.name)
        return self._averages

    def _ahead(self, frame: pl.DataFrame, days: float) -> dict[str, FloatArray]:
        orders, margin = self._expect(frame, days)
        orders_low, orders_high = self.spread.orders(orders)
        margin_low, margin_high = self.spread.margin(orders, margin)
        return {
            "expected_orders": orders,
            "orders_low": orders_low,
            "orders_high": orders_high,
            "expected_margin": margin,
            "margin_low": margin_low,
            "margin_high": margin_high,
        }

    def _estimates(self, frame: pl.DataFrame) -> dict[str, FloatArray]:
        quarter, year = self._ahead(frame, HORIZON_DAYS), self._ahead(frame, YEAR_DAYS)
        historic = np.nan_to_num(numbers(frame, "margin_total"))
        return {
            **{target: quarter[source] for source, target in AHEAD.items()},
            "lifetime_value": year["expected_margin"],
            "lifetime_value_low": year["margin_low"],
            "lifetime_value_high": year["margin_high"],
            "historic_value": historic,
            "total_value": historic + year["expected_margin"],
            NEXT_ORDER: self._median_days_to_order(frame),
        }

    def _median_days_to_order(self, frame: pl.DataFrame) -> FloatArray:
        """Days until half the customers like this one have ordered, by bisection; NaN beyond two years."""
        low, high = np.zeros(frame.height), np.full(frame.height, float(NEXT_ORDER_WITHIN_DAYS))
        p_no_order = self._silence(frame)
        never = p_no_order(high) > 0.5
        for _ in range(BISECTIONS):
            middle = 0.5 * (low + high)
            waits = p_no_order(middle) > 0.5
            low, high = np.where(waits, middle, low), np.where(waits, high, middle)
        return np.where(never, np.nan, np.ceil(high))


def _mean(values: FloatArray) -> float:
    """Of what is known; 0 where nothing is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else 0.0


def _columns(values: dict[str, FloatArray], averages: dict[str, float]) -> list[pl.Expr]:
    return [
        pl.when(profiled())
        .then(pl.Series(column, array, dtype=pl.Float64).fill_nan(None))
        .otherwise(pl.lit(averages[column], dtype=pl.Float64))
        .alias(column)
        for column, array in values.items()
    ]
