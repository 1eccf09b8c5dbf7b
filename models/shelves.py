"""Customers before the shelves of a shop: what each has done with each category and subcategory.

Here: which pairs are asked about, their features, their labels. Not here: what is learnt from them (`propensity`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from models.features import KEYS
from models.model import require
from models.order_rates import FEATURES as RATE_FEATURES

CATEGORY, SUBCATEGORY = LEVELS = ("category", "subcategory")
SHELF = ("level", "category", "shelf")
"""Which shelf: its level, its category, and the category's or subcategory's own name."""

CUSTOMER_COLUMNS = tuple(
    dict.fromkeys(
        (
            *KEYS,
            *RATE_FEATURES,
            "n_orders_30d",
            "n_orders_90d",
            "days_since_last_order",
            "mean_gap_days",
            "avg_order_value",
            "discount_share",
            "price_position",
            "n_categories",
            "n_sessions_7d",
            "n_sessions_30d",
            "n_product_views_7d",
            "n_product_views_30d",
            "n_carts_30d",
            "n_searches_30d",
            "days_since_last_session",
            "open_rate_90d",
            "click_rate_90d",
        )
    )
)
"""What is read of feat_customer."""

OWN = (
    "own_weight",
    "own_share",
    "own_purchase_weight",
    "own_view_weight",
    "own_view_share",
    "own_n_purchases",
    "own_n_carts",
    "days_since_own_purchase",
    "days_since_own_view",
    "is_last_seen",
    "category_share",
    "total_weight",
)
"""The customer's own behaviour with a shelf: decayed weights as in feat_interactions, shares of all he did."""

POPULARITY = (
    "shelf_share_30d",
    "shelf_share_90d",
    "shelf_view_share_30d",
    "shelf_trend",
    "shelf_n_products",
    "shelf_repurchase_days",
    "shelf_consumable_share",
)
"""The shelf's part of all products bought by a customer within 30 and 90 days, and of all views; 30 days against 90."""

INTERACTION_COLUMNS = (
    *KEYS,
    "product_id",
    "n_purchases",
    "n_carts",
    "last_purchased_at",
    "last_viewed_at",
    "purchase_weight",
    "view_weight",
    "weight",
)
PRODUCT_COLUMNS = (
    "product_id",
    "as_of",
    "category",
    "subcategory",
    "buyers_30d",
    "buyers_90d",
    "views_30d",
    "median_repurchase_days",
    "is_consumable",
    "is_sensitive",
)
PRIOR_WEIGHT = 1.0
"""A customer's share of a shelf is drawn to the shelf's popularity as if he had bought one product more."""


@dataclass(frozen=True)
class ShelfLimits:
    """How many shelves of a level everyone is asked about: the most bought. Beyond them, those he has been seen at."""

    categories: int = 30
    subcategories: int = 40


def shelf_frame(
    customers: pl.DataFrame,
    interactions: pl.DataFrame,
    products: pl.DataFrame,
    limits: ShelfLimits | None = None,
) -> pl.DataFrame:
    """One row per customer, snapshot and shelf, sorted by these.

    Args:
        customers: feat_customer, one or more snapshots.
        interactions: feat_interactions of the same snapshots.
        products: feat_product of the same snapshots; without a category, or sensitive, they are on no shelf.
        limits: how many shelves everyone is asked about.

    Returns: KEYS, SHELF, the rest of CUSTOMER_COLUMNS, OWN, POPULARITY, `prior_share`: the customer's share of the
    shelf drawn to its popularity. Customers who allow no profiling have no interactions.
    """
    require(customers, CUSTOMER_COLUMNS, "shelves")
    require(interactions, INTERACTION_COLUMNS, "shelves")
    require(products, PRODUCT_COLUMNS, "shelves")
    limits = limits or ShelfLimits()
    placed = products.select(PRODUCT_COLUMNS).filter(
        pl.col("category").is_not_null(), ~pl.col("is_sensitive").fill_null(False)
    )
    shelves = pl.concat(
        [
            _popularity(_at_level(placed, level)).filter(pl.col("rank") <= asked)
            for level, asked in ((CATEGORY, limits.categories), (SUBCATEGORY, limits.subcategories))
        ]
    )
    everything = pl.concat([_popularity(_at_level(placed, level)) for level in LEVELS]).drop("rank")
    known = customers.select(CUSTOMER_COLUMNS)
    seen = interactions.select(INTERACTION_COLUMNS).join(
        placed.select("product_id", "as_of", "category", "subcategory"), on=["product_id", "as_of"]
    )
    own = pl.concat([_own(_at_level(seen, level)) for level in LEVELS])
    asked = known.select(KEYS).join(shelves.select("as_of", *SHELF), on="as_of")
    pairs = pl.concat([asked, own.select(*KEYS, *SHELF).join(known, on=list(KEYS), how="semi")]).unique()
    totals = (
        own.filter(pl.col("level") == CATEGORY)
        .group_by(KEYS)
        .agg(
            total_weight=pl.col("own_weight").sort().sum(), total_view=pl.col("own_view_weight").sort().sum()
        )
    )
    in_category = own.filter(pl.col("level") == CATEGORY).select(
        *KEYS, "category", category_weight="own_weight"
    )
    counts = ["own_weight", "own_purchase_weight", "own_view_weight", "own_n_purchases", "own_n_carts"]
    return (
        pairs.join(everything, on=["as_of", *SHELF])
        .join(own, on=[*KEYS, *SHELF], how="left")
        .join(totals, on=list(KEYS), how="left")
        .join(in_category, on=[*KEYS, "category"], how="left")
        .with_columns(
            pl.col(*counts, "is_last_seen", "category_weight", "total_weight", "total_view").fill_null(0.0)
        )
        .with_columns(
            own_share=_share("own_weight", "total_weight"),
            own_view_share=_share("own_view_weight", "total_view"),
            category_share=_share("category_weight", "total_weight"),
            prior_share=(pl.col("own_weight") + PRIOR_WEIGHT * pl.col("shelf_share_90d"))
            / (pl.col("total_weight") + PRIOR_WEIGHT),
        )
        .join(known, on=list(KEYS))
        .select(
            *KEYS,
            *SHELF,
            *(column for column in CUSTOMER_COLUMNS if column not in KEYS),
            pl.col(*OWN, *POPULARITY, "prior_share").cast(pl.Float32),
        )
        .sort(*KEYS, *SHELF)
    )


