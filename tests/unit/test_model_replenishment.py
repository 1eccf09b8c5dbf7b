"""Replenishment: gaps are learnt from the product, the customer's pace and his own purchases; silence moves the date."""

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from repurchase_tables import repurchases, true_gap

from models.replenishment import LastGap, ProductMedian, ShrunkGap, evaluate_due_dates

AS_OF = date(2025, 6, 30)


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return repurchases(AS_OF)


def truth(frame: pl.DataFrame) -> np.ndarray:
    pairs = frame.select(pl.col("customer_id", "product_id").str.slice(1).cast(pl.Int64)).rows()
    return np.array([true_gap(*pair) for pair in pairs])


def test_it_is_nearer_to_the_true_gap_than_either_rule(frame: pl.DataFrame) -> None:
    off = {
        method.name: np.abs(
            np.log(method().fit(frame).predict(frame)["gap_days"].to_numpy() / truth(frame))
        ).mean()
        for method in (ProductMedian, LastGap, ShrunkGap)
    }
    assert off["shrunk_gap"] < 0.7 * off["product_median"]
    assert off["shrunk_gap"] < 0.7 * off["last_gap"]


def test_a_first_purchase_follows_the_customers_pace(frame: pl.DataFrame) -> None:
    model = ShrunkGap().fit(frame)
    once = frame.filter(pl.col("n_gaps") == 0)
    answers = model.predict(once)
    assert np.corrcoef(answers["gap_days"], truth(once))[0, 1] > 0.95
    assert set(answers["basis"]) == {"gaps of all buyers"}


def test_the_date_is_the_last_purchase_and_the_gap(frame: pl.DataFrame) -> None:
    one = frame.head(1).with_columns(
        last_purchased_at=pl.lit(datetime(2025, 6, 20, 12)), median_repurchase_days=pl.lit(12.0)
    )
    (answer,) = ProductMedian().fit(one).predict(one).to_dicts()
    assert answer["due_on"] == date(2025, 7, 2)
    assert answer["expected_on"] == date(2025, 7, 2)


@settings(max_examples=30)
@given(st.integers(0, 400), st.integers(0, 400))
def test_the_expected_date_is_neither_past_nor_beyond_the_horizon(short: int, more: int) -> None:
    frame = repurchases(AS_OF, n_customers=20)
    model = ShrunkGap().fit(frame)
    last = [datetime(2025, 6, 30) - timedelta(days=days) for days in (short, short + more)]
    near, far = (model.predict(frame.head(1).with_columns(last_purchased_at=pl.lit(at))) for at in last)
    for answer in (near, far):
        assert answer["expected_on"][0] >= AS_OF
        assert answer["expected_on"][0] <= AS_OF + timedelta(days=90)
        assert 0 <= answer["due_score"][0] <= 1
    assert far["due_on"][0] <= near["due_on"][0]


def test_who_is_long_overdue_has_probably_stopped(frame: pl.DataFrame) -> None:
    model = ShrunkGap().fit(frame)
    pair = frame.filter(pl.col("n_gaps") >= 3).head(1)
    gap = model.predict(pair)["gap_days"][0]

    def score(days: float) -> float:
        last = datetime(2025, 6, 30) - timedelta(days=days)
        return float(model.predict(pair.with_columns(last_purchased_at=pl.lit(last)))["due_score"][0])

    assert score(0.8 * gap) > score(6 * gap)


def test_a_shop_without_repeated_purchases_answers(frame: pl.DataFrame) -> None:
    first = frame.with_columns(
        n_gaps=pl.lit(0),
        sum_log_gap_days=pl.lit(0.0),
        sum_squared_log_gap_days=pl.lit(0.0),
        last_gap_days=pl.lit(None, pl.Int32),
        median_repurchase_days=pl.lit(None, pl.Float64),
    )
    answers = ShrunkGap().fit(first).predict(first)
    assert answers["gap_days"].is_between(44, 46).all()
    assert set(answers["basis"]) == {"gaps of all products"}
    assert ShrunkGap().fit(first.clear()).predict(first.clear()).is_empty()


def test_figures_of_known_answers() -> None:
    answers = pl.DataFrame(
        {
            "customer_id": ["a", "b", "c"],
            "product_id": ["p"] * 3,
            "as_of": [AS_OF] * 3,
            "expected_on": [AS_OF, AS_OF + timedelta(days=20), AS_OF + timedelta(days=30)],
            "due_score": [0.9, 0.2, 0.1],
        }
    )
    bought = pl.DataFrame(
        {
            "customer_id": ["a", "b"],
            "product_id": ["p", "p"],
            "bought_on": [AS_OF + timedelta(days=4), AS_OF + timedelta(days=40)],
        }
    )
    figures = evaluate_due_dates(answers, bought)
    assert figures["mae_days"] == 12
    assert figures["bias_days"] == -12
    assert figures["hit_7d"] == 0.5
    assert figures["auc_14d"] == 1
    assert (figures["n_bought"], figures["n_pairs"]) == (2, 3)
