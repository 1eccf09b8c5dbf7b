"""Every recommender on a shop whose right answer is known, and the rules all of them keep."""

import pickle
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scipy.sparse import csr_matrix

from models.lessons import products as products_lesson
from models.lessons.products import CRITERION, learn_recommendations, sources_of
from models.model import MissingFeatureError, NotFittedError
from models.recommend import (
    Als,
    Blend,
    BuyAgain,
    Ease,
    ItemNeighbours,
    Popular,
    Ranker,
    SlotRules,
    Snapshot,
    evaluate,
    evaluate_recommendations,
    snapshots_by_date,
)
from models.recommend import lists as lists_module
from models.recommend import ranker as ranker_module
from models.recommend.blocks import top_mask
from models.recommend.candidates import RetrievalParams, retrieval
from models.recommend.content import likeness, term_vectors
from models.recommend.diversity import less_alike, list_diversity
from models.recommend.ease import EaseParams, item_weights
from models.recommend.features import FEATURES, candidate_features, feature_matrix
from models.recommend.importance import explained, list_importance
from models.recommend.lists import Sampling, drawn_lists, joined, labelled_lists
from models.recommend.mail_slots import SLOTS, lists_and_slots, mail_slots
from models.recommend.ordering import OrderingParams
from models.recommend.ranker import KEPT_BATCHES, RankerParams, scored_candidates
from models.recommend.served import ServedRecommender
from models.recommend.snapshot import INTERACTION_COLUMNS

AS_OF = date(2025, 6, 1)
EARLIER = date(2025, 5, 1)
SOURCES = {"buy_again", "bought_together", "similar", "for_you", "recently_viewed", "popular"}


def make_products(ids: list[str], as_of: date = AS_OF, **columns: Any) -> pl.DataFrame:
    """A catalogue; columns given override one value for all or a list."""
    values: dict[str, Any] = {
        "as_of": as_of,
        "name": None,
        "category": None,
        "subcategory": None,
        "brand": None,
        "price": 10.0,
        "is_available": True,
        "is_sensitive": False,
        "is_consumable": False,
        "units_30d": 0,
        "buyers_30d": list(range(len(ids), 0, -1)),
        "buyers_90d": 1,
        "season_buyers": 0,
        "views_30d": 0,
        "median_repurchase_days": None,
    } | columns
    lists = {name: value for name, value in values.items() if isinstance(value, list)}
    single = {name: value for name, value in values.items() if not isinstance(value, list)}
    return (
        pl.DataFrame({"product_id": ids} | lists)
        .with_columns(pl.lit(value).alias(name) for name, value in single.items())
        .with_columns(
            pl.col("name", "category", "subcategory", "brand").cast(pl.String),
            pl.col("median_repurchase_days").cast(pl.Float64),
        )
    )


def make_interactions(bought: list[tuple[str, str, float]], as_of: date = AS_OF) -> pl.DataFrame:
    """Purchases as (customer, product, days ago)."""
    midnight = datetime.combine(as_of, time())
    rows = [
        {
            "customer_id": customer,
            "product_id": product,
            "as_of": as_of,
            "n_purchases": 1,
            "n_units": 1,
            "n_views": 0,
            "n_carts": 0,
            "n_season_purchases": 0,
            "first_purchased_at": midnight - timedelta(days=days),
            "last_purchased_at": midnight - timedelta(days=days),
            "last_viewed_at": None,
            "fast_purchase_weight": 0.5 ** (days / 30),
            "purchase_weight": 0.5 ** (days / 90),
            "view_weight": 0.0,
            "weight": 0.5 ** (days / 90),
        }
        for customer, product, days in bought
    ]
    schema = {
        "customer_id": pl.String,
        "product_id": pl.String,
        "as_of": pl.Date,
        "n_purchases": pl.Int32,
        "n_units": pl.Int32,
        "n_views": pl.Int32,
        "n_carts": pl.Int32,
        "n_season_purchases": pl.Int32,
        "first_purchased_at": pl.Datetime("us"),
        "last_purchased_at": pl.Datetime("us"),
        "last_viewed_at": pl.Datetime("us"),
        "fast_purchase_weight": pl.Float64,
        "purchase_weight": pl.Float64,
        "view_weight": pl.Float64,
        "weight": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema)


def make_pairs(pairs: list[tuple[str, str]], as_of: date = AS_OF) -> pl.DataFrame:
    """Both directions of products bought together, five times each."""
    both = [*pairs, *((other, product) for product, other in pairs)]
    return pl.DataFrame(
        {
            "product_id": [product for product, _ in both],
            "other_product_id": [other for _, other in both],
            "as_of": [as_of] * len(both),
            "n_orders_together": [5] * len(both),
            "lift": [4.0] * len(both),
        },
        schema={
            "product_id": pl.String,
            "other_product_id": pl.String,
            "as_of": pl.Date,
            "n_orders_together": pl.Int32,
            "lift": pl.Float64,
        },
    )


