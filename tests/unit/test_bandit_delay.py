"""Answers still to come: the curve of delays, and that it is no disadvantage to be new."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from bandit_world import Floats, make_arms, params
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bandit import DelayCurve, FactorBandit, with_exposure
from models.model import MissingFeatureError

WINDOW = 72.0


def true_share(hours: Floats) -> Floats:
    """Exponential with a mean of 12 hours, cut at the window."""
    return -np.expm1(-np.minimum(hours, WINDOW) / 12) / -np.expm1(-WINDOW / 12)


def draw_delays(n: int, rng: np.random.Generator) -> Floats:
    return -12 * np.log1p(-rng.random(n) * -np.expm1(-WINDOW / 12))


def test_the_product_limit_of_a_small_example() -> None:
    """Answers at 1, 1, 4 and 5 hours; the second's send is 2 hours old and says nothing of what came after 2."""
    curve = DelayCurve.fit(
        [1, 1, 4], [10, 2, 10], window_hours=10, prior_answers=1, prior_half_life_hours=1e6
    )
    assert curve.share_by([0.5, 1, 3.9, 4, 4.5, 5.001, 99]) == pytest.approx(
        [0, 1 / 3, 1 / 3, 2 / 3, 2 / 3, 1, 1]
    )


def test_young_sends_do_not_make_answers_look_quick() -> None:
    rng = np.random.default_rng(0)
    delay, age = draw_delays(20_000, rng), 100 * rng.random(20_000) ** 3
    seen = delay <= age
    hours = np.array([1.0, 3, 6, 12, 24, 48])
    curve = DelayCurve.fit(delay[seen], age[seen], window_hours=WINDOW)
    assert curve.share_by(hours) == pytest.approx(true_share(hours), abs=0.025)
    naive = (delay[seen][:, None] <= hours).mean(axis=0)
    assert naive[2] - true_share(hours)[2] > 0.1


def test_old_sends_alone_give_plain_shares() -> None:
    delay = draw_delays(500, np.random.default_rng(1))
    curve = DelayCurve.fit(delay, np.full(500, 1_000.0), window_hours=WINDOW, prior_answers=1)
    at = np.array([2.0, 10, 30])
    assert curve.share_by(at) == pytest.approx((delay[:, None] <= at).mean(axis=0), abs=1 / 500)


def test_without_answers_there_is_a_prior() -> None:
    curve = DelayCurve.fit([], [], window_hours=WINDOW, prior_half_life_hours=8.0)
    assert curve.share_by([0.0, 8.0, 71.9, 72.0]) == pytest.approx([0, 0.5, 1, 1], abs=0.051)


def test_answers_after_the_window_are_none() -> None:
    late = DelayCurve.fit([1, 90], [100, 100], window_hours=WINDOW)
    assert np.array_equal(late.shares, DelayCurve.fit([1], [100], window_hours=WINDOW).shares)


@settings(max_examples=25)
@given(cells=st.lists(st.tuples(st.integers(0, 80), st.integers(0, 80), st.integers(0, 5)), max_size=12))
def test_counted_answers_give_the_curve_of_the_answers_one_by_one(cells: list[tuple[int, int, int]]) -> None:
    delay, lag, count = (np.array(values, dtype=int) for values in zip(*cells or [(0, 0, 0)], strict=True))
    counted = DelayCurve.fit(delay, delay + lag, counts=count, window_hours=WINDOW)
    one_by_one = DelayCurve.fit(np.repeat(delay, count), np.repeat(delay + lag, count), window_hours=WINDOW)
    assert np.array_equal(counted.hours, one_by_one.hours)
    assert counted.shares == pytest.approx(one_by_one.shares)


