"""Whether the customers of a day are still those the models learnt from: two checks on every score table of a model.

`drift_features` compares what the champion reads, `drift_scores` what it answers, with how both were spread when it was
trained (`reference.json` of its run). A drift warns, it stops nothing: a plan on a moved shop is better than none, and so is
one whose drift could not be told. What starts retraining reads these checks (`pipelines.sensors`).
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
from assets.training import (
    CATEGORY_PROPENSITY,
    CHURN,
    CONTENT_RECOMMENDATIONS,
    LIFETIME_VALUE,
    OFFER_RESPONSE,
    RECOMMENDATIONS,
    SEGMENTS,
    SEND_TIME,
)
from models.evaluation.drift import ALARM, WARN, Reference
from models.lessons import contents, customers, hours, offers, products, propensity, segments
from models.lessons.customers import seen_customers
from models.send_time import send_hour_profile

FEATURES, SCORES = PARTS = "features", "scores"
STATE, DAY, CHAMPION = "state", "day", "champion"
"""Metadata of a check: 'stable', 'warn' or 'alarm' of the worst column, 'unknown' where it could not be told; the plan date;
the version compared with."""

MAX_ERROR = 200
"""Characters of an error's first line that a check repeats: the event log keeps them."""

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
    return seen_customers(feat_customer), customers.answers_of(_seen(scores, feat_customer))


def _hours(feat_send_hours: pl.DataFrame, scores: pl.DataFrame) -> Tables:
    known = feat_send_hours.select("customer_id").unique()
    return hours.counts_of(send_hour_profile(known, feat_send_hours)), hours.chances_of(scores)


def _products(feat_interactions: pl.DataFrame, scores: pl.DataFrame) -> Tables:
    return products.activity_of(feat_interactions), products.sources_of(scores)


def _contents(feat_content_reads: pl.DataFrame, scores: pl.DataFrame) -> Tables:
    return contents.reading_of(feat_content_reads), scores.select("source")


def _categories(feat_customer: pl.DataFrame, scores: pl.DataFrame) -> Tables:
    return seen_customers(feat_customer), propensity.chances_of(_seen(scores, feat_customer))


def _offers(feat_customer: pl.DataFrame, scores: pl.DataFrame) -> Tables:
    return seen_customers(feat_customer), offers.sensitivity_of(_seen(scores, feat_customer))


def _segments(feat_customer: pl.DataFrame, scores: pl.DataFrame) -> Tables:
    learnt = scores.filter(pl.col("source") == "learnt")
    return seen_customers(feat_customer), segments.membership_of(_seen(learnt, feat_customer))


def _seen(scores: pl.DataFrame, feat_customer: pl.DataFrame) -> pl.DataFrame:
    """The scores of those who are learnt from."""
    return scores.join(seen_customers(feat_customer), on="customer_id", how="semi", maintain_order="left")


WATCHES = (
    Watch(LIFETIME_VALUE, "score_value", "feat_customer", _customers),
    Watch(CHURN, "score_churn", "feat_customer", _customers),
    Watch(SEND_TIME, "score_send_time", "feat_send_hours", _hours),
    Watch(RECOMMENDATIONS, "score_recommendations", "feat_interactions", _products),
    Watch(CONTENT_RECOMMENDATIONS, "score_contents", "feat_content_reads", _contents),
    Watch(CATEGORY_PROPENSITY, "score_propensity", "feat_customer", _categories),
    Watch(OFFER_RESPONSE, "score_offer", "feat_customer", _offers),
    Watch(SEGMENTS, "score_segments", "feat_customer", _segments),
)
"""To watch another question: a `Watch` here, and `references` of the same columns in its lesson."""


def drift_result(comparison: pl.DataFrame, day: date, champion: str) -> dg.AssetCheckResult:
    """What a check says of a comparison (`Reference.compare`): passed unless a column moved, an error if one moved far."""
    moved = comparison.filter(pl.col("state") != "stable")
    state = "stable" if moved.is_empty() else str(moved["state"][0])
    named = ", ".join(f"{row['column']} ({row['psi']:.2f})" for row in moved.head(5).iter_rows(named=True))
    calm = f"{comparison.height} columns are as when {champion} was trained"
    if comparison.is_empty():
        calm = f"nothing to compare: {champion} was trained on too young a shop, or nobody is watched"
    said = f"{moved.height} of {comparison.height} columns have moved since {champion} was trained: {named}"
    return dg.AssetCheckResult(
        passed=moved.is_empty(),
        severity=dg.AssetCheckSeverity.ERROR if state == "alarm" else dg.AssetCheckSeverity.WARN,
        description=said if named else calm,
        metadata={
            STATE: state,
            DAY: day.isoformat(),
            CHAMPION: champion,
            "largest psi": float(comparison["psi"].fill_nan(0.0).to_numpy().max(initial=0.0)),
            "psi": table(comparison, rows=30),
        },
    )


def unknown_result(error: Exception, day: date, champion: str) -> dg.AssetCheckResult:
    """What a check says that could not compare: failed, as a warning, with the error by name."""
    said = f"{type(error).__name__}: {str(error).partition(chr(10))[0][:MAX_ERROR]}"
    return dg.AssetCheckResult(
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"whether {day} has drifted could not be told. {said}",
        metadata={STATE: "unknown", DAY: day.isoformat(), CHAMPION: champion, "error": said},
    )


def check_day(watch: Watch, part: str, day: date, home: Home, registry: Registry) -> dg.AssetCheckResult:
    """One check of one day. Whatever goes wrong in it is a warning: the day's plan and run do not fail of it."""
    champion = "no model"
    try:
        version = registry.champion(watch.question, day)
        champion = version.label if version else champion
        reference = registry.references(version).get(part) if version else None
        comparison = (reference or Reference(0, {})).compare(watch.tables(home, day)[part])
        return drift_result(comparison, day, champion)
    except Exception as error:  # noqa: BLE001
        return unknown_result(error, day, champion)


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
        return check_day(watch, part, date.fromisoformat(context.partition_key), home, registry)

    return check


drift_checks = [_check(watch, part) for watch in WATCHES for part in PARTS]
CHECK_KEYS = tuple(key for checks in drift_checks for key in checks.check_keys)
