"""The shipped recommender: candidates from five retrievers, ordered by a learnt ranking."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
import polars as pl
import xgboost as xgb
from numpy.typing import NDArray

from models.model import NotFittedError
from models.recommend.blend import Blend
from models.recommend.candidates import Retrieval, RetrievalParams, retrieval
from models.recommend.features import FEATURES, candidate_features
from models.recommend.slots import SlotRules, fill_slots
from models.recommend.snapshot import Snapshot

BATCH_CUSTOMERS = 2000


@dataclass(frozen=True)
class RankerParams:
    """Retrieval, XGBoost's own names, and `min_lists`: fewer labelled lists than this and the blend answers."""

    retrieval: RetrievalParams = field(default_factory=RetrievalParams)
    n_rounds: int = 120
    learning_rate: float = 0.12
    max_depth: int = 5
    min_child_weight: float = 10.0
    subsample: float = 0.8
    colsample_bytree: float = 0.7
    reg_lambda: float = 5.0
    n_threads: int = 1
    seed: int = 17
    min_lists: int = 100


@dataclass
class Ranker:
    """Two stages: `Retrieval` puts products forward, gradient-boosted trees (rank:ndcg) order them.

    Trained on the candidates of earlier snapshots, relevant = bought within the label window; applied to the
    candidates of the newer snapshot. Customers without history get popular products. With fewer than
    `min_lists` labelled customer lists the `Blend` rule answers, and `basis` says so.
    """

    params: RankerParams = field(default_factory=RankerParams)
    rules: SlotRules = field(default_factory=SlotRules)
    name: ClassVar[str] = "ranker"
    booster: xgb.Booster | None = None
    n_lists: int | None = None

    @property
    def basis(self) -> str:
        """What the order rests on: 'learnt ranking' or 'blend rule: too few labels'."""
        return "learnt ranking" if self.booster is not None else "blend rule: too few labels"

    def fit(self, snapshots: Sequence[Snapshot], labels: pl.DataFrame) -> Self:
        """Learn the order from each snapshot's candidates and the labels of its date."""
        parts = [self._training_part(snapshot, labels) for snapshot in sorted(snapshots, key=_date)]
        lists = [
            part.with_columns(snapshot=pl.lit(i, pl.Int64)) for i, part in enumerate(parts) if part.height
        ]
        rows = pl.concat(lists) if lists else pl.DataFrame()
        self.n_lists = rows.select(pl.struct("snapshot", "customer").n_unique()).item() if lists else 0
        self.booster = self._train(rows) if self.n_lists >= self.params.min_lists else None
        return self

    def predict(self, snapshot: Snapshot, customers: pl.DataFrame) -> pl.DataFrame:
        """As `Recommender.predict`; score is the ranker's margin (comparable within a customer alone)."""
        if self.n_lists is None:
            raise NotFittedError(self.name)
        ids = customers["customer_id"]
        if self.booster is None:
            return Blend(retrieval=self.params.retrieval, rules=self.rules).predict(snapshot, customers)
        retrievers = retrieval(snapshot, self.params.retrieval)
        batches = [
            self._predict_batch(retrievers, snapshot, ids[start : start + BATCH_CUSTOMERS])
            for start in range(0, max(len(ids), 1), BATCH_CUSTOMERS)
        ]
        return pl.concat(batches).sort("customer_id", "rank")

    def _predict_batch(self, retrievers: Retrieval, snapshot: Snapshot, ids: pl.Series) -> pl.DataFrame:
        rows = candidate_features(retrievers.candidates(ids), snapshot, ids)
        score = self._score(rows)
        scored = rows.select("customer", "product", score=pl.Series(score), source=slot_source())
        return fill_slots(scored, snapshot, ids, self.rules)

    def _training_part(self, snapshot: Snapshot, labels: pl.DataFrame) -> pl.DataFrame:
        """Candidates with features and `relevant`, of the customers who bought one of their candidates."""
        bought = labels.filter(pl.col("as_of") == snapshot.as_of).select("customer_id", "product_id")
        ids = bought["customer_id"].unique().sort()
        spine = pl.DataFrame({"customer_id": ids}).with_row_index("customer").cast({"customer": pl.Int64})
        relevant = (
            bought.unique()
            .join(spine, on="customer_id", how="inner")
            .join(snapshot.product_codes(), on="product_id", how="inner")
            .select("customer", "product", relevant=pl.lit(1, pl.Int8))
        )
        candidates = retrieval(snapshot, self.params.retrieval).candidates(ids)
        return (
            candidate_features(candidates, snapshot, ids)
            .join(relevant, on=["customer", "product"], how="left", maintain_order="left")
            .with_columns(pl.col("relevant").fill_null(0))
            .filter(pl.col("relevant").max().over("customer") > 0)
        )

    def _train(self, rows: pl.DataFrame) -> xgb.Booster:
        params = self.params
        group = rows.select(pl.struct("snapshot", "customer").rle_id()).to_series().to_numpy()
        data = xgb.DMatrix(
            _matrix(rows), label=rows["relevant"].to_numpy(), qid=group, feature_names=list(FEATURES)
        )
        settings = {
            "objective": "rank:ndcg",
            "lambdarank_pair_method": "topk",
            "lambdarank_num_pair_per_sample": 10,
            "ndcg_exp_gain": False,
            "tree_method": "hist",
            "eta": params.learning_rate,
            "max_depth": params.max_depth,
            "min_child_weight": params.min_child_weight,
            "subsample": params.subsample,
            "colsample_bytree": params.colsample_bytree,
            "lambda": params.reg_lambda,
            "nthread": params.n_threads,
            "seed": params.seed,
        }
        return xgb.train(settings, data, num_boost_round=params.n_rounds)

    def _score(self, rows: pl.DataFrame) -> NDArray[np.float64]:
        if self.booster is None:
            raise NotFittedError(self.name)
        if rows.is_empty():
            return np.zeros(0)
        data = xgb.DMatrix(_matrix(rows), feature_names=list(FEATURES), nthread=self.params.n_threads)
        return np.asarray(self.booster.predict(data), dtype=np.float64)


def slot_source() -> pl.Expr:
    """What a candidate's slot is called: bought before, looked at, else the retriever that ranks it best."""
    together, similar, for_you = (
        pl.col(f"{name}_rank") for name in ("bought_together", "similar", "for_you")
    )
    best = pl.min_horizontal(together, similar, for_you)
    return (
        pl.when(pl.col("n_purchases") > 0)
        .then(pl.lit("buy_again"))
        .when(pl.col("days_since_viewed") <= 14)
        .then(pl.lit("recently_viewed"))
        .when(together == best)
        .then(pl.lit("bought_together"))
        .when(similar == best)
        .then(pl.lit("similar"))
        .when(for_you == best)
        .then(pl.lit("for_you"))
        .otherwise(pl.lit("popular"))
    )


def _matrix(rows: pl.DataFrame) -> NDArray[np.float32]:
    """FEATURES as a float32 matrix, null as NaN."""
    return rows.select(pl.col(FEATURES).cast(pl.Float32).fill_null(float("nan"))).to_numpy()


def _date(snapshot: Snapshot) -> str:
    return snapshot.as_of.isoformat()
