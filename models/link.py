"""What boosted trees are fitted to: an objective, its link, its loss, and how a total is set right.

Here: the link every booster takes, and the one of chances. Not here: the boosters (`boosting`, `correction`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scipy.special import expit, logit

from models.evaluation.intervals import Metric
from models.evaluation.metrics import log_loss
from models.features import FloatArray


@dataclass(frozen=True)
class Link:
    """An XGBoost objective, its link and the inverse, the loss (actual, predicted) by which estimates are weighed, and
    `level`: what to add to offsets so that the predicted total is the actual one.
    """

    objective: str
    forward: Callable[[FloatArray], FloatArray]
    inverse: Callable[[FloatArray], FloatArray]
    loss: Metric
    level: Callable[[FloatArray, FloatArray], float]


def log_odds_level(outcome: FloatArray, log_odds: FloatArray) -> float:
    """What to add to the log-odds so that the mean chance is the observed share: bisection."""
    low, high = -10.0, 10.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if expit(log_odds + middle).sum() < outcome.sum() else (low, middle)
    return 0.5 * (low + high)


CHANCE = Link("binary:logistic", logit, expit, log_loss, log_odds_level)
"""Of a yes or no."""


def is_enough(label: FloatArray, min_rows: int, min_events: int) -> bool:
    """Are there so many labelled rows, and so many of the rarer outcome, that trees can learn from them?"""
    events = int((label > 0).sum())
    return len(label) >= min_rows and min(events, len(label) - events) >= min_events
