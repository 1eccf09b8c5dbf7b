"""Will the customer order again? The rules the churn model has to beat.

Here: BaseRate, RecencyRule, BgNbdChurn, ParetoNbdChurn. Not here: the frame they share (`churn_estimator`), the learnt
model and its evaluation (`churn`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from models.btyd import BgNbd, BtydParams, BuyTillYouDie
from models.churn_estimator import SHARED_FEATURES, ChurnEstimator, SurvivalCurve
from models.features import FloatArray, numbers
from models.model import NoParams
from models.order_rates import HORIZON_DAYS, OrderRates, labelled, newest
from models.pareto_nbd import ParetoNbd

MIN_GAP_DAYS = 1.0


def churned(frame: pl.DataFrame) -> FloatArray:
    """1 where a labelled row had no order in its window, else 0."""
    return np.where(numbers(frame, "orders") == 0, 1.0, 0.0)


def mean_horizon(frame: pl.DataFrame) -> float:
    """The labelled rows' mean window in days."""
    return float(numbers(frame, "horizon_days").mean())


class BaseRate(ChurnEstimator):
    """Everyone has the same risk: the labelled share without an order, or without labels the mean of BG/NBD's.

    Carried to another horizon along BG/NBD's survival of the newest snapshot.
    """

    name = "base_rate"
    features = SHARED_FEATURES

    def __init__(self) -> None:
        super().__init__()
        self.params = NoParams()

    def _learn(self, frame: pl.DataFrame) -> None:
        rates, now, outcome = OrderRates(BgNbd()).fit(frame), newest(frame), labelled(frame)
        self.curve = SurvivalCurve(lambda days: rates.p_no_order(now, days))
        if outcome.is_empty():
            self.horizon = float(HORIZON_DAYS)
            self.share = float(self.curve(HORIZON_DAYS))
        else:
            self.horizon = mean_horizon(outcome)
            self.share = float((churned(outcome).sum() + 0.5) / (outcome.height + 1.0))

    def _risk(self, frame: pl.DataFrame, days: float | FloatArray) -> FloatArray:
        return self.curve.carry(np.full(frame.height, self.share), self.horizon, days)


class RecencyRule(ChurnEstimator):
    """A logistic curve of the silence since the last order, in days and in the customer's own gaps between
    orders.

    A customer with one order has the shop's mean gap. Without labels of both outcomes: half the customers are
    gone after one gap, half of the rest after two, and so on; customers without orders have the base rate.
    """

    name = "recency_rule"
    features = SHARED_FEATURES

    def __init__(self) -> None:
        super().__init__()
        self.params = NoParams()

    def _learn(self, frame: pl.DataFrame) -> None:
        self.base = BaseRate()
        self.base._learn(frame)
        outcome = labelled(frame)
        gone = churned(outcome)
        self.curve: LogisticRegression | None = None
        if 0 < gone.sum() < len(gone):
            self.horizon = mean_horizon(outcome)
            with threadpool_limits(limits=1):
                self.curve = LogisticRegression(max_iter=500).fit(self._inputs(outcome), gone)

    def _risk(self, frame: pl.DataFrame, days: float | FloatArray) -> FloatArray:
        if not frame.height:
            return np.zeros(0)
        if self.curve is not None:
            risk = np.asarray(self.curve.predict_proba(self._inputs(frame))[:, 1], dtype=np.float64)
            return self.base.curve.carry(risk, self.horizon, days)
        silence, gap, bought = self._silence(frame)
        return np.where(bought > 0, 1.0 - 0.5 ** (silence / gap), self.base._risk(frame, days))

    def _silence(self, frame: pl.DataFrame) -> tuple[FloatArray, FloatArray, FloatArray]:
        bought = (numbers(frame, "n_order_days") > 0).astype(np.float64)
        gap = np.nan_to_num(numbers(frame, "mean_gap_days"), nan=self.usual_gap)
        silence = np.nan_to_num(numbers(frame, "days_since_last_order"))
        return np.maximum(silence, 0.0), np.maximum(gap, MIN_GAP_DAYS), bought

    def _inputs(self, frame: pl.DataFrame) -> FloatArray:
        silence, gap, bought = self._silence(frame)
        tenure = np.maximum(np.nan_to_num(numbers(frame, "tenure_days")), 0.0)
        return np.column_stack(
            [
                bought,
                bought * np.log1p(silence),
                bought * np.log1p(silence / gap),
                bought * np.log1p(np.nan_to_num(numbers(frame, "n_order_days"))),
                (1.0 - bought) * np.log1p(tenure),
            ]
        )


@dataclass(frozen=True)
class BtydChurnParams:
    """The buy-till-you-die model's parameters."""

    btyd: BtydParams = field(default_factory=BtydParams)


class BtydChurn(ChurnEstimator):
    """P(no order) as a buy-till-you-die model and the rates of customers without orders have it; any horizon at no
    loss.
    """

    features = SHARED_FEATURES
    btyd: ClassVar[type[BuyTillYouDie]]

    def __init__(self, params: BtydChurnParams | None = None) -> None:
        super().__init__()
        self.params = params or BtydChurnParams()

    def _learn(self, frame: pl.DataFrame) -> None:
        self.rates = OrderRates(self.btyd(self.params.btyd)).fit(frame)

    def _risk(self, frame: pl.DataFrame, days: float | FloatArray) -> FloatArray:
        return self.rates.p_no_order(frame, days)


class BgNbdChurn(BtydChurn):
    """P(no order) of BG/NBD."""

    name = "bg_nbd_churn"
    btyd = BgNbd


class ParetoNbdChurn(BtydChurn):
    """P(no order) of Pareto/NBD."""

    name = "pareto_nbd_churn"
    btyd = ParetoNbd
