"""How well an uplift model ranks: Qini curve and area, gain of treating the best first, doubly robust scores.

Here: figures from an outcome, a treatment whose chance is known and a prediction. Not here: the learners (`models.offers`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from models.evaluation.metrics import FloatArray


@dataclass(frozen=True)
class Curve:
    """Points from (0, 0) on. n: rows treated, best first, ties at once. gain: outcomes won by treating them."""

    n: FloatArray
    gain: FloatArray

    @property
    def area(self) -> float:
        """Area under the points, by trapezia."""
        return float(np.trapezoid(self.gain, self.n))


def qini_curve(outcome: ArrayLike, treated: ArrayLike, predicted: ArrayLike) -> Curve:
    """Radcliffe's Qini curve (2007, Using control groups to target on predicted lift).

    Among the first n rows, best prediction first: outcomes of the treated less those of the untreated, scaled to as
    many rows as are treated; 0 for the untreated where there are none.
    """
    y, t, score = _columns(outcome, treated, predicted)
    order = np.argsort(-score, kind="stable")
    y, t, score = y[order], t[order], score[order]
    last = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
    n = last + 1.0
    n_treated = np.cumsum(t)[last]
    n_untreated = n - n_treated
    ratio = np.divide(n_treated, n_untreated, out=np.zeros(len(n)), where=n_untreated > 0)
    gain = np.cumsum(y * t)[last] - np.cumsum(y * (1 - t))[last] * ratio
    return Curve(np.append(0.0, n), np.append(0.0, gain))


def qini_auc(outcome: ArrayLike, treated: ArrayLike, predicted: ArrayLike) -> float:
    """Area between the Qini curve and the diagonal over that of the perfect curve: 0 random, 1 perfect.

    The perfect curve takes responders among the treated first and responders among the untreated last, as
    scikit-uplift's `qini_auc_score` does. outcome: 0 or 1. NaN if only one group is there or nothing happened.
    """
    y, t, score = _columns(outcome, treated, predicted)
    if not len(y) or t.min() == t.max():
        return float("nan")
    curve, perfect = qini_curve(y, t, score), qini_curve(y, t, y * (2 * t - 1))
    diagonal = curve.n[-1] * curve.gain[-1] / 2
    room = perfect.area - diagonal
    return (curve.area - diagonal) / room if room else float("nan")


def robust_scores(
    outcome: ArrayLike,
    treated: ArrayLike,
    weight: ArrayLike,
    *,
    if_treated: ArrayLike,
    if_untreated: ArrayLike,
) -> FloatArray:
    """Doubly robust score of each row's treatment effect; its mean over any group is that group's effect, without bias.

    Robins, Rotnitzky and Zhao (1994): the difference of the expected outcomes, corrected by the weighted residual of what
    was seen. Rows that got something else than either arm carry the difference alone.

    Args:
        treated: 1 treated, 0 untreated, NaN neither.
        weight: inverse of the logged probability of what the row got.
        if_treated, if_untreated: expected outcomes, learnt on other rows.
    """
    y, t, w = _columns(outcome, treated, weight)
    high, low = np.asarray(if_treated, dtype=np.float64), np.asarray(if_untreated, dtype=np.float64)
    return high - low + np.where(t == 1, w * (y - high), 0.0) - np.where(t == 0, w * (y - low), 0.0)


def gain_curve(scores: ArrayLike, predicted: ArrayLike) -> Curve:
    """Total of `robust_scores` of the first n rows, best prediction first, ties at once; a tie's rows share its mean."""
    effect, prediction = np.asarray(scores, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    _, tie, size = np.unique(-prediction, return_inverse=True, return_counts=True)
    total = np.cumsum(np.bincount(tie, weights=effect, minlength=len(size)))
    return Curve(np.append(0.0, np.cumsum(size)), np.append(0.0, total))


def rank_gain(scores: ArrayLike, predicted: ArrayLike) -> float:
    """Gain per row of treating the best first over treating at random, mean over every share that may be treated.

    scores: effect per row without bias (`robust_scores`), in the outcome's unit. The Qini-weighted rank-weighted average
    treatment effect of Yadlowsky et al. (2021); 0 for a constant prediction. NaN without rows.
    """
    curve = gain_curve(scores, predicted)
    n = curve.n[-1]
    return float(curve.area / n**2 - curve.gain[-1] / n / 2) if n else float("nan")


def policy_gain(scores: ArrayLike, predicted: ArrayLike) -> float:
    """Gain per row over treating nobody of treating where the prediction is above 0. Scores as in `rank_gain`."""
    effect, prediction = np.asarray(scores, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    return float(np.where(prediction > 0, effect, 0.0).mean()) if len(effect) else float("nan")


def effect_table(scores: ArrayLike, predicted: ArrayLike, n_groups: int = 10) -> pl.DataFrame:
    """Equal groups by prediction, best first, equal predictions in one: group (from 1), n, predicted and actual (mean
    effects), error (standard error of actual).
    """
    effect, prediction = np.asarray(scores, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    place = (rankdata(-prediction) - 0.5) / max(len(prediction), 1)
    return (
        pl.DataFrame(
            {"tenth": (place * n_groups).astype(np.int64), "predicted": prediction, "actual": effect}
        )
        .group_by("tenth")
        .agg(
            n=pl.len(),
            predicted=pl.col("predicted").mean(),
            error=pl.col("actual").std() / pl.len().sqrt(),
            actual=pl.col("actual").mean(),
        )
        .sort("tenth")
        .with_row_index("group", offset=1)
        .select(pl.col("group").cast(pl.Int64), "n", "predicted", "actual", "error")
    )


def _columns(*columns: ArrayLike) -> list[FloatArray]:
    arrays = [np.asarray(column, dtype=np.float64) for column in columns]
    if len({array.shape for array in arrays}) > 1 or arrays[0].ndim != 1:
        raise ValueError("outcome, treatment and prediction must be one-dimensional and of one length")
    return arrays