def make_customers(*ids: str) -> pl.DataFrame:
    return pl.DataFrame({"customer_id": list(ids)}, schema={"customer_id": pl.String})


@cache
def two_tastes(as_of: date = AS_OF) -> Snapshot:
    """Even customers buy even products, odd ones odd products; each lacks exactly one of his own kind: p<his number>."""
    ids = [f"p{number:02d}" for number in range(20)]
    bought = [
        (f"c{customer:02d}", product, 10.0 + customer)
        for customer in range(20)
        for number, product in enumerate(ids)
        if number % 2 == customer % 2 and number != customer
    ]
    pairs = [(a, b) for i, a in enumerate(ids) for j, b in enumerate(ids) if i < j and i % 2 == j % 2]
    return Snapshot(
        as_of,
        make_interactions(bought, as_of),
        make_products(ids, as_of, buyers_30d=9, median_repurchase_days=None),
        make_pairs(pairs, as_of),
    )


def missing_purchases(as_of: date) -> pl.DataFrame:
    """What each customer of `two_tastes` buys next: the product he lacks."""
    return pl.DataFrame(
        {
            "customer_id": [f"c{number:02d}" for number in range(20)],
            "product_id": [f"p{number:02d}" for number in range(20)],
            "as_of": [as_of] * 20,
            "n_purchases": [1] * 20,
        }
    )


SHORT = OrderingParams(n_rounds=30, ranking_rounds=30, min_child_weight=0.1)
RANKER = Ranker(params=RankerParams(ordering=SHORT, min_lists=10))
EASE = Ease(params=EaseParams(ridge=10.0))
RECOMMENDERS = (Popular(), BuyAgain(), ItemNeighbours(), Als(), EASE, Blend(), RANKER)
WITH_TASTE = tuple(
    recommender for recommender in RECOMMENDERS if recommender.name not in ("popular", "buy_again")
)

every_recommender = pytest.mark.parametrize("recommender", RECOMMENDERS, ids=lambda one: one.name)


@cache
def _fitted_ranker() -> Ranker:
    return replace(RANKER).fit([two_tastes(EARLIER)], missing_purchases(EARLIER))


def fitted(recommender: Any, **rules: Any) -> Any:
    """The recommender after training on the earlier snapshot, under the rules."""
    if isinstance(recommender, Ranker):
        return replace(_fitted_ranker(), rules=SlotRules(**rules))
    learnt = replace(recommender, rules=SlotRules(**rules))
    return learnt.fit([two_tastes(EARLIER)], missing_purchases(EARLIER))


@pytest.mark.parametrize("recommender", WITH_TASTE, ids=lambda one: one.name)
def test_the_product_a_customer_of_this_taste_lacks_comes_first(recommender: Any) -> None:
    lists = fitted(recommender, n=1, is_new_only=True).predict(
        two_tastes(), make_customers(*(f"c{number:02d}" for number in range(20)))
    )
    assert lists["product_id"].to_list() == [f"p{number:02d}" for number in range(20)]
    assert set(lists["source"]) <= {"bought_together", "similar", "for_you"}


def test_buy_again_puts_the_recent_purchase_before_the_old_one() -> None:
    snapshot = Snapshot(
        AS_OF,
        make_interactions([("ann", "old", 200), ("ann", "recent", 3)]),
        make_products(["old", "recent", "hit"], buyers_30d=[1, 1, 50]),
        make_pairs([]),
    )
    lists = BuyAgain().fit([], pl.DataFrame()).predict(snapshot, make_customers("ann"))
    assert lists["product_id"].to_list() == ["recent", "old", "hit"]
    assert lists["source"].to_list() == ["buy_again", "buy_again", "popular"]


def test_a_viewed_product_is_called_recently_viewed() -> None:
    interactions = make_interactions([("ann", "shoe", 5), ("bob", "shoe", 5)])
    viewed = interactions.filter(pl.col("customer_id") == "ann").with_columns(
        product_id=pl.lit("sock"),
        n_purchases=pl.lit(0, pl.Int32),
        n_units=pl.lit(0, pl.Int32),
        n_views=pl.lit(3, pl.Int32),
        first_purchased_at=pl.lit(None, pl.Datetime("us")),
        last_purchased_at=pl.lit(None, pl.Datetime("us")),
        last_viewed_at=pl.lit(datetime.combine(date(2025, 5, 30), time())),
        fast_purchase_weight=0.0,
        purchase_weight=0.0,
        view_weight=2.0,
        weight=0.4,
    )
    snapshot = Snapshot(
        AS_OF, pl.concat([interactions, viewed]), make_products(["shoe", "sock"]), make_pairs([])
    )
    for recommender in (Blend(), replace(fitted(RANKER))):
        lists = recommender.predict(snapshot, make_customers("ann"))
        sources = dict(zip(lists["product_id"], lists["source"], strict=True))
        assert sources == {"shoe": "buy_again", "sock": "recently_viewed"}


