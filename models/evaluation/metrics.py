"""Figures of merit over whole arrays.

Here: ranking, error, probability, recommendation and drift metrics. Not here: intervals around them
(`intervals`), which metric decides a promotion (`champion`), plots.

A metric that cannot be known from the data (an AUC with one class, anything over no rows) is NaN, never a
number.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

FloatArray = NDArray[np.float64]

PROBABILITY_FLOOR = 1e-6
SHARE_FLOOR = 1e-4


def _pair(actual: ArrayLike, predicted: ArrayLike) -> tuple[FloatArray, FloatArray]:
    truth, estimate = np.asarray(actual, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if truth.shape != estimate.shape or truth.ndim != 1:
        raise ValueError(
            "actual and predicted must be one-dimensional and of one length, "
            f"not {truth.shape} and {estimate.shape}"
        )
    return truth, estimate


def _gini(actual: FloatArray, score: FloatArray) -> float:
    """Area between the cumulative share of `actual`, best score first, and the diagonal. Ties share their
    mean.
    """
    _, tie, size = np.unique(-score, return_inverse=True, return_counts=True)
    tie_mean = np.bincount(tie, weights=actual) / size
    cumulative = np.cumsum(np.repeat(tie_mean, size)) / actual.sum()
    n = len(actual)
    return float(cumulative.sum() / n - (n + 1) / (2 * n))


def normalised_gini(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Gini of the ranking over that of the perfect ranking: 1 perfect, 0 random or constant, -1 inverted.

    NaN if the total of `actual` is not positive or all are equal: there is nothing to rank.
    """
    truth, estimate = _pair(actual, predicted)
    if not len(truth) or truth.sum() <= 0 or truth.min() == truth.max():
        return float("nan")
    return _gini(truth, estimate) / _gini(truth, truth)


def gini(amounts: ArrayLike) -> float:
    """Gini coefficient of how amounts >= 0 are spread over their owners: 0 all alike, (n - 1) / n one has all.

    NaN if there is nothing to spread.
    """
    given = np.asarray(amounts, dtype=np.float64)
    return 2.0 * _gini(given, given) if len(given) and given.sum() > 0 else float("nan")


