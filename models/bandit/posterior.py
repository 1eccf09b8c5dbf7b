"""What is believed of the coefficients after the counts: a Gaussian with its full covariance.

Here: Bayesian logistic regression on counts by Laplace's approximation, and the sizes of effects by its evidence. Not
here: which columns there are (`design`), what is chosen (`wins`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_matrix
from scipy.special import expit
from threadpoolctl import threadpool_limits

from models.bandit.design import Term
from models.shrinkage import FloatArray

NEWTON_STEPS, SIZE_STEPS = 50, 100
DECREMENT = 1e-12
"""The climb ends when a step would gain less than this share of the log posterior."""
SHORTEST = 1e-6
"""A step is halved at most until it is this part of itself."""
LARGEST = 3.0
"""No kind of effect gets a larger standard deviation: it would multiply odds by 20. Answers that contradict the share
said to have come would ask for any."""
SIZE_TOLERANCE = 1e-4
"""Sizes are settled when none moves by more than this share."""


@dataclass(frozen=True)
class Counts:
    """One row per arm and context. matrix: rows x columns. sends, answers (<= sends): so far.

    come: share of the answers to these sends that has come, 0 to 1. A send is then answered by now with the chance
    come x rate.
    """

    matrix: csr_matrix
    sends: FloatArray
    answers: FloatArray
    come: FloatArray


@dataclass(frozen=True)
class Posterior:
    """Coefficients ~ N(mean, covariance).

    columns: term, level per coefficient. scales: standard deviation of the effects of each term, after the answers.
    centre: prior mean of the first term, the level of all; that of others is 0.
    """

    columns: pl.DataFrame
    mean: FloatArray
    covariance: FloatArray
    scales: FloatArray
    centre: float

    def over(self, columns: pl.DataFrame) -> tuple[FloatArray, FloatArray]:
        """Mean and covariance of these columns; a level that was never seen has its term's prior."""
        known = columns.join(
            self.columns.with_row_index("place"), on=["term", "level"], how="left", maintain_order="left"
        )["place"]
        is_known = known.is_not_null().to_numpy()
        place = known.drop_nulls().to_numpy().astype(np.int64)
        term = columns["term"].to_numpy()
        mean = np.where(term == 0, self.centre, 0.0)
        mean[is_known] = self.mean[place]
        covariance = np.diag(self.scales[term] ** 2)
        covariance[np.ix_(is_known, is_known)] = self.covariance[np.ix_(place, place)]
        return mean, covariance


def fit_posterior(
    counts: Counts, columns: pl.DataFrame, terms: tuple[Term, ...], *, centre: float, prior_levels: float
) -> Posterior:
    """The posterior, with the size of each term's effects estimated from the same counts.

    Sizes: MacKay's fixed point for the evidence (1992, The evidence framework applied to classification networks),
    under a scaled inverse chi-square prior worth `prior_levels` levels of the size that is expected. So a term of few
    levels keeps about the size expected of it, and no size falls to 0, which would end all exploration. Between two looks
    at the sizes the coefficients climb one step, so that both settle together. On one BLAS thread, as the order of sums is
    part of the result.
    """
    term = columns["term"].to_numpy()
    expected = np.array([t.scale for t in terms])
    is_sized = np.array([t.is_sized for t in terms])
    n_levels = np.bincount(term, minlength=len(terms))
    prior_mean = np.where(term == 0, centre, 0.0)
    variance = expected**2
    with threadpool_limits(limits=1):
        mean, _ = _laplace(counts, prior_mean, variance[term], prior_mean, NEWTON_STEPS)
        for _ in range(SIZE_STEPS):
            mean, covariance = _laplace(counts, prior_mean, variance[term], mean, 1)
            square = np.bincount(term, (mean - prior_mean) ** 2, minlength=len(terms))
            told = n_levels - np.bincount(term, np.diag(covariance), minlength=len(terms)) / variance
            sized = (square + prior_levels * expected**2) / (told.clip(min=0.0) + prior_levels)
            sized = np.where(is_sized, sized.clip(max=LARGEST**2), variance)
            moved = float(np.abs(np.log(sized / variance)).max())
            variance = sized
            if moved < SIZE_TOLERANCE:
                break
        mean, covariance = _laplace(counts, prior_mean, variance[term], mean, NEWTON_STEPS)
    return Posterior(columns, mean, covariance, np.sqrt(variance), centre)


def _laplace(
    counts: Counts, prior_mean: FloatArray, variance: FloatArray, start: FloatArray, most_steps: int
) -> tuple[FloatArray, FloatArray]:
    """Mode of the posterior and the inverse of its expected curvature there, by Fisher scoring with halved steps.

    The likelihood of a send with share f of its answers in (as Chapelle 2014): rate if answered, 1 - f rate if not. With
    all answers in it is that of logistic regression, and Fisher scoring is Newton's method.
    """
    with np.errstate(divide="ignore"):
        log_to_come = np.log1p(-counts.come)

    def value(coefficients: FloatArray) -> float:
        log_odds = counts.matrix @ coefficients
        unanswered = np.logaddexp(0.0, log_odds + log_to_come) - np.logaddexp(0.0, log_odds)
        answered = -np.logaddexp(0.0, -log_odds)
        likelihood = counts.answers @ answered + (counts.sends - counts.answers) @ unanswered
        return float(likelihood - 0.5 * (((coefficients - prior_mean) ** 2) / variance).sum())

    def slope_and_curvature(coefficients: FloatArray) -> tuple[FloatArray, FloatArray]:
        log_odds = counts.matrix @ coefficients
        expected = counts.sends * counts.come * expit(log_odds)
        is_told = expit(-(log_odds + log_to_come))
        slope = counts.matrix.T @ (is_told * (counts.answers - expected))
        weight = expected * expit(-log_odds) * is_told
        curvature = np.asarray((counts.matrix.multiply(weight[:, None]).tocsr().T @ counts.matrix).toarray())
        curvature[np.diag_indices_from(curvature)] += 1.0 / variance
        return slope - (coefficients - prior_mean) / variance, curvature

    mode, height = start, value(start)
    for _ in range(most_steps):
        slope, curvature = slope_and_curvature(mode)
        step = cho_solve(cho_factor(curvature), slope)
        if slope @ step < DECREMENT * (1.0 + abs(height)):
            break
        length, reached = 1.0, value(mode + step)
        while reached < height and length > SHORTEST:
            length /= 2
            reached = value(mode + length * step)
        if reached < height:
            break
        mode, height = mode + length * step, reached
    inverse = cho_solve(cho_factor(slope_and_curvature(mode)[1]), np.eye(len(mode)))
    return mode, np.asarray((inverse + inverse.T) / 2, dtype=np.float64)
