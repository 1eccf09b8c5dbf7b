"""Bootstrap intervals and the rules of promotion."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evaluation.champion import Criterion, beats, elect, mean_of_rows
from models.evaluation.intervals import bootstrap_interval, paired_difference
from models.evaluation.metrics import auc, normalised_gini, rmse

RMSE = Criterion("rmse", rmse, higher_is_better=False, margin=0.01)
GINI = Criterion("gini", normalised_gini, higher_is_better=True, margin=0.01)


def test_the_interval_of_a_mean_is_the_textbooks() -> None:
    values = np.random.default_rng(0).normal(5.0, 2.0, 1000)
    interval = bootstrap_interval(mean_of_rows, values, values, n_resamples=2000)
    assert interval.estimate == pytest.approx(values.mean())
    half = 1.96 * values.std() / math.sqrt(1000)
    assert interval.low == pytest.approx(values.mean() - half, abs=0.02)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.02)


def test_rows_of_one_person_are_not_independent() -> None:
    draw = np.random.default_rng(1)
    person = np.repeat(np.arange(100), 20)
    values = draw.normal(0, 1, 100)[person] + draw.normal(0, 0.1, 2000)
    alone = bootstrap_interval(mean_of_rows, values, values)
    together = bootstrap_interval(mean_of_rows, values, values, groups=person)
    assert together.high - together.low > 3 * (alone.high - alone.low)


def test_groups_of_one_row_change_nothing_but_the_draw() -> None:
    values = np.random.default_rng(2).normal(0, 1, 300)
    one = bootstrap_interval(mean_of_rows, values, values, n_resamples=1000)
    two = bootstrap_interval(mean_of_rows, values, values, n_resamples=1000, groups=np.arange(300))
    assert two.high - two.low == pytest.approx(one.high - one.low, rel=0.1)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.arange(50.0)
    assert bootstrap_interval(rmse, values, values + 1, seed=3) == bootstrap_interval(
        rmse, values, values + 1, seed=3
    )


def test_a_paired_difference_cancels_what_both_share() -> None:
    draw = np.random.default_rng(4)
    actual = draw.normal(0, 10, 500)
    first = draw.normal(0, 1, 500)
    interval = paired_difference(rmse, actual, first, first)
    assert (interval.estimate, interval.low, interval.high) == (0, 0, 0)


@settings(max_examples=25)
@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30))
def test_bounds_enclose_each_other(values: list[float]) -> None:
    interval = bootstrap_interval(mean_of_rows, values, values, n_resamples=50)
    assert min(values) - 1e-9 <= interval.low <= interval.high <= max(values) + 1e-9


def test_no_rows_give_nan() -> None:
    assert math.isnan(bootstrap_interval(rmse, [], []).estimate)


@pytest.fixture
def holdout() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(5)
    actual = draw.gamma(1.0, 3.0, 800)
    return {
        "actual": actual,
        "good": actual + draw.normal(0, 1, 800),
        "bad": actual + draw.normal(0, 3, 800),
    }


def test_a_clearly_better_challenger_is_promoted(holdout: dict[str, np.ndarray]) -> None:
    for criterion in (RMSE, GINI):
        decision = beats(holdout["good"], holdout["bad"], holdout["actual"], criterion)
        assert decision.promote
        assert 0 < decision.low <= decision.improvement <= decision.high
        assert decision.reason.startswith("challenger replaces champion")


def test_a_worse_challenger_is_not(holdout: dict[str, np.ndarray]) -> None:
    decision = beats(holdout["bad"], holdout["good"], holdout["actual"], RMSE)
    assert not decision.promote
    assert decision.improvement < 0
    assert "less than the margin" in decision.reason


def test_an_improvement_below_the_margin_is_not_worth_a_change(holdout: dict[str, np.ndarray]) -> None:
    slightly = holdout["actual"] + (holdout["good"] - holdout["actual"]) * 0.995
    decision = beats(slightly, holdout["good"], holdout["actual"], RMSE)
    assert decision.low > 0
    assert not decision.promote


def test_an_improvement_that_hangs_on_one_row_does_not_count() -> None:
    actual = np.array([10.0] + [0.0] * 19)
    champion = np.zeros(20)
    challenger = np.array([10.0] + [1.0] * 19)
    decision = beats(challenger, champion, actual, RMSE)
    assert decision.improvement > 1
    assert decision.low <= 0
    assert not decision.promote
    assert "may be chance" in decision.reason


def test_a_metric_that_cannot_be_known_promotes_nobody() -> None:
    decision = beats([0.1, 0.2], [0.3, 0.1], [1, 1], Criterion("auc", auc, True, 0.01))
    assert not decision.promote
    assert "cannot be known" in decision.reason


def test_the_first_champion_is_the_best_candidate_even_a_rule(holdout: dict[str, np.ndarray]) -> None:
    decision = elect({"rule": holdout["good"], "model": holdout["bad"]}, holdout["actual"], GINI)
    assert decision.promote
    assert decision.challenger == "rule"
    assert decision.champion is None
    assert "before model" in decision.reason


def test_of_equals_the_simpler_is_elected(holdout: dict[str, np.ndarray]) -> None:
    decision = elect({"rule": holdout["good"], "model": holdout["good"]}, holdout["actual"], RMSE)
    assert decision.challenger == "rule"


def test_without_evidence_the_model_itself_is_elected() -> None:
    assert elect({"rule": [], "model": []}, [], RMSE).challenger == "model"
    with pytest.raises(ValueError, match="at least one"):
        elect({}, [], RMSE)
