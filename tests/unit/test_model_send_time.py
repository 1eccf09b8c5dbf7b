"""The hours people read their mail: found where they can be, stated as a prior where they cannot."""

import io
import pickle
from datetime import datetime, time, timedelta
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from models.evaluation.send_time import evaluate_send_time, send_probabilities, split_sends_at
from models.model import MissingFeatureError, NotFittedError
from models.reading import HOURS
from models.send_time import (
    COUNTS,
    FEATURES,
    SENDS,
    SendTimeModel,
    hours_from_sends,
    send_hour_profile,
)
from models.send_time_rules import BaseRate, BestHour90d, MostFrequentHour, PopulationCurve

START = datetime.fromisoformat("2025-01-06T00:00:00")
MODELS = (BaseRate, PopulationCurve, MostFrequentHour, BestHour90d, SendTimeModel)
every_model = pytest.mark.parametrize("model", MODELS, ids=lambda one: one.name)


@cache
def world(n_customers: int = 600, n_weeks: int = 40) -> pl.DataFrame:
    """Sends at random hours to early (c, even) and late (odd) readers, some keen and some not; open rate near 0.2."""
    generator = np.random.default_rng(11)
    customer = np.repeat(np.arange(n_customers), n_weeks)
    clock = generator.integers(6, 22, len(customer))
    day = generator.integers(0, 7, len(customer))
    usual = np.where(customer % 2 == 0, 8, 20)
    keen = generator.normal(-1.9, 0.8, n_customers)[customer]
    log_odds = keen + 1.5 * np.exp(-0.5 * ((clock - usual) / 2.0) ** 2)
    week = np.tile(np.arange(n_weeks), n_customers)
    return pl.DataFrame(
        {
            "customer_id": [f"c{number:03d}" for number in customer],
            "hour_of_week": (day * 24 + clock).astype(np.int16),
            "is_human_open_24h": generator.random(len(customer)) < 1 / (1 + np.exp(-log_odds)),
            "sent_at": [
                START + timedelta(weeks=int(w), days=int(d), hours=int(h))
                for w, d, h in zip(week, day, clock, strict=True)
            ],
        }
    )


def make_customers(*ids: str) -> pl.DataFrame:
    return pl.DataFrame({"customer_id": list(ids)}, schema={"customer_id": pl.String})


def make_hours(*rows: tuple[str, int, dict[str, int]]) -> pl.DataFrame:
    """feat_send_hours from (customer, hour of week, counts)."""
    schema = {"customer_id": pl.String, "hour_of_week": pl.Int16} | dict.fromkeys(COUNTS, pl.Int32)
    return pl.DataFrame(
        [
            {"customer_id": customer, "hour_of_week": hour} | dict.fromkeys(COUNTS, 0) | counts
            for customer, hour, counts in rows
        ],
        schema=schema,
    )


def profile(sends: pl.DataFrame, *extra: str) -> pl.DataFrame:
    customers = sends.select("customer_id").unique().sort("customer_id")
    return send_hour_profile(pl.concat([customers, make_customers(*extra)]), hours_from_sends(sends))


def curves(predictions: pl.DataFrame) -> Any:
    return predictions["p_open_by_hour"].cast(pl.Array(pl.Float64, HOURS)).to_numpy()


def no_sends() -> pl.DataFrame:
    return world().clear()


def days_before_the_end(days: int) -> datetime:
    newest = world()["sent_at"].max()
    assert isinstance(newest, datetime)
    return datetime.combine(newest.date(), time.min) - timedelta(days=days)


@cache
def scores() -> dict[str, dict[str, float]]:
    split = split_sends_at(world(), days_before_the_end(70))
    assert split is not None
    opens = split.train.filter("is_human_open_24h").group_by("customer_id", "hour_of_week").len("n_opens")
    hours = (
        hours_from_sends(split.train)
        .drop("n_opens")
        .join(opens, on=["customer_id", "hour_of_week"], how="left")
        .with_columns(pl.col("n_opens").fill_null(0))
    )
    asked = send_hour_profile(split.train.select("customer_id").unique().sort("customer_id"), hours)
    return {
        model.name: evaluate_send_time(model().fit(split.train).predict(asked), split.test)
        for model in MODELS
    }


@pytest.mark.parametrize("baseline", ["base_rate", "population_curve", "most_frequent_hour", "best_hour_90d"])
def test_the_model_beats_every_rule_on_later_sends(baseline: str) -> None:
    assert scores()["send_time"]["log_loss"] < scores()[baseline]["log_loss"] - 0.005
    assert scores()["send_time"]["brier"] < scores()[baseline]["brier"]
    assert scores()["send_time"]["auc"] > scores()[baseline]["auc"] + 0.02


