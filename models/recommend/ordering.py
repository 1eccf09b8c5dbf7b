"""The learnt order of candidates: pairwise and pointwise gradient-boosted models, averaged."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from models.recommend.features import FEATURES
from models.side_by_side import side_by_side

RANKING: Mapping[str, object] = MappingProxyType(
    {
        "objective": "rank:ndcg",
        "lambdarank_pair_method": "topk",
        "lambdarank_num_pair_per_sample": 40,
        "ndcg_exp_gain": False,
    }
)
CHANCE: Mapping[str, object] = MappingProxyType({"objective": "binary:logistic"})


@dataclass(frozen=True)
class OrderingParams:
    """XGBoost's own names; ranking_*: of the pairwise models, the others of the pointwise ones or of both.

    n_bags: how many models of each kind; a bag holds all that was bought and its own part of the rest.
    """

    n_bags: int = 2
    n_rounds: int = 120
    learning_rate: float = 0.12
    ranking_rounds: int = 80
    ranking_learning_rate: float = 0.15
    max_depth: int = 6
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
        bag = np.random.default_rng(params.seed).integers(params.n_bags, size=len(relevant))
        bags = []
        for number in range(params.n_bags):
            rows = (relevant > 0) | (bag == number)
            bags.append(
                xgb.QuantileDMatrix(
                    values[rows],
                    label=relevant[rows],
                    qid=lists[rows],
                    feature_names=list(features),
                    nthread=params.n_threads,
                )
            )

        def grown(member: tuple[int, Mapping[str, object]]) -> tuple[xgb.Booster, float, float]:
            number, kind = member
            is_ranking = kind is RANKING
            settings = {
                "tree_method": "hist",
                "max_depth": params.max_depth,
                "min_child_weight": params.min_child_weight,
                "subsample": params.subsample,
                "colsample_bytree": params.colsample_bytree,
                "lambda": params.reg_lambda,
                "nthread": params.n_threads,
                "seed": params.seed + number,
                "eta": params.ranking_learning_rate if is_ranking else params.learning_rate,
                **kind,
            }
            n_rounds = params.ranking_rounds if is_ranking else params.n_rounds
            booster = xgb.train(settings, bags[number], num_boost_round=n_rounds)
            margin = booster.predict(bags[number], output_margin=True).astype(np.float64)
            return booster, float(margin.mean()), max(float(margin.std()), 1e-9)

        members = itertools.product(range(params.n_bags), (RANKING, CHANCE))
        return Ordering(tuple(side_by_side(grown, members)), params.n_threads, features)

    def score(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """Mean of the models' standardised margins per row of candidates x `features`."""
        if not len(values):
            return np.zeros(0)
        data = xgb.DMatrix(values, feature_names=list(self.features), nthread=self.n_threads)

        def margin(model: tuple[xgb.Booster, float, float]) -> NDArray[np.float64]:
            booster, mean, deviation = model
            return (booster.predict(data, output_margin=True).astype(np.float64) - mean) / deviation

        margins = side_by_side(margin, self.models)
        return np.asarray(np.mean(margins, axis=0), dtype=np.float64)

    def contributions(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each feature adds to `score`: rows x `features`, SHAP values of the trees (Lundberg et al. 2020)."""
        if not len(values):
            return np.zeros((0, len(self.features)))
        data = xgb.DMatrix(values, feature_names=list(self.features), nthread=self.n_threads)

        def part(model: tuple[xgb.Booster, float, float]) -> NDArray[np.float64]:
            booster, _, deviation = model
            return booster.predict(data, pred_contribs=True)[:, :-1].astype(np.float64) / deviation

        parts = side_by_side(part, self.models)
        return np.asarray(np.mean(parts, axis=0), dtype=np.float64)
