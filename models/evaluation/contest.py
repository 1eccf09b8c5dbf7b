"""A week's contest: every method answers the same holdout, one of them becomes or stays champion.

Here: who wins, and why. Not here: the metrics, the registry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.evaluation.champion import Criterion, beats, elect


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
    """Who answers the question from now on (`winner`), who came second, and why."""

    winner: str
    runner_up: str | None
    reason: str


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

    def best_but(method: str | None) -> str | None:
        others = {name: values for name, values in predicted.items() if name != method}
        return elect(others, outcome, criterion, groups=groups).challenger if others else None

    if champion not in predicted:
        election = elect(predicted, outcome, criterion, groups=groups)
        return Verdict(election.challenger, best_but(election.challenger), election.reason)
    rival = best_but(champion)
    if rival is None:
        return Verdict(champion, None, f"{champion} has no rival")
    decision = beats(
        predicted[rival],
        predicted[champion],
        outcome,
        criterion,
        challenger_name=rival,
        champion_name=champion,
        groups=groups,
    )
    winner = rival if decision.promote else champion
    return Verdict(winner, best_but(winner), decision.reason)
