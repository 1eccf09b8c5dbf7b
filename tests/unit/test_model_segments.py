"""Learnt segments: they find who is alike, keep their ids, never use one again, and are named by what is so."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from sklearn.metrics import adjusted_rand_score

from models.lessons.segments import learn_segments, membership_of
from models.segment_names import describe
from models.segments import BEHAVIOUR, CustomerSegments, SegmentParams, jaccard

WEEK = date(2025, 6, 30)
KINDS = {
    "regular": {
        "n_orders": 12,
        "n_orders_365d": 12,
        "days_since_last_order": 10,
        "revenue_365d": 900,
        "n_categories": 6,
    },
    "bargain": {
        "n_orders": 4,
        "n_orders_365d": 4,
        "days_since_last_order": 40,
        "revenue_365d": 90,
        "discount_share": 0.9,
    },
    "gone": {
        "n_orders": 3,
        "n_orders_365d": 0,
        "days_since_last_order": 400,
        "revenue_365d": 0,
        "n_categories": 1,
    },
    "visitor": {
        "n_orders": 0,
        "n_sessions_30d": 12,
        "n_content_views_90d": 20,
        "days_since_last_order": None,
    },
    "stranger": {
        "n_orders": 0,
        "n_sessions_30d": 0,
        "days_since_last_session": 90,
        "days_since_last_order": None,
    },
}


def people(n: int, week: date = WEEK, seed: int = 1, without: tuple[str, ...] = ()) -> pl.DataFrame:
    """feat_customer of `n` of each kind; `kind` is the truth."""
    draw = np.random.default_rng(seed)
    parts = []
    for position, (kind, typical) in enumerate(KINDS.items()):
        if kind in without:
            continue
        ids = [f"c{position}{number:04d}" for number in range(n)]
        columns = {
            name: None
            if typical.get(name, 0) is None
            else np.round(np.maximum(typical.get(name, 0) * draw.lognormal(0, 0.15, n), 0), 3)
            for name in ("n_orders", *BEHAVIOUR)
        }
        parts.append(
            pl.DataFrame({"customer_id": ids, "kind": kind, **columns}, strict=False).cast(
                dict.fromkeys(columns, pl.Float64)
            )
        )
    return pl.concat(parts).with_columns(
        as_of=pl.lit(week),
        has_behaviour=pl.lit(True),
        top_category=pl.when(pl.col("kind") == "regular").then(pl.lit("Home")),
    )


@pytest.fixture(scope="module")
def segments() -> CustomerSegments:
    return CustomerSegments().fit(people(120))


def test_it_finds_who_is_alike(segments: CustomerSegments) -> None:
    found = segments.predict(people(120))
    assert adjusted_rand_score(people(120)["kind"], found["segment_id"]) > 0.99
    assert segments.metrics["n_segments"] == 5


def test_names_say_what_is_so(segments: CustomerSegments) -> None:
    customers = people(120)
    named = customers.select("customer_id", "kind").join(segments.predict(customers), on="customer_id")
    by_kind = {
        kind: names.mode()[0]
        for kind, names in named.group_by("kind").agg("segment").iter_rows()
        for names in [pl.Series(names)]
    }
    assert by_kind["regular"].startswith("Frequent buyers of Home")
    assert "high discount share" in by_kind["bargain"]
    assert by_kind["gone"].startswith("Lapsed buyers")
    assert by_kind["visitor"].startswith("Not yet buyers")
    assert len(set(by_kind.values())) == 5


def test_ids_and_names_stay_when_other_customers_come(segments: CustomerSegments) -> None:
    later = people(150, WEEK + timedelta(days=7), seed=9)
    again = CustomerSegments(former=segments).fit(later)
    assert {s.id: s.name for s in again.segments} == {s.id: s.name for s in segments.segments}
    assert again.metrics["adjusted_rand"] > 0.95


def test_a_name_that_still_holds_is_not_taken_by_another_segment() -> None:
    customers = people(60)
    points = np.zeros((customers.height, 0))
    halves = np.arange(customers.height) % 2
    (once,) = describe(customers, points, np.zeros(customers.height, dtype=np.int64), [1], (), {})
    new, kept = describe(customers, points, halves, [2, 1], (), {1: once})
    assert kept == once
    assert new.name != once.name


def test_a_segment_that_is_gone_leaves_its_id_unused(segments: CustomerSegments) -> None:
    shrunk = CustomerSegments(former=segments).fit(people(120, without=("gone",)))
    back = CustomerSegments(former=shrunk).fit(people(120, seed=4))
    lost = {s.id for s in segments.segments} - {s.id for s in shrunk.segments}
    new = {s.id for s in back.segments} - {s.id for s in shrunk.segments}
    assert lost
    assert not new & {s.id for s in segments.segments}


@settings(max_examples=10)
@given(st.lists(st.integers(1, 40), min_size=3, max_size=5))
def test_no_id_is_ever_used_twice(seeds: list[int]) -> None:
    former, ever, before = None, set(), set()
    for seed in seeds:
        kinds = [kind for position, kind in enumerate(KINDS) if (seed >> position) & 1]
        fitted = CustomerSegments(SegmentParams(restarts=1), former=former).fit(
            people(25, seed=seed, without=tuple(kinds[:3]))
        )
        now = {segment.id for segment in fitted.segments}
        assert len(now) == len(fitted.segments)
        assert not (now - before) & ever
        ever |= now
        former, before = fitted, now


def test_who_refuses_profiling_is_in_no_segment(segments: CustomerSegments) -> None:
    private = people(3).with_columns(has_behaviour=pl.lit(False))
    found = segments.predict(private)
    assert set(found["segment_id"]) == {0}
    assert set(found["segment"]) == {"Not profiled"}


def test_a_handful_of_customers_is_one_segment() -> None:
    few = people(1, without=("gone", "bargain", "visitor"))
    fitted = CustomerSegments().fit(few)
    assert fitted.predict(few)["segment_id"].n_unique() == 1
    nobody = CustomerSegments().fit(few.clear())
    assert nobody.predict(few.clear()).is_empty()


def test_the_order_of_rows_changes_nothing(segments: CustomerSegments) -> None:
    shuffled = people(120).sample(fraction=1.0, shuffle=True, seed=3)
    again = CustomerSegments().fit(shuffled)
    assert_frame_equal(again.predict(people(120)), segments.predict(people(120)), check_exact=True)


def test_a_lesson_tells_silhouette_stability_and_sizes(segments: CustomerSegments) -> None:
    lesson = learn_segments(people(120, WEEK + timedelta(days=7)), segments)
    (figures,) = lesson.comparison.to_dicts()
    assert figures["silhouette"] > 0.3
    assert figures["adjusted_rand"] > 0.95
    assert sum(value for name, value in figures.items() if name.startswith("share_")) == pytest.approx(1)
    assert "adjusted Rand index" in lesson.verdict.reason
    assert lesson.winner._former is None


def test_a_lesson_shows_what_sets_segments_apart_and_names_nobody() -> None:
    lesson = learn_segments(people(120), None)
    table = lesson.tables["profile.csv"]
    assert set(table["segment"]) == {segment.name for segment in lesson.winner.segments}
    assert table["customers"].sum() == people(120).height
    assert set(lesson.figures) == {"sizes.png", "profile.png"}
    few = learn_segments(people(2), None)
    assert few.tables["profile.csv"].is_empty()


def test_a_segment_that_empties_is_a_drift() -> None:
    weeks = pl.concat([people(120), people(120, WEEK + timedelta(days=7))])
    lesson = learn_segments(weeks, None)
    now, left = (
        lesson.winner.predict(customers)
        for customers in (people(120, seed=4), people(120, without=("gone",)))
    )
    assert set(lesson.references["scores"].compare(membership_of(now))["state"]) == {"stable"}
    assert set(lesson.references["scores"].compare(membership_of(left))["state"]) == {"alarm"}


def test_overlap_is_members_in_common_over_members_of_either() -> None:
    overlap = jaccard(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1]), 2, 2)
    assert overlap == pytest.approx(np.array([[2 / 3, 0], [1 / 4, 1 / 2]]))
