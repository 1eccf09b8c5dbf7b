"""The same list for everybody: what most people bought in the last 30 days."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import polars as pl

from models.recommend.slots import SlotRules, fill_slots
from models.recommend.snapshot import Snapshot

NO_CANDIDATES = {"customer": pl.Int64, "product": pl.Int64, "score": pl.Float64, "source": pl.String}


@dataclass(frozen=True)
class Popular:
    """Products by distinct buyers of the last 30 days; score is the share of the leader's buyers."""

    rules: SlotRules = field(default_factory=SlotRules)
    name: ClassVar[str] = "popular"

    def fit(self, snapshots: Sequence[Snapshot], labels: pl.DataFrame) -> Self:
        """Nothing to learn: popularity is read from the snapshot at prediction."""
        return self

    def predict(self, snapshot: Snapshot, customers: pl.DataFrame) -> pl.DataFrame:
        """As `Recommender.predict`; source 'popular'."""
        return fill_slots(pl.DataFrame(schema=NO_CANDIDATES), snapshot, customers["customer_id"], self.rules)
