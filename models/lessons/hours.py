"""The lesson on when mail is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.evaluation.champion import Criterion
from models.evaluation.contest import Answer
from models.evaluation.drift import Reference
from models.evaluation.importance import permutation_importance, sample_rows
from models.evaluation.metrics import calibration_by_tenths, log_loss
from models.evaluation.plots import calibration_plot, week_plot
from models.evaluation.send_time import evaluate_send_time, send_probabilities, split_sends_at
from models.lessons.lesson import (
    N_EXAMPLE_ROWS,
    N_IMPORTANCE_ROWS,
    About,
    Lesson,
    comparison_figure,
    decide_and_fit,
    importance_files,
    made_up,
)
from models.send_time import FEATURES, SendTimeModel, send_hour_profile
from models.send_time_rules import BaseRate, BestHour90d, MostFrequentHour, PopulationCurve

CRITERION = Criterion("log_loss", log_loss, higher_is_better=False, margin=0.0002)

METHODS: Mapping[str, Callable[[], Any]] = MappingProxyType(
    {m.name: m for m in (BaseRate, PopulationCurve, MostFrequentHour, BestHour90d, SendTimeModel)}
)
"""Every way of choosing a time, simplest first."""


ABOUT = About(
    "When does a customer open mail? The chance of a human open within 24 hours of sending, by local hour of the week.",
    "the minute of sending within the plan's window; the chance of an open in the plan's values.",
    (
        "judging whether a customer is at work, asleep or away",
        "comparing customers' interest: the level of a chance rests on few sends of each",
    ),
    (
        "Hours in which the shop has never sent are known from visits and neighbouring hours alone.",
        "Opens by machines are filtered by rules; what they miss counts as a person.",
    ),
)


def learn_send_time(sends: pl.DataFrame, hours: pl.DataFrame, champion: str | None) -> Lesson:
    """Send time.

    Args:
        sends: `label_sends`; the newest as_of is the training date.
        hours: `feat_send_hours` of the same date, and of earlier ones: the last of these is where the holdout begins.
        champion: the method in office.
    """
    sends, now = _newest(sends), _newest(hours)
    before = _newest(hours.filter(pl.col("as_of") < pl.col("as_of").max()))
    answers = {method: Answer(np.empty(0), {}) for method in METHODS}
    outcome = np.empty(0)
    cut = before["as_of"].max()
    split = split_sends_at(sends, datetime.combine(cut, time.min)) if isinstance(cut, date) else None
    judged: dict[str, Any] = {}
    if split is not None:
        asked = split.test.select("customer_id").unique().sort("customer_id")
        profile = send_hour_profile(asked, before)
        outcome = _opened(split.test)
        for method in METHODS:
            judged[method] = _fit(method, split.train, before)
            predictions = judged[method].predict(profile)
            metrics = evaluate_send_time(predictions, split.test)
            answers[method] = Answer(send_probabilities(predictions, split.test), metrics)
    groups = split.test["customer_id"].rank("dense").cast(pl.Int64).to_numpy() if split is not None else None
    verdict, fitted = decide_and_fit(
        answers, outcome, CRITERION, champion, lambda m: _fit(m, sends, now), groups
    )
    today = send_hour_profile(_customers(now), now)
    example = made_up(today, N_EXAMPLE_ROWS)
    figures: dict[str, Figure] = {}
    tables = {"training_data.csv": _training_data(sends, cut)}
    if split is not None and len(outcome):
        predicted = {method: answer.predicted for method, answer in answers.items()}
        figures |= comparison_figure(verdict, answers, "log loss (lower is better)")
        figures["calibration.png"] = calibration_plot(
            predicted, outcome, f"Sends from {split.cut:%Y-%m-%d} on"
        )
        tables["calibration.csv"] = calibration_by_tenths(outcome, predicted[verdict.winner])
        importance = _importance(judged[verdict.winner], profile, split.test)
        drawn, counted = importance_files(importance, verdict.winner, CRITERION)
        figures, tables = {**figures, **drawn}, {**tables, **counted}
        curve = _fit(PopulationCurve.name, sends, now).predict(example.head(1))["p_open_by_hour"]
        figures["week.png"] = week_plot(
            curve[0].to_numpy(), "Chance of a human open by hour of sending, everyone"
        )
    winner = fitted[verdict.winner]
    earlier = send_hour_profile(_customers(before), before)
    references = {
        "features": Reference.of(counts_of(today), counts_of(earlier)),
        "scores": Reference.of(chances_of(winner.predict(today)), chances_of(winner.predict(earlier))),
    }
    return Lesson(verdict, answers, fitted, example, figures, tables, ABOUT, references)


def counts_of(profile: pl.DataFrame) -> pl.DataFrame:
    """open_rate (human opens per send; null where nothing was sent), n_visits per customer of a `send_hour_profile`.

    Sends themselves are left out: they are the shop's own doing and grow with every mail.
    """
    sent, opened, _, visits = (pl.col(f).arr.sum() for f in FEATURES)
    return profile.select(open_rate=pl.when(sent > 0).then(opened / sent), n_visits=visits)


def chances_of(scores: pl.DataFrame) -> pl.DataFrame:
    """p_mean and p_best (over the hours of the week), best_hour (0 to 23), basis: what drift is looked for in."""
    by_hour = pl.col("p_open_by_hour")
    return scores.select(
        p_mean=by_hour.list.mean(),
        p_best=by_hour.list.max(),
        best_hour=by_hour.list.arg_max() % 24,
        basis=pl.col("basis"),
    )


def _customers(hours: pl.DataFrame) -> pl.DataFrame:
    return hours.select("customer_id").unique().sort("customer_id")


def _opened(sends: pl.DataFrame) -> NDArray[np.float64]:
    return sends["is_human_open_24h"].fill_null(False).to_numpy().astype(np.float64)


def _importance(model: Any, profile: pl.DataFrame, sends: pl.DataFrame) -> pl.DataFrame:
    """Permutation importance between customers of what is known of them by hour, on a sample of the test's customers."""
    asked = sample_rows(profile, N_IMPORTANCE_ROWS)
    theirs = sends.join(asked.select("customer_id"), on="customer_id", how="semi", maintain_order="left")
    outcome = _opened(theirs)

    def judge(copies: pl.DataFrame, n_copies: int) -> NDArray[np.float64]:
        predictions = model.predict(copies)
        parts = (predictions.slice(i * asked.height, asked.height) for i in range(n_copies))
        return np.array([log_loss(outcome, send_probabilities(part, theirs)) for part in parts])

    return permutation_importance(asked, [f for f in model.features if f in FEATURES], judge, CRITERION)


def _training_data(sends: pl.DataFrame, cut: object) -> pl.DataFrame:
    """role, sends, customers, opened (share), first_sent, last_sent: the sends before the holdout and in it."""
    is_held = pl.lit(False) if cut is None else pl.col("sent_at") >= pl.lit(cut)
    role = pl.when(is_held).then(pl.lit("holdout, then learnt from")).otherwise(pl.lit("learnt from"))
    return (
        sends.group_by(role=role)
        .agg(
            sends=pl.len(),
            customers=pl.col("customer_id").n_unique(),
            opened=pl.col("is_human_open_24h").fill_null(False).mean(),
            first_sent=pl.col("sent_at").min().dt.date(),
            last_sent=pl.col("sent_at").max().dt.date(),
        )
        .sort("first_sent")
    )


def _newest(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("as_of") == pl.col("as_of").max())


def _fit(method: str, sends: pl.DataFrame, hours: pl.DataFrame) -> Any:
    """The method on everything; the learnt model also looks at when customers are about."""
    model = METHODS[method]()
    return model.fit(sends, hours) if isinstance(model, SendTimeModel) else model.fit(sends)