@every_recommender
def test_the_frame_is_the_same_for_every_recommender(recommender: Any) -> None:
    lists = fitted(recommender).predict(two_tastes(), make_customers("c03", "nobody", "c00"))
    assert lists.schema == {
        "customer_id": pl.String,
        "rank": pl.Int32,
        "product_id": pl.String,
        "score": pl.Float64,
        "source": pl.String,
    }
    assert lists["customer_id"].to_list() == ["c00"] * 10 + ["c03"] * 10 + ["nobody"] * 10
    assert lists["rank"].to_list() == list(range(1, 11)) * 3
    assert lists.is_duplicated().sum() == 0
    assert lists.select("customer_id", "product_id").is_duplicated().sum() == 0
    falling = lists.select((pl.col("score").diff() <= 0).over("customer_id").drop_nulls())
    assert falling.to_series().drop_nulls().all()
    assert set(lists["source"]) <= SOURCES
    assert lists["score"].is_finite().all()


@every_recommender
def test_nobody_is_shown_what_is_sold_out_or_sensitive(recommender: Any) -> None:
    snapshot = two_tastes()
    products = snapshot.products.with_columns(
        is_available=~pl.col("product_id").is_in(["p02", "p04"]),
        is_sensitive=pl.col("product_id").is_in(["p05", "p07"]),
    )
    closed = replace(snapshot, products=products)
    lists = fitted(recommender, n=20).predict(closed, make_customers("c00", "c01", "nobody"))
    assert not set(lists["product_id"]) & {"p02", "p04", "p05", "p07"}
    assert lists.group_by("customer_id").len()["len"].to_list() == [16, 16, 16]


@every_recommender
def test_a_customer_without_history_gets_what_is_popular(recommender: Any) -> None:
    snapshot = two_tastes()
    busy = replace(snapshot, products=make_products(snapshot.products["product_id"].to_list()))
    lists = fitted(recommender, n=3).predict(busy, make_customers("nobody"))
    assert lists["product_id"].to_list() == ["p00", "p01", "p02"]
    assert lists["source"].to_list() == ["popular"] * 3
    assert lists["score"].to_list() == pytest.approx([1.0, 0.95, 0.9])


@every_recommender
def test_a_customers_list_does_not_depend_on_who_else_is_asked(recommender: Any) -> None:
    model = fitted(recommender)
    together = model.predict(two_tastes(), make_customers("c00", "c01", "c02", "nobody"))
    alone = model.predict(two_tastes(), make_customers("c02"))
    assert_frame_equal(together.filter(pl.col("customer_id") == "c02"), alone)


@every_recommender
def test_the_order_of_rows_changes_nothing(recommender: Any) -> None:
    snapshot = two_tastes()
    shuffled = Snapshot(
        AS_OF,
        snapshot.interactions.sample(fraction=1.0, shuffle=True, seed=4),
        snapshot.products.sample(fraction=1.0, shuffle=True, seed=5),
        snapshot.pairs.sample(fraction=1.0, shuffle=True, seed=6),
    )
    customers = make_customers("c05", "c02", "nobody")
    model = fitted(recommender)
    assert_frame_equal(
        model.predict(snapshot, customers), model.predict(shuffled, customers.reverse()), check_exact=True
    )


@every_recommender
def test_it_survives_pickling_and_keeps_its_answers(recommender: Any) -> None:
    model = fitted(recommender)
    copy = pickle.loads(pickle.dumps(model))
    customers = make_customers("c05", "c02")
    assert_frame_equal(
        copy.predict(two_tastes(), customers), model.predict(two_tastes(), customers), check_exact=True
    )


@every_recommender
def test_an_empty_question_and_an_empty_shop_have_empty_answers(recommender: Any) -> None:
    model = fitted(recommender)
    answer = model.predict(two_tastes(), make_customers("c00"))
    assert model.predict(two_tastes(), make_customers()).schema == answer.schema
    assert model.predict(two_tastes(), make_customers()).is_empty()
    nothing = Snapshot(
        AS_OF,
        make_interactions([]),
        make_products([]).cast({"product_id": pl.String, "buyers_30d": pl.Int64}),
        make_pairs([]),
    )
    assert model.predict(nothing, make_customers("c00")).is_empty()


