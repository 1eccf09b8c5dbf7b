"""The lesson on what to recommend."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from types import MappingProxyType

import numpy as np
import polars as pl

from models.evaluation.champion import Criterion, mean_of_rows
from models.evaluation.contest import Answer
from models.evaluation.plots import comparison_plot
from models.lessons.lesson import Lesson, anonymous, decide_and_fit
from models.recommend import Als, Blend, BuyAgain, Ease, ItemNeighbours, Popular, Ranker, Recommender
from models.recommend.evaluate import evaluate_recommendations
from models.recommend.served import ServedRecommender
from models.recommend.snapshot import Snapshot

CRITERION = Criterion("ndcg_10", mean_of_rows, higher_is_better=True, margin=0.002)
N_EXAMPLE_INTERACTIONS = 20

METHODS: Mapping[str, Callable[[], Recommender]] = MappingProxyType(
    {method.name: method for method in (Popular, BuyAgain, ItemNeighbours, Als, Ease, Blend, Ranker)}
)
"""Every way of recommending, simplest first."""


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
    outcome = np.empty(0)
    if earlier:
        holdout = earlier[-1]
        past = [s for s in earlier if (holdout.as_of - s.as_of).days >= label_days]
        for method, make in METHODS.items():
            scores = evaluate_recommendations(make().fit(past, _labels(labels, past)), holdout, labels)
            per_customer = scores.per_customer.sort("customer_id")["ndcg_10"].to_numpy()
            answers[method] = Answer(per_customer.astype(np.float64), scores.metrics)
            outcome = np.zeros(len(per_customer))
    verdict, fitted = decide_and_fit(
        answers,
        outcome,
        CRITERION,
        champion,
        lambda m: ServedRecommender(METHODS[m]().fit(earlier, labels), now.products, now.pairs),
    )
    figures = {}
    if len(outcome):
        deciding = {m: a.metrics[CRITERION.name] for m, a in answers.items()}
        figures["comparison.png"] = comparison_plot(deciding, "NDCG@10", verdict.winner)
    example = anonymous(now.interactions.sort("customer_id", "product_id").head(N_EXAMPLE_INTERACTIONS))
    return Lesson(verdict, answers, fitted, example, figures)


def _labels(labels: pl.DataFrame, snapshots: Sequence[Snapshot]) -> pl.DataFrame:
    dates: list[date] = [snapshot.as_of for snapshot in snapshots]
    return labels.filter(pl.col("as_of").is_in(dates))
