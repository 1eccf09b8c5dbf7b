"""The lesson on who behaves alike. There is no contest: segments are described, not predicted."""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from models.evaluation.contest import Answer, Verdict
from models.evaluation.drift import MIN_ROWS_PER_BIN, Reference
from models.evaluation.plots import comparison_plot, profile_plot
from models.lessons.lesson import N_EXAMPLE_ROWS, About, Lesson, made_up
from models.order_rates import newest
from models.segments import BEHAVIOUR, CustomerSegments

ABOUT = About(
    "Who behaves alike? Groups of customers by what they did, each with a name and an id that stays from week to week.",
    "speaking about customers, choosing them in marketing.duckdb; no plan is decided on it yet.",
    (
        "a forecast: a segment says how its customers behaved, not what they will do",
        "excluding a person from a price, a credit or a service",
    ),
    (
        "Customers are a continuum: at a low silhouette many lie between two segments.",
        "Ids go on from the champion of the week before; without it they start again at 1.",
    ),
)


def learn_segments(customers: pl.DataFrame, former: CustomerSegments | None) -> Lesson:
    """Segments of the newest snapshot.

    Args: customers: feat_customer of those seen by then. former: last week's segments, whose ids are kept.
    """
    now = newest(customers).sort("customer_id")
    before = newest(customers.filter(pl.col("as_of") < pl.col("as_of").max()))
    segments = CustomerSegments(former=former).fit(now)
    metrics = segments.metrics
    n, rand = len(segments.segments), metrics["adjusted_rand"]
    since = f"adjusted Rand index {rand:.2f} to the week before" if math.isfinite(rand) else "the first ones"
    reason = f"{segments.name}: {n} segments, mean silhouette {metrics['silhouette']:.3f}; {since}"
    names = {segment.name: metrics[f"share_{segment.id}"] for segment in segments.segments}
    largest = max(names, key=lambda name: names[name])
    return Lesson(
        Verdict(segments.name, None, reason),
        {segments.name: Answer(np.empty(0), metrics)},
        {segments.name: segments},
        made_up(now, N_EXAMPLE_ROWS),
        {
            "sizes.png": comparison_plot(names, "share of customers", largest),
            "profile.png": profile_plot(
                segments.centres, list(names), BEHAVIOUR, "Deviations from the mean of all customers"
            ),
        },
        {"profile.csv": profile(segments, now)},
        ABOUT,
        {
            "features": Reference.of(now.select(BEHAVIOUR), before.select(BEHAVIOUR)),
            "scores": Reference.of(
                membership_of(segments.predict(now)), membership_of(segments.predict(before))
            ),
        },
    )


def profile(segments: CustomerSegments, customers: pl.DataFrame) -> pl.DataFrame:
    """segment_id, segment, customers, and the mean of each column of behaviour; the largest first.

    Means of fewer than MIN_ROWS_PER_BIN customers are left out: they would say too much of them.
    """
    found = pl.concat(
        [segments.predict(customers).select("segment_id", "segment"), customers.select(BEHAVIOUR)],
        how="horizontal",
    )
    of_many = pl.col(BEHAVIOUR).count() >= MIN_ROWS_PER_BIN
    means = found.group_by("segment_id", "segment").agg(
        pl.len().alias("customers"), pl.when(of_many).then(pl.col(BEHAVIOUR).mean())
    )
    return means.filter(pl.col("customers") >= MIN_ROWS_PER_BIN).sort(
        ["customers", "segment_id"], descending=[True, False]
    )


def membership_of(scores: pl.DataFrame) -> pl.DataFrame:
    """The learnt segment of each customer, by name: what drift is looked for in."""
    return scores.select("segment")
