"""Gradient-boosted members of an ensemble: trees on top of a base estimate, and trees alone.

Here: one XGBoost booster that starts from a given offset per row, an ensemble of three of them, and how the ensemble's
and the bases' estimates are weighed. Not here: which offset, which labels (`value`, `churn`), the columns (`portrait`).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from models.features import FloatArray
from models.link import Link, is_enough
from models.model import Explanation
from models.portrait import Portrait
from models.side_by_side import side_by_side

CORRECTED, RANKED, PLAIN = MEMBERS = ("corrected", "ranked", "plain")
STEPS = 5
"""Weights are multiples of one fifth."""


@dataclass(frozen=True)
class BoostingParams:
    """XGBoost's parameters under its own names; when boosting is worth it at all.

    `rounds` for trees on top of a base, `plain_rounds` for trees alone. Below `min_rows` labelled rows or `min_events`
    rows of the rarer outcome there are no trees. `held_to_equal`: what a weight's squared distance from the equal
    share costs, in the unit of the loss. The number of threads is fixed because the order in which floats are summed
    depends on it.
    """

    max_depth: int = 4
    learning_rate: float = 0.05
    min_child_weight: float = 100.0
    reg_lambda: float = 10.0
    subsample: float = 0.5
    colsample_bytree: float = 0.5
    max_delta_step: float = 0.7
    max_bin: int = 64
    rounds: int = 80
    plain_rounds: int = 150
    min_rows: int = 300
    min_events: int = 50
    held_to_equal: float = 0.05
    n_threads: int = 1
    seed: int = 7


@dataclass(frozen=True)
class BoostingRows:
    """What trees learn from, one entry per labelled row: the portrait, the label, the base on the link's scale."""

    portrait: Portrait
    label: FloatArray
    base: FloatArray

    def enough(self, params: BoostingParams) -> bool:
        """Is there enough to learn from?"""
        return is_enough(self.label, params.min_rows, params.min_events)


