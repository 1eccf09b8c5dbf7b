"""What may be known of contents and their readers at one date, and the protocol of what recommends them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol, Self

import polars as pl

from models.model import require
from models.recommend.slots import SlotRules
from models.recommend.snapshot import PAIR_COLUMNS, Snapshot

READ_COLUMNS = (
    "customer_id",
    "content_id",
    "as_of",
    "n_views",
    "last_viewed_at",
    "read_weight",
    "slow_read_weight",
)
CONTENT_COLUMNS = (
    "content_id",
    "as_of",
    "title",
    "kind",
    "topics",
    "published_at",
    "starts_at",
    "views_30d",
    "is_available",
    "is_sensitive",
)
INTERACTION_COLUMNS = ("customer_id", "product_id", "as_of", "n_purchases", "n_views", "n_carts", "weight")
PRODUCT_COLUMNS = ("product_id", "as_of", "name", "category", "subcategory", "is_sensitive")

UNREAD = SlotRules(n=5, is_new_only=True)
"""Five contents that the customer has not read."""


@dataclass(frozen=True, eq=False)
class ContentSnapshot:
    """Contents and customers as they were known at `as_of`, each frame holding that date alone.

    contents: `feat_content`; rows decide what may be shown.
    reads: `feat_content_reads`, one row per customer and content (profiling allowed).
    interactions, products: `feat_interactions`, `feat_product`; what a customer does with products says what he may read.
    items: contents and reads as a `Snapshot` of products and purchases. What is sensitive is in no history: neither
    reads of such contents nor interactions with such products lead to others.
    Raises `MissingFeatureError` naming absent columns, `ValueError` where a frame holds another date.
    """

    as_of: date
    reads: pl.DataFrame
    contents: pl.DataFrame
    interactions: pl.DataFrame
    products: pl.DataFrame
    items: Snapshot = field(init=False)

    def __post_init__(self) -> None:
        frames = {
            "reads": READ_COLUMNS,
            "contents": CONTENT_COLUMNS,
            "interactions": INTERACTION_COLUMNS,
            "products": PRODUCT_COLUMNS,
        }
        for name, columns in frames.items():
            frame: pl.DataFrame = getattr(self, name)
            require(frame, columns, f"contents: {name}")
            other = frame.filter(pl.col("as_of") != self.as_of)
            if other.height:
                raise ValueError(f"{name} holds rows of {other['as_of'][0]}, the snapshot is of {self.as_of}")
        contents = self.contents.sort("content_id")
        decent = ~pl.col("is_sensitive").fill_null(False)
        reads = self.reads.join(contents.filter(decent), on="content_id", how="semi")
        products = self.products.filter(decent).sort("product_id")
        interactions = self.interactions.join(products, on="product_id", how="semi")
        object.__setattr__(self, "contents", contents)
        object.__setattr__(self, "reads", reads.sort("customer_id", "content_id"))
        object.__setattr__(self, "products", products)
        object.__setattr__(self, "interactions", interactions.sort("customer_id", "product_id"))
        object.__setattr__(self, "items", _items(self))


def content_snapshots(
    reads: pl.DataFrame, contents: pl.DataFrame, interactions: pl.DataFrame, products: pl.DataFrame
) -> tuple[ContentSnapshot, ...]:
    """Feature frames that hold several as_of dates, as one snapshot per date of `contents`, oldest first."""
    return tuple(
        ContentSnapshot(
            as_of, *(f.filter(pl.col("as_of") == as_of) for f in (reads, contents, interactions, products))
        )
        for as_of in contents["as_of"].unique().sort()
    )


class ContentRecommender(Protocol):
    """What recommends contents: learns from earlier snapshots and what was read after them, answers for a newer one.

    `fit(snapshots, labels)`: labels are `label_contents` of the snapshots' dates. Rules learn nothing.
    `predict(snapshot, customers)`: customers is a frame with a unique `customer_id`. Returns customer_id, rank (Int32,
    from 1), content_id, score (Float64, falling with rank), source (String), sorted by customer_id and rank: for every
    customer contents that are available, not sensitive and not read by him, as many as `slots` asks for if there are.
    """

    @property
    def name(self) -> str:
        """Short name, unique among the methods."""

    @property
    def slots(self) -> SlotRules:
        """How many contents."""

    def fit(self, snapshots: Sequence[ContentSnapshot], labels: pl.DataFrame) -> Self:
        """Learn from the snapshots' labels."""
        ...

    def predict(self, snapshot: ContentSnapshot, customers: pl.DataFrame) -> pl.DataFrame:
        """Contents for `customers` from what was known at the snapshot's date."""
        ...


def _items(snapshot: ContentSnapshot) -> Snapshot:
    """Contents as products named by title and topics, reads as purchases weighted with the slow half-life; popularity counts
    the views of strangers too.
    """
    reads = snapshot.reads.select(
        "customer_id",
        "as_of",
        "n_views",
        product_id="content_id",
        n_purchases="n_views",
        n_units="n_views",
        n_carts=pl.lit(0),
        n_season_purchases=pl.lit(0),
        first_purchased_at="last_viewed_at",
        last_purchased_at="last_viewed_at",
        last_viewed_at="last_viewed_at",
        fast_purchase_weight="read_weight",
        purchase_weight="slow_read_weight",
        view_weight="read_weight",
        weight="slow_read_weight",
    )
    words = [pl.col("title"), pl.col("topics").cast(pl.List(pl.String)).list.join(" ")]
    unknown = {name: pl.lit(None, dtype=pl.String) for name in ("category", "subcategory", "brand")}
    contents = snapshot.contents.join(readers(snapshot), on="content_id", how="left").select(
        "as_of",
        "is_available",
        "is_sensitive",
        "views_30d",
        product_id="content_id",
        name=pl.concat_str(words, separator=" ", ignore_nulls=True),
        buyers_30d="views_30d",
        buyers_90d=pl.col("readers_90d").fill_null(0),
        units_30d="views_30d",
        price=pl.lit(None, dtype=pl.Float64),
        is_consumable=pl.lit(False),
        season_buyers=pl.lit(0),
        median_repurchase_days=pl.lit(None, dtype=pl.Float64),
        **unknown,
    )
    types = {"as_of": pl.Date, "n_orders_together": pl.Int32, "lift": pl.Float64}
    pairs = pl.DataFrame(schema={name: types.get(name, pl.String) for name in PAIR_COLUMNS})
    return Snapshot(snapshot.as_of, reads, contents, pairs)


def readers(snapshot: ContentSnapshot) -> pl.DataFrame:
    """content_id, readers_7d, readers_30d, readers_90d, readers_ever: customers by how long ago they last viewed it."""
    age = (
        pl.lit(snapshot.as_of).cast(pl.Datetime("us")) - pl.col("last_viewed_at")
    ).dt.total_seconds() / 86400
    return snapshot.reads.group_by("content_id").agg(
        **{f"readers_{days}d": (age <= days).sum() for days in (7, 30, 90)}, readers_ever=pl.len()
    )
