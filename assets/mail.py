"""Where names meet decisions: subjects rendered, the plan published for the marketer."""

import os
from datetime import date, timedelta

import dagster as dg
import duckdb
import polars as pl

from assets.home import Home
from assets.mail_files import MailFolder
from assets.metadata import table
from assets.owners import MARKETING
from assets.partitions import daily, one_day_per_run
from assets.plan_columns import column_schema, plan_columns
from mail.subjects import render_subjects
from mail.variables import with_variables

# No ids, and no subject, which may hold a name: the event log keeps what it is told.
PREVIEW_COLUMNS = ("message_key", "subject_variant", "send_at_local", "explanation")
DECIMALS = 6
DEADLINE = "0 2 * * *"
"""When the plan's sends begin (UTC)."""


@dg.asset(
    group_name="plan",
    partitions_def=daily,
    backfill_policy=one_day_per_run,
    io_manager_key="plan_io",
    ins={
        "plan_decisions": dg.AssetIn(input_manager_key="decisions_io"),
        "feat_product": dg.AssetIn(input_manager_key="features_io"),
    },
    # The audits may stop a plan.
    deps=["raw_customers", "raw_contents", "plan_audits"],
    owners=MARKETING,
    kinds={"jinja2", "parquet"},
    code_version="2",
    metadata={"dagster/column_schema": column_schema()},
    freshness_policy=dg.FreshnessPolicy.cron(deadline_cron=DEADLINE, lower_bound_delta=timedelta(hours=2)),
)
def send_plan(
    context: dg.AssetExecutionContext,
    home: dg.ResourceParam[Home],
    mail_folder: dg.ResourceParam[MailFolder],
    plan_decisions: pl.DataFrame,
    feat_product: pl.DataFrame,
) -> dg.Output[pl.DataFrame]:
    """The send plan: the decisions with rendered subject and preheader. `plans/plan_date=D/send_plan.parquet`."""
    catalogue = mail_folder.catalogue()
    sends = with_variables(
        plan_decisions.filter(pl.col("action") == "send"),
        customers=pl.read_parquet(
            home.raw / "customers.parquet", columns=["customer_id", "first_name", "city"]
        ),
        products=feat_product,
        contents=pl.read_parquet(home.raw / "contents.parquet", columns=["content_id", "title"]),
        offers=catalogue.frames()["offers"],
    )
    hidden = mail_folder.policy(date.fromisoformat(context.partition_key)).hidden_variables
    sends = sends.with_columns(pl.lit(None, dtype=sends.schema[name]).alias(name) for name in hidden)
    texts = render_subjects(sends, catalogue).select("customer_id", "subject", "preheader")
    plan = plan_decisions.join(texts, on="customer_id", how="left", maintain_order="left")
    plan = plan.with_columns((pl.selectors.float() - pl.selectors.starts_with("propensity")).round(DECIMALS))
    plan = plan.select(list(plan_columns()))
    mailed = plan.filter(pl.col("action") == "send")
    return dg.Output(
        plan,
        metadata={"sends": mailed.height, "preview": table(mailed.select(PREVIEW_COLUMNS))},
    )


@dg.asset_check(
    asset=send_plan,
    partitions_def=daily,
    blocking=True,
    description="Every customer of the decisions has exactly one row.",
)
def one_row_per_customer(send_plan: pl.DataFrame) -> dg.AssetCheckResult:
    """Fails on a customer with two rows, or a send without subject, minute or message id."""
    repeated = send_plan["customer_id"].is_duplicated().sum()
    sends = send_plan.filter(pl.col("action") == "send")
    incomplete = sends.filter(pl.any_horizontal(pl.col("subject", "send_at", "message_id").is_null())).height
    return dg.AssetCheckResult(
        passed=repeated == 0 and incomplete == 0,
        metadata={"repeated": int(repeated), "incomplete sends": incomplete},
        description=f"{repeated} repeated customers, {incomplete} sends without subject, minute or message id",
    )


MARKETERS_TABLES = {
    "customer_profile": "dim_customer_profile",
    "customer_segments": "score_segments",
    "category_propensity": "score_propensity",
    "replenishment": "score_replenishment",
    "product_slots": "score_slots",
    "recommended_contents": "score_contents",
    "control_membership": "control_membership",
}
"""Tables of `marketing.duckdb` beside `send_plan`, and the assets they hold, of the newest plan date; sorted by customer."""

REPORTS = {"outcomes_by": "outcome_report"}
"""Tables about nobody in particular, and the assets they hold, likewise of the newest plan date."""


@dg.asset(
    group_name="plan",
    partitions_def=daily,
    backfill_policy=one_day_per_run,
    deps=[send_plan, "plan_audits", *MARKETERS_TABLES.values(), *REPORTS.values()],
    owners=MARKETING,
    kinds={"duckdb"},
    code_version="4",
    pool="marketing",
)
def marketing_database(home: dg.ResourceParam[Home]) -> dg.MaterializeResult[None]:
    """`marketing.duckdb`: `send_plan` of every day, what is known of customers on the newest; readers never meet a lock."""
    counts = publish(home)
    return dg.MaterializeResult(metadata={"days": table(counts.sort("plan_date", descending=True))})


def publish(home: Home) -> pl.DataFrame:
    """Build the database aside from all plans, their audits and the other tables of the newest; swap it in by a rename.

    Returns:
        plan_date, customers, sends: one row per day in it.
    """
    plans, database = home.plans, home.marketing
    aside = database.with_name(f".{database.name}.{os.getpid()}")
    aside.unlink(missing_ok=True)
    with duckdb.connect(str(aside)) as connection:
        connection.execute(
            "create table send_plan as select * from read_parquet(?, union_by_name = true) "
            "order by plan_date, customer_id",
            [f"{plans}/plan_date=*/send_plan.parquet"],
        )
        counts = connection.sql(
            "select plan_date, count(*) as customers, count(*) filter (action = 'send') as sends "
            "from send_plan group by plan_date"
        ).pl()
        newest: date = counts["plan_date"].max()
        for name, asset in {**MARKETERS_TABLES, **REPORTS}.items():
            for folder in (
                home.features(newest),
                home.scores(newest),
                home.decisions(newest),
                home.outcomes(newest),
            ):
                if (file := folder / f"{asset}.parquet").is_file():
                    connection.execute(f"create table {name} as select * from read_parquet(?)", [str(file)])
        audited = f"{home.decisions(newest).parent}/as_of=*/plan_audits.parquet"
        if any(home.decisions(newest).parent.glob("as_of=*/plan_audits.parquet")):
            connection.execute(
                "create table plan_audits as select * from read_parquet(?, hive_partitioning = false) "
                "where plan_date <= ? order by all",
                [audited, newest],
            )
        connection.execute("checkpoint")
    aside.replace(database)
    return counts
