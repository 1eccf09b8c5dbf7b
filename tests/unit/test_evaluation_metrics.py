"""Metrics against answers worked out by hand, and what must hold for any data."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss as sklearn_log_loss
from sklearn.metrics import mean_poisson_deviance, mean_tweedie_deviance, roc_auc_score

from models.evaluation import metrics as m

amounts = st.lists(st.integers(0, 50), min_size=3, max_size=40)


def test_gini_is_one_for_the_true_order_minus_one_inverted_zero_for_a_constant() -> None:
    actual = [0, 0, 1, 3, 6]
    assert m.normalised_gini(actual, actual) == pytest.approx(1.0)
    assert m.normalised_gini(actual, [-y for y in actual]) == pytest.approx(-1.0)
    assert m.normalised_gini(actual, [7] * 5) == pytest.approx(0.0)


def test_gini_by_hand() -> None:
    # Ranked 0, 4, 0, 0: cumulative shares 0, 1, 1, 1 against the perfect 1, 1, 1, 1 and the diagonal's mean 5/8.
    assert m.normalised_gini([0, 4, 0, 0], [4, 3, 2, 1]) == pytest.approx((3 / 4 - 5 / 8) / (1 - 5 / 8))


def test_gini_without_anything_to_rank_is_nan() -> None:
    assert math.isnan(m.normalised_gini([0, 0], [1, 2]))
    assert math.isnan(m.normalised_gini([2, 2], [1, 2]))
    assert math.isnan(m.normalised_gini([], []))


@given(amounts, st.randoms(use_true_random=False))
def test_gini_is_bounded_and_blind_to_scale_and_row_order(actual: list[int], random: object) -> None:
    predicted = [y % 7 for y in actual]
    value = m.normalised_gini(actual, predicted)
    if math.isnan(value):
        return
    assert -1 - 1e-9 <= value <= 1 + 1e-9
    rows = list(range(len(actual)))
    random.shuffle(rows)  # type: ignore[attr-defined]
    shuffled = m.normalised_gini([actual[i] * 3 for i in rows], [math.exp(predicted[i]) for i in rows])
    assert shuffled == pytest.approx(value)


def test_errors_by_hand() -> None:
    assert m.rmse([1, 2, 3], [1, 2, 6]) == pytest.approx(math.sqrt(3))
    assert m.pearson_r([1, 2, 3], [2, 4, 6]) == pytest.approx(1.0)
    assert m.pearson_r([1, 2, 3], [5, 5, 5]) == 0.0
    assert m.total_ratio([1, 3], [1, 1]) == pytest.approx(0.5)
    assert math.isnan(m.total_ratio([0, 0], [1, 1]))


def test_deviances_agree_with_scikit_learn() -> None:
    actual, predicted = [0.0, 1.0, 3.0], [0.5, 1.5, 2.0]
    assert m.poisson_deviance(actual, predicted) == pytest.approx(mean_poisson_deviance(actual, predicted))
    assert m.tweedie_deviance(actual, predicted) == pytest.approx(
        mean_tweedie_deviance(actual, predicted, power=1.5)
    )


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=2, max_size=50))
def test_auc_agrees_with_scikit_learn_ties_included(rows: list[tuple[bool, int]]) -> None:
    outcome, score = [float(y) for y, _ in rows], [float(s) for _, s in rows]
    if len(set(outcome)) == 1:
        assert math.isnan(m.auc(outcome, score))
    else:
        assert m.auc(outcome, score) == pytest.approx(roc_auc_score(outcome, score))


def test_probability_metrics() -> None:
    outcome, p = [1, 0, 1, 0], [0.9, 0.2, 0.6, 0.4]
    assert m.log_loss(outcome, p) == pytest.approx(sklearn_log_loss(outcome, p))
    assert m.brier(outcome, p) == pytest.approx((0.01 + 0.04 + 0.16 + 0.16) / 4)
    assert math.isfinite(m.log_loss([1, 0], [0.0, 1.0]))


def test_calibration_by_hand() -> None:
    outcome, p = [0, 1, 1, 1, 1], [0.15, 0.15, 0.95, 0.95, 1.0]
    table = m.calibration_table(outcome, p)
    assert table["bin"].to_list() == [2, 10]
    assert table["n"].to_list() == [2, 3]
    assert table["actual"].to_list() == [0.5, 1.0]
    assert m.expected_calibration_error(outcome, p) == pytest.approx((2 * 0.35 + 3 * (0.1 / 3)) / 5)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_every_row_is_in_one_calibration_bin(p: list[float]) -> None:
    assert m.calibration_table([1.0] * len(p), p)["n"].sum() == len(p)


def test_lift_by_hand() -> None:
    table = m.lift_table([4, 0, 2, 2], [4, 3, 2, 1], n_groups=2)
    assert table["actual"].to_list() == [2, 2]
    assert table["lift"].to_list() == [1, 1]
    table = m.lift_table([4, 4, 0, 0], [4, 3, 2, 1], n_groups=2)
    assert table["lift"].to_list() == [2, 0]
    assert table["cumulative_share"].to_list() == [1, 1]


RECOMMENDED = pl.DataFrame(
    {
        "customer_id": ["a", "a", "a", "b", "b", "b"],
        "rank": [1, 2, 3, 1, 2, 3],
        "product_id": ["p", "q", "r", "q", "p", "z"],
    }
)
BOUGHT = pl.DataFrame(
    {"customer_id": ["a", "a", "a", "a", "a", "b", "c"], "product_id": ["p", "p", "r", "x", "y", "z", "p"]}
)


def test_ranking_scores_by_hand() -> None:
    scores = m.ranking_scores(RECOMMENDED, BOUGHT, k=3)
    ideal = 1 + 1 / math.log2(3) + 0.5
    assert scores["customer_id"].to_list() == ["a", "b", "c"]
    assert scores["recall"].to_list() == pytest.approx([2 / 3, 1, 0])
    assert scores["ndcg"].to_list() == pytest.approx([1.5 / ideal, 0.5, 0])
    assert scores["hit"].to_list() == [1, 1, 0]
    assert m.recall_at_k(RECOMMENDED, BOUGHT, 3) == pytest.approx((2 / 3 + 1) / 3)
    assert m.ndcg_at_k(RECOMMENDED, BOUGHT, 1) == pytest.approx(1 / 3)


def test_perfect_recommendations_score_one() -> None:
    perfect = BOUGHT.unique().with_columns(rank=pl.int_range(1, pl.len() + 1).over("customer_id"))
    assert m.recall_at_k(perfect, BOUGHT, 2) == pytest.approx(1.0)
    assert m.ndcg_at_k(perfect, BOUGHT, 10) == pytest.approx(1.0)


def test_nobody_bought_anything_is_nan() -> None:
    assert math.isnan(m.ndcg_at_k(RECOMMENDED, BOUGHT.clear(), 3))


def test_coverage_counts_what_is_shown_above_the_cut() -> None:
    assert m.coverage_at_k(RECOMMENDED, n_items=10, k=1) == pytest.approx(0.2)
    assert m.coverage_at_k(RECOMMENDED, n_items=10, k=3) == pytest.approx(0.4)


def test_psi_is_zero_for_the_same_and_large_for_a_shift() -> None:
    reference = np.arange(1000.0)
    assert m.psi(reference, reference) == pytest.approx(0.0)
    assert m.psi(reference, reference + 500) > 0.25
    assert m.psi(reference, np.where(reference < 300, np.nan, reference)) > 0.25
    assert math.isnan(m.psi(reference, []))


def test_psi_of_categories_by_hand() -> None:
    before, now = pl.Series(["a", "a", "b", "b"]), pl.Series(["a", "a", "a", "b"])
    expected = (0.75 - 0.5) * math.log(0.75 / 0.5) + (0.25 - 0.5) * math.log(0.25 / 0.5)
    assert m.psi_categories(before, now) == pytest.approx(expected)
    assert m.psi_categories(before, pl.Series(["a", "b", None, "new"])) > 0.25


@settings(max_examples=50)
@given(st.lists(st.floats(-5, 5), min_size=1), st.lists(st.floats(-5, 5), min_size=1))
def test_psi_is_never_negative(reference: list[float], current: list[float]) -> None:
    assert m.psi(reference, current) >= -1e-12


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="one length"):
        m.rmse([1, 2], [1])
