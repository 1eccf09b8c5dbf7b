"""The lesson on who will buy from which category."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from models.evaluation.contest import Answer
from models.evaluation.drift import Reference
from models.evaluation.importance import permutation_importance, sample_rows
from models.evaluation.metrics import calibration_by_tenths
from models.evaluation.plots import calibration_plot, lift_plot
from models.features import KEYS, FloatArray
from models.lessons.lesson import (
    N_EXAMPLE_ROWS,
    N_EXPLAINED_ROWS,
    About,
    Lesson,
    comparison_figure,
    contribution_files,
    decide_and_fit,
    importance_files,
    made_up,
    snapshot_role,
)
from models.model import Explains
from models.propensity import (
    BASELINES,
    BEHAVIOUR,
    CRITERION,
    CategoryPropensity,
    evaluate_propensity,
    match_outcome,
)
from models.propensity_rules import HORIZON_DAYS, LABEL, PropensityEstimator, bought, labelled
from models.shelves import CATEGORY, CUSTOMER_COLUMNS, POPULARITY, SHELF, sampled, shelf_frame, with_labels

METHODS: Mapping[str, Callable[[], PropensityEstimator]] = MappingProxyType(
    {**BASELINES, CategoryPropensity.name: CategoryPropensity}
)
N_SNAPSHOTS = 5
"""The newest so many labelled snapshots; the last of them is the holdout."""

CUSTOMERS_PER_SNAPSHOT = 1_000
"""A pair of customer and shelf is a row: as many as these make teach what all would."""

N_IMPORTANCE_CUSTOMERS = 200
"""Of the holdout, with all their shelves: a shelf is bought from by one customer in thirty, so fewer say nothing."""

SEED = 7

ABOUT = About(
    "Will a customer buy from a category, or from a subcategory? The chance of a purchase within 14 days.",
    "choosing whom to tell of a category (marketing.duckdb); no plan is decided on it yet.",
    (
        "a statement on a person's needs or way of life: sensitive products teach nothing here and are not asked about",
        "the effect of a message about the category: purchases are counted whether or not one was sent",
    ),
    (
        "The level of the season is not foreseen: before a feast all chances are too low, their order holds.",
        "Customers without behaviour get what all customers do; the column basis says so.",
    ),
)


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
    judged: dict[str, PropensityEstimator] = {}
    groups = None
    if past.height:
        groups = holdout["customer_id"].rank("dense").to_numpy().astype(np.int64)
        for method, make in METHODS.items():
            judged[method] = make().fit(past)
            predictions = judged[method].predict(holdout.drop(LABEL))
            outcome, predicted = match_outcome(predictions, holdout)
            answers[method] = Answer(predicted, evaluate_propensity(predictions, holdout))
    verdict, fitted = decide_and_fit(
        answers, outcome, CRITERION, champion, lambda method: METHODS[method]().fit(frame), groups
    )
    now = frame.filter(pl.col("as_of") == pl.col("as_of").max()).drop(LABEL)
    figures: dict[str, Figure] = {}
    tables = {"training_data.csv": _training_data(frame)}
    if past.height:
        predicted_by = {method: answer.predicted for method, answer in answers.items()}
        title = f"Holdout of {holdout['as_of'][0]}"
        figures["calibration.png"] = calibration_plot(predicted_by, outcome, title)
        figures["lift.png"] = lift_plot(predicted_by, outcome, title)
        figures |= comparison_figure(verdict, answers, "log loss (lower is better)")
        tables["calibration.csv"] = calibration_by_tenths(outcome, predicted_by[verdict.winner])
        importance = _importance(judged[verdict.winner], holdout)
        drawn, counted = importance_files(importance, verdict.winner, CRITERION)
        figures, tables = {**figures, **drawn}, {**tables, **counted}
    for model in fitted.values():
        if isinstance(model, Explains):
            explanation = model.explain(sample_rows(now, N_EXPLAINED_ROWS))
            drawn, counted = contribution_files(explanation, model.name)
            figures, tables = {**figures, **drawn}, {**tables, **counted}
    winner, before = fitted[verdict.winner], holdout.drop(LABEL)
    references = {
        "features": Reference.of(behaviour_of(now), behaviour_of(before)),
        "scores": Reference.of(chances_of(winner.predict(now)), chances_of(winner.predict(before))),
    }
    example = made_up(now, N_EXAMPLE_ROWS)
    return Lesson(verdict, answers, fitted, example, figures, tables, ABOUT, references)


def behaviour_of(customers: pl.DataFrame) -> pl.DataFrame:
    """What is read of each customer, once per customer and snapshot: what drift is looked for in."""
    return customers.unique(KEYS, keep="first", maintain_order=True).select(BEHAVIOUR)


def chances_of(scores: pl.DataFrame) -> pl.DataFrame:
    """p_purchase_14d, basis of whole categories, of a model's answers or of a score table: what drift is looked for in."""
    is_whole = pl.col("level") == CATEGORY if "level" in scores.columns else pl.col("subcategory").is_null()
    return scores.filter(is_whole).select("p_purchase_14d", "basis")


def _importance(model: PropensityEstimator, holdout: pl.DataFrame) -> pl.DataFrame:
    """Permutation importance on a sample of the holdout's customers: what is known of a customer is dealt out among
    customers, what is known of a shelf among shelves.
    """
    customers = sample_rows(
        holdout.select("customer_id").unique().sort("customer_id"), N_IMPORTANCE_CUSTOMERS
    )
    sample = holdout.join(customers, on="customer_id", how="semi", maintain_order="left")
    outcome = bought(sample)

    def judge(copies: pl.DataFrame, n_copies: int) -> FloatArray:
        number = pl.int_range(pl.len()) // sample.height
        apart = copies.with_columns(pl.format("{}/{}", number, "customer_id").alias("customer_id"))
        p = model.predict(apart)["p_purchase_14d"].to_numpy().reshape(n_copies, -1)
        return np.array([CRITERION.metric(outcome, row) for row in p])

    read = [feature for feature in model.features if feature not in SHELF]
    of_customer = sample["customer_id"].rank("dense").to_numpy().astype(np.int64)
    shelf = sample.select(pl.concat_str(SHELF, separator="/")).to_series()
    of_shelf = shelf.rank("dense").to_numpy().astype(np.int64)
    units = {feature: of_customer for feature in read if feature in (*CUSTOMER_COLUMNS, "total_weight")}
    units |= {feature: of_shelf for feature in read if feature in POPULARITY}
    return permutation_importance(sample, read, judge, CRITERION, units=units)


def _training_data(frame: pl.DataFrame) -> pl.DataFrame:
    """as_of, customers, pairs (of customer and shelf), bought (share of pairs), role: one row per snapshot, oldest first."""
    return (
        frame.group_by("as_of")
        .agg(
            customers=pl.col("customer_id").n_unique(),
            pairs=pl.len(),
            bought=pl.col(LABEL).cast(pl.Float64).mean(),
        )
        .sort("as_of")
        .with_columns(role=snapshot_role(pl.col("bought").is_not_null()))
    )
