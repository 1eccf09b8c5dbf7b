"""The learnt order of candidates: a pairwise and a pointwise gradient-boosted model, averaged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from models.recommend.features import FEATURES

OBJECTIVES: tuple[dict[str, object], ...] = (
    {
        "objective": "rank:ndcg",
        "lambdarank_pair_method": "topk",
        "lambdarank_num_pair_per_sample": 20,
        "ndcg_exp_gain": False,
    },
    {"objective": "binary:logistic"},
)


@dataclass(frozen=True)
class OrderingParams:
    """XGBoost's own names; the same for both models."""

    n_rounds: int = 120
    learning_rate: float = 0.12
    max_depth: int = 5
    min_child_weight: float = 10.0
    subsample: float = 0.8
    colsample_bytree: float = 0.7
    reg_lambda: float = 5.0
    n_threads: int = 1
    seed: int = 17


@dataclass(frozen=True)
class Ordering:
    """The fitted models with the mean and standard deviation of each one's margin on its training rows."""

    models: tuple[tuple[xgb.Booster, float, float], ...]
    n_threads: int
    features: tuple[str, ...] = FEATURES

    @staticmethod
    def learn(
        values: NDArray[np.float32],
        relevant: NDArray[np.int8],
        lists: NDArray[np.uint32],
        params: OrderingParams,
        features: tuple[str, ...] = FEATURES,
    ) -> Ordering:
        """Fit on candidates x `features` (NaN: unknown), 0/1 relevance and each row's list number, lists in one piece."""
        common = {
            "tree_method": "hist",
            "eta": params.learning_rate,
            "max_depth": params.max_depth,
            "min_child_weight": params.min_child_weight,
            "subsample": params.subsample,
            "colsample_bytree": params.colsample_bytree,
            "lambda": params.reg_lambda,
            "nthread": params.n_threads,
            "seed": params.seed,
        }
        data = xgb.QuantileDMatrix(
            values, label=relevant, qid=lists, feature_names=list(features), nthread=params.n_threads
        )
        models = []
        for objective in OBJECTIVES:
            booster = xgb.train({**common, **objective}, data, num_boost_round=params.n_rounds)
            margin = booster.predict(data, output_margin=True).astype(np.float64)
            models.append((booster, float(margin.mean()), max(float(margin.std()), 1e-9)))
        return Ordering(tuple(models), params.n_threads, features)

    def score(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """Mean of the models' standardised margins per row of candidates x `features`."""
        if not len(values):
            return np.zeros(0)
        data = xgb.DMatrix(values, feature_names=list(self.features), nthread=self.n_threads)
        margins = [
            (booster.predict(data, output_margin=True).astype(np.float64) - mean) / deviation
            for booster, mean, deviation in self.models
        ]
        return np.asarray(np.mean(margins, axis=0), dtype=np.float64)
