"""What speaks for a content with a customer: topics and words of what he read and of the products he is interested in, what
other readers of the same read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack

from models.contents.snapshot import ContentSnapshot
from models.recommend.blocks import Scores, row_blocks
from models.recommend.content import lengths, likeness, term_vectors
from models.recommend.ease import item_weights
from models.recommend.similarity import NeighbourParams, item_similarity, off_diagonal, row_shares
from models.recommend.slots import popularity
from models.recommend.snapshot import sparse

RETRIEVERS = (
    "read_topics",
    "read_together",
    "alike",
    "product_topics",
    "shelf_topics",
    "product_words",
    "for_you",
    "popular",
)
"""read_topics: topics of what he viewed, by the age of the last view. read_together: item neighbours over reads. alike:
words of titles and topics. product_topics, shelf_topics: categories of his products as topics, of late and ever.
product_words: their names and categories as words. for_you: EASE over reads and shelves, which says what people of these
shelves read. popular: views of 30 days, strangers' too."""

PERSONAL = RETRIEVERS[:-1]
HALF_LIFE_DAYS = 14.0
RECENT = pl.col("weight").clip(upper_bound=1.0)
"""What he has to do with a product of late."""

EVER = (pl.col("n_purchases") + 0.2 * pl.col("n_views") + 0.5 * pl.col("n_carts")).cast(pl.Float64)
"""The same undecayed, as taste outlasts a need."""

SHELF_WEIGHT = 10.0
"""What the shares of his shelves sum up to, beside a read content, in EASE."""

EASE_RIDGE, EASE_ITEMS = 200.0, 3000
PRODUCT_WEIGHT = 0.1
"""What a product (its weight, at most 1) says of a topic, beside a view of a content on that day."""


@dataclass(frozen=True)
class Block:
    """Some customers: `rows` are their positions among those asked; tables are rows x contents.

    scores: by retriever, 0 where it says nothing. is_open: may be shown and is unread. read_total, product_total: what his
    topics of reads and of products come from, per row.
    """

    rows: NDArray[np.int64]
    scores: dict[str, Scores]
    is_open: NDArray[np.bool_]
    read_total: Scores
    product_total: Scores


class ContentRetrieval:
    """The retrievers of one snapshot. `blocks(customers)` scores every content for each customer."""

    def __init__(self, snapshot: ContentSnapshot) -> None:
        self.snapshot = snapshot
        items = snapshot.items
        everybody = items.interactions["customer_id"].unique().sort()
        self._together = off_diagonal(item_similarity(items.matrix(everybody, "weight"), NeighbourParams()))
        self._vectors = term_vectors(items.products)
        self._topics, self._product_topics = _topic_tables(snapshot)
        self._content_words, self._product_words = _shared_words(snapshot)
        popular = popularity(items)
        self._popular = np.zeros(items.n_products)
        self._popular[popular["product"].to_numpy()] = popular["score"].to_numpy()
        self._shelves = _shelf_table(snapshot)
        known = pl.concat([everybody, snapshot.interactions["customer_id"]]).unique().sort()
        ever = row_shares(_touched(snapshot, known, EVER))
        read = items.matrix(known, "n_purchases")
        self._ease = item_weights(self._reads_and_shelves(read, ever), EASE_RIDGE, EASE_ITEMS)

    def blocks(self, customers: pl.Series) -> Iterator[Block]:
        """Blocks of bounded size in the order of `customers`."""
        items = self.snapshot.items
        midnight = pl.lit(datetime.combine(self.snapshot.as_of, time()))
        age = (midnight - pl.col("last_viewed_at")).dt.total_seconds() / 86400
        coded = items.coded(customers).with_columns(recent=0.5 ** (age / HALF_LIFE_DAYS))
        shape = (len(customers), items.n_products)
        recent, slow = (sparse(coded, column, shape) for column in ("recent", "weight"))
        read = sparse(coded, "n_purchases", shape)
        late = _touched(self.snapshot, customers, RECENT)
        ever = row_shares(_touched(self.snapshot, customers, EVER))
        for part in row_blocks(len(customers), items.n_products + self._shelves.shape[1]):
            yield self._block(
                np.arange(part.start, part.stop),
                recent[part],
                slow[part],
                read[part],
                late[part],
                ever[part],
            )

    def _block(
        self,
        rows: NDArray[np.int64],
        recent: csr_matrix,
        slow: csr_matrix,
        read: csr_matrix,
        late: csr_matrix,
        ever: csr_matrix,
    ) -> Block:
        words = csr_matrix(late @ self._product_words)
        words = csr_matrix(words.multiply(1 / lengths(words)[:, None]))
        scores: dict[str, Scores] = {
            "read_topics": (recent @ self._topics @ self._topics.T).toarray(),
            "read_together": (slow @ self._together).toarray(),
            "alike": likeness(slow, self._vectors),
            "product_topics": (late @ self._product_topics @ self._topics.T).toarray() * PRODUCT_WEIGHT,
            "shelf_topics": (ever @ self._product_topics @ self._topics.T).toarray(),
            "product_words": (words @ self._content_words.T).toarray(),
            "for_you": self._ease.score(self._reads_and_shelves(read, ever))[:, : read.shape[1]],
            "popular": np.broadcast_to(self._popular, read.shape),
        }
        return Block(
            rows,
            scores,
            self.snapshot.items.allowed() & (read.toarray() == 0),
            np.asarray(recent.sum(axis=1)).ravel(),
            np.asarray(late.sum(axis=1)).ravel() * PRODUCT_WEIGHT,
        )

    def _reads_and_shelves(self, read: csr_matrix, ever: csr_matrix) -> csr_matrix:
        """Customers x (contents, then shelves): 1 where read, and the shares of his shelves."""
        return csr_matrix(
            hstack([read > 0, SHELF_WEIGHT * row_shares(ever @ self._shelves)]), dtype=np.float64
        )


