"""What one would try first: XGBoost on everything known of the customer, without a buy-till-you-die base.

Counts by Poisson, spend by Tweedie, silence by logistic loss, each learnt on the longest windows; another
window is reached at a constant rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import xgboost as xgb

from models.evaluation.splits import time_split
from models.features import CUSTOMER_FEATURES, FeatureEncoder, FloatArray, numbers
from models.order_rates import judged_longest, labelled
from models.value_estimator import SHARED_FEATURES, ValueEstimator
from models.value_spread import Outcome


@dataclass(frozen=True)
class PlainXgboostParams:
    """XGBoost's own names."""

    max_depth: int = 4
    learning_rate: float = 0.05
    rounds: int = 150
    min_child_weight: float = 10.0
    subsample: float = 0.8
    seed: int = 7


class PlainXgboost(ValueEstimator):
    """Three boosters on the same features."""

    name = "plain_xgboost"
    features = tuple(dict.fromkeys((*CUSTOMER_FEATURES, *SHARED_FEATURES)))

    def __init__(self, params: PlainXgboostParams | None = None) -> None:
        super().__init__()
        self.params = params or PlainXgboostParams()

    def churn_risk(self, frame: pl.DataFrame) -> FloatArray:
        """P(no order) over the labels' window, whatever window is asked for."""
        return self._predict("binary:logistic", frame)

    def _learn(self, frame: pl.DataFrame) -> None:
        self.encoder = FeatureEncoder(self.name).fit(frame)
        known = labelled(frame).filter(pl.col("horizon_days") == pl.col("horizon_days").max())
        self.horizon = float(numbers(known, "horizon_days").mean())
        self.boosters: dict[str, xgb.Booster] = {}
        orders, margin = numbers(known, "orders"), np.maximum(numbers(known, "margin"), 0.0)
        self.unit = float(margin.mean()) or 1.0
        matrix = self.encoder.transform(known)
        targets = {
            "count:poisson": orders,
            "reg:tweedie": margin / self.unit,
            "binary:logistic": (orders == 0).astype(np.float64),
        }
        for objective, target in targets.items():
            settings = {
                "objective": objective,
                "max_depth": self.params.max_depth,
                "learning_rate": self.params.learning_rate,
                "min_child_weight": self.params.min_child_weight,
                "subsample": self.params.subsample,
                "seed": self.params.seed,
                "nthread": 1,
                "verbosity": 0,
            }
            data = xgb.DMatrix(matrix, label=target, nthread=1)
            self.boosters[objective] = xgb.train(settings, data, self.params.rounds)

    def _held_out(self, frame: pl.DataFrame) -> Outcome | None:
        """Nothing where there are no labels to learn from before the newest snapshot's."""
        split = time_split(judged_longest(frame))
        return super()._held_out(frame) if split is not None and split.n_labelled else None

    def _expect(self, frame: pl.DataFrame, days: float | FloatArray) -> tuple[FloatArray, FloatArray]:
        share = days / self.horizon
        orders, margin = (self._predict(kind, frame) for kind in ("count:poisson", "reg:tweedie"))
        return orders * share, margin * self.unit * share

    def _predict(self, objective: str, frame: pl.DataFrame) -> FloatArray:
        matrix = xgb.DMatrix(self.encoder.transform(frame), nthread=1)
        return np.asarray(self.boosters[objective].predict(matrix), dtype=np.float64)
