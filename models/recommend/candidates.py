"""First stage: a few hundred products worth ranking for each customer, by several retrievers.

Dense customer x product blocks of bounded size; no learning from labels happens here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from models.recommend.als import AlsParams, factors_of
from models.recommend.blocks import Scores, row_blocks, top_mask
from models.recommend.content import likeness
from models.recommend.diversity import terms_of
from models.recommend.ease import EaseParams, weights_of
from models.recommend.similarity import NeighbourParams, off_diagonal, row_shares, similarity_of
from models.recommend.slots import TIE_BREAK, popularity
from models.recommend.snapshot import KEPT_SNAPSHOTS, Snapshot, sparse
from models.side_by_side import side_by_side

BATCH_CUSTOMERS = 2000
"""Of how many customers candidates, some hundred each, are made at a time."""


@dataclass(frozen=True)
class RetrievalParams:
    """How many products each retriever may put forward per customer, and the retrievers' own parameters.

    All but buy_again put forward what the customer has not bought.
    """

    n_buy_again: int = 150
    n_viewed: int = 20
    n_bought_together: int = 20
    n_similar: int = 30
    n_for_you: int = 30
    n_latent: int = 20
    n_alike: int = 20
    n_popular: int = 30
    n_season: int = 20
    neighbours: NeighbourParams = field(default_factory=NeighbourParams)
    ease: EaseParams = field(default_factory=EaseParams)
    factors: AlsParams = field(default_factory=AlsParams)


RETRIEVERS = (
    "buy_again",
    "viewed",
    "bought_together",
    "similar",
    "for_you",
    "latent",
    "alike",
    "popular",
    "season",
)
SAME_FOR_ALL = ("popular", "season")


@lru_cache(maxsize=KEPT_SNAPSHOTS)
def retrieval(snapshot: Snapshot, params: RetrievalParams) -> "Retrieval":
    """The retrievers of a snapshot; those of the last few are kept, as every method asks for the same ones."""
    return Retrieval(snapshot, params)


class Retrieval:
    """The retrievers of one snapshot. `candidates(customers)` puts products forward."""

    def __init__(self, snapshot: Snapshot, params: RetrievalParams) -> None:
        self.snapshot = snapshot
        self.params = params
        learnt: Sequence[Callable[[], Any]] = (
            partial(similarity_of, snapshot, params.neighbours),
            partial(weights_of, snapshot, params.ease),
            partial(factors_of, snapshot, params.factors),
        )
        similarity, self._ease, self._factors = side_by_side(lambda learn: learn(), learnt)
        self._similar = off_diagonal(similarity)
        self._pairs = pair_matrix(snapshot)
        self._everybody = snapshot.everybody
        self._terms = terms_of(snapshot)
        popular = popularity(snapshot)
        self._popularity = np.zeros(snapshot.n_products)
        self._popularity[popular["product"].to_numpy()] = popular["score"].to_numpy()
        season = snapshot.products["season_buyers"].fill_null(0).to_numpy().astype(np.float64)
        self._season = season / max(1.0, season.max(initial=0.0))
        self._allowed = snapshot.allowed()

    def candidates(self, customers: pl.Series) -> pl.DataFrame:
        """Per customer the union of what the retrievers put forward.

        Columns: customer (position in `customers`), product (code), and per retriever `<retriever>_score`
        (Float32, 0 where it says nothing). Sorted by customer and product. Customers without interactions
        have no rows.
        """
        coded = self.snapshot.coded(customers)
        shape = (len(customers), self.snapshot.n_products)
        weight, bought, viewed = (
            sparse(coded, column, shape) for column in ("weight", "purchase_weight", "view_weight")
        )
        known = np.diff(weight.indptr) > 0
        places = self._everybody.search_sorted(customers).to_numpy()
        blocks = [
            self._block(np.flatnonzero(known[block]) + block.start, places, weight, bought, viewed)
            for block in row_blocks(*shape)
        ]
        return pl.concat(blocks) if blocks else self._block(np.arange(0), places, weight, bought, viewed)

    def _block(
        self,
        rows: NDArray[np.int64],
        places: NDArray[np.int64],
        weight: csr_matrix,
        bought: csr_matrix,
        viewed: csr_matrix,
    ) -> pl.DataFrame:
        history = weight[rows]
        shares = row_shares(history)
        of_customers, of_products = self._factors
        shape = (len(rows), self.snapshot.n_products)
        with threadpool_limits(limits=1):
            latent = of_customers[places[rows]] @ of_products.T
        scores: dict[str, Scores] = {
            "buy_again": bought[rows].toarray(),
            "viewed": viewed[rows].toarray(),
            "bought_together": (shares @ self._pairs).toarray(),
            "similar": (history @ self._similar).toarray(),
            "for_you": self._ease.score(history),
            "latent": latent.astype(np.float64),
            "alike": likeness(history, self._terms),
        }
        chosen = np.zeros(shape, dtype=bool)
        favour = np.where(self._allowed, 1 + TIE_BREAK * self._popularity, 0.0)
        for table in scores.values():
            np.multiply(table, favour, out=table)
        scores["popular"] = np.broadcast_to(self._popularity * favour, shape)
        scores["season"] = np.broadcast_to(self._season * favour, shape)
        is_owned = scores["buy_again"] > 0
        for retriever, table in scores.items():
            eligible = table if retriever == "buy_again" else np.where(is_owned, 0.0, table)
            chosen |= top_mask(eligible, getattr(self.params, f"n_{retriever}"))
        row, product = np.nonzero(chosen)
        return pl.DataFrame(
            {"customer": rows[row], "product": product}
            | {f"{name}_score": table[row, product].astype(np.float32) for name, table in scores.items()}
        )


@lru_cache(maxsize=KEPT_SNAPSHOTS)
def pair_matrix(snapshot: Snapshot) -> csr_matrix:
    """Products x products, orders together discounted for chance: n_orders_together x (1 - 1 / lift)."""
    codes = snapshot.product_codes()
    pairs = (
        snapshot.pairs.filter(pl.col("lift") > 1)
        .join(codes, on="product_id", how="inner")
        .join(
            codes.rename({"product_id": "other_product_id", "product": "other"}),
            on="other_product_id",
            how="inner",
        )
        .sort("product", "other")
        .select("product", "other", strength=pl.col("n_orders_together") * (1 - 1 / pl.col("lift")))
    )
    shape = (snapshot.n_products, snapshot.n_products)
    strengths = pairs["strength"].cast(pl.Float64).to_numpy()
    return csr_matrix((strengths, (pairs["product"].to_numpy(), pairs["other"].to_numpy())), shape=shape)
