"""The model card of a week's lesson: what a reader must know before he relies on the model, in Markdown.

Source: Mitchell et al. (2019), "Model Cards for Model Reporting".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import date

import polars as pl

from models.evaluation.drift import ALARM, WARN
from models.lessons.lesson import Lesson

N_LISTED = 10
PROTECTED = "gender, birth date and age"


def model_card(question: str, week: date, fingerprint: str, lesson: Lesson) -> str:
    """The card of the models registered for a question and week.

    Args:
        question: the registered model.
        week: the Monday from which on it answers.
        fingerprint: of the data and code it was trained with.
        lesson: what was learnt.
    """
    return "\n".join(_lines(question, week, fingerprint, lesson)) + "\n"


def _lines(question: str, week: date, fingerprint: str, lesson: Lesson) -> Iterator[str]:
    verdict, about = lesson.verdict, lesson.about
    yield f"# {question}, week of {week}"
    yield from ("", f"**Champion: {verdict.winner}.** {verdict.reason}.")
    if verdict.runner_up is not None:
        yield f"Challenger: {verdict.runner_up}, fitted on the same rows."
    if about is not None:
        yield from ("", "## What it is for", "", about.answers, "", f"Used for: {about.used_for}")
        if about.not_for:
            yield from ("", "Not for:", "", *(f"- {use}" for use in about.not_for))
    yield from ("", "## Trained on", "")
    yield f"Events before {week} 00:00 UTC; features strictly before each snapshot's date, labels strictly after it."
    if "training_data.csv" in lesson.tables:
        yield from ("", *_table(lesson.tables["training_data.csv"]))
    features = tuple(lesson.winner.features)
    yield from ("", f"{len(features)} features: {', '.join(features)}.")
    yield f"Protected attributes ({PROTECTED}) are no features; they are kept for audits alone."
    yield from ("", "Parameters of the champion:", "")
    yield from ([f"- {name}: {value}" for name, value in lesson.params(verdict.winner).items()] or ["- none"])
    yield from ("", "## On the holdout", "")
    if any(answer.metrics for answer in lesson.answers.values()):
        yield "The newest labelled period; every method was fitted on what was known before it."
        yield from ("", *_table(_transposed(lesson.comparison)))
        if verdict.criterion is not None and verdict.intervals:
            name = verdict.criterion.name
            better = "higher" if verdict.criterion.higher_is_better else "lower"
            yield from (
                "",
                f"{name} decides ({better} is better; a champion goes at {verdict.criterion.margin:g} more).",
            )
            yield f"{name}_low and {name}_high are its 95 % bootstrap interval; lead is by how much the champion is better."
    else:
        yield "There was nothing to judge on: no labelled period is old enough. The model stands on its priors."
    for file, title in (
        ("calibration.csv", "Calibration, by tenths of the champion's predictions"),
        ("importance.csv", "Permutation importance (loss of the deciding metric)"),
        ("contributions.csv", "Contributions to the answers (SHAP values, link scale)"),
    ):
        if file in lesson.tables:
            yield from ("", f"## {title}", "", *_table(lesson.tables[file].head(N_LISTED)))
    yield from ("", "## Limits", "")
    yield from (f"- {limit}" for limit in (about.limits if about else ()))
    yield "- Observational data: nothing here says what would happen if customers were treated otherwise."
    if lesson.references:
        yield f"- It holds while its inputs look as they did: a day's checks warn at a PSI of {WARN}, alarm at {ALARM}."
    yield from ("", "## How to get it again", "")
    yield f"`sendplan train --as-of {week}` on the same landing folder; fingerprint of data and code: {fingerprint}."


def _transposed(comparison: pl.DataFrame) -> pl.DataFrame:
    figures = comparison.drop("method").cast(pl.Float64)
    return figures.transpose(include_header=True, header_name="metric", column_names=comparison["method"])


def _table(frame: pl.DataFrame) -> Iterator[str]:
    yield _row(frame.columns)
    yield _row("---" for _ in frame.columns)
    for values in frame.iter_rows():
        yield _row(_text(value) for value in values)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) > 1 else f"{value:.4f}"
    return str(value)
