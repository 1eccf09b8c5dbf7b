"""Which messages a customer could get today: active triggers and the messages that need none.

Not here: what they would show, whether they are worth it, whether they are allowed.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta

import polars as pl

from models.policy.config import PolicyConfig
from models.policy.inputs import PlanInputs


def candidates(inputs: PlanInputs, customers: pl.DataFrame, config: PolicyConfig) -> pl.DataFrame:
    """One row per (customer_id, message_key) that the customer's triggers and life-cycle stage bring up.

    Args:
        inputs: for `triggers`, `messages`, `feat_message_history`, `pending_sends`.
        customers: customer_id, lifecycle_stage, profiling_allowed, promotion_paused_until, u_spread (uniform by
            customer, fixed over dates).
        config: for the plan date and `weekly_spread_days`.

    Returns:
        customer_id, message_key, trigger_key, triggered_at, context_product_ids, priority, last_sent_at,
        days_since_message (null if never sent), is_cooling_down, is_paused; sorted by customer and message. A
        message whose content rests on behaviour (`uses_profile`) is left out for who has objected to profiling;
        one that is promotional is paused for who had a bad experience with service lately.
    """
    messages = inputs.messages.select(
        "message_key",
        "trigger_key",
        "audience",
        "priority",
        "cool_down_days",
        "uses_profile",
        "is_promotional",
    )
    by_trigger = inputs.triggers.rename({"product_ids": "context_product_ids"}).join(
        messages.drop_nulls("trigger_key"), on="trigger_key"
    )
    day = config.plan_date.toordinal() % config.weekly_spread_days
    bucket = (pl.col("u_spread") * config.weekly_spread_days).floor().cast(pl.Int64)
    without_trigger = (
        customers.filter(bucket == day)
        .select("customer_id")
        .join(messages.filter(pl.col("trigger_key").is_null()), how="cross")
        .with_columns(
            triggered_at=pl.lit(None, dtype=pl.Datetime("us")),
            context_product_ids=pl.lit([], dtype=pl.List(pl.String)),
        )
    )
    midnight = datetime.combine(config.plan_date, time())
    return (
        pl.concat([by_trigger, without_trigger], how="diagonal")
        .join(
            customers.select("customer_id", "lifecycle_stage", "profiling_allowed", "promotion_paused_until"),
            on="customer_id",
        )
        .filter(
            pl.col("audience").list.contains(pl.col("lifecycle_stage")),
            pl.col("profiling_allowed") | ~pl.col("uses_profile"),
        )
        .join(_last_sent(inputs), on=["customer_id", "message_key"], how="left")
        .with_columns(
            pl.col("context_product_ids").fill_null([]),
            days_since_message=(midnight - pl.col("last_sent_at")) / timedelta(days=1),
        )
        .with_columns(
            is_cooling_down=(pl.col("days_since_message") < pl.col("cool_down_days")).fill_null(False),
            is_paused=pl.col("is_promotional")
            & (pl.col("promotion_paused_until") > midnight).fill_null(False),
        )
        .select(
            "customer_id",
            "message_key",
            "trigger_key",
            "triggered_at",
            "context_product_ids",
            "priority",
            "cool_down_days",
            "last_sent_at",
            "days_since_message",
            "is_cooling_down",
            "is_paused",
        )
        .sort("customer_id", "message_key")
    )


def _last_sent(inputs: PlanInputs) -> pl.DataFrame:
    pending = inputs.pending_sends.rename({"send_at": "last_sent_at"})
    return (
        pl.concat([inputs.feat_message_history, pending])
        .group_by("customer_id", "message_key")
        .agg(pl.col("last_sent_at").max())
    )
