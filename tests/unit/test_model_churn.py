"""Churn: known answers, cold starts, short horizons, calibration."""

from __future__ import annotations

import itertools
import warnings
from datetime import date

import numpy as np
import polars as pl
import pytest
from customer_frames import World

from models import churn
from models.churn import ChurnModel, churn_intervals, evaluate_churn
from models.churn_estimator import Rhythm, SurvivalCurve
from models.churn_reasons import NOTHING_UNUSUAL, reasons
from models.churn_rules import BaseRate, RecencyRule
from models.evaluation.champion import beats, elect

AS_OF = date(2025, 9, 1)
EVERY = [*churn.BASELINES.values(), ChurnModel]
every_estimator = pytest.mark.parametrize("make", EVERY, ids=lambda make: make.name)


@pytest.fixture(scope="module")
def world() -> World:
    return World(1500, seed=11)


@pytest.fixture(scope="module")
def training(world: World) -> pl.DataFrame:
    return world.training(AS_OF, n_snapshots=7)


@pytest.fixture(scope="module")
def predictions(world: World, training: pl.DataFrame) -> dict[str, pl.DataFrame]:
    now = world.features(AS_OF)
    return {make.name: make().fit(training).predict(now) for make in EVERY}


def test_it_beats_every_rule_where_there_is_more_to_know(
    world: World, predictions: dict[str, pl.DataFrame]
) -> None:
    then = world.labels(AS_OF, 90)
    figures = {name: evaluate_churn(predicted, then) for name, predicted in predictions.items()}
    assert figures["base_rate"]["auc"] == pytest.approx(0.5)
    for name in churn.BASELINES:
        assert figures["churn_model"]["auc"] > figures[name]["auc"]
        assert figures["churn_model"]["log_loss"] < figures[name]["log_loss"]
    assert figures["churn_model"]["ece"] < 0.05


def test_the_election_tells_who_wins_and_by_how_much(
    world: World, predictions: dict[str, pl.DataFrame]
) -> None:
    then = world.labels(AS_OF, 90)
    risks = {name: churn.match_outcome(predicted, then)[1] for name, predicted in predictions.items()}
    actual = churn.match_outcome(predictions["churn_model"], then)[0]
    assert elect(risks, actual, churn.CRITERION).challenger == "churn_model"
    assert not beats(risks["base_rate"], risks["churn_model"], actual, churn.CRITERION).promote


@every_estimator
def test_risks_are_probabilities_and_the_silent_are_at_risk(
    make: type, world: World, predictions: dict[str, pl.DataFrame]
) -> None:
    risk = predictions[make.name]["churn_risk"]
    assert risk.is_between(0, 1).all()
    if make is BaseRate:
        return
    silence = world.features(AS_OF)["days_since_last_order"]
    assert risk.filter(silence > 250).mean() > 0.85
    assert risk.filter(silence < 30).mean() < 0.5


@every_estimator
def test_labels_of_thirty_days_are_carried_to_ninety(make: type, world: World) -> None:
    now = world.features(AS_OF)
    short = make().fit(world.training(AS_OF, horizon_days=30, n_snapshots=6))
    risk = short.predict(now)["churn_risk"].mean()
    share = float((world.labels(AS_OF, 90)["orders"] == 0).mean())
    assert risk == pytest.approx(share, abs=0.07)


@every_estimator
def test_longer_silence_is_less_likely(make: type, world: World, training: pl.DataFrame) -> None:
    model, now = make().fit(training), world.features(AS_OF).with_columns(has_behaviour=pl.lit(True))
    risks = [model.predict(now, days)["churn_risk"] for days in (7, 30, 90, 180)]
    for sooner, later in itertools.pairwise(risks):
        assert (later <= sooner + 1e-9).all()


def test_a_risk_is_judged_on_its_own_horizon(world: World, training: pl.DataFrame) -> None:
    model, now = ChurnModel().fit(training), world.features(AS_OF)
    month = world.labels(AS_OF, 30)
    figures = evaluate_churn(model.predict(now, 30), month)
    assert figures["ece"] < 0.06
    with pytest.raises(ValueError, match=r"predicted for 90 days and is judged on 30.*, 30"):
        evaluate_churn(model.predict(now), month)


@every_estimator
@pytest.mark.parametrize("n_customers", [0, 1, 50])
@pytest.mark.parametrize("n_snapshots", [0, 1, 3])
def test_a_small_or_new_shop_still_gets_numbers(make: type, n_customers: int, n_snapshots: int) -> None:
    world = World(50, seed=2)
    frame = world.training(AS_OF, n_snapshots=n_snapshots)
    frame = frame.filter(pl.col("customer_id").is_in(world.ids[:n_customers].tolist()))
    asked = world.features(AS_OF)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = make().fit(frame).predict(asked)
    assert result.height == asked.height
    assert result["churn_risk"].is_between(0, 1).all()


@every_estimator
def test_without_profiling_a_customer_is_the_average(
    make: type, training: pl.DataFrame, world: World
) -> None:
    private = training.with_columns(has_behaviour=pl.col("customer_id") > "c00100")
    now = world.features(AS_OF).with_columns(has_behaviour=pl.col("customer_id") > "c00100")
    result = make().fit(private).predict(now)
    hidden = result.filter(pl.col("customer_id") <= "c00100")
    assert hidden["basis"].unique().to_list() == ["population: no profiling"]
    assert hidden["churn_risk"].n_unique() == 1
    assert hidden["churn_risk"][0] == pytest.approx(
        result.filter(pl.col("customer_id") > "c00100")["churn_risk"].mean()
    )


