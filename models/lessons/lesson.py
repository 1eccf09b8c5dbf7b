"""What a lesson comes to, and the part that all lessons share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.evaluation.champion import Criterion
from models.evaluation.contest import Answer, Verdict, hold_contest
from models.model import Model

N_EXAMPLE_ROWS = 5


@dataclass(frozen=True)
class Lesson:
    """What was learnt about one question.

    Attributes:
        verdict: which method answers from now on, which came second, and why.
        answers: every method on the holdout, simplest first; empty where there was nothing to judge on.
        fitted: the winner and the runner-up, fitted on everything known.
        example: a few rows to ask the winner.
        figures: file name -> plot.
    """

    verdict: Verdict
    answers: Mapping[str, Answer]
    fitted: Mapping[str, Model]
    example: pl.DataFrame
    figures: Mapping[str, Figure] = field(default_factory=dict)

    @property
    def winner(self) -> Model:
        """The method that answers from now on."""
        return self.fitted[self.verdict.winner]

    @property
    def comparison(self) -> pl.DataFrame:
        """One row per method with its metrics on the holdout, simplest first."""
        return pl.DataFrame([{"method": method, **answer.metrics} for method, answer in self.answers.items()])

    def params(self, method: str) -> dict[str, object]:
        """What a fitted method was set to, nested names joined with dots."""
        return flatten(self.fitted[method].params) if method in self.fitted else {}


def decide_and_fit(
    answers: Mapping[str, Answer],
    outcome: NDArray[np.float64],
    criterion: Criterion,
    champion: str | None,
    fit: Callable[[str], Model],
    groups: NDArray[np.int64] | None = None,
) -> tuple[Verdict, dict[str, Model]]:
    """The verdict, and the winner and runner-up fitted on everything by `fit(method)`.

    `groups` names holdout rows that belong together, such as the mails of one customer.
    """
    verdict = hold_contest(answers, outcome, criterion, champion, groups)
    methods = [verdict.winner] if verdict.runner_up is None else [verdict.winner, verdict.runner_up]
    return verdict, {method: fit(method) for method in methods}


def anonymous(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with other names for its customers: examples are kept with the model, people are not."""
    rank = pl.col("customer_id").rank("dense").cast(pl.String)
    return frame.with_columns(pl.concat_str(pl.lit("example-"), rank).alias("customer_id"))


def flatten(params: Any, prefix: str = "") -> dict[str, object]:
    """A dataclass of parameters as one flat mapping."""
    values = asdict(params) if is_dataclass(params) and not isinstance(params, type) else dict(params or {})
    flat: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
