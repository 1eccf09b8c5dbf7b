"""Mails that members of the control group would have got: they rest from them as if they had."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from assets.home import Home
from models.policy.config import PolicyConfig
from models.policy.control import in_control
from models.policy.inputs import empty_frame

HELD_BACK_DAYS = 31
"""Plans of so many days before are asked: longer than the rest of any message that comes back within the year."""


def held_back(home: Home, config: PolicyConfig) -> pl.DataFrame:
    """What plans of before held back from those who are in the control group now: customer_id, message_key, send_at.

    They count towards caps and cool-downs as mails do for others. Else a member would be due every day, others once a week,
    and the days of the two could not be compared.
    """
    days = (config.plan_date - timedelta(days=back) for back in range(HELD_BACK_DAYS, 0, -1))
    plans = [read for day in days if (read := _held_back(home, day, config)) is not None]
    if not plans:
        return empty_frame("pending_sends")
    found = pl.concat(pl.collect_all(plans))
    is_member = in_control(found["customer_id"], salt=config.salt, share=config.control_share)
    return found.filter(is_member).sort("customer_id", "message_key", "send_at")


def _held_back(home: Home, day: date, config: PolicyConfig) -> pl.LazyFrame | None:
    """Those of one plan; None where there is no such plan, or one of before it said what it held back."""
    file = home.plan(day) / "send_plan.parquet"
    if not file.is_file():
        return None
    plan = pl.scan_parquet(file, glob=False, hive_partitioning=False)
    if "control_message_key" not in plan.collect_schema():
        return None
    return plan.filter(pl.col("action") == "control").select(
        "customer_id",
        message_key="control_message_key",
        send_at=pl.col("plan_date").dt.combine(config.window_start).cast(pl.Datetime("us")),
    )
