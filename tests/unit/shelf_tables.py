"""A small shop of three categories: who likes which, what he did, what he bought in the two weeks after."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
from customer_frames import World

CATEGORIES = ("Garden", "Home", "Toys")
N_PRODUCTS = 12


def products(as_of: date) -> pl.DataFrame:
    """feat_product: four products a category, two a subcategory; Home sells best."""
    number = np.arange(N_PRODUCTS)
    category = [CATEGORIES[n % 3] for n in number]
    return pl.DataFrame(
        {
            "product_id": [f"p{n:02d}" for n in number],
            "as_of": [as_of] * N_PRODUCTS,
            "category": category,
            "subcategory": [f"{name} {n // 6 + 1}" for n, name in zip(number, category, strict=True)],
            "buyers_30d": [30 if name == "Home" else 5 for name in category],
            "buyers_90d": [80 if name == "Home" else 15 for name in category],
            "views_30d": [200] * N_PRODUCTS,
            "median_repurchase_days": pl.Series([None] * N_PRODUCTS, dtype=pl.Float64),
            "is_consumable": [False] * N_PRODUCTS,
            "is_sensitive": [False] * N_PRODUCTS,
        },
        schema_overrides={"buyers_30d": pl.Int32, "buyers_90d": pl.Int32, "views_30d": pl.Int32},
    )


class Shelves:
    """Customers of `World`, each with one favourite category: what he buys is mostly of it.

    Four orders in five hold his favourite, from the day he signed up on.
    """

    def __init__(self, n_customers: int = 400, seed: int = 3) -> None:
        self.world = World(n_customers, seed=seed)
        draw = np.random.default_rng(seed)
        orders = self.world.orders
        customer = orders["n"].to_numpy()
        favourite = draw.integers(0, 3, n_customers)
        category = np.where(
            draw.random(len(customer)) < 0.8, favourite[customer], draw.integers(0, 3, len(customer))
        )
        product = category + 3 * draw.integers(0, N_PRODUCTS // 3, len(customer))
        self.lines = orders.select(
            customer_id=pl.Series(self.world.ids[customer]),
            product_id=pl.Series([f"p{n:02d}" for n in product]),
            ordered_on=pl.lit(date(2024, 1, 1)) + pl.duration(days=pl.col("day")),
        )

    def customers(self, as_of: date) -> pl.DataFrame:
        """feat_customer."""
        absent = ("n_orders_30d", "price_position", "n_categories")
        frame = self.world.features(as_of)
        return frame.with_columns(
            pl.lit(None, dtype=pl.Float64).alias(name) for name in absent if name not in frame.columns
        )

    def interactions(self, as_of: date) -> pl.DataFrame:
        """feat_interactions: purchases alone."""
        past = self.lines.filter(pl.col("ordered_on") < as_of)
        age = (pl.lit(as_of) - pl.col("ordered_on")).dt.total_days()
        return (
            past.group_by("customer_id", "product_id")
            .agg(
                n_purchases=pl.len().cast(pl.Int32),
                last_purchased_at=pl.col("ordered_on").max().cast(pl.Datetime("us")),
                weight=(0.5 ** (age / 90)).sum(),
            )
            .with_columns(
                as_of=pl.lit(as_of),
                n_carts=pl.lit(0, pl.Int32),
                last_viewed_at=pl.lit(None, pl.Datetime("us")),
                purchase_weight=pl.col("weight"),
                view_weight=pl.lit(0.0),
            )
            .sort("customer_id", "product_id")
        )

    def labels(self, as_of: date, days: int = 14) -> pl.DataFrame:
        """label_categories."""
        window = self.lines.filter(
            pl.col("ordered_on") >= as_of, pl.col("ordered_on") < as_of + timedelta(days=days)
        )
        return (
            window.join(products(as_of), on="product_id")
            .group_by("customer_id", "category", "subcategory", "as_of")
            .agg(n_order_days=pl.col("ordered_on").n_unique().cast(pl.Int32))
            .sort("customer_id", "category", "subcategory")
        )

    def tables(self, days: list[date]) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """feat_customer, feat_interactions, feat_product of all days; label_categories of all but the last."""
        return (
            pl.concat([self.customers(day) for day in days]),
            pl.concat([self.interactions(day) for day in days]),
            pl.concat([products(day) for day in days]),
            pl.concat([self.labels(day) for day in days[:-1]]),
        )
