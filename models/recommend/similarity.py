"""Similarity between products by who bought them (BM25)."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from implicit.nearest_neighbours import ItemItemRecommender, bm25_weight
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from models.recommend.snapshot import KEPT_SNAPSHOTS, Snapshot


@dataclass(frozen=True)
class NeighbourParams:
    """k: neighbours kept per product, itself included; k1, b: BM25 saturation and length normalisation."""

    k: int = 50
    k1: float = 1.2
    b: float = 0.75


def item_similarity(weights: csr_matrix, params: NeighbourParams) -> csr_matrix:
    """Products x products BM25 similarity (products as documents, customers as terms), k largest per row.

    weights: customers x products. The diagonal is a product's similarity with itself.
    """
    if weights.nnz == 0:
        return csr_matrix((weights.shape[1], weights.shape[1]))
    weighted = bm25_weight(weights.T, K1=params.k1, B=params.b).T.tocsr()
    model = ItemItemRecommender(K=params.k, num_threads=1)
    with threadpool_limits(limits=1):
        model.fit(weighted, show_progress=False)
    return csr_matrix(model.similarity)


@lru_cache(maxsize=KEPT_SNAPSHOTS)
def similarity_of(snapshot: Snapshot, params: NeighbourParams) -> csr_matrix:
    """`item_similarity` by everybody's decayed history."""
    return item_similarity(snapshot.matrix(snapshot.everybody, "weight"), params)


def off_diagonal(similarity: csr_matrix) -> csr_matrix:
    """The similarity with others alone."""
    others = similarity.tocoo()
    keep = others.row != others.col
    return csr_matrix((others.data[keep], (others.row[keep], others.col[keep])), shape=similarity.shape)


def row_shares(matrix: csr_matrix) -> csr_matrix:
    """Each row divided by its sum; empty rows stay empty."""
    totals = np.asarray(matrix.sum(axis=1)).ravel()
    scale = np.divide(1.0, totals, out=np.zeros_like(totals), where=totals > 0)
    return csr_matrix(matrix.multiply(scale[:, None]))
