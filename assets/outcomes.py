"""What became of published plans, and what mailing adds: each day joined with what happened before it."""

from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg
import polars as pl

from assets.home import Home
from assets.mail_files import MailFolder
from assets.metadata import table
from assets.owners import MARKETING
from assets.partitions import daily, one_day_per_run
from models.evaluation.incrementality import by_dimension
from models.outcomes import MEASURES, OUTCOME_COLUMNS, PLANNED, OutcomeParams, outcomes_of

OUTCOMES = "outcomes"
REPORT_DAYS = 28
"""Plan days in a report: whole weeks, as mails and orders have days of their own."""

LOOK_BACK_DAYS = 90
"""Runs of so many days are asked for them; where fewer plans were made the report is of those there are."""

BEFORE = {f"pre_{measure}": f"{'n_orders' if measure == 'orders' else measure}_365d" for measure in MEASURES}
"""Figures of before the first plan, by their columns of `feat_customer`."""


@dg.asset(
    group_name=OUTCOMES,
    partitions_def=daily,
    backfill_policy=one_day_per_run,
    io_manager_key="outcomes_io",
    ins={
        name: dg.AssetIn(input_manager_key="features_io")
        for name in ("feat_message_results", "feat_recent_orders", "feat_customer")
    },
    owners=MARKETING,
    kinds={"polars"},
    code_version="1",
    metadata={
        "dagster/column_schema": dg.TableSchema(
            [dg.TableColumn(name, str(c.dtype), description=c.meaning) for name, c in OUTCOME_COLUMNS.items()]
        )
    },
)
def outcomes(
    context: dg.AssetExecutionContext,
    home: dg.ResourceParam[Home],
    mail_folder: dg.ResourceParam[MailFolder],
    feat_message_results: pl.DataFrame,
    feat_recent_orders: pl.DataFrame,
    feat_customer: pl.DataFrame,
) -> dg.Output[pl.DataFrame]:
    """Every row of the plans of the last two weeks with its mail's results and the customer's orders, as known by the day.

    `outcomes/plan_date=D/outcomes.parquet`: plans of before D, in the light of what happened before D.
    """
    day = date.fromisoformat(context.partition_key)
    policy = mail_folder.policy(day)
    params = OutcomeParams(day, policy.window_start, policy.attribution_days)
    found = outcomes_of(
        published_plans(home, params),
        messages=feat_message_results,
        orders=feat_recent_orders,
        customers=feat_customer,
        before=before_the_first_plan(home, day),
        params=params,
    )
    counts = found.group_by("plan_date", "is_complete").agg(
        (pl.col("action") == "send").sum().alias("planned"), pl.col("is_sent").sum().alias("sent")
    )
    return dg.Output(found, metadata={"days": table(counts.sort("plan_date", descending=True), rows=20)})


@dg.asset(
    group_name=OUTCOMES,
    partitions_def=daily,
    backfill_policy=one_day_per_run,
    io_manager_key="outcomes_io",
    ins={
        "outcomes": dg.AssetIn(input_manager_key="outcomes_io"),
        "feat_customer": dg.AssetIn(input_manager_key="features_io"),
    },
    owners=MARKETING,
    kinds={"polars"},
    code_version="1",
)
def outcome_report(
    context: dg.AssetExecutionContext,
    home: dg.ResourceParam[Home],
    outcomes: pl.DataFrame,
    feat_customer: pl.DataFrame,
) -> dg.Output[pl.DataFrame]:
    """Last touch and what mailing adds side by side, by message, subject, offer, hour and segment, of the newest four weeks
    of plans whose results are complete. Table `outcomes_by` of `marketing.duckdb`.
    """
    day = date.fromisoformat(context.partition_key)
    complete = pl.concat([outcomes.clear(), *newest_complete(home, day, outcomes)])
    # Who has refused profiling since is no longer looked at.
    allowed = feat_customer.filter("has_behaviour").select("customer_id")
    report = by_dimension(complete.join(allowed, on="customer_id", how="semi"))
    preview = report.select("dimension", "level", "n_sent", "incremental_revenue_per_mail", "basis", "note")
    return dg.Output(
        report, metadata={"plan days": complete["plan_date"].n_unique(), "preview": table(preview, rows=40)}
    )


def published_plans(home: Home, params: OutcomeParams) -> pl.DataFrame:
    """The rows of published plans that bear on outcomes; a plan of before a column was published lacks it."""
    span = (params.as_of - params.first_read_date).days
    days = (params.as_of - timedelta(days=back) for back in range(span, 0, -1))
    files = [file for day in days if (file := home.plan(day) / "send_plan.parquet").is_file()]
    wanted = (*PLANNED, "send_at_local")
    plans = [pl.scan_parquet(file, glob=False, hive_partitioning=False) for file in files]
    chosen = [plan.select(name for name in wanted if name in plan.collect_schema()) for plan in plans]
    return (
        pl.concat(chosen, how="diagonal").collect()
        if chosen
        else pl.DataFrame(
            schema={n: OUTCOME_COLUMNS[n].dtype for n in PLANNED} | {"send_at_local": pl.Datetime("us")}
        )
    )


def before_the_first_plan(home: Home, day: date) -> pl.DataFrame | None:
    """customer_id and the `pre_` figures of each customer at the shop's first plan; None where its features are gone."""
    plans = sorted(home.plans.glob("plan_date=*/send_plan.parquet"))
    first = min((date.fromisoformat(plan.parent.name.partition("=")[2]) for plan in plans), default=day)
    file = home.features(first) / "feat_customer.parquet"
    if first >= day or not file.is_file():
        return None
    return pl.read_parquet(file, glob=False, hive_partitioning=False).select(
        "customer_id", **{name: pl.col(column).cast(pl.Float64) for name, column in BEFORE.items()}
    )


def newest_complete(home: Home, day: date, newest: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Complete outcomes of the newest REPORT_DAYS plan days, each as the latest run up to `day` has told it."""
    seen: set[date] = set()
    for back in range(LOOK_BACK_DAYS):
        file = home.outcomes(day - timedelta(days=back)) / f"{OUTCOMES}.parquet"
        if not back:
            told = newest.filter("is_complete")
        elif file.is_file():
            told = (
                pl.scan_parquet(file, glob=False, hive_partitioning=False)
                .filter(pl.col("is_complete") & ~pl.col("plan_date").is_in(sorted(seen)))
                .collect()
            )
        else:
            continue
        days = sorted(told["plan_date"].unique(), reverse=True)[: REPORT_DAYS - len(seen)]
        seen.update(days)
        yield told.filter(pl.col("plan_date").is_in(days))
        if len(seen) == REPORT_DAYS:
            return
