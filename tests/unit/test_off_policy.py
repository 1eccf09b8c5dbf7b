"""Off-policy estimates: known answers, what holds of any log, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evaluation.off_policy import (
    ESTIMATORS,
    IntervalParams,
    LoggedDecisions,
    estimate_policy,
    estimates_frame,
    logged_decisions,
    overlap_of,
    policy_differences,
    read_log,
    switch_threshold,
    unsupported_mass,
)
from models.model import MissingFeatureError

BOOTSTRAP = IntervalParams(n_resamples=199)


def values(log: LoggedDecisions, **how: Any) -> dict[str, float]:
    return {found.estimator: found.value for found in estimate_policy(log, **how)}


def small() -> LoggedDecisions:
    """Weights 2, 0.5 and 0."""
    return logged_decisions(
        [3.0, 4.0, 5.0],
        [0.25, 0.5, 1.0],
        [0.5, 0.25, 0.0],
        q_logged=[2.0, 2.0, 2.0],
        q_target=[1.0, 2.0, 3.0],
    )


def test_each_estimator_is_its_formula() -> None:
    found = values(small(), threshold=1.0)
    assert found["ips"] == pytest.approx((6 + 2) / 3)
    assert found["snips"] == pytest.approx((6 + 2) / 2.5)
    assert found["dm"] == pytest.approx(2.0)
    assert found["dr"] == pytest.approx(2.0 + (2 * 1 + 0.5 * 2) / 3)
    assert found["switch_dr"] == pytest.approx(2.0 + 0.5 * 2 / 3)


def test_switch_is_the_model_at_zero_and_doubly_robust_without_a_limit() -> None:
    none, all_of_it = values(small(), threshold=0.0), values(small(), threshold=math.inf)
    assert none["switch_dr"] == none["dm"]
    assert all_of_it["switch_dr"] == all_of_it["dr"]


def test_the_error_of_a_mean_is_the_textbooks() -> None:
    reward = np.random.default_rng(0).normal(5, 2, 400)
    (found,) = estimate_policy(logged_decisions(reward, np.ones(400), np.ones(400)), estimators=["ips"])
    assert found.value == pytest.approx(reward.mean())
    assert found.standard_error == pytest.approx(reward.std(ddof=1) / 20)
    assert found.high - found.value == pytest.approx(1.966 * found.standard_error, rel=1e-3)


def test_a_customer_seen_twice_the_same_is_seen_once() -> None:
    generator = np.random.default_rng(1)
    reward, target = generator.normal(size=60), generator.uniform(0.2, 1, 60)
    once = logged_decisions(reward, np.full(60, 0.5), target)
    twice = logged_decisions(
        np.repeat(reward, 2), np.full(120, 0.5), np.repeat(target, 2), cluster=np.repeat(np.arange(60), 2)
    )
    for one, two in zip(estimate_policy(once), estimate_policy(twice), strict=True):
        assert (two.value, two.standard_error) == pytest.approx((one.value, one.standard_error))
        assert (two.n_decisions, two.n_clusters) == (120, 60)


def test_without_a_model_there_are_the_two_that_need_none() -> None:
    log = logged_decisions([1.0, 0.0], [0.5, 0.5], [0.5, 0.5])
    assert list(values(log)) == ["ips", "snips"]
    with pytest.raises(ValueError, match="need a reward model: give q_logged and q_target"):
        estimate_policy(log, estimators=["dr"])


def test_one_customer_says_nothing_of_the_spread() -> None:
    log = logged_decisions([1.0, 2.0], [0.5, 0.5], [0.5, 0.25], cluster=["a", "a"])
    for params in (IntervalParams(), BOOTSTRAP):
        for found in estimate_policy(log, intervals=params):
            assert math.isfinite(found.value)
            assert math.isnan(found.low)
            assert any("only 1 customers" in warning for warning in found.warnings)


def test_equal_rewards_have_no_spread() -> None:
    log = logged_decisions(np.full(40, 3.0), np.full(40, 0.5), np.full(40, 0.5))
    for params in (IntervalParams(), BOOTSTRAP):
        assert [(e.low, e.high) for e in estimate_policy(log, intervals=params)] == [(3.0, 3.0)] * 2


def test_the_bootstrap_bends_with_skewed_rewards_and_repeats_with_its_seed() -> None:
    reward = np.random.default_rng(2).exponential(1.0, 60) ** 2
    log = logged_decisions(reward, np.ones(60), np.ones(60))
    (found,) = estimate_policy(log, estimators=["ips"], intervals=IntervalParams(n_resamples=999))
    assert found.high - found.value > 1.3 * (found.value - found.low)
    assert (found,) == estimate_policy(log, estimators=["ips"], intervals=IntervalParams(n_resamples=999))
    assert (found,) != estimate_policy(
        log, estimators=["ips"], intervals=IntervalParams(n_resamples=999, seed=1)
    )


def test_the_bootstrap_agrees_with_the_linearised_interval_of_many_plain_rewards() -> None:
    generator = np.random.default_rng(3)
    log = logged_decisions(
        generator.normal(2, 1, 3000),
        np.full(3000, 0.5),
        generator.uniform(0.3, 0.7, 3000),
        cluster=generator.integers(0, 800, 3000),
    )
    plain = estimate_policy(log)
    drawn = estimate_policy(log, intervals=IntervalParams(n_resamples=1999))
    for one, two in zip(plain, drawn, strict=True):
        assert (two.low, two.high) == pytest.approx((one.low, one.high), abs=0.25 * one.standard_error)


def test_the_frame_has_a_row_per_estimator() -> None:
    frame = estimates_frame(small())
    assert frame["estimator"].to_list() == list(ESTIMATORS)
    assert frame["threshold"].is_not_null().to_list() == [False] * 4 + [True]
    assert frame.schema["warnings"] == pl.List(pl.String)
    assert frame["unsupported_share"].is_null().all()
    assert not any("model's opinion" in text for text in frame["warnings"][0])
    assert "model's opinion" in frame["warnings"][2][0]
    beyond = estimates_frame(small(), threshold=1.0)["warnings"][4][0]
    assert "80% of the weight lies beyond the threshold of 1 and is left to the reward model" in beyond


def test_a_log_is_read_from_a_frame_of_any_columns() -> None:
    frame = pl.DataFrame(
        {
            "customer_id": ["b", "a", "b"],
            "margin_14d": [1, 0, 2],
            "propensity": [0.5, 0.25, 1.0],
            "target_propensity": [0.5, 0.5, 1.0],
        }
    )
    log = read_log(frame, reward="margin_14d")
    assert log.cluster.tolist() == [1, 0, 1]
    assert log.weight.tolist() == [1.0, 2.0, 1.0]
    with pytest.raises(MissingFeatureError, match="reward"):
        read_log(frame)
    with pytest.raises(ValueError, match="customer_id of the log must be numbers"):
        read_log(frame, reward="customer_id")
    with pytest.raises(ValueError, match="reward in row 1 is nan"):
        read_log(frame.with_columns(reward=pl.Series([1.0, None, 2.0])))


def test_a_threshold_is_chosen_by_what_variance_and_bias_cost() -> None:
    """Rare weights of 100 beside many near 1: a model that cannot be far off takes the rare ones over."""
    generator = np.random.default_rng(4)
    rare = generator.random(2000) < 0.003
    log = logged_decisions(
        generator.normal(1, 1, 2000),
        np.where(rare, 0.01, 0.7),
        np.where(rare, 1.0, 0.7),
        q_logged=np.ones(2000),
        q_target=np.ones(2000),
    )
    assert switch_threshold(log, reward_range=0.01) < 2
    assert switch_threshold(log, reward_range=100.0) == pytest.approx(100.0)
    assert switch_threshold(log, reward_range=0.0) == 0.0


def test_two_policies_are_compared_on_what_they_do_differently() -> None:
    generator = np.random.default_rng(5)
    first = logged_decisions(
        generator.normal(10, 1, 1000), np.full(1000, 0.5), np.where(generator.random(1000) < 0.5, 0.6, 0.4)
    )
    second = first.under(np.where(np.arange(1000) < 50, 1 - first.target, first.target))
    for params in (IntervalParams(), BOOTSTRAP):
        for found, one, two in zip(
            policy_differences(first, second, intervals=params),
            estimate_policy(first),
            estimate_policy(second),
            strict=True,
        ):
            assert found.difference == pytest.approx(one.value - two.value)
            assert (found.first_value, found.second_value) == (one.value, two.value)
            assert 0 < found.standard_error < 0.5 * math.hypot(one.standard_error, two.standard_error)
            assert found.low < found.difference < found.high


def test_a_policy_does_not_differ_from_itself() -> None:
    for found in policy_differences(small(), small()):
        assert (found.difference, found.low, found.high) == (0, 0, 0)


def test_policies_are_compared_on_one_log_alone() -> None:
    other = logged_decisions([3.0, 4.0, 6.0], [0.25, 0.5, 1.0], [0.5, 0.25, 0.0])
    with pytest.raises(ValueError, match="q_target is missing"):
        small().under([0.1, 0.1, 0.1])
    with pytest.raises(ValueError, match="reward differs between the two logs"):
        policy_differences(small(), other)


def test_overlap_says_what_is_wrong_and_what_to_do() -> None:
    weight = np.r_[np.full(99, 1.0), 1000.0]
    seen = overlap_of(
        logged_decisions(np.ones(100), 1 / (weight * 2), np.full(100, 0.5), cluster=np.arange(100) % 7)
    )
    assert seen.ess == pytest.approx(1099**2 / (99 + 1000**2))
    assert seen.largest_weight_share == pytest.approx(1000 / 1099)
    few, large, customers = seen.warnings
    assert "100 decisions say as much as 1 of the target policy itself" in few
    assert "one decision carries 91% of all weight (weight 1,000)" in large
    assert "only 7 customers" in customers


def test_weights_that_do_not_average_one_are_noticed() -> None:
    generator = np.random.default_rng(6)
    target = generator.uniform(0.3, 0.5, 500)
    seen = overlap_of(logged_decisions(np.ones(500), np.full(500, 0.8), target))
    assert "the weights average 0.5" in seen.warnings[0]
    assert overlap_of(logged_decisions(np.ones(500), target, target)).warnings == ()


def test_what_the_log_cannot_hold_is_named() -> None:
    missing = unsupported_mass([0, 0, 1, 1], [1.0, 0.0, 0.5, 0.5], [0.75, 0.25, 1.0, 0.0], n_decisions=2)
    assert missing.tolist() == [0.25, 0.0]
    log = logged_decisions([1.0, 1.0], [1.0, 0.5], [0.75, 1.0], unsupported=missing)
    (found, _) = estimate_policy(log)
    assert found.unsupported_share == 0.125
    assert "12.5% of what the target policy does is never done by the logging policy" in found.warnings[0]
    with pytest.raises(ValueError, match=r"decision must lie in 0\.\.1"):
        unsupported_mass([2], [1.0], [1.0], n_decisions=2)


GOOD: dict[str, Any] = {"reward": [1.0, 2.0], "propensity": [0.5, 1.0], "target": [0.5, 0.0]}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"propensity": [0.5, 0.0]},
            r"propensity in row 1 is 0\.0 \(1 of 2 rows are wrong\); it must lie in \(0, 1\]",
        ),
        ({"propensity": [1.2, 0.5]}, r"propensity in row 0 is 1\.2"),
        ({"propensity": [0.5, math.nan]}, "propensity in row 1 is nan"),
        ({"propensity": [0.5]}, r"propensity has the shape \(1,\), reward \(2,\); give one entry per"),
        ({"reward": [1.0, math.nan]}, "reward in row 1 is nan.*give 0 where nothing came of it"),
        ({"reward": [[1.0, 2.0]]}, "reward must have one dimension"),
        ({"reward": [], "propensity": [], "target": []}, "there are no logged decisions; widen the dates"),
        ({"target": [-0.1, 0.5]}, r"target in row 0 is -0\.1"),
        ({"target": [0.0, 0.0]}, "the target policy does nothing that was logged"),
        ({"cluster": ["a", None]}, r"cluster is missing in row 1 \(1 of 2 rows\)"),
        ({"cluster": ["a"]}, r"cluster has the shape \(1,\)"),
        ({"q_logged": [1.0, 1.0]}, "q_target is missing; give both estimates"),
        ({"q_logged": [1.0, 1.0], "q_target": [1.0, math.inf]}, "q_target in row 1 is inf"),
        ({"unsupported": [0.5, 1.5]}, r"unsupported in row 1 is 1\.5"),
    ],
)
def test_what_cannot_be_is_refused_with_row_and_remedy(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        logged_decisions(**{**GOOD, **wrong})


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"estimators": ["magic"]}, "there is no estimator magic; choose from ips, snips"),
        ({"estimators": []}, "there is no estimator asked for"),
        ({"threshold": -1.0}, "threshold must be 0 or more"),
        ({"threshold": math.nan}, "threshold must be 0 or more"),
    ],
)
def test_wrong_settings_are_refused(how: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        estimate_policy(small(), **how)


def test_settings_of_intervals_are_checked() -> None:
    with pytest.raises(ValueError, match="level must lie between 0 and 1"):
        IntervalParams(level=95)
    with pytest.raises(ValueError, match="n_resamples must be 0 or more"):
        IntervalParams(n_resamples=-1)
    with pytest.raises(ValueError, match="reward_range must be 0 or more"):
        switch_threshold(small(), reward_range=-1.0)


chances = st.floats(0.05, 1.0)
rewards = st.floats(-100, 100).map(lambda reward: round(reward, 3))
rows = st.lists(
    st.tuples(rewards, chances, chances, st.integers(0, 5), rewards, rewards), min_size=2, max_size=40
)
THRESHOLD = 1.5


def log_of(entries: list[tuple[float, ...]]) -> LoggedDecisions:
    reward, propensity, target, cluster, q_logged, q_target = np.array(entries).T
    return logged_decisions(reward, propensity, target, cluster=cluster, q_logged=q_logged, q_target=q_target)


def figures(log: LoggedDecisions, params: IntervalParams | None = None) -> np.ndarray:
    found = estimate_policy(log, threshold=THRESHOLD, intervals=params)
    return np.array([(e.value, e.low, e.high, e.standard_error) for e in found])


@settings(max_examples=80)
@given(rows)
def test_the_logging_policy_itself_is_worth_the_plain_mean(entries: list[tuple[float, ...]]) -> None:
    log = log_of(entries)
    itself = log.under(log.propensity, q_target=log.q_target)
    found = values(itself, threshold=THRESHOLD)
    assert found["ips"] == found["snips"] == pytest.approx(log.reward.mean(), abs=1e-9)
    assert overlap_of(itself).ess == pytest.approx(len(log))


@settings(max_examples=80)
@given(rows, st.sampled_from([-3.0, 0.01, 7.0]))
def test_estimates_scale_with_the_rewards(entries: list[tuple[float, ...]], by: float) -> None:
    log = log_of(entries)
    scaled = log_of([(r * by, p, t, c, q * by, m * by) for r, p, t, c, q, m in entries])
    plain, found = figures(log), figures(scaled)
    assert found[:, 0] == pytest.approx(plain[:, 0] * by, rel=1e-9, abs=1e-9)
    assert found[:, 3] == pytest.approx(plain[:, 3] * abs(by), rel=1e-6, abs=1e-9, nan_ok=True)
    ends = [1, 2] if by > 0 else [2, 1]
    assert found[:, ends] == pytest.approx(plain[:, [1, 2]] * by, rel=1e-6, abs=1e-8, nan_ok=True)


@settings(max_examples=60)
@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_count(entries: list[tuple[float, ...]], random: Any) -> None:
    mixed = list(entries)
    random.shuffle(mixed)
    assert figures(log_of(mixed)) == pytest.approx(figures(log_of(entries)), rel=1e-6, abs=1e-7, nan_ok=True)


@settings(max_examples=60)
@given(rows, st.floats(-50, 50))
def test_snips_and_the_robust_move_with_the_level_of_rewards(
    entries: list[tuple[float, ...]], by: float
) -> None:
    before = values(log_of(entries), threshold=THRESHOLD)
    after = values(
        log_of([(r + by, p, t, c, q + by, m + by) for r, p, t, c, q, m in entries]), threshold=THRESHOLD
    )
    for name in ("snips", "dm", "dr", "switch_dr"):
        assert after[name] == pytest.approx(before[name] + by, abs=1e-7)


@settings(max_examples=60)
@given(rows)
def test_snips_stays_within_the_rewards_and_the_sample_size_within_the_rows(
    entries: list[tuple[float, ...]],
) -> None:
    log = log_of(entries)
    assert log.reward.min() - 1e-9 <= values(log, threshold=THRESHOLD)["snips"] <= log.reward.max() + 1e-9
    seen = overlap_of(log)
    assert 1 - 1e-9 <= seen.ess <= len(log) + 1e-9
    assert 1 - 1e-9 <= seen.ess_clusters <= log.n_clusters + 1e-9
    assert 0 < seen.largest_weight_share <= 1
    assert 0 <= switch_threshold(log) <= log.weight.max()


@settings(max_examples=40)
@given(rows, rows)
def test_a_difference_turns_round_with_its_policies(
    entries: list[tuple[float, ...]], others: list[tuple[float, ...]]
) -> None:
    n = min(len(entries), len(others))
    first, other = log_of(entries[:n]), log_of(others[:n])
    second = first.under(other.target, q_target=other.q_target)
    forth = policy_differences(first, second, threshold=THRESHOLD)
    back = policy_differences(second, first, threshold=THRESHOLD)
    for one, two in zip(forth, back, strict=True):
        assert one.difference == pytest.approx(-two.difference, abs=1e-9)
        assert (one.low, one.high) == pytest.approx((-two.high, -two.low), abs=1e-7, nan_ok=True)
