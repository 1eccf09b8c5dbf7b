"""The lesson on which articles, videos and events to show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

import numpy as np
import polars as pl

from models.contents import (
    RULES,
    ContentRanker,
    ContentRecommender,
    ContentSnapshot,
    ServedContents,
    evaluate_contents,
)
from models.evaluation.champion import Criterion, mean_of_rows
from models.evaluation.contest import Answer
from models.evaluation.drift import Reference
from models.evaluation.importance import sample_rows
from models.lessons.lesson import (
    N_EXPLAINED_ROWS,
    About,
    Lesson,
    comparison_figure,
    decide_and_fit,
    made_up,
    snapshot_role,
)

CRITERION = Criterion("ndcg_5", mean_of_rows, higher_is_better=True, margin=0.005)
N_EXAMPLE_READS = 20


def _rule(name: str) -> ContentRecommender:
    return RULES[name]


METHODS: Mapping[str, Callable[[], ContentRecommender]] = MappingProxyType(
    {**{name: partial(_rule, name) for name in RULES}, ContentRanker.name: ContentRanker}
)
"""Every way of recommending contents, simplest first."""

ABOUT = About(
    "Which articles, videos and events will a customer read that he has not read? Ranked lists per customer, judged by his "
    "reads of the next 30 days.",
    "the article of mails; each says the source it comes from.",
    (
        "a statement on a person's needs: sensitive contents are never shown and no history of them is used",
        "the effect of showing a content: reads are counted whether or not it was shown",
    ),
    (
        "Customers of whom nothing is known get what is read most.",
        "Scores are comparable within a customer's list alone.",
        "The rule answers where fewer than 100 customers' reads are known.",
    ),
)


def learn_contents(
    snapshots: Sequence[ContentSnapshot], labels: pl.DataFrame, label_days: int, champion: str | None
) -> Lesson:
    """Recommendation of contents.

    Args:
        snapshots: oldest first; the last is the shop now, without labels.
        labels: `label_contents` of the earlier snapshots, over `label_days` each.
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
            scores = evaluate_contents(make().fit(past, labels), holdout, labels)
            per_customer = scores.per_customer["ndcg_5"].to_numpy().astype(np.float64)
            answers[method] = Answer(per_customer, scores.metrics)
            outcome = np.zeros(len(per_customer))
    verdict, fitted = decide_and_fit(
        answers,
        outcome,
        CRITERION,
        champion,
        lambda method: ServedContents(METHODS[method]().fit(earlier, labels), now.contents),
    )
    readers = now.reads.select("customer_id").unique().sort("customer_id")
    lists = fitted[verdict.winner].recommender.predict(now, sample_rows(readers, N_EXPLAINED_ROWS))
    return Lesson(
        verdict,
        answers,
        fitted,
        made_up(now.reads, N_EXAMPLE_READS),
        comparison_figure(verdict, answers, "NDCG@5") if len(outcome) else {},
        {"training_data.csv": _training_data(snapshots, labels)},
        ABOUT,
        {
            "features": Reference.of(
                reading_of(now.reads), reading_of(earlier[-1].reads if earlier else now.reads.clear())
            ),
            "scores": Reference.of(lists.select("source")),
        },
    )


def reading_of(reads: pl.DataFrame) -> pl.DataFrame:
    """Per customer: contents read, views, decayed weight: what drift is looked for in."""
    return (
        reads.group_by("customer_id")
        .agg(
            n_contents=pl.len(),
            n_views=pl.col("n_views").sum(),
            read_weight=pl.col("read_weight").sort().sum(),
        )
        .drop("customer_id")
    )


def _training_data(snapshots: Sequence[ContentSnapshot], labels: pl.DataFrame) -> pl.DataFrame:
    """as_of, readers, contents, reads (labelled pairs), role: one row per snapshot, oldest first."""
    return pl.DataFrame(
        {
            "as_of": [s.as_of for s in snapshots],
            "readers": [s.reads["customer_id"].n_unique() for s in snapshots],
            "contents": [s.contents.height for s in snapshots],
            "reads": [labels.filter(pl.col("as_of") == s.as_of).height for s in snapshots],
        }
    ).with_columns(role=snapshot_role(pl.col("as_of") < snapshots[-1].as_of))
