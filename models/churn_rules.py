"""Will the customer order again? The rules the churn model has to beat.

Here: the frame every churn estimator shares, BaseRate, RecencyRule, BgNbdChurn. Not here: the learnt model
and its evaluation (`churn`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from models.btyd import BgNbd, BtydParams, BuyTillYouDie
from models.features import KEYS, LABELS, FloatArray, numbers
from models.model import NoParams, NotFittedError, require
from models.order_rates import FEATURES as RATE_FEATURES
from models.order_rates import HORIZON_DAYS, OrderRates, basis, labelled, newest, profiled
from models.pareto_nbd import ParetoNbd

MIN_GAP_DAYS = 1.0
MIN_SURVIVAL = 1e-6
KNOTS_DAYS = (1.0, 7.0, 14.0, 30.0, 60.0, 90.0, 180.0, 365.0)


class ChurnEstimator(ABC):
    """fit and predict of everything that answers "what is the chance of no order in the next days".

    `fit(frame)`: as for `value_rules.ValueEstimator`. Labels of another horizon than the one asked for are carried
    over as said by each estimator; without any label the estimate rests on the newest snapshot's own history.

    `predict(frame, horizon_days=90)`: customer_id, as_of, horizon_days, churn_risk (0 to 1), basis. Rows keep their
    order. Customers without orders get the chance that they do not order for the first time. Who does not allow
    profiling is left out of training and gets the average of those who do.
    """

    name: ClassVar[str]
    features: ClassVar[tuple[str, ...]]
    params: Any

    def __init__(self) -> None:
        self._average: SurvivalCurve | None = None

    def fit(self, frame: pl.DataFrame) -> Self:
        """Learn from a training frame."""
        require(frame, (*KEYS, *LABELS, *self.features), self.name)
        allowed = frame.filter(profiled())
        self._learn(allowed)
        now = newest(allowed)
        self._average = SurvivalCurve(lambda days: self._risk(now, days))
        return self

    def predict(self, frame: pl.DataFrame, horizon_days: int = HORIZON_DAYS) -> pl.DataFrame:
        """One risk per row."""
        require(frame, (*KEYS, *self.features), self.name)
        if self._average is None:
            raise NotFittedError(self.name)
        risk = pl.Series("churn_risk", np.clip(self._risk(frame, horizon_days), 0.0, 1.0), dtype=pl.Float64)
        return frame.select(
            *KEYS,
            pl.lit(horizon_days, dtype=pl.Int32).alias("horizon_days"),
            pl.when(profiled()).then(risk).otherwise(pl.lit(self._average(horizon_days))).alias("churn_risk"),
            basis(),
        )

    @abstractmethod
    def _learn(self, frame: pl.DataFrame) -> None: ...

    @abstractmethod
    def _risk(self, frame: pl.DataFrame, days: float) -> FloatArray: ...


class SurvivalCurve:
    """The share of a population without an order, by the days that have passed: known at knots, between them the
    cumulative hazard is a power of time.
    """

    def __init__(self, risk_after: Callable[[float], FloatArray]) -> None:
        self.cumulative_hazard = np.array([self._hazard(risk_after(days)) for days in KNOTS_DAYS])

    def __call__(self, days: float) -> float:
        """The share without an order after `days`."""
        log_hazard = np.interp(np.log(days), np.log(KNOTS_DAYS), np.log(self.cumulative_hazard))
        return float(np.exp(-np.exp(log_hazard)))

    def carry(self, risk: FloatArray, from_days: float, to_days: float) -> FloatArray:
        """P(no order) of one window from that of another, each customer's hazard growing as the population's."""
        power = np.log(self(to_days)) / np.log(self(from_days))
        carried: FloatArray = np.clip(risk, MIN_SURVIVAL, 1.0) ** power
        return carried

    @staticmethod
    def _hazard(risk: FloatArray) -> float:
        mean = float(risk.mean()) if len(risk) else 0.5
        return float(-np.log(np.clip(mean, MIN_SURVIVAL, 1.0 - MIN_SURVIVAL)))


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
    features = RATE_FEATURES

    def __init__(self) -> None:
        super().__init__()
        self.params = NoParams()

    def _learn(self, frame: pl.DataFrame) -> None:
        rates, now, outcome = OrderRates(BgNbd()).fit(frame), newest(frame), labelled(frame)
        self.curve = SurvivalCurve(lambda days: rates.p_no_order(now, days))
        if outcome.is_empty():
            self.horizon = float(HORIZON_DAYS)
            self.share = self.curve(HORIZON_DAYS)
        else:
            self.horizon = mean_horizon(outcome)
            self.share = float((churned(outcome).sum() + 0.5) / (outcome.height + 1.0))

    def _risk(self, frame: pl.DataFrame, days: float) -> FloatArray:
        return self.curve.carry(np.full(frame.height, self.share), self.horizon, days)


class RecencyRule(ChurnEstimator):
    """A logistic curve of the silence since the last order, in days and in the customer's own gaps between
    orders.

    A customer with one order has the shop's mean gap. Without labels of both outcomes: half the customers are
    gone after one gap, half of the rest after two, and so on; customers without orders have the base rate.
    """

    name = "recency_rule"
    features = tuple(dict.fromkeys((*BaseRate.features, "days_since_last_order", "mean_gap_days")))

    def __init__(self) -> None:
        super().__init__()
        self.params = NoParams()

    def _learn(self, frame: pl.DataFrame) -> None:
        gaps = numbers(newest(frame), "mean_gap_days")
        known = gaps[gaps > 0]
        self.typical_gap = float(np.median(known)) if len(known) else float(HORIZON_DAYS)
        self.base = BaseRate()
        self.base._learn(frame)
        outcome = labelled(frame)
        gone = churned(outcome)
        self.curve: LogisticRegression | None = None
        if 0 < gone.sum() < len(gone):
            self.horizon = mean_horizon(outcome)
            with threadpool_limits(limits=1):
                self.curve = LogisticRegression(max_iter=500).fit(self._inputs(outcome), gone)

    def _risk(self, frame: pl.DataFrame, days: float) -> FloatArray:
        if not frame.height:
            return np.zeros(0)
        if self.curve is not None:
            risk = np.asarray(self.curve.predict_proba(self._inputs(frame))[:, 1], dtype=np.float64)
            return self.base.curve.carry(risk, self.horizon, days)
        silence, gap, bought = self._silence(frame)
        return np.where(bought > 0, 1.0 - 0.5 ** (silence / gap), self.base._risk(frame, days))

    def _silence(self, frame: pl.DataFrame) -> tuple[FloatArray, FloatArray, FloatArray]:
        bought = (numbers(frame, "n_order_days") > 0).astype(np.float64)
        gap = np.nan_to_num(numbers(frame, "mean_gap_days"), nan=self.typical_gap)
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

    features = RATE_FEATURES
    btyd: ClassVar[type[BuyTillYouDie]]

    def __init__(self, params: BtydChurnParams | None = None) -> None:
        super().__init__()
        self.params = params or BtydChurnParams()

    def _learn(self, frame: pl.DataFrame) -> None:
        self.rates = OrderRates(self.btyd(self.params.btyd)).fit(frame)

    def _risk(self, frame: pl.DataFrame, days: float) -> FloatArray:
        return self.rates.p_no_order(frame, days)


class BgNbdChurn(BtydChurn):
    """P(no order) of BG/NBD."""

    name = "bg_nbd_churn"
    btyd = BgNbd


class ParetoNbdChurn(BtydChurn):
    """P(no order) of Pareto/NBD."""

    name = "pareto_nbd_churn"
    btyd = ParetoNbd
