"""Which articles customers of simulated shops read next, beside what their true tastes would have said."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assets.training import READ_DAYS, purchase_windows
from benchmarks.evaluate.simulated import SimulatedShop, build_shop, build_tables
from benchmarks.evaluate.table import Table, Target
from models.contents import ContentRanker, ContentSnapshot, content_snapshots, evaluate_contents
from models.contents.evaluate import K, relevant_contents
from models.evaluation.champion import mean_of_rows
from models.evaluation.intervals import bootstrap_interval, paired_difference
from models.evaluation.metrics import ranking_scores
from models.lessons.contents import METHODS
from shop.articles import ARTICLES
from shop.catalogue import CATEGORY_NAMES, CATEGORY_OF_SUBCATEGORY, SUBCATEGORY_NAMES
from shop.config import ShopConfig

SEEDS = (11, 12, 13)
CUSTOMERS, DAYS = 2_000, 180
MODELS = ("feat_content_reads", "feat_content", "feat_interactions", "feat_product", "label_contents")
TRUTH = "true taste"
METRICS = ("ndcg_5", "recall_5", "ndcg_5_readers", "ndcg_5_others", "coverage_5")


def tables(data: Path) -> Iterator[Table]:
    """Every method of the weekly contest on three simulated shops."""
    rows, per_customer = [], []
    for seed in SEEDS:
        figures, scores = _simulated(seed)
        rows.append(figures.with_columns(seed=pl.lit(seed)))
        per_customer.append(scores)
    figures = pl.concat(rows, how="diagonal")
    means = figures.group_by("method", maintain_order=True).agg(
        *(pl.col(metric).mean() for metric in (*METRICS, "fit_seconds", "score_seconds")),
        ndcg_5_worst_shop=pl.col("ndcg_5").min(),
        ndcg_5_best_shop=pl.col("ndcg_5").max(),
    )
    yield Table(
        name="contents_simulated",
        title=f"seeds {', '.join(map(str, SEEDS))} ({CUSTOMERS:,} customers, {DAYS} days each), mean of the shops: contents "
        f"read for the first time in the last {READ_DAYS} days by those who read any ("
        f"{', '.join(str(s.height) for s in per_customer)}); intervals: 95 % bootstrap by customer over all shops; "
        "lead: of the ranker over the method",
        figures=means.join(
            _intervals(pl.concat(per_customer)), on="method", how="left", maintain_order="left"
        ),
        params={"seeds": SEEDS, "customers": CUSTOMERS, "days": DAYS},
        targets=(Target("topic_match", "lead_low", low=0.0),),
    )


def _simulated(seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Figures by method; NDCG@5 per customer, a column per method."""
    with tempfile.TemporaryDirectory() as folder:
        shop = build_shop(ShopConfig(customers=CUSTOMERS, days=DAYS, seed=seed), Path(folder))
        now, past, labels = frames(shop)
        truth = shop.true("tastes")
    known = labels.filter(pl.col("as_of") < now.as_of)
    rows: list[dict[str, Any]] = []
    columns: dict[str, pl.Series] = {}
    for method, make in METHODS.items():
        start = time.process_time()
        fitted = make().fit(past, known)
        learnt = time.process_time()
        scores = evaluate_contents(fitted, now, labels)
        seconds = {"fit_seconds": learnt - start, "score_seconds": time.process_time() - learnt}
        rows.append({"method": method, **scores.metrics, **seconds})
        columns[method] = scores.per_customer["ndcg_5"]
    best = ranking_scores(
        true_order(now, labels, truth), relevant_contents(now, labels), k=K, item="content_id"
    )
    rows.append({"method": TRUTH, "ndcg_5": best["ndcg"].mean(), "recall_5": best["recall"].mean()})
    columns[TRUTH] = best["ndcg"]
    return pl.DataFrame(rows, infer_schema_length=None), pl.DataFrame(columns)


def frames(shop: SimulatedShop) -> tuple[ContentSnapshot, list[ContentSnapshot], pl.DataFrame]:
    """The shop a label window before its last day, the earlier windows that a training would then know, all labels."""
    holdout = shop.week - timedelta(days=READ_DAYS)
    first = holdout - timedelta(days=DAYS - 2 * READ_DAYS)
    windows = [day for day in purchase_windows(holdout) if day >= first]
    build_tables(shop, MODELS, [*windows, holdout, shop.week])
    reads, contents, interactions, products, labels = (shop.table(name) for name in MODELS)
    snapshots = {s.as_of: s for s in content_snapshots(reads, contents, interactions, products)}
    return snapshots[holdout], [snapshots[day] for day in windows], labels


def true_order(now: ContentSnapshot, labels: pl.DataFrame, tastes: pl.DataFrame) -> pl.DataFrame:
    """What one would show who knew every customer's taste: unread contents by the mean taste for their main category."""
    relevant = relevant_contents(now, labels)
    people = relevant.select("customer_id").unique().join(tastes, on="customer_id").sort("customer_id")
    by_shelf = people.select(SUBCATEGORY_NAMES).to_numpy()
    by_category = np.column_stack(
        [
            by_shelf[:, np.asarray(CATEGORY_OF_SUBCATEGORY) == c].mean(axis=1)
            for c in range(len(CATEGORY_NAMES))
        ]
    )
    taste = pl.DataFrame(by_category, schema=[name.lower() for name in CATEGORY_NAMES]).with_columns(
        people["customer_id"]
    )
    long = taste.unpivot(index="customer_id", variable_name="topic", value_name="taste")
    main = pl.DataFrame(
        {"title": [row[0] for row in ARTICLES], "topic": [row[2][0].lower() for row in ARTICLES]}
    )
    return (
        now.contents.filter(pl.Series(now.items.allowed()))
        .join(main, on="title")
        .select("content_id", "topic")
        .join(long, on="topic")
        .join(now.reads, on=["customer_id", "content_id"], how="anti")
        .sort(["customer_id", "taste", "content_id"], descending=[False, True, False])
        .with_columns(rank=pl.int_range(1, pl.len() + 1).over("customer_id"))
    )


def _intervals(per_customer: pl.DataFrame) -> pl.DataFrame:
    """method, the interval of NDCG@5, and the ranker's lead over it with its ends; customers resampled."""
    ours = per_customer[ContentRanker.name].to_numpy()
    nothing = np.zeros(len(ours))
    rows = []
    for method in per_customer.columns:
        theirs = per_customer[method].to_numpy()
        figure = bootstrap_interval(mean_of_rows, nothing, theirs)
        lead = paired_difference(mean_of_rows, nothing, ours, theirs)
        is_rival = method not in (ContentRanker.name, TRUTH)
        rows.append(
            {
                "method": method,
                "ndcg_5_low": figure.low,
                "ndcg_5_high": figure.high,
                "lead": lead.estimate if is_rival else None,
                "lead_low": lead.low if is_rival else None,
                "lead_high": lead.high if is_rival else None,
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None)
