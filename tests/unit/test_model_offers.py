"""What offers bring: found where it is, shrunk where evidence is thin, not claimed where nothing was randomised."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from models.lessons.offers import METHODS, learn_offer_response, sensitivity_of
from models.offers import response
from models.offers.evidence import evidence_slopes, towards_zero
from models.offers.response import OfferModel, OfferResponse, PooledOffers
from models.offers.trials import FEATURES, with_features

START = datetime(2025, 1, 7, 10)
every_method = pytest.mark.parametrize("make", METHODS.values(), ids=METHODS.keys())


def _features(n: int, days: list[date]) -> pl.DataFrame:
    """Half of the customers buy all at a discount, half nothing."""
    saver = np.arange(n) % 2 == 0
    frame = pl.DataFrame(
        {
            "customer_id": [f"c{i:04d}" for i in range(n)],
            "n_orders": np.full(n, 20),
            "discount_share": np.where(saver, 1.0, 0.0),
            "revenue_total": np.full(n, 1_000.0),
            "margin_total": np.full(n, 400.0),
        }
    )
    absent = [name for name in FEATURES if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None, dtype=pl.Float64).alias(name) for name in absent)
    return frame.join(pl.DataFrame({"as_of": days}), how="cross")


def _sends(n: int, weeks: int, effect: float, seed: int = 3) -> pl.DataFrame:
    """Weekly mails, a quarter each with an offer; savers alone order more, by `effect` for 20 % and half of it for 10 %."""
    draw = np.random.default_rng(seed)
    customer = np.tile(np.arange(n), weeks)
    key = np.array(["none", "none", "percent_10", "percent_20"])[draw.integers(0, 4, n * weeks)]
    lift = effect * (customer % 2 == 0) * np.select([key == "percent_20", key == "percent_10"], [1.0, 0.5])
    won = draw.random(n * weeks) < lift
    return pl.DataFrame(
        {
            "message_id": [f"m{i}" for i in range(n * weeks)],
            "customer_id": [f"c{i:04d}" for i in customer],
            "as_of": date(2025, 12, 1),
            "sent_at": [START + timedelta(weeks=int(w)) for w in np.repeat(np.arange(weeks), n)],
            "message_key": "weekly",
            "offer_key": key,
            "propensity": np.where(key == "none", 0.5, 0.25),
            "horizon_days": 7,
            "is_ordered": won | (draw.random(n * weeks) < 0.05),
            "is_redeemed": won,
        }
    )


def _asked(
    features: pl.DataFrame, offer: str, percent: float = 20.0, fixed_cost: float = 0.0
) -> pl.DataFrame:
    newest = features.filter(pl.col("as_of") == pl.col("as_of").max())
    return newest.with_columns(
        offer_key=pl.lit(offer), percent=pl.lit(percent), fixed_cost=pl.lit(fixed_cost)
    )


@pytest.fixture(scope="module")
def features() -> pl.DataFrame:
    return _features(600, [date(2025, 1, 1), date(2025, 12, 1)])


@pytest.fixture(scope="module")
def rows(features: pl.DataFrame) -> pl.DataFrame:
    return with_features(_sends(600, 20, 0.12), features)


@every_method
def test_the_average_effect_is_found(
    make: type[OfferModel], rows: pl.DataFrame, features: pl.DataFrame
) -> None:
    model = make().fit(rows)
    assert model.predict(_asked(features, "percent_20"))["uplift_order"].mean() == pytest.approx(
        0.06, abs=0.02
    )
    assert model.predict(_asked(features, "none"))["uplift_order"].abs().max() == 0


def test_who_answers_is_told_from_who_does_not(rows: pl.DataFrame, features: pl.DataFrame) -> None:
    answer = OfferResponse().fit(rows).predict(_asked(features, "percent_20"))
    saver = features.filter(pl.col("as_of") == date(2025, 12, 1))["discount_share"].to_numpy() == 1
    effect = answer["uplift_order"].to_numpy()
    sensitivity = answer["sensitivity_rank"].to_numpy()
    assert effect[saver].mean() > 0.08
    assert effect[~saver].mean() < 0.04
    assert sensitivity[saver].min() > sensitivity[~saver].max()
    assert set(answer["basis"]) == {response.OWN}


def test_margin_is_net_of_what_redeemers_are_given(rows: pl.DataFrame, features: pl.DataFrame) -> None:
    model = PooledOffers().fit(rows)
    free, dear = (
        model.predict(_asked(features, "percent_20", percent, fixed))["uplift_margin"].mean()
        for percent, fixed in ((0.0, 0.0), (20.0, 5.0))
    )
    assert free == pytest.approx(20 * model.levels["percent_20"].shrunk)
    assert free - dear == pytest.approx(15 * 0.06, rel=0.25)  # type: ignore[operator]


def test_no_effect_is_shrunk_to_zero_and_said_to_be_thin(features: pl.DataFrame) -> None:
    model = PooledOffers().fit(with_features(_sends(300, 4, 0.0, seed=2), features))
    answer = model.predict(_asked(features, "percent_20"))
    assert answer["uplift_order"].abs().max() < 0.5 * abs(model.levels["percent_20"].effect) + 0.005  # type: ignore[operator]
    assert set(answer["basis"]) == {response.THIN}


@every_method
def test_nothing_is_claimed_without_randomised_sends(
    make: type[OfferModel], rows: pl.DataFrame, features: pl.DataFrame
) -> None:
    for model in (make().fit(rows.clear()), make().fit(rows.filter(pl.col("offer_key") == "none"))):
        answer = model.predict(_asked(features, "percent_20"))
        assert set(answer["basis"]) == {response.UNKNOWN}
        assert answer["uplift_order"].abs().sum() == 0
        assert answer["uplift_margin"].abs().sum() == 0


def test_features_are_those_from_before_the_send() -> None:
    late = _features(4, [date(2025, 2, 1)]).with_columns(n_orders=pl.lit(99))
    early = _features(4, [date(2025, 1, 1)])
    joined = with_features(_sends(4, 1, 0.0), pl.concat([late, early], how="vertical_relaxed"))
    assert set(joined["n_orders"]) == {20}
    assert with_features(_sends(4, 1, 0.0), late).is_empty()


def test_averages_no_larger_than_chance_are_not_kept() -> None:
    assert towards_zero([0.001, -0.001], [0.01, 0.01]).tolist() == [0, 0]
    kept = towards_zero([0.1, 0.1], [0.001, 0.05])
    assert kept[0] > 0.99 > kept[1] > 0


def test_slopes_stay_zero_where_data_speak_for_none() -> None:
    draw = np.random.default_rng(4)
    design = draw.normal(size=(2_000, 5))
    noise = np.ones(2_000)
    assert not evidence_slopes(design, draw.normal(size=2_000) * 0.9, noise).any()
    found = evidence_slopes(design, 0.5 * design[:, 1] + draw.normal(size=2_000), noise)
    assert found[1] == pytest.approx(0.5, abs=0.06)


def test_the_lesson_elects_a_method_that_tells_customers_apart(features: pl.DataFrame) -> None:
    lesson = learn_offer_response(_sends(600, 20, 0.12), features, None)
    assert lesson.verdict.winner != "pooled"
    assert set(lesson.comparison["method"]) == set(METHODS)
    assert lesson.winner.predict(lesson.example).height == lesson.example.height


def test_a_shop_without_randomised_offers_still_gets_a_lesson(features: pl.DataFrame) -> None:
    lesson = learn_offer_response(_sends(4, 1, 0.0).clear(), features, None)
    assert set(lesson.winner.predict(_asked(features, "percent_10"))["basis"]) == {response.UNKNOWN}


def test_a_lesson_shows_effects_and_what_they_rest_on(features: pl.DataFrame) -> None:
    lesson = learn_offer_response(_sends(600, 20, 0.12), features, None)
    assert set(lesson.figures) == {"comparison.png", "calibration.png", "gain.png", "importance.png"}
    assert lesson.tables["importance.csv"]["feature"][0] == "discount_share"
    assert lesson.tables["training_data.csv"]["sends"].sum() == 600 * 20


def test_savers_alone_are_another_shop(features: pl.DataFrame) -> None:
    lesson = learn_offer_response(_sends(600, 20, 0.12), features, None)
    asked = _asked(features, "none")
    savers = asked.filter(pl.col("discount_share") == 1)
    states = [
        set(lesson.references["scores"].compare(sensitivity_of(lesson.winner.predict(people)))["state"])
        for people in (asked, savers)
    ]
    assert states == [{"stable"}, {"alarm"}]
    moved = lesson.references["features"].compare(savers).filter(column="discount_share")
    assert moved["state"].item() == "alarm"
