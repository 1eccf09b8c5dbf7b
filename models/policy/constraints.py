"""What may not happen: hard limits on mailing a person. Here: the first reason that holds a customer back.

Not here: quiet hours minute by minute (timing) and the control group (control), which decide after
everything else.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta

import polars as pl

from models.policy.config import PolicyConfig

SUPPRESSIONS = ("unsubscribed", "complaint", "hard_bounce")


def with_pending(customers: pl.DataFrame, pending_sends: pl.DataFrame, config: PolicyConfig) -> pl.DataFrame:
    """Adds mails that are decided but not yet logged to n_sent_1d and n_sent_7d.

    Pending mails count for the day if they go out less than 24 hours before the plan date or after it, and
    likewise for 7 days; what lies at or after the end of the plan's window is not this plan's concern.
    """
    midnight = datetime.combine(config.plan_date, time())
    _, window_end = config.window
    send_at = pl.col("send_at")
    counts = (
        pending_sends.filter(send_at < window_end)
        .group_by("customer_id")
        .agg(
            pending_1d=(send_at >= midnight - timedelta(days=1)).sum(),
            pending_7d=(send_at >= midnight - timedelta(days=7)).sum(),
        )
    )
    return (
        customers.join(counts, on="customer_id", how="left")
        .with_columns(
            n_sent_1d=pl.col("n_sent_1d").fill_null(0) + pl.col("pending_1d").fill_null(0),
            n_sent_7d=pl.col("n_sent_7d").fill_null(0) + pl.col("pending_7d").fill_null(0),
        )
        .drop("pending_1d", "pending_7d")
        .sort("customer_id")
    )


def with_reason(customers: pl.DataFrame, candidates: pl.DataFrame, config: PolicyConfig) -> pl.DataFrame:
    """Adds `reason`: the first, in the order of `REASONS`, for which a customer gets nothing; null if he may
    be mailed.

    Args:
        customers: has_email, is_duplicate, consent_status, suppression_reason, n_sent_1d, n_sent_7d, has_allowed_time.
            What is unknown counts against mailing: a missing address, or any consent but 'granted', holds.
        candidates: customer_id, has_enough_products, is_cooling_down, is_paused, net_value.
        config: for the caps.
    """
    rested = pl.col("has_enough_products") & ~pl.col("is_cooling_down")
    ready = rested & ~pl.col("is_paused")
    offered = candidates.group_by("customer_id").agg(
        n_presentable=pl.col("has_enough_products").sum(),
        n_rested=rested.sum(),
        n_ready=ready.sum(),
        n_worthwhile=(ready & (pl.col("net_value") >= 0)).sum(),
    )
    counts = ["n_presentable", "n_rested", "n_ready", "n_worthwhile"]
    suppressed_by = pl.col("suppression_reason")
    not_granted = (pl.col("consent_status") != "granted").fill_null(True)
    capped = (pl.col("n_sent_1d") >= config.max_sends_per_day) | (
        pl.col("n_sent_7d") >= config.max_sends_per_7_days
    )
    rules = {
        "no_email": ~pl.col("has_email").fill_null(False),
        **{suppression: suppressed_by == suppression for suppression in SUPPRESSIONS},
        "no_consent": not_granted | suppressed_by.is_not_null(),
        "duplicate": pl.col("is_duplicate").fill_null(False),
        "frequency_cap": capped,
        "no_candidate": pl.col("n_presentable") == 0,
        "cool_down": pl.col("n_rested") == 0,
        "promotion_paused": pl.col("n_ready") == 0,
        "no_allowed_time": ~pl.col("has_allowed_time"),
        "negative_value": pl.col("n_worthwhile") == 0,
    }
    first = pl.coalesce(pl.when(holds).then(pl.lit(reason)) for reason, holds in rules.items())
    return (
        customers.join(offered, on="customer_id", how="left")
        .with_columns(pl.col(counts).fill_null(0))
        .with_columns(reason=first)
        .drop(counts)
        .sort("customer_id")
    )
