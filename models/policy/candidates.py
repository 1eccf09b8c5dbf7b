"""Which messages a customer could get today: by trigger, by themselves, by a campaign, or because a person asks for it.

Not here: what they would show, whether they are worth it, whether they are allowed.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta

import polars as pl

from models.policy.campaigns import campaign_messages
from models.policy.config import PolicyConfig
from models.policy.constraints import pending_counts
from models.policy.inputs import PlanInputs
from models.policy.overrides import PERSON, asked_messages, in_force
from models.policy.public_holidays import countries_on_holiday

_KEY = ["customer_id", "message_key"]


def candidates(inputs: PlanInputs, customers: pl.DataFrame, config: PolicyConfig) -> pl.DataFrame:
    """One row per (customer_id, message_key) that the customer's triggers and life-cycle stage bring up.

    Args:
        inputs: for `triggers`, `messages`, `feat_message_history`, `pending_sends`, `overrides`, `campaigns`, `segments`.
        customers: customer_id, country, lifecycle_stage, profiling_allowed, promotion_paused_until, u_spread (uniform by
            customer, fixed over dates).
        config: for the plan date, `weekly_spread_days` and `caps_by_kind`.

    Returns:
        customer_id, message_key, source (trigger, life_cycle, campaign, person), campaign_key, tries_evenly (in the first
        wave of a campaign all subjects are tried alike), trigger_key, triggered_at,
        context_product_ids, priority, last_sent_at, days_since_message (null if never sent), is_cooling_down, is_paused,
        is_kind_capped (as many mails of its kind as allowed have been sent), is_holiday (it rests on this day); sorted by
        customer and message. A message whose content rests on behaviour (`uses_profile`) is left out for who has objected to
        profiling; one that is promotional is paused for who had a bad experience with service lately. What a campaign or a
        person brings up is for any life-cycle stage.
    """
    messages = inputs.messages.select(
        "message_key",
        "trigger_key",
        "audience",
        "priority",
        "cool_down_days",
        "uses_profile",
        "kind",
        "is_promotional",
    )
    by_trigger = inputs.triggers.rename({"product_ids": "context_product_ids"}).join(
        messages.drop_nulls("trigger_key").with_columns(source=pl.lit("trigger")), on="trigger_key"
    )
    day = config.plan_date.toordinal() % config.weekly_spread_days
    bucket = (pl.col("u_spread") * config.weekly_spread_days).floor().cast(pl.Int64)
    without_trigger = (
        customers.filter(bucket == day)
        .select("customer_id")
        .join(messages.filter(pl.col("trigger_key").is_null()), how="cross")
        .with_columns(source=pl.lit("life_cycle"))
    )
    stages = customers.select("customer_id", "lifecycle_stage")
    due = (
        pl.concat([by_trigger, without_trigger], how="diagonal")
        .join(stages, on="customer_id")
        .filter(pl.col("audience").list.contains(pl.col("lifecycle_stage")))
    )
    by_campaign = _brought_up(campaign_messages(inputs, customers, config), messages, "campaign")
    found = _rested(pl.concat([due, by_campaign], how="diagonal"), customers, inputs, config)
    asked = asked_messages(in_force(inputs, customers, config.plan_date), found)
    by_person = _rested(_brought_up(asked, messages, PERSON), customers, inputs, config)
    return (
        pl.concat([found, by_person], how="diagonal")
        .unique(_KEY, keep="first", maintain_order=True)
        .sort(_KEY)
    )


def _brought_up(pairs: pl.DataFrame, messages: pl.DataFrame, source: str) -> pl.DataFrame:
    """Candidates of these customers and messages; a trigger that they also have is not why."""
    without_trigger = messages.with_columns(trigger_key=pl.lit(None, dtype=pl.String), source=pl.lit(source))
    return pairs.join(without_trigger, on="message_key")


def _rested(
    rows: pl.DataFrame, customers: pl.DataFrame, inputs: PlanInputs, config: PolicyConfig
) -> pl.DataFrame:
    """What may rest on profiling left out, and when each message last went out: see `candidates`."""
    midnight = datetime.combine(config.plan_date, time())
    countries = customers.get_column("country").drop_nulls().unique().to_list()
    resting = countries_on_holiday(countries, config.plan_date) if config.holidays_rest else []
    typed = pl.DataFrame(
        schema={
            "triggered_at": pl.Datetime("us"),
            "context_product_ids": pl.List(pl.String),
            "campaign_key": pl.String,
            "tries_evenly": pl.Boolean,
        }
    )
    return (
        pl.concat([typed, rows], how="diagonal")
        .unique(_KEY, keep="first", maintain_order=True)
        .join(
            customers.select("customer_id", "country", "profiling_allowed", "promotion_paused_until"),
            on="customer_id",
        )
        .filter(pl.col("profiling_allowed") | ~pl.col("uses_profile"))
        .join(_last_sent(inputs), on=_KEY, how="left")
        .join(_full_kinds(inputs, config), on=["customer_id", "kind"], how="left")
        .with_columns(
            pl.col("context_product_ids").fill_null([]),
            pl.col("tries_evenly").fill_null(False),
            days_since_message=(midnight - pl.col("last_sent_at")) / timedelta(days=1),
        )
        .with_columns(
            is_cooling_down=(pl.col("days_since_message") < pl.col("cool_down_days")).fill_null(False),
            is_paused=pl.col("is_promotional")
            & (pl.col("promotion_paused_until") > midnight).fill_null(False),
            is_kind_capped=pl.col("is_kind_capped").fill_null(False),
            is_holiday=pl.col("is_promotional") & pl.col("country").is_in(resting).fill_null(False),
        )
        .select(
            "customer_id",
            "message_key",
            "source",
            "campaign_key",
            "tries_evenly",
            "trigger_key",
            "triggered_at",
            "context_product_ids",
            "priority",
            "cool_down_days",
            "last_sent_at",
            "days_since_message",
            "is_cooling_down",
            "is_paused",
            "is_kind_capped",
            "is_holiday",
        )
    )


def _last_sent(inputs: PlanInputs) -> pl.DataFrame:
    pending = inputs.pending_sends.rename({"send_at": "last_sent_at"})
    return (
        pl.concat([inputs.feat_message_history.select(pending.columns), pending])
        .group_by("customer_id", "message_key")
        .agg(pl.col("last_sent_at").max())
    )


def _full_kinds(inputs: PlanInputs, config: PolicyConfig) -> pl.DataFrame:
    """customer_id, kind, is_kind_capped: as many mails of a kind as `caps_by_kind` allows have been sent or lie ready."""
    caps = pl.DataFrame(
        config.caps_by_kind,
        schema={"kind": pl.String, "per_day": pl.Int64, "per_7_days": pl.Int64},
        orient="row",
    )
    sent = pl.concat(
        [
            inputs.feat_message_history.drop("last_sent_at"),
            pending_counts(inputs.pending_sends, ["customer_id", "message_key"], config),
        ],
        how="diagonal_relaxed",
    )
    return (
        sent.join(inputs.messages.select("message_key", "kind"), on="message_key")
        .join(caps, on="kind")
        .group_by("customer_id", "kind")
        .agg(
            is_kind_capped=(pl.col("n_sent_1d").sum() >= pl.col("per_day").first())
            | (pl.col("n_sent_7d").sum() >= pl.col("per_7_days").first())
        )
    )
