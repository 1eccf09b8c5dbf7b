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
from models.evaluation.drift import Reference
from models.evaluation.importance import permutation_importance, sample_rows
from models.evaluation.metrics import calibration_by_tenths
from models.evaluation.plots import amount_calibration_plot, calibration_plot, lift_plot
from models.evaluation.splits import LABEL_COLUMNS, time_split
from models.features import KEYS, FloatArray
from models.lessons.lesson import (
    N_EXAMPLE_ROWS,
    N_EXPLAINED_ROWS,
    N_IMPORTANCE_ROWS,
    About,
    Lesson,
    comparison_figure,
    contribution_files,
    decide_and_fit,
    importance_files,
    made_up,
    snapshot_role,
)
from models.model import Explains, Model
from models.value import ValueModel
from models.value_estimator import ValueEstimator

MAIL_CALENDAR = ("n_emails_30d", "n_emails_90d", "days_since_last_open", "days_since_last_click")
"""Features that all customers' move together whenever the shop mails: no drift is looked for in them."""


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
    plots: Mapping[str, Callable[[dict[str, FloatArray], FloatArray, str], Figure]]
    about: About


def learn_value(frame: pl.DataFrame, champion: str | None) -> Lesson:
    """Lifetime value from labelled snapshots (`features.join_labels`); `champion` is the method in office."""
    return _learn(frame, _VALUE, champion)


def learn_churn(frame: pl.DataFrame, champion: str | None) -> Lesson:
    """Churn from labelled snapshots (`features.join_labels`); `champion` is the method in office."""
    return _learn(frame, _CHURN, champion)


def seen_customers(features: pl.DataFrame) -> pl.DataFrame:
    """Rows of `feat_customer` of everyone who had been seen by then and does not refuse profiling: who is learnt from, and
    who is watched for drift.

    A customer without a sign-up date and without an event is in a plan, but not in an old snapshot: that he is in the file
    at all may be because of what he did later.
    """
    return features.filter("has_behaviour", pl.col("first_seen_at").is_not_null())


def _learn(frame: pl.DataFrame, question: _Question, champion: str | None) -> Lesson:
    answers = {method: Answer(np.empty(0), {}) for method in question.methods}
    outcome: FloatArray = np.empty(0)
    judged: dict[str, Model] = {}
    split = time_split(frame)
    if split is not None:
        for method, make in question.methods.items():
            judged[method] = make().fit(split.train)
            predictions = question.predict(judged[method], split.holdout)
            outcome, predicted = question.match(predictions, split.holdout)
            answers[method] = Answer(predicted, question.evaluate(predictions, split.holdout))
    verdict, fitted = decide_and_fit(
        answers, outcome, question.criterion, champion, lambda method: question.methods[method]().fit(frame)
    )
    winner = fitted[verdict.winner]
    newest = frame.filter(pl.col("as_of") == pl.col("as_of").max()).drop(LABEL_COLUMNS)
    figures: dict[str, Figure] = {}
    tables = {"training_data.csv": _training_data(frame)}
    if split is not None:
        predicted_by = {method: answer.predicted for method, answer in answers.items()}
        title = f"Holdout of {split.holdout_as_of}"
        figures |= {name: draw(predicted_by, outcome, title) for name, draw in question.plots.items()}
        figures |= comparison_figure(verdict, answers)
        tables["calibration.csv"] = calibration_by_tenths(outcome, predicted_by[verdict.winner])
        importance = _importance(judged[verdict.winner], split.holdout, question)
        drawn, counted = importance_files(importance, verdict.winner, question.criterion)
        figures, tables = {**figures, **drawn}, {**tables, **counted}
    for model in fitted.values():
        if isinstance(model, Explains):
            drawn, counted = contribution_files(
                model.explain(sample_rows(newest, N_EXPLAINED_ROWS)), model.name
            )
            figures, tables = {**figures, **drawn}, {**tables, **counted}
            break
    return Lesson(
        verdict,
        answers,
        fitted,
        made_up(newest.sort("customer_id"), N_EXAMPLE_ROWS),
        figures,
        tables,
        question.about,
        _references(winner, newest, split.holdout.drop(LABEL_COLUMNS) if split else newest.clear()),
    )


