"""What the ranker learns from: the candidates of a past snapshot, and which of them were bought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.recommend.candidates import RetrievalParams, retrieval
from models.recommend.features import candidate_features, feature_matrix
from models.recommend.snapshot import Snapshot


@dataclass(frozen=True)
class Sampling:
    """Which candidates of a snapshot are learnt from: all that were bought, and as many others, drawn.

    per_purchase: others per candidate bought. at_least: others, where there are so many. seed: of the draw.
    """

    per_purchase: float = 5.0
    at_least: int = 50_000
    seed: int = 17


@dataclass(frozen=True, eq=False)
class LabelledLists:
    """Candidates by list, the rows of a list in one piece.

    Attributes:
        values: rows x FEATURES, float32, NaN: unknown.
        relevant: per row, 1 if bought within the label window, else 0.
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
    bought = labels.filter(pl.col("as_of") == snapshot.as_of).select("customer_id", "product_id")
    ids = bought["customer_id"].unique().sort()
    spine = pl.DataFrame({"customer_id": ids}).with_row_index("customer").cast({"customer": pl.Int64})
    relevant = (
        bought.unique()
        .join(spine, on="customer_id", how="inner")
        .join(snapshot.product_codes(), on="product_id", how="inner")
        .select("customer", "product", relevant=pl.lit(1, pl.Int8))
    )
    candidates = retrieval(snapshot, params).candidates(ids)
    rows = (
        candidate_features(candidates, snapshot, ids)
        .join(relevant, on=["customer", "product"], how="left", maintain_order="left")
        .with_columns(pl.col("relevant").fill_null(0))
        .filter(pl.col("relevant").max().over("customer") > 0)
    )
    is_bought = rows["relevant"].to_numpy() > 0
    n_bought = int(is_bought.sum())
    kept = max(sampling.at_least, sampling.per_purchase * n_bought) / max(rows.height - n_bought, 1)
    draws = np.random.default_rng([sampling.seed, snapshot.as_of.toordinal()]).random(rows.height)
    rows = rows.filter(pl.Series(is_bought | (draws < kept)))
    numbers = rows["customer"].rle_id().to_numpy()
    return LabelledLists(feature_matrix(rows), rows["relevant"].to_numpy(), numbers.astype(np.uint32))


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
