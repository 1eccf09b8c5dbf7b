"""Intervals of ratios of totals where decisions of one customer depend on each other.

Here: the cluster-robust linearised variance and the studentised cluster bootstrap, both of a ratio or of a difference of
two ratios on the same rows. Not here: what the ratios are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from models.evaluation.metrics import FloatArray

_DRAWS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class IntervalParams:
    """How intervals are made.

    level: nominal coverage.
    n_resamples: of the studentised cluster bootstrap; 0: the linearised interval, which needs no draws.
    seed: of the draws.
    """

    level: float = 0.95
    n_resamples: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError where no interval can be made so."""
        if not 0 < self.level < 1:
            raise ValueError(f"level must lie between 0 and 1, not {self.level}; 0.95 is usual")
        if self.n_resamples < 0:
            raise ValueError(f"n_resamples must be 0 or more, not {self.n_resamples}; 999 is usual")


@dataclass(frozen=True, eq=False)
class Ratio:
    """Sum of `numerator` over sum of `denominator`, each with an entry per row: a mean where the denominator is 1."""

    numerator: FloatArray
    denominator: FloatArray

    @property
    def value(self) -> float:
        """The ratio of the totals."""
        return float(self.numerator.sum() / self.denominator.sum())

    def influence(self, cluster: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
        """Totals per cluster of numerator - value x denominator, and of the denominator."""
        residual = self.numerator - self.value * self.denominator
        return cluster_totals(cluster, residual), cluster_totals(cluster, self.denominator)


def cluster_totals(cluster: NDArray[np.int64], values: FloatArray, n_clusters: int = 0) -> FloatArray:
    """Sum of the values of each cluster, by its number."""
    return np.asarray(np.bincount(cluster, weights=values, minlength=n_clusters), dtype=np.float64)


@dataclass(frozen=True)
class Uncertain:
    """A figure with its standard error and interval; NaN where one cluster alone says nothing of the spread."""

    value: float
    standard_error: float
    low: float
    high: float


def uncertain(
    plus: Ratio, cluster: NDArray[np.int64], params: IntervalParams, *, minus: Ratio | None = None
) -> Uncertain:
    """The ratio `plus`, less `minus` where it is given, with its interval.

    Linearised: each cluster's total influence is one observation, squared and summed, times G / (G - 1) for G clusters
    (Taylor linearisation; Liang and Zeger 1986; Binder 1983 for ratios), and Student's t with G - 1 degrees of freedom.
    Bootstrap-t: whole clusters are drawn, each resample is set against its own linearised error, and the interval follows
    the quantiles of that (Efron 1982; Cameron, Gelbach and Miller 2008 for clusters); it bends with skewed rewards.
    """
    terms = [(1.0, plus)] + ([(-1.0, minus)] if minus is not None else [])
    value = sum(sign * term.value for sign, term in terms)
    residuals, sizes = zip(*(term.influence(cluster) for _, term in terms), strict=True)
    signs = [sign for sign, _ in terms]
    error = _error(signs, residuals, sizes)
    n_clusters = len(residuals[0])
    if n_clusters < 2:
        return Uncertain(value, math.nan, math.nan, math.nan)
    tail = (1 - params.level) / 2
    if params.n_resamples and error > 0:
        drawn = _studentised(signs, residuals, sizes, params)
        low, high = np.quantile(drawn, [tail, 1 - tail]) if len(drawn) else (math.nan, math.nan)
        return Uncertain(value, error, value - float(high) * error, value - float(low) * error)
    half = float(student.ppf(1 - tail, n_clusters - 1)) * error
    return Uncertain(value, error, value - half, value + half)


def _error(signs: Sequence[float], residuals: Sequence[FloatArray], sizes: Sequence[FloatArray]) -> float:
    total = np.zeros(len(residuals[0]))
    for sign, residual, size in zip(signs, residuals, sizes, strict=True):
        total += sign * residual / size.sum()
    n_clusters = len(total)
    return math.sqrt((total**2).sum() * n_clusters / (n_clusters - 1)) if n_clusters > 1 else math.nan


def _studentised(
    signs: Sequence[float],
    residuals: Sequence[FloatArray],
    sizes: Sequence[FloatArray],
    params: IntervalParams,
) -> FloatArray:
    """(resampled value - value) / its own error, for each resample of the clusters in which that is a number."""
    totals = np.column_stack([column for pair in zip(residuals, sizes, strict=True) for column in pair])
    n_clusters, width = totals.shape
    products = (totals[:, :, None] * totals[:, None, :]).reshape(n_clusters, -1)
    sign = np.asarray(signs)
    generator = np.random.default_rng(params.seed)
    step = max(_DRAWS_AT_ONCE // n_clusters, 1)
    found = []
    for start in range(0, params.n_resamples, step):
        n_draws = min(step, params.n_resamples - start)
        drawn = generator.integers(0, n_clusters, (n_draws, n_clusters))
        drawn += np.arange(n_draws)[:, None] * n_clusters
        times = np.bincount(drawn.ravel(), minlength=n_draws * n_clusters).reshape(n_draws, n_clusters)
        sums = times @ totals
        residual, size = sums[:, 0::2], sums[:, 1::2]
        with np.errstate(divide="ignore", invalid="ignore"):
            moved = sign * residual / size
            gradient = np.empty((n_draws, width))
            gradient[:, 0::2] = sign / size
            gradient[:, 1::2] = -moved / size
            moments = (times @ products).reshape(n_draws, width, width)
            variance = np.einsum("bi,bij,bj->b", gradient, moments, gradient) * n_clusters / (n_clusters - 1)
            found.append(moved.sum(axis=1) / np.sqrt(variance))
    values: FloatArray = np.concatenate(found)
    return np.asarray(values[np.isfinite(values)], dtype=np.float64)
