"""What a ranker learns from: the candidates of a past snapshot, and which of them were right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.recommend.candidates import BATCH_CUSTOMERS, RetrievalParams, retrieval
from models.recommend.features import FEATURES, candidate_features
from models.recommend.snapshot import Snapshot


@dataclass(frozen=True)
class Sampling:
    """Which candidates of a snapshot are learnt from: all that were bought, and as many others, drawn.

    per_purchase: others per candidate bought. at_least: others, where there are so many. seed: of the draw. Of contents the
    same, by reads.
    """

    per_purchase: float = 5.0
    at_least: int = 50_000
    seed: int = 17


@dataclass(frozen=True, eq=False)
class LabelledLists:
    """Candidates by list, the rows of a list in one piece.

    Attributes:
        values: rows x FEATURES, float32, NaN: unknown.
        relevant: per row, 1 if bought (read) within the label window, else 0.
        numbers: per row, the number of its list, from 0.
    """

    values: NDArray[np.float32]
    relevant: NDArray[np.int8]
    numbers: NDArray[np.uint32]

    @property
    def n_lists(self) -> int:
        """How many lists there are."""
        return int(self.numbers[-1]) + 1 if len(self.numbers) else 0


def labelled_lists(
    snapshot: Snapshot, labels: pl.DataFrame, params: RetrievalParams, sampling: Sampling
) -> LabelledLists:
    """The lists of the customers who bought one of their candidates.

    labels: `label_purchases`; those of the snapshot's date are read.
    """
    bought = labels.filter(pl.col("as_of") == snapshot.as_of).select("customer_id", "product_id").unique()
    first_stage = retrieval(snapshot, params)

    def rows(ids: pl.Series) -> pl.DataFrame:
        return candidate_features(first_stage.candidates(ids), snapshot, ids)

    return drawn_lists(bought, snapshot, rows, FEATURES, sampling)


def drawn_lists(
    relevant: pl.DataFrame,
    snapshot: Snapshot,
    candidates: Callable[[pl.Series], pl.DataFrame],
    features: Sequence[str],
    sampling: Sampling,
) -> LabelledLists:
    """The lists of the customers to whom one of their candidates was relevant, drawn from batch by batch.

    relevant: customer_id, product_id, each pair once. candidates: ids -> customer (position in ids), product (code) and
    `features` (Float32), the rows of a customer in one piece. A batch's part of `at_least` is its part of the customers.
    """
    draw = np.random.default_rng([sampling.seed, snapshot.as_of.toordinal()])
    everybody = relevant["customer_id"].unique().sort()
    parts = []
    for start in range(0, max(len(everybody), 1), BATCH_CUSTOMERS):
        ids = everybody[start : start + BATCH_CUSTOMERS]
        hits = snapshot.with_codes(relevant, ids).select("customer", "product", relevant=pl.lit(1, pl.Int8))
        rows = (
            candidates(ids)
            .join(hits, on=["customer", "product"], how="left", maintain_order="left")
            .with_columns(pl.col("relevant").fill_null(0))
            .filter(pl.col("relevant").max().over("customer") > 0)
        )
        is_hit = rows["relevant"].to_numpy() > 0
        n_hits = int(is_hit.sum())
        at_least = sampling.at_least * len(ids) / max(len(everybody), 1)
        kept = max(at_least, sampling.per_purchase * n_hits) / max(rows.height - n_hits, 1)
        rows = rows.filter(pl.Series(is_hit | (draw.random(rows.height) < kept)))
        values = rows.select(pl.col(features).fill_null(float("nan"))).to_numpy()
        numbers = rows["customer"].rle_id().to_numpy()
        parts.append(LabelledLists(values, rows["relevant"].to_numpy(), numbers.astype(np.uint32)))
    return joined(parts)


def joined(parts: Sequence[LabelledLists]) -> LabelledLists:
    """The lists of all parts, one after the other; `parts` holds one at least."""
    before = np.cumsum([0, *(part.n_lists for part in parts[:-1])])
    return LabelledLists(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.relevant for part in parts]),
        np.concatenate(
            [part.numbers + np.uint32(n) for part, n in zip(parts, before, strict=True)], dtype=np.uint32
        ),
    )
