"""Latent tastes: implicit alternating least squares."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar, Self

import numpy as np
import polars as pl
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from models.recommend.blocks import Scores, best_of_blocks
from models.recommend.slots import SlotRules, fill_slots, showable
from models.recommend.snapshot import KEPT_SNAPSHOTS, Snapshot


@dataclass(frozen=True)
class AlsParams:
    """factors, regularization, alpha (confidence per unit of weight), iterations, seed: as implicit names them."""

    factors: int = 64
    regularization: float = 0.05
    alpha: float = 5.0
    iterations: int = 10
    seed: int = 17


def factorise(weights: csr_matrix, params: AlsParams) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Factors of customers and of products; zeros where there is no weight at all."""
    if not weights.nnz:
        n_customers, n_products = weights.shape
        nothing = np.zeros((n_customers + n_products, params.factors), dtype=np.float32)
        return nothing[:n_customers], nothing[n_customers:]
    with threadpool_limits(limits=1):
        model = AlternatingLeastSquares(
            factors=params.factors,
            regularization=params.regularization,
            alpha=params.alpha,
            iterations=params.iterations,
            random_state=params.seed,
            num_threads=1,
        )
        model.fit(weights.astype(np.float32), show_progress=False)
    return np.asarray(model.user_factors), np.asarray(model.item_factors)


@lru_cache(maxsize=KEPT_SNAPSHOTS)
def factors_of(snapshot: Snapshot, params: AlsParams) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Factors of `snapshot.everybody` and of its products, from decayed history."""
    return factorise(snapshot.matrix(snapshot.everybody, "weight"), params)


@dataclass(frozen=True)
class Als:
    """Matrix factorisation of decayed history (implicit's AlternatingLeastSquares).

    Source: Hu, Koren, Volinsky (2008), Collaborative Filtering for Implicit Feedback Datasets.
    """

    params: AlsParams = field(default_factory=AlsParams)
    rules: SlotRules = field(default_factory=SlotRules)
    name: ClassVar[str] = "als"

    def fit(self, snapshots: Sequence[Snapshot], labels: pl.DataFrame) -> Self:
        """Nothing is learnt from labels: factors are those of the snapshot at prediction."""
        return self

    def predict(self, snapshot: Snapshot, customers: pl.DataFrame) -> pl.DataFrame:
        """As `Recommender.predict`; score is the product of the customer's and the product's factors."""
        ids = customers["customer_id"]
        everybody = snapshot.everybody
        bought = snapshot.matrix(everybody, "n_purchases")
        known = pl.DataFrame({"customer_id": ids}).with_row_index("customer")
        known = known.join(
            pl.DataFrame({"customer_id": everybody}).with_row_index("row"), on="customer_id", how="inner"
        ).sort("customer")
        rows = known["row"].to_numpy()
        of_customers, of_products = factors_of(snapshot, self.params)

        def table(block: slice) -> Scores:
            scores = (of_customers[rows[block]] @ of_products.T).astype(np.float64)
            return np.where(showable(snapshot.allowed(), bought[rows[block]], self.rules), scores, 0.0)

        with threadpool_limits(limits=1):
            best = best_of_blocks((known.height, snapshot.n_products), table, 5 * self.rules.n)
        customer = known["customer"].cast(pl.Int64).gather(best["customer"])
        scored = best.with_columns(customer, source=pl.lit("for_you"))
        return fill_slots(scored, snapshot, ids, self.rules)
