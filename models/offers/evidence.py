"""How far evidence is trusted: averages shrunk to zero, slopes whose size the data themselves bound.

Empirical Bayes. Not here: what the figures are of.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.features import FloatArray

SPREADS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Prior variances of the fitted deviation that are compared, in squares of the unit of the target."""


def mean_and_error(values: FloatArray, group: NDArray[np.int64]) -> tuple[float, float]:
    """Mean and its standard error where values of one group are not independent; infinite error of one group."""
    _, code = np.unique(group, return_inverse=True)
    mean = float(values.mean())
    total = np.bincount(code, weights=values - mean)
    n_groups = len(total)
    if n_groups < 2:
        return mean, float("inf")
    return mean, float(np.sqrt((total**2).sum() * n_groups / (n_groups - 1)) / len(values))


def towards_zero(means: Sequence[float], errors: Sequence[float]) -> FloatArray:
    """Share of each mean that is kept, 0..1: v / (v + error^2), v the variance of true effects around zero.

    v by the method of moments from the same means, never below 0 (James and Stein 1961; Efron and Morris 1973 for unequal
    errors). With no more spread than chance brings nothing is kept.
    """
    mean, error = np.asarray(means, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    known = np.isfinite(error)
    if not known.any():
        return np.zeros(len(mean))
    precision = 1 / np.maximum(error[known], 1e-12) ** 2
    spread = max(float(((mean[known] ** 2 - error[known] ** 2) * precision).sum() / precision.sum()), 0.0)
    return (
        np.where(known, spread / (spread + np.where(known, error, 1.0) ** 2), 0.0) if spread else mean * 0.0
    )


def evidence_slopes(design: FloatArray, target: FloatArray, noise: FloatArray) -> FloatArray:
    """Slopes of a linear regression without intercept, under a prior whose size has the highest marginal likelihood.

    target = design x slopes + N(0, noise^2); slopes ~ N(0, s / p) with p columns of unit variance, so that s, out of
    SPREADS, is the variance of what they explain. All 0 where the data speak for no slope at all (s = 0).
    """
    scaled = design / noise[:, None]
    gram = scaled.T @ scaled
    moment = scaled.T @ (target / noise)
    size = design.shape[1]
    best, slopes = 0.0, np.zeros(size)
    for spread in SPREADS:
        if spread == 0 or not size:
            continue
        variance = spread / size
        posterior = gram + np.eye(size) / variance
        found = np.linalg.solve(posterior, moment)
        evidence = float(
            0.5 * moment @ found - 0.5 * np.linalg.slogdet(posterior)[1] - 0.5 * size * np.log(variance)
        )
        if evidence > best:
            best, slopes = evidence, found
    return slopes