def test_early_readers_get_the_morning_and_late_ones_the_evening() -> None:
    p = curves(SendTimeModel().fit(world()).predict(profile(world()))).reshape(-1, 7, 24).mean(axis=1)
    best = p[:, 6:22].argmax(axis=1) + 6
    early, late = best[0::2], best[1::2]
    assert np.mean(np.abs(early - 8) <= 3) > 0.65
    assert np.mean(np.abs(late - 20) <= 3) > 0.65


def test_the_level_is_calibrated() -> None:
    predictions = SendTimeModel().fit(world()).predict(profile(world()))
    mean = send_probabilities(predictions, world()).mean()
    assert mean == pytest.approx(world()["is_human_open_24h"].mean(), abs=0.01)


def test_a_stranger_gets_the_population_curve() -> None:
    result = SendTimeModel().fit(world()).predict(profile(world(), "stranger"))
    common = PopulationCurve().fit(world()).predict(profile(world(), "stranger"))
    np.testing.assert_allclose(curves(result)[-1], curves(common)[-1], rtol=1e-5)
    assert result.row(-1)[2:] == (0, "population")
    assert result.row(0)[2:] == (40, "own sends")


def test_visits_move_a_stranger_towards_his_hours_and_leave_his_level() -> None:
    hours = make_hours(*(("owl", day * 24 + 22, {"n_visits": 5}) for day in range(7)))
    model = SendTimeModel().fit(world())
    owl, stranger = curves(model.predict(send_hour_profile(make_customers("owl", "stranger"), hours)))
    assert owl[22] > stranger[22]
    assert owl[10] < stranger[10]
    assert owl.mean() == pytest.approx(stranger.mean(), rel=0.25)
    basis = model.predict(send_hour_profile(make_customers("owl"), hours))["basis"].item()
    assert basis == "own visits: no sends yet"
    mailed = make_hours(
        ("mute", 33, {"n_sent": 9}), ("idle", 33, {"n_sent": 9}), ("idle", 70, {"n_visits": 4})
    )
    found = model.predict(send_hour_profile(make_customers("mute", "idle"), mailed))["basis"].to_list()
    assert found == ["own sends: none opened", "own visits: no mail opened"]


def test_a_shop_without_sends_answers_with_its_stated_prior() -> None:
    hours = make_hours(("owl", 22, {"n_visits": 30}), ("owl", 46, {"n_visits": 30}))
    asked = send_hour_profile(make_customers("owl", "stranger"), hours)
    blind = SendTimeModel().fit(no_sends()).predict(asked.tail(1))
    assert blind["basis"].to_list() == ["prior"]
    assert curves(blind).mean() == pytest.approx(0.20, abs=0.01)
    assert curves(blind)[0].argmax() == 8
    seen = SendTimeModel().fit(no_sends(), hours).predict(asked)
    assert seen["basis"].to_list() == ["visits: no sends yet", "prior"]
    before_his_visits = (20, 21, 22)
    assert curves(seen)[0].argmax() % 24 in before_his_visits
    assert curves(seen)[1].argmax() % 24 in before_his_visits


@every_model
def test_every_model_gives_the_same_frame_in_the_order_asked(model: Any) -> None:
    asked = profile(world(), "stranger").sample(fraction=1.0, shuffle=True, seed=2)
    result = model().fit(world()).predict(asked)
    assert result.schema == {
        "customer_id": pl.String,
        "p_open_by_hour": pl.List(pl.Float32),
        "n_sends": pl.Int64,
        "basis": pl.String,
    }
    assert result["customer_id"].to_list() == asked["customer_id"].to_list()
    assert ((curves(result) > 0) & (curves(result) < 1)).all()
    assert result.null_count().sum_horizontal().item() == 0


def test_a_thousand_customers_weeks_are_small_on_disk() -> None:
    predictions = SendTimeModel().fit(world()).predict(profile(world()))
    on_disk = io.BytesIO()
    predictions.write_parquet(on_disk)
    assert on_disk.tell() / predictions.height < 300
    assert predictions["p_open_by_hour"].dtype == pl.List(pl.Float32)


@every_model
def test_a_customers_answer_does_not_depend_on_who_else_is_asked(model: Any) -> None:
    fitted = model().fit(world())
    asked = profile(world(), "stranger")
    assert_frame_equal(fitted.predict(asked).tail(3), fitted.predict(asked.tail(3)))


@every_model
def test_an_empty_question_has_an_empty_answer(model: Any) -> None:
    fitted = model().fit(world())
    asked = profile(world())
    assert fitted.predict(asked.clear()).schema == fitted.predict(asked).schema


