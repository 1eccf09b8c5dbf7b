"""The frames of a trial: what a shop's orders alone tell at a date, and what came after."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest

from benchmarks.evaluate.customers import Shop
from benchmarks.evaluate.orders import features, labels, training_frame
from models.features import CUSTOMER_FEATURES

START = date(2020, 1, 1)
ORDERS = pl.DataFrame(
    {
        "customer_id": ["a", "a", "a", "b"],
        "day": [START, START + timedelta(days=10), START + timedelta(days=40), START + timedelta(days=30)],
        "n_orders": [1, 2, 1, 1],
        "n_units": [3, 1, 1, 2],
        "revenue": [10.0, 20.0, 5.0, 7.0],
        "country": ["UK", "UK", "UK", None],
    }
)


def test_features_look_back_and_labels_look_ahead() -> None:
    day = START + timedelta(days=40)
    first = features(ORDERS, day).row(0, named=True)
    known = ("n_orders", "n_order_days", "recency_days", "age_days", "margin_total", "mean_gap_days")
    assert [first[name] for name in known] == [3, 2, 10, 40, 30.0, 10.0]
    assert set(CUSTOMER_FEATURES) <= set(features(ORDERS, day).columns)
    after = labels(ORDERS, day, 30)
    assert after.select("customer_id", "orders", "margin").rows() == [("a", 1, 5.0), ("b", 0, 0.0)]


def test_nothing_after_the_cut_is_learnt_from() -> None:
    shop = Shop(ORDERS, START + timedelta(days=40), 30, (20, 10), 5, START + timedelta(days=5))
    assert [(day - START).days for day, _ in shop.windows] == [5, 10, 15, 20, 25, 30]
    assert [days for _, days in shop.windows] == [20, 20, 20, 20, 10, 10]
    frame = training_frame(ORDERS, shop.cut, shop.windows)
    later = ORDERS.with_columns(revenue=pl.when(pl.col("day") >= shop.cut).then(1e9).otherwise("revenue"))
    assert frame.equals(training_frame(later, shop.cut, shop.windows))
    newest = frame.filter(pl.col("as_of") == shop.cut)
    assert newest["orders"].null_count() == newest.height
    assert frame["orders"].max() == pytest.approx(1)
