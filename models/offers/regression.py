"""The regressions that effect learners are made of: mean outcome given a matrix, linear or by trees.

Numbers in, numbers out: missing values are NaN, scaling is fitted in training and kept. Not here: treatments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import xgboost as xgb
from sklearn.linear_model import LogisticRegression, Ridge

from models.features import FloatArray

FARTHEST = 4.0
"""Standardised values are held within this many deviations: one rich customer does not set a slope."""


class Regression(Protocol):
    """E[target | row]."""

    def fit(self, matrix: FloatArray, target: FloatArray, weight: FloatArray | None = None) -> Self:
        """Learn from rows x columns, a target per row and a weight >= 0 per row (default 1)."""

    def predict(self, matrix: FloatArray) -> FloatArray:
        """The expected target per row."""


MakeRegression = Callable[[], Regression]


class Scale:
    """Columns at mean 0 and deviation 1, NaN at the mean."""

    def fit(self, matrix: FloatArray) -> Self:
        """Learn means and deviations of what is known."""
        known = np.isfinite(matrix)
        count = np.maximum(known.sum(axis=0), 1)
        filled = np.where(known, matrix, 0.0)
        self.mean = filled.sum(axis=0) / count
        deviation = np.sqrt((np.where(known, matrix - self.mean, 0.0) ** 2).sum(axis=0) / count)
        self.deviation = np.where(deviation > 0, deviation, 1.0)
        return self

    def __call__(self, matrix: FloatArray) -> FloatArray:
        """The scaled matrix."""
        scaled = (matrix - self.mean) / self.deviation
        return np.asarray(np.clip(np.nan_to_num(scaled, nan=0.0), -FARTHEST, FARTHEST), dtype=np.float64)


class Constant:
    """The weighted mean; 0 of nothing."""

    def fit(self, matrix: FloatArray, target: FloatArray, weight: FloatArray | None = None) -> Self:
        """Learn the mean."""
        total = float(len(target) if weight is None else weight.sum())
        self.mean = float(np.average(target, weights=weight)) if total > 0 else 0.0
        return self

    def predict(self, matrix: FloatArray) -> FloatArray:
        """The mean for each row."""
        return np.full(len(matrix), self.mean)


@dataclass
class Linear:
    """Ridge regression; `penalty` in rows, added to each scaled column's sum of squares."""

    penalty: float = 100.0

    def fit(self, matrix: FloatArray, target: FloatArray, weight: FloatArray | None = None) -> Self:
        """Learn scale and coefficients."""
        self._scale = Scale().fit(matrix)
        self._model = Ridge(alpha=self.penalty, solver="cholesky")
        self._model.fit(self._scale(matrix), target, sample_weight=weight)
        return self

    def predict(self, matrix: FloatArray) -> FloatArray:
        """Expected target."""
        if not len(matrix):
            return np.empty(0)
        return np.asarray(self._model.predict(self._scale(matrix)), dtype=np.float64)


@dataclass
class Logistic:
    """Logistic regression of a target that is 0 or 1; `looseness` is the inverse of the L2 penalty."""

    looseness: float = 1.0

    def fit(self, matrix: FloatArray, target: FloatArray, weight: FloatArray | None = None) -> Self:
        """Learn scale and coefficients; the mean alone where all targets are equal."""
        self._constant = None
        if len(target) == 0 or target.min() == target.max():
            self._constant = Constant().fit(matrix, target, weight)
            return self
        self._scale = Scale().fit(matrix)
        self._model = LogisticRegression(C=self.looseness, max_iter=200)
        self._model.fit(self._scale(matrix), target > 0, sample_weight=weight)
        return self

    def predict(self, matrix: FloatArray) -> FloatArray:
        """Probability of 1."""
        if self._constant is not None or not len(matrix):
            return self._constant.predict(matrix) if self._constant else np.empty(0)
        return np.asarray(self._model.predict_proba(self._scale(matrix))[:, 1], dtype=np.float64)


@dataclass
class Trees:
    """XGBoost, few shallow trees. is_chance: the target is 0 or 1."""

    is_chance: bool = True
    rounds: int = 60
    max_depth: int = 3
    learning_rate: float = 0.05
    min_child_weight: float = 20.0
    reg_lambda: float = 20.0
    seed: int = 7

    def fit(self, matrix: FloatArray, target: FloatArray, weight: FloatArray | None = None) -> Self:
        """Learn the trees around the mean."""
        self._mean = Constant().fit(matrix, target, weight).mean
        settings = {
            "objective": "binary:logistic" if self.is_chance else "reg:squarederror",
            "base_score": float(np.clip(self._mean, 1e-4, 1 - 1e-4)) if self.is_chance else self._mean,
            "tree_method": "hist",
            "max_bin": 64,
            "max_depth": self.max_depth,
            "learning_rate": self.learning_rate,
            "min_child_weight": self.min_child_weight * (0.1 if self.is_chance else 1.0),
            "reg_lambda": self.reg_lambda,
            "subsample": 0.8,
            "colsample_bytree": 0.8,
            "nthread": 1,
            "seed": self.seed,
            "verbosity": 0,
        }
        data = xgb.DMatrix(matrix, label=target, weight=weight, nthread=1)
        self._booster = xgb.train(settings, data, self.rounds, verbose_eval=False)
        return self

    def predict(self, matrix: FloatArray) -> FloatArray:
        """Expected target."""
        if not len(matrix):
            return np.empty(0)
        return np.asarray(self._booster.predict(xgb.DMatrix(matrix, nthread=1)), dtype=np.float64)
