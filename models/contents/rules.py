"""Rules: contents in the order of what one or two retrievers say, then what is read most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

import numpy as np
import polars as pl

from models.contents.retrieval import ContentRetrieval
from models.contents.snapshot import UNREAD, ContentSnapshot
from models.recommend.blocks import top_mask
from models.recommend.popular import NO_CANDIDATES
from models.recommend.slots import TIE_BREAK, SlotRules, fill_slots
from models.recommend.snapshot import CUSTOMERS_AT_ONCE

SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "read_topics": "read_topics",
        "read_together": "read_together",
        "alike": "similar",
        "product_topics": "product_interests",
        "shelf_topics": "product_interests",
        "product_words": "for_you",
        "for_you": "for_you",
    }
)
"""Retriever -> what a content it puts forward is called."""


@dataclass(frozen=True)
class ContentRule:
    """Contents by the sum of the `retrievers`' scores, the better read first of equals. The source is that of the larger."""

    name: str
    retrievers: tuple[str, ...]
    slots: SlotRules = UNREAD

    def fit(self, snapshots: Sequence[ContentSnapshot], labels: pl.DataFrame) -> Self:
        """Nothing to learn."""
        return self

    def predict(self, snapshot: ContentSnapshot, customers: pl.DataFrame) -> pl.DataFrame:
        """As `ContentRecommender.predict`."""
        ids = customers["customer_id"]
        retrieval = ContentRetrieval(snapshot) if self.retrievers else None
        parts = []
        for start in range(0, max(len(ids), 1), CUSTOMERS_AT_ONCE):
            asked = ids[start : start + CUSTOMERS_AT_ONCE]
            parts.append(fill_slots(self._scored(retrieval, asked), snapshot.items, asked, self.slots))
        return as_contents(pl.concat(parts).sort("customer_id", "rank"))

    def _scored(self, retrieval: ContentRetrieval | None, customers: pl.Series) -> pl.DataFrame:
        names = pl.Series([SOURCES[retriever] for retriever in self.retrievers], dtype=pl.String)
        frames = [pl.DataFrame(schema=NO_CANDIDATES)]
        for block in retrieval.blocks(customers) if retrieval else ():
            parts = np.stack([block.scores[retriever] for retriever in self.retrievers])
            total = parts.sum(axis=0) * (1 + TIE_BREAK * block.scores["popular"])
            row, content = np.nonzero(top_mask(np.where(block.is_open, total, 0.0), self.slots.n))
            frames.append(
                pl.DataFrame(
                    {
                        "customer": block.rows[row],
                        "product": content,
                        "score": total[row, content],
                        "source": names.gather(parts[:, row, content].argmax(axis=0)),
                    }
                )
            )
        return pl.concat(frames)


def as_contents(slots: pl.DataFrame) -> pl.DataFrame:
    """Filled slots by the names of contents."""
    return slots.rename({"product_id": "content_id"})


POPULAR = ContentRule("popular_contents", ())
TOPIC_MATCH = ContentRule("topic_match", ("read_topics", "product_topics"))
RULES: Mapping[str, ContentRule] = MappingProxyType(
    {
        rule.name: rule
        for rule in (
            POPULAR,
            TOPIC_MATCH,
            ContentRule("product_interests", ("shelf_topics", "product_words")),
            ContentRule("title_likeness", ("alike",)),
            ContentRule("read_together", ("read_together",)),
            ContentRule("ease", ("for_you",)),
        )
    }
)
"""Every rule, simplest first."""
