"""What may not happen: hard limits on mailing a person. Here: the first reason that holds a customer back.

Not here: quiet hours minute by minute (timing) and the global control group (control), which decide after
everything else; what people decide (overrides).
"""

from __future__ import annotations

from datetime import datetime, time, timedelta

import polars as pl

from models.policy.config import PolicyConfig
from models.policy.control import MESSAGE_CONTROL
from models.policy.overrides import AWAITING, HELD, REPLACE

SUPPRESSIONS = ("unsubscribed", "complaint", "hard_bounce")
NOT_MAILABLE = ("no_email", *SUPPRESSIONS, "no_consent", "duplicate")
"""Reasons that hold a customer back whatever the message and the day."""


def with_pending(customers: pl.DataFrame, pending_sends: pl.DataFrame, config: PolicyConfig) -> pl.DataFrame:
    """Adds mails that are decided but not yet logged to n_sent_1d and n_sent_7d.

    Pending mails count for the day if they go out less than 24 hours before the plan date or after it, and
    likewise for 7 days; what lies at or after the end of the plan's window is not this plan's concern.
    """
    counts = pending_counts(pending_sends, ["customer_id"], config).rename(
        {"n_sent_1d": "pending_1d", "n_sent_7d": "pending_7d"}
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


def pending_counts(pending_sends: pl.DataFrame, by: list[str], config: PolicyConfig) -> pl.DataFrame:
    """`by`, n_sent_1d, n_sent_7d: mails that are decided but not yet logged, as `with_pending` counts them."""
    midnight = datetime.combine(config.plan_date, time())
    _, window_end = config.window
    send_at = pl.col("send_at")
    return (
        pending_sends.filter(send_at < window_end)
        .group_by(by)
        .agg(
            n_sent_1d=(send_at >= midnight - timedelta(days=1)).sum(),
            n_sent_7d=(send_at >= midnight - timedelta(days=7)).sum(),
        )
    )


def may_go_out() -> pl.Expr:
    """Whether a candidate could go out to whom nothing holds back. A person's choice may cost more than it brings.

    Reads has_enough_products, is_cooling_down, is_kind_capped, is_paused, is_holiday, ruled_out, net_value, is_forced.
    """
    return _is_ready() & pl.col("ruled_out").is_null() & _is_worthwhile()


def _is_ready() -> pl.Expr:
    return _is_unpaused() & ~pl.col("is_holiday")


def _is_unpaused() -> pl.Expr:
    return _is_uncapped() & ~pl.col("is_paused")


def _is_uncapped() -> pl.Expr:
    return pl.col("has_enough_products") & ~pl.col("is_cooling_down") & ~pl.col("is_kind_capped")


def _is_worthwhile() -> pl.Expr:
    return (pl.col("net_value") >= 0) | pl.col("is_forced")


def with_reason(customers: pl.DataFrame, candidates: pl.DataFrame, config: PolicyConfig) -> pl.DataFrame:
    """Adds `reason`: the first, in the order of `REASONS`, for which a customer gets nothing; null if he may
    be mailed. A person's hold of him is tested before the caps, one of single messages where nothing else holds them all.

    Adds ready_message_keys, all that could have gone out to him, and withheld_message_keys, those of them that the control
    group of the message alone holds back; both empty for whom another reason holds.

    Args:
        customers: has_email, is_duplicate, consent_status, suppression_reason, n_sent_1d, n_sent_7d, has_allowed_time,
            is_held_by_person, override_kind, override_id, overridden_by; the last two are kept where they matter.
            What is unknown counts against mailing: a missing address, or any consent but 'granted', holds.
        candidates: customer_id, message_key, has_enough_products, is_cooling_down, is_kind_capped, is_paused, is_holiday,
            ruled_out, is_forced, net_value.
        config: for the caps.
    """
    rested = pl.col("has_enough_products") & ~pl.col("is_cooling_down")
    ready, free = _is_ready(), pl.col("ruled_out").is_null()
    withheld = ready & _is_worthwhile() & (pl.col("ruled_out") == MESSAGE_CONTROL).fill_null(False)
    offered = (
        candidates.sort("customer_id", "message_key")
        .group_by("customer_id", maintain_order=True)
        .agg(
            n_presentable=pl.col("has_enough_products").sum(),
            n_rested=rested.sum(),
            n_uncapped=_is_uncapped().sum(),
            n_unpaused=_is_unpaused().sum(),
            n_ready=ready.sum(),
            n_held=(ready & (pl.col("ruled_out") == HELD).fill_null(False)).sum(),
            n_awaiting=(ready & (pl.col("ruled_out") == AWAITING).fill_null(False)).sum(),
            n_free=(ready & free).sum(),
            n_worthwhile=may_go_out().sum(),
            n_withheld=withheld.sum(),
            ready_message_keys=pl.col("message_key").filter(may_go_out() | withheld),
            withheld_message_keys=pl.col("message_key").filter(withheld),
        )
    )
    counts = [name for name in offered.columns if name.startswith("n_")]
    suppressed_by = pl.col("suppression_reason")
    not_granted = (pl.col("consent_status") != "granted").fill_null(True)
    capped = (pl.col("n_sent_1d") >= config.max_sends_per_day) | (
        pl.col("n_sent_7d") >= config.max_sends_per_7_days
    )
    nothing_free = pl.col("n_free") == 0
    rules = (
        ("no_email", ~pl.col("has_email").fill_null(False)),
        *((suppression, suppressed_by == suppression) for suppression in SUPPRESSIONS),
        ("no_consent", not_granted | suppressed_by.is_not_null()),
        ("duplicate", pl.col("is_duplicate").fill_null(False)),
        (HELD, pl.col("is_held_by_person")),
        ("frequency_cap", capped),
        ("no_candidate", pl.col("n_presentable") == 0),
        ("cool_down", pl.col("n_rested") == 0),
        ("kind_cap", pl.col("n_uncapped") == 0),
        ("promotion_paused", pl.col("n_unpaused") == 0),
        ("holiday", pl.col("n_ready") == 0),
        ("no_allowed_time", ~pl.col("has_allowed_time")),
        (MESSAGE_CONTROL, (pl.col("n_worthwhile") == 0) & (pl.col("n_withheld") > 0)),
        (HELD, nothing_free & (pl.col("n_held") > 0)),
        (AWAITING, nothing_free & (pl.col("n_awaiting") > 0)),
        ("negative_value", pl.col("n_worthwhile") == 0),
    )
    first = pl.coalesce(pl.when(holds).then(pl.lit(reason)) for reason, holds in rules)
    keys = ["ready_message_keys", "withheld_message_keys"]
    nothing_else = pl.col("reason").is_null() | (pl.col("reason") == MESSAGE_CONTROL)
    matters = (pl.col("reason") == HELD) | (pl.col("override_kind") == REPLACE)
    return (
        customers.join(offered, on="customer_id", how="left")
        .with_columns(pl.col(counts).fill_null(0))
        .with_columns(reason=first)
        .drop(counts)
        .with_columns(
            *(pl.when(nothing_else).then(pl.col(key).fill_null([])).otherwise([]).alias(key) for key in keys),
            *(pl.when(matters).then(name).alias(name) for name in ("override_id", "overridden_by")),
        )
        .sort("customer_id")
    )
