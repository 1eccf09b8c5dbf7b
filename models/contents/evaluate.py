"""How good lists of contents were, judged by what the customers read next."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from models.contents.snapshot import ContentRecommender, ContentSnapshot
from models.evaluation.metrics import coverage_at_k, ranking_scores

K = 5


@dataclass(frozen=True)
class ContentScores:
    """metrics: name -> figure. per_customer, for intervals: customer_id, ndcg_5, recall_5, is_reader (had read before)."""

    metrics: dict[str, float]
    per_customer: pl.DataFrame


def relevant_contents(snapshot: ContentSnapshot, labels: pl.DataFrame) -> pl.DataFrame:
    """customer_id, content_id of what was right to show at the snapshot: read in the window, showable, new to the reader."""
    items = snapshot.items
    shown = items.products.filter(pl.Series(items.allowed())).select(content_id="product_id")
    return (
        labels.filter(pl.col("as_of") == snapshot.as_of)
        .select("customer_id", "content_id")
        .unique()
        .join(shown, on="content_id", how="semi")
        .join(snapshot.reads, on=["customer_id", "content_id"], how="anti")
        .sort("customer_id", "content_id")
    )


def evaluate_contents(
    recommender: ContentRecommender, snapshot: ContentSnapshot, labels: pl.DataFrame
) -> ContentScores:
    """NDCG@5, recall@5 (over min(5, relevant)) and coverage@5 on the customers who read something new to them.

    recommender: fitted. labels: `label_contents` of the snapshot's date. `_readers` and `_others` are the figures of those
    who had read something before and of those who had not.
    """
    relevant = relevant_contents(snapshot, labels)
    customers = relevant.select("customer_id").unique().sort("customer_id")
    lists = recommender.predict(snapshot, customers)
    known = snapshot.reads["customer_id"].unique().implode()
    scores = ranking_scores(lists, relevant, k=K, item="content_id").select(
        "customer_id", ndcg_5="ndcg", recall_5="recall", is_reader=pl.col("customer_id").is_in(known)
    )
    groups = {
        "": scores,
        "_readers": scores.filter("is_reader"),
        "_others": scores.filter(~pl.col("is_reader")),
    }
    metrics = {
        f"{metric}{suffix}": _mean(rows[metric])
        for suffix, rows in groups.items()
        for metric in ("ndcg_5", "recall_5")
    }
    metrics["coverage_5"] = coverage_at_k(lists, int(snapshot.items.allowed().sum()), k=K, item="content_id")
    metrics["n_customers"] = float(customers.height)
    return ContentScores(metrics, scores)


def _mean(values: pl.Series) -> float:
    return float(values.to_numpy().mean()) if len(values) else float("nan")