@every_recommender
def test_a_shop_with_products_and_no_history_shows_the_catalogue(recommender: Any) -> None:
    opening = Snapshot(AS_OF, make_interactions([]), make_products(["a", "b"], buyers_30d=0), make_pairs([]))
    lists = fitted(recommender).predict(opening, make_customers("ann"))
    assert lists["product_id"].to_list() == ["a", "b"]


def test_the_ranker_learns_twice_the_same() -> None:
    first, second = (
        replace(RANKER, ordering=None, n_lists=None).fit([two_tastes(EARLIER)], missing_purchases(EARLIER))
        for _ in range(2)
    )
    customers = make_customers("c00", "c01")
    assert_frame_equal(
        first.predict(two_tastes(), customers), second.predict(two_tastes(), customers), check_exact=True
    )


def test_the_ranker_stands_on_the_blend_rule_while_labels_are_few() -> None:
    model = Ranker().fit([two_tastes(EARLIER)], missing_purchases(EARLIER))
    assert model.n_lists == 20
    assert model.basis == "blend rule: too few labels"
    customers = make_customers("c00", "nobody")
    assert_frame_equal(model.predict(two_tastes(), customers), Blend().predict(two_tastes(), customers))
    assert _fitted_ranker().basis == "learnt ranking"


def test_the_ranker_reads_only_labels_of_its_snapshots() -> None:
    later = missing_purchases(AS_OF)
    model = Ranker().fit([two_tastes(EARLIER)], later)
    assert model.n_lists == 0


def test_a_ratio_to_nothing_is_unknown_to_the_ranker() -> None:
    row = pl.DataFrame({feature: [1.0, float("inf"), None, float("nan")] for feature in FEATURES})
    matrix = feature_matrix(row)
    assert np.isfinite(matrix[0]).all()
    assert np.isnan(matrix[1:]).all()


def test_an_unfitted_ranker_says_so() -> None:
    with pytest.raises(NotFittedError, match="ranker"):
        Ranker().predict(two_tastes(), make_customers("c00"))


def test_a_category_fills_at_most_its_share_while_there_are_others() -> None:
    ids = [f"p{number}" for number in range(8)]
    snapshot = Snapshot(
        AS_OF,
        make_interactions([("ann", product, 1.0 + n) for n, product in enumerate(ids)]),
        make_products(ids, category=["tea"] * 6 + ["cup"] * 2),
        make_pairs([]),
    )
    ann = make_customers("ann")
    free = BuyAgain(rules=SlotRules(n=4)).predict(snapshot, ann)
    assert free["product_id"].to_list() == ["p0", "p1", "p2", "p3"]
    varied = BuyAgain(rules=SlotRules(n=4, max_category_share=0.5)).predict(snapshot, ann)
    assert varied["product_id"].to_list() == ["p0", "p1", "p6", "p7"]
    longer = BuyAgain(rules=SlotRules(n=6, max_category_share=0.5)).predict(snapshot, ann)
    assert longer["product_id"].to_list() == ["p0", "p1", "p2", "p3", "p6", "p7"]


