"""The lesson on when mail is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from models.evaluation.champion import Criterion
from models.evaluation.contest import Answer
from models.evaluation.metrics import log_loss
from models.evaluation.plots import comparison_plot, week_plot
from models.evaluation.send_time import evaluate_send_time, send_probabilities, split_sends_at
from models.lessons.lesson import N_EXAMPLE_ROWS, Lesson, anonymous, decide_and_fit
from models.send_time import SendTimeModel, send_hour_profile
from models.send_time_rules import BaseRate, BestHour90d, MostFrequentHour, PopulationCurve

CRITERION = Criterion("log_loss", log_loss, higher_is_better=False, margin=0.0002)

METHODS: Mapping[str, Callable[[], Any]] = MappingProxyType(
    {m.name: m for m in (BaseRate, PopulationCurve, MostFrequentHour, BestHour90d, SendTimeModel)}
)
"""Every way of choosing a time, simplest first."""


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
    if split is not None:
        asked = split.test.select("customer_id").unique().sort("customer_id")
        profile = send_hour_profile(asked, before)
        outcome = split.test["is_human_open_24h"].fill_null(False).to_numpy().astype(np.float64)
        for method in METHODS:
            predictions = _fit(method, split.train, before).predict(profile)
            metrics = evaluate_send_time(predictions, split.test)
            metrics = {name: figure for name, figure in metrics.items() if not name.startswith("policy_")}
            answers[method] = Answer(send_probabilities(predictions, split.test), metrics)
    groups = split.test["customer_id"].rank("dense").cast(pl.Int64).to_numpy() if split is not None else None
    verdict, fitted = decide_and_fit(
        answers, outcome, CRITERION, champion, lambda m: _fit(m, sends, now), groups
    )
    customers = now.select("customer_id").unique().sort("customer_id").head(N_EXAMPLE_ROWS)
    example = anonymous(send_hour_profile(customers, now))
    figures: dict[str, Figure] = {}
    if len(outcome):
        deciding = {m: a.metrics[CRITERION.name] for m, a in answers.items()}
        figures["comparison.png"] = comparison_plot(deciding, "log loss (lower is better)", verdict.winner)
        curve = _fit(PopulationCurve.name, sends, now).predict(example.head(1))["p_open_by_hour"]
        figures["week.png"] = week_plot(
            curve[0].to_numpy(), "Chance of a human open by hour of sending, everyone"
        )
    return Lesson(verdict, answers, fitted, example, figures)


def _newest(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("as_of") == pl.col("as_of").max())


def _fit(method: str, sends: pl.DataFrame, hours: pl.DataFrame) -> Any:
    """The method on everything; the learnt model also looks at when customers are about."""
    model = METHODS[method]()
    return model.fit(sends, hours) if isinstance(model, SendTimeModel) else model.fit(sends)
