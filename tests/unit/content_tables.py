"""Contents, reads and products of a small shop: who reads what, and what he buys."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import polars as pl

from models.contents import ContentSnapshot

AS_OF = date(2025, 6, 1)
EARLIER = date(2025, 5, 1)
TOPICS = ("running", "yoga")
N_CONTENTS, N_CUSTOMERS = 16, 32


def contents(rows: list[dict[str, Any]], as_of: date = AS_OF) -> pl.DataFrame:
    """feat_content; what a row does not say: an article without topics, out since long ago, neither dated nor sensitive."""
    usual = {
        "as_of": as_of,
        "title": None,
        "kind": "article",
        "topics": None,
        "published_at": datetime(2024, 1, 1),
        "starts_at": None,
        "views_30d": 0,
        "is_available": True,
        "is_sensitive": False,
    }
    return pl.DataFrame(
        [usual | row for row in rows],
        schema={
            "content_id": pl.String,
            "as_of": pl.Date,
            "title": pl.String,
            "kind": pl.String,
            "topics": pl.List(pl.String),
            "published_at": pl.Datetime("us"),
            "starts_at": pl.Datetime("us"),
            "views_30d": pl.Int32,
            "is_available": pl.Boolean,
            "is_sensitive": pl.Boolean,
        },
    )


def reads(rows: list[tuple[str, str, float]], as_of: date = AS_OF) -> pl.DataFrame:
    """feat_content_reads of (customer, content, days ago)."""
    midnight = datetime.combine(as_of, time())
    return pl.DataFrame(
        [
            (who, what, as_of, 1, midnight - timedelta(days=days), 0.5 ** (days / 14), 0.5 ** (days / 90))
            for who, what, days in rows
        ],
        schema={
            "customer_id": pl.String,
            "content_id": pl.String,
            "as_of": pl.Date,
            "n_views": pl.Int32,
            "last_viewed_at": pl.Datetime("us"),
            "read_weight": pl.Float64,
            "slow_read_weight": pl.Float64,
        },
        orient="row",
    )


def interactions(rows: list[tuple[str, str, float]], as_of: date = AS_OF) -> pl.DataFrame:
    """feat_interactions of (customer, product, weight)."""
    return pl.DataFrame(
        [(who, what, as_of, 1, 0, 0, weight) for who, what, weight in rows],
        schema={
            "customer_id": pl.String,
            "product_id": pl.String,
            "as_of": pl.Date,
            "n_purchases": pl.Int32,
            "n_views": pl.Int32,
            "n_carts": pl.Int32,
            "weight": pl.Float64,
        },
        orient="row",
    )


def products(rows: list[tuple[str, str, str | None]], as_of: date = AS_OF, **columns: Any) -> pl.DataFrame:
    """feat_product of (product, name, category)."""
    return pl.DataFrame(
        [(product, as_of, name, category, None, False) for product, name, category in rows],
        schema={
            "product_id": pl.String,
            "as_of": pl.Date,
            "name": pl.String,
            "category": pl.String,
            "subcategory": pl.String,
            "is_sensitive": pl.Boolean,
        },
        orient="row",
    ).with_columns(**columns)


def customers(*ids: str) -> pl.DataFrame:
    return pl.DataFrame({"customer_id": list(ids)}, schema={"customer_id": pl.String})


def customer(number: int) -> str:
    return f"c{number:02d}"


def content(number: int) -> str:
    return f"a{number:02d}"


def two_tastes(as_of: date = AS_OF) -> ContentSnapshot:
    """Even customers read on running, odd ones on yoga, all of their topic but one: content number (customer % N_CONTENTS).

    `shopper` has read nothing and buys a yoga mat.
    """
    texts = [
        {"content_id": content(n), "title": f"On {TOPICS[n % 2]}", "topics": [TOPICS[n % 2]], "views_30d": 9}
        for n in range(N_CONTENTS)
    ]
    read = [
        (customer(c), content(n), 5.0 + n)
        for c in range(N_CUSTOMERS)
        for n in range(N_CONTENTS)
        if n % 2 == c % 2 and n != c % N_CONTENTS
    ]
    shelf = products([("mat", "Mat", "Yoga"), ("shoe", "Shoe", "Running")], as_of)
    return ContentSnapshot(
        as_of,
        reads(read, as_of),
        contents(texts, as_of),
        interactions([("shopper", "mat", 2.0)], as_of),
        shelf,
    )


def next_reads(as_of: date = EARLIER) -> pl.DataFrame:
    """label_contents: each customer of `two_tastes` reads the one of his topic that he lacks."""
    return pl.DataFrame(
        {
            "customer_id": [customer(n) for n in range(N_CUSTOMERS)],
            "content_id": [content(n % N_CONTENTS) for n in range(N_CUSTOMERS)],
            "as_of": [as_of] * N_CUSTOMERS,
            "n_views": [1] * N_CUSTOMERS,
        }
    )
