"""Will the customer buy from a category within two weeks? The rules the propensity model has to beat.

Here: the frame every propensity estimator shares, CategoryRate, LastCategory, AffinityRule. Not here: the learnt model
and its evaluation (`propensity`), the features (`shelves`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from models.btyd import BgNbd, BtydParams
from models.features import KEYS, FloatArray, numbers
from models.model import NoParams, NotFittedError, require
from models.order_rates import FEATURES as RATE_FEATURES
from models.order_rates import OrderRates, newest, profiled
from models.shelves import LEVELS, SHELF
from models.shrinkage import EDGE

HORIZON_DAYS = 14
LABEL = "bought"
MIN_EVENTS = 20
"""Fewer labelled purchases teach nothing; the rules then stand on their priors."""

RATE_STRENGTH = 50.0
"""A shelf's rate is drawn to its popularity, levelled to the shop's labels, as by that many customers."""

BASIS_PURCHASES = "own purchases in it"
BASIS_VISITS = "own visits to it"
BASIS_OTHER = "own behaviour elsewhere"
BASIS_NONE = "all customers: no behaviour yet"
BASIS_POPULATION = "population: no profiling"


def basis() -> pl.Expr:
    """What a propensity rests on, as a string."""
    return (
        pl.when(~profiled())
        .then(pl.lit(BASIS_POPULATION))
        .when(pl.col("own_n_purchases") > 0)
        .then(pl.lit(BASIS_PURCHASES))
        .when(pl.col("own_weight") > 0)
        .then(pl.lit(BASIS_VISITS))
        .when((pl.col("total_weight") > 0) | (pl.col("n_orders") > 0))
        .then(pl.lit(BASIS_OTHER))
        .otherwise(pl.lit(BASIS_NONE))
        .alias("basis")
    )


def bought(frame: pl.DataFrame) -> FloatArray:
    """1 where a labelled row's customer bought from the shelf, else 0."""
    return frame.get_column(LABEL).cast(pl.Float64).to_numpy()


