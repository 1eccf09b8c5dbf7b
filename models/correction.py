"""Gradient-boosted corrections of a base estimate.

Here: one XGBoost booster that starts from a given offset per row, how many rounds it runs and how far it is
trusted. Not here: which offset, which labels (`propensity`); boosters weighed against other estimates (`boosting`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from models.features import FloatArray
from models.link import Link, is_enough

YEAR_DAYS = 365.0
WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class CorrectionParams:
    """XGBoost's parameters under its own names; when boosting is worth it at all.

    `rounds` and `weight` (share of the correction that is applied) hold where no inner split can choose them.
    Below `min_rows` labelled rows or `min_events` rows of the rarer outcome there is no correction. The
    number of threads is fixed because the order in which floats are summed depends on it.
    """

    max_depth: int = 4
    learning_rate: float = 0.05
    min_child_weight: float = 10.0
    reg_lambda: float = 10.0
    subsample: float = 0.8
    colsample_bytree: float = 0.6
    max_bin: int = 64
    rounds: int = 40
    weight: float = 0.5
    max_rounds: int = 200
    early_stopping_rounds: int = 15
    min_rows: int = 300
    min_events: int = 50
    n_threads: int = 1
    seed: int = 7


@dataclass(frozen=True)
class CorrectionRows:
    """Matrix, labels, offset on the objective's link scale, and the number of the snapshot, one entry per
    row.

    `days_covered`: from the first label window's start to the last one's end.
    """

    matrix: NDArray[np.float32]
    label: FloatArray
    offset: FloatArray
    snapshot: NDArray[np.intp]
    days_covered: float

    def enough(self, params: CorrectionParams) -> bool:
        """Is there enough to learn a correction from?"""
        return is_enough(self.label, params.min_rows, params.min_events)


class Correction:
    """`link(prediction) = offset + level + weight * trees`; with too few rows the base estimate itself.

    The trees learn who differs from the base within a snapshot: each snapshot's total is taken out first, for it is
    as much the season's as the base's error. The level left over is applied only where the labels cover a year.
    """

    def __init__(self, link: Link, feature_names: tuple[str, ...], params: CorrectionParams) -> None:
        self.link = link
        self.feature_names = feature_names
        self.params = params
        self.rounds = params.rounds
        self.weight = params.weight
        self.level = 0.0
        self._booster: xgb.Booster | None = None

    def choose(self, past: CorrectionRows, later: CorrectionRows) -> None:
        """Set `rounds` and `weight` to what, learnt on `past`, does best on `later`, its own level taken out."""
        if not past.enough(self.params) or not len(later.label):
            return
        offset = self._levelled(later)
        booster = xgb.train(
            self._settings(),
            self._data(past),
            self.params.max_rounds,
            evals=[(self._data(later), "later")],
            early_stopping_rounds=self.params.early_stopping_rounds,
            verbose_eval=False,
        )
        self.rounds = int(booster.best_iteration) + 1
        trees = self._trees(booster[: self.rounds], later.matrix)
        losses = [
            self.link.loss(later.label, self.link.inverse(offset + weight * trees)) for weight in WEIGHTS
        ]
        self.weight = WEIGHTS[int(np.argmin(losses))]

    def adopt(self, other: Correction) -> None:
        """Take over what `other` has chosen."""
        self.rounds, self.weight = other.rounds, other.weight

    def fit(self, rows: CorrectionRows) -> Self:
        """Learn the level and train the trees for `rounds`, or leave both out."""
        self.level, self._booster = 0.0, None
        if rows.enough(self.params):
            if rows.days_covered >= YEAR_DAYS:
                self.level = self.link.level(rows.label, rows.offset)
            if self.weight > 0:
                self._booster = xgb.train(self._settings(), self._data(rows), self.rounds, verbose_eval=False)
        return self

    def predict(self, matrix: NDArray[np.float32]) -> FloatArray:
        """What to add to the offset, on the link scale."""
        if self._booster is None or not len(matrix):
            return np.full(len(matrix), self.level)
        return self.level + self.weight * self._trees(self._booster, matrix)

    def contributions(self, matrix: NDArray[np.float32]) -> FloatArray | None:
        """What each column adds to the correction, rows x columns: SHAP values on the link scale; None without trees.

        Source: Lundberg et al. (2020), "From local explanations to global understanding with explainable AI for trees",
        as XGBoost computes it.
        """
        if self._booster is None or not len(matrix):
            return None
        added = self._booster.predict(self._unlabelled(matrix), pred_contribs=True)
        return np.asarray(self.weight * added[:, :-1], dtype=np.float64)

    def _settings(self) -> dict[str, str | int | float]:
        params = self.params
        return {
            "objective": self.link.objective,
            "tree_method": "hist",
            "max_depth": params.max_depth,
            "learning_rate": params.learning_rate,
            "min_child_weight": params.min_child_weight,
            "reg_lambda": params.reg_lambda,
            "subsample": params.subsample,
            "colsample_bytree": params.colsample_bytree,
            "max_bin": params.max_bin,
            "nthread": params.n_threads,
            "seed": params.seed,
            "verbosity": 0,
        }

    def _levelled(self, rows: CorrectionRows) -> FloatArray:
        """The offsets with each snapshot's own level added."""
        offset = rows.offset.copy()
        for number in np.unique(rows.snapshot):
            inside = rows.snapshot == number
            offset[inside] += self.link.level(rows.label[inside], rows.offset[inside])
        return offset

    def _data(self, rows: CorrectionRows) -> xgb.DMatrix:
        return xgb.DMatrix(
            rows.matrix,
            label=rows.label,
            base_margin=self._levelled(rows),
            feature_names=list(self.feature_names),
            nthread=self.params.n_threads,
        )

    def _trees(self, booster: xgb.Booster, matrix: NDArray[np.float32]) -> FloatArray:
        return np.asarray(booster.predict(self._unlabelled(matrix), output_margin=True), dtype=np.float64)

    def _unlabelled(self, matrix: NDArray[np.float32]) -> xgb.DMatrix:
        return xgb.DMatrix(
            matrix,
            base_margin=np.zeros(len(matrix)),
            feature_names=list(self.feature_names),
            nthread=self.params.n_threads,
        )
