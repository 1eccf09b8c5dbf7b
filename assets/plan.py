"""The decision of a day: one row per known customer, and what was chosen among; ids alone. Names join in `assets.mail`."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import dagster as dg
import polars as pl

from assets.held_back import held_back
from assets.history import require_history
from assets.home import Home
from assets.landing.layout import events_day_path, events_schema_path, table_path
from assets.mail_files import MailFolder
from assets.metadata import table
from assets.owners import DATA_SCIENCE, MARKETING
from assets.partitions import daily, one_day_per_run
from assets.privacy.exports import remember
from mail.variables import personal_flags
from models.policy.control import MEMBERSHIP_SCHEMA, group_members, membership
from models.policy.decide import decide_with_options
from models.policy.inputs import PlanInputs, empty_frame

PENDING_DAYS = 7

FEATURES = (
    "feat_customer",
    "feat_eligibility",
    "triggers",
    "feat_message_history",
    "feat_variant_history",
    "feat_open_delays",
    "feat_subject_history",
    "feat_product",
    "feat_basket_pairs",
)
SCORES = (
    "score_value",
    "score_churn",
    "score_send_time",
    "score_recommendations",
    "score_contents",
    "score_offer",
    "score_response",
    "score_segments",
)


@dg.multi_asset(
    name="decide",
    outs={
        "plan_decisions": dg.AssetOut(
            description="One decision per customer: message, products, offer, wording, minute, their propensities - or why "
            "not.",
            io_manager_key="decisions_io",
            owners=MARKETING,
            kinds={"polars"},
            code_version="2",
        ),
        "plan_options": dg.AssetOut(
            description="Every message and offer that each customer could have got, with its chance: the log that other "
            "policies are judged by.",
            io_manager_key="decisions_io",
            owners=DATA_SCIENCE,
            kinds={"polars"},
            code_version="2",
        ),
    },
    group_name="plan",
    partitions_def=daily,
    backfill_policy=one_day_per_run,
    ins={
        **{name: dg.AssetIn(input_manager_key="features_io") for name in FEATURES},
        **{name: dg.AssetIn(input_manager_key="scores_io") for name in SCORES},
    },
    deps=["raw_customers"],
)
def plan_assets(
    context: dg.AssetExecutionContext,
    home: dg.ResourceParam[Home],
    mail_folder: dg.ResourceParam[MailFolder],
    **frames: Any,
) -> Iterator[dg.Output[pl.DataFrame]]:
    """The decisions of a day and the options they were made among."""
    day = date.fromisoformat(context.partition_key)
    require_history(home, day, f"plan {day}")
    decided = decide_with_options(plan_inputs(home, mail_folder, day, frames), mail_folder.policy(day))
    decisions, options, actions = decided.plan, decided.options, decided.actions
    yield dg.Output(
        decisions,
        output_name="plan_decisions",
        metadata={
            "actions": table(_counts(decisions, "action", "reason"), rows=30),
            "messages": table(
                _counts(decisions.filter(pl.col("action") == "send"), "message_key", "offer_key"), 30
            ),
            "limits": table(actions.resources, 30),
            "optimality_gap": actions.relative_gap,
            "overrides": table(
                _counts(decisions.drop_nulls("override_id"), "override_id", "action", "reason"), 30
            ),
        },
    )
    yield dg.Output(
        options,
        output_name="plan_options",
        metadata={"messages": table(_counts(options, "message_key", "offer_key"), 30)},
    )


def plan_inputs(
    home: Home, mail_folder: MailFolder, day: date, frames: Mapping[str, pl.DataFrame]
) -> PlanInputs:
    """All that the decisions of a day rest on.

    Args:
        frames: FEATURES and SCORES of the day, by name.
    """
    people = pl.read_parquet(table_path(home, "customers"), columns=["customer_id", "first_name", "city"])
    overrides = mail_folder.overrides().frame()
    if overrides["customer_id"].is_not_null().any():
        # So that an erasure finds him there.
        remember(home, mail_folder.overrides_file)
    return PlanInputs(
        **{name: frames[name] for name in FEATURES},
        **{name: frames[name] for name in SCORES if name not in ("score_response", "score_segments")},
        response=frames["score_response"],
        segments=frames["score_segments"],
        overrides=overrides,
        campaigns=mail_folder.campaigns().frame(),
        personal=personal_flags(people),
        pending_sends=pl.concat([pending_sends(home, day), held_back(home, mail_folder.policy(day))]),
        **mail_folder.catalogue().frames(),
    )


@dg.asset(
    group_name="plan",
    partitions_def=daily,
    backfill_policy=one_day_per_run,
    io_manager_key="decisions_io",
    ins={"feat_customer": dg.AssetIn(input_manager_key="features_io")},
    owners=MARKETING,
    kinds={"polars"},
    code_version="1",
)
def control_membership(
    context: dg.AssetExecutionContext,
    home: dg.ResourceParam[Home],
    mail_folder: dg.ResourceParam[MailFolder],
    feat_customer: pl.DataFrame,
) -> dg.Output[pl.DataFrame]:
    """Who is in which control group since which plan date, and who was until when. Carries on the newest earlier day's."""
    day = date.fromisoformat(context.partition_key)
    members = group_members(
        feat_customer["customer_id"],
        mail_folder.catalogue().frames()["messages"],
        mail_folder.policy(day),
    )
    history = membership(membership_before(home, day), members, day)
    return dg.Output(history, metadata={"members": table(_counts(members, "group"), rows=30)})


def membership_before(home: Home, day: date) -> pl.DataFrame:
    """`control_membership` of the newest plan date before `day`; later ones are not looked at, whatever is there."""
    files = home.decisions(day).parent.glob("as_of=*/control_membership.parquet")
    days = {date.fromisoformat(file.parent.name.partition("=")[2]): file for file in files}
    earlier = [known for known in days if known < day]
    if not earlier:
        return pl.DataFrame(schema=dict(MEMBERSHIP_SCHEMA))
    return pl.read_parquet(days[max(earlier)])


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