def with_labels(
    frame: pl.DataFrame, labels: pl.DataFrame, horizon_days: int, until: date | None = None
) -> pl.DataFrame:
    """The frame with `bought` (Boolean): whether the customer bought from the shelf within `horizon_days`.

    Args:
        frame: of `shelf_frame`.
        labels: label_categories.
        horizon_days: length of the labels' window.
        until: where what happened ends, by default the newest snapshot; windows that reach past it have null.
    """
    bought = pl.concat(
        [_at_level(labels, level).select(*KEYS, *SHELF).unique() for level in LEVELS]
    ).with_columns(bought=pl.lit(True))
    end = pl.col("as_of").max() if until is None else pl.lit(until)
    is_over = pl.col("as_of") + pl.duration(days=horizon_days) <= end
    return frame.join(bought, on=[*KEYS, *SHELF], how="left", maintain_order="left").with_columns(
        pl.when(is_over).then(pl.col("bought").fill_null(False)).alias("bought")
    )


def sampled(customers: pl.DataFrame, n: int, seed: int) -> pl.DataFrame:
    """At most `n` rows of each snapshot, drawn among the profiled; sorted by KEYS."""
    allowed = customers.filter(pl.col("has_behaviour").fill_null(False)).sort("as_of", "customer_id")
    draw = pl.Series("draw", np.random.default_rng(seed).random(allowed.height), dtype=pl.Float64)
    return (
        allowed.with_columns(draw)
        .filter(pl.col("draw").rank("ordinal").over("as_of") <= n)
        .drop("draw")
        .sort(KEYS)
    )


def _at_level(frame: pl.DataFrame, level: str) -> pl.DataFrame:
    """Rows with SHELF instead of category and subcategory; at the level of subcategories, those that have one."""
    if level == SUBCATEGORY:
        frame = frame.filter(pl.col("subcategory").is_not_null())
    return frame.with_columns(pl.lit(level).alias("level"), pl.col(level).alias("shelf"))


def _popularity(products: pl.DataFrame) -> pl.DataFrame:
    """Per snapshot and shelf: POPULARITY, and its rank within the level, the most bought first."""
    sums = products.group_by("as_of", *SHELF).agg(
        buyers_30d=pl.col("buyers_30d").sum(),
        buyers_90d=pl.col("buyers_90d").sum(),
        views_30d=pl.col("views_30d").sum(),
        shelf_n_products=pl.len(),
        shelf_repurchase_days=pl.col("median_repurchase_days").median(),
        shelf_consumable_share=pl.col("is_consumable").fill_null(False).mean(),
    )

    def part(column: str) -> pl.Expr:
        """Of the level's total; one more purchase spread over all shelves keeps it from 0."""
        return (pl.col(column) + 1.0 / pl.len().over("as_of")) / (pl.col(column).sum().over("as_of") + 1.0)

    order = ["as_of", "buyers_90d", "category", "shelf"]
    return (
        sums.sort(order, descending=[False, True, False, False])
        .with_columns(
            shelf_share_30d=part("buyers_30d"),
            shelf_share_90d=part("buyers_90d"),
            shelf_view_share_30d=part("views_30d"),
            rank=pl.int_range(1, pl.len() + 1).over("as_of"),
        )
        .with_columns(shelf_trend=pl.col("shelf_share_30d") / pl.col("shelf_share_90d"))
        .select("as_of", *SHELF, *POPULARITY, "rank")
    )


def _own(seen: pl.DataFrame) -> pl.DataFrame:
    """Per customer, snapshot and shelf he has been seen at: OWN without shares."""
    now = pl.col("as_of").cast(pl.Datetime("us"))

    def age(column: str) -> pl.Expr:
        return (now.first() - pl.col(column).max().cast(pl.Datetime("us"))).dt.total_seconds() / 86_400

    own = (
        seen.sort(*KEYS, "product_id")
        .group_by(*KEYS, *SHELF, maintain_order=True)
        .agg(
            own_weight=pl.col("weight").sum(),
            own_purchase_weight=pl.col("purchase_weight").sum(),
            own_view_weight=pl.col("view_weight").sum(),
            own_n_purchases=pl.col("n_purchases").sum().cast(pl.Float64),
            own_n_carts=pl.col("n_carts").sum().cast(pl.Float64),
            days_since_own_purchase=age("last_purchased_at"),
            days_since_own_view=age("last_viewed_at"),
        )
    )
    last = pl.min_horizontal("days_since_own_purchase", "days_since_own_view")
    is_last = last.eq(last.min().over(KEYS)).fill_null(False).cast(pl.Float64)
    return own.with_columns(is_last_seen=is_last)


def _share(part: str, whole: str) -> pl.Expr:
    return pl.when(pl.col(whole) > 0).then(pl.col(part) / pl.col(whole)).otherwise(0.0)
