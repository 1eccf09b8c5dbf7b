"""The models of a week: point-in-time training sets, lessons beside baselines, versions in the registry."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from dagster_dbt.errors import DagsterDbtCliRuntimeError

import models
from assets.dbt import Dbt, build_args, snapshot_vars, tests_of
from assets.history import first_event_day, require_history
from assets.home import Home
from assets.metadata import plot, table
from assets.owners import DATA_SCIENCE
from assets.partitions import weekly
from assets.registry import Registry, fingerprint
from models.contents import ContentSnapshot, content_snapshots
from models.evaluation.splits import SnapshotPlan, plan_snapshots
from models.features import join_labels
from models.lessons.contents import learn_contents
from models.lessons.customers import learn_churn, learn_value, seen_customers
from models.lessons.hours import learn_send_time
from models.lessons.lesson import Lesson
from models.lessons.offers import learn_offer_response
from models.lessons.products import learn_recommendations
from models.lessons.propensity import learn_propensity, propensity_frame
from models.lessons.segments import learn_segments
from models.model import Model
from models.recommend import Snapshot, snapshots_by_date
from models.segments import CustomerSegments

(
    LIFETIME_VALUE,
    CHURN,
    SEND_TIME,
    RECOMMENDATIONS,
    CONTENT_RECOMMENDATIONS,
    CATEGORY_PROPENSITY,
    OFFER_RESPONSE,
    SEGMENTS,
) = QUESTIONS = (
    "lifetime_value",
    "churn",
    "send_time",
    "recommendations",
    "content_recommendations",
    "category_propensity",
    "offer_response",
    "segments",
)
PURCHASE_DAYS = 30
"""Length of the window in which a purchase makes a recommendation right."""

READ_DAYS = 30
"""Length of the window in which a read makes a recommended content right."""

N_PURCHASE_WINDOWS = 6
PURCHASE_STEP_DAYS = 15
"""Between the first days of two windows: they overlap, as more of them teach more than their purchases repeat."""
NOT_LEARNT_FROM = (
    "dim_customer_profile",
    "int_customer_segments_as_of",
    "audit_customer",
    "feat_repurchases",
    "feat_message_results",
    "feat_recent_orders",
)
"""Tables of a plan date that no model reads."""

DBT_TARGET = "training"
"""Where dbt keeps what it says of the training tables."""

CODE_VERSION = "2"
LEARNING = sorted(Path(models.__file__).parent.rglob("*.py"))
"""The code that learns: a change in it is a reason to train again."""


@dataclass(frozen=True)
class TrainingDates:
    """At which dates a week's training looks at the shop.

    Attributes:
        customers: labelled snapshots for lifetime value and churn.
        products: labelled dates for recommendations of products and contents, oldest first.
        week: the date of now, without labels.
    """

    customers: SnapshotPlan
    products: tuple[date, ...]
    week: date

    @property
    def all(self) -> list[date]:
        """Every date, once, in order."""
        return sorted({*self.customers.dates, *self.products, self.week})


def training_dates(week: date, first_day: date) -> TrainingDates:
    """The dates that a history from `first_day` on allows."""
    products = tuple(
        day for day in purchase_windows(week) if day - first_day >= timedelta(days=PURCHASE_DAYS)
    )
    return TrainingDates(plan_snapshots(week, first_day), products, week)


def purchase_windows(week: date) -> list[date]:
    """First days of the windows whose purchases say what was right to show, oldest first; the last ends at the week."""
    last = week - timedelta(days=PURCHASE_DAYS)
    return [last - timedelta(days=PURCHASE_STEP_DAYS * back) for back in reversed(range(N_PURCHASE_WINDOWS))]


def build_training_snapshots(upstream: Iterable[dg.AssetKey], manifest: Path) -> dg.AssetsDefinition:
    """The asset that makes a week's training tables, with dbt's tests of the labels as its checks.

    Args:
        upstream: the warehouse models the tables are made from.
        manifest: dbt's manifest (see `assets.dbt.prepare`).
    """
    label_tests = tests_of(manifest, "labels")

    def checks(dbt: Dbt) -> Iterator[dg.AssetCheckResult]:
        results = dbt.test_results(DBT_TARGET)
        for name in label_tests.keys() & results.keys():
            yield dg.AssetCheckResult(
                check_name=name, passed=results[name] == "pass", metadata={"status": results[name]}
            )

    @dg.asset(
        name="training_snapshots",
        group_name="training",
        partitions_def=weekly,
        deps=list(upstream),
        kinds={"dbt", "duckdb", "parquet"},
        owners=DATA_SCIENCE,
        code_version=CODE_VERSION,
        pool="duckdb",
        check_specs=[
            dg.AssetCheckSpec(
                name, asset="training_snapshots", blocking=True, description=f"dbt test of {model}"
            )
            for name, model in label_tests.items()
        ],
        description="Features at several past dates and what happened after each: the same dbt models as for a plan, "
        "with more dates. No label window reaches past the week.",
    )
    def training_snapshots(
        context: dg.AssetExecutionContext,
        home: dg.ResourceParam[Home],
        dbt: dg.ResourceParam[Dbt],
        registry: dg.ResourceParam[Registry],
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        registry.prepare(QUESTIONS)
        week = date.fromisoformat(context.partition_key)
        require_history(home, week + timedelta(days=7), f"train for the week of {week}")
        dates = training_dates(week, first_event_day(home) or week)
        home.training(week).mkdir(parents=True, exist_ok=True)
        variables = snapshot_vars(home, week, dates.all, dates.customers.horizon_days)
        arguments = build_args(["tag:features", "tag:labels"], variables, exclude=NOT_LEARNT_FROM)
        try:
            dbt.run(arguments, DBT_TARGET)
        except DagsterDbtCliRuntimeError:
            yield from checks(dbt)
            raise
        counts = pl.scan_parquet(home.training(week) / "feat_customer.parquet").group_by("as_of").len()
        yield dg.MaterializeResult(
            metadata={
                "horizon (days)": dates.customers.horizon_days,
                "snapshots": table(counts.sort("as_of").collect()),
            },
            check_results=list(checks(dbt)),
        )

    return training_snapshots


CUSTOMERS = "feat_customer"
PRODUCT_TABLES = ("feat_interactions", "feat_product", "feat_basket_pairs")
CONTENT_TABLES = ("feat_content_reads", "feat_content", "feat_interactions", "feat_product")
Learn = Callable[["TrainingSet", str | None], Lesson]


@dataclass(frozen=True)
class TrainingSet:
    """The tables of one training week, read by name, without anybody who refuses profiling by then.

    Snapshots say who refused at their own dates; who has refused since is not learnt from at all.

    Attributes:
        folder: where they are.
        former: the champion of the week before, for a question that goes on from it.
    """

    folder: Path
    former: Model | None = None

    def __getitem__(self, name: str) -> pl.DataFrame:
        return self._rows(name).collect()

    def dates(self, name: str) -> list[date]:
        """The as_of dates of a table, oldest first."""
        return self._rows(name).select(pl.col("as_of").unique().sort()).collect()["as_of"].to_list()

    def at(self, name: str, dates: list[date]) -> pl.DataFrame:
        """The rows of some as_of dates; the others are not read."""
        return self._rows(name).filter(pl.col("as_of").is_in(dates)).collect()

    def files(self, names: Iterable[str]) -> list[Path]:
        """What reading the tables reads."""
        return [self._file(name) for name in dict.fromkeys((*names, CUSTOMERS))]

    def _rows(self, name: str) -> pl.LazyFrame:
        rows = pl.scan_parquet(self._file(name))
        if "customer_id" not in rows.collect_schema():
            return rows
        # That he refuses is the newest snapshot's to say.
        is_learnt_from = ~pl.col("customer_id").is_in(self._refusing().implode())
        if name == CUSTOMERS:
            is_learnt_from |= pl.col("has_behaviour").not_() & (pl.col("as_of") == pl.col("as_of").max())
        return rows.filter(is_learnt_from)

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.parquet"

    def _refusing(self) -> pl.Series:
        known = pl.scan_parquet(self._file(CUSTOMERS)).select("customer_id", "as_of", "has_behaviour")
        is_newest = pl.col("as_of") == pl.col("as_of").max()
        return known.filter(is_newest & ~pl.col("has_behaviour")).collect()["customer_id"]


def _question(
    question: str, learn: Learn, tables: tuple[str, ...], description: str, goes_on: bool = False
) -> dg.AssetsDefinition:
    """The asset of one question; one that `goes_on` starts from the champion of the week before."""

    @dg.asset(
        name=question,
        group_name="training",
        partitions_def=weekly,
        deps=["training_snapshots"],
        kinds={"mlflow", "polars"},
        owners=DATA_SCIENCE,
        code_version=CODE_VERSION,
        description=description,
    )
    def model(
        context: dg.AssetExecutionContext, home: dg.ResourceParam[Home], registry: dg.ResourceParam[Registry]
    ) -> dg.MaterializeResult[None]:
        week = date.fromisoformat(context.partition_key)
        folder = home.training(week)
        office = registry.champion(question, week - timedelta(days=1))
        in_office = office.method if office else None
        files = TrainingSet(folder).files(tables)
        before = office.label if office and goes_on else in_office
        seen = fingerprint([*files, *LEARNING], question, before)
        version = registry.at_week(question, week)
        metadata: dict[str, Any] = {}
        if version is None or version.fingerprint != seen or not registry.is_sound(version):
            former = registry.load(office) if office and goes_on else None
            lesson = learn(TrainingSet(folder, former), in_office)
            version = registry.record(question, week, seen, lesson)
            metadata |= {name: plot(figure) for name, figure in lesson.figures.items()}
            metadata["comparison"] = table(lesson.comparison)
        else:
            context.log.info(f"{question} was trained for {week} on the same data; kept {version.label}")
        return dg.MaterializeResult(
            metadata={
                "champion": version.method,
                "decision": version.decision,
                "mlflow": f"models:/{version.label}",
                "mlflow run": version.run_id,
                **metadata,
            }
        )

    return model


def _customers(tables: TrainingSet) -> pl.DataFrame:
    """Labelled snapshots of who is learnt from."""
    return join_labels(seen_customers(tables["feat_customer"]), tables["label_customer"])


def _value(tables: TrainingSet, champion: str | None) -> Lesson:
    return learn_value(_customers(tables), champion)


def _churn(tables: TrainingSet, champion: str | None) -> Lesson:
    return learn_churn(_customers(tables), champion)


def _send_time(tables: TrainingSet, champion: str | None) -> Lesson:
    return learn_send_time(tables["label_sends"], tables["feat_send_hours"], champion)


def _recommendations(tables: TrainingSet, champion: str | None) -> Lesson:
    labels = tables["label_purchases"]
    dates = _window_dates(tables.dates("feat_product"), labels)
    frames = [tables.at(name, dates) for name in PRODUCT_TABLES]
    # A shop without a catalogue recommends nothing.
    snapshots = snapshots_by_date(*frames) or (Snapshot(date.min, *frames),)
    return learn_recommendations(snapshots, labels, PURCHASE_DAYS, champion)


def _contents(tables: TrainingSet, champion: str | None) -> Lesson:
    labels = tables["label_contents"]
    dates = _window_dates(tables.dates("feat_content"), labels)
    frames = [tables.at(name, dates) for name in CONTENT_TABLES]
    # A shop without contents recommends none.
    snapshots = content_snapshots(*frames) or (ContentSnapshot(date.min, *frames),)
    return learn_contents(snapshots, labels, READ_DAYS, champion)


def _window_dates(known: list[date], labels: pl.DataFrame) -> list[date]:
    """Of the known dates, oldest first, those before a labelled window of purchases or reads, and the last: now."""
    windows = set(labels["as_of"].unique()) & set(purchase_windows(known[-1])) if known else set()
    return [day for day in known if day in windows or day == known[-1]]


def _propensity(tables: TrainingSet, champion: str | None) -> Lesson:
    frame = propensity_frame(
        seen_customers(tables["feat_customer"]),
        tables["feat_interactions"],
        tables["feat_product"],
        tables["label_categories"],
    )
    return learn_propensity(frame, champion)


def _segments(tables: TrainingSet, _: str | None) -> Lesson:
    former = tables.former if isinstance(tables.former, CustomerSegments) else None
    return learn_segments(seen_customers(tables["feat_customer"]), former)


def _offer_response(tables: TrainingSet, champion: str | None) -> Lesson:
    return learn_offer_response(tables["label_offers"], seen_customers(tables["feat_customer"]), champion)


lifetime_value = _question(
    LIFETIME_VALUE,
    _value,
    ("feat_customer", "label_customer"),
    "What a customer will be worth: BG/NBD, Pareto/NBD and XGBoost, beside the mean, recent spend and either alone.",
)
churn = _question(
    CHURN,
    _churn,
    ("feat_customer", "label_customer"),
    "Chance of no order in 90 days: calibrated XGBoost, beside the base rate, a recency rule, BG/NBD and Pareto/NBD.",
)
send_time = _question(
    SEND_TIME,
    _send_time,
    ("label_sends", "feat_send_hours"),
    "Chance of a human open by hour of the week: shrunk person to population, beside the population's curve, "
    "the most frequent hour and the best hour of 90 days.",
)
recommendations = _question(
    RECOMMENDATIONS,
    _recommendations,
    (*PRODUCT_TABLES, "label_purchases"),
    "Which products to show: a learnt ranking over several retrievers, beside popularity, buy-again, "
    "item neighbours, ALS and a blend.",
)
content_recommendations = _question(
    CONTENT_RECOMMENDATIONS,
    _contents,
    (*CONTENT_TABLES, "label_contents"),
    "Which articles, videos and events to show: a learnt ranking over several retrievers, beside popularity, topics, "
    "interests in products, likeness of titles and item neighbours.",
)
offer_response = _question(
    OFFER_RESPONSE,
    _offer_response,
    ("feat_customer", "label_offers"),
    "What each offer adds in orders and margin, for whom: doubly robust effects of randomised sends, beside the average, "
    "the share bought at a discount and T-, X- and DR-learners.",
)
category_propensity = _question(
    CATEGORY_PROPENSITY,
    _propensity,
    ("feat_customer", "feat_interactions", "feat_product", "label_categories"),
    "Chance to buy from a category or subcategory within 14 days: XGBoost on the rule of order rate and affinity, "
    "beside that rule, the category's rate and the category seen last.",
)
segments = _question(
    SEGMENTS,
    _segments,
    ("feat_customer",),
    "Who behaves alike: k-means on behaviour, named by what sets each segment apart; ids stay the same from week to week.",
    goes_on=True,
)
