"""When does a model take over? Only on evidence, on rows neither has seen.

Here: the criterion, the verdict between two models, the election where there is no champion. Not here:
aliases, registries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.evaluation.intervals import Metric, paired_difference


@dataclass(frozen=True)
class Criterion:
    """The metric that decides, and the least improvement (in its own unit) that is worth a change."""

    name: str
    metric: Metric
    higher_is_better: bool
    margin: float


@dataclass(frozen=True)
class Decision:
    """A verdict and its evidence. `improvement`, `low`, `high`: positive is better for the challenger."""

    promote: bool
    challenger: str
    champion: str | None
    criterion: str
    improvement: float
    low: float
    high: float
    margin: float
    reason: str


def mean_of_rows(_: NDArray[np.float64], per_row: NDArray[np.float64]) -> float:
    """For criteria that are means of a figure each row already has (recall or NDCG per customer)."""
    return float(per_row.mean()) if len(per_row) else float("nan")


def beats(
    challenger: ArrayLike,
    champion: ArrayLike,
    actual: ArrayLike,
    criterion: Criterion,
    *,
    challenger_name: str = "challenger",
    champion_name: str = "champion",
    groups: ArrayLike | None = None,
    n_resamples: int = 400,
    seed: int = 0,
) -> Decision:
    """Does the challenger improve on the champion by the margin, and is it more than chance?

    Both are predictions for the same holdout rows, in the order of `actual`. The challenger wins if the
    improvement is at least the margin and the 95 % paired bootstrap interval lies above 0.
    """
    interval = paired_difference(
        criterion.metric, actual, challenger, champion, groups=groups, n_resamples=n_resamples, seed=seed
    )
    low, high = (
        (interval.low, interval.high) if criterion.higher_is_better else (-interval.high, -interval.low)
    )
    improvement = interval.estimate if criterion.higher_is_better else -interval.estimate
    evidence = f"{criterion.name} improves by {improvement:.4f} (95 % interval {low:.4f} to {high:.4f})"
    stays = f"{challenger_name} does not replace {champion_name}"
    promote = False
    if not np.isfinite([improvement, low, high]).all():
        reason = f"{stays}: {criterion.name} cannot be known on this holdout"
    elif improvement < criterion.margin:
        reason = f"{stays}: {evidence}, less than the margin {criterion.margin:g}"
    elif low <= 0:
        reason = f"{stays}: {evidence}, which may be chance"
    else:
        promote = True
        reason = f"{challenger_name} replaces {champion_name}: {evidence}, at least the margin {criterion.margin:g}"
    return Decision(
        promote,
        challenger_name,
        champion_name,
        criterion.name,
        improvement,
        low,
        high,
        criterion.margin,
        reason,
    )


def best_first(
    candidates: Mapping[str, ArrayLike], actual: ArrayLike, criterion: Criterion
) -> dict[str, float]:
    """The criterion's figure by candidate, best first, of equals the one named earlier; without those whose figure cannot
    be known.
    """
    truth = np.asarray(actual, dtype=np.float64)
    figures = {
        name: criterion.metric(truth, np.asarray(predicted, dtype=np.float64))
        for name, predicted in candidates.items()
    }
    known = {name: figure for name, figure in figures.items() if np.isfinite(figure)}
    sign = -1.0 if criterion.higher_is_better else 1.0
    return dict(sorted(known.items(), key=lambda item: sign * item[1]))


def elect(
    candidates: Mapping[str, ArrayLike],
    actual: ArrayLike,
    criterion: Criterion,
    *,
    groups: ArrayLike | None = None,
    n_resamples: int = 400,
    seed: int = 0,
) -> Decision:
    """The first champion: the best of the candidates on the holdout, a simple rule as well as a model.

    Name the candidates simplest first: of equals the earlier wins. Where the holdout cannot tell (no labels,
    one class) the last, the model itself, is chosen. The evidence is the difference to the runner-up.
    """
    if not candidates:
        raise ValueError("an election needs at least one candidate")
    truth = np.asarray(actual, dtype=np.float64)
    known = best_first(candidates, truth, criterion)
    if not known:
        winner = list(candidates)[-1]
        nan = float("nan")
        reason = f"{winner} is the first champion: {criterion.name} cannot be known on this holdout"
        return Decision(True, winner, None, criterion.name, nan, nan, nan, criterion.margin, reason)
    ranked = list(known)
    winner, second = ranked[0], ranked[1] if len(ranked) > 1 else ranked[0]
    gap = beats(
        candidates[winner],
        candidates[second],
        truth,
        criterion,
        groups=groups,
        n_resamples=n_resamples,
        seed=seed,
    )
    reason = f"{winner} is the first champion: best {criterion.name} ({known[winner]:.4f})"
    if second != winner:
        reason += f" before {second} ({known[second]:.4f})"
    return Decision(
        True, winner, None, criterion.name, gap.improvement, gap.low, gap.high, criterion.margin, reason
    )