def rmse(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Root mean squared error, in the unit of `actual`."""
    truth, estimate = _pair(actual, predicted)
    return float(np.sqrt(np.mean((truth - estimate) ** 2))) if len(truth) else float("nan")


def pearson_r(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Pearson's correlation; 0 for a constant prediction, NaN for a constant truth."""
    truth, estimate = _pair(actual, predicted)
    if not len(truth) or np.ptp(truth) == 0:
        return float("nan")
    if np.ptp(estimate) == 0:
        return 0.0
    return float(np.corrcoef(truth, estimate)[0, 1])


def total_ratio(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Predicted over actual total: 1 is calibrated in the large. NaN if nothing happened."""
    truth, estimate = _pair(actual, predicted)
    return float(estimate.sum() / truth.sum()) if truth.sum() != 0 else float("nan")


def poisson_deviance(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Mean Poisson deviance of counts; `predicted` > 0."""
    truth, estimate = _pair(actual, predicted)
    if not len(truth):
        return float("nan")
    log_ratio = np.log(np.where(truth > 0, truth / estimate, 1.0))
    return float(2.0 * np.mean(truth * log_ratio - truth + estimate))


def tweedie_deviance(actual: ArrayLike, predicted: ArrayLike, power: float = 1.5) -> float:
    """Mean Tweedie deviance, 1 < power < 2, of amounts >= 0 with many zeros; `predicted` > 0."""
    truth, estimate = _pair(actual, predicted)
    if not len(truth):
        return float("nan")
    one, two = 1.0 - power, 2.0 - power
    terms = truth**two / (one * two) - truth * estimate**one / one + estimate**two / two
    return float(2.0 * np.mean(terms))


def auc(outcome: ArrayLike, score: ArrayLike) -> float:
    """P(a positive scores above a negative), ties count half. NaN if there is only one class."""
    truth, estimate = _pair(outcome, score)
    n_positive = int((truth > 0).sum())
    n_negative = len(truth) - n_positive
    if not n_positive or not n_negative:
        return float("nan")
    rank_sum = rankdata(estimate)[truth > 0].sum()
    return float((rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def log_loss(outcome: ArrayLike, probability: ArrayLike) -> float:
    """Mean negative log likelihood in nats; probabilities are held 1e-6 away from 0 and 1."""
    truth, p = _pair(outcome, probability)
    if not len(truth):
        return float("nan")
    p = np.clip(p, PROBABILITY_FLOOR, 1.0 - PROBABILITY_FLOOR)
    return float(-np.mean(truth * np.log(p) + (1.0 - truth) * np.log1p(-p)))


def brier(outcome: ArrayLike, probability: ArrayLike) -> float:
    """Mean squared error of a probability."""
    truth, p = _pair(outcome, probability)
    return float(np.mean((truth - p) ** 2)) if len(truth) else float("nan")


def calibration_table(outcome: ArrayLike, probability: ArrayLike, n_bins: int = 10) -> pl.DataFrame:
    """Equal-width bins of the probability: bin (from 1), n, predicted (mean probability), actual (share of
    positives).

    Empty bins are left out.
    """
    truth, p = _pair(outcome, probability)
    bins = np.minimum((p * n_bins).astype(int), n_bins - 1)
    n, predicted, actual = (np.bincount(bins, weights, n_bins) for weights in (None, p, truth))
    filled = np.flatnonzero(n)
    return pl.DataFrame(
        {
            "bin": filled + 1,
            "n": n[filled],
            "predicted": predicted[filled] / n[filled],
            "actual": actual[filled] / n[filled],
        },
        schema={"bin": pl.Int64, "n": pl.UInt32, "predicted": pl.Float64, "actual": pl.Float64},
    )


def expected_calibration_error(outcome: ArrayLike, probability: ArrayLike, n_bins: int = 10) -> float:
    """Mean distance between predicted and actual share over the bins of `calibration_table`, weighted by
    rows.
    """
    table = calibration_table(outcome, probability, n_bins)
    if table.is_empty():
        return float("nan")
    distance = np.abs(table["predicted"].to_numpy() - table["actual"].to_numpy())
    return float(np.average(distance, weights=table["n"].to_numpy()))


def lift_table(actual: ArrayLike, score: ArrayLike, n_groups: int = 10) -> pl.DataFrame:
    """Equal groups by score, best first: group (from 1), n, actual (mean), score (mean), lift (over the mean
    of all), cumulative_share (of the total of `actual`). Ties keep the order of the rows.
    """
    truth, estimate = _pair(actual, score)
    order = np.argsort(-estimate, kind="stable")
    n = len(truth)
    group = np.arange(n) * n_groups // max(n, 1) + 1
    total, mean = truth.sum(), truth.mean() if n else float("nan")
    return (
        pl.DataFrame(
            {"group": group, "y": truth[order], "s": estimate[order]},
            schema={"group": pl.Int64, "y": pl.Float64, "s": pl.Float64},
        )
        .group_by("group")
        .agg(n=pl.len(), actual=pl.col("y").mean(), score=pl.col("s").mean(), _sum=pl.col("y").sum())
        .sort("group")
        .with_columns(lift=pl.col("actual") / mean, cumulative_share=pl.col("_sum").cum_sum() / total)
        .drop("_sum")
    )


def calibration_by_tenths(actual: ArrayLike, predicted: ArrayLike, n_groups: int = 10) -> pl.DataFrame:
    """Equal groups by prediction, lowest first, equal predictions in one: n, predicted (mean), actual (mean)."""
    truth, estimate = _pair(actual, predicted)
    place = (rankdata(estimate) - 0.5) / max(len(estimate), 1)
    return (
        pl.DataFrame({"group": (place * n_groups).astype(np.int64), "p": estimate, "y": truth})
        .group_by("group")
        .agg(n=pl.len(), predicted=pl.col("p").mean(), actual=pl.col("y").mean())
        .sort("group")
        .drop("group")
    )


def ranking_scores(
    recommendations: pl.DataFrame,
    relevant: pl.DataFrame,
    k: int,
    user: str = "customer_id",
    item: str = "product_id",
) -> pl.DataFrame:
    """Per user with something relevant: `user`, recall (over min(k, relevant)), ndcg, hit (0 or 1). Sorted by
    user.

    `recommendations` has `user`, `item`, rank (from 1); `relevant` has `user`, `item`; relevance is yes or
    no, so repeated pairs count once. A user without recommendations scores 0.
    """
    truth = relevant.select(user, item).unique()
    hits = (
        recommendations.filter(pl.col("rank") <= k)
        .join(truth, on=[user, item], how="semi")
        .group_by(user)
        .agg(n_hits=pl.col(item).n_unique(), dcg=(1.0 / (pl.col("rank") + 1.0).log(2)).sum())
    )
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = pl.DataFrame({"possible": np.arange(1, k + 1), "ideal": np.cumsum(discounts)}).cast(
        {"possible": pl.UInt32}
    )
    return (
        truth.group_by(user)
        .agg(possible=pl.len().clip(upper_bound=k).cast(pl.UInt32))
        .join(hits, on=user, how="left")
        .join(ideal, on="possible", how="left")
        .select(
            user,
            recall=(pl.col("n_hits") / pl.col("possible")).fill_null(0.0),
            ndcg=(pl.col("dcg") / pl.col("ideal")).fill_null(0.0),
            hit=(pl.col("n_hits") > 0).fill_null(False).cast(pl.Float64),
        )
        .sort(user)
    )


def _mean(values: pl.Series) -> float:
    return float(values.to_numpy().mean()) if len(values) else float("nan")


def recall_at_k(
    recommendations: pl.DataFrame,
    relevant: pl.DataFrame,
    k: int,
    user: str = "customer_id",
    item: str = "product_id",
) -> float:
    """Mean share of min(k, relevant) items found among the first k."""
    return _mean(ranking_scores(recommendations, relevant, k, user, item).get_column("recall"))


def ndcg_at_k(
    recommendations: pl.DataFrame,
    relevant: pl.DataFrame,
    k: int,
    user: str = "customer_id",
    item: str = "product_id",
) -> float:
    """Mean normalised discounted cumulative gain of the first k, relevance yes or no."""
    return _mean(ranking_scores(recommendations, relevant, k, user, item).get_column("ndcg"))


def coverage_at_k(recommendations: pl.DataFrame, n_items: int, k: int, item: str = "product_id") -> float:
    """Share of the `n_items` of the catalogue that anybody is shown among the first k."""
    shown = recommendations.filter(pl.col("rank") <= k).get_column(item).n_unique()
    return shown / n_items if n_items else float("nan")


def psi(reference: ArrayLike, current: ArrayLike, n_bins: int = 10) -> float:
    """Population stability index of a number: bins at the reference's quantiles, missing values a bin of
    their own.

    Below 0.1 is stable by custom, above 0.25 a shift. NaN if either side has no rows.
    """
    before, now = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
    known = before[~np.isnan(before)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, n_bins + 1)[1:-1])) if len(known) else np.empty(0)

    def counts(values: FloatArray) -> FloatArray:
        present = values[~np.isnan(values)]
        binned = np.bincount(np.searchsorted(edges, present, side="left"), minlength=len(edges) + 1)
        return np.append(binned, len(values) - len(present)).astype(np.float64)

    return psi_of_counts(counts(before), counts(now))


def psi_categories(reference: pl.Series, current: pl.Series) -> float:
    """Population stability index of a category; null is a category."""
    before, now = (
        series.cast(pl.String).alias("level").value_counts(name="n") for series in (reference, current)
    )
    both = (
        before.join(now, on="level", how="full", coalesce=True, nulls_equal=True).fill_null(0).sort("level")
    )
    return psi_of_counts(
        both["n"].to_numpy().astype(np.float64), both["n_right"].to_numpy().astype(np.float64)
    )


def psi_of_counts(before: FloatArray, now: FloatArray) -> float:
    """Population stability index of two counts (or shares) of the same bins; NaN if either has nothing."""
    if not before.sum() or not now.sum():
        return float("nan")
    share_before = np.maximum(before / before.sum(), SHARE_FLOOR)
    share_now = np.maximum(now / now.sum(), SHARE_FLOOR)
    return float(np.sum((share_now - share_before) * np.log(share_now / share_before)))
