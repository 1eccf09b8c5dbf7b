"""Second stage's view of a candidate: what is known at the snapshot's date about customer, product and both."""

from datetime import datetime, time

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.recommend.candidates import RETRIEVERS, SAME_FOR_ALL
from models.recommend.snapshot import Snapshot

SCORES = tuple(f"{retriever}_score" for retriever in RETRIEVERS)
RANKS = tuple(f"{retriever}_rank" for retriever in RETRIEVERS if retriever not in SAME_FOR_ALL)
OWN = (
    "n_purchases",
    "units_per_purchase",
    "n_views",
    "n_carts",
    "days_since_bought",
    "days_since_viewed",
    "repurchase_phase",
    "own_repurchase_phase",
    "in_last_order",
    "fast_purchase_weight",
    "n_season_purchases",
    "days_since_first_bought",
    "order_share",
    "orders_since",
    "subcategory_share",
)
CUSTOMER = (
    "customer_products",
    "customer_weight",
    "customer_repeat_share",
    "customer_days_since_bought",
    "customer_orders",
    "customer_order_gap",
    "customer_basket",
)
PRODUCT = (
    "buyers_7d",
    "buyers_30d",
    "buyers_90d",
    "buyers_ever",
    "new_buyers_30d",
    "new_buyers_share",
    "season_buyers",
    "season_trend",
    "days_on_sale",
    "units_30d",
    "views_30d",
    "buyer_trend",
    "price",
    "price_to_usual",
    "median_repurchase_days",
    "product_repeat_rate",
    "product_days_since_bought",
    "is_consumable",
)
FEATURES = (*SCORES, *RANKS, *OWN, *CUSTOMER, *PRODUCT)


def candidate_features(candidates: pl.DataFrame, snapshot: Snapshot, customers: pl.Series) -> pl.DataFrame:
    """Add FEATURES (Float32, null where there is nothing to know) to `Retrieval.candidates` rows, in their order.

    Ages are days before the snapshot's midnight; `repurchase_phase` is the age of the last purchase over the
    product's median repurchase gap; `price_to_usual` compares with the mean price of the customer's
    products. Orders are counted by day (see `_order_days`). `season` is the coming month, a year ago.
    """
    midnight = pl.lit(datetime.combine(snapshot.as_of, time()))
    bought_days = (midnight - pl.col("last_purchased_at")).dt.total_seconds() / 86400
    first_bought_days = (midnight - pl.col("first_purchased_at")).dt.total_seconds() / 86400
    coded = snapshot.coded(customers).with_columns(
        days_since_bought=bought_days, days_since_first_bought=first_bought_days
    )
    orders = _order_days(coded)
    return (
        candidates.join(_pair_facts(coded, midnight), on=["customer", "product"], how="left")
        .join(_order_facts(coded, orders), on=["customer", "product"], how="left")
        .join(_customer_facts(coded, orders, snapshot), on="customer", how="left")
        .join(_product_facts(snapshot, bought_days, first_bought_days), on="product", how="left")
        .join(_subcategory_shares(coded, snapshot), on=["customer", "subcategory"], how="left")
        .with_columns(_rank(retriever) for retriever in RETRIEVERS if retriever not in SAME_FOR_ALL)
        .with_columns(
            repurchase_phase=pl.col("days_since_bought") / pl.col("median_repurchase_days"),
            own_repurchase_phase=pl.col("days_since_bought")
            * pl.col("n_purchases")
            / (pl.col("days_since_first_bought") + 1),
            price_to_usual=pl.col("price") / pl.col("customer_price"),
            in_last_order=pl.col("days_since_bought") == pl.col("customer_days_since_bought"),
        )
        .select("customer", "product", *(pl.col(feature).cast(pl.Float32) for feature in FEATURES))
        .sort("customer", "product")
    )


def feature_matrix(rows: pl.DataFrame) -> NDArray[np.float32]:
    """FEATURES of `candidate_features` rows as a float32 matrix; null and infinity as NaN, as trees take none."""
    matrix = rows.select(pl.col(FEATURES).cast(pl.Float32).fill_null(float("nan"))).to_numpy().copy()
    matrix[np.isinf(matrix)] = np.nan
    return matrix


def _rank(retriever: str) -> pl.Expr:
    """Position among the customer's candidates by this retriever; null where it says nothing."""
    score = pl.col(f"{retriever}_score")
    rank = score.rank("min", descending=True).over("customer")
    return pl.when(score > 0).then(rank).alias(f"{retriever}_rank")


def _pair_facts(coded: pl.DataFrame, midnight: pl.Expr) -> pl.DataFrame:
    return coded.select(
        "customer",
        "product",
        "n_purchases",
        "n_views",
        "n_carts",
        "days_since_bought",
        "days_since_first_bought",
        "fast_purchase_weight",
        "n_season_purchases",
        units_per_purchase=pl.col("n_units") / pl.col("n_purchases"),
        days_since_viewed=(midnight - pl.col("last_viewed_at")).dt.total_seconds() / 86400,
    )


