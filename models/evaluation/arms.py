"""Two arms of an experiment compared: weighted means within strata, their difference, and the error that customers bring.

Here: linearised figures of rows that belong to customers. Not here: which rows are compared, and why.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from models.evaluation.metrics import FloatArray
from models.evaluation.off_policy.inference import cluster_totals


@dataclass(frozen=True, eq=False)
class Arms:
    """One entry per row compared.

    Attributes:
        treated: whether the row is of the treated arm, else of the control group.
        stratum: number of the group within which arms are compared.
        cluster: number of the customer; rows of one may depend on each other.
        weight: of the row within its arm and stratum.
        columns: figures by name.
    """

    treated: NDArray[np.bool_]
    stratum: NDArray[np.int64]
    cluster: NDArray[np.int64]
    weight: FloatArray
    columns: Mapping[str, FloatArray]

    @cached_property
    def share(self) -> FloatArray:
        """Share of each stratum among the treated rows: means are weighted by it in both arms."""
        counts = np.bincount(self.stratum, weights=self.treated)
        return np.asarray(counts / counts.sum(), dtype=np.float64)

    @cached_property
    def n_clusters(self) -> int:
        """Numbers of customers in use."""
        return int(self.cluster.max(initial=-1)) + 1

    def n_customers(self, *, treated: bool, column: str | None = None) -> int:
        """Customers of an arm; with a column, those with a row above 0 in it."""
        chosen = self.treated == treated
        if column is not None:
            chosen = chosen & (self.columns[column] > 0)
        return len(np.unique(self.cluster[chosen]))


@dataclass(frozen=True, eq=False)
class Linear:
    """A figure, and what each customer's rows in either arm add to its error (Taylor linearisation)."""

    value: float
    treated: FloatArray
    control: FloatArray

    @property
    def variance(self) -> float:
        """Variance by customer, of whom each is one independent observation (Liang and Zeger 1986)."""
        return float(((self.treated + self.control) ** 2).sum())

    def plus(self, other: Linear, factor: float) -> Linear:
        """The sum of this and `factor` times the other."""
        return Linear(
            self.value + factor * other.value,
            self.treated + factor * other.treated,
            self.control + factor * other.control,
        )

    def over(self, other: Linear) -> Linear:
        """The quotient."""
        value = self.value / other.value
        rest = self.plus(other, -value)
        return Linear(value, rest.treated / other.value, rest.control / other.value)

    def interval(self, level: float) -> tuple[float, float]:
        """Low and high at `level`: Student's t, degrees of freedom after Welch and Satterthwaite from the two arms."""
        variances = [float((part**2).sum()) for part in (self.treated, self.control)]
        freedom = [max(int((part != 0).sum()) - 1, 1) for part in (self.treated, self.control)]
        below = sum(v**2 / n for v, n in zip(variances, freedom, strict=True))
        quantile = float(student.ppf((1 + level) / 2, sum(variances) ** 2 / below if below else 1.0))
        half = quantile * math.sqrt(self.variance)
        return self.value - half, self.value + half


def treated_mean(arms: Arms, column: str) -> Linear:
    """The mean of the treated."""
    value, errors = _mean(arms, column, arms.treated)
    return Linear(value, errors, np.zeros_like(errors))


def difference(arms: Arms, column: str) -> Linear:
    """The mean of the treated less that of the control group, over strata by their share among the treated."""
    value, errors = _mean(arms, column, arms.treated)
    other, other_errors = _mean(arms, column, ~arms.treated)
    return Linear(value - other, errors, -other_errors)


def adjusted(arms: Arms, column: str, before: str) -> Linear:
    """The difference less that of a figure from before the experiment, times the slope on it within the arms.

    CUPED (Deng, Xu, Kohavi and Walker 2013): as nobody had been treated then, what is taken out is 0 but for chance. The
    slope is of totals by customer within arm and stratum, 0 where the figure is the same for all.
    """
    cell = arms.stratum * 2 + arms.treated
    size = np.maximum(np.bincount(cell), 1)

    def within(name: str) -> FloatArray:
        values = arms.columns[name]
        mean = np.bincount(cell, weights=values) / size
        return cluster_totals(arms.cluster, values - mean[cell], arms.n_clusters)

    outcome, covariate = within(column), within(before)
    spread = float((covariate**2).sum())
    slope = float((outcome * covariate).sum()) / spread if spread else 0.0
    return difference(arms, column).plus(difference(arms, before), -slope)


def _mean(arms: Arms, column: str, chosen: NDArray[np.bool_]) -> tuple[float, FloatArray]:
    """The weighted mean of the chosen rows, and each customer's part of its error."""
    values, weight = arms.columns[column], arms.weight * chosen
    total = np.bincount(arms.stratum, weights=weight)
    mean = np.bincount(arms.stratum, weights=weight * values) / total
    scale = (arms.share / total)[arms.stratum]
    errors = cluster_totals(arms.cluster, scale * weight * (values - mean[arms.stratum]), arms.n_clusters)
    n = len(np.unique(arms.cluster[chosen]))
    return float((arms.share * mean).sum()), errors * math.sqrt(n / (n - 1))
