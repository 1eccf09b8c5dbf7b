"""A recommender of contents as a registry keeps it: with the contents it may show, without anybody's behaviour."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from models.contents.snapshot import (
    CONTENT_COLUMNS,
    INTERACTION_COLUMNS,
    PRODUCT_COLUMNS,
    READ_COLUMNS,
    ContentRecommender,
    ContentSnapshot,
)
from models.model import require
from models.recommend.served import Served, date_of

_NO_INTERACTIONS = pl.DataFrame(
    schema=dict(
        zip(
            INTERACTION_COLUMNS,
            (pl.String, pl.String, pl.Date, pl.Int32, pl.Int32, pl.Int32, pl.Float64),
            strict=True,
        )
    )
)
_NO_PRODUCTS = pl.DataFrame(
    schema=dict(
        zip(PRODUCT_COLUMNS, (pl.String, pl.Date, pl.String, pl.String, pl.String, pl.Boolean), strict=True)
    )
)


@dataclass(frozen=True)
class ServedContents(Served):
    """A fitted recommender that answers frames, as every registered model does.

    `predict(frame)`: rows of `feat_content_reads`; answers every customer in it from the contents of the training date and
    his reads alone. A plan asks `recommender` itself, with the contents, interactions and products of its own date.
    """

    recommender: ContentRecommender
    contents: pl.DataFrame

    def __post_init__(self) -> None:
        object.__setattr__(self, "contents", self.contents.select(CONTENT_COLUMNS))

    @property
    def features(self) -> tuple[str, ...]:
        """Columns of `feat_content_reads`."""
        return READ_COLUMNS

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        """customer_id, rank, content_id, score, source; see `ContentRecommender.predict`."""
        require(frame, READ_COLUMNS, self.name)
        as_of = date_of(self.contents)
        reads = frame.with_columns(as_of=pl.lit(as_of))
        snapshot = ContentSnapshot(as_of, reads, self.contents, _NO_INTERACTIONS, _NO_PRODUCTS)
        return self.recommender.predict(snapshot, frame.select("customer_id").unique().sort("customer_id"))