@pytest.mark.parametrize(("n", "share", "word"), [(0, 1.0, "n must"), (5, 0.0, "max_category_share")])
def test_impossible_slot_rules_are_refused(n: int, share: float, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        SlotRules(n=n, max_category_share=share)
    with pytest.raises(ValueError, match="diversity"):
        SlotRules(diversity=-0.1)


def test_a_snapshot_names_the_columns_it_lacks() -> None:
    snapshot = two_tastes()
    for column in INTERACTION_COLUMNS:
        with pytest.raises(MissingFeatureError, match=column):
            replace(snapshot, interactions=snapshot.interactions.drop(column))
    with pytest.raises(MissingFeatureError, match="lift"):
        replace(snapshot, pairs=snapshot.pairs.drop("lift"))


def test_a_snapshot_refuses_rows_of_another_date() -> None:
    with pytest.raises(ValueError, match="2025-05-01"):
        replace(two_tastes(), products=two_tastes(EARLIER).products)


def test_frames_of_several_dates_become_one_snapshot_each() -> None:
    frames = [two_tastes(AS_OF), two_tastes(EARLIER)]
    snapshots = snapshots_by_date(
        pl.concat([one.interactions for one in frames]),
        pl.concat([one.products for one in frames]),
        pl.concat([one.pairs for one in frames]),
    )
    assert [one.as_of for one in snapshots] == [EARLIER, AS_OF]
    assert_frame_equal(snapshots[1].interactions, two_tastes().interactions)


def test_evaluation_counts_hits_among_customers_with_history() -> None:
    labels = pl.concat(
        [
            missing_purchases(AS_OF).head(2),
            pl.DataFrame(
                {"customer_id": ["stranger"], "product_id": ["p00"], "as_of": [AS_OF], "n_purchases": [1]}
            ),
        ]
    )
    scores = evaluate_recommendations(ItemNeighbours(), two_tastes(), labels)
    assert scores.metrics["n_customers"] == 2
    assert scores.metrics["recall_20"] == 1.0
    assert scores.metrics["new_ndcg_10"] == 1.0
    assert scores.metrics["ndcg_10"] == pytest.approx(1 / np.log2(11))
    assert scores.metrics["coverage_10"] == 1.0
    assert scores.per_customer["customer_id"].to_list() == ["c00", "c01"]


def test_many_customers_are_judged_in_parts_each_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ranker, labels = _fitted_ranker(), missing_purchases(AS_OF)
    whole = evaluate_recommendations(ranker, two_tastes(), labels)
    monkeypatch.setattr(evaluate, "CUSTOMERS_AT_ONCE", 3)
    scored_candidates.cache_clear()
    parts = evaluate_recommendations(ranker, two_tastes(), labels)
    assert scored_candidates.cache_info().misses == 7 > KEPT_BATCHES
    assert parts.metrics == pytest.approx(whole.metrics)
    assert_frame_equal(parts.per_customer, whole.per_customer)


def test_ease_is_the_closed_form_solution() -> None:
    history = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
    inverse = np.linalg.inv(history.T @ history + 2.0 * np.eye(3))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0.0)
    weights = item_weights(csr_matrix(history), ridge=2.0, max_products=10)
    np.testing.assert_allclose(weights.score(csr_matrix(np.eye(3))), expected, rtol=1e-6)
    fewer = item_weights(csr_matrix(history), ridge=2.0, max_products=2)
    assert fewer.products.tolist() == [0, 1]
    assert fewer.score(csr_matrix(history)).shape == (4, 3)


@given(
    st.lists(st.lists(st.integers(0, 5), min_size=6, max_size=6), min_size=1, max_size=5), st.integers(0, 7)
)
def test_the_best_cells_are_positive_and_the_first_of_equals(rows: list[list[int]], k: int) -> None:
    scores = np.array(rows, dtype=np.float64)
    mask = top_mask(scores, k)
    for row, chosen in zip(scores, mask, strict=True):
        assert (row[chosen] > 0).all()
        assert chosen.sum() == min(k, (row > 0).sum())
        if chosen.any() and (~chosen).any() and k:
            assert row[~chosen].max() <= row[chosen].min()
            edge = np.flatnonzero(row == row[chosen].min())
            assert (np.diff(chosen[edge].astype(int)) <= 0).all()


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 14), st.integers(1, 300)), max_size=40),
    st.integers(1, 12),
    st.sampled_from([0.3, 0.5, 1.0]),
    st.booleans(),
    st.sets(st.integers(0, 14), max_size=5),
)
def test_slots_are_full_distinct_and_allowed_whatever_the_history(
    bought: list[tuple[int, int, int]], n: int, share: float, is_new_only: bool, closed: set[int]
) -> None:
    unique = {(customer, product): days for customer, product, days in bought}
    ids = [f"p{number:02d}" for number in range(15)]
    snapshot = Snapshot(
        AS_OF,
        make_interactions([(f"c{c}", ids[p], float(days)) for (c, p), days in unique.items()]),
        make_products(
            ids,
            category=[f"k{number % 3}" for number in range(15)],
            is_available=[number not in closed for number in range(15)],
        ),
        make_pairs([("p00", "p01")]),
    )
    rules = SlotRules(n=n, max_category_share=share, is_new_only=is_new_only)
    lists = Blend(rules=rules).predict(snapshot, make_customers(*(f"c{number}" for number in range(5))))
    owned = {(f"c{c}", ids[p]) for c, p in unique} if is_new_only else set()
    for number in range(5):
        own = lists.filter(pl.col("customer_id") == f"c{number}")
        showable = {
            product
            for i, product in enumerate(ids)
            if i not in closed and (f"c{number}", product) not in owned
        }
        assert own["rank"].to_list() == list(range(1, min(n, len(showable)) + 1))
        assert own["product_id"].n_unique() == own.height
        assert set(own["product_id"]) <= showable


def look_shop() -> Snapshot:
    """Ann bought a mug long ago and a shoe last; socks and a hat go with shoes, the hat is of the shoe's own category."""
    ids = ["hat", "lace", "mug", "shoe", "sock", "tea"]
    return Snapshot(
        AS_OF,
        make_interactions([("ann", "mug", 90), ("ann", "shoe", 2), ("bob", "tea", 4)]),
        make_products(
            ids,
            category=["wear", "wear", "kitchen", "wear", "extras", "food"],
            is_available=[True, True, True, True, True, False],
        ),
        make_pairs([("shoe", "sock"), ("shoe", "hat"), ("mug", "tea"), ("mug", "lace")]),
    )


