"""What every answer to "will the customer order again" shares: the frame, the columns, the average for the unprofiled.

Here: the base class, horizons, the survival of a population. Not here: the rules (`churn_rules`), the learnt model
(`churn`), the words of the reasons (`churn_reasons`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from models.churn_reasons import NOTHING_UNUSUAL, by_rule, reasons
from models.features import KEYS, LABELS, FloatArray, numbers
from models.model import NotFittedError, require
from models.order_rates import FEATURES as RATE_FEATURES
from models.order_rates import HORIZON_DAYS, basis, newest, profiled

SHARED_FEATURES = (*RATE_FEATURES, "days_since_last_order", "mean_gap_days")
"""What every estimator needs: basis, reasons, who has lapsed."""

# Who counts as lapsed, as in the life-cycle stages: a floor, and silence in gaps of his own.
LAPSED_MIN_DAYS, LAPSED_GAPS = 180.0, 3.0
MIN_SURVIVAL = 1e-6
KNOTS_DAYS = (1.0, 7.0, 14.0, 30.0, 60.0, 90.0, 180.0, 365.0)


@dataclass(frozen=True)
class Rhythm:
    """A horizon of the customer's own: `gaps` times his mean gap between orders (the shop's usual one for who has none),
    held within bounds, in whole days.
    """

    gaps: float = 3.0
    at_least: int = 14
    at_most: int = 365

    def days(self, frame: pl.DataFrame, usual_gap: float) -> FloatArray:
        """Days per row."""
        gap = np.nan_to_num(numbers(frame, "mean_gap_days"), nan=usual_gap)
        whole: FloatArray = np.clip(np.ceil(self.gaps * gap), self.at_least, self.at_most)
        return whole


class ChurnEstimator(ABC):
    """fit and predict of everything that answers "what is the chance of no order in the next days".

    `fit(frame)`: as for `value_estimator.ValueEstimator`. Labels of another horizon than the one asked for are carried
    over as said by each estimator; without any label the estimate rests on the newest snapshot's own history.

    `predict(frame, horizon=90)`: customer_id, as_of, horizon_days, churn_risk (0 to 1), reasons (one to three sentences
    on what raises the risk), reactivation_chance (of an order within 90 days, for who has lapsed, else null), basis. The
    horizon is in days, the same for all, or a `Rhythm`. Rows keep their order. Customers without orders get the chance
    that they do not order for the first time. Who does not allow profiling is left out of training and gets the average
    of those who do.
    """

    name: ClassVar[str]
    features: ClassVar[tuple[str, ...]]
    params: Any

    def __init__(self) -> None:
        self._average: SurvivalCurve | None = None
        self.usual_gap = float(HORIZON_DAYS)

    def fit(self, frame: pl.DataFrame) -> Self:
        """Learn from a training frame."""
        require(frame, (*KEYS, *LABELS, *self.features), self.name)
        allowed = frame.filter(profiled())
        now = newest(allowed)
        gaps = numbers(now, "mean_gap_days")
        known = gaps[gaps > 0]
        self.usual_gap = float(np.median(known)) if len(known) else float(HORIZON_DAYS)
        self._learn(allowed)
        self._average = SurvivalCurve(lambda days: self._risk(now, days))
        return self

    def predict(self, frame: pl.DataFrame, horizon: int | Rhythm = HORIZON_DAYS) -> pl.DataFrame:
        """One risk per row, why, and what else is said of it."""
        asked = self.risk(frame, horizon)
        usual = asked if horizon == HORIZON_DAYS else self.risk(frame)
        unknown = pl.concat_list(pl.lit(NOTHING_UNUSUAL))
        told = frame.select(
            pl.when(profiled())
            .then(reasons(frame, self._reasons(frame), self.usual_gap))
            .otherwise(unknown)
            .alias("reasons"),
            pl.when(profiled() & _lapsed())
            .then(1.0 - usual["churn_risk"])
            .otherwise(None)
            .alias("reactivation_chance"),
            basis(),
        )
        return pl.concat([asked, told], how="horizontal")

    def risk(self, frame: pl.DataFrame, horizon: int | Rhythm = HORIZON_DAYS) -> pl.DataFrame:
        """customer_id, as_of, horizon_days, churn_risk of each row, as `predict` says them."""
        require(frame, (*KEYS, *self.features), self.name)
        if self._average is None:
            raise NotFittedError(self.name)
        days = horizon.days(frame, self.usual_gap) if isinstance(horizon, Rhythm) else float(horizon)
        every_days = np.broadcast_to(days, frame.height).astype(np.float64)
        risk = np.clip(self._risk(frame, days), 0.0, 1.0)
        return frame.select(
            *KEYS,
            pl.Series("horizon_days", every_days).cast(pl.Int32),
            pl.when(profiled())
            .then(pl.Series("churn_risk", risk, dtype=pl.Float64))
            .otherwise(pl.Series("average", self._average(every_days), dtype=pl.Float64))
            .alias("churn_risk"),
        )

    @abstractmethod
    def _learn(self, frame: pl.DataFrame) -> None: ...

    @abstractmethod
    def _risk(self, frame: pl.DataFrame, days: float | FloatArray) -> FloatArray: ...

    def _reasons(self, frame: pl.DataFrame) -> dict[str, FloatArray]:
        """Topic of `churn_reasons` -> how much it raises each row's risk."""
        return by_rule(frame, self.usual_gap)


class SurvivalCurve:
    """The share of a population without an order, by the days that have passed: known at knots, between them the
    cumulative hazard is a power of time.
    """

    def __init__(self, risk_after: Callable[[float], FloatArray]) -> None:
        self.cumulative_hazard = np.array([self._hazard(risk_after(days)) for days in KNOTS_DAYS])

    def __call__(self, days: float | FloatArray) -> FloatArray:
        """The share without an order after `days`."""
        log_hazard = np.interp(np.log(days), np.log(KNOTS_DAYS), np.log(self.cumulative_hazard))
        share: FloatArray = np.exp(-np.exp(log_hazard))
        return share

    def carry(self, risk: FloatArray, from_days: float, to_days: float | FloatArray) -> FloatArray:
        """P(no order) of one window from that of another, each customer's hazard growing as the population's."""
        power = np.log(self(to_days)) / np.log(self(from_days))
        carried: FloatArray = np.clip(risk, MIN_SURVIVAL, 1.0) ** power
        return carried

    @staticmethod
    def _hazard(risk: FloatArray) -> float:
        mean = float(risk.mean()) if len(risk) else 0.5
        return float(-np.log(np.clip(mean, MIN_SURVIVAL, 1.0 - MIN_SURVIVAL)))


def _lapsed() -> pl.Expr:
    """Silent for longer than the life cycle allows."""
    limit = pl.max_horizontal(pl.lit(LAPSED_MIN_DAYS), LAPSED_GAPS * pl.col("mean_gap_days").fill_null(0.0))
    return (pl.col("n_order_days") > 0) & (pl.col("days_since_last_order") > limit).fill_null(False)
