"""The slots of a mail, each with a list of its own that follows from one reason and says it.

A recommender's list is the best of all reasons; a slot keeps to one. Nothing is filled up: a customer without the reason has
no rows. Stock and sensitivity hold in every slot.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import polars as pl

from models.recommend.candidates import pair_matrix
from models.recommend.slots import POPULAR
from models.recommend.snapshot import CUSTOMERS_AT_ONCE, Snapshot, sparse

SLOTS = ("for_you", "bought_together", "completes_the_look", "recently_viewed", "buy_again")
COLUMNS = ("customer_id", "slot", "rank", "product_id", "score")


def lists_and_slots(
    recommender: Any, snapshot: Snapshot, customers: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The recommender's lists, and the slots of the same customers; a ranker looks at each customer once for both."""
    parts = [
        (recommender.predict(snapshot, asked), mail_slots(recommender, snapshot, asked))
        for asked in customers.iter_slices(CUSTOMERS_AT_ONCE)
    ] or [(recommender.predict(snapshot, customers), mail_slots(recommender, snapshot, customers))]
    lists, slots = zip(*parts, strict=True)
    return pl.concat(lists), pl.concat(slots)


def mail_slots(recommender: Any, snapshot: Snapshot, customers: pl.DataFrame, n: int = 4) -> pl.DataFrame:
    """Up to `n` products per customer and slot.

    recommender: fitted, a dataclass with `rules`; they hold in `for_you` but for the number and what is new.

    for_you: the recommender's products that the customer has not bought, but for those that everybody gets.
    bought_together: what others put into one order with what he ever bought. completes_the_look: the same for his last order
    alone, of categories the order does not have. recently_viewed: looked at and not bought. buy_again: bought before, by
    decayed purchases.

    Columns: customer_id, slot, rank (from 1), product_id, score (falls with rank; comparable within a slot alone). Sorted by
    customer_id, slot in the order of SLOTS, rank.
    """
    ids = customers["customer_id"]
    own = snapshot.coded(ids)
    names = snapshot.product_codes().filter(pl.Series(snapshot.allowed(), dtype=pl.Boolean))
    spine = pl.DataFrame({"customer_id": ids}).with_row_index("customer").cast({"customer": pl.Int64})
    rules = replace(recommender.rules, n=n, is_new_only=True)
    fresh: pl.DataFrame = replace(recommender, rules=rules).predict(snapshot, customers)
    ranked = [
        fresh.filter(pl.col("source") != POPULAR).select(
            "customer_id", "product_id", "score", slot=pl.lit("for_you")
        ),
        *(
            reason(own, snapshot)
            .filter(pl.col("score") > 0)
            .join(names, on="product", how="inner")
            .join(spine, on="customer", how="inner")
            .select("customer_id", "product_id", "score", slot=pl.lit(slot))
            for slot, reason in REASONS.items()
        ),
    ]
    order = pl.col("slot").replace_strict(list(SLOTS), range(len(SLOTS)), return_dtype=pl.Int32)
    return (
        pl.concat(ranked)
        .with_columns(place=order)
        .sort(["customer_id", "place", "score", "product_id"], descending=[False, False, True, False])
        .with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("customer_id", "slot"))
        .filter(pl.col("rank") <= n)
        .select(COLUMNS)
    )


def _viewed(own: pl.DataFrame, snapshot: Snapshot) -> pl.DataFrame:
    return own.filter(pl.col("n_purchases") == 0).select("customer", "product", score="view_weight")


def _buy_again(own: pl.DataFrame, snapshot: Snapshot) -> pl.DataFrame:
    return own.select("customer", "product", score="purchase_weight")


def _together(own: pl.DataFrame, snapshot: Snapshot) -> pl.DataFrame:
    return _beside(own.filter(pl.col("n_purchases") > 0), own, snapshot)


def _look(own: pl.DataFrame, snapshot: Snapshot) -> pl.DataFrame:
    category = snapshot.products.select(pl.col("category").cast(pl.String)).with_row_index("product")
    category = category.cast({"product": pl.Int64}).drop_nulls()
    day = pl.col("last_purchased_at").dt.date()
    last = own.filter(day == day.max().over("customer"))
    had = last.join(category, on="product").select("customer", "category").unique()
    return (
        _beside(last, own, snapshot)
        .join(category, on="product", how="inner")
        .join(had, on=["customer", "category"], how="anti")
        .select("customer", "product", "score")
    )


def _beside(basket: pl.DataFrame, own: pl.DataFrame, snapshot: Snapshot) -> pl.DataFrame:
    """What goes with the products of `basket` and was never bought: summed strength of the pairs."""
    height = int(own["customer"].max() or 0) + 1 if own.height else 0  # type: ignore[arg-type]
    weights = sparse(basket, "weight", (height, snapshot.n_products))
    cells = (weights @ pair_matrix(snapshot)).tocoo()
    found = pl.DataFrame(
        {"customer": cells.row, "product": cells.col, "score": cells.data},
        schema={"customer": pl.Int64, "product": pl.Int64, "score": pl.Float64},
    )
    bought = own.filter(pl.col("n_purchases") > 0)
    return found.join(bought, on=["customer", "product"], how="anti")


Reason = Callable[[pl.DataFrame, Snapshot], pl.DataFrame]
REASONS: Mapping[str, Reason] = MappingProxyType(
    {
        "bought_together": _together,
        "completes_the_look": _look,
        "recently_viewed": _viewed,
        "buy_again": _buy_again,
    }
)
"""Slot -> customer, product, score of everything that has its reason."""