def test_every_slot_keeps_to_its_reason_and_to_what_may_be_shown() -> None:
    rows = mail_slots(fitted(RANKER), look_shop(), make_customers("ann", "bob", "nobody"), n=3)
    lists = {
        (customer, slot): group["product_id"].to_list()
        for (customer, slot), group in rows.group_by("customer_id", "slot", maintain_order=True)
    }
    assert lists["ann", "buy_again"] == ["shoe", "mug"]
    assert lists["ann", "completes_the_look"] == ["sock"]
    assert lists["ann", "bought_together"] == ["hat", "sock", "lace"]
    assert "tea" not in set(rows["product_id"])
    assert not {"shoe", "mug"} & set(lists["ann", "for_you"])
    assert ("bob", "buy_again") not in lists
    assert "nobody" not in set(rows["customer_id"])
    assert set(rows["slot"]) <= set(SLOTS)


def test_slots_of_nobody_are_an_empty_frame_of_the_same_columns() -> None:
    some = mail_slots(fitted(RANKER), look_shop(), make_customers("ann"))
    none = mail_slots(fitted(RANKER), look_shop(), make_customers())
    assert none.is_empty()
    assert none.schema == some.schema


def test_products_are_alike_by_the_rare_words_of_their_names() -> None:
    names = ["red retrospot mug", "red retrospot bowl", "red candle", "red lamp", None]
    vectors = term_vectors(make_products([f"p{n}" for n in range(5)], name=names))
    score = likeness(csr_matrix(np.array([[1.0, 0.0, 0.0, 0.0, 0.0]])), vectors)[0]
    assert score[0] == pytest.approx(1.0)
    assert score[1] > score[2] == pytest.approx(score[3])
    assert score[4] == 0.0


def test_a_cost_on_popularity_moves_the_busiest_products_down() -> None:
    busy = replace(
        two_tastes(),
        products=make_products([f"p{n:02d}" for n in range(20)], buyers_30d=[100] + [1] * 19),
    )
    free = fitted(RANKER)
    dear = replace(free, params=replace(free.params, popularity_cost=100.0))
    asked = make_customers("c00")
    assert "p00" in free.predict(busy, asked)["product_id"].to_list()
    assert "p00" not in dear.predict(busy, asked)["product_id"].to_list()[:9]


def mugs() -> Snapshot:
    """Three mugs and a lamp, none of them bought by anyone but in falling popularity."""
    return Snapshot(
        AS_OF,
        make_interactions([]),
        make_products(
            ["blue mug", "green mug", "lamp", "red mug"],
            name=["mug large blue", "mug large green", "lamp", "mug large red"],
            category=["kitchen", "kitchen", "light", "kitchen"],
            buyers_30d=[100, 99, 70, 98],
        ),
        make_pairs([]),
    )


def test_a_varied_list_puts_the_lamp_between_the_mugs() -> None:
    plain = Popular().predict(mugs(), make_customers("ann"))
    varied = Popular(rules=SlotRules(diversity=5.0)).predict(mugs(), make_customers("ann"))
    assert plain["product_id"].to_list() == ["blue mug", "green mug", "red mug", "lamp"]
    assert varied["product_id"].to_list() == ["blue mug", "lamp", "green mug", "red mug"]


def test_diversity_is_the_mean_unlikeness_of_two_products_of_a_list() -> None:
    alike = pl.DataFrame({"customer_id": ["a", "a"], "rank": [1, 2], "product_id": ["blue mug", "red mug"]})
    other = pl.DataFrame({"customer_id": ["b", "b"], "rank": [1, 2], "product_id": ["blue mug", "lamp"]})
    one = other.head(1).with_columns(customer_id=pl.lit("c"))
    assert list_diversity(alike, mugs(), 10) == pytest.approx(0.0)
    assert list_diversity(other, mugs(), 10) == pytest.approx(1.0)
    assert list_diversity(pl.concat([alike, other, one]), mugs(), 10) == pytest.approx(0.5)
    assert np.isnan(list_diversity(one, mugs(), 10))


def one_by_one(scored: pl.DataFrame, terms: Any, cost: float, n: int) -> dict[tuple[int, int], float]:
    """`less_alike` customer by customer and product by product."""
    found = {}
    for (customer,), own in scored.group_by("customer"):
        rows = {row["product"]: row["score"] for row in own.iter_rows(named=True)}
        unit = cost * float(np.std(list(rows.values())))
        alike = dict.fromkeys(rows, 0.0)
        for _ in range(min(n, len(rows))):
            left = [p for p in rows if (customer, p) not in found]
            first = min(left, key=lambda p: (-(rows[p] - unit * alike[p]), -rows[p], p))
            found[customer, first] = rows[first] - unit * alike[first]
            alike = {p: max(alike[p], round(float(terms[p] @ terms[first]), 9)) for p in rows}
        found |= {(customer, p): rows[p] - unit * alike[p] for p in rows if (customer, p) not in found}
    return found


