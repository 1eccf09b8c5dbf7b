"""A ranking without learning: what he buys, then what goes with it, then what all buy."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import polars as pl

from models.recommend.candidates import RetrievalParams, retrieval
from models.recommend.slots import SlotRules, fill_slots
from models.recommend.snapshot import Snapshot

ORDER = ("buy_again", "viewed", "bought_together", "similar")
SOURCES = {"viewed": "recently_viewed"}


@dataclass(frozen=True)
class Blend:
    """Tiers in the order of ORDER, each by its own score; a product counts in its first tier.

    The rule for shops with too few labels to learn from. Score is one over the place in that order.
    """

    retrieval: RetrievalParams = field(default_factory=RetrievalParams)
    rules: SlotRules = field(default_factory=SlotRules)
    name: ClassVar[str] = "blend"

    def fit(self, snapshots: Sequence[Snapshot], labels: pl.DataFrame) -> Self:
        """Nothing to learn: a rule."""
        return self

    def predict(self, snapshot: Snapshot, customers: pl.DataFrame) -> pl.DataFrame:
        """As `Recommender.predict`; source is the tier."""
        ids = customers["customer_id"]
        candidates = retrieval(snapshot, self.retrieval).candidates(ids)
        tiers = [
            candidates.filter(pl.col(f"{tier}_score") > 0).select(
                "customer",
                "product",
                tier=pl.lit(number, pl.Int64),
                strength=pl.col(f"{tier}_score"),
                source=pl.lit(SOURCES.get(tier, tier)),
            )
            for number, tier in enumerate(ORDER)
        ]
        scored = (
            pl.concat(tiers)
            .sort(
                ["customer", "tier", "strength", "product"],
                descending=[False, False, True, False],
            )
            .unique(["customer", "product"], keep="first", maintain_order=True)
            .with_columns(place=pl.int_range(pl.len()).over("customer"))
            .select("customer", "product", score=1 / (1.0 + pl.col("place")), source="source")
        )
        return fill_slots(scored, snapshot, ids, self.rules)
