"""What a gift wholesaler's customers buy in the next 30 days (UCI Online Retail II), at two cuts.

Settings were chosen on windows before the later cut alone; the earlier cut shows another season. The curves show what accuracy
costs when lists are to reach more of the assortment, or to be more varied.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assets.training import PURCHASE_DAYS, purchase_windows
from benchmarks.evaluate.gift_shop import GiftShop
from benchmarks.evaluate.table import Table, Target
from models.evaluation.champion import mean_of_rows
from models.evaluation.intervals import bootstrap_interval
from models.lessons.products import METHODS
from models.recommend import Ranker, Recommender, Snapshot, evaluate_recommendations

CUTS = {
    "online_retail_2011_11_09": date(2011, 11, 10),
    "online_retail_2011_05_31": date(2011, 6, 1),
}
"""Table -> the first day that nobody knows yet."""

TARGETS = (
    Target("ranker", "ndcg_10", low=0.385),
    Target("ranker", "recall_20", low=0.380),
    Target("ranker", "new_ndcg_10", low=0.145),
    Target("ranker", "new_recall_20", low=0.155),
    Target("ranker", "coverage_10", low=0.30),
)
POPULARITY_COSTS = (0.0, 0.25, 0.5, 1.0, 2.0)
DIVERSITIES = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0)
WITH_INTERVAL = ("ndcg_10", "new_ndcg_10")


def tables(data: Path) -> Iterator[Table]:
    """Per cut every method of the weekly contest, learnt from the windows that production would use; then what the ranker
    pays in accuracy for coverage and for variety."""
    shop = GiftShop.read(data)
    for name, cut in CUTS.items():
        windows = purchase_windows(cut)
        now, past = shop.snapshot(cut), [shop.snapshot(day) for day in windows]
        labels = shop.labels([*windows, cut], PURCHASE_DAYS)
        known = labels.filter(pl.col("as_of") < cut)
        fitted = {method: make().fit(past, known) for method, make in METHODS.items()}
        rows = [judge(method, recommender, now, labels) for method, recommender in fitted.items()]
        yield Table(
            name,
            f"Purchases from {cut} on for {PURCHASE_DAYS} days, learnt from {len(windows)} earlier windows",
            pl.DataFrame(rows),
            {"cut": str(cut), "windows": ", ".join(map(str, windows))},
            TARGETS if cut == max(CUTS.values()) else (),
        )
        ranker = fitted[Ranker.name]
        if isinstance(ranker, Ranker):
            yield Table(
                f"{name}_coverage",
                f"The ranker's lists from {cut} on where popular products lose score (popularity_cost)",
                pl.DataFrame(
                    [judge(f"cost {cost:g}", _dearer(ranker, cost), now, labels) for cost in POPULARITY_COSTS]
                ),
            )
            yield Table(
                f"{name}_diversity",
                f"The ranker's lists from {cut} on where products like those above lose score (diversity)",
                pl.DataFrame(
                    [judge(f"cost {value:g}", _varied(ranker, value), now, labels) for value in DIVERSITIES]
                ),
            )


def _dearer(ranker: Ranker, cost: float) -> Ranker:
    return replace(ranker, params=replace(ranker.params, popularity_cost=cost))


def _varied(ranker: Ranker, diversity: float) -> Ranker:
    return replace(ranker, rules=replace(ranker.rules, diversity=diversity))


def judge(method: str, fitted: Recommender, now: Snapshot, labels: pl.DataFrame) -> dict[str, Any]:
    """A row: the means over customers, and the 95 % bootstrap bounds of the metrics that decide."""
    scores = evaluate_recommendations(fitted, now, labels)
    row: dict[str, Any] = {"method": method, **scores.metrics}
    for metric in WITH_INTERVAL:
        values = scores.per_customer[metric].drop_nulls().to_numpy().astype(np.float64)
        interval = bootstrap_interval(mean_of_rows, np.zeros(len(values)), values)
        row |= {f"{metric}_low": interval.low, f"{metric}_high": interval.high}
    return row