@settings(max_examples=40)
@given(
    st.dictionaries(
        st.tuples(st.integers(0, 3), st.integers(0, 7)),
        st.floats(-3, 3).map(lambda x: round(x, 3)),
        min_size=1,
    ),
    st.lists(
        st.sampled_from(["red mug", "red bowl", "blue mug", "lamp", "lamp shade"]), min_size=8, max_size=8
    ),
    st.sampled_from([0.0, 0.3, 2.0]),
    st.integers(1, 9),
)
def test_each_place_goes_to_the_best_product_less_what_its_likeness_costs(
    scores: dict[tuple[int, int], float], names: list[str], cost: float, n: int
) -> None:
    products = make_products([f"p{number}" for number in range(8)], name=names)
    snapshot = Snapshot(AS_OF, make_interactions([]), products, make_pairs([]))
    scored = pl.DataFrame([{"customer": c, "product": p, "score": score} for (c, p), score in scores.items()])
    lowered = less_alike(scored, snapshot, cost, n)
    expected = one_by_one(scored, term_vectors(products).toarray(), cost, n)
    assert lowered.height == scored.height
    for row in lowered.iter_rows(named=True):
        assert row["score"] == pytest.approx(expected[row["customer"], row["product"]], abs=1e-9)
    first = lowered.group_by("customer").agg(pl.col("score").max()).sort("customer")
    assert_frame_equal(first, scored.group_by("customer").agg(pl.col("score").max()).sort("customer"))


def test_lists_that_are_learnt_from_keep_every_purchase_and_few_others_for_each() -> None:
    whole, drawn = (
        labelled_lists(two_tastes(), missing_purchases(AS_OF), RetrievalParams(), sampling)
        for sampling in (Sampling(), Sampling(per_purchase=3, at_least=0))
    )
    assert whole.n_lists == drawn.n_lists == 20
    assert whole.relevant.sum() == drawn.relevant.sum() == 20
    assert 40 < len(drawn.relevant) - 20 < 80 < len(whole.relevant) - 20
    assert (np.diff(drawn.numbers.astype(int)) >= 0).all()


def test_customers_ranked_side_by_side_are_ranked_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = two_tastes()
    customers = pl.DataFrame({"customer_id": snapshot.everybody})
    ranker = Ranker(RankerParams(ordering=SHORT, min_lists=1)).fit([snapshot], missing_purchases(AS_OF))
    assert ranker.ordering is not None
    at_once = ranker.predict(snapshot, customers)
    monkeypatch.setattr(ranker_module, "BATCH_CUSTOMERS", 3)
    assert_frame_equal(ranker.predict(snapshot, customers), at_once)


def test_lists_are_made_a_few_customers_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    every, some = Sampling(), Sampling(per_purchase=3, at_least=0)
    at_once = labelled_lists(two_tastes(), missing_purchases(AS_OF), RetrievalParams(), every)
    monkeypatch.setattr(lists_module, "BATCH_CUSTOMERS", 6)
    asked = []

    def candidates(ids: pl.Series) -> pl.DataFrame:
        asked.append(len(ids))
        return candidate_features(
            retrieval(two_tastes(), RetrievalParams()).candidates(ids), two_tastes(), ids
        )

    bought = missing_purchases(AS_OF).select("customer_id", "product_id")
    parts = drawn_lists(bought, two_tastes(), candidates, FEATURES, every)
    assert asked == [6, 6, 6, 2]
    np.testing.assert_allclose(parts.values, at_once.values, atol=1e-5)
    np.testing.assert_array_equal(parts.relevant, at_once.relevant)
    np.testing.assert_array_equal(parts.numbers, at_once.numbers)
    drawn = drawn_lists(bought, two_tastes(), candidates, FEATURES, some)
    assert drawn.relevant.sum() == drawn.n_lists == 20
    assert 40 < len(drawn.relevant) - 20 < 80


def test_lists_of_several_dates_are_learnt_from_as_one() -> None:
    ranker = replace(RANKER, ordering=None, n_lists=None)
    part = ranker.lists(two_tastes(), missing_purchases(AS_OF))
    both = joined([part, part])
    assert both.n_lists == 40
    assert both.numbers.tolist() == [*part.numbers, *(part.numbers + 20)]
    once = ranker.learn([part]).predict(two_tastes(), make_customers("c00"))
    fitted_once = replace(RANKER).fit([two_tastes()], missing_purchases(AS_OF))
    assert_frame_equal(once, fitted_once.predict(two_tastes(), make_customers("c00")), check_exact=True)


