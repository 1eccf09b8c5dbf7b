"""Lifetime value: known answers, cold starts, short horizons, and what the model must find."""

from __future__ import annotations

import warnings
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from customer_frames import World
from polars.testing import assert_frame_equal

from models import value
from models.boosting import BoostingParams
from models.btyd import BgNbd
from models.evaluation.metrics import total_ratio
from models.order_rates import OrderRates
from models.value import ValueModel, ValueParams, evaluate_value, value_intervals
from models.value_rules import BgNbdValue, MeanValue, ParetoNbdValue, RecentSpend

AS_OF = date(2025, 9, 1)
ESTIMATES = ["expected_orders_90d", "expected_margin_90d", "lifetime_value"]
EVERY = [*value.BASELINES.values(), ValueModel]
every_estimator = pytest.mark.parametrize("make", EVERY, ids=lambda make: make.name)


@pytest.fixture(scope="module")
def world() -> World:
    return World(1500, seed=11)


@pytest.fixture(scope="module")
def training(world: World) -> pl.DataFrame:
    return world.training(AS_OF, n_snapshots=7)


@pytest.fixture(scope="module")
def fitted(training: pl.DataFrame) -> ValueModel:
    return ValueModel().fit(training)


def test_it_ranks_better_than_every_rule_where_there_is_more_to_know(
    world: World, training: pl.DataFrame, fitted: ValueModel
) -> None:
    now, then = world.features(AS_OF), world.labels(AS_OF, 90)
    assert fitted.trees["orders"].is_active
    model = evaluate_value(fitted.forecast(now, 90), then)
    rules = {
        name: evaluate_value(rule().fit(training).forecast(now, 90), then)
        for name, rule in value.BASELINES.items()
    }
    assert rules["mean_value"]["margin_gini"] == pytest.approx(0.0, abs=1e-9)
    for name, figures in rules.items():
        assert model["count_gini"] > figures["count_gini"], name
        assert model["margin_gini"] > figures["margin_gini"], name
    assert model["count_total_ratio"] == pytest.approx(1.0, abs=0.25)
    assert set(model) == set(value.METRICS) | {"count_coverage", "margin_coverage", "n_customers"}


def test_more_days_are_worth_more(world: World, fitted: ValueModel) -> None:
    result = fitted.predict(world.features(AS_OF))
    assert (result["expected_margin_90d"] >= 0).all()
    assert (result["lifetime_value"] >= result["expected_margin_90d"]).all()
    assert (result["lifetime_value"] <= result["expected_margin_90d"] * 365 / 90 * 1.5).all()


def test_the_basis_says_what_a_number_rests_on(world: World, fitted: ValueModel) -> None:
    now = world.features(AS_OF)
    result = now.select("customer_id", "n_order_days").join(fitted.predict(now), on="customer_id")
    expected = (
        pl.when(pl.col("n_order_days") >= 2)
        .then(pl.lit("own orders"))
        .when(pl.col("n_order_days") == 1)
        .then(pl.lit("one order"))
        .otherwise(pl.lit("prior: no orders yet"))
    )
    assert result.select(expected.alias("basis")).equals(result.select("basis"))
    assert result["basis"].n_unique() == 3


def test_prospects_are_worth_what_prospects_did(world: World, training: pl.DataFrame) -> None:
    prospects = pl.col("n_order_days") == 0
    rates = OrderRates(BgNbd()).fit(training)
    past = training.filter(prospects, pl.col("orders").is_not_null())
    expected = rates.expected_orders(past, 90.0)
    assert expected.min() > 0
    # Nobody of this world's prospects orders after his first ten days: the rate is near what they did, above 0.
    assert expected.sum() < past["orders"].sum() + 10


def test_without_profiling_a_customer_is_the_average_and_teaches_nothing(
    training: pl.DataFrame, world: World
) -> None:
    private = training.with_columns(has_behaviour=pl.col("customer_id") > "c00100")
    now = world.features(AS_OF).with_columns(has_behaviour=pl.col("customer_id") > "c00100")
    for make in EVERY:
        result = make().fit(private).predict(now)
        hidden = result.filter(pl.col("customer_id") <= "c00100")
        assert hidden["basis"].unique().to_list() == ["population: no profiling"]
        shown = result.filter(pl.col("customer_id") > "c00100")
        for column in ESTIMATES:
            assert hidden[column].n_unique() == 1
            assert hidden[column][0] == pytest.approx(shown[column].mean())
        changed = private.with_columns(
            margin_total=pl.when(pl.col("has_behaviour")).then("margin_total").otherwise(1e9)
        )
        assert_frame_equal(make().fit(changed).predict(now), result)


@every_estimator
def test_labels_of_thirty_days_mean_the_same(make: type, world: World) -> None:
    now, then = world.features(AS_OF), world.labels(AS_OF, 90)
    short = make().fit(world.training(AS_OF, horizon_days=30, n_snapshots=7)).forecast(now, 90)
    long = make().fit(world.training(AS_OF, horizon_days=90, n_snapshots=7)).forecast(now, 90)
    assert total_ratio(long["expected_orders"], short["expected_orders"]) == pytest.approx(1.0, abs=0.2)
    assert evaluate_value(short, then)["count_gini"] == pytest.approx(
        evaluate_value(long, then)["count_gini"], abs=0.05
    )


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
    for column in ESTIMATES:
        assert result[column].is_finite().all()
        assert (result[column] >= 0).all()


@every_estimator
def test_a_shop_on_its_first_day(make: type) -> None:
    world = World(30, seed=4)
    first = date(2024, 1, 1) + timedelta(days=int(world.signed_up[0]) + 1)
    frame = world.training(first, n_snapshots=0)
    assert frame["n_order_days"].sum() <= frame.height
    result = make().fit(frame).predict(world.features(first))
    assert np.isfinite(result.select(ESTIMATES).to_numpy()).all()


