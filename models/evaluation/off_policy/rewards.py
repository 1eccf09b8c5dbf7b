"""A reward model's estimates for DM, DR and Switch-DR, each from a model that has not seen the customer.

Cross-fitting (Chernozhukov et al. 2018, Double/debiased machine learning) keeps the doubly robust estimate free of what a
model remembers of its own rows. Not here: any model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from models.evaluation.metrics import FloatArray
from models.evaluation.off_policy.inference import cluster_totals
from models.evaluation.off_policy.log import cluster_numbers
from models.model import Model

Features = NDArray[Any] | pl.DataFrame
"""Context and action of each row: a matrix or a frame."""
Predict = Callable[[Any], ArrayLike]
Learn = Callable[[Any, FloatArray], Predict]
"""From features and rewards of some rows to a function that gives the expected reward of others."""

CHANCE_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Options:
    """Everything that could have been done: one row per logged decision and action the target policies may take.

    features: context and action, in the columns of the logged rows. decision: number of the logged decision, from 0 on.
    """

    features: Features
    decision: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RewardEstimates:
    """Expected rewards out of fold.

    logged: of each logged action (`q_logged`). options: of each row of the options, which belong to `decision`.
    """

    logged: FloatArray
    options: FloatArray
    decision: NDArray[np.int64]

    def under(self, chance: ArrayLike) -> FloatArray:
        """Mean expected reward of each decision under a policy (`q_target`).

        Args:
            chance: with which the policy takes each of the options; sums to 1 within a decision.
        """
        share = np.asarray(chance, dtype=np.float64)
        if share.shape != self.options.shape:
            raise ValueError(
                f"chance has the shape {share.shape}, the options {self.options.shape}; give one entry per option"
            )
        n = len(self.logged)
        total = cluster_totals(self.decision, share, n)
        wrong = np.flatnonzero(~(np.abs(total - 1) <= CHANCE_TOLERANCE))
        if len(wrong):
            raise ValueError(
                f"the chances of decision {wrong[0]} sum to {total[wrong[0]]:.6f}, not 1 ({len(wrong)} of {n} decisions); "
                "give every option the policy may take, doing nothing included"
            )
        return cluster_totals(self.decision, share * self.options, n)


def cross_fitted_rewards(
    learn: Learn,
    features: Features,
    reward: ArrayLike,
    *,
    cluster: ArrayLike | pl.Series,
    options: Options,
    n_folds: int = 5,
    seed: int = 0,
) -> RewardEstimates:
    """Expected reward of each logged action and each option, learnt from other customers.

    Args:
        learn: makes a reward model from features and rewards; `from_sklearn` and `from_model` wrap what there is.
        features: context and logged action, one row per decision.
        cluster: customer of each decision; all of one are in the same fold.
        seed: of the folds, which depend on the set of customers and not on the order of rows.
    """
    rewards = np.asarray(reward, dtype=np.float64)
    group = cluster_numbers(cluster)
    n = len(rewards)
    if not len(features) == len(group) == n:
        raise ValueError(
            f"{len(features)} rows of features, {n} rewards and {len(group)} customers; give one of each per decision"
        )
    if len(options.features) != len(options.decision):
        raise ValueError(
            f"{len(options.features)} options with {len(options.decision)} numbers of decisions; give one for each"
        )
    if len(options.decision) and not 0 <= options.decision.min() <= options.decision.max() < n:
        raise ValueError(f"options.decision must lie in 0..{n - 1}; number the logged decisions from 0 on")
    fold = _folds(group, n_folds, seed)
    logged, expected = np.full(n, np.nan), np.full(len(options.decision), np.nan)
    fold_of_option = fold[options.decision]
    for number in range(n_folds):
        others, inside = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        predict = learn(_rows(features, others), rewards[others])
        asked = np.flatnonzero(fold_of_option == number)
        logged[inside] = predict(_rows(features, inside))
        expected[asked] = predict(_rows(options.features, asked))
    return RewardEstimates(logged, expected, options.decision)


def from_sklearn(make: Callable[[], Any]) -> Learn:
    """A fresh estimator with `fit` and `predict` per fold; of a classifier the mean of its classes by `predict_proba`.

    Where all rewards are equal, that reward is expected everywhere: a classifier cannot learn from one class.
    """

    def learn(features: Any, reward: FloatArray) -> Predict:
        if reward.min() == reward.max():
            return lambda asked: np.full(len(asked), reward[0])
        model = make().fit(features, reward)
        if hasattr(model, "predict_proba"):
            return lambda asked: (
                np.asarray(model.predict_proba(asked)) @ np.asarray(model.classes_, np.float64)
            )
        return lambda asked: np.asarray(model.predict(asked), dtype=np.float64)

    return learn


def from_model(make: Callable[[], Model], *, reward: str, prediction: str) -> Learn:
    """A fresh model of ours per fold: `reward` names the column it learns, `prediction` the one it answers with."""

    def learn(features: Any, rewards: FloatArray) -> Predict:
        model = make().fit(features.with_columns(pl.Series(reward, rewards)))
        return lambda asked: model.predict(asked)[prediction].cast(pl.Float64).to_numpy()

    return learn


def _folds(cluster: NDArray[np.int64], n_folds: int, seed: int) -> NDArray[np.int64]:
    n_clusters = int(cluster.max()) + 1 if len(cluster) else 0
    if not 2 <= n_folds <= n_clusters:
        raise ValueError(
            f"n_folds must lie between 2 and the number of customers, {n_clusters}; it is {n_folds}"
        )
    return np.random.default_rng(seed).permutation(n_clusters)[cluster] % n_folds


def _rows(features: Features, rows: NDArray[np.intp]) -> Features:
    return features[rows]
