"""What a plan does to products and groups of people, looked at before it is published.

The only reader of protected attributes in the graph: `audit_customer` goes in, figures of groups come out. A figure beyond
its limit (policy.yaml, `audits`) warns, or stops the plan where the limit says so.
"""

from datetime import date

import dagster as dg
import polars as pl

from assets.mail_files import MailFolder
from assets.metadata import table
from assets.owners import DATA_SCIENCE
from assets.partitions import daily, one_day_per_run
from models.evaluation.audits import audit_groups, audit_products

PRODUCTS, GROUPS = "audit_of_products", "audit_of_groups"
NAMED = 5
"""How many figures at fault a check names."""


@dg.asset(
    group_name="plan",
    partitions_def=daily,
    backfill_policy=one_day_per_run,
    io_manager_key="decisions_io",
    ins={
        "plan_decisions": dg.AssetIn(input_manager_key="decisions_io"),
        "feat_product": dg.AssetIn(input_manager_key="features_io"),
        "audit_customer": dg.AssetIn(input_manager_key="features_io"),
    },
    owners=DATA_SCIENCE,
    kinds={"polars"},
    code_version="1",
)
def plan_audits(
    context: dg.AssetExecutionContext,
    mail_folder: dg.ResourceParam[MailFolder],
    plan_decisions: pl.DataFrame,
    feat_product: pl.DataFrame,
    audit_customer: pl.DataFrame,
) -> dg.Output[pl.DataFrame]:
    """Coverage, exposure, diversity of products; mails, offers and value by gender and age band. No ids, no small group."""
    limits = mail_folder.audit_limits()
    audits = pl.concat(
        [
            audit_products(plan_decisions, feat_product, limits),
            audit_groups(plan_decisions, audit_customer, limits),
        ]
    ).select(pl.lit(date.fromisoformat(context.partition_key)).alias("plan_date"), pl.all())
    return dg.Output(audits, metadata={"audits": table(audits.drop("plan_date"), rows=60)})


def audit_result(audits: pl.DataFrame) -> dg.AssetCheckResult:
    """What a check says of its figures: failed if any is beyond a limit, an error if beyond one that stops the plan."""
    at_fault = audits.filter(pl.col("state").is_in(["warn", "block"]))
    is_blocking = (at_fault["state"] == "block").any()
    unknown = audits.filter(pl.col("state") == "unknown").height
    named = "; ".join(_named(row) for row in at_fault.head(NAMED).to_dicts())
    return dg.AssetCheckResult(
        passed=at_fault.is_empty(),
        severity=dg.AssetCheckSeverity.ERROR if is_blocking else dg.AssetCheckSeverity.WARN,
        description=f"{at_fault.height} of {audits.height} figures are beyond their limit: {named}"
        if named
        else f"no figure of {audits.height} is beyond its limit; {unknown} cannot be known",
        metadata={"figures": table(audits, rows=60), "unknown": unknown},
    )


def _named(row: dict[str, object]) -> str:
    whom = f" of {row['attribute']} {row['group']}" if row["attribute"] else ""
    value = row["gap"] if row["attribute"] else row["value"]
    return f"{row['figure']}{whom} {value:.3f} (limit {row['limit']})"


@dg.asset_check(
    asset=plan_audits,
    name=PRODUCTS,
    partitions_def=daily,
    blocking=True,
    description="Coverage, exposure, diversity and new products of the day's mails against the limits of policy.yaml.",
)
def audit_of_products(plan_audits: pl.DataFrame) -> dg.AssetCheckResult:
    """Warns or stops the plan, as the limit says."""
    return audit_result(plan_audits.filter(pl.col("attribute").is_null()).drop("plan_date"))


@dg.asset_check(
    asset=plan_audits,
    name=GROUPS,
    partitions_def=daily,
    blocking=True,
    description="Mails, offers and their value by gender and age band against the limits of policy.yaml.",
)
def audit_of_groups(plan_audits: pl.DataFrame) -> dg.AssetCheckResult:
    """Warns or stops the plan, as the limit says."""
    return audit_result(plan_audits.filter(pl.col("attribute").is_not_null()).drop("plan_date"))