def test_one_outcome_only_is_no_obstacle(training: pl.DataFrame, world: World) -> None:
    for orders in (0, 3):
        frame = training.with_columns(orders=pl.when(pl.col("orders").is_not_null()).then(orders))
        for make in EVERY:
            result = make().fit(frame).predict(world.features(AS_OF))
            assert result["churn_risk"].is_between(0, 1).all()


def test_base_rate_by_hand(training: pl.DataFrame) -> None:
    known = training.filter(pl.col("orders").is_not_null())
    share = float((known["orders"] == 0).mean())
    risk = BaseRate().fit(training).predict(training.tail(1))["churn_risk"][0]
    assert risk == pytest.approx(share, abs=1e-3)


def test_a_constant_hazard_is_carried_as_a_power() -> None:
    curve = SurvivalCurve(lambda days: np.array([np.exp(-0.01 * days)]))
    assert curve(45) == pytest.approx(np.exp(-0.45))
    assert curve.carry(np.array([0.8]), 30.0, 90.0) == pytest.approx([0.512])
    assert curve.carry(np.array([0.8]), 90.0, 90.0) == pytest.approx([0.8])


def test_the_recency_rule_without_labels_halves_with_every_gap(world: World) -> None:
    frame = world.training(AS_OF, n_snapshots=0)
    asked = (
        frame.filter(pl.col("n_order_days") > 1)
        .head(3)
        .with_columns(days_since_last_order=pl.Series([0.0, 10.0, 20.0]), mean_gap_days=pl.lit(10.0))
    )
    risk = RecencyRule().fit(frame).predict(asked)["churn_risk"]
    assert risk.to_list() == pytest.approx([0.0, 0.5, 0.75])


def test_calibration_pulls_overconfidence_back() -> None:
    draw = np.random.default_rng(0)
    log_odds = draw.normal(0, 1, 4000)
    outcome = (draw.random(4000) < 1 / (1 + np.exp(-log_odds))).astype(float)
    assert churn._platt(2 * log_odds, outcome, prior=20.0) == pytest.approx(0.5, abs=0.05)
    assert churn._platt(log_odds[:5], outcome[:5], prior=20.0) == pytest.approx(1.0, abs=0.15)


def test_intervals_and_missing_customers(world: World, predictions: dict[str, pl.DataFrame]) -> None:
    then = world.labels(AS_OF, 90)
    figures = evaluate_churn(predictions["churn_model"], then)
    for name, interval in churn_intervals(predictions["churn_model"], then, n_resamples=50).items():
        assert interval.low < figures[name] < interval.high
    with pytest.raises(ValueError, match="no churn prediction"):
        evaluate_churn(predictions["churn_model"].tail(-1), then)


def test_a_horizon_may_follow_the_customers_own_rhythm(world: World, training: pl.DataFrame) -> None:
    model, now = ChurnModel().fit(training), world.features(AS_OF)
    result = model.predict(now, Rhythm(gaps=2.0, at_least=10, at_most=200))
    gaps = now["mean_gap_days"]
    for gap, days in zip(gaps, result["horizon_days"], strict=True):
        asked = 2.0 * (model.usual_gap if gap is None else gap)
        assert days == int(np.clip(np.ceil(asked), 10, 200))
    same = model.predict(now, 200).filter(result["horizon_days"] == 200)
    assert same["churn_risk"].to_list() == pytest.approx(
        result.filter(pl.col("horizon_days") == 200)["churn_risk"].to_list()
    )


@every_estimator
def test_everyone_is_told_one_to_three_reasons_that_are_true(
    make: type, world: World, predictions: dict[str, pl.DataFrame]
) -> None:
    now = world.features(AS_OF)
    told = now.join(predictions[make.name], on="customer_id")
    assert told["reasons"].list.len().is_between(1, 3).all()
    assert (told["reasons"].list.n_unique() == told["reasons"].list.len()).all()
    singles = told.filter(pl.col("reasons").list.contains("one order so far"))
    assert singles.height > 0
    assert (singles["n_order_days"] == 1).all()
    silent = told.filter((pl.col("days_since_last_order") > 300) & (pl.col("mean_gap_days") < 30))
    assert silent["reasons"].list.join("; ").str.contains("no order for .* times the usual gap").mean() > 0.9


def test_reasons_by_hand() -> None:
    frame = (
        World(20, seed=1)
        .features(AS_OF)
        .head(3)
        .with_columns(
            n_order_days=pl.Series([5, 1, 5]),
            days_since_last_order=pl.Series([40.0, 100.0, 2.0]),
            mean_gap_days=pl.Series([10.0, None, 10.0]),
        )
    )
    weights = {"silence": np.array([1.0, 0.5, 0.3]), "few orders": np.array([0.2, 0.8, 0.1])}
    assert reasons(frame, weights, usual_gap=30.0).to_list() == [
        ["no order for 4.0 times the usual gap"],
        ["one order so far", "no order for 100 days"],
        [NOTHING_UNUSUAL],
    ]


def test_who_has_lapsed_may_come_back(world: World, predictions: dict[str, pl.DataFrame]) -> None:
    told = world.features(AS_OF).join(predictions["churn_model"], on="customer_id")
    lapsed = told.filter(pl.col("reactivation_chance").is_not_null())
    assert 0 < lapsed.height < told.height
    assert (lapsed["days_since_last_order"] > 180).all()
    assert (lapsed["reactivation_chance"] + lapsed["churn_risk"]).to_list() == pytest.approx(
        [1.0] * lapsed.height
    )
