"""A week's contest: every method answers the same holdout, one of them becomes or stays champion.

Here: who wins, and why. Not here: the metrics, the registry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.evaluation.champion import Criterion, beats, best_first, elect
from models.evaluation.intervals import Interval, interval_of, resampled_metrics

N_RESAMPLES = 200
"""For the intervals of the table; the verdict itself takes more."""


@dataclass(frozen=True)
class Answer:
    """One method on the holdout.

    Attributes:
        predicted: its predictions, in the order of the outcome; for ranking criteria its figure per row.
        metrics: name -> value.
    """

    predicted: NDArray[np.float64]
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Verdict:
    """Who answers the question from now on (`winner`), who came second, and why.

    Attributes:
        criterion: what decided.
        intervals: method -> the criterion's figure with its bootstrap interval.
        leads: method -> by how much the winner is better than it (positive), on the same resampled rows.
    """

    winner: str
    runner_up: str | None
    reason: str
    criterion: Criterion | None = None
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    leads: Mapping[str, Interval] = field(default_factory=dict)


def hold_contest(
    answers: Mapping[str, Answer],
    outcome: ArrayLike,
    criterion: Criterion,
    champion: str | None,
    groups: ArrayLike | None = None,
) -> Verdict:
    """Decide between the methods.

    Args: answers: by method, simplest first. outcome: what happened, per holdout row. criterion: the metric
    that decides and its margin. champion: the method in office, or None. It stays unless the best of the
    others beats it by the margin with an interval above 0; a method that no longer exists is as good as none.
    groups: rows that belong together (a customer's), resampled together.
    """
    predicted = {method: answer.predicted for method, answer in answers.items()}
    winner, reason = _decide(predicted, outcome, criterion, champion, groups)
    return Verdict(
        winner,
        _best_but(winner, predicted, outcome, criterion),
        reason,
        criterion,
        *_evidence(predicted, outcome, criterion, winner, groups),
    )


def _decide(
    predicted: Mapping[str, NDArray[np.float64]],
    outcome: ArrayLike,
    criterion: Criterion,
    champion: str | None,
    groups: ArrayLike | None,
) -> tuple[str, str]:
    """The winner and why."""
    if champion is None or champion not in predicted:
        election = elect(predicted, outcome, criterion, groups=groups)
        return election.challenger, election.reason
    rival = _best_but(champion, predicted, outcome, criterion)
    if rival is None:
        return champion, f"{champion} has no rival"
    decision = beats(
        predicted[rival],
        predicted[champion],
        outcome,
        criterion,
        challenger_name=rival,
        champion_name=champion,
        groups=groups,
    )
    return (rival if decision.promote else champion), decision.reason


def _best_but(
    method: str, predicted: Mapping[str, NDArray[np.float64]], outcome: ArrayLike, criterion: Criterion
) -> str | None:
    """The best of the others; where none can be judged the last, the model itself."""
    others = {name: values for name, values in predicted.items() if name != method}
    return next(iter(best_first(others, outcome, criterion)), next(reversed(others), None))


def _evidence(
    predicted: Mapping[str, NDArray[np.float64]],
    outcome: ArrayLike,
    criterion: Criterion,
    winner: str,
    groups: ArrayLike | None,
) -> tuple[dict[str, Interval], dict[str, Interval]]:
    """The criterion's interval per method, and that of the winner's lead over it."""
    figures = best_first(predicted, outcome, criterion)
    judged = {method: values for method, values in predicted.items() if method in figures}
    draws = resampled_metrics(criterion.metric, outcome, judged, groups=groups, n_resamples=N_RESAMPLES)
    intervals = {method: interval_of(figures[method], draws[method]) for method in judged}
    if winner not in judged:
        return intervals, {}
    sign = 1.0 if criterion.higher_is_better else -1.0
    leads = {
        method: interval_of(
            sign * (figures[winner] - figures[method]), sign * (draws[winner] - draws[method])
        )
        for method in judged
        if method != winner
    }
    return intervals, leads
