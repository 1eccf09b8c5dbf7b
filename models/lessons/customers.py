"""Lessons on what customers will do: lifetime value and churn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from models import churn, value
from models.churn import ChurnModel
from models.churn_estimator import ChurnEstimator
from models.evaluation.champion import Criterion
from models.evaluation.contest import Answer
from models.evaluation.plots import calibration_plot, comparison_plot, lift_plot
from models.evaluation.splits import LABEL_COLUMNS, time_split
from models.features import FloatArray
from models.lessons.lesson import N_EXAMPLE_ROWS, Lesson, anonymous, decide_and_fit
from models.model import Model
from models.value import ValueModel
from models.value_estimator import ValueEstimator


@dataclass(frozen=True)
class _Question:
    """What differs between the questions asked of customers.

    `predict(model, holdout)` answers the holdout's rows; `match(predictions, labels)` gives (outcome, predicted) row by row.
    """

    methods: Mapping[str, Callable[[], Model]]
    criterion: Criterion
    predict: Callable[[Model, pl.DataFrame], pl.DataFrame]
    match: Callable[[pl.DataFrame, pl.DataFrame], tuple[FloatArray, FloatArray]]
    evaluate: Callable[[pl.DataFrame, pl.DataFrame], dict[str, float]]
    plot: Callable[[dict[str, FloatArray], FloatArray, str], Figure]


def learn_value(frame: pl.DataFrame, champion: str | None) -> Lesson:
    """Lifetime value from labelled snapshots (`features.join_labels`); `champion` is the method in office."""
    return _learn(frame, _VALUE, champion)


def learn_churn(frame: pl.DataFrame, champion: str | None) -> Lesson:
    """Churn from labelled snapshots (`features.join_labels`); `champion` is the method in office."""
    return _learn(frame, _CHURN, champion)


def _learn(frame: pl.DataFrame, question: _Question, champion: str | None) -> Lesson:
    answers = {method: Answer(np.empty(0), {}) for method in question.methods}
    outcome: FloatArray = np.empty(0)
    figures: dict[str, Figure] = {}
    split = time_split(frame)
    if split is not None:
        for method, make in question.methods.items():
            predictions = question.predict(make().fit(split.train), split.holdout)
            outcome, predicted = question.match(predictions, split.holdout)
            answers[method] = Answer(predicted, question.evaluate(predictions, split.holdout))
    verdict, fitted = decide_and_fit(
        answers, outcome, question.criterion, champion, lambda method: question.methods[method]().fit(frame)
    )
    if split is not None:
        predicted_by = {method: answer.predicted for method, answer in answers.items()}
        figures["holdout.png"] = question.plot(predicted_by, outcome, f"Holdout of {split.holdout_as_of}")
        name = question.criterion.name
        deciding = {method: answer.metrics[name] for method, answer in answers.items()}
        figures["comparison.png"] = comparison_plot(deciding, name, verdict.winner)
    newest = frame.filter(pl.col("as_of") == pl.col("as_of").max()).drop(LABEL_COLUMNS)
    example = anonymous(newest.sort("customer_id").head(N_EXAMPLE_ROWS))
    return Lesson(verdict, answers, fitted, example, figures)


def _forecast(model: Model, holdout: pl.DataFrame) -> pl.DataFrame:
    """Over the labels' own horizon."""
    if not isinstance(model, ValueEstimator):
        raise TypeError(f"{model.name} is no value model")
    return model.forecast(holdout.drop(LABEL_COLUMNS), int(holdout["horizon_days"][0]))


def _predict_churn(model: Model, holdout: pl.DataFrame) -> pl.DataFrame:
    """Over the labels' own horizon: a chance over 90 days cannot be carried over to another."""
    if not isinstance(model, ChurnEstimator):
        raise TypeError(f"{model.name} is no churn model")
    return model.predict(holdout.drop(LABEL_COLUMNS), int(holdout["horizon_days"][0]))


def _match_margin(predictions: pl.DataFrame, labels: pl.DataFrame) -> tuple[FloatArray, FloatArray]:
    return value.match_outcome(predictions, labels).pair("margin")


_VALUE = _Question(
    {**value.BASELINES, ValueModel.name: ValueModel},
    value.CRITERION,
    _forecast,
    _match_margin,
    value.evaluate_value,
    lift_plot,
)
_CHURN = _Question(
    {**churn.BASELINES, ChurnModel.name: ChurnModel},
    churn.CRITERION,
    _predict_churn,
    churn.match_outcome,
    churn.evaluate_churn,
    calibration_plot,
)
