"""What a customer is worth, told simply: the rules the value model has to beat.

Here: MeanValue, RecentSpend, BgNbdValue, ParetoNbdValue. Not here: the frame they share (`value_estimator`), the learnt
model and its evaluation (`value`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import polars as pl

from models.btyd import BgNbd, BtydParams, BuyTillYouDie
from models.features import FloatArray, numbers
from models.gamma_gamma import GammaGamma, GammaGammaParams
from models.model import NoParams
from models.order_rates import FEATURES as RATE_FEATURES
from models.order_rates import YEAR_DAYS, OrderRates, labelled, newest
from models.pareto_nbd import ParetoNbd
from models.value_estimator import SHARED_FEATURES, Silence, ValueEstimator


class MeanValue(ValueEstimator):
    """Everyone is the average customer: labelled orders and margin per day, of all.

    Without labels: order days and margin per day since the customers were first seen.
    """

    name = "mean_value"
    features = (*SHARED_FEATURES, "tenure_days")

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

    def _expect(self, frame: pl.DataFrame, days: float | FloatArray) -> tuple[FloatArray, FloatArray]:
        window = np.ones(frame.height) * days
        return window * self.orders_per_day, window * self.margin_per_day


@dataclass(frozen=True)
class RecentSpendParams:
    """Tenure below `min_days` counts as `min_days`: one early order is not a daily habit."""

    min_days: float = 90.0


class RecentSpend(ValueEstimator):
    """The customer goes on as in the last 365 days (or since first seen): the same orders and margin per day."""

    name = "recent_spend"
    features = (*SHARED_FEATURES, "n_orders_365d", "margin_365d", "tenure_days")

    def __init__(self, params: RecentSpendParams | None = None) -> None:
        super().__init__()
        self.params = params or RecentSpendParams()

    def _learn(self, frame: pl.DataFrame) -> None:
        """There is nothing to learn."""

    def _expect(self, frame: pl.DataFrame, days: float | FloatArray) -> tuple[FloatArray, FloatArray]:
        tenure = np.nan_to_num(numbers(frame, "tenure_days"), nan=float(YEAR_DAYS))
        share = days / np.clip(tenure, self.params.min_days, YEAR_DAYS)
        orders = np.nan_to_num(numbers(frame, "n_orders_365d"))
        margin = np.maximum(np.nan_to_num(numbers(frame, "margin_365d")), 0.0)
        return orders * share, margin * share


@dataclass(frozen=True)
class BtydValueParams:
    """How strongly the priors hold."""

    btyd: BtydParams = field(default_factory=BtydParams)
    spend: GammaGammaParams = field(default_factory=GammaGammaParams)


class BtydValue(ValueEstimator):
    """Order rates of a buy-till-you-die model times the margin per order day that Gamma-Gamma expects."""

    features = (*RATE_FEATURES, "margin_total")
    btyd: ClassVar[type[BuyTillYouDie]]

    def __init__(self, params: BtydValueParams | None = None) -> None:
        super().__init__()
        self.params = params or BtydValueParams()

    def _learn(self, frame: pl.DataFrame) -> None:
        self.rates = OrderRates(self.btyd(self.params.btyd)).fit(frame)
        self.spend = GammaGamma(self.params.spend).fit(*_spend(newest(frame)))

    def _expect(self, frame: pl.DataFrame, days: float | FloatArray) -> tuple[FloatArray, FloatArray]:
        orders = self.rates.expected_orders(frame, days)
        return orders, orders * self.margin_per_order(frame)

    def _silence(self, frame: pl.DataFrame) -> Silence:
        return lambda days: self.rates.p_no_order(frame, days)

    def margin_per_order(self, frame: pl.DataFrame) -> FloatArray:
        """Expected margin of one order day, never below 0."""
        expected: FloatArray = np.maximum(self.spend.expected_spend(*_spend(frame)), 0.0)
        return expected


class BgNbdValue(BtydValue):
    """BG/NBD and Gamma-Gamma."""

    name = "bg_nbd_value"
    btyd = BgNbd


class ParetoNbdValue(BtydValue):
    """Pareto/NBD and Gamma-Gamma."""

    name = "pareto_nbd_value"
    btyd = ParetoNbd


def _spend(frame: pl.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Order days, and the mean margin of one."""
    orders = np.nan_to_num(numbers(frame, "n_order_days"))
    return orders, np.nan_to_num(numbers(frame, "margin_total")) / np.maximum(orders, 1.0)
