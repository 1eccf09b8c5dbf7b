"""Every way of recommending contents on a shop whose right answer is known, and the rules all of them keep."""

import pickle
import warnings
from dataclasses import replace
from datetime import date, datetime
from functools import cache
from typing import Any

import polars as pl
import pytest
from content_tables import (
    AS_OF,
    EARLIER,
    N_CONTENTS,
    N_CUSTOMERS,
    content,
    contents,
    customer,
    customers,
    interactions,
    next_reads,
    products,
    reads,
    two_tastes,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from models.contents import (
    RULES,
    ContentRanker,
    ContentRecommender,
    ContentSnapshot,
    ServedContents,
    content_snapshots,
    evaluate_contents,
    rules,
)
from models.contents.features import candidate_features
from models.contents.ranker import ContentRankerParams
from models.contents.retrieval import ContentRetrieval
from models.lessons.contents import METHODS, learn_contents
from models.model import MissingFeatureError, NotFittedError
from models.recommend.lists import Sampling
from models.recommend.ordering import Ordering, OrderingParams
from models.recommend.slots import fill_slots

RANKER = ContentRanker(
    params=ContentRankerParams(ordering=OrderingParams(n_rounds=20, min_child_weight=0.1), min_lists=10)
)
EVERYBODY = customers(*(customer(n) for n in range(N_CUSTOMERS)))
SOURCES = {"read_topics", "read_together", "similar", "product_interests", "for_you", "popular"}
every_method = pytest.mark.parametrize("method", METHODS)


@cache
def fitted(method: str) -> ContentRecommender:
    made = replace(RANKER) if method == RANKER.name else METHODS[method]()
    return made.fit([two_tastes(EARLIER)], next_reads())


def asked(method: str, snapshot: ContentSnapshot, *who: str) -> pl.DataFrame:
    return fitted(method).predict(snapshot, customers(*who))


@pytest.mark.parametrize("method", ["topic_match", "title_likeness", "read_together", "content_ranker"])
def test_the_content_of_his_topic_that_a_reader_lacks_comes_first(method: str) -> None:
    first = fitted(method).predict(two_tastes(), EVERYBODY).filter(pl.col("rank") == 1)
    assert first["content_id"].to_list() == [content(n % N_CONTENTS) for n in range(N_CUSTOMERS)]
    assert set(first["source"]) <= {"read_topics", "read_together", "similar"}


@pytest.mark.parametrize("method", ["topic_match", "product_interests"])
def test_who_has_read_nothing_gets_the_topic_of_his_products(method: str) -> None:
    lists = asked(method, two_tastes(), "shopper")
    assert lists["content_id"].to_list() == [content(n) for n in (1, 3, 5, 7, 9)]
    assert set(lists["source"]) <= {"product_interests", "for_you"}


def test_the_topic_rule_weighs_reads_by_age_and_products_a_little() -> None:
    """0.5 for a topic read 14 days ago, 0.1 for the category of a product he has; popularity breaks ties, then the id."""
    texts = [
        {"content_id": "seen", "topics": ["running"]},
        {"content_id": "match", "topics": ["running", "food"], "views_30d": 4},
        {"content_id": "weak", "topics": ["shoes"]},
        {"content_id": "other", "topics": ["chess"]},
        {"content_id": "gone", "topics": ["running"], "is_available": False},
        {"content_id": "also", "topics": ["running"]},
    ]
    snapshot = ContentSnapshot(
        AS_OF,
        reads([("ann", "seen", 14.0)]),
        contents(texts),
        interactions([("ann", "p", 5.0)]),
        products([("p", "P", "Shoes")]),
    )
    lists = asked("topic_match", snapshot, "ann")
    assert lists["content_id"].to_list() == ["match", "also", "weak", "other"]
    assert lists["score"].to_list()[:3] == pytest.approx([0.5, 0.5, 0.1], abs=1e-5)
    assert lists["source"].to_list() == ["read_topics", "read_topics", "product_interests", "popular"]


def test_a_new_article_is_found_by_its_words() -> None:
    """Nobody has read it, and it has no topics."""
    texts = [
        {"content_id": "hills", "title": "Boots for the hills"},
        {"content_id": "new", "title": "Boots that last", "published_at": datetime(2025, 5, 31)},
        {"content_id": "pool", "title": "First strokes", "views_30d": 90},
    ]
    snapshot = ContentSnapshot(
        AS_OF, reads([("ann", "hills", 3.0)]), contents(texts), interactions([]), products([])
    )
    lists = asked("title_likeness", snapshot, "ann")
    assert lists["content_id"].to_list() == ["new", "pool"]
    assert lists["source"].to_list() == ["similar", "popular"]


@every_method
def test_the_frame_is_the_same_for_every_method(method: str) -> None:
    lists = asked(method, two_tastes(), "c03", "nobody", "c00", "shopper")
    assert lists.schema == {
        "customer_id": pl.String,
        "rank": pl.Int32,
        "content_id": pl.String,
        "score": pl.Float64,
        "source": pl.String,
    }
    assert lists["customer_id"].to_list() == [
        who for who in ("c00", "c03", "nobody", "shopper") for _ in range(5)
    ]
    assert lists["rank"].to_list() == [1, 2, 3, 4, 5] * 4
    assert not lists.select("customer_id", "content_id").is_duplicated().any()
    assert lists.select((pl.col("score").diff() <= 0).over("customer_id")).to_series().drop_nulls().all()
    assert set(lists["source"]) <= SOURCES
    assert lists["score"].is_finite().all()


@every_method
def test_nothing_read_nothing_closed_and_nothing_sensitive_is_shown(method: str) -> None:
    snapshot = two_tastes()
    closed = snapshot.contents.with_columns(
        is_available=~pl.col("content_id").is_in(["a02", "a03"]), is_sensitive=pl.col("content_id") == "a05"
    )
    lists = fitted(method).predict(replace(snapshot, contents=closed), EVERYBODY)
    assert not {"a02", "a03", "a05"} & set(lists["content_id"])
    assert lists.join(snapshot.reads, on=["customer_id", "content_id"], how="semi").is_empty()


@every_method
def test_a_sensitive_read_or_product_leads_to_nothing(method: str) -> None:
    texts = [
        {
            "content_id": "private",
            "title": "Pelvic health",
            "topics": ["intimate", "health"],
            "is_sensitive": True,
        },
        {"content_id": "health", "title": "Pelvic strength", "topics": ["health"]},
        {"content_id": "hit", "title": "A hit", "topics": ["running"], "views_30d": 50},
    ]
    shelf = products([("gel", "Pelvic gel", "Health")], is_sensitive=pl.lit(True))
    snapshot = ContentSnapshot(
        AS_OF, reads([("ann", "private", 1.0)]), contents(texts), interactions([("ann", "gel", 3.0)]), shelf
    )
    lists = asked(method, snapshot, "ann")
    assert lists["content_id"].to_list() == ["hit", "health"]
    assert lists["source"].to_list() == ["popular", "popular"]


@every_method
def test_of_whom_nothing_is_known_gets_what_is_read_most(method: str) -> None:
    snapshot = two_tastes()
    busy = snapshot.contents.with_columns(views_30d=pl.when(content_id="a07").then(99).otherwise(0))
    alone = replace(
        snapshot, contents=busy, reads=snapshot.reads.clear(), interactions=snapshot.interactions.clear()
    )
    lists = asked(method, alone, "nobody")
    assert lists["content_id"].to_list() == ["a07", "a00", "a01", "a02", "a03"]
    assert lists["source"].to_list() == ["popular"] * 5


@every_method
def test_a_customers_list_does_not_depend_on_who_else_is_asked(method: str) -> None:
    together = asked(method, two_tastes(), "c00", "c01", "c02", "nobody")
    assert_frame_equal(together.filter(pl.col("customer_id") == "c02"), asked(method, two_tastes(), "c02"))


@pytest.mark.parametrize("method", RULES)
def test_a_rule_answers_many_customers_a_few_at_a_time(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    together = asked(method, two_tastes(), *EVERYBODY["customer_id"], "nobody")
    sizes = []

    def fill(scored: pl.DataFrame, items: Any, few: pl.Series, slots: Any) -> pl.DataFrame:
        sizes.append(len(few))
        return fill_slots(scored, items, few, slots)

    monkeypatch.setattr(rules, "CUSTOMERS_AT_ONCE", 10)
    monkeypatch.setattr(rules, "fill_slots", fill)
    few = asked(method, two_tastes(), "nobody", *EVERYBODY["customer_id"].reverse())
    assert sizes == [10, 10, 10, 3]
    assert_frame_equal(few, together, check_exact=True)


@every_method
def test_the_order_of_rows_changes_nothing(method: str) -> None:
    snapshot = two_tastes()
    names = ("reads", "contents", "interactions", "products")
    shuffled = {name: getattr(snapshot, name).sample(fraction=1.0, shuffle=True, seed=5) for name in names}
    assert_frame_equal(
        asked(method, ContentSnapshot(AS_OF, **shuffled), "nobody", "c02", "shopper"),
        asked(method, snapshot, "shopper", "c02", "nobody"),
        check_exact=True,
    )


@every_method
def test_it_survives_pickling_and_keeps_its_answers(method: str) -> None:
    copy = pickle.loads(pickle.dumps(fitted(method)))
    assert_frame_equal(
        copy.predict(two_tastes(), EVERYBODY),
        fitted(method).predict(two_tastes(), EVERYBODY),
        check_exact=True,
    )


@every_method
def test_an_empty_question_and_a_shop_without_contents_have_empty_answers(method: str) -> None:
    schema = asked(method, two_tastes(), "c00").schema
    nobody = asked(method, two_tastes())
    assert nobody.is_empty() and nobody.schema == schema
    none = replace(two_tastes(), contents=contents([]), reads=reads([]))
    answer = asked(method, none, "c00", "shopper")
    assert answer.is_empty() and answer.schema == schema


def test_of_a_thousand_contents_on_one_topic_the_best_read_are_put_forward_and_no_more() -> None:
    texts = [{"content_id": f"a{n:03d}", "topics": ["running"], "views_30d": 1 + n // 5} for n in range(1000)]
    snapshot = ContentSnapshot(
        AS_OF,
        reads([("ann", "a000", 3.0)]),
        contents(texts),
        interactions([("bob", "shoe", 2.0)]),
        products([("shoe", "Shoe", "Running")]),
    )
    asked_of = pl.Series("customer_id", ["ann", "bob"])
    found = candidate_features(ContentRetrieval(snapshot).blocks(asked_of), snapshot, asked_of, n_each=8)
    best = [990, 991, 992, 995, 996, 997, 998, 999]
    assert found["customer"].to_list() == [0] * 8 + [1] * 8
    assert found["product"].to_list() == best * 2


def test_with_too_few_readers_the_topic_rule_answers() -> None:
    ranker = ContentRanker().fit([two_tastes(EARLIER)], next_reads().head(20))
    assert ranker.basis == "topic rule: too few labels"
    assert_frame_equal(
        ranker.predict(two_tastes(), EVERYBODY), fitted("topic_match").predict(two_tastes(), EVERYBODY)
    )
    with pytest.raises(NotFittedError):
        ContentRanker().predict(two_tastes(), EVERYBODY)


def test_the_same_training_gives_the_same_scores() -> None:
    again = replace(RANKER).fit([two_tastes(EARLIER)], next_reads())
    assert_frame_equal(
        again.predict(two_tastes(), EVERYBODY),
        fitted(RANKER.name).predict(two_tastes(), EVERYBODY),
        check_exact=True,
    )


def test_it_learns_from_all_that_was_read_and_a_few_others(monkeypatch: pytest.MonkeyPatch) -> None:
    learnt = []

    def learn(values: Any, relevant: Any, *_: Any) -> None:
        learnt.append((len(relevant), relevant.sum()))

    monkeypatch.setattr(Ordering, "learn", learn)
    for sampling in (Sampling(), Sampling(per_purchase=2, at_least=0)):
        ranker = replace(RANKER, params=replace(RANKER.params, sampling=sampling))
        assert ranker.fit([two_tastes(EARLIER)], next_reads()).n_lists == N_CUSTOMERS
    (whole, read), (drawn, read_again) = learnt
    assert read == read_again == N_CUSTOMERS
    assert N_CUSTOMERS < drawn - read < 3 * N_CUSTOMERS < whole - read


def test_frames_of_another_date_or_without_a_column_are_refused() -> None:
    snapshot = two_tastes()
    with pytest.raises(ValueError, match="reads holds rows of 2025-05-01, the snapshot is of 2025-06-01"):
        replace(snapshot, reads=two_tastes(EARLIER).reads)
    with pytest.raises(MissingFeatureError, match=r"contents: contents.*topics"):
        replace(snapshot, contents=snapshot.contents.drop("topics"))


def test_perfect_lists_have_ndcg_one_and_only_new_reads_of_open_contents_count() -> None:
    snapshot, labels = two_tastes(EARLIER), next_reads()
    noise = labels.with_columns(content_id=pl.format("a{}", (pl.int_range(pl.len()) % 2 + 10)))
    scores = evaluate_contents(fitted("topic_match"), snapshot, pl.concat([labels, noise.slice(2, 8)]))
    assert scores.metrics["ndcg_5"] == scores.metrics["recall_5"] == scores.metrics["ndcg_5_readers"] == 1.0
    assert scores.metrics["n_customers"] == N_CUSTOMERS
    closed = snapshot.contents.with_columns(is_available=pl.col("content_id") != "a00")
    late = evaluate_contents(fitted("topic_match"), replace(snapshot, contents=closed), labels)
    assert late.metrics["n_customers"] == N_CUSTOMERS - 2


@settings(max_examples=15)
@given(
    read=st.lists(st.tuples(st.integers(0, 5), st.integers(0, N_CONTENTS - 1)), max_size=25, unique=True),
    open_contents=st.sets(st.integers(0, N_CONTENTS - 1)),
)
def test_lists_are_as_long_as_what_is_left_to_read(
    read: list[tuple[int, int]], open_contents: set[int]
) -> None:
    snapshot = two_tastes()
    shop = replace(
        snapshot,
        reads=reads([(customer(who), content(what), 3.0) for who, what in read]),
        contents=snapshot.contents.with_columns(
            is_available=pl.col("content_id").is_in([content(n) for n in sorted(open_contents)])
        ),
    )
    for method in METHODS:
        lists = fitted(method).predict(shop, customers(*(customer(n) for n in range(6))))
        lengths = dict(lists.group_by("customer_id").len().iter_rows())
        for number in range(6):
            left = open_contents - {what for who, what in read if who == number}
            assert lengths.get(customer(number), 0) == min(5, len(left)), method


def test_the_lesson_elects_what_reads_best_on_the_holdout_and_explains_itself() -> None:
    days = [date(2025, 3, 1), date(2025, 4, 1), EARLIER, AS_OF]
    snapshots = [two_tastes(day) for day in days]
    labels = pl.concat([next_reads(day) for day in days[:-1]])
    lesson = learn_contents(snapshots, labels, 30, None)
    assert lesson.verdict.winner == "topic_match"
    assert lesson.comparison["method"].to_list() == [*RULES, "content_ranker"]
    assert lesson.comparison.filter(method="popular_contents")["ndcg_5"].item() < 0.5
    assert {"features", "scores"} == set(lesson.references)
    assert lesson.tables["training_data.csv"]["reads"].to_list() == [N_CUSTOMERS] * 3 + [0]
    assert not set(lesson.example["customer_id"]) & set(EVERYBODY["customer_id"])
    served = lesson.winner
    assert isinstance(served, ServedContents)
    answer = served.predict(lesson.example)
    assert (
        answer["customer_id"].unique().sort().to_list()
        == lesson.example["customer_id"].unique().sort().to_list()
    )
    assert b"c00" not in pickle.dumps(served)


def test_the_day_of_training_has_not_drifted_though_readers_buy_too() -> None:
    """Everybody has a product of the topic he does not read on: most of what he is shown comes from it."""
    bought = [(customer(n), ("mat", "shoe")[n % 2], 2.0) for n in range(N_CUSTOMERS)]
    days = [EARLIER, AS_OF]
    snapshots = [replace(two_tastes(day), interactions=interactions(bought, day)) for day in days]
    lesson = learn_contents(snapshots, next_reads(), 30, "topic_match")
    lists = asked("topic_match", snapshots[-1], *EVERYBODY["customer_id"])
    assert lesson.verdict.winner == "topic_match"
    assert (lists["source"] == "product_interests").mean() > 0.5
    assert set(lesson.references["scores"].compare(lists.select("source"))["state"]) == {"stable"}
    strangers = lists.select(source=pl.lit("popular"))
    assert set(lesson.references["scores"].compare(strangers)["state"]) == {"alarm"}


def test_a_shop_without_contents_learns_nothing_and_fails_nowhere() -> None:
    nothing = ContentSnapshot(date.min, reads([]), contents([]), interactions([]), products([]))
    lesson = learn_contents([nothing], next_reads().clear(), 30, None)
    assert lesson.verdict.winner == "content_ranker"
    assert lesson.winner.predict(lesson.example).is_empty()


def test_a_contest_with_contents_that_nobody_read() -> None:
    days = [EARLIER, AS_OF]
    silent = [replace(two_tastes(day), reads=reads([])) for day in days]
    lesson = learn_contents(silent, next_reads().clear(), 30, "topic_match")
    assert lesson.winner.predict(reads([("ann", "a00", 1.0)]))["content_id"][0] == "a02"


def test_snapshots_come_by_date() -> None:
    both = [two_tastes(AS_OF), two_tastes(EARLIER)]
    frames = [
        pl.concat([getattr(s, name) for s in both])
        for name in ("reads", "contents", "interactions", "products")
    ]
    assert [snapshot.as_of for snapshot in content_snapshots(*frames)] == [EARLIER, AS_OF]


@every_method
def test_it_is_silent_and_reads_nothing_but_its_columns(
    method: str, capfd: pytest.CaptureFixture[str]
) -> None:
    snapshot = two_tastes()
    protected = {"gender": pl.lit("f"), "birth_date": pl.lit(date(1990, 1, 1))}
    told = replace(
        snapshot,
        reads=snapshot.reads.with_columns(**protected),
        interactions=snapshot.interactions.with_columns(**protected),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lists = fitted(method).predict(told, EVERYBODY.with_columns(**protected))
    assert_frame_equal(lists, fitted(method).predict(snapshot, EVERYBODY), check_exact=True)
    assert capfd.readouterr() == ("", "")


@every_method
def test_as_the_registry_keeps_it_it_answers_whoever_has_read_and_names_what_it_lacks(method: str) -> None:
    served = ServedContents(fitted(method), two_tastes().contents)
    asked_of = two_tastes().reads
    lists = served.predict(asked_of)
    assert lists["customer_id"].unique().sort().to_list() == EVERYBODY["customer_id"].to_list()
    assert served.predict(asked_of.clear()).schema == lists.schema
    strangers = asked_of.with_columns(content_id=pl.lit("unheard-of"))
    assert served.predict(strangers).height == lists.height
    for column in served.features:
        with pytest.raises(MissingFeatureError, match=column):
            served.predict(asked_of.drop(column))
