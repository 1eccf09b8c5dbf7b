"""The lesson on who behaves alike. There is no contest: segments are described, not predicted."""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from models.evaluation.contest import Answer, Verdict
from models.evaluation.plots import comparison_plot
from models.lessons.lesson import N_EXAMPLE_ROWS, Lesson, anonymous
from models.segments import CustomerSegments


def learn_segments(customers: pl.DataFrame, former: CustomerSegments | None) -> Lesson:
    """Segments of the newest snapshot.

    Args: customers: feat_customer of those seen by then. former: last week's segments, whose ids are kept.
    """
    now = customers.filter(pl.col("as_of") == pl.col("as_of").max()).sort("customer_id")
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
        anonymous(now.head(N_EXAMPLE_ROWS)),
        {"sizes.png": comparison_plot(names, "share of customers", largest)},
    )
