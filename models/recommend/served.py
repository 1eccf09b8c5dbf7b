"""A recommender as a registry keeps it: with the products it may show, without anybody's behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Self

import polars as pl

from models.model import NoParams, NotFittedError, require
from models.recommend.snapshot import (
    INTERACTION_COLUMNS,
    PAIR_COLUMNS,
    PRODUCT_COLUMNS,
    Recommender,
    Snapshot,
)


@dataclass(frozen=True)
class Served:
    """What served recommenders have in common: the name and the parameters of the one inside, and that nothing is learnt."""

    recommender: Any

    @property
    def name(self) -> str:
        """The recommender's."""
        return str(self.recommender.name)

    @property
    def params(self) -> Any:
        """The recommender's; those of a rule that has none where it has none."""
        return getattr(self.recommender, "params", NoParams())

    def fit(self, frame: pl.DataFrame) -> Self:
        """Raises NotFittedError: a recommender learns from snapshots, before it is served."""
        raise NotFittedError(self.name)


def date_of(catalogue: pl.DataFrame) -> date:
    """The as_of date of products or contents; the first of all dates where there are none."""
    as_of = catalogue["as_of"].max()
    return as_of if isinstance(as_of, date) else date.min


@dataclass(frozen=True)
class ServedRecommender(Served):
    """A fitted recommender that answers frames, as every registered model does.

    `predict(frame)`: rows of `feat_interactions`; answers every customer in it from the products and pairs of the
    training date. A plan asks `recommender` itself, with the products and pairs of its own date.
    """

    recommender: Recommender
    products: pl.DataFrame
    pairs: pl.DataFrame

    def __post_init__(self) -> None:
        object.__setattr__(self, "products", self.products.select(PRODUCT_COLUMNS))
        object.__setattr__(self, "pairs", self.pairs.select(PAIR_COLUMNS))

    @property
    def features(self) -> tuple[str, ...]:
        """Columns of `feat_interactions`."""
        return INTERACTION_COLUMNS

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        """customer_id, rank, product_id, score, source; see `Recommender.predict`."""
        require(frame, INTERACTION_COLUMNS, self.name)
        as_of = date_of(self.products)
        snapshot = Snapshot(as_of, frame.with_columns(as_of=pl.lit(as_of)), self.products, self.pairs)
        return self.recommender.predict(snapshot, frame.select("customer_id").unique().sort("customer_id"))
