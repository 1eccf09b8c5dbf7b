"""What the learnt order rests on: permutation importance on judged lists, and contributions to the score."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.evaluation.champion import Criterion
from models.evaluation.importance import IMPORTANCE_SCHEMA, permutation_importance, sample_rows
from models.model import Explanation
from models.recommend.candidates import retrieval
from models.recommend.features import FEATURES, candidate_features, feature_matrix
from models.recommend.ranker import Ranker
from models.recommend.snapshot import Snapshot

K = 10


def list_importance(
    ranker: Ranker,
    snapshot: Snapshot,
    labels: pl.DataFrame,
    criterion: Criterion,
    *,
    n_customers: int,
    n_repeats: int = 2,
) -> pl.DataFrame:
    """By how much NDCG@10 falls when a feature's values are dealt out anew among the candidates.

    Judged on the candidates of `n_customers` drawn customers with history who bought within the label window; purchases of
    other products count in the ideal. labels: `label_purchases` of the snapshot's date.

    Returns: feature, importance, spread, as `permutation_importance`; no rows where nothing was learnt or nobody bought.
    """
    bought = labels.filter(pl.col("as_of") == snapshot.as_of).select("customer_id", "product_id").unique()
    buyers = bought.join(snapshot.interactions, on="customer_id", how="semi").select("customer_id").unique()
    asked = sample_rows(buyers.sort("customer_id"), n_customers)
    ordering = ranker.ordering
    if ordering is None or asked.is_empty():
        return pl.DataFrame(schema=IMPORTANCE_SCHEMA)
    relevant = snapshot.with_codes(bought, asked["customer_id"]).select(
        "customer", "product", is_bought=pl.lit(True)
    )
    possible = np.bincount(relevant["customer"].to_numpy(), minlength=asked.height)
    rows = _candidates(ranker, snapshot, asked).join(
        relevant, on=["customer", "product"], how="left", maintain_order="left"
    )

    def judge(copies: pl.DataFrame, n_copies: int) -> NDArray[np.float64]:
        copy = np.repeat(np.arange(n_copies), rows.height)
        lists = copies["customer"].to_numpy() + copy * asked.height
        is_bought = copies["is_bought"].fill_null(False).to_numpy()
        ndcg = _ndcg(ordering.score(feature_matrix(copies)), lists, is_bought, np.tile(possible, n_copies))
        return np.asarray(ndcg.reshape(n_copies, asked.height).mean(axis=1))

    return permutation_importance(rows, FEATURES, judge, criterion, n_repeats=n_repeats)


def explained(
    ranker: Ranker, snapshot: Snapshot, customers: pl.DataFrame, max_rows: int
) -> Explanation | None:
    """What each feature adds to the score of at most `max_rows` drawn candidates; None where nothing was learnt."""
    if ranker.ordering is None:
        return None
    values = feature_matrix(sample_rows(_candidates(ranker, snapshot, customers), max_rows))
    return Explanation(FEATURES, values.astype(np.float64), ranker.ordering.contributions(values))


def _candidates(ranker: Ranker, snapshot: Snapshot, customers: pl.DataFrame) -> pl.DataFrame:
    ids = customers["customer_id"]
    candidates = retrieval(snapshot, ranker.params.retrieval).candidates(ids)
    return candidate_features(candidates, snapshot, ids)


def _ndcg(
    score: NDArray[np.float64],
    lists: NDArray[np.int64],
    is_bought: NDArray[np.bool_],
    possible: NDArray[np.int64],
) -> NDArray[np.float64]:
    """NDCG@10 per list of candidates; possible: per list, how many products were bought, one at least."""
    order = np.lexsort((-score, lists))
    ordered = lists[order]
    place = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    gain = np.where(is_bought[order] & (place < K), 1.0 / np.log2(place + 2), 0.0)
    ideal = np.cumsum(1.0 / np.log2(np.arange(K) + 2))
    found = np.bincount(ordered, weights=gain, minlength=len(possible))
    return np.asarray(found / ideal[np.minimum(possible, K) - 1])
