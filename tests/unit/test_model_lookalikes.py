"""Look-alikes: members that were held back are found again; who refuses profiling is like nobody."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from test_model_segments import people

from models.evaluation.metrics import auc
from models.lookalikes import (
    LikenessEstimator,
    MembershipModel,
    NearestCentroid,
    lookalike_frame,
    rank_lookalikes,
)

WEEK = date(2025, 6, 30)
METHODS = [NearestCentroid, MembershipModel]


def affinity(customers: pl.DataFrame) -> pl.DataFrame:
    """Every second customer loves Toys, all others Home."""
    toys = pl.int_range(pl.len()) % 2 == 0
    return customers.select(
        "customer_id",
        kind=pl.lit("category"),
        value=pl.when(toys).then(pl.lit("Toys")).otherwise(pl.lit("Home")),
        share=pl.lit(0.9),
    )


@pytest.mark.parametrize("method", METHODS)
def test_members_that_were_held_back_come_first(method: type[LikenessEstimator]) -> None:
    customers = people(80)
    bargain = customers.filter(pl.col("kind") == "bargain")["customer_id"]
    frame = lookalike_frame(customers, affinity(customers), bargain.head(40))
    found = rank_lookalikes(method(), frame, 40)
    assert set(found["customer_id"]) == set(bargain.tail(40))
    assert found["rank"].to_list() == list(range(1, 41))
    assert found["similarity"].is_sorted(descending=True)


def test_what_they_are_drawn_to_counts() -> None:
    customers = people(150)
    drawn = affinity(customers)
    lovers = drawn.filter(pl.col("value") == "Toys")["customer_id"]
    frame = lookalike_frame(customers, drawn, lovers.gather_every(4))
    others = frame.filter(~pl.col("is_member"))
    answers = MembershipModel().fit(frame).predict(others)
    outcome = others["customer_id"].is_in(lovers.implode()).to_numpy().astype(np.float64)
    assert auc(outcome, answers["similarity"].to_numpy()) > 0.95


@pytest.mark.parametrize("method", METHODS)
def test_who_refuses_profiling_is_like_nobody(method: type[LikenessEstimator]) -> None:
    customers = people(30).with_columns(has_behaviour=pl.col("kind") != "visitor")
    members = customers.filter(pl.col("kind") == "regular")["customer_id"].head(10)
    frame = lookalike_frame(customers, affinity(customers), members)
    private = method().fit(frame).predict(frame.filter(~pl.col("has_behaviour")))
    assert set(private["similarity"]) == {0.0}
    found = rank_lookalikes(method(), frame, 1_000)
    assert not set(found["customer_id"]) & set(customers.filter(pl.col("kind") == "visitor")["customer_id"])


@pytest.mark.parametrize("method", METHODS)
def test_a_segment_of_nobody_or_of_all_is_answered(method: type[LikenessEstimator]) -> None:
    customers = people(10)
    nobody = lookalike_frame(customers, affinity(customers), pl.Series([], dtype=pl.String))
    assert rank_lookalikes(method(), nobody, 5).height == 5
    everyone = lookalike_frame(customers, affinity(customers), customers["customer_id"])
    assert rank_lookalikes(method(), everyone, 5).is_empty()