def _order_days(coded: pl.DataFrame) -> pl.DataFrame:
    """Days on which a customer bought something for the first or, so far, the last time: customer, day, nth (from 1)."""
    bought = [
        coded.select("customer", day=pl.col(moment).dt.date())
        for moment in ("first_purchased_at", "last_purchased_at")
    ]
    days = pl.concat(bought).drop_nulls().unique().sort("customer", "day")
    return days.with_columns(
        nth=pl.int_range(1, pl.len() + 1).over("customer"), n_days=pl.len().over("customer")
    )


def _order_facts(coded: pl.DataFrame, orders: pl.DataFrame) -> pl.DataFrame:
    """order_share: of the orders since its first purchase, the share with the product; orders_since: its last one."""
    first, last = (
        orders.select("customer", "n_days", day="day", **{name: "nth"}) for name in ("first", "last")
    )
    return (
        coded.filter(pl.col("n_purchases") > 0)
        .select(
            "customer",
            "product",
            "n_purchases",
            first_day=pl.col("first_purchased_at").dt.date(),
            last_day=pl.col("last_purchased_at").dt.date(),
        )
        .join(first, left_on=["customer", "first_day"], right_on=["customer", "day"], how="left")
        .join(last.drop("n_days"), left_on=["customer", "last_day"], right_on=["customer", "day"], how="left")
        .select(
            "customer",
            "product",
            order_share=pl.col("n_purchases") / (pl.col("n_days") - pl.col("first") + 1),
            orders_since=pl.col("n_days").cast(pl.Int64) - pl.col("last"),
        )
    )


def _subcategory_shares(coded: pl.DataFrame, snapshot: Snapshot) -> pl.DataFrame:
    """subcategory_share: of the customer's weight."""
    named = snapshot.products.select(pl.col("subcategory").cast(pl.String)).with_row_index("product")
    weight = pl.col("weight")
    return (
        coded.join(named.cast({"product": pl.Int64}), on="product", how="left")
        .drop_nulls("subcategory")
        .group_by("customer", "subcategory")
        .agg(weight.sort().sum())
        .sort("customer", "subcategory")
        .select("customer", "subcategory", subcategory_share=weight / weight.sum().over("customer"))
    )


def _customer_facts(coded: pl.DataFrame, orders: pl.DataFrame, snapshot: Snapshot) -> pl.DataFrame:
    prices = snapshot.products.select("price").with_row_index("product").cast({"product": pl.Int64})
    bought = pl.col("n_purchases") > 0
    first, last = pl.col("day").min(), pl.col("day").max()
    rhythm = orders.group_by("customer").agg(
        customer_orders=pl.len(), customer_order_gap=(last - first).dt.total_days() / (pl.len() - 1)
    )
    return (
        coded.join(prices, on="product", how="left")
        .group_by("customer")
        .agg(
            customer_products=bought.sum(),
            customer_weight=pl.col("weight").sort().sum(),
            customer_repeat_share=(pl.col("n_purchases") > 1).sum() / bought.sum(),
            customer_days_since_bought=pl.col("days_since_bought").min(),
            customer_price=pl.col("price").sort().mean(),
            purchases=pl.col("n_purchases").sum(),
        )
        .join(rhythm, on="customer", how="left")
        .with_columns(
            pl.col("customer_order_gap").fill_nan(None),
            customer_basket=pl.col("purchases") / pl.col("customer_orders"),
        )
    )


def _product_facts(snapshot: Snapshot, bought_days: pl.Expr, first_bought_days: pl.Expr) -> pl.DataFrame:
    bought = pl.col("n_purchases") > 0
    history = snapshot.interactions.group_by("product_id").agg(
        product_repeat_rate=pl.col("n_purchases").sum() / bought.sum(),
        product_days_since_bought=bought_days.min(),
        buyers_7d=(bought_days <= 7).sum(),
        buyers_ever=bought.sum(),
        new_buyers_30d=(first_bought_days <= 30).sum(),
        new_buyers_90d=(first_bought_days <= 90).sum(),
        days_on_sale=first_bought_days.max(),
    )
    catalogue = snapshot.products.with_row_index("product").cast({"product": pl.Int64})
    return catalogue.join(history, on="product_id", how="left").select(
        "product",
        pl.col("subcategory").cast(pl.String),
        "buyers_7d",
        "buyers_ever",
        "new_buyers_30d",
        "days_on_sale",
        "season_buyers",
        "buyers_30d",
        "buyers_90d",
        "units_30d",
        "views_30d",
        "price",
        "median_repurchase_days",
        "is_consumable",
        "product_repeat_rate",
        "product_days_since_bought",
        new_buyers_share=pl.col("new_buyers_90d") / pl.col("buyers_ever"),
        season_trend=(pl.col("season_buyers") + 1) / (pl.col("buyers_30d") + 1),
        buyer_trend=(pl.col("buyers_30d") + 1) / (pl.col("buyers_90d") / 3 + 1),
    )
