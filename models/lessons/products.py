"""The lesson on what to recommend."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from types import MappingProxyType

import numpy as np
import polars as pl

from models.evaluation.champion import Criterion, mean_of_rows
from models.evaluation.contest import Answer
from models.evaluation.drift import Reference
from models.evaluation.importance import sample_rows
from models.lessons.lesson import (
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
from models.recommend import Als, Blend, BuyAgain, Ease, ItemNeighbours, Popular, Ranker, Recommender
from models.recommend.evaluate import evaluate_recommendations
from models.recommend.importance import explained, list_importance
from models.recommend.served import ServedRecommender
from models.recommend.snapshot import Snapshot

CRITERION = Criterion("ndcg_10", mean_of_rows, higher_is_better=True, margin=0.002)
N_EXAMPLE_INTERACTIONS = 20
N_IMPORTANCE_CUSTOMERS = 120
N_EXPLAINED_CUSTOMERS = 100

METHODS: Mapping[str, Callable[[], Recommender]] = MappingProxyType(
    {method.name: method for method in (Popular, BuyAgain, ItemNeighbours, Als, Ease, Blend, Ranker)}
)
"""Every way of recommending, simplest first."""


ABOUT = About(
    "Which products will a customer buy? Ranked lists per customer, judged by the purchases of the next 30 days.",
    "the product slots of mails; each product says the source it comes from.",
    (
        "a statement on a person's needs: sensitive products are never shown, and must not be inferred",
        "the effect of showing a product: purchases are counted whether or not it was shown",
    ),
    (
        "Customers without history get popular products.",
        "Scores are comparable within a customer's list alone.",
    ),
)


def learn_recommendations(
    snapshots: Sequence[Snapshot], labels: pl.DataFrame, label_days: int, champion: str | None
) -> Lesson:
    """Recommendations.

    Args:
        snapshots: oldest first; the last is the shop now, without labels.
        labels: `label_purchases` of the earlier snapshots, over `label_days` each.
        label_days: length of a label window.
        champion: the method in office.
    """
    now, earlier = snapshots[-1], list(snapshots[:-1])
    answers = {method: Answer(np.empty(0), {}) for method in METHODS}
    lists = {snapshot.as_of: Ranker().lists(snapshot, labels) for snapshot in earlier}

    def fit(method: str, past: Sequence[Snapshot]) -> Recommender:
        recommender = METHODS[method]()
        if isinstance(recommender, Ranker):
            return recommender.learn([lists[snapshot.as_of] for snapshot in past])
        return recommender.fit(past, _labels(labels, past))

    outcome = np.empty(0)
    judged: dict[str, Recommender] = {}
    holdout = earlier[-1] if earlier else now
    if earlier:
        past = [s for s in earlier if (holdout.as_of - s.as_of).days >= label_days]
        for method in METHODS:
            judged[method] = fit(method, past)
            scores = evaluate_recommendations(judged[method], holdout, labels)
            per_customer = scores.per_customer.sort("customer_id")["ndcg_10"].to_numpy()
            answers[method] = Answer(per_customer.astype(np.float64), scores.metrics)
            outcome = np.zeros(len(per_customer))
    verdict, fitted = decide_and_fit(
        answers,
        outcome,
        CRITERION,
        champion,
        lambda method: ServedRecommender(fit(method, earlier), now.products, now.pairs),
    )
    figures = comparison_figure(verdict, answers, "NDCG@10") if len(outcome) else {}
    tables = {"training_data.csv": _training_data(snapshots, labels)}
    best = judged.get(verdict.winner)
    if isinstance(best, Ranker):
        importance = list_importance(best, holdout, labels, CRITERION, n_customers=N_IMPORTANCE_CUSTOMERS)
        drawn, counted = importance_files(importance, best.name, CRITERION)
        figures, tables = {**figures, **drawn}, {**tables, **counted}
    for model in fitted.values():
        if isinstance(model.recommender, Ranker):
            asked = sample_rows(pl.DataFrame({"customer_id": now.everybody}), N_EXPLAINED_CUSTOMERS)
            explanation = explained(model.recommender, now, asked, N_EXPLAINED_ROWS)
            drawn, counted = contribution_files(explanation, model.name)
            figures, tables = {**figures, **drawn}, {**tables, **counted}
    example = made_up(now.interactions.sort("customer_id", "product_id"), N_EXAMPLE_INTERACTIONS)
    customers = sample_rows(pl.DataFrame({"customer_id": now.everybody}), N_EXPLAINED_ROWS)
    shown = fitted[verdict.winner].recommender.predict(now, customers)
    references = {
        "features": Reference.of(
            activity_of(now.interactions),
            activity_of(earlier[-1].interactions if earlier else now.interactions.clear()),
        ),
        "scores": Reference.of(sources_of(shown)),
    }
    return Lesson(
        verdict,
        answers,
        fitted,
        example,
        figures,
        tables,
        ABOUT,
        references,
    )


def activity_of(interactions: pl.DataFrame) -> pl.DataFrame:
    """Per customer: products touched, purchases, views and baskets: what drift is looked for in."""
    return (
        interactions.group_by("customer_id")
        .agg(
            n_products=pl.len(),
            **{name: pl.col(name).sum() for name in ("n_purchases", "n_views", "n_carts")},
        )
        .drop("customer_id")
    )


def sources_of(scores: pl.DataFrame) -> pl.DataFrame:
    """Where the first ten products of each list come from: what drift is looked for in."""
    return scores.filter(pl.col("rank") <= 10).select("source")


def _training_data(snapshots: Sequence[Snapshot], labels: pl.DataFrame) -> pl.DataFrame:
    """as_of, customers (with history), products, purchases (labelled pairs), role: one row per snapshot, oldest first."""
    return pl.DataFrame(
        {
            "as_of": [s.as_of for s in snapshots],
            "customers": [s.interactions["customer_id"].n_unique() for s in snapshots],
            "products": [s.n_products for s in snapshots],
            "purchases": [labels.filter(pl.col("as_of") == s.as_of).height for s in snapshots],
        }
    ).with_columns(role=snapshot_role(pl.col("as_of") < snapshots[-1].as_of))


def _labels(labels: pl.DataFrame, snapshots: Sequence[Snapshot]) -> pl.DataFrame:
    dates: list[date] = [snapshot.as_of for snapshot in snapshots]
    return labels.filter(pl.col("as_of").is_in(dates))