@settings(max_examples=40)
@given(
    answers=st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), max_size=30),
    ages=st.lists(st.floats(0, 200), min_size=2, max_size=10),
)
def test_a_share_grows_from_0_to_1(answers: list[tuple[float, float]], ages: list[float]) -> None:
    delay = [delay for delay, _ in answers]
    age = [delay + more for delay, more in answers]
    curve = DelayCurve.fit(delay, age, window_hours=WINDOW)
    share = curve.share_by(np.sort(ages))
    assert (np.diff(share) >= 0).all()
    assert (share >= 0).all() and (share <= 1).all()
    assert curve.share_by([WINDOW]).tolist() == [1.0]
    backwards = DelayCurve.fit(delay[::-1], age[::-1], window_hours=WINDOW)
    assert np.array_equal(backwards.shares, curve.shares)


def test_wrong_delays_are_named() -> None:
    for delay, age in (([5.0], [4.0]), ([-1.0], [4.0]), ([float("nan")], [4.0])):
        with pytest.raises(ValueError, match="1 delays are negative, missing or longer"):
            DelayCurve.fit(delay, age, window_hours=WINDOW)
    with pytest.raises(ValueError, match="one length"):
        DelayCurve.fit([1.0], [2.0, 3.0], window_hours=WINDOW)
    with pytest.raises(ValueError, match="must be above 0"):
        DelayCurve.fit([], [], window_hours=0)
    curve = DelayCurve.fit([], [], window_hours=WINDOW)
    with pytest.raises(ValueError, match="an age is missing"):
        curve.share_by([1.0, float("nan")])
    with pytest.raises(MissingFeatureError, match="age_hours"):
        with_exposure(pl.DataFrame({"n_sent": [1]}), curve)


def lead_of_the_new(seed: int, is_corrected: bool) -> tuple[float, float]:
    """(log-odds of two new subjects less those of two old ones, win share of the new); all are equally good."""
    rng = np.random.default_rng(seed)
    arms = (
        make_arms(1, rng)
        .drop("subject")
        .join(pl.DataFrame({"subject": ["n1", "n2", "o1", "o2"]}), how="cross")
    )
    delay, age = draw_delays(2_000, rng), WINDOW * 2 * rng.random(2_000)
    curve = DelayCurve.fit(delay[delay <= age], age[delay <= age], window_hours=WINDOW)
    sends = arms.join(pl.DataFrame({"age_hours": [3.0, 6.0, 12.0, 100.0, 200.0]}), how="cross").filter(
        pl.col("subject").str.starts_with("n") == (pl.col("age_hours") < 24)
    )
    p_seen = 0.2 * true_share(sends["age_hours"].to_numpy())
    history = sends.with_columns(n_sent=pl.lit(400), n_success=pl.Series(rng.binomial(400, p_seen)))
    bandit = FactorBandit(params()).fit(with_exposure(history, curve) if is_corrected else history)
    log_odds = bandit.rates(arms)["log_odds"]
    found = bandit.chances(arms.with_columns(choice=pl.lit(0)), by=["choice"], rng=rng)
    return float(log_odds[:2].mean() - log_odds[2:].mean()), float(found["win_share"][:2].sum())


def test_answers_still_to_come_do_not_count_against_the_new() -> None:
    corrected = np.array([lead_of_the_new(seed, True) for seed in range(30)])
    naive = np.array([lead_of_the_new(seed, False) for seed in range(10)])
    error = corrected.std(axis=0, ddof=1) / np.sqrt(len(corrected))
    assert (np.abs(corrected.mean(axis=0) - [0.0, 0.5]) < 3 * error + 0.02).all()
    assert naive.mean(axis=0)[0] < -0.2
    assert naive.mean(axis=0)[1] < 0.1


def test_answers_that_contradict_the_curve_leave_the_fit_sound() -> None:
    arms = make_arms(2, np.random.default_rng(2))
    history = arms.with_columns(
        n_sent=pl.lit(50), n_success=pl.Series([3, 10]), n_effective=pl.Series([0.5, 50.0])
    )
    rates = FactorBandit(params()).fit(history).rates(arms)["rate"]
    assert 0.2 < rates[0] < 0.5
