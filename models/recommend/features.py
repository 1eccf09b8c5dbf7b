"""Second stage's view of a candidate: what is known at the snapshot's date about customer, product and both."""

from datetime import datetime, time

import polars as pl

from models.recommend.candidates import RETRIEVERS
from models.recommend.snapshot import Snapshot

SCORES = tuple(f"{retriever}_score" for retriever in RETRIEVERS)
RANKS = tuple(f"{retriever}_rank" for retriever in RETRIEVERS if retriever != "popular")
OWN = (
    "n_purchases",
    "units_per_purchase",
    "n_views",
    "n_carts",
    "days_since_bought",
    "days_since_viewed",
    "repurchase_phase",
    "in_last_order",
)
CUSTOMER = ("customer_products", "customer_weight", "customer_repeat_share", "customer_days_since_bought")
PRODUCT = (
    "buyers_30d",
    "buyers_90d",
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
    product's median repurchase gap; `price_to_usual` compares with the mean price of the customer's products.
    """
    midnight = pl.lit(datetime.combine(snapshot.as_of, time()))
    bought_days = (midnight - pl.col("last_purchased_at")).dt.total_seconds() / 86400
    coded = snapshot.coded(customers).with_columns(days_since_bought=bought_days)
    return (
        candidates.join(_pair_facts(coded, midnight), on=["customer", "product"], how="left")
        .join(_customer_facts(coded, snapshot), on="customer", how="left")
        .join(_product_facts(snapshot, bought_days), on="product", how="left")
        .with_columns(_rank(retriever) for retriever in RETRIEVERS if retriever != "popular")
        .with_columns(
            repurchase_phase=pl.col("days_since_bought") / pl.col("median_repurchase_days"),
            price_to_usual=pl.col("price") / pl.col("customer_price"),
            in_last_order=pl.col("days_since_bought") == pl.col("customer_days_since_bought"),
        )
        .select("customer", "product", *(pl.col(feature).cast(pl.Float32) for feature in FEATURES))
        .sort("customer", "product")
    )


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
        units_per_purchase=pl.col("n_units") / pl.col("n_purchases"),
        days_since_viewed=(midnight - pl.col("last_viewed_at")).dt.total_seconds() / 86400,
    )


def _customer_facts(coded: pl.DataFrame, snapshot: Snapshot) -> pl.DataFrame:
    prices = snapshot.products.select("price").with_row_index("product").cast({"product": pl.Int64})
    bought = pl.col("n_purchases") > 0
    return (
        coded.join(prices, on="product", how="left")
        .group_by("customer")
        .agg(
            customer_products=bought.sum(),
            customer_weight=pl.col("weight").sort().sum(),
            customer_repeat_share=(pl.col("n_purchases") > 1).sum() / bought.sum(),
            customer_days_since_bought=pl.col("days_since_bought").min(),
            customer_price=pl.col("price").sort().mean(),
        )
    )


def _product_facts(snapshot: Snapshot, bought_days: pl.Expr) -> pl.DataFrame:
    bought = pl.col("n_purchases") > 0
    history = snapshot.interactions.group_by("product_id").agg(
        product_repeat_rate=pl.col("n_purchases").sum() / bought.sum(),
        product_days_since_bought=bought_days.min(),
    )
    catalogue = snapshot.products.with_row_index("product").cast({"product": pl.Int64})
    return catalogue.join(history, on="product_id", how="left").select(
        "product",
        "buyers_30d",
        "buyers_90d",
        "units_30d",
        "views_30d",
        "price",
        "median_repurchase_days",
        "is_consumable",
        "product_repeat_rate",
        "product_days_since_bought",
        buyer_trend=(pl.col("buyers_30d") + 1) / (pl.col("buyers_90d") / 3 + 1),
    )