class Ensemble:
    """Three boosters of one objective: on top of the base by figures, on top of the base by standing among the shop's
    customers, and by standing alone.

    Trees learn who differs within a snapshot: each snapshot's total is taken out first, for it is as much the season's as
    the base's error. The level is the base's.
    """

    def __init__(self, link: Link, feature_names: tuple[str, ...], params: BoostingParams) -> None:
        self.link = link
        self.feature_names = feature_names
        self.params = params
        self._boosters: dict[str, xgb.Booster] = {}

    def fit(self, rows: BoostingRows) -> Self:
        """Train the boosters, or none where there are too few rows."""
        self._boosters = {}
        if rows.enough(self.params):
            base = self._levelled(rows, rows.base)
            alone = self._levelled(rows, np.full(len(rows.base), float(rows.base.mean())))
            portrait, params = rows.portrait, self.params
            learnt_from = {
                CORRECTED: (portrait.figures, base, params.rounds),
                RANKED: (portrait.standing, base, params.rounds),
                PLAIN: (portrait.standing, alone, params.plain_rounds),
            }
            grown = side_by_side(lambda member: self._train(rows.label, *learnt_from[member]), learnt_from)
            self._boosters = dict(zip(learnt_from, grown, strict=True))
        return self

    @property
    def is_active(self) -> bool:
        """Are there trees?"""
        return bool(self._boosters)

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the trained boosters."""
        return tuple(self._boosters)

    def estimates(
        self, portrait: Portrait, base: FloatArray, average: float | FloatArray
    ) -> dict[str, FloatArray]:
        """Each member's estimate; `base` per row and `average` of the population, on the link's scale."""
        if not self._boosters:
            return {}
        matrix = {CORRECTED: portrait.figures, RANKED: portrait.standing, PLAIN: portrait.standing}
        return {
            name: self.link.inverse((average if name == PLAIN else base) + self._trees(name, matrix[name]))
            for name in MEMBERS
        }

    def contributions(self, portrait: Portrait) -> FloatArray:
        """What each feature adds to the estimate of trees alone, on the link's scale; shape (rows, features)."""
        if not self._boosters or not len(portrait.standing):
            return np.zeros((len(portrait.standing), len(self.feature_names)))
        data = self._data(portrait.standing, np.zeros(len(portrait.standing)))
        added = self._boosters[PLAIN].predict(data, pred_contribs=True)
        return np.asarray(added[:, :-1], dtype=np.float64)

    def explain(self, portrait: Portrait) -> Explanation | None:
        """SHAP values of the trees alone, on the link's scale; None without trees.

        Source: Lundberg et al. (2020), "From local explanations to global understanding with explainable AI for trees",
        as XGBoost computes it.
        """
        if not self._boosters or not len(portrait.standing):
            return None
        return Explanation(
            self.feature_names, portrait.figures.astype(np.float64), self.contributions(portrait)
        )

    def _train(
        self, label: FloatArray, matrix: NDArray[np.float32], offset: FloatArray, rounds: int
    ) -> xgb.Booster:
        params = self.params
        settings = {
            "objective": self.link.objective,
            "tree_method": "hist",
            "max_depth": params.max_depth,
            "learning_rate": params.learning_rate,
            "min_child_weight": params.min_child_weight,
            "reg_lambda": params.reg_lambda,
            "subsample": params.subsample,
            "colsample_bytree": params.colsample_bytree,
            "max_delta_step": params.max_delta_step,
            "max_bin": params.max_bin,
            "nthread": params.n_threads,
            "seed": params.seed,
            "verbosity": 0,
        }
        return xgb.train(settings, self._data(matrix, offset, label), rounds, verbose_eval=False)

    def _levelled(self, rows: BoostingRows, offset: FloatArray) -> FloatArray:
        """The offsets with each snapshot's own level added."""
        levelled = offset.copy()
        for number in np.unique(rows.portrait.snapshot):
            inside = rows.portrait.snapshot == number
            levelled[inside] += self.link.level(rows.label[inside], offset[inside])
        return levelled

    def _data(
        self, matrix: NDArray[np.float32], offset: FloatArray, label: FloatArray | None = None
    ) -> xgb.DMatrix:
        return xgb.DMatrix(
            matrix,
            label=label,
            base_margin=offset,
            feature_names=list(self.feature_names),
            nthread=self.params.n_threads,
        )

    def _trees(self, member: str, matrix: NDArray[np.float32]) -> FloatArray:
        if not len(matrix):
            return np.zeros(0)
        data = self._data(matrix, np.zeros(len(matrix)))
        return np.asarray(self._boosters[member].predict(data, output_margin=True), dtype=np.float64)


def equal_weights(names: tuple[str, ...]) -> dict[str, float]:
    """What is believed of members before any was seen at work: trees, where there are any, before bases."""
    trusted = [name for name in names if name in MEMBERS] or list(names)
    return {name: 1.0 / len(trusted) if name in trusted else 0.0 for name in names}


def weigh(
    estimates: Mapping[str, FloatArray], actual: FloatArray, link: Link, params: BoostingParams
) -> dict[str, float]:
    """Weights of the members' mean with the least loss on an outcome none of them has seen, its total taken out; held to
    equal weights. They are 0 or more and add up to 1.
    """
    names = tuple(estimates)
    prior = np.array(list(equal_weights(names).values()))
    columns = np.column_stack([link.forward(estimates[name]) for name in names])

    def cost(weights: FloatArray) -> float:
        eta = columns @ weights
        loss = link.loss(actual, link.inverse(eta + link.level(actual, eta)))
        off = weights - prior
        return loss + params.held_to_equal * float(off @ off)

    shares = [
        np.array(parts) / STEPS
        for parts in itertools.product(range(STEPS + 1), repeat=len(names))
        if sum(parts) == STEPS
    ]
    best = min([prior, *shares], key=cost)
    return dict(zip(names, best.tolist(), strict=True))


def mean_of(estimates: Mapping[str, FloatArray], weights: Mapping[str, float], link: Link) -> FloatArray:
    """The members' weighted mean on the link's scale, as an estimate: one member that runs away does not take it along."""
    eta = sum(weights[name] * link.forward(estimate) for name, estimate in estimates.items())
    return link.inverse(np.asarray(eta))