def _training_data(frame: pl.DataFrame) -> pl.DataFrame:
    """as_of, customers, labelled, horizon_days, role: one row per snapshot, oldest first."""
    return (
        frame.group_by("as_of")
        .agg(
            customers=pl.len(),
            labelled=pl.col("orders").count(),
            horizon_days=pl.col("horizon_days").max(),
        )
        .sort("as_of")
        .with_columns(role=snapshot_role(pl.col("labelled") > 0))
    )


def _importance(model: Model, holdout: pl.DataFrame, question: _Question) -> pl.DataFrame:
    """Permutation importance of what the model reads, on a sample of the holdout."""
    sample = sample_rows(holdout, N_IMPORTANCE_ROWS)

    def judge(copies: pl.DataFrame, n_copies: int) -> FloatArray:
        predictions = question.predict(model, copies)
        parts = (predictions.slice(i * sample.height, sample.height) for i in range(n_copies))
        return np.array([question.criterion.metric(*question.match(part, sample)) for part in parts])

    return permutation_importance(sample, model.features, judge, question.criterion)


def _references(model: Model, newest: pl.DataFrame, before: pl.DataFrame) -> dict[str, Reference]:
    """How what the model reads and what it answers were spread in the newest snapshot and the one it was judged on."""
    read = [feature for feature in model.features if feature not in MAIL_CALENDAR]
    return {
        "features": Reference.of(newest.select(read), before.select(read)),
        "scores": Reference.of(answers_of(model.predict(newest)), answers_of(model.predict(before))),
    }


def answers_of(scores: pl.DataFrame) -> pl.DataFrame:
    """The columns of a score table in which drift is looked for."""
    return scores.drop(*KEYS, "horizon_days", "model_version", strict=False)


def _forecast(model: Model, holdout: pl.DataFrame) -> pl.DataFrame:
    """Over the labels' own horizon."""
    if not isinstance(model, ValueEstimator):
        raise TypeError(f"{model.name} is no value model")
    return model.forecast(holdout.drop(LABEL_COLUMNS), int(holdout["horizon_days"][0]))


def _predict_churn(model: Model, holdout: pl.DataFrame) -> pl.DataFrame:
    """Over the labels' own horizon: a chance over 90 days cannot be carried over to another."""
    if not isinstance(model, ChurnEstimator):
        raise TypeError(f"{model.name} is no churn model")
    return model.risk(holdout.drop(LABEL_COLUMNS), int(holdout["horizon_days"][0]))


def _match_margin(predictions: pl.DataFrame, labels: pl.DataFrame) -> tuple[FloatArray, FloatArray]:
    return value.match_outcome(predictions, labels).pair("margin")


_VALUE = _Question(
    {**value.BASELINES, ValueModel.name: ValueModel},
    value.CRITERION,
    _forecast,
    _match_margin,
    value.evaluate_value,
    {"lift.png": lift_plot, "calibration.png": amount_calibration_plot},
    About(
        "What will a customer be worth? Expected order days and margin of the next 90 days, and lifetime value: the "
        "expected margin of the next 365 days, in the shop's currency, net of discounts and refunds.",
        "who is worth an offer or a rest from mail, what losing a subscriber costs, the plan's column lifetime_value.",
        (
            "prices, credit or terms for a person",
            "accounts or forecasts of a shop's revenue: totals follow the season, of which a holdout has seen one",
        ),
        (
            "Customers without an order get their group's average; the column basis says so.",
            "Beyond 90 days the figure is carried on by the purchase process, not learnt from labels.",
        ),
    ),
)
_CHURN = _Question(
    {**churn.BASELINES, ChurnModel.name: ChurnModel},
    churn.CRITERION,
    _predict_churn,
    churn.match_outcome,
    churn.evaluate_churn,
    {"calibration.png": calibration_plot, "lift.png": lift_plot},
    About(
        "Will a customer order again? The chance of no order in the 90 days after the plan date.",
        "win-back messages and offers, the plan's column churn_risk.",
        (
            "a judgement on a person outside the shop's own mail",
            "a cause: it says who will be silent, not why",
        ),
        (
            "Customers without an order get the chance that they do not order for the first time.",
            "A shop younger than nine months learns from shorter windows and carries the risk over to 90 days.",
        ),
    ),
)
