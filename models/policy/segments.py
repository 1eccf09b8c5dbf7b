"""Readable groups for the marketer: where a customer stands in his life cycle and how much he is worth."""

from __future__ import annotations

import polars as pl

HIGH, MEDIUM, LOW = "high value", "medium value", "low value"
HIGH_VALUE_SHARE = 0.20
LOW_VALUE_SHARE = 0.50


def segment() -> pl.Expr:
    """'<stage>, high value' | '<stage>, medium value' | '<stage>, low value'; the stage alone for who never
    bought.

    Bands are by rank of lifetime_value among customers with an order: the top fifth is high, the lower half
    low. Equal values share a band. Reads lifecycle_stage, n_orders, lifetime_value.
    """
    buyers_value = pl.when(pl.col("n_orders") > 0).then(pl.col("lifetime_value"))
    position = (buyers_value.rank("average") - 0.5) / buyers_value.count()
    band = (
        pl.when(position >= 1.0 - HIGH_VALUE_SHARE)
        .then(pl.lit(f", {HIGH}"))
        .when(position < LOW_VALUE_SHARE)
        .then(pl.lit(f", {LOW}"))
        .when(position.is_not_null())
        .then(pl.lit(f", {MEDIUM}"))
        .otherwise(pl.lit(""))
    )
    return pl.col("lifecycle_stage") + band