@every_model
def test_it_can_be_fitted_on_nothing(model: Any) -> None:
    result = model().fit(no_sends()).predict(send_hour_profile(make_customers("ann"), make_hours()))
    assert curves(result).mean() == pytest.approx(0.20, abs=0.01)


@every_model
def test_it_survives_pickling_whole_and_repeats_itself(model: Any) -> None:
    fitted, again = model().fit(world()), model().fit(world())
    asked = profile(world())
    copy = pickle.loads(pickle.dumps(fitted))
    assert_frame_equal(copy.predict(asked), fitted.predict(asked), check_exact=True)
    assert_frame_equal(again.predict(asked), fitted.predict(asked), check_exact=True)


@every_model
def test_missing_columns_are_named(model: Any) -> None:
    for feature in FEATURES:
        with pytest.raises(MissingFeatureError, match=feature):
            model().fit(world()).predict(profile(world()).drop(feature))
    for column in SENDS:
        with pytest.raises(MissingFeatureError, match=column):
            model().fit(world().drop(column))
    with pytest.raises(NotFittedError, match=model.name):
        model().predict(profile(world()))


@pytest.mark.parametrize("hour", [-1, 168, None])
def test_an_hour_outside_the_week_is_refused(hour: int | None) -> None:
    wrong = world().with_columns(hour_of_week=pl.lit(hour, pl.Int16))
    with pytest.raises(ValueError, match=r"0\.\.167"):
        SendTimeModel().fit(wrong)


def test_the_profile_counts_every_hour_once() -> None:
    hours = make_hours(
        ("b", 5, {"n_sent": 2, "n_opens": 1}), ("a", 167, {"n_visits": 3}), ("z", 1, {"n_sent": 9})
    )
    table = send_hour_profile(make_customers("a", "b", "c"), hours)
    totals = {
        feature: table[feature].arr.sum().to_list() for feature in ("n_sent_by_hour", "n_visits_by_hour")
    }
    assert totals == {"n_sent_by_hour": [0.0, 2.0, 0.0], "n_visits_by_hour": [3.0, 0.0, 0.0]}
    assert table["n_sent_by_hour"][1][5] == 2.0


def test_the_split_keeps_open_windows_out_of_training() -> None:
    split = split_sends_at(world(), days_before_the_end(30))
    assert split is not None
    assert split.train["sent_at"].max() <= split.cut - timedelta(hours=24)
    assert split.test["sent_at"].min() >= split.cut
    assert split_sends_at(world(), days_before_the_end(10_000)) is None
    assert split_sends_at(no_sends(), START) is None


def test_sends_to_people_without_a_prediction_are_an_error() -> None:
    predictions = SendTimeModel().fit(world()).predict(profile(world()).head(3))
    with pytest.raises(ValueError, match="without a prediction"):
        send_probabilities(predictions, world())


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 167), st.integers(0, 30), st.integers(0, 30)), max_size=15),
    st.integers(0, 167),
)
def test_one_more_open_raises_the_customers_level_and_all_are_probabilities(
    sent: list[tuple[int, int, int]], hour: int
) -> None:
    rows = [
        ("ann", at, {"n_sent": max(n, k), "n_opened_24h": min(n, k), "n_visits": k})
        for at, n, k in {at: (at, n, k) for at, n, k in sent}.values()
    ]
    model = _model()
    before = curves(model.predict(send_hour_profile(make_customers("ann"), make_hours(*rows))))[0]
    opened = send_hour_profile(
        make_customers("ann"), make_hours(*rows, ("ann", hour, {"n_sent": 1, "n_opened_24h": 1}))
    )
    after = curves(model.predict(opened))[0]
    assert ((before > 0) & (before < 1)).all()
    assert after.mean() >= before.mean() - 1e-3
    assert after[hour] >= before[hour] - 0.02


@cache
def _model() -> SendTimeModel:
    return SendTimeModel().fit(world())


def test_a_rule_that_keeps_customers_lets_go_of_one_and_of_nobody_else() -> None:
    rule = BestHour90d().fit(world())
    assert {"c000", "c001"} <= rule.customers()
    without = rule.without({"c000"})
    assert without.customers() == rule.customers() - {"c000"}
    assert b"c000" not in pickle.dumps(without)
    asked = profile(world().filter(pl.col("customer_id") != "c000"))
    assert_frame_equal(without.predict(asked), rule.predict(asked))
    stranger = without.predict(profile(world().filter(pl.col("customer_id") == "c000")))
    assert stranger["basis"].to_list() == ["population"]
    assert BestHour90d().without({"c000"}).customers() == frozenset()
