"""The shipped recommender: candidates from several retrievers, ordered by a learnt ranking."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.model import NotFittedError
from models.recommend.blend import Blend
from models.recommend.candidates import Retrieval, RetrievalParams, retrieval
from models.recommend.features import FEATURES, candidate_features
from models.recommend.ordering import Ordering, OrderingParams
from models.recommend.slots import SlotRules, fill_slots
from models.recommend.snapshot import Snapshot

BATCH_CUSTOMERS = 2000


@dataclass(frozen=True)
class RankerParams:
    """Retrieval, ordering, and what else shapes a list.

    min_lists: fewer labelled lists than this and the blend answers.
    popularity_cost: what the most popular product's score loses, in standard deviations of the score; others lose in
    proportion to their buyers of 30 days. Buys coverage with accuracy.
    """

    retrieval: RetrievalParams = field(default_factory=RetrievalParams)
    ordering: OrderingParams = field(default_factory=OrderingParams)
    min_lists: int = 100
    popularity_cost: float = 0.0


@dataclass
class Ranker:
    """Two stages: `Retrieval` puts products forward, `Ordering` (gradient-boosted trees) ranks them.

    Trained on the candidates of earlier snapshots, relevant = bought within the label window; applied to the
    candidates of the newer snapshot. Customers without history get popular products. With fewer than
    `min_lists` labelled customer lists the `Blend` rule answers, and `basis` says so.
    """

    params: RankerParams = field(default_factory=RankerParams)
    rules: SlotRules = field(default_factory=SlotRules)
    name: ClassVar[str] = "ranker"
    ordering: Ordering | None = None
    n_lists: int | None = None

    @property
    def basis(self) -> str:
        """What the order rests on: 'learnt ranking' or 'blend rule: too few labels'."""
        return "learnt ranking" if self.ordering is not None else "blend rule: too few labels"

    def fit(self, snapshots: Sequence[Snapshot], labels: pl.DataFrame) -> Self:
        """Learn the order from each snapshot's candidates and the labels of its date."""
        parts = [self._training_part(snapshot, labels) for snapshot in sorted(snapshots, key=_date)]
        lists = [
            part.with_columns(snapshot=pl.lit(i, pl.Int64)) for i, part in enumerate(parts) if part.height
        ]
        rows = pl.concat(lists) if lists else pl.DataFrame()
        self.n_lists = rows.select(pl.struct("snapshot", "customer").n_unique()).item() if lists else 0
        self.ordering = None
        if self.n_lists >= self.params.min_lists:
            numbers = rows.select(pl.struct("snapshot", "customer").rle_id()).to_series().to_numpy()
            relevant = rows["relevant"].to_numpy()
            self.ordering = Ordering.learn(_matrix(rows), relevant, numbers, self.params.ordering)
        return self

    def predict(self, snapshot: Snapshot, customers: pl.DataFrame) -> pl.DataFrame:
        """As `Recommender.predict`; score is standardised (comparable within a customer alone)."""
        if self.n_lists is None:
            raise NotFittedError(self.name)
        ids = customers["customer_id"]
        if self.ordering is None:
            return Blend(retrieval=self.params.retrieval, rules=self.rules).predict(snapshot, customers)
        retrievers = retrieval(snapshot, self.params.retrieval)
        batches = [
            self._predict_batch(self.ordering, retrievers, snapshot, ids[start : start + BATCH_CUSTOMERS])
            for start in range(0, max(len(ids), 1), BATCH_CUSTOMERS)
        ]
        return pl.concat(batches).sort("customer_id", "rank")

    def _predict_batch(
        self, ordering: Ordering, retrievers: Retrieval, snapshot: Snapshot, ids: pl.Series
    ) -> pl.DataFrame:
        rows = candidate_features(retrievers.candidates(ids), snapshot, ids)
        score = pl.Series(ordering.score(_matrix(rows))) - self.params.popularity_cost * rows["popular_score"]
        scored = rows.select("customer", "product", score=score, source=slot_source())
        return fill_slots(scored, snapshot, ids, self.rules)

    def _training_part(self, snapshot: Snapshot, labels: pl.DataFrame) -> pl.DataFrame:
        """Candidates with features and `relevant`, of the customers who bought one of their candidates."""
        bought = labels.filter(pl.col("as_of") == snapshot.as_of).select("customer_id", "product_id")
        ids = bought["customer_id"].unique().sort()
        spine = pl.DataFrame({"customer_id": ids}).with_row_index("customer").cast({"customer": pl.Int64})
        relevant = (
            bought.unique()
            .join(spine, on="customer_id", how="inner")
            .join(snapshot.product_codes(), on="product_id", how="inner")
            .select("customer", "product", relevant=pl.lit(1, pl.Int8))
        )
        candidates = retrieval(snapshot, self.params.retrieval).candidates(ids)
        return (
            candidate_features(candidates, snapshot, ids)
            .join(relevant, on=["customer", "product"], how="left", maintain_order="left")
            .with_columns(pl.col("relevant").fill_null(0))
            .filter(pl.col("relevant").max().over("customer") > 0)
        )


def slot_source() -> pl.Expr:
    """What a candidate's slot is called: bought before, looked at, else the retriever that ranks it best."""
    names = {"bought_together": "bought_together", "similar": "similar", "for_you": "for_you"}
    names |= {"latent": "for_you", "alike": "similar"}
    best = pl.min_horizontal(f"{name}_rank" for name in names)
    source = (
        pl.when(pl.col("n_purchases") > 0)
        .then(pl.lit("buy_again"))
        .when(pl.col("days_since_viewed") <= 14)
        .then(pl.lit("recently_viewed"))
    )
    for retriever, name in names.items():
        source = source.when(pl.col(f"{retriever}_rank") == best).then(pl.lit(name))
    return source.otherwise(pl.lit("popular"))


def _matrix(rows: pl.DataFrame) -> NDArray[np.float32]:
    """FEATURES as a float32 matrix, null as NaN."""
    return rows.select(pl.col(FEATURES).cast(pl.Float32).fill_null(float("nan"))).to_numpy()


def _date(snapshot: Snapshot) -> str:
    return snapshot.as_of.isoformat()
