"""The decision of a day: one row per known customer, ids alone. Names join in `assets.mail`."""

from datetime import date, timedelta
from typing import Any

import dagster as dg
import polars as pl

from assets.history import require_history
from assets.home import Home
from assets.landing.layout import events_day_path, events_schema_path, table_path
from assets.mail_files import MailFolder
from assets.metadata import table
from assets.owners import MARKETING
from assets.partitions import daily, one_day_per_run
from mail.variables import personal_flags
from models.policy.decide import decide
from models.policy.inputs import PlanInputs, empty_frame

PENDING_DAYS = 7

FEATURES = (
    "feat_customer",
    "feat_eligibility",
    "triggers",
    "feat_message_history",
    "feat_variant_history",
    "feat_product",
    "feat_basket_pairs",
)
SCORES = (
    "score_value",
    "score_churn",
    "score_send_time",
    "score_recommendations",
    "score_contents",
    "score_response",
)


@dg.asset(
    group_name="plan",
    partitions_def=daily,
    backfill_policy=one_day_per_run,
    io_manager_key="decisions_io",
    ins={
        **{name: dg.AssetIn(input_manager_key="features_io") for name in FEATURES},
        **{name: dg.AssetIn(input_manager_key="scores_io") for name in SCORES},
    },
    deps=["raw_customers"],
    owners=MARKETING,
    kinds={"polars"},
    code_version="1",
)
def plan_decisions(
    context: dg.AssetExecutionContext,
    home: dg.ResourceParam[Home],
    mail_folder: dg.ResourceParam[MailFolder],
    **frames: Any,
) -> dg.Output[pl.DataFrame]:
    """One decision per customer: message, products, offer, wording, minute, their propensities - or why not."""
    day = date.fromisoformat(context.partition_key)
    require_history(home, day, f"plan {day}")
    people = pl.read_parquet(table_path(home, "customers"), columns=["customer_id", "first_name", "city"])
    inputs = PlanInputs(
        **{name: frames[name] for name in FEATURES},
        **{name: frames[name] for name in SCORES if name != "score_response"},
        response=frames["score_response"],
        personal=personal_flags(people),
        pending_sends=pending_sends(home, day),
        **mail_folder.catalogue().frames(),
    )
    decisions = decide(inputs, mail_folder.policy(day))
    return dg.Output(
        decisions,
        metadata={
            "actions": table(_counts(decisions, "action", "reason"), rows=30),
            "messages": table(
                _counts(decisions.filter(pl.col("action") == "send"), "message_key", "offer_key"), 30
            ),
        },
    )


def pending_sends(home: Home, day: date) -> pl.DataFrame:
    """Mails that plans of the week before decided on and that no Email Sent event shows yet.

    They count towards caps and cool-downs, so that nobody is mailed twice because a report of sending is late.
    """
    before = [
        home.plan(day - timedelta(days=back)) / "send_plan.parquet" for back in range(1, PENDING_DAYS + 1)
    ]
    plans = [file for file in before if file.exists()]
    if not plans:
        return empty_frame("pending_sends")
    days = (day - timedelta(days=back) for back in range(1, PENDING_DAYS + 2))
    events = [file for file in (events_day_path(home, at) for at in days) if file.exists()]
    shown = pl.scan_parquet([events_schema_path(home), *events]).filter(pl.col("event") == "Email Sent")
    planned = pl.scan_parquet(plans).filter(pl.col("action") == "send")
    pending = planned.join(shown, on="message_id", how="anti").select("customer_id", "message_key", "send_at")
    return pending.unique().sort("customer_id", "message_key", "send_at").collect()


def _counts(frame: pl.DataFrame, *columns: str) -> pl.DataFrame:
    return (
        frame.group_by(columns)
        .len("customers")
        .sort("customers", *columns, descending=[True, *[False] * len(columns)])
    )
