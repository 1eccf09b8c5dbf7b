"""The lesson on who will buy from which category."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from models.evaluation.contest import Answer
from models.evaluation.plots import calibration_plot, comparison_plot
from models.features import FloatArray
from models.lessons.lesson import N_EXAMPLE_ROWS, Lesson, anonymous, decide_and_fit
from models.propensity import (
    BASELINES,
    CRITERION,
    CategoryPropensity,
    evaluate_propensity,
    match_outcome,
)
from models.propensity_rules import HORIZON_DAYS, LABEL, PropensityEstimator, labelled
from models.shelves import sampled, shelf_frame, with_labels

METHODS: Mapping[str, Callable[[], PropensityEstimator]] = MappingProxyType(
    {**BASELINES, CategoryPropensity.name: CategoryPropensity}
)
N_SNAPSHOTS = 5
"""The newest so many labelled snapshots; the last of them is the holdout."""

CUSTOMERS_PER_SNAPSHOT = 1_000
"""A pair of customer and shelf is a row: as many as these make teach what all would."""

SEED = 7


def propensity_frame(
    customers: pl.DataFrame, interactions: pl.DataFrame, products: pl.DataFrame, labels: pl.DataFrame
) -> pl.DataFrame:
    """The training frame: shelves of a sample of customers at now and the newest labelled snapshots.

    Args: feat_customer (those seen by then), feat_interactions, feat_product and label_categories of one week.
    """
    is_over = pl.col("as_of") + pl.duration(days=HORIZON_DAYS) <= pl.col("as_of").max()
    days = customers.filter(is_over)["as_of"].unique().sort().tail(N_SNAPSHOTS)
    kept = pl.col("as_of").is_in(days.implode()) | (pl.col("as_of") == pl.col("as_of").max())
    some = sampled(customers.filter(kept), CUSTOMERS_PER_SNAPSHOT, SEED)
    return with_labels(shelf_frame(some, interactions, products), labels, HORIZON_DAYS)


def learn_propensity(frame: pl.DataFrame, champion: str | None) -> Lesson:
    """Purchase propensity from `propensity_frame`; `champion` is the method in office."""
    known = labelled(frame)
    holdout = known.filter(pl.col("as_of") == pl.col("as_of").max())
    ended = pl.col("as_of") + pl.duration(days=HORIZON_DAYS) <= pl.lit(holdout["as_of"].max(), pl.Date)
    past = known.filter(ended) if holdout.height else known
    answers = {method: Answer(np.empty(0), {}) for method in METHODS}
    outcome: FloatArray = np.empty(0)
    groups = None
    figures: dict[str, Figure] = {}
    if past.height:
        groups = holdout["customer_id"].rank("dense").to_numpy().astype(np.int64)
        for method, make in METHODS.items():
            predictions = make().fit(past).predict(holdout.drop(LABEL))
            outcome, predicted = match_outcome(predictions, holdout)
            answers[method] = Answer(predicted, evaluate_propensity(predictions, holdout))
    verdict, fitted = decide_and_fit(
        answers, outcome, CRITERION, champion, lambda method: METHODS[method]().fit(frame), groups
    )
    if past.height:
        predicted_by = {method: answer.predicted for method, answer in answers.items()}
        title = f"Holdout of {holdout['as_of'][0]}"
        figures["holdout.png"] = calibration_plot(predicted_by, outcome, title)
        deciding = {method: answer.metrics[CRITERION.name] for method, answer in answers.items()}
        figures["comparison.png"] = comparison_plot(deciding, CRITERION.name, verdict.winner)
    now = frame.filter(pl.col("as_of") == pl.col("as_of").max()).drop(LABEL)
    return Lesson(verdict, answers, fitted, anonymous(now.head(N_EXAMPLE_ROWS)), figures)
