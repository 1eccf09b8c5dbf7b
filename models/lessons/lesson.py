"""What a lesson comes to, and the part that all lessons share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any, TypeVar

import numpy as np
import polars as pl
import polars.selectors as cs
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.evaluation.champion import Criterion
from models.evaluation.contest import Answer, Verdict, hold_contest
from models.evaluation.drift import Reference
from models.evaluation.importance import contribution_table
from models.evaluation.plots import comparison_plot, contributions_plot, importance_plot
from models.model import NOBODY, Explanation, Model

Fitted = TypeVar("Fitted", bound=Model)
N_EXAMPLE_ROWS, EXAMPLE_SEED = 5, 0
N_IMPORTANCE_ROWS, N_EXPLAINED_ROWS = 2000, 1000


@dataclass(frozen=True)
class About:
    """What a question's models are for, in words that hold for every week.

    Attributes:
        answers: the question, and what the answer is a number of.
        used_for: what relies on it.
        not_for: what it must not be used for.
        limits: where it is known to be weak.
    """

    answers: str
    used_for: str
    not_for: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lesson:
    """What was learnt about one question.

    Attributes:
        verdict: which method answers from now on, which came second, and why.
        answers: every method on the holdout, simplest first; empty where there was nothing to judge on.
        fitted: the winner and the runner-up, fitted on everything known.
        example: a few rows to ask the winner.
        figures: file name -> plot.
        tables: file name -> table: what it was trained on, calibration, importances.
        about: what the question's models are for.
        references: table -> how it was spread when the models were trained; later days are compared with it.
    """

    verdict: Verdict
    answers: Mapping[str, Answer]
    fitted: Mapping[str, Model]
    example: pl.DataFrame
    figures: Mapping[str, Figure] = field(default_factory=dict)
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    about: About | None = None
    references: Mapping[str, Reference] = field(default_factory=dict)

    @property
    def winner(self) -> Model:
        """The method that answers from now on."""
        return self.fitted[self.verdict.winner]

    @property
    def comparison(self) -> pl.DataFrame:
        """One row per method with its metrics on the holdout, simplest first; of the deciding metric the interval's ends
        (`<metric>_low`, `<metric>_high`), and the winner's lead over the method with its interval.
        """
        return pl.DataFrame(
            [
                {"method": method, **answer.metrics, **self._evidence(method)}
                for method, answer in self.answers.items()
            ]
        )

    def _evidence(self, method: str) -> dict[str, float | None]:
        verdict = self.verdict
        name = verdict.criterion.name if verdict.criterion else ""
        evidence: dict[str, float | None] = {}
        if verdict.intervals:
            figure = verdict.intervals.get(method)
            evidence[f"{name}_low"] = figure.low if figure else None
            evidence[f"{name}_high"] = figure.high if figure else None
        if verdict.leads:
            lead = verdict.leads.get(method)
            evidence["lead"] = lead.estimate if lead else None
            evidence["lead_low"] = lead.low if lead else None
            evidence["lead_high"] = lead.high if lead else None
        return evidence

    def params(self, method: str) -> dict[str, object]:
        """What a fitted method was set to, nested names joined with dots."""
        return flatten(self.fitted[method].params) if method in self.fitted else {}


def decide_and_fit(
    answers: Mapping[str, Answer],
    outcome: NDArray[np.float64],
    criterion: Criterion,
    champion: str | None,
    fit: Callable[[str], Fitted],
    groups: NDArray[np.int64] | None = None,
) -> tuple[Verdict, dict[str, Fitted]]:
    """The verdict, and the winner and runner-up fitted on everything by `fit(method)`.

    `groups` names holdout rows that belong together, such as the mails of one customer.
    """
    verdict = hold_contest(answers, outcome, criterion, champion, groups)
    methods = [verdict.winner] if verdict.runner_up is None else [verdict.winner, verdict.runner_up]
    return verdict, {method: fit(method) for method in methods}


def comparison_figure(verdict: Verdict, answers: Mapping[str, Answer], label: str = "") -> dict[str, Figure]:
    """The deciding metric of every method with its interval, as `comparison.png`."""
    name = verdict.criterion.name if verdict.criterion else ""
    deciding = {method: answer.metrics[name] for method, answer in answers.items() if name in answer.metrics}
    return {"comparison.png": comparison_plot(deciding, label or name, verdict.winner, verdict.intervals)}


def importance_files(
    importance: pl.DataFrame, method: str, criterion: Criterion
) -> tuple[dict[str, Figure], dict[str, pl.DataFrame]]:
    """`importance.png` and `importance.csv` of a method's permutation importance on the holdout; nothing for no rows."""
    if importance.is_empty():
        return {}, {}
    title = f"{method}: importance for {criterion.name}"
    return {"importance.png": importance_plot(importance, title)}, {"importance.csv": importance}


def contribution_files(
    explanation: Explanation | None, method: str
) -> tuple[dict[str, Figure], dict[str, pl.DataFrame]]:
    """`contributions.png` and `contributions.csv` of a method's SHAP values; nothing where it has none."""
    if explanation is None or not len(explanation.values):
        return {}, {}
    return (
        {"contributions.png": contributions_plot(explanation, f"{method}: what moves its answers")},
        {"contributions.csv": contribution_table(explanation)},
    )


def snapshot_role(is_labelled: pl.Expr) -> pl.Expr:
    """What each row of a table of snapshots (as_of) is for; the newest one with labels is the holdout."""
    return (
        pl.when(~is_labelled)
        .then(pl.lit("where customers stand"))
        .when(pl.col("as_of") == pl.col("as_of").filter(is_labelled).max())
        .then(pl.lit("holdout, then learnt from"))
        .otherwise(pl.lit("learnt from"))
    )


def made_up(frame: pl.DataFrame, n_rows: int) -> pl.DataFrame:
    """At most `n_rows` rows about nobody: examples are kept with the model, people are not.

    Every column is drawn from the frame by itself, so that no two values of a row are of one person but by chance. Times
    are cut to the day, fractional numbers to two figures; customers are `made-up-customer-1`, `made-up-customer-2`, ...
    """
    rng = np.random.default_rng(EXAMPLE_SEED)
    n_rows = min(n_rows, frame.height)
    drawn = pl.DataFrame(
        [column.gather(rng.choice(frame.height, n_rows, replace=False)) for column in frame],
        schema=frame.schema,
    )
    names = pl.Series([f"{NOBODY}{i + 1}" for i in range(n_rows)], dtype=pl.String)
    return drawn.with_columns(
        cs.datetime().dt.truncate("1d"), cs.float().round_sig_figs(2), names.alias("customer_id")
    )


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
