"""The recommenders' frames of Online Retail II at any date, as dbt would make them of the imported file.

Columns and rules are those of `feat_interactions`, `feat_product`, `feat_basket_pairs` and `label_purchases`. The shop has no
visits, so all that rests on views is 0 or null.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from benchmarks.evaluate.table import data_file
from models.recommend import Snapshot
from shop.online_retail import FILE_NAME, import_online_retail

SOURCE = "online_retail_II.parquet"
MERCHANDISE = r"^\d{5}"
"""Stock codes of five digits, with or without a letter for the colour."""

HALF_LIFE_DAYS = 90
FAST_HALF_LIFE_DAYS = 30
YEAR = timedelta(days=365)
SEASON = timedelta(days=30)
BASKET_DAYS = 365
BASKET_PRODUCTS = 30
BASKET_ORDERS = 3
BASKET_TOP = 20
REPURCHASE_GAPS = 20


@dataclass(frozen=True)
class GiftShop:
    """The imported shop.

    lines: order_id, customer_id (null: unknown), product_id, quantity, price, occurred_at, day.
    days: one row per known customer, product and day: n_orders, n_units, last_purchased_at, gap_days.
    catalogue: product_id, name, category, subcategory, brand, price, released_at.
    """

    lines: pl.DataFrame
    days: pl.DataFrame
    catalogue: pl.DataFrame

    @staticmethod
    def read(data: Path) -> GiftShop:
        """Import the file of the data folder; raises MissingDataError where it is absent."""
        source = data_file(data, SOURCE)
        with TemporaryDirectory() as folder:
            landing = Path(folder)
            import_online_retail(source, landing)
            events = pl.read_parquet(landing / "events" / FILE_NAME)
            products = pl.read_parquet(landing / "products" / FILE_NAME)
        lines = events.filter(
            pl.col("event") == "Order Completed", pl.col("product_id").str.contains(MERCHANDISE)
        ).select(
            "order_id",
            "customer_id",
            "product_id",
            "quantity",
            "price",
            "occurred_at",
            day=pl.col("occurred_at").dt.date(),
        )
        catalogue = products.filter(pl.col("product_id").str.contains(MERCHANDISE)).select(
            "product_id",
            "name",
            "category",
            "subcategory",
            pl.lit(None, pl.String).alias("brand"),
            "price",
            "released_at",
        )
        return GiftShop(lines, _purchase_days(lines), catalogue.sort("product_id"))

    def snapshot(self, as_of: date) -> Snapshot:
        """What was known before `as_of` 00:00 UTC; products not sold before are not yet on sale."""
        return Snapshot(as_of, self._interactions(as_of), self._products(as_of), self._pairs(as_of))

    def labels(self, dates: Sequence[date], n_days: int) -> pl.DataFrame:
        """`label_purchases` of the dates: products on sale at the date, bought by known customers in the `n_days` after."""
        parts = [
            self.days.filter(pl.col("day").is_between(as_of, as_of + timedelta(days=n_days), closed="left"))
            .join(self._released(as_of), on="product_id", how="semi")
            .group_by("customer_id", "product_id")
            .agg(n_purchases=pl.col("n_orders").sum())
            .with_columns(as_of=pl.lit(as_of))
            for as_of in dates
        ]
        return pl.concat(parts).sort("as_of", "customer_id", "product_id")

    def _released(self, as_of: date) -> pl.DataFrame:
        return self.catalogue.filter(pl.col("released_at") < datetime.combine(as_of, time()))

    def _interactions(self, as_of: date) -> pl.DataFrame:
        age = (pl.lit(as_of) - pl.col("day")).dt.total_days()
        weight = (pl.col("n_orders") * 0.5 ** (age / HALF_LIFE_DAYS)).sum()
        fast = (pl.col("n_orders") * 0.5 ** (age / FAST_HALF_LIFE_DAYS)).sum()
        last_year = pl.col("n_orders").filter(_season(as_of)).sum()
        nothing = pl.lit(0, pl.Int32)
        return (
            self.days.filter(pl.col("day") < as_of)
            .sort("customer_id", "product_id", "day")
            .group_by("customer_id", "product_id", maintain_order=True)
            .agg(
                n_purchases=pl.col("n_orders").sum().cast(pl.Int32),
                n_units=pl.col("n_units").sum().cast(pl.Int32),
                n_season_purchases=last_year.cast(pl.Int32),
                first_purchased_at=pl.col("day").min().cast(pl.Datetime("us")),
                last_purchased_at=pl.col("last_purchased_at").max(),
                fast_purchase_weight=fast,
                purchase_weight=weight,
            )
            .with_columns(
                as_of=pl.lit(as_of),
                n_views=nothing,
                n_carts=nothing,
                last_viewed_at=pl.lit(None, pl.Datetime("us")),
                view_weight=0.0,
                weight="purchase_weight",
            )
        )

    def _products(self, as_of: date) -> pl.DataFrame:
        back = {days: as_of - timedelta(days=days) for days in (30, 90)}
        sold = (
            self.lines.filter(pl.col("day") < as_of)
            .sort("product_id", "occurred_at", "order_id")
            .group_by("product_id")
            .agg(
                last_price=pl.col("price").last(),
                units_30d=pl.col("quantity").filter(pl.col("day") >= back[30]).sum().cast(pl.Int32),
            )
        )
        recent = self.days.filter(pl.col("day") < as_of, pl.col("day") >= back[90])
        buyers = recent.group_by("product_id").agg(
            buyers_30d=pl.col("customer_id").filter(pl.col("day") >= back[30]).n_unique().cast(pl.Int32),
            buyers_90d=pl.col("customer_id").n_unique().cast(pl.Int32),
        )
        season = (
            self.days.filter(_season(as_of))
            .group_by("product_id")
            .agg(season_buyers=pl.col("customer_id").n_unique().cast(pl.Int32))
        )
        gaps = (
            self.days.filter(pl.col("day") < as_of)
            .group_by("product_id")
            .agg(n_gaps=pl.col("gap_days").count(), median_repurchase_days=pl.col("gap_days").median())
            .filter(pl.col("n_gaps") >= REPURCHASE_GAPS)
            .drop("n_gaps")
        )
        return (
            self.catalogue.join(sold, on="product_id", how="left")
            .join(buyers, on="product_id", how="left")
            .join(season, on="product_id", how="left")
            .join(gaps, on="product_id", how="left")
            .with_columns(
                pl.col("units_30d", "buyers_30d", "buyers_90d", "season_buyers").fill_null(0),
                as_of=pl.lit(as_of),
                price=pl.coalesce("last_price", "price"),
                is_available=pl.col("released_at") < datetime.combine(as_of, time()),
                is_sensitive=False,
                is_consumable=False,
                views_30d=pl.lit(0, pl.Int32),
            )
            .drop("last_price")
        )

    def _pairs(self, as_of: date) -> pl.DataFrame:
        since = as_of - timedelta(days=BASKET_DAYS)
        baskets = (
            self.lines.filter(pl.col("day").is_between(since, as_of, closed="left"))
            .select("order_id", "product_id")
            .unique()
            .filter(pl.len().over("order_id").is_between(2, BASKET_PRODUCTS))
        )
        n_orders = baskets["order_id"].n_unique()
        sizes = baskets.group_by("product_id").agg(n=pl.len())
        lift = pl.col("n_orders_together") * n_orders / (pl.col("n") * pl.col("n_other"))
        return (
            baskets.join(baskets.rename({"product_id": "other_product_id"}), on="order_id")
            .filter(pl.col("product_id") != pl.col("other_product_id"))
            .group_by("product_id", "other_product_id")
            .agg(n_orders_together=pl.len().cast(pl.Int32))
            .filter(pl.col("n_orders_together") >= BASKET_ORDERS)
            .join(sizes, on="product_id")
            .join(sizes.rename({"product_id": "other_product_id", "n": "n_other"}), on="other_product_id")
            .with_columns(as_of=pl.lit(as_of), lift=lift)
            .sort(
                ["product_id", "n_orders_together", "lift", "other_product_id"],
                descending=[False, True, True, False],
            )
            .filter(pl.int_range(pl.len()).over("product_id") < BASKET_TOP)
            .select("product_id", "other_product_id", "as_of", "n_orders_together", "lift")
        )


def _season(as_of: date) -> pl.Expr:
    """The days of last year that the coming 30 days correspond to."""
    return pl.col("day").is_between(as_of - YEAR, as_of - YEAR + SEASON, closed="left")


def _purchase_days(lines: pl.DataFrame) -> pl.DataFrame:
    return (
        lines.filter(pl.col("customer_id").is_not_null())
        .group_by("customer_id", "product_id", "day")
        .agg(
            n_orders=pl.col("order_id").n_unique(),
            n_units=pl.col("quantity").sum(),
            last_purchased_at=pl.col("occurred_at").max(),
        )
        .sort("customer_id", "product_id", "day")
        .with_columns(gap_days=pl.col("day").diff().dt.total_days().over("customer_id", "product_id"))
    )
