"""Learners of treatment effects on data whose effects are known."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest

from models.offers.learners import (
    Arms,
    DRLearner,
    EffectLearner,
    SLearner,
    TLearner,
    XLearner,
    arms,
    cross_fitted_scores,
)
from models.offers.regression import Constant, Linear, Logistic, Trees


def _trees() -> Trees:
    return Trees(is_chance=False)


LEARNERS: dict[str, Callable[[], EffectLearner]] = {
    "S": lambda: SLearner(Trees),
    "T": lambda: TLearner(Logistic),
    "X": lambda: XLearner(Logistic, Linear),
    "DR": lambda: DRLearner(Logistic, Linear),
    "DR trees": lambda: DRLearner(Trees, _trees),
}
every_learner = pytest.mark.parametrize("make", LEARNERS.values(), ids=LEARNERS.keys())


def _experiment(n: int = 12_000, seed: int = 1) -> tuple[Arms, np.ndarray]:
    """Chance of an order .1, plus .2 by treatment where the first column is above 0; treated by a known, unequal chance."""
    generator = np.random.default_rng(seed)
    matrix = generator.normal(size=(n, 4))
    matrix[generator.random((n, 4)) < 0.05] = np.nan
    first = np.nan_to_num(matrix[:, 0])
    chance = np.where(np.nan_to_num(matrix[:, 1]) > 0, 0.7, 0.3)
    treated = generator.random(n) < chance
    effect = 0.2 * (first > 0)
    outcome = (generator.random(n) < 0.1 + 0.1 * (np.nan_to_num(matrix[:, 1]) > 0) + effect * treated) * 1.0
    return arms(matrix, treated * 1.0, outcome, np.where(treated, chance, 1 - chance)), effect


@every_learner
def test_it_finds_who_answers_and_how_much(make: Callable[[], EffectLearner]) -> None:
    trial, effect = _experiment()
    found = make().fit(trial).effect(trial.matrix)
    assert np.corrcoef(found, effect)[0, 1] > 0.6
    assert found.mean() == pytest.approx(0.1, abs=0.03)


@every_learner
def test_the_same_rows_give_the_same_effects_and_travel_in_a_pickle(
    make: Callable[[], EffectLearner],
) -> None:
    trial, _ = _experiment(2_000)
    fitted = make().fit(trial)
    again = make().fit(trial)
    assert np.array_equal(fitted.effect(trial.matrix), again.effect(trial.matrix))
    copy = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(copy.effect(trial.matrix), fitted.effect(trial.matrix))


def test_scores_come_from_regressions_that_have_not_seen_the_customer() -> None:
    """A customer with an outcome beyond all others does not move the expectation his own rows are judged by."""
    trial, _ = _experiment(400)
    group = np.arange(400) // 4
    outcome = trial.outcome.copy()
    outcome[:4] = 1e6
    loud = Arms(trial.matrix, trial.treated, outcome, trial.weight, group)
    quiet = Arms(trial.matrix, trial.treated, trial.outcome, trial.weight, group)
    moved = cross_fitted_scores(loud, Constant) - cross_fitted_scores(quiet, Constant)
    sign = np.where(trial.treated == 1, 1, -1)[:4]
    unseen = sign * trial.weight[:4] * (1e6 - trial.outcome[:4])
    assert moved[:4] == pytest.approx(unseen)


def test_a_regression_of_equal_outcomes_is_their_mean() -> None:
    matrix = np.zeros((5, 2))
    assert Logistic().fit(matrix, np.zeros(5)).predict(matrix).tolist() == [0] * 5
    assert Linear().fit(matrix, np.full(5, 3.0)).predict(matrix) == pytest.approx([3.0] * 5)
