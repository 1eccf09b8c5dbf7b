"""Learners of what a treatment changes for whom, from rows whose chance of treatment is known.

Here: S-, T- and X-learner (Künzel et al. 2019, Metalearners for estimating heterogeneous treatment effects) and the
cross-fitted DR-learner (Kennedy 2023). Not here: offers, customers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from models.evaluation.uplift import robust_scores
from models.features import FloatArray
from models.offers.regression import MakeRegression


@dataclass(frozen=True)
class Arms:
    """Rows of an experiment, of which two arms are compared; made by `arms`.

    Attributes:
        matrix: rows x features, NaN where missing.
        treated: 1 in the one arm, 0 in the other, NaN in neither.
        outcome: what came of it.
        weight: inverse chance of what the row got, scaled so that each arm weighs as much as there are rows.
        group: number of the unit (customer) each row belongs to; a unit is never on both sides of a fold.
    """

    matrix: FloatArray
    treated: FloatArray
    outcome: FloatArray
    weight: FloatArray
    group: NDArray[np.int64]

    def __getitem__(self, rows: NDArray[np.bool_]) -> Arms:
        return Arms(
            self.matrix[rows], self.treated[rows], self.outcome[rows], self.weight[rows], self.group[rows]
        )


def arms(
    matrix: FloatArray,
    treated: FloatArray,
    outcome: FloatArray,
    chance: FloatArray,
    group: NDArray[np.int64] | None = None,
) -> Arms:
    """Two arms from the logged chance of what each row got, in (0, 1]; every row a unit of its own by default.

    The weights are scaled within each arm (Hájek), so a chance may be that of a whole action, whose other parts were drawn
    in the same way in both arms.
    """
    weight = np.zeros(len(treated))
    for arm in (0.0, 1.0):
        rows = treated == arm
        if rows.any():
            inverse = 1 / chance[rows]
            weight[rows] = inverse * len(treated) / inverse.sum()
    return Arms(matrix, treated, outcome, weight, np.arange(len(treated)) if group is None else group)


class EffectLearner(Protocol):
    """E[outcome if treated - outcome if not | row]."""

    def fit(self, arms: Arms) -> Self:
        """Learn from both arms."""

    def effect(self, matrix: FloatArray) -> FloatArray:
        """Expected change by treatment per row."""


@dataclass
class SLearner:
    """One regression of the outcome on the features and the treatment."""

    outcome: MakeRegression

    def fit(self, arms: Arms) -> Self:
        """Learn the regression."""
        seen = arms[np.isfinite(arms.treated)]
        matrix = np.column_stack([seen.matrix, seen.treated])
        self._model = self.outcome().fit(matrix, seen.outcome, seen.weight / seen.weight.mean())
        return self

    def effect(self, matrix: FloatArray) -> FloatArray:
        """The regression's answer with the treatment less that without."""
        with_it, without = (
            self._model.predict(np.column_stack([matrix, np.full(len(matrix), is_treated)]))
            for is_treated in (1.0, 0.0)
        )
        return with_it - without


@dataclass
class TLearner:
    """One regression of the outcome per arm."""

    outcome: MakeRegression

    def fit(self, arms: Arms) -> Self:
        """Learn both."""
        self.treated, self.untreated = (
            self.outcome().fit(arm.matrix, arm.outcome, arm.weight / arm.weight.mean())
            for arm in (arms[arms.treated == 1], arms[arms.treated == 0])
        )
        return self

    def effect(self, matrix: FloatArray) -> FloatArray:
        """Difference of the two."""
        return self.treated.predict(matrix) - self.untreated.predict(matrix)


@dataclass
class XLearner:
    """Effects imputed in each arm from the other's regression, regressed, and mixed by the share of the treated."""

    outcome: MakeRegression
    change: MakeRegression

    def fit(self, arms: Arms) -> Self:
        """Learn the outcomes, then the imputed changes."""
        expected = TLearner(self.outcome).fit(arms)
        on, off = arms[arms.treated == 1], arms[arms.treated == 0]
        won = on.outcome - expected.untreated.predict(on.matrix)
        missed = expected.treated.predict(off.matrix) - off.outcome
        self._of_treated = self.change().fit(on.matrix, won, on.weight / on.weight.mean())
        self._of_untreated = self.change().fit(off.matrix, missed, off.weight / off.weight.mean())
        self._share = len(on.outcome) / (len(on.outcome) + len(off.outcome))
        return self

    def effect(self, matrix: FloatArray) -> FloatArray:
        """Weighted mean: the change seen in the smaller arm counts by the share of the larger."""
        return self._share * self._of_untreated.predict(matrix) + (1 - self._share) * (
            self._of_treated.predict(matrix)
        )


@dataclass
class DRLearner:
    """Regression of doubly robust scores whose outcome regressions have not seen the row.

    `n_folds` folds by unit. The scores are right on average whatever the outcome regressions say, as the chance of
    treatment is logged, not estimated.
    """

    outcome: MakeRegression
    change: MakeRegression
    n_folds: int = 5

    def fit(self, arms: Arms) -> Self:
        """Learn the scores out of fold, then their regression."""
        self._model = self.change().fit(arms.matrix, cross_fitted_scores(arms, self.outcome, self.n_folds))
        return self

    def effect(self, matrix: FloatArray) -> FloatArray:
        """Expected score."""
        return self._model.predict(matrix)


def cross_fitted_scores(arms: Arms, outcome: MakeRegression, n_folds: int = 5) -> FloatArray:
    """Doubly robust score of each row; the regressions behind it were learnt on other units."""
    fold = arms.group % n_folds
    high, low = np.zeros(len(fold)), np.zeros(len(fold))
    for number in range(n_folds):
        inside = fold == number
        expected = TLearner(outcome).fit(arms[~inside])
        high[inside] = expected.treated.predict(arms.matrix[inside])
        low[inside] = expected.untreated.predict(arms.matrix[inside])
    return robust_scores(arms.outcome, arms.treated, arms.weight, if_treated=high, if_untreated=low)
