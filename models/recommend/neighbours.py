"""Products bought by those who bought the same: item neighbourhoods by BM25."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
import polars as pl

from models.recommend.blocks import Scores, best_of_blocks
from models.recommend.similarity import NeighbourParams, similarity_of
from models.recommend.slots import SlotRules, fill_slots, showable
from models.recommend.snapshot import Snapshot, sparse


@dataclass(frozen=True)
class ItemNeighbours:
    """Item-based collaborative filtering on decayed history (implicit's BM25Recommender).

    Includes what the customer owns already: in shops that sell supplies a repeat is the likeliest purchase.
    """

    params: NeighbourParams = field(default_factory=NeighbourParams)
    rules: SlotRules = field(default_factory=SlotRules)
    name: ClassVar[str] = "item_neighbours"

    def fit(self, snapshots: Sequence[Snapshot], labels: pl.DataFrame) -> Self:
        """Nothing is learnt from labels: neighbourhoods are those of the snapshot at prediction."""
        return self

    def predict(self, snapshot: Snapshot, customers: pl.DataFrame) -> pl.DataFrame:
        """As `Recommender.predict`; score is the summed similarity with the customer's weighted history."""
        similarity = similarity_of(snapshot, self.params)
        ids = customers["customer_id"]
        coded = snapshot.coded(ids)
        shape = (len(ids), snapshot.n_products)
        history, bought = sparse(coded, "weight", shape), sparse(coded, "n_purchases", shape)

        def table(block: slice) -> Scores:
            is_shown = showable(snapshot.allowed(), bought[block], self.rules)
            return np.where(is_shown, (history[block] @ similarity).toarray(), 0.0)

        best = best_of_blocks(shape, table, 5 * self.rules.n)
        owned = coded.filter(pl.col("n_purchases") > 0).select("customer", "product", owned=pl.lit(True))
        source = pl.when(pl.col("owned")).then(pl.lit("buy_again")).otherwise(pl.lit("similar"))
        scored = best.join(owned, on=["customer", "product"], how="left").select(
            "customer", "product", "score", source=source
        )
        return fill_slots(scored, snapshot, ids, self.rules)
