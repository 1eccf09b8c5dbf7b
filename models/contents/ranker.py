"""The learnt order of contents: candidates from the retrievers, ranked as products are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.contents.evaluate import relevant_contents
from models.contents.features import FEATURES, candidate_features
from models.contents.retrieval import PERSONAL, ContentRetrieval
from models.contents.rules import SOURCES, TOPIC_MATCH, as_contents
from models.contents.snapshot import UNREAD, ContentSnapshot
from models.model import NotFittedError
from models.recommend.candidates import BATCH_CUSTOMERS
from models.recommend.lists import LabelledLists, Sampling, drawn_lists, joined
from models.recommend.ordering import Ordering, OrderingParams
from models.recommend.slots import POPULAR, SlotRules, fill_slots


@dataclass(frozen=True)
class ContentRankerParams:
    """n_each: contents a retriever may put forward per customer. min_lists: with fewer labelled lists the rule is asked.
    sampling: what is learnt from.
    """

    n_each: int = 40
    min_lists: int = 100
    sampling: Sampling = field(default_factory=Sampling)
    ordering: OrderingParams = field(
        default_factory=lambda: OrderingParams(
            n_bags=1,
            n_rounds=40,
            learning_rate=0.08,
            ranking_rounds=40,
            ranking_learning_rate=0.08,
            max_depth=3,
            min_child_weight=20.0,
        )
    )


@dataclass
class ContentRanker:
    """Two stages, as `models.recommend.ranker`: retrievers put contents forward, `Ordering` ranks them.

    Trained on the candidates of earlier snapshots, relevant = read within the label window. Customers of whom neither reads
    nor products are known get what is read most. With fewer than `min_lists` labelled customer lists the topic rule answers.
    """

    params: ContentRankerParams = field(default_factory=ContentRankerParams)
    slots: SlotRules = UNREAD
    name: ClassVar[str] = "content_ranker"
    ordering: Ordering | None = None
    n_lists: int | None = None

    @property
    def basis(self) -> str:
        """What the order rests on: 'learnt ranking' or 'topic rule: too few labels'."""
        return "learnt ranking" if self.ordering is not None else "topic rule: too few labels"

    def fit(self, snapshots: Sequence[ContentSnapshot], labels: pl.DataFrame) -> Self:
        """Learn the order from each snapshot's candidates and the labels of its date."""
        parts = [self._lists(snapshot, labels) for snapshot in sorted(snapshots, key=lambda s: s.as_of)]
        self.n_lists = sum(part.n_lists for part in parts)
        self.ordering = None
        if self.n_lists >= max(self.params.min_lists, 1):
            lists = joined(parts)
            self.ordering = Ordering.learn(
                lists.values, lists.relevant, lists.numbers, self.params.ordering, FEATURES
            )
        return self

    def predict(self, snapshot: ContentSnapshot, customers: pl.DataFrame) -> pl.DataFrame:
        """As `ContentRecommender.predict`; score is standardised (comparable within a customer alone)."""
        if self.n_lists is None:
            raise NotFittedError(self.name)
        ids = customers["customer_id"]
        if self.ordering is None:
            return replace(TOPIC_MATCH, slots=self.slots).predict(snapshot, customers)
        retrieval = ContentRetrieval(snapshot)
        batches = [
            self._predict_batch(self.ordering, retrieval, ids[start : start + BATCH_CUSTOMERS])
            for start in range(0, max(len(ids), 1), BATCH_CUSTOMERS)
        ]
        return pl.concat(batches).sort("customer_id", "rank")

    def _predict_batch(self, ordering: Ordering, retrieval: ContentRetrieval, ids: pl.Series) -> pl.DataFrame:
        snapshot = retrieval.snapshot
        rows = candidate_features(retrieval.blocks(ids), snapshot, ids, self.params.n_each)
        scored = rows.select(
            "customer", "product", score=pl.Series(ordering.score(_matrix(rows))), source=_source()
        )
        return as_contents(fill_slots(scored, snapshot.items, ids, self.slots))

    def _lists(self, snapshot: ContentSnapshot, labels: pl.DataFrame) -> LabelledLists:
        """The lists of the customers who read one of their candidates."""
        read = relevant_contents(snapshot, labels).rename({"content_id": "product_id"})
        retrieval = ContentRetrieval(snapshot)

        def rows(ids: pl.Series) -> pl.DataFrame:
            return candidate_features(retrieval.blocks(ids), snapshot, ids, self.params.n_each)

        return drawn_lists(read, snapshot.items, rows, FEATURES, self.params.sampling)


def _source() -> pl.Expr:
    """The retriever that ranks the candidate best, by its source's name; of equals the one named first."""
    best = pl.min_horizontal(f"{retriever}_rank" for retriever in PERSONAL)
    names = [
        pl.when(pl.col(f"{retriever}_rank") == best).then(pl.lit(SOURCES[retriever]))
        for retriever in PERSONAL
    ]
    return pl.coalesce(*names, pl.lit(POPULAR))


def _matrix(rows: pl.DataFrame) -> NDArray[np.float32]:
    return rows.select(pl.col(FEATURES).fill_null(float("nan"))).to_numpy()
