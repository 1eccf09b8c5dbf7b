"""How much the products of one list are alike, in words, and lists that are less so."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.recommend.blocks import row_blocks
from models.recommend.content import term_vectors
from models.recommend.snapshot import KEPT_SNAPSHOTS, Snapshot


@lru_cache(maxsize=KEPT_SNAPSHOTS)
def terms_of(snapshot: Snapshot) -> csr_matrix:
    """`term_vectors` of the snapshot's products."""
    return term_vectors(snapshot.products)


def less_alike(scored: pl.DataFrame, snapshot: Snapshot, cost: float, n: int) -> pl.DataFrame:
    """The frame with `score` lowered by likeness to what stands above, for each customer's first `n`.

    Greedy: place after place goes to the product of the highest score less `cost` standard deviations of the customer's
    scores times its greatest likeness (cosine of `term_vectors`, 0 to 1) to those already placed. What is lowered falls from
    place to place; products without a place keep what they lost so far.

    Source: Carbonell and Goldstein (1998), "The use of MMR, diversity-based reranking", with the greatest likeness as there.

    scored: customer, product (code), score, and more. Rows come back sorted by customer, score (falling) and product.
    """
    best = scored.sort(["customer", "score", "product"], descending=[False, True, False])
    if cost == 0 or best.is_empty():
        return best
    row = best["customer"].rle_id().to_numpy().astype(np.int64)
    column = best.select(pl.int_range(pl.len()).over("customer")).to_series().to_numpy()
    shape = (int(row[-1]) + 1, int(column.max()) + 1)
    products = np.zeros(shape, dtype=np.int64)
    products[row, column] = best["product"].to_numpy()
    scores = np.full(shape, -np.inf)
    scores[row, column] = best["score"].to_numpy()
    deviation = best.group_by("customer", maintain_order=True).agg(pl.col("score").std(ddof=0))
    costs = cost * deviation["score"].fill_null(0.0).to_numpy()
    terms = terms_of(snapshot)
    for rows in row_blocks(shape[0], max(shape[1], terms.shape[1])):
        scores[rows] = _lowered(scores[rows], products[rows], costs[rows], terms, min(n, shape[1]))
    return best.with_columns(score=pl.Series(scores[row, column])).sort(
        ["customer", "score", "product"], descending=[False, True, False]
    )


def _lowered(
    scores: NDArray[np.float64],
    products: NDArray[np.int64],
    costs: NDArray[np.float64],
    terms: csr_matrix,
    n: int,
) -> NDArray[np.float64]:
    """Scores after n places; -inf: no product there. Rows: customers, best product first."""
    rows, width = np.arange(len(scores)), scores.shape[1]
    words = terms[products.ravel()]
    cell = np.repeat(np.arange(scores.size), np.diff(words.indptr))
    likeness = np.zeros_like(scores)
    placed = np.full_like(scores, -np.inf)
    for _ in range(n):
        left = np.where(np.isfinite(placed), -np.inf, scores - costs[:, None] * likeness)
        first = left.argmax(axis=1)
        placed[rows, first] = np.maximum(placed[rows, first], left[rows, first])
        above = terms[products[rows, first]].toarray()
        alike = words.data * above[cell // width, words.indices]
        alike = np.bincount(cell, weights=alike, minlength=scores.size).reshape(scores.shape)
        # Rounded, as products of the same words are equally alike whatever order their terms are summed in.
        likeness = np.maximum(likeness, alike.round(9))
    return np.where(np.isfinite(placed), placed, scores - costs[:, None] * likeness)


def list_diversity(lists: pl.DataFrame, snapshot: Snapshot, k: int) -> float:
    """Mean over customers of the mean unlikeness (1 - cosine of `term_vectors`) of two of his first `k` products.

    lists: customer_id, rank (from 1), product_id. Lists of one product do not count; NaN if there is no other.
    """
    first = (
        lists.filter(pl.col("rank") <= k)
        .join(snapshot.product_codes(), on="product_id", how="inner")
        .sort("customer_id", "product")
    )
    row = first["customer_id"].rle_id().to_numpy()
    n_lists = int(row[-1]) + 1 if len(row) else 0
    chosen = csr_matrix(
        (np.ones(len(row)), (row, first["product"].to_numpy())), shape=(n_lists, snapshot.n_products)
    )
    terms = terms_of(snapshot)
    sums = chosen @ terms
    itself = chosen @ np.asarray(terms.multiply(terms).sum(axis=1)).ravel()
    alike = (np.asarray(sums.multiply(sums).sum(axis=1)).ravel() - itself) / 2
    sizes = np.bincount(row, minlength=n_lists)
    pairs = sizes * (sizes - 1) / 2
    return float(np.mean(1 - alike[pairs > 0] / pairs[pairs > 0])) if (pairs > 0).any() else float("nan")
