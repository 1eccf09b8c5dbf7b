"""What a recommender may know at one date, and the protocol every recommender follows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Protocol, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.model import require

INTERACTION_COLUMNS = (
    "customer_id",
    "product_id",
    "as_of",
    "n_purchases",
    "n_units",
    "n_views",
    "n_carts",
    "n_season_purchases",
    "first_purchased_at",
    "last_purchased_at",
    "last_viewed_at",
    "fast_purchase_weight",
    "purchase_weight",
    "view_weight",
    "weight",
)
PRODUCT_COLUMNS = (
    "product_id",
    "as_of",
    "name",
    "category",
    "subcategory",
    "brand",
    "price",
    "is_available",
    "is_sensitive",
    "is_consumable",
    "units_30d",
    "buyers_30d",
    "buyers_90d",
    "season_buyers",
    "views_30d",
    "median_repurchase_days",
)
PAIR_COLUMNS = ("product_id", "other_product_id", "as_of", "n_orders_together", "lift")


KEPT_SNAPSHOTS = 3
"""Of how many snapshots what is worked out once is kept, for the next method that asks for it."""

CUSTOMERS_AT_ONCE = 10_000
"""How many customers' lists are made at a time, whatever their number: a ranker keeps as many customers' candidates."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The shop as it was known at `as_of`, each frame holding that date alone.

    interactions: `feat_interactions`, one row per customer and product he touched (profiling allowed).
    products: `feat_product`, one row per product; rows decide what may be shown.
    pairs: `feat_basket_pairs`, products bought in one order.
    Row order of the frames does not matter. Two snapshots are the same only if they are one object.
    Raises `MissingFeatureError` naming absent columns, `ValueError` where a frame holds another date.
    """

    as_of: date
    interactions: pl.DataFrame
    products: pl.DataFrame
    pairs: pl.DataFrame

    def __post_init__(self) -> None:
        frames = {
            "interactions": (self.interactions, INTERACTION_COLUMNS),
            "products": (self.products, PRODUCT_COLUMNS),
            "pairs": (self.pairs, PAIR_COLUMNS),
        }
        for name, (frame, columns) in frames.items():
            require(frame, columns, f"recommend: {name}")
            other = frame.filter(pl.col("as_of") != self.as_of)
            if other.height:
                raise ValueError(f"{name} holds rows of {other['as_of'][0]}, the snapshot is of {self.as_of}")
        products = self.products.sort("product_id")
        known = self.interactions.join(products, on="product_id", how="semi").sort(
            "customer_id", "product_id"
        )
        object.__setattr__(self, "products", products)
        object.__setattr__(self, "interactions", known)

    @property
    def n_products(self) -> int:
        """Products in the catalogue; product codes run from 0 to this, in the order of product_id."""
        return self.products.height

    @property
    def everybody(self) -> pl.Series:
        """Ids of the customers with interactions, sorted."""
        return self.interactions["customer_id"].unique().sort()

    def product_codes(self) -> pl.DataFrame:
        """product_id -> `product` (Int64 position in `products`)."""
        return self.products.select("product_id").with_row_index("product").cast({"product": pl.Int64})

    def allowed(self) -> NDArray[np.bool_]:
        """Per product code: may be shown (available and not sensitive)."""
        rule = pl.col("is_available").fill_null(False) & ~pl.col("is_sensitive").fill_null(False)
        return self.products.select(rule).to_series().to_numpy()

    def coded(self, customers: pl.Series) -> pl.DataFrame:
        """Interactions of `customers` with Int64 `customer` (position in `customers`) and `product` codes."""
        return self.with_codes(self.interactions, customers)

    def with_codes(self, pairs: pl.DataFrame, customers: pl.Series) -> pl.DataFrame:
        """Rows of `customers` and products of the catalogue with codes as in `coded`, sorted by them.

        pairs: customer_id, product_id, and any other columns.
        """
        spine = (
            pl.DataFrame({"customer_id": customers}).with_row_index("customer").cast({"customer": pl.Int64})
        )
        return (
            pairs.join(spine, on="customer_id", how="inner")
            .join(self.product_codes(), on="product_id", how="inner")
            .sort("customer", "product")
        )

    def matrix(self, customers: pl.Series, column: str) -> csr_matrix:
        """Customers x products, float64, of a weight column of the interactions; zeros are not stored."""
        return sparse(self.coded(customers), column, (len(customers), self.n_products))


def sparse(coded: pl.DataFrame, column: str, shape: tuple[int, int]) -> csr_matrix:
    """A coded frame's `column` as a CSR matrix of `shape`, zeros left out, indices sorted."""
    rows = coded.filter(pl.col(column) > 0)
    values = rows[column].cast(pl.Float64).to_numpy()
    matrix = csr_matrix((values, (rows["customer"].to_numpy(), rows["product"].to_numpy())), shape=shape)
    matrix.sort_indices()
    return matrix


def snapshots_by_date(
    interactions: pl.DataFrame, products: pl.DataFrame, pairs: pl.DataFrame
) -> tuple[Snapshot, ...]:
    """Feature frames that hold several as_of dates, as one snapshot per date of `products`, oldest first."""
    return tuple(
        Snapshot(
            as_of=as_of,
            interactions=interactions.filter(pl.col("as_of") == as_of),
            products=products.filter(pl.col("as_of") == as_of),
            pairs=pairs.filter(pl.col("as_of") == as_of),
        )
        for as_of in products["as_of"].unique().sort()
    )


class Recommender(Protocol):
    """A recommender: learns from earlier snapshots and what was bought after them, answers for a newer one.

    `fit(snapshots, labels)`: labels are `label_purchases` (customer_id, product_id, as_of, n_purchases) of the
    snapshots' dates. Memory-based methods learn nothing from labels: they look their answer up in the snapshot
    given to `predict`.
    `predict(snapshot, customers)`: customers is a frame with a unique `customer_id`. Returns customer_id, rank
    (Int32, from 1), product_id, score (Float64, falling with rank), source (String), sorted by customer_id
    and rank: for every customer the N products allowed by the slot rules, fewer only if the shop has fewer.
    """

    name: ClassVar[str]

    def fit(self, snapshots: Sequence[Snapshot], labels: pl.DataFrame) -> Self:
        """Learn from the snapshots' labels."""
        ...

    def predict(self, snapshot: Snapshot, customers: pl.DataFrame) -> pl.DataFrame:
        """Fill the slots of `customers` from what was known at the snapshot's date."""
        ...