def test_a_shop_that_earns_nothing_is_worth_nothing(training: pl.DataFrame, world: World) -> None:
    losing = training.with_columns(margin_total=-pl.col("margin_total"), margin=-pl.col("margin"))
    now = world.features(AS_OF).with_columns(margin_total=-pl.col("margin_total"))
    result = ValueModel().fit(losing).predict(now)
    assert (result["lifetime_value"] == 0).all()
    assert result["expected_orders_90d"].sum() > 0


def test_with_few_rows_the_model_is_the_mean_of_its_bases(world: World) -> None:
    frame = world.training(AS_OF, n_snapshots=2)
    cautious = ValueModel(ValueParams(boosting=BoostingParams(min_rows=10**6))).fit(frame)
    now = world.features(AS_OF).filter(pl.col("n_order_days") > 0)
    bases = [
        rule().fit(frame).predict(now)["expected_orders_90d"].to_numpy()
        for rule in (BgNbdValue, ParetoNbdValue)
    ]
    between = np.clip(
        cautious.predict(now)["expected_orders_90d"], *np.sort(bases, axis=0) * [[0.97], [1.03]]
    )
    off = cautious.predict(now)["expected_orders_90d"] - between
    assert off.abs().max() <= 2 * value.FLOOR_ORDERS


def test_intervals_hold_four_customers_in_five(world: World, training: pl.DataFrame) -> None:
    now, then = world.features(AS_OF), world.labels(AS_OF, 90)
    for make in EVERY:
        figures = evaluate_value(make().fit(training).forecast(now, 90), then)
        assert 0.7 < figures["count_coverage"] < 0.95, make.name
        assert 0.7 < figures["margin_coverage"] < 0.95, make.name


def test_what_he_was_worth_and_will_be_add_up(world: World, fitted: ValueModel) -> None:
    now = world.features(AS_OF)
    result = fitted.predict(now)
    assert result["historic_value"].to_list() == pytest.approx(now["margin_total"].to_list())
    assert (result["total_value"] - result["historic_value"]).to_list() == pytest.approx(
        result["lifetime_value"].to_list(), abs=1e-6
    )


def test_the_next_order_is_expected_sooner_of_who_orders_more(world: World, fitted: ValueModel) -> None:
    result = fitted.predict(world.features(AS_OF))
    wait = result["expected_next_order_days"]
    assert wait.drop_nulls().is_between(1, 730).all()
    busy, idle = result["expected_orders_90d"] > 3, result["expected_orders_90d"] < 0.02
    assert wait.filter(busy).null_count() < 0.05 * busy.sum()
    assert wait.filter(busy).median() < 45
    assert wait.filter(idle).null_count() > 0.9 * idle.sum()


def test_mean_value_by_hand(training: pl.DataFrame) -> None:
    known = training.filter(pl.col("orders").is_not_null())
    result = MeanValue().fit(training).predict(training.tail(1))
    assert result["expected_orders_90d"][0] == pytest.approx(known["orders"].mean())
    assert result["expected_margin_90d"][0] == pytest.approx(known["margin"].mean())
    assert result["lifetime_value"][0] == pytest.approx(known["margin"].mean() * 365 / 90)


def test_recent_spend_by_hand(training: pl.DataFrame) -> None:
    asked = training.tail(2).with_columns(
        n_orders_365d=pl.Series([4, 1]),
        margin_365d=pl.Series([80.0, -5.0]),
        tenure_days=pl.Series([700.0, 10.0]),
    )
    result = RecentSpend().fit(training).predict(asked)
    assert result["expected_orders_90d"].to_list() == pytest.approx([4 * 90 / 365, 1.0])
    assert result["expected_margin_90d"].to_list() == pytest.approx([80 * 90 / 365, 0.0])
    assert result["lifetime_value"].to_list() == pytest.approx([80.0, 0.0])


def test_margins_are_shrunk_to_the_shops(training: pl.DataFrame) -> None:
    rule = BgNbdValue().fit(training)
    mean, prior = rule.spend.population_mean, rule.spend.prior_orders
    asked = training.tail(2).with_columns(
        n_order_days=pl.Series([2, 0]), margin_total=pl.Series([100.0, 0.0])
    )
    assert rule.margin_per_order(asked) == pytest.approx([(100 + prior * mean) / (2 + prior), mean])


def test_a_forecast_is_judged_on_its_own_window_and_misses_nobody(world: World, fitted: ValueModel) -> None:
    now, month = world.features(AS_OF), world.labels(AS_OF, 30)
    assert evaluate_value(fitted.forecast(now, 30), month)["count_total_ratio"] == pytest.approx(1.0, abs=0.3)
    with pytest.raises(ValueError, match=r"forecast for 90 days and is judged on 30"):
        evaluate_value(fitted.forecast(now, 90), month)
    with pytest.raises(ValueError, match=r"1 of .* labelled customers have no value forecast"):
        evaluate_value(fitted.forecast(now, 30).tail(-1), month)


def test_intervals_enclose_the_estimate(world: World, fitted: ValueModel) -> None:
    then = world.labels(AS_OF, 90)
    forecasts = fitted.forecast(world.features(AS_OF), 90)
    for name, interval in value_intervals(forecasts, then, n_resamples=50).items():
        assert interval.low < evaluate_value(forecasts, then)[name] < interval.high


def test_what_the_trees_use_is_told(world: World, fitted: ValueModel) -> None:
    explained = fitted.explain(world.features(AS_OF))
    assert explained is not None
    largest = np.argsort(-np.abs(explained.contributions).mean(axis=0))[:10]
    assert "n_sessions_30d" in [explained.inputs[number] for number in largest]
