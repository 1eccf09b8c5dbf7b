"""From scored products to filled slots: what may be shown, how varied, and what fills the rest."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.recommend.diversity import less_alike
from models.recommend.snapshot import Snapshot

POPULAR = "popular"
TIE_BREAK = 1e-6
"""Relative weight of popularity between products a method finds equally good."""


@dataclass(frozen=True)
class SlotRules:
    """How many slots, and how varied.

    n: slots per customer.
    max_category_share: at most this share of the slots goes to one category while the customer has candidates
    of other categories; products without a category do not count. 1.0 switches the rule off.
    is_new_only: leave out what the customer bought before.
    diversity: what a product loses that is the same in words as one above it, in standard deviations of the customer's
    scores (`diversity.less_alike`). Buys variety with accuracy.
    """

    n: int = 10
    max_category_share: float = 1.0
    is_new_only: bool = False
    diversity: float = 0.0

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"n must be at least 1, got {self.n}")
        if not 0 < self.max_category_share <= 1:
            raise ValueError(f"max_category_share must be in (0, 1], got {self.max_category_share}")
        if self.diversity < 0:
            raise ValueError(f"diversity must be at least 0, got {self.diversity}")

    @property
    def max_per_category(self) -> int:
        """Slots one category may take before the others had their turn."""
        return max(1, int(self.n * self.max_category_share))


def popularity(snapshot: Snapshot) -> pl.DataFrame:
    """Showable products by distinct buyers of the last 30 days, ties by 90 days, units, views and product_id.

    Columns: product (code), score (share of the snapshot's busiest product's buyers, 0..1), best first.
    """
    counts = ["buyers_30d", "buyers_90d", "units_30d", "views_30d"]
    return (
        snapshot.products.select("product_id", *(pl.col(count).fill_null(0) for count in counts))
        .with_row_index("product")
        .filter(pl.Series(snapshot.allowed()))
        .sort([*counts, "product_id"], descending=[True, True, True, True, False])
        .select(
            pl.col("product").cast(pl.Int64),
            score=pl.col("buyers_30d") / pl.max_horizontal(pl.col("buyers_30d").max(), pl.lit(1)),
        )
    )


def fill_slots(
    scored: pl.DataFrame, snapshot: Snapshot, customers: pl.Series, rules: SlotRules
) -> pl.DataFrame:
    """Choose each customer's slots from scored candidates, then fill what is left with popular products.

    scored: customer (position in `customers`), product (code), score, source; a pair at most once. Products
    that may not be shown are dropped here. Popular products that fill up score below the last own product.
    Ties go to the smaller product_id. Returns the frame of `Recommender.predict`.
    """
    allowed = scored.filter(pl.Series(snapshot.allowed()[scored["product"].to_numpy()], dtype=pl.Boolean))
    hidden = _hidden(snapshot, customers, rules)
    shown = allowed.join(hidden, on=["customer", "product"], how="anti")
    own = _choose(less_alike(shown, snapshot, rules.diversity, rules.n), snapshot, rules)
    filled = pl.concat([own, _fill(own, hidden, snapshot, len(customers), rules)])
    names = snapshot.product_codes()
    spine = pl.DataFrame({"customer_id": customers}).with_row_index("customer").cast({"customer": pl.Int64})
    return (
        filled.sort(["customer", "score", "product"], descending=[False, True, False])
        .with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("customer"))
        .join(names, on="product", how="inner")
        .join(spine, on="customer", how="inner")
        .select("customer_id", "rank", "product_id", "score", "source")
        .sort("customer_id", "rank")
    )


def showable(allowed: NDArray[np.bool_], bought: csr_matrix, rules: SlotRules) -> NDArray[np.bool_]:
    """Customers x products: may fill a slot of this customer. allowed: per product; bought: purchase counts."""
    if rules.is_new_only:
        return np.asarray(allowed & (bought.toarray() == 0))
    return np.broadcast_to(allowed, bought.shape)


def _hidden(snapshot: Snapshot, customers: pl.Series, rules: SlotRules) -> pl.DataFrame:
    """Pairs (customer, product) that the rules keep out of the customer's slots."""
    bought = pl.col("n_purchases") > 0 if rules.is_new_only else pl.lit(False)
    return snapshot.coded(customers).filter(bought).select("customer", "product")


def _choose(best: pl.DataFrame, snapshot: Snapshot, rules: SlotRules) -> pl.DataFrame:
    """The n best per customer; a category's surplus waits behind the customer's other candidates.

    best: sorted by customer, score (falling) and product.
    """
    position = pl.int_range(pl.len())
    if rules.max_category_share < 1:
        category = snapshot.products["category"].cast(pl.String).gather(best["product"])
        best = (
            best.with_columns(category=category)
            .with_columns(surplus=position.over("customer", "category") >= rules.max_per_category)
            .with_columns(surplus=pl.col("surplus") & pl.col("category").is_not_null())
            .sort("customer", "surplus", maintain_order=True)
        )
    return best.filter(position.over("customer") < rules.n).select("customer", "product", "score", "source")


def _fill(
    own: pl.DataFrame, hidden: pl.DataFrame, snapshot: Snapshot, n_customers: int, rules: SlotRules
) -> pl.DataFrame:
    """Popular products for the slots that are still empty; a customer's whole list if he has none of his own."""
    counts = own.group_by("customer").agg(n_own=pl.len(), floor=pl.col("score").min())
    missing = (
        pl.DataFrame({"customer": pl.int_range(n_customers, eager=True)})
        .join(counts, on="customer", how="left")
        .with_columns(pl.col("n_own").fill_null(0).cast(pl.Int64))
        .filter(pl.col("n_own") < rules.n)
    )
    taken = hidden.join(missing, on="customer", how="semi").group_by("customer").len()["len"].to_numpy()
    depth = replace(rules, n=rules.n + int(taken.max(initial=0)))
    popular = popularity(snapshot).with_columns(customer=pl.lit(0, pl.Int64), source=pl.lit(POPULAR))
    popular = _choose(less_alike(popular, snapshot, rules.diversity, rules.n), snapshot, depth)
    below_own = pl.col("floor") - 2 + pl.col("score")
    return (
        missing.join(popular.drop("customer"), how="cross")
        .join(own, on=["customer", "product"], how="anti")
        .join(hidden, on=["customer", "product"], how="anti")
        .sort(["customer", "score", "product"], descending=[False, True, False])
        .filter(pl.int_range(pl.len()).over("customer") < rules.n - pl.col("n_own"))
        .select("customer", "product", score=pl.coalesce(below_own, "score"), source="source")
    )
