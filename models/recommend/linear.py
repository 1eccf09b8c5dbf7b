"""A linear auto-encoder over products: EASE as a recommender of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
import polars as pl

from models.recommend.blocks import Scores, best_of_blocks
from models.recommend.ease import EaseParams, weights_of
from models.recommend.slots import SlotRules, fill_slots, showable
from models.recommend.snapshot import Snapshot, sparse


@dataclass(frozen=True)
class Ease:
    """Each product regressed on all the others over decayed history (`models.recommend.ease`)."""

    params: EaseParams = field(default_factory=EaseParams)
    rules: SlotRules = field(default_factory=SlotRules)
    name: ClassVar[str] = "ease"

    def fit(self, snapshots: Sequence[Snapshot], labels: pl.DataFrame) -> Self:
        """Nothing is learnt from labels: weights are those of the snapshot at prediction."""
        return self

    def predict(self, snapshot: Snapshot, customers: pl.DataFrame) -> pl.DataFrame:
        """As `Recommender.predict`; score is the regression's prediction, where it is positive."""
        weights = weights_of(snapshot, self.params)
        ids = customers["customer_id"]
        coded = snapshot.coded(ids)
        shape = (len(ids), snapshot.n_products)
        history, bought = sparse(coded, "weight", shape), sparse(coded, "n_purchases", shape)

        def table(block: slice) -> Scores:
            is_shown = showable(snapshot.allowed(), bought[block], self.rules)
            return np.where(is_shown, weights.score(history[block]), 0.0)

        best = best_of_blocks(shape, table, 5 * self.rules.n)
        return fill_slots(best.with_columns(source=pl.lit("for_you")), snapshot, ids, self.rules)
