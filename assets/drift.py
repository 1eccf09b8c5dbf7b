"""Whether the customers of a day are still those the models learnt from: two checks on every score table of a model.

`drift_features` compares what the champion reads, `drift_scores` what it answers, with how both were spread when it was
trained (`reference.json` of its run). A drift warns, it stops nothing: a plan on a moved shop is better than none. What
starts retraining reads these checks (`pipelines.sensors`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import dagster as dg
import polars as pl

from assets.home import Home
from assets.metadata import table
from assets.partitions import daily
from assets.registry import Registry
from assets.training import CHURN, LIFETIME_VALUE, RECOMMENDATIONS, SEND_TIME
from models.evaluation.drift import ALARM, WARN, Reference
from models.lessons.customers import answers_of, seen_customers
from models.lessons.hours import chances_of, counts_of
from models.lessons.products import activity_of, sources_of
from models.send_time import send_hour_profile

FEATURES, SCORES = PARTS = "features", "scores"
STATE, DAY, CHAMPION = "state", "day", "champion"
"""Metadata of a check: 'stable', 'warn' or 'alarm' of the worst column; the plan date; the version compared with."""

Tables = tuple[pl.DataFrame, pl.DataFrame]


@dataclass(frozen=True)
class Watch:
    """A score table that is watched.

    Attributes:
        question: whose champion made it.
        asset: its name, and its file's.
        source: the feature table that says who is watched.
        look: (source, score table) -> what is compared with the references "features" and "scores".
    """

    question: str
    asset: str
    source: str
    look: Callable[[pl.DataFrame, pl.DataFrame], Tables]

    def tables(self, home: Home, day: date) -> dict[str, pl.DataFrame]:
        """What is compared, of one day, by the names of the references."""
        source = pl.read_parquet(home.features(day) / f"{self.source}.parquet")
        scores = pl.read_parquet(home.scores(day) / f"{self.asset}.parquet")
        theirs = scores.join(source.select("customer_id").unique(), on="customer_id", how="semi")
        return dict(zip(PARTS, self.look(source, theirs), strict=True))


def _customers(feat_customer: pl.DataFrame, scores: pl.DataFrame) -> Tables:
    seen = seen_customers(feat_customer)
    return seen, answers_of(scores.join(seen.select("customer_id"), on="customer_id", how="semi"))


def _hours(feat_send_hours: pl.DataFrame, scores: pl.DataFrame) -> Tables:
    customers = feat_send_hours.select("customer_id").unique()
    return counts_of(send_hour_profile(customers, feat_send_hours)), chances_of(scores)


def _products(feat_interactions: pl.DataFrame, scores: pl.DataFrame) -> Tables:
    return activity_of(feat_interactions), sources_of(scores)


WATCHES = (
    Watch(LIFETIME_VALUE, "score_value", "feat_customer", _customers),
    Watch(CHURN, "score_churn", "feat_customer", _customers),
    Watch(SEND_TIME, "score_send_time", "feat_send_hours", _hours),
    Watch(RECOMMENDATIONS, "score_recommendations", "feat_interactions", _products),
)
"""To watch another question: a `Watch` here, and `references` of the same columns in its lesson."""


def drift_result(comparison: pl.DataFrame, day: date, champion: str) -> dg.AssetCheckResult:
    """What a check says of a comparison (`Reference.compare`): passed unless a column moved, an error if one moved far."""
    moved = comparison.filter(pl.col("state") != "stable")
    state = "stable" if moved.is_empty() else str(moved["state"][0])
    named = ", ".join(f"{row['column']} ({row['psi']:.2f})" for row in moved.head(5).iter_rows(named=True))
    said = f"{moved.height} of {comparison.height} columns have moved since {champion} was trained: {named}"
    return dg.AssetCheckResult(
        passed=moved.is_empty(),
        severity=dg.AssetCheckSeverity.ERROR if state == "alarm" else dg.AssetCheckSeverity.WARN,
        description=said if named else f"{comparison.height} columns are as when {champion} was trained",
        metadata={
            STATE: state,
            DAY: day.isoformat(),
            CHAMPION: champion,
            "largest psi": float(comparison["psi"].fill_nan(0.0).to_numpy().max(initial=0.0)),
            "psi": table(comparison, rows=30),
        },
    )


def _check(watch: Watch, part: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=dg.AssetKey(watch.asset),
        name=f"drift_{part}",
        partitions_def=daily,
        additional_deps=[watch.source],
        description=f"Population stability of the {part} against the champion's training: warns above {WARN}, an error "
        f"above {ALARM}, or above what moved between the snapshots of the training itself. Stops nothing.",
    )
    def check(
        context: dg.AssetCheckExecutionContext,
        home: dg.ResourceParam[Home],
        registry: dg.ResourceParam[Registry],
    ) -> dg.AssetCheckResult:
        day = date.fromisoformat(context.partition_key)
        version = registry.champion(watch.question, day)
        reference = registry.references(version).get(part) if version else None
        now = watch.tables(home, day)[part]
        comparison = (reference or Reference(0, {})).compare(now)
        return drift_result(comparison, day, version.label if version else "no model")

    return check


drift_checks = [_check(watch, part) for watch in WATCHES for part in PARTS]
CHECK_KEYS = tuple(key for checks in drift_checks for key in checks.check_keys)
