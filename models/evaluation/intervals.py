"""How sure a figure is: bootstrap intervals of a metric and of the difference between two models.

Here: percentile bootstrap, seeded, by row or by group. Not here: the metrics, the verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Metric = Callable[[NDArray[np.float64], NDArray[np.float64]], float]


@dataclass(frozen=True)
class Interval:
    """An estimate and its bounds at `level`."""

    estimate: float
    low: float
    high: float
    level: float = 0.95


def bootstrap_interval(
    metric: Metric,
    actual: ArrayLike,
    predicted: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    n_resamples: int = 400,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """`metric(actual, predicted)` with its percentile bootstrap interval.

    `groups` are drawn whole (all rows of a customer together) where rows of one group are not independent.
    """
    truth, estimate = np.asarray(actual, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    draws = [
        metric(truth[rows], estimate[rows]) for rows in _resamples(len(truth), groups, n_resamples, seed)
    ]
    return _interval(metric(truth, estimate) if len(truth) else float("nan"), draws, level)


def paired_difference(
    metric: Metric,
    actual: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    n_resamples: int = 400,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """metric(first) - metric(second), both on the same resampled rows: what they share cancels out."""
    truth = np.asarray(actual, dtype=np.float64)
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    draws = [
        metric(truth[rows], one[rows]) - metric(truth[rows], two[rows])
        for rows in _resamples(len(truth), groups, n_resamples, seed)
    ]
    estimate = metric(truth, one) - metric(truth, two) if len(truth) else float("nan")
    return _interval(estimate, draws, level)


def resampled_metrics(
    metric: Metric,
    actual: ArrayLike,
    predictions: Mapping[str, ArrayLike],
    *,
    groups: ArrayLike | None = None,
    n_resamples: int = 400,
    seed: int = 0,
) -> dict[str, NDArray[np.float64]]:
    """`metric` of each method on the same resamples of the rows: one entry per resample, none without rows."""
    truth = np.asarray(actual, dtype=np.float64)
    estimates = {name: np.asarray(values, dtype=np.float64) for name, values in predictions.items()}
    draws = [
        [metric(truth[rows], estimate[rows]) for estimate in estimates.values()]
        for rows in _resamples(len(truth), groups, n_resamples, seed)
    ]
    table = np.asarray(draws, dtype=np.float64).reshape(len(draws), len(estimates))
    return {name: table[:, column] for column, name in enumerate(estimates)}


def interval_of(estimate: float, draws: NDArray[np.float64], level: float = 0.95) -> Interval:
    """An estimate with the percentile interval of its resampled values."""
    return _interval(estimate, draws.tolist(), level)


def _interval(estimate: float, draws: list[float], level: float) -> Interval:
    known = np.asarray(draws, dtype=np.float64)
    known = known[np.isfinite(known)]
    if not len(known):
        return Interval(estimate, float("nan"), float("nan"), level)
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(estimate), float(low), float(high), level)


def _resamples(
    n_rows: int, groups: ArrayLike | None, n_resamples: int, seed: int
) -> Iterator[NDArray[np.intp]]:
    """Row numbers of each resample."""
    generator = np.random.default_rng(seed)
    if not n_rows:
        return
    if groups is None:
        for _ in range(n_resamples):
            yield generator.integers(0, n_rows, n_rows)
        return
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    by_group = np.argsort(group, kind="stable")
    size = np.bincount(group)
    start = np.concatenate([[0], np.cumsum(size)[:-1]])
    for _ in range(n_resamples):
        drawn = generator.integers(0, len(size), len(size))
        length = size[drawn]
        before = np.repeat(np.cumsum(length) - length, length)
        yield by_group[np.repeat(start[drawn], length) + np.arange(length.sum()) - before]
