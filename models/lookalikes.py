"""Who resembles a given set of customers: look-alikes of a segment.

Here: the features of likeness, a nearest-centroid rule, a membership model, the ranking. Not here: where the set comes
from (`segments`, `mail.segments`), a command.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from models.features import KEYS, FloatArray
from models.model import NoParams, NotFittedError, require
from models.order_rates import profiled
from models.policy.draws import uniforms
from models.segments import BEHAVIOUR, Scaling

MEMBER = "is_member"
AFFINITY = "affinity"
"""List(Struct(value, share)): the customer's strongest categories, subcategories and brands with their shares."""

KINDS = ("category", "subcategory", "brand")
MAX_AFFINITIES = 60
FEATURES = (*BEHAVIOUR, "has_behaviour", AFFINITY)


def lookalike_frame(customers: pl.DataFrame, affinity: pl.DataFrame, members: pl.Series) -> pl.DataFrame:
    """feat_customer of one snapshot with what he is drawn to, and whether he is one of `members` (customer ids).

    Args: affinity: feat_affinity of the same snapshot.
    """
    drawn = (
        affinity.filter(pl.col("kind").is_in(KINDS))
        .sort("customer_id", "kind", "value")
        .group_by("customer_id", maintain_order=True)
        .agg(pl.struct(value=pl.format("{}: {}", "kind", "value"), share="share").alias(AFFINITY))
    )
    return (
        customers.join(drawn, on="customer_id", how="left", maintain_order="left")
        .with_columns(pl.col("customer_id").is_in(members.implode()).alias(MEMBER))
        .with_columns(pl.col(AFFINITY).fill_null([]))
    )


class LikenessEstimator(ABC):
    """fit and predict of everything that answers "how much is he like them".

    `fit(frame)`: of `lookalike_frame`. `predict(frame)`: customer_id, as_of, similarity (0 to 1, comparable within one
    fitted model alone), basis; rows keep their order. Who does not allow profiling is like nobody: 0.
    """

    name: ClassVar[str]
    features: ClassVar[tuple[str, ...]] = FEATURES
    params: Any

    def __init__(self) -> None:
        self.scaling: Scaling | None = None
        self.values: tuple[str, ...] = ()

    def fit(self, frame: pl.DataFrame) -> Self:
        """Learn who they are."""
        require(frame, (*KEYS, *self.features, MEMBER), self.name)
        allowed = frame.filter(profiled()).sort("customer_id")
        self.scaling = Scaling.of(allowed, clip=3.0)
        counts = _long(allowed).group_by("value").len().sort(["len", "value"], descending=[True, False])
        self.values = tuple(counts["value"].head(MAX_AFFINITIES))
        self._learn(self._points(allowed), allowed[MEMBER].to_numpy(), allowed["customer_id"])
        return self

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        """One similarity per row."""
        require(frame, (*KEYS, *self.features), self.name)
        points = self._points(frame)
        similarity = self._similarity(points, frame["customer_id"]) if len(points) else np.zeros(0)
        return frame.select(
            *KEYS,
            similarity=pl.when(profiled()).then(pl.Series(similarity, dtype=pl.Float64)).otherwise(0.0),
            basis=pl.when(profiled()).then(pl.lit("behaviour")).otherwise(pl.lit("no profiling")),
        )

    def _points(self, frame: pl.DataFrame) -> FloatArray:
        """Scaled behaviour, and the square roots of the affinities' shares: shape (rows, features)."""
        if self.scaling is None:
            raise NotFittedError(self.name)
        shares = np.zeros((frame.height, len(self.values)))
        known = pl.DataFrame(
            {"value": self.values, "column": np.arange(len(self.values))},
            schema={"value": pl.String, "column": pl.Int64},
        )
        found = _long(frame).join(known, on="value")
        shares[found["row"].to_numpy(), found["column"].to_numpy()] = found["share"].to_numpy()
        return np.hstack([self.scaling(frame), 3.0 * np.sqrt(shares)])

    @abstractmethod
    def _learn(self, points: FloatArray, members: NDArray[np.bool_], customers: pl.Series) -> None: ...

    @abstractmethod
    def _similarity(self, points: FloatArray, customers: pl.Series) -> FloatArray: ...


class NearestCentroid(LikenessEstimator):
    """The nearer to the members' mean, the more alike."""

    name = "nearest_centroid"

    def __init__(self) -> None:
        super().__init__()
        self.params = NoParams()

    def _learn(self, points: FloatArray, members: NDArray[np.bool_], customers: pl.Series) -> None:
        chosen = points[members] if members.any() else points
        self.centre = chosen.mean(axis=0) if len(chosen) else np.zeros(points.shape[1])

    def _similarity(self, points: FloatArray, customers: pl.Series) -> FloatArray:
        similarity: FloatArray = 1.0 / (1.0 + np.linalg.norm(points - self.centre, axis=1))
        return similarity


@dataclass(frozen=True)
class MembershipParams:
    """folds: parts of the customers that are judged by a model that has not seen them. strength: inverse of the L2 penalty.
    seed: of the folds."""

    folds: int = 5
    strength: float = 0.005
    seed: int = 7


class MembershipModel(LikenessEstimator):
    """Logistic regression of members against all others, each customer judged by a model that was fitted without him.

    The others hold look-alikes too (positive-unlabelled data): the chance is too low by a constant, and the ranking is not
    touched (Elkan and Noto 2008). Folds are drawn by a hash of the id, so that nobody needs to be remembered.
    """

    name = "membership"

    def __init__(self, params: MembershipParams | None = None) -> None:
        super().__init__()
        self.params = params or MembershipParams()

    def _learn(self, points: FloatArray, members: NDArray[np.bool_], customers: pl.Series) -> None:
        fold = self._folds(customers)
        self.lines = np.zeros((self.params.folds, points.shape[1] + 1))
        for number in range(self.params.folds):
            kept = fold != number
            if members[kept].any() and not members[kept].all():
                with threadpool_limits(limits=1):
                    line = LogisticRegression(
                        C=self.params.strength, max_iter=300, class_weight="balanced"
                    ).fit(points[kept], members[kept])
                self.lines[number] = np.append(line.coef_[0], line.intercept_[0])

    def _similarity(self, points: FloatArray, customers: pl.Series) -> FloatArray:
        line = self.lines[self._folds(customers)]
        similarity: FloatArray = 1.0 / (1.0 + np.exp(-((points * line[:, :-1]).sum(axis=1) + line[:, -1])))
        return similarity

    def _folds(self, customers: pl.Series) -> NDArray[np.int64]:
        drawn = uniforms(customers, seed=str(self.params.seed), streams=["lookalikes"])["lookalikes"]
        return np.asarray(drawn.to_numpy() * self.params.folds, dtype=np.int64)


def rank_lookalikes(model: LikenessEstimator, frame: pl.DataFrame, n: int) -> pl.DataFrame:
    """The `n` profiled customers most like the members and none of them: customer_id, similarity, rank (from 1)."""
    fitted = model.fit(frame)
    others = frame.filter(profiled(), ~pl.col(MEMBER))
    return (
        fitted.predict(others)
        .select("customer_id", "similarity")
        .sort("similarity", "customer_id", descending=[True, False])
        .head(n)
        .with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int32))
    )


def _long(frame: pl.DataFrame) -> pl.DataFrame:
    """One row per customer and value: row, value, share."""
    return (
        frame.select(pl.int_range(pl.len(), dtype=pl.Int64).alias("row"), AFFINITY)
        .explode(AFFINITY)
        .filter(pl.col(AFFINITY).is_not_null())
        .unnest(AFFINITY)
    )
