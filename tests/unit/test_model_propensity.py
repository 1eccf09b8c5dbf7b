"""Purchase propensity by category: learnt from what happened, ranked by taste, a number for everybody."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from shelf_tables import CATEGORIES, Shelves, products

from models import propensity
from models.lessons.propensity import chances_of, learn_propensity, propensity_frame
from models.propensity import CategoryPropensity, evaluate_propensity, match_outcome, score_customers
from models.propensity_rules import (
    BASIS_NONE,
    BASIS_POPULATION,
    BASIS_PURCHASES,
    AffinityRule,
    CategoryRate,
)
from models.shelves import ShelfLimits, shelf_frame, with_labels

NOW = date(2025, 9, 1)
DAYS = [NOW - timedelta(days=30 * back) for back in range(6, -1, -1)]


@pytest.fixture(scope="module")
def shop() -> Shelves:
    return Shelves()


@pytest.fixture(scope="module")
def frame(shop: Shelves) -> pl.DataFrame:
    return propensity_frame(*shop.tables(DAYS))


@pytest.fixture(scope="module")
def scores(shop: Shelves, frame: pl.DataFrame) -> pl.DataFrame:
    model = CategoryPropensity().fit(frame)
    return score_customers(model, shop.customers(NOW), shop.interactions(NOW), products(NOW))


def test_it_beats_the_rate_of_the_category_on_the_future(shop: Shelves, frame: pl.DataFrame) -> None:
    asked = shelf_frame(shop.customers(NOW), shop.interactions(NOW), products(NOW))
    later = shop.labels(NOW)
    truth = with_labels(asked, later, 14, NOW + timedelta(days=14))
    figures = {
        model.name: evaluate_propensity(model().fit(frame).predict(asked), truth)
        for model in (CategoryRate, AffinityRule, CategoryPropensity)
    }
    assert figures["affinity_rule"]["log_loss"] < figures["category_rate"]["log_loss"]
    assert figures["category_propensity"]["log_loss"] < figures["category_rate"]["log_loss"]
    assert figures["category_propensity"]["auc_category"] > 0.75
    assert figures["category_propensity"]["ece_category"] < 0.03


def test_everybody_has_a_chance_at_every_category(shop: Shelves, scores: pl.DataFrame) -> None:
    whole = scores.filter(pl.col("subcategory").is_null())
    assert whole.height == 3 * shop.customers(NOW).height
    assert set(whole["category"]) == set(CATEGORIES)
    assert scores["p_purchase_14d"].is_between(0, 1, closed="none").all()
    assert scores.height == 3 * whole.height


def test_a_regular_buyer_of_a_category_is_likeliest_to_buy_it_again(
    shop: Shelves, scores: pl.DataFrame
) -> None:
    bought = shop.lines.join(products(NOW), on="product_id").filter(pl.col("ordered_on") < NOW)
    loyal = (
        bought.group_by("customer_id")
        .agg(pl.len(), pl.col("category").mode().first(), last=pl.col("ordered_on").max())
        .filter(pl.col("len") >= 6, pl.col("last") > NOW - timedelta(days=45))
    )
    assert loyal.height >= 10
    best = (
        scores.filter(pl.col("subcategory").is_null()).sort("p_purchase_14d").group_by("customer_id").last()
    )
    hits = loyal.join(best, on="customer_id", suffix="_best")
    assert (hits["category"] == hits["category_best"]).mean() > 0.9


def test_who_has_done_nothing_gets_what_all_buy(scores: pl.DataFrame) -> None:
    strangers = scores.filter(pl.col("basis") == BASIS_NONE, pl.col("subcategory").is_null())
    assert strangers.height > 0
    best = strangers.sort("p_purchase_14d").group_by("customer_id").last()
    assert (best["category"] == "Home").mean() > 0.9
    assert (scores["basis"] == BASIS_PURCHASES).any()


def test_without_profiling_the_answer_is_the_mean_whatever_was_done(
    shop: Shelves, frame: pl.DataFrame
) -> None:
    hidden = shop.customers(NOW).with_columns(has_behaviour=pl.lit(False))
    asked = shelf_frame(hidden, shop.interactions(NOW), products(NOW))
    answers = CategoryPropensity().fit(frame).predict(asked)
    assert set(answers["basis"]) == {BASIS_POPULATION}
    assert (
        answers.group_by("level", "shelf").agg(pl.col("p_purchase_14d").n_unique())["p_purchase_14d"].max()
        == 1
    )


def test_a_shop_without_labels_still_answers(shop: Shelves) -> None:
    tables = shop.tables([NOW - timedelta(days=1), NOW])
    young = propensity_frame(*tables[:3], tables[3].clear())
    assert young["bought"].null_count() == young.height
    lesson = learn_propensity(young, None)
    assert lesson.verdict.winner == "category_propensity"
    p = lesson.winner.predict(young.drop("bought"))["p_purchase_14d"]
    assert 0 < p.mean() < 0.5


@settings(max_examples=10)
@given(st.integers(1, 400))
def test_later_snapshots_change_no_row_of_earlier_ones(number: int) -> None:
    shop, later = Shelves(60), NOW + timedelta(days=number)
    alone = shelf_frame(shop.customers(NOW), shop.interactions(NOW), products(NOW))
    together = shelf_frame(
        pl.concat([shop.customers(NOW), shop.customers(later)]),
        pl.concat([shop.interactions(NOW), shop.interactions(later)]),
        pl.concat([products(NOW), products(later)]),
    )
    assert_frame_equal(together.filter(pl.col("as_of") == NOW), alone)


def test_a_window_that_is_not_over_has_no_label(shop: Shelves) -> None:
    days = [NOW - timedelta(days=14), NOW - timedelta(days=13), NOW]
    rows = with_labels(
        shelf_frame(
            *(
                pl.concat(t)
                for t in zip(
                    *((shop.customers(d), shop.interactions(d), products(d)) for d in days), strict=True
                )
            )
        ),
        shop.labels(days[0]),
        14,
    )
    unknown = rows.group_by("as_of").agg(pl.col("bought").null_count() == pl.len()).sort("as_of")["bought"]
    assert unknown.to_list() == [False, True, True]


def test_beyond_the_limit_only_what_he_has_been_seen_at(shop: Shelves) -> None:
    tables = shop.customers(NOW), shop.interactions(NOW), products(NOW)
    few = shelf_frame(*tables, ShelfLimits(categories=1, subcategories=0))
    everywhere = few.filter(pl.col("level") == "category", pl.col("shelf") == "Home")
    assert everywhere.height == tables[0].height
    assert few.filter(pl.col("shelf") != "Home")["own_weight"].min() > 0


def test_a_missing_prediction_is_named(frame: pl.DataFrame) -> None:
    predictions = CategoryRate().fit(frame).predict(frame).tail(3)
    with pytest.raises(ValueError, match="have no prediction"):
        match_outcome(predictions, frame)


def test_contributions_add_up_to_the_log_odds(shop: Shelves, frame: pl.DataFrame) -> None:
    model = CategoryPropensity().fit(frame)
    asked = shelf_frame(shop.customers(NOW), shop.interactions(NOW), products(NOW))
    explanation = model.explain(asked)
    assert explanation is not None
    p = model.predict(asked)["p_purchase_14d"].to_numpy()
    rest = np.log(p / (1 - p)) - explanation.contributions.sum(axis=1)
    inside = (p > 1e-3) & (p < 0.99)
    assert rest[inside] == pytest.approx(np.median(rest), abs=1e-4)


def test_a_lesson_carries_what_its_trees_rest_on(frame: pl.DataFrame) -> None:
    lesson = learn_propensity(frame, None)
    assert {"calibration.png", "lift.png", "comparison.png", "importance.png", "contributions.png"} == set(
        lesson.figures
    )
    importance = dict(lesson.tables["importance.csv"].select("feature", "importance").iter_rows())
    assert importance["prior_share"] > 0.005
    assert importance["price_position"] == 0
    assert lesson.tables["contributions.csv"]["input"][0] == "base_log_odds"
    assert lesson.tables["training_data.csv"]["role"].to_list()[-2:] == [
        "holdout, then learnt from",
        "where customers stand",
    ]


def test_the_day_of_training_has_not_drifted_but_a_day_of_strangers_has(
    shop: Shelves, frame: pl.DataFrame
) -> None:
    lesson = learn_propensity(frame, None)
    customers = shop.customers(NOW)
    scores = score_customers(lesson.winner, customers, shop.interactions(NOW), products(NOW))
    strangers = score_customers(lesson.winner, customers, shop.interactions(NOW).clear(), products(NOW))
    features, answers = (lesson.references[part] for part in ("features", "scores"))
    assert set(features.compare(customers)["state"]) == {"stable"}
    assert set(answers.compare(chances_of(scores))["state"]) == {"stable"}
    assert "alarm" in set(answers.compare(chances_of(strangers))["state"])


def test_customers_are_answered_part_by_part_from_what_they_did_themselves(
    shop: Shelves, frame: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, customers = AffinityRule().fit(frame), shop.customers(NOW).head(50)
    whole = score_customers(model, customers, shop.interactions(NOW), products(NOW))
    read = []

    def shelves(part: pl.DataFrame, own: pl.DataFrame, goods: pl.DataFrame) -> pl.DataFrame:
        assert own.join(part, on="customer_id", how="anti").is_empty()
        read.append(own)
        return shelf_frame(part, own, goods)

    monkeypatch.setattr(propensity, "CUSTOMERS_PER_PART", 20)
    monkeypatch.setattr(propensity, "shelf_frame", shelves)
    parts = score_customers(model, customers.reverse(), shop.interactions(NOW), products(NOW))
    assert_frame_equal(parts, whole, check_exact=True)
    own = shop.interactions(NOW).join(customers, on="customer_id", how="semi")
    assert len(read) == 3 and pl.concat(read).height == own.height


def test_sensitive_products_are_on_no_shelf_and_teach_nothing(shop: Shelves) -> None:
    """All of Toys, and one product of Garden."""
    is_sensitive = (pl.col("category") == "Toys") | (pl.col("product_id") == "p00")
    marked = products(NOW).with_columns(is_sensitive=is_sensitive)
    customers, seen = shop.customers(NOW), shop.interactions(NOW)
    frame = shelf_frame(customers, seen, marked)
    assert set(frame["category"]) == {"Garden", "Home"}
    hidden = marked.filter("is_sensitive")
    never = seen.join(hidden, on="product_id", how="anti")
    assert never.height < seen.height
    assert_frame_equal(frame, shelf_frame(customers, never, marked.filter(~pl.col("is_sensitive"))))
