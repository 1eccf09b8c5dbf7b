"""EASE: a shallow linear auto-encoder over products, solved in closed form."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from models.recommend.snapshot import KEPT_SNAPSHOTS, Snapshot


@dataclass(frozen=True)
class EaseParams:
    """ridge: of the regression. max_products: the products with the most customers take part."""

    ridge: float = 300.0
    max_products: int = 3000


@dataclass(frozen=True)
class ItemWeights:
    """Item-to-item weights among the `products` (codes) that were dense enough to be estimated."""

    products: NDArray[np.int64]
    weights: NDArray[np.float32]
    n_products: int

    def score(self, history: csr_matrix) -> NDArray[np.float64]:
        """Customers x all products; products outside `products` score 0."""
        scores = np.zeros((history.shape[0], self.n_products))
        if len(self.products):
            scores[:, self.products] = history[:, self.products].astype(np.float32) @ self.weights
        return scores


def item_weights(history: csr_matrix, ridge: float, max_products: int) -> ItemWeights:
    """Fit EASE on the `max_products` products with the most customers (ties: smaller code).

    history: customers x products, non-negative weights. Cost grows with the cube of `max_products` and does
    not grow with customers. Source: Steck (2019), Embarrassingly Shallow Autoencoders for Sparse Data.
    """
    buyers = np.bincount(history.indices, minlength=history.shape[1])
    order = np.argsort(-buyers, kind="stable")[:max_products]
    products = np.sort(order[buyers[order] > 0])
    if len(products) == 0:
        return ItemWeights(products, np.zeros((0, 0), dtype=np.float32), history.shape[1])
    dense = history[:, products]
    with threadpool_limits(limits=1):
        # Single precision halves the time; the ridge keeps the matrix far from singular.
        gram = (dense.T @ dense).toarray().astype(np.float32)
        gram[np.diag_indices_from(gram)] += ridge
        inverse = cho_solve(
            cho_factor(gram, overwrite_a=True), np.eye(len(products), dtype=np.float32), overwrite_b=True
        )
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return ItemWeights(products, weights.astype(np.float32), history.shape[1])


@lru_cache(maxsize=KEPT_SNAPSHOTS)
def weights_of(snapshot: Snapshot, params: EaseParams) -> ItemWeights:
    """`item_weights` of everybody's decayed history."""
    return item_weights(snapshot.matrix(snapshot.everybody, "weight"), params.ridge, params.max_products)