def _topic_tables(snapshot: ContentSnapshot) -> tuple[csr_matrix, csr_matrix]:
    """Contents x topics, and products x topics by category; 1 where it is about the topic."""
    of_contents = (
        snapshot.contents.select(pl.col("topics").cast(pl.List(pl.String)))
        .with_row_index("row")
        .explode("topics")
        .drop_nulls()
        .select("row", topic="topics")
        .unique()
    )
    of_products = (
        snapshot.products.select(topic=pl.col("category").cast(pl.String).str.to_lowercase())
        .with_row_index("row")
        .drop_nulls()
        .select("row", "topic")
    )
    names = of_contents.select("topic").unique().sort("topic").with_row_index("column")
    shapes = (snapshot.contents.height, snapshot.products.height)
    tables = []
    for frame, height in zip((of_contents, of_products), shapes, strict=True):
        cells = frame.join(names, on="topic", how="inner").sort("row", "column")
        where = (cells["row"].to_numpy(), cells["column"].to_numpy())
        tables.append(csr_matrix((np.ones(cells.height), where), shape=(height, max(1, names.height))))
    return tables[0], tables[1]


def _shared_words(snapshot: ContentSnapshot) -> tuple[csr_matrix, csr_matrix]:
    """TF-IDF vectors of contents (title and topics) and of products (name, category, subcategory) over the same words."""
    whole = [pl.col(name).cast(pl.String) for name in ("name", "category", "subcategory")]
    texts = [
        snapshot.items.products.select(pl.col("name").cast(pl.String)),
        snapshot.products.select(name=pl.concat_str(whole, separator=" ", ignore_nulls=True)),
    ]
    nothing = {name: pl.lit(None, dtype=pl.String) for name in ("category", "subcategory", "brand")}
    vectors = term_vectors(pl.concat(texts).with_columns(**nothing))
    n_contents = texts[0].height
    return vectors[:n_contents], vectors[n_contents:]


def _shelf_table(snapshot: ContentSnapshot) -> csr_matrix:
    """Products x shelves (categories, then subcategories): 1 where it stands."""
    parts = []
    for level in ("category", "subcategory"):
        standing = snapshot.products.select(pl.col(level).cast(pl.String)).with_row_index("row").drop_nulls()
        names = standing.select(level).unique().sort(level).with_row_index("column")
        cells = standing.join(names, on=level, how="inner").sort("row")
        where = (cells["row"].to_numpy(), cells["column"].to_numpy())
        shape = (snapshot.products.height, names.height)
        parts.append(csr_matrix((np.ones(cells.height), where), shape=shape))
    return csr_matrix(hstack(parts))


def _touched(snapshot: ContentSnapshot, customers: pl.Series, weight: pl.Expr) -> csr_matrix:
    """Customers x products: the weight of what he has to do with it."""
    spine = pl.DataFrame({"customer": pl.int_range(len(customers), eager=True), "customer_id": customers})
    codes = snapshot.products.select("product_id").with_row_index("product").cast({"product": pl.Int64})
    coded = (
        snapshot.interactions.select("customer_id", "product_id", weight=weight)
        .join(spine, on="customer_id", how="inner")
        .join(codes, on="product_id", how="inner")
        .sort("customer", "product")
    )
    return sparse(coded, "weight", (len(customers), codes.height))
