"""Second stage's view of a content for a customer: what is known at the snapshot's date of him, of it and of both."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.contents.retrieval import PERSONAL, RETRIEVERS, Block
from models.contents.snapshot import ContentSnapshot, readers
from models.recommend.blocks import top_mask
from models.recommend.slots import TIE_BREAK

KINDS = ("article", "video", "podcast", "webinar", "event")
SCORES = tuple(f"{retriever}_score" for retriever in RETRIEVERS)
RANKS = tuple(f"{retriever}_rank" for retriever in PERSONAL)
SHARES = ("read_topics_share", "product_topics_share")
CUSTOMER = ("customer_reads", "customer_read_weight", "customer_days_since_read", "customer_kind_share")
CONTENT = (
    "readers_7d",
    "readers_30d",
    "readers_90d",
    "readers_ever",
    "reader_trend",
    "views_30d",
    "n_topics",
    "days_since_published",
    "days_until_start",
    *(f"is_{kind}" for kind in KINDS),
)
FEATURES = (*SCORES, *RANKS, *SHARES, *CUSTOMER, *CONTENT)


def candidate_features(
    blocks: Iterable[Block], snapshot: ContentSnapshot, customers: pl.Series, n_each: int
) -> pl.DataFrame:
    """customer, product (codes of customer and content) and FEATURES of what the retrievers put forward.

    Candidates are the `n_each` best open contents of every retriever, of customers who have read or touched anything; of
    equals the better read, then the smaller content_id.
    Shares are parts of all his reads' or products' weight; `customer_kind_share` is that of his reads which are of the
    content's kind. Days before publication are not known, as what is not published is no candidate.
    """
    rows = [_block(block, n_each) for block in blocks]
    found = pl.concat(rows) if rows else _block(_NOBODY, n_each)
    coded = snapshot.items.coded(customers)
    kinds = _catalogue(snapshot).select("product", "kind")
    return (
        found.with_columns(_rank(retriever) for retriever in PERSONAL)
        .join(_customer_facts(coded, snapshot), on="customer", how="left")
        .join(_content_facts(snapshot), on="product", how="left")
        .join(_kind_shares(coded, kinds), on=["customer", "kind"], how="left")
        .with_columns(
            pl.when(pl.col("customer_reads") > 0).then(pl.col("customer_kind_share").fill_null(0.0)),
        )
        .select("customer", "product", *(pl.col(feature).cast(pl.Float32) for feature in FEATURES))
        .sort("customer", "product")
    )


_NOBODY = Block(
    np.zeros(0, dtype=np.int64),
    {retriever: np.zeros((0, 1)) for retriever in RETRIEVERS},
    np.zeros((0, 1), dtype=np.bool_),
    np.zeros(0),
    np.zeros(0),
)


def _block(block: Block, n_each: int) -> pl.DataFrame:
    is_known = (block.read_total > 0) | (block.product_total > 0)
    put_forward = np.zeros(block.is_open.shape, dtype=np.bool_)
    favour = np.where(block.is_open, 1 + TIE_BREAK * block.scores["popular"], 0.0)
    for table in block.scores.values():
        put_forward |= top_mask(table * favour, n_each)
    row, content = np.nonzero(put_forward & is_known[:, None])
    columns: dict[str, NDArray[np.generic]] = {"customer": block.rows[row], "product": content}
    for name, table in block.scores.items():
        columns[f"{name}_score"] = table[row, content].astype(np.float32)
    for name, total in (("read_topics", block.read_total), ("product_topics", block.product_total)):
        whole = total[row]
        share = np.divide(
            block.scores[name][row, content], whole, out=np.full(len(row), np.nan), where=whole > 0
        )
        columns[f"{name}_share"] = share
    return pl.DataFrame(columns).with_columns(pl.col(SHARES).fill_nan(None))


def _rank(retriever: str) -> pl.Expr:
    """Position among the customer's candidates by this retriever; null where it says nothing."""
    score = pl.col(f"{retriever}_score")
    return (
        pl.when(score > 0)
        .then(score.rank("min", descending=True).over("customer"))
        .alias(f"{retriever}_rank")
    )


def _catalogue(snapshot: ContentSnapshot) -> pl.DataFrame:
    return snapshot.contents.with_row_index("product").cast({"product": pl.Int64, "kind": pl.String})


def _days_since(moment: str, snapshot: ContentSnapshot) -> pl.Expr:
    midnight = pl.lit(datetime.combine(snapshot.as_of, time()))
    return (midnight - pl.col(moment)).dt.total_seconds() / 86400


def _customer_facts(coded: pl.DataFrame, snapshot: ContentSnapshot) -> pl.DataFrame:
    return coded.group_by("customer").agg(
        customer_reads=pl.len(),
        customer_read_weight=pl.col("weight").sort().sum(),
        customer_days_since_read=_days_since("last_viewed_at", snapshot).min(),
    )


def _kind_shares(coded: pl.DataFrame, kinds: pl.DataFrame) -> pl.DataFrame:
    return (
        coded.join(kinds, on="product", how="inner")
        .drop_nulls("kind")
        .group_by("customer", "kind")
        .agg(n=pl.len())
        .select("customer", "kind", customer_kind_share=pl.col("n") / pl.col("n").sum().over("customer"))
    )


def _content_facts(snapshot: ContentSnapshot) -> pl.DataFrame:
    counts = ["readers_7d", "readers_30d", "readers_90d", "readers_ever"]
    return (
        _catalogue(snapshot)
        .join(readers(snapshot), on="content_id", how="left")
        .with_columns(pl.col(counts).cast(pl.Int64).fill_null(0))
        .select(
            "product",
            "kind",
            "views_30d",
            *counts,
            n_topics=pl.col("topics").list.len(),
            reader_trend=(pl.col("readers_30d") + 1) / (pl.col("readers_90d") / 3 + 1),
            days_since_published=_days_since("published_at", snapshot),
            days_until_start=-_days_since("starts_at", snapshot),
            **{f"is_{kind}": (pl.col("kind") == kind) for kind in KINDS},
        )
    )