@every_recommender
def test_every_recommender_fills_the_slots_of_a_mail(recommender: Any) -> None:
    customers = make_customers("c00", "c01", "nobody")
    lists, slots = lists_and_slots(fitted(recommender), two_tastes(), customers)
    assert_frame_equal(lists, fitted(recommender).predict(two_tastes(), customers))
    assert_frame_equal(slots, mail_slots(fitted(recommender), two_tastes(), customers))
    own = {"for_you"} if recommender in WITH_TASTE else set()
    assert set(slots.filter(pl.col("customer_id") == "c00")["slot"]) == own | {"bought_together", "buy_again"}
    assert "nobody" not in set(slots["customer_id"])
    bought = two_tastes().interactions.select("customer_id", "product_id")
    new = slots.filter(pl.col("slot") == "for_you").join(bought, on=["customer_id", "product_id"], how="semi")
    assert new.is_empty()


def test_the_importance_of_lists_names_the_feature_that_decides() -> None:
    labels = missing_purchases(AS_OF)
    table = list_importance(_fitted_ranker(), two_tastes(), labels, CRITERION, n_customers=20)
    assert set(table["feature"]) == set(FEATURES)
    assert table["importance"][0] > 0.01
    assert table["importance"].is_sorted(descending=True)
    repeated = list_importance(_fitted_ranker(), two_tastes(), labels, CRITERION, n_customers=20)
    assert_frame_equal(table, repeated, check_exact=True)


def test_a_ranker_that_has_learnt_nothing_has_no_importance() -> None:
    rule = Ranker().fit([two_tastes(EARLIER)], missing_purchases(EARLIER))
    labels = missing_purchases(AS_OF)
    assert list_importance(rule, two_tastes(), labels, CRITERION, n_customers=20).is_empty()
    assert explained(rule, two_tastes(), make_customers("c00"), 10) is None


def test_contributions_add_up_to_the_score() -> None:
    ranker, customers = _fitted_ranker(), make_customers("c00", "c01", "c02")
    explanation = explained(ranker, two_tastes(), customers, 1000)
    assert explanation is not None and ranker.ordering is not None
    assert explanation.inputs == FEATURES
    score = ranker.ordering.score(explanation.values.astype(np.float32))
    base = score - explanation.contributions.sum(axis=1)
    np.testing.assert_allclose(base, base[0], atol=1e-4)


def test_a_lesson_shows_what_the_order_rests_on_and_learns_as_the_ranker_alone_does() -> None:
    dates = [date(2024, 10, 1) + timedelta(days=30 * number) for number in range(8)]
    snapshots = [two_tastes(day) for day in dates]
    labels = pl.concat([missing_purchases(day) for day in dates[:-1]])
    lesson = learn_recommendations(snapshots, labels, 30, "ranker")
    assert lesson.verdict.winner == "ranker"
    assert {"importance.csv", "contributions.csv", "training_data.csv"} <= set(lesson.tables)
    assert {"importance.png", "contributions.png", "comparison.png"} <= set(lesson.figures)
    assert set(lesson.tables["contributions.csv"]["input"]) == set(FEATURES)
    alone = Ranker().fit(snapshots[:-1], labels)
    customers = make_customers("c00", "c07")
    served = lesson.winner
    assert isinstance(served, ServedRecommender)
    assert_frame_equal(
        served.recommender.predict(snapshots[-1], customers),
        alone.predict(snapshots[-1], customers),
        check_exact=True,
    )


def test_the_day_of_training_has_not_drifted_though_a_sample_of_its_customers_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two customers share one product each, and each is shown what the other has: known only to who looks at both."""
    monkeypatch.setattr(products_lesson, "N_EXPLAINED_ROWS", 30)
    bought = [
        (f"c{pair:02d}{side}", product, 5.0)
        for pair in range(40)
        for side in "ab"
        for product in (f"p{pair:02d}", *(f"p{pair:02d}{side}{number}" for number in range(5)))
    ]
    ids = sorted({product for _, product, _ in bought})
    now = Snapshot(AS_OF, make_interactions(bought), make_products(ids), make_pairs([]))
    lesson = learn_recommendations([now], missing_purchases(AS_OF).clear(), 30, None)
    served = lesson.winner
    assert isinstance(served, ServedRecommender)
    everybody = sources_of(served.recommender.predict(now, pl.DataFrame({"customer_id": now.everybody})))
    assert set(everybody["source"]) == {"buy_again", "similar"}
    assert set(lesson.references["scores"].compare(everybody)["state"]) == {"stable"}
