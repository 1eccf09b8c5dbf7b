"""Figures of uplift models: known answers, and what holds of any data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.evaluate.hillstrom import experiment
from models.evaluation.uplift import (
    effect_table,
    gain_curve,
    policy_gain,
    qini_auc,
    qini_curve,
    rank_gain,
    robust_scores,
)

DATA = Path(__file__).parents[3] / "shared" / "data"


def test_the_qini_auc_is_the_one_of_scikit_uplift() -> None:
    """The value is what scikit-uplift 0.5.1's `qini_auc_score` gives for these rows."""
    visit = [1, 0, 1, 1, 1, 1, 1, 1, 0, 1, 1, 0]
    treated = [0, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 0]
    predicted = [3, 4, 0, 3, 1, 2, 4, 1, 3, 0, 1, 4]
    assert qini_auc(visit, treated, predicted) == pytest.approx(-0.22469135802469137, abs=1e-12)


def test_the_curve_scales_the_untreated_to_the_treated() -> None:
    curve = qini_curve([1, 0, 1, 1], [1, 0, 0, 0], [4, 3, 2, 1])
    assert curve.n.tolist() == [0, 1, 2, 3, 4]
    assert curve.gain.tolist() == pytest.approx([0, 1, 1, 1 - 1 / 2, 1 - 2 / 3])


def test_nothing_is_known_of_one_arm_alone() -> None:
    assert np.isnan(qini_auc([1, 0], [1, 1], [1, 2]))
    assert np.isnan(qini_auc([], [], []))


def test_perfect_is_one_and_constant_is_zero() -> None:
    visit, treated = np.array([1, 1, 0, 0, 1, 0]), np.array([1, 0, 1, 0, 1, 0])
    assert qini_auc(visit, treated, visit * (2 * treated - 1)) == pytest.approx(1.0)
    assert qini_auc(visit, treated, np.ones(6)) == pytest.approx(0.0)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 5)), min_size=4, max_size=60))
def test_only_the_order_of_predictions_counts(rows: list[tuple[bool, bool, int]]) -> None:
    visit, treated, predicted = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    stretched = np.exp(predicted) - 3
    for metric in (lambda p: qini_auc(visit, treated, p), lambda p: rank_gain(visit - treated, p)):
        assert metric(stretched) == pytest.approx(metric(predicted), nan_ok=True)


def test_rank_gain_is_the_mean_gain_over_every_share() -> None:
    assert rank_gain([4.0, 0.0], [1, 0]) == pytest.approx(0.5)
    assert rank_gain([4.0, 0.0], [0, 1]) == pytest.approx(-0.5)
    assert rank_gain([4.0, 0.0], [1, 1]) == 0
    assert np.isnan(rank_gain([], []))


def test_a_policy_gains_the_effects_of_whom_it_treats() -> None:
    assert policy_gain([3.0, -1.0, 5.0], [0.2, -0.1, 0.0]) == pytest.approx(1.0)


def test_robust_scores_average_to_the_effect_even_with_wrong_regressions() -> None:
    generator = np.random.default_rng(5)
    n = 200_000
    row = generator.random(n)
    chance = 0.1 + 0.5 * row
    treated = generator.random(n) < chance
    outcome = 3 * row + treated * (1 + row)
    wrong = np.full(n, 0.7)
    scores = robust_scores(
        outcome, treated, 1 / np.where(treated, chance, 1 - chance), if_treated=wrong, if_untreated=wrong
    )
    assert scores.mean() == pytest.approx(1.5, abs=0.05)
    assert scores[row > 0.5].mean() == pytest.approx(1.75, abs=0.05)


def test_a_row_of_another_arm_carries_the_expected_difference_alone() -> None:
    scores = robust_scores([9.0], [np.nan], [10.0], if_treated=[2.0], if_untreated=[1.5])
    assert scores.tolist() == [0.5]


def test_groups_are_equal_and_best_first() -> None:
    table = effect_table(np.arange(20.0), np.arange(20.0), n_groups=4)
    assert table["group"].to_list() == [1, 2, 3, 4]
    assert table["n"].to_list() == [5] * 4
    assert table["actual"].to_list() == [17, 12, 7, 2]
    same = effect_table(np.arange(20.0), np.zeros(20))
    assert same.select("group", "n", "actual").rows() == [(1, 20, 9.5)]


@pytest.mark.skipif(not (DATA / "hillstrom.csv").is_file(), reason=f"{DATA}/hillstrom.csv is not there")
def test_the_rule_has_its_published_area_on_hillstrom() -> None:
    matrix, names, treated, visit = experiment(DATA)
    assert visit[treated == 1].mean() - visit[treated == 0].mean() == pytest.approx(0.0452, abs=0.0001)
    assert 0.055 < qini_auc(visit, treated, matrix[:, names.index("womens")]) < 0.075


def test_the_gain_curve_takes_the_best_first_and_ties_at_once() -> None:
    curve = gain_curve([1.0, -1.0, 3.0, 0.0], [0.5, 0.1, 0.9, 0.5])
    assert curve.n.tolist() == [0, 1, 3, 4]
    assert curve.gain.tolist() == [0, 3, 4, 3]
