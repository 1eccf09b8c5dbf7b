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
from models.offers.regression import FloatArray, MakeRegression


@dataclass(frozen=True)
class Arms:
    """Rows of an experiment with two arms.

    Attributes:
        matrix: rows x features, NaN where missing.
        treated: which rows were treated.
        outcome: what came of it.
        chance: logged probability of treatment given that the row is in one of the arms, in (0, 1).
        group: number of the unit (customer) each row belongs to; a unit is never on both sides of a fold.
    """

    matrix: FloatArray
    treated: NDArray[np.bool_]
    outcome: FloatArray
    chance: FloatArray
    group: NDArray[np.int64]

    def __getitem__(self, rows: NDArray[np.bool_]) -> Arms:
        return Arms(
            self.matrix[rows], self.treated[rows], self.outcome[rows], self.chance[rows], self.group[rows]
        )

    @property
    def weight(self) -> FloatArray:
        """Inverse chance of the arm each row is in, mean 1 per arm: so weighted, the arms are alike."""
        inverse = 1 / np.where(self.treated, self.chance, 1 - self.chance)
        for arm in (self.treated, ~self.treated):
            inverse[arm] /= inverse[arm].mean() if arm.any() else 1.0
        return inverse


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
        matrix = np.column_stack([arms.matrix, arms.treated])
        self._model = self.outcome().fit(matrix, arms.outcome, arms.weight)
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
        weight = arms.weight
        self.treated, self.untreated = (
            self.outcome().fit(arms.matrix[rows], arms.outcome[rows], weight[rows])
            for rows in (arms.treated, ~arms.treated)
        )
        return self

    def effect(self, matrix: FloatArray) -> FloatArray:
        """Difference of the two."""
        return self.treated.predict(matrix) - self.untreated.predict(matrix)


@dataclass
class XLearner:
    """Effects imputed in each arm from the other's regression, regressed, and mixed by the chance of treatment."""

    outcome: MakeRegression
    change: MakeRegression

    def fit(self, arms: Arms) -> Self:
        """Learn the outcomes, then the imputed changes."""
        arm = TLearner(self.outcome).fit(arms)
        on, off = arms.treated, ~arms.treated
        weight = arms.weight
        won = arms.outcome[on] - arm.untreated.predict(arms.matrix[on])
        missed = arm.treated.predict(arms.matrix[off]) - arms.outcome[off]
        self._of_treated = self.change().fit(arms.matrix[on], won, weight[on])
        self._of_untreated = self.change().fit(arms.matrix[off], missed, weight[off])
        self._chance = float(arms.chance.mean())
        return self

    def effect(self, matrix: FloatArray) -> FloatArray:
        """Weighted mean: the change seen in the smaller arm counts by the share of the larger."""
        return self._chance * self._of_untreated.predict(matrix) + (1 - self._chance) * (
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
        arm = TLearner(outcome).fit(arms[~inside])
        high[inside] = arm.treated.predict(arms.matrix[inside])
        low[inside] = arm.untreated.predict(arms.matrix[inside])
    return robust_scores(arms.outcome, arms.treated, arms.chance, if_treated=high, if_untreated=low)
