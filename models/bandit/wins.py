"""How often each arm of a choice is the best one, if log-odds are drawn from their posterior.

Here: Monte Carlo over many choices at once, and its error. Not here: the posterior (`posterior`), exploration (`bandit`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from models.shrinkage import FloatArray

DRAWS_AT_ONCE = 1_000
VALUES_AT_ONCE = 500_000
"""Size of the arrays worked on: they stay in the processor's cache."""


def win_counts(
    contrasts: csr_matrix, n_arms: int, mean: FloatArray, covariance: FloatArray, normals: FloatArray
) -> NDArray[np.int64]:
    """Draws in which each arm is the best, choices x arms; a choice's counts sum to the number of draws.

    Thompson 1933; in batches, on shares worked out beforehand: Russo et al. 2018, "A tutorial on Thompson sampling". An
    arm's log-odds less those of the first arm of its choice are Gaussian with few dimensions, so that the cost per draw
    does not grow with the number of coefficients. All choices share the normals: an arm that is better in one of two
    choices, all else equal, has the larger share there, also with few draws.

    Args:
        contrasts: rows of all arms but the first less the first arm's, choices x (arms - 1) rows.
        mean, covariance: of the coefficients.
        normals: standard normal, at least (arms - 1) x draws.
    """
    n_others = n_arms - 1
    n_choices = contrasts.shape[0] // n_others
    counts = np.zeros((n_choices, n_arms), dtype=np.int64)
    size = max(len(mean), min(DRAWS_AT_ONCE, normals.shape[1]))
    step = max(1, VALUES_AT_ONCE // (n_others * size))
    with threadpool_limits(limits=1):
        for start in range(0, n_choices, step):
            stop = min(start + step, n_choices)
            rows = contrasts[start * n_others : stop * n_others]
            shape = (stop - start, n_others, len(mean))
            spread = (rows @ covariance).reshape(shape) @ rows.toarray().reshape(shape).transpose(0, 2, 1)
            root = np.linalg.cholesky((spread + spread.transpose(0, 2, 1)) / 2)
            centre = (rows @ mean).reshape(shape[:2])
            for first in range(0, normals.shape[1], DRAWS_AT_ONCE):
                drawn = normals[:n_others, first : first + DRAWS_AT_ONCE]
                counts[start:stop] += _count(root.reshape(-1, n_others) @ drawn, centre)
    return counts


def _count(ahead: FloatArray, centre: FloatArray) -> NDArray[np.int64]:
    """Wins per choice and arm. ahead: (choices x others) x draws, how far an arm lies before the first, less `centre`."""
    n_choices, n_others = centre.shape
    ahead = ahead.reshape(n_choices, n_others, -1)
    ahead += centre[:, :, None]
    best = np.zeros((n_choices, ahead.shape[2]))
    winner = np.zeros(best.shape, dtype=np.int8 if n_others < 127 else np.int64)
    is_ahead = np.empty(best.shape, dtype=bool)
    for arm in range(n_others):
        np.greater(ahead[:, arm], best, out=is_ahead)
        np.copyto(winner, arm + 1, where=is_ahead)
        np.maximum(best, ahead[:, arm], out=best)
    return np.stack([np.count_nonzero(winner == arm, axis=1) for arm in range(n_others + 1)], axis=1)


def monte_carlo_error(wins: FloatArray, n_draws: int) -> FloatArray:
    """Standard error of wins / draws as an estimate of the share that infinitely many draws would give.

    The standard deviation of that share under Jeffreys' prior, Beta(1/2, 1/2): unlike the plug-in error it is not 0 for
    an arm that never won.
    """
    a, b = wins + 0.5, n_draws - wins + 0.5
    return np.asarray(np.sqrt(a * b / (a + b + 1.0)) / (a + b), dtype=np.float64)
