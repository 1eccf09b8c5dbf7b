"""What the customer bought before, the recent and the frequent first."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import polars as pl

from models.recommend.slots import TIE_BREAK, SlotRules, fill_slots, popularity
from models.recommend.snapshot import Snapshot


@dataclass(frozen=True)
class BuyAgain:
    """Products by decayed purchases (`feat_interactions.purchase_weight`, half-life 90 days)."""

    rules: SlotRules = field(default_factory=SlotRules)
    name: ClassVar[str] = "buy_again"

    def fit(self, snapshots: Sequence[Snapshot], labels: pl.DataFrame) -> Self:
        """Nothing to learn: the purchases are read from the snapshot at prediction."""
        return self

    def predict(self, snapshot: Snapshot, customers: pl.DataFrame) -> pl.DataFrame:
        """As `Recommender.predict`; score is the decayed purchase weight."""
        favour = popularity(snapshot).select("product", tie_break=1 + TIE_BREAK * pl.col("score"))
        bought = (
            snapshot.coded(customers["customer_id"])
            .filter(pl.col("purchase_weight") > 0)
            .join(favour, on="product", how="inner")
            .select(
                "customer",
                "product",
                score=pl.col("purchase_weight") * pl.col("tie_break"),
                source=pl.lit("buy_again"),
            )
        )
        return fill_slots(bought, snapshot, customers["customer_id"], self.rules)
