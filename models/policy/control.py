"""Control groups, so that what mailing brings can be measured: customers never mailed, and those who never get one message.

Here: who is in which group, and since when. Not here: what happens to them (decide).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import polars as pl

from models.policy import draws
from models.policy.config import PolicyConfig

GLOBAL = "global"
MESSAGE_PREFIX = "message:"
MESSAGE_CONTROL = "message_control"
"""Reason of the plan."""

MEMBERSHIP_SCHEMA: Mapping[str, pl.DataType] = {
    "customer_id": pl.String(),
    "group": pl.String(),
    "since": pl.Date(),
    "until": pl.Date(),
}

_KEY = ["customer_id", "group"]


def in_control(customer_ids: pl.Series, *, salt: str, share: float) -> pl.Series:
    """True for members of the control group, in the order given.

    Membership depends on identity and salt alone, never on the date, and a larger share keeps every member
    of a smaller one.
    """
    position = draws.uniforms(customer_ids, seed=salt, streams=["control"]).get_column("control")
    return (position < share).alias("is_control")


def message_control(customer_ids: pl.Series, messages: pl.DataFrame, *, salt: str) -> pl.DataFrame:
    """Members of the control groups of single messages. Groups are drawn apart from each other and from the global one.

    Args:
        customer_ids: each once.
        messages: message_key, control_share (0 to 1).
        salt: the shop's own.

    Returns:
        customer_id, message_key; sorted.
    """
    shares = dict(messages.filter(pl.col("control_share") > 0).select("message_key", "control_share").rows())
    members = [
        pl.DataFrame(
            {"customer_id": customer_ids.filter(_place(customer_ids, message, salt) < share)}
        ).select("customer_id", message_key=pl.lit(message))
        for message, share in shares.items()
    ]
    empty = pl.DataFrame(schema={"customer_id": pl.String, "message_key": pl.String})
    return pl.concat([empty, *members]).sort("customer_id", "message_key")


def _place(customer_ids: pl.Series, message: str, salt: str) -> pl.Series:
    """Where each customer stands in the draw of a message's group, 0 to 1."""
    stream = f"control\x1f{message}"
    return draws.uniforms(customer_ids, seed=salt, streams=[stream]).get_column(stream)


def with_message_control(
    candidates: pl.DataFrame, customers: pl.DataFrame, messages: pl.DataFrame, config: PolicyConfig
) -> pl.DataFrame:
    """Candidates with `ruled_out` set to 'message_control' where nothing else rules out one whose control group he is in."""
    members = message_control(customers.get_column("customer_id"), messages, salt=config.salt)
    marked = members.with_columns(control=pl.lit(MESSAGE_CONTROL))
    return (
        candidates.join(marked, on=["customer_id", "message_key"], how="left")
        .with_columns(ruled_out=pl.coalesce("ruled_out", "control"))
        .drop("control")
        .sort("customer_id", "message_key")
    )


def group_members(customer_ids: pl.Series, messages: pl.DataFrame, config: PolicyConfig) -> pl.DataFrame:
    """Everyone in a control group on the plan date: customer_id, group ('global' or 'message:<key>')."""
    everywhere = customer_ids.filter(in_control(customer_ids, salt=config.salt, share=config.control_share))
    single = message_control(customer_ids, messages, salt=config.salt)
    return pl.concat(
        [
            pl.DataFrame({"customer_id": everywhere}).with_columns(group=pl.lit(GLOBAL)),
            single.select("customer_id", group=pl.lit(MESSAGE_PREFIX) + pl.col("message_key")),
        ]
    )


def membership(before: pl.DataFrame, members: pl.DataFrame, day: date) -> pl.DataFrame:
    """The history of membership, carried on by a plan date.

    Args:
        before: the history as of the plan date before: columns of `MEMBERSHIP_SCHEMA`.
        members: of `group_members` on `day`.
        day: the plan date, after every date in `before`.

    Returns:
        customer_id, group, since (first plan date of a stay), until (first plan date after it; null while it lasts); one row
        per stay, sorted.

    Raises:
        ValueError: a date in `before` that is not before `day`.
    """
    last = before.select(pl.max_horizontal(pl.col("since").max(), pl.col("until").max())).item()
    if last is not None and last >= day:
        raise ValueError(f"the membership before {day} speaks of {last}; a day's history ends before it")
    over = before.filter(pl.col("until").is_not_null())
    open_ = before.filter(pl.col("until").is_null())
    staying = open_.join(members, on=_KEY, how="semi")
    left = open_.join(members, on=_KEY, how="anti").with_columns(until=pl.lit(day))
    joined = members.join(open_, on=_KEY, how="anti").with_columns(
        since=pl.lit(day), until=pl.lit(None, dtype=pl.Date)
    )
    columns = [pl.col(name).cast(dtype) for name, dtype in MEMBERSHIP_SCHEMA.items()]
    return pl.concat([part.select(columns) for part in (over, staying, left, joined)]).sort(
        "customer_id", "group", "since"
    )