def labelled(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows whose outcome is known."""
    return frame.filter(pl.col(LABEL).is_not_null())


class PropensityEstimator(ABC):
    """fit and predict of everything that answers "will he buy from this shelf in the next 14 days".

    `fit(frame)`: rows of `shelves.shelf_frame` with the label `bought`, null where the window is not over; without any
    label the estimate rests on priors. `predict(frame)`: customer_id, as_of, level, category, shelf,
    p_purchase_14d (0 to 1), basis; rows keep their order. Who does not allow profiling is left out of training and
    gets the mean of the shelf, a shelf not seen in training that of its level.
    """

    name: ClassVar[str]
    features: ClassVar[tuple[str, ...]]
    params: Any

    def __init__(self) -> None:
        self._mean: pl.DataFrame | None = None

    def fit(self, frame: pl.DataFrame) -> Self:
        """Learn from a training frame."""
        require(frame, (*KEYS, LABEL, *self.features), self.name)
        allowed = frame.filter(profiled())
        self._learn(allowed)
        self._mean = _shelf_means(newest(allowed), self._probability(newest(allowed)))
        return self

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        """One probability per row."""
        require(frame, (*KEYS, *self.features), self.name)
        if self._mean is None:
            raise NotFittedError(self.name)
        means = self._mean.group_by("level").agg(level_mean=pl.col("mean").mean())
        p = pl.Series("p", np.clip(self._probability(frame), EDGE, 1.0 - EDGE), dtype=pl.Float64)
        return (
            frame.with_columns(p)
            .join(self._mean, on=list(SHELF), how="left", maintain_order="left")
            .join(means, on="level", how="left", maintain_order="left")
            .select(
                *KEYS,
                *SHELF,
                pl.when(profiled())
                .then(pl.col("p"))
                .otherwise(pl.coalesce("mean", "level_mean", "p"))
                .alias("p_purchase_14d"),
                basis(),
            )
        )

    @abstractmethod
    def _learn(self, frame: pl.DataFrame) -> None: ...

    @abstractmethod
    def _probability(self, frame: pl.DataFrame) -> FloatArray: ...


BASIC = (
    *SHELF,
    "has_behaviour",
    "n_orders",
    "own_n_purchases",
    "own_weight",
    "total_weight",
    "shelf_share_90d",
)


class CategoryRate(PropensityEstimator):
    """Everyone has the shelf's rate: the labelled share of customers who bought, drawn to the shelf's popularity.

    A shelf not seen in training has what its popularity promises; without labels one customer in fifty buys.
    """

    name = "category_rate"
    features = BASIC

    def __init__(self) -> None:
        super().__init__()
        self.params = NoParams()

    def _learn(self, frame: pl.DataFrame) -> None:
        known = labelled(frame)
        outcome = pl.Series("outcome", bought(known), dtype=pl.Float64)
        rows = known.select(*SHELF, "shelf_share_90d").with_columns(outcome)
        counts = rows.group_by(SHELF).agg(n=pl.len(), k=pl.col("outcome").sum()).sort(SHELF)
        self.per_share = {
            level: (float(inside["outcome"].sum()) + 0.5) / (float(inside["shelf_share_90d"].sum()) + 25.0)
            for level in LEVELS
            for inside in [rows.filter(pl.col("level") == level)]
        }
        self.counts = counts

    def _probability(self, frame: pl.DataFrame) -> FloatArray:
        found = frame.select(*SHELF, "shelf_share_90d").join(
            self.counts, on=list(SHELF), how="left", maintain_order="left"
        )
        per_share = found["level"].replace_strict(self.per_share, default=0.0, return_dtype=pl.Float64)
        prior = np.clip(per_share.to_numpy() * numbers(found, "shelf_share_90d"), EDGE, 1.0 - EDGE)
        n, k = np.nan_to_num(numbers(found, "n")), np.nan_to_num(numbers(found, "k"))
        rate: FloatArray = (k + RATE_STRENGTH * prior) / (n + RATE_STRENGTH)
        return rate


class LastCategory(PropensityEstimator):
    """The shelf seen or bought from last, against all others: the labelled rates of the two, per level."""

    name = "last_category"
    features = (*BASIC, "is_last_seen")

    def __init__(self) -> None:
        super().__init__()
        self.params = NoParams()

    def _learn(self, frame: pl.DataFrame) -> None:
        known = labelled(frame)
        outcome = pl.Series("outcome", bought(known), dtype=pl.Float64)
        self.rates = (
            known.select("level", "is_last_seen")
            .with_columns(outcome)
            .group_by("level", is_last=pl.col("is_last_seen") > 0)
            .agg(rate=(pl.col("outcome").sum() + 0.5) / (pl.len() + 25.0))
            .sort("level", "is_last")
        )

    def _probability(self, frame: pl.DataFrame) -> FloatArray:
        found = frame.select("level", is_last=pl.col("is_last_seen") > 0).join(
            self.rates, on=["level", "is_last"], how="left", maintain_order="left"
        )
        return np.nan_to_num(numbers(found, "rate"), nan=0.02)


class AffinityRule(PropensityEstimator):
    """His chance to order at all times the shelf's share of his decayed behaviour, both as BG/NBD and `shelves` have
    them, on the log-odds scale with a level and two slopes per level of shelf.

    Without labels the plain product.
    """

    name = "affinity_rule"
    features = tuple(dict.fromkeys((*BASIC, *RATE_FEATURES, "prior_share")))

    def __init__(self, btyd: BtydParams | None = None) -> None:
        super().__init__()
        self.params = btyd or BtydParams()

    def _learn(self, frame: pl.DataFrame) -> None:
        self.rates = OrderRates(BgNbd(self.params)).fit(_customers(frame))
        known = labelled(frame)
        inputs, outcome = self._inputs(known), bought(known)
        self.lines: dict[str, FloatArray] = {}
        for level in LEVELS:
            inside = (known["level"] == level).to_numpy()
            events = outcome[inside].sum()
            if min(events, inside.sum() - events) < MIN_EVENTS:
                continue
            with threadpool_limits(limits=1):
                line = LogisticRegression(C=10.0, max_iter=500).fit(inputs[inside], outcome[inside])
            self.lines[level] = np.append(line.coef_[0], line.intercept_[0])

    def _probability(self, frame: pl.DataFrame) -> FloatArray:
        inputs = self._inputs(frame)
        p: FloatArray = np.exp(inputs.sum(axis=1))
        for level, line in self.lines.items():
            inside = (frame["level"] == level).to_numpy()
            p[inside] = 1.0 / (1.0 + np.exp(-(inputs[inside] @ line[:2] + line[2])))
        return p

    def p_order(self, frame: pl.DataFrame) -> FloatArray:
        """The chance of any order in the next 14 days."""
        if not frame.height:
            return np.zeros(0)
        people = frame.select(*KEYS, *RATE_FEATURES).unique(KEYS, maintain_order=True)
        chance = pl.Series("p_order", 1.0 - self.rates.p_no_order(people, HORIZON_DAYS), dtype=pl.Float64)
        found = frame.select(KEYS).join(
            people.select(KEYS).with_columns(chance), on=list(KEYS), how="left", maintain_order="left"
        )
        return np.clip(numbers(found, "p_order"), EDGE, 1.0 - EDGE)

    def _inputs(self, frame: pl.DataFrame) -> FloatArray:
        share = np.clip(numbers(frame, "prior_share"), EDGE, 1.0)
        return np.log(np.column_stack([self.p_order(frame), share]))


def _shelf_means(frame: pl.DataFrame, p: FloatArray) -> pl.DataFrame:
    """SHELF and `mean`, the mean of `p` over its rows; added up in the order of the rows, whatever the threads."""
    shelves = frame.select(SHELF).unique().sort(SHELF).with_row_index("code")
    codes = frame.select(SHELF).join(shelves, on=list(SHELF), maintain_order="left")["code"].to_numpy()
    total = np.bincount(codes, weights=p, minlength=shelves.height)
    n = np.bincount(codes, minlength=shelves.height)
    return shelves.select(*SHELF, mean=pl.Series(total / np.maximum(n, 1), dtype=pl.Float64))


def _customers(frame: pl.DataFrame) -> pl.DataFrame:
    """One row per customer and snapshot, with the labels of `features.join_labels` that order rates need."""
    ordered = pl.col(LABEL).any(ignore_nulls=False).over(KEYS)
    return (
        frame.with_columns(orders=ordered.cast(pl.Int64))
        .with_columns(horizon_days=pl.when(pl.col("orders").is_not_null()).then(HORIZON_DAYS))
        .unique(KEYS, keep="first", maintain_order=True)
        .select(*KEYS, "orders", "horizon_days", *RATE_FEATURES)
    )
