"""How good the lists were, judged by what the customers bought next."""

from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from models.evaluation.metrics import coverage_at_k, ranking_scores
from models.recommend.diversity import list_diversity
from models.recommend.snapshot import CUSTOMERS_AT_ONCE, Snapshot


@dataclass(frozen=True)
class RecommendationScores:
    """metrics: name -> figure, for the tracker.

    per_customer, for intervals and paired comparisons: customer_id, ndcg_10, recall_20, new_ndcg_10, new_recall_20
    (null where he bought nothing new).
    """

    metrics: dict[str, float]
    per_customer: pl.DataFrame


def evaluate_recommendations(
    recommender: Any, snapshot: Snapshot, labels: pl.DataFrame
) -> RecommendationScores:
    """Recall@20, NDCG@10, coverage@10 and diversity@10 on the customers with history who bought within the label window.

    recommender: fitted, a dataclass with `rules`. labels: `label_purchases` of the snapshot's date. `new_`
    metrics ask the recommender for products the customer had not bought before and count only those.
    Coverage is over showable products; diversity_10 is `list_diversity`. Judged under the recommender's rules, with 20
    slots.
    """
    bought = labels.filter(pl.col("as_of") == snapshot.as_of).select("customer_id", "product_id").unique()
    relevant = bought.join(snapshot.interactions, on="customer_id", how="semi").sort(
        "customer_id", "product_id"
    )
    owned = snapshot.interactions.filter(pl.col("n_purchases") > 0)
    fresh = relevant.join(owned, on=["customer_id", "product_id"], how="anti")
    metrics: dict[str, float] = {}
    per_customer = customers = relevant.select("customer_id").unique().sort("customer_id")
    any_lists, new_lists = _lists(recommender, snapshot, customers)
    for prefix, truth, lists in (("", relevant, any_lists), ("new_", fresh, new_lists)):
        scores = (
            ranking_scores(lists, truth, k=10)
            .select("customer_id", pl.col("ndcg").alias(f"{prefix}ndcg_10"))
            .with_columns(ranking_scores(lists, truth, k=20)["recall"].alias(f"{prefix}recall_20"))
        )
        per_customer = per_customer.join(scores, on="customer_id", how="left", maintain_order="left")
        for metric in scores.columns[1:]:
            metrics[metric] = _mean(scores[metric])
    metrics["coverage_10"] = coverage_at_k(any_lists, int(snapshot.allowed().sum()), k=10)
    metrics["diversity_10"] = list_diversity(any_lists, snapshot, k=10)
    metrics["n_customers"] = float(customers.height)
    return RecommendationScores(metrics, per_customer)


def _lists(
    recommender: Any, snapshot: Snapshot, customers: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Lists of 20 of whatever products, and of those that are new to the customer; a ranker looks at each customer once
    for both.
    """
    rules = replace(recommender.rules, n=20)
    kinds = [replace(recommender, rules=replace(rules, is_new_only=is_new)) for is_new in (False, True)]
    slices = list(customers.iter_slices(CUSTOMERS_AT_ONCE)) or [customers]
    parts = [[kind.predict(snapshot, asked) for kind in kinds] for asked in slices]
    any_lists, new_lists = (pl.concat(lists) for lists in zip(*parts, strict=True))
    return any_lists, new_lists


def _mean(values: pl.Series) -> float:
    return float(values.to_numpy().mean()) if len(values) else float("nan")
