"""The shipped recommender: candidates from several retrievers, ordered by a learnt ranking."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import ClassVar, Self

import polars as pl

from models.model import NotFittedError
from models.recommend.blend import Blend
from models.recommend.candidates import BATCH_CUSTOMERS, RetrievalParams, retrieval
from models.recommend.features import candidate_features, feature_matrix
from models.recommend.lists import LabelledLists, Sampling, joined, labelled_lists
from models.recommend.ordering import Ordering, OrderingParams
from models.recommend.slots import SlotRules, fill_slots
from models.recommend.snapshot import Snapshot
from models.side_by_side import side_by_side

KEPT_BATCHES = 6
DIVERSITY = 0.25
"""More variety for nothing: the most that cost no NDCG@10 on earlier windows of Online Retail II."""


@dataclass(frozen=True)
class RankerParams:
    """Retrieval, what is learnt from, ordering, and what else shapes a list.

    min_lists: fewer labelled lists than this and the blend answers.
    popularity_cost: what the most popular product's score loses, in standard deviations of the score; others lose in
    proportion to their buyers of 30 days. Buys coverage with accuracy.
    """

    retrieval: RetrievalParams = field(default_factory=RetrievalParams)
    sampling: Sampling = field(default_factory=Sampling)
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
    rules: SlotRules = field(default_factory=lambda: SlotRules(diversity=DIVERSITY))
    name: ClassVar[str] = "ranker"
    ordering: Ordering | None = None
    n_lists: int | None = None

    @property
    def basis(self) -> str:
        """What the order rests on: 'learnt ranking' or 'blend rule: too few labels'."""
        return "learnt ranking" if self.ordering is not None else "blend rule: too few labels"

    def fit(self, snapshots: Sequence[Snapshot], labels: pl.DataFrame) -> Self:
        """Learn the order from each snapshot's candidates and the labels of its date."""
        return self.learn([self.lists(snapshot, labels) for snapshot in sorted(snapshots, key=_date)])

    def lists(self, snapshot: Snapshot, labels: pl.DataFrame) -> LabelledLists:
        """What is learnt from one snapshot; `learn` may be given it more than once."""
        return labelled_lists(snapshot, labels, self.params.retrieval, self.params.sampling)

    def learn(self, parts: Sequence[LabelledLists]) -> Self:
        """Learn the order from the lists of several snapshots, oldest first."""
        self.n_lists = sum(part.n_lists for part in parts)
        self.ordering = None
        if self.n_lists >= max(self.params.min_lists, 1):
            lists = joined(parts)
            self.ordering = Ordering.learn(lists.values, lists.relevant, lists.numbers, self.params.ordering)
        return self

    def predict(self, snapshot: Snapshot, customers: pl.DataFrame) -> pl.DataFrame:
        """As `Recommender.predict`; score is standardised (comparable within a customer alone)."""
        if self.n_lists is None:
            raise NotFittedError(self.name)
        if self.ordering is None:
            return Blend(retrieval=self.params.retrieval, rules=self.rules).predict(snapshot, customers)
        ids = customers["customer_id"]
        answer = partial(self._predict_batch, self.ordering, snapshot)
        retrieval(snapshot, self.params.retrieval)  # else each thread would make its own
        batches = side_by_side(
            answer, [ids[at : at + BATCH_CUSTOMERS] for at in range(0, max(len(ids), 1), BATCH_CUSTOMERS)]
        )
        return pl.concat(batches).sort("customer_id", "rank")

    def _predict_batch(self, ordering: Ordering, snapshot: Snapshot, ids: pl.Series) -> pl.DataFrame:
        candidates = scored_candidates(snapshot, self.params.retrieval, ordering, tuple(ids))
        cost = self.params.popularity_cost * pl.col("popular_score")
        scored = candidates.select("customer", "product", score=pl.col("score") - cost, source="source")
        return fill_slots(scored, snapshot, ids, self.rules)


@lru_cache(maxsize=KEPT_BATCHES)
def scored_candidates(
    snapshot: Snapshot, params: RetrievalParams, ordering: Ordering, customers: tuple[str, ...]
) -> pl.DataFrame:
    """Every candidate of the customers (ids): customer (position), product (code), score, source, popular_score.

    Those of the last batches are kept: lists under other rules, of the same customers, need no second look at the shop.
    """
    ids = pl.Series("customer_id", customers, dtype=pl.String)
    rows = candidate_features(retrieval(snapshot, params).candidates(ids), snapshot, ids)
    score = pl.Series(ordering.score(feature_matrix(rows)), dtype=pl.Float64)
    return rows.select(
        "customer", "product", score=score, source=slot_source(), popular_score="popular_score"
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


def _date(snapshot: Snapshot) -> str:
    return snapshot.as_of.isoformat()
