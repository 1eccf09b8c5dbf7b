"""What people have decided over the policy's head: holds, approvals, and messages in the place of others.

Here: whom an override concerns on a day, the messages it asks for, what it rules out. Not here: the file people write
(mail/overrides), and the hard limits, which no override lifts (constraints, timing).

Of several overrides a hold always counts. Of several messages asked for one customer the more precise override counts
(a customer before a segment), then the later one. A message that a person puts in needs no approval.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from models.policy.config import PolicyConfig
from models.policy.inputs import PlanInputs

HOLD, APPROVE, REPLACE = "hold", "approve", "replace"
REPLACED = "replaced"
"""Said of a message in whose place another was put."""
PERSON = "person"
"""Source of a candidate that is there because a person asked for it."""
HELD, AWAITING = "held_by_person", "awaiting_approval"
"""Reasons of the plan."""

_KEY = ["customer_id", "message_key"]
RESTS = ("is_cooling_down", "is_kind_capped", "is_paused", "is_holiday")
"""Flags of a candidate that rests today."""
_CREDIT = ["override_id", "overridden_by", "override_why", "override_until"]


def in_force(inputs: PlanInputs, customers: pl.DataFrame, day: date) -> pl.DataFrame:
    """One row per override of the day and customer whom it concerns.

    Args:
        inputs: for `overrides` and `segments`.
        customers: customer_id, lifecycle_stage, which is a segment too.
        day: the plan date; an override counts from its first to its last day, both included.

    Returns:
        override_id, kind, customer_id, message_key (null: whatever the message), replacement_key, overridden_by,
        override_why, override_until; sorted: of two rows the one further up goes before the other.
    """
    active = inputs.overrides.filter(
        pl.col("from_date") <= day, pl.col("to_date").is_null() | (pl.col("to_date") >= day)
    ).rename({"customer_id": "only_customer_id", "who": "overridden_by", "why": "override_why"})
    stages = customers.select("customer_id", segment_key="lifecycle_stage").drop_nulls()
    members = pl.concat([inputs.segments.join(customers, on="customer_id", how="semi"), stages]).unique()
    everyone = customers.select("customer_id")
    named, grouped = pl.col("only_customer_id").is_not_null(), pl.col("segment_key").is_not_null()
    found = pl.concat(
        [
            active.filter(grouped).join(members, on="segment_key"),
            active.filter(~grouped, named).join(
                everyone, left_on="only_customer_id", right_on="customer_id", coalesce=False
            ),
            active.filter(~grouped, ~named).join(everyone, how="cross"),
        ],
        how="diagonal",
    ).filter(pl.col("only_customer_id").is_null() | (pl.col("only_customer_id") == pl.col("customer_id")))
    precision = named.cast(pl.Int8) * 2 + grouped.cast(pl.Int8)
    return found.sort(
        "customer_id", precision, "made_at", "override_id", descending=[False, True, True, False]
    ).select(
        "override_id",
        "kind",
        "customer_id",
        "message_key",
        "replacement_key",
        "overridden_by",
        "override_why",
        override_until="to_date",
    )


def asked_messages(rulings: pl.DataFrame, brought_up: pl.DataFrame) -> pl.DataFrame:
    """Messages that people put in: for a customer outright, or in the place of one that is due.

    Args:
        rulings: of `in_force`.
        brought_up: candidates with is_cooling_down, is_kind_capped, is_paused, is_holiday: what rests has no place to
            give.

    Returns:
        customer_id, message_key; each pair once.
    """
    replacing = rulings.filter(pl.col("kind") == REPLACE)
    due = brought_up.filter(~pl.any_horizontal(RESTS)).select(_KEY)
    in_place = replacing.join(due, on=_KEY, how="semi")
    outright = _forced(rulings)
    return (
        pl.concat([outright, in_place])
        .select("customer_id", message_key="replacement_key")
        .unique()
        .sort(_KEY)
    )


def with_overrides(
    candidates: pl.DataFrame, customers: pl.DataFrame, inputs: PlanInputs, config: PolicyConfig
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What people have decided, marked on candidates and customers.

    Args:
        candidates: customer_id, message_key, net_value, has_enough_products, is_cooling_down, is_kind_capped, is_paused,
            is_holiday; those asked for by `asked_messages` among them.
        customers: customer_id, lifecycle_stage.
        inputs: for `overrides`, `segments` and the messages' `needs_approval`.
        config: for the plan date.

    Returns:
        The candidates and ruled_out (null, or the reason for which one may not be chosen), is_forced (chosen by a person,
        whatever it is worth), override_id, overridden_by, override_kind and override_why of the override that brought it
        up, approved it or ruled it out. For whom a message was chosen outright, it is the only one left.

        The customers and is_held_by_person, and override_id, overridden_by, override_why, override_until, override_kind
        of what concerns them: a hold, else one of the message worth most of those held, if it could go out ('partial'),
        else the message chosen for them.
    """
    rulings = in_force(inputs, customers, config.plan_date)
    approval = inputs.messages.select("message_key", "needs_approval")
    candidates = candidates.join(approval, on="message_key", how="left")
    forced = _forced(rulings)
    candidates = (
        candidates.join(
            forced.select("customer_id", forced_key="replacement_key"), on="customer_id", how="left"
        )
        .filter(pl.col("forced_key").is_null() | (pl.col("forced_key") == pl.col("message_key")))
        .with_columns(is_forced=pl.col("forced_key").is_not_null())
        .drop("forced_key")
    )
    verdicts = _verdicts(rulings, candidates)
    candidates = (
        candidates.join(verdicts, on=_KEY, how="left")
        .with_columns(
            ruled_out=pl.when(pl.col("override_kind").is_in([HOLD, REPLACED]))
            .then(pl.lit(HELD))
            .when(pl.col("needs_approval") & pl.col("override_kind").is_null())
            .then(pl.lit(AWAITING))
        )
        .drop("needs_approval", "override_until")
        .sort(_KEY)
    )
    wide = rulings.filter(pl.col("kind") == HOLD, pl.col("message_key").is_null())
    partial = (
        verdicts.filter(pl.col("override_kind").is_in([HOLD, REPLACED]))
        .join(candidates.select(*_KEY, "net_value", *RESTS, "has_enough_products"), on=_KEY)
        .sort(
            "customer_id",
            pl.col("has_enough_products") & ~pl.any_horizontal(RESTS),
            "net_value",
            "message_key",
            descending=[False, True, True, False],
        )
        .with_columns(kind=pl.lit("partial"))
    )
    columns = ["customer_id", "kind", *_CREDIT]
    concerned = pl.concat([wide.select(columns), partial.select(columns), forced.select(columns)])
    return candidates, _with_credit(customers, concerned)


def _forced(rulings: pl.DataFrame) -> pl.DataFrame:
    """The message chosen outright for a customer: one row each."""
    outright = rulings.filter(pl.col("kind") == REPLACE, pl.col("message_key").is_null())
    return outright.unique("customer_id", keep="first", maintain_order=True)


def _verdicts(rulings: pl.DataFrame, candidates: pl.DataFrame) -> pl.DataFrame:
    """What is said of a candidate, the strongest first: a hold, being put in, having another put in its place, approval."""
    by_message = rulings.drop_nulls("message_key")
    every_message = rulings.filter(pl.col("message_key").is_null(), pl.col("kind") != REPLACE)
    pairs = candidates.select(_KEY)
    put_in = rulings.filter(pl.col("kind") == REPLACE, pl.col("message_key").is_not_null())
    asked = asked_messages(rulings, candidates)
    said = {
        HOLD: [
            by_message.filter(pl.col("kind") == HOLD),
            every_message.filter(pl.col("kind") == HOLD).drop("message_key").join(pairs, on="customer_id"),
        ],
        REPLACE: [
            _forced(rulings).with_columns(message_key="replacement_key"),
            put_in.with_columns(message_key="replacement_key").join(asked, on=_KEY, how="semi"),
        ],
        REPLACED: [by_message.filter(pl.col("kind") == REPLACE)],
        APPROVE: [by_message.filter(pl.col("kind") == APPROVE)],
    }
    parts = [
        part.select(*_KEY, *_CREDIT, override_kind=pl.lit(kind)).join(pairs, on=_KEY, how="semi")
        for kind, parts in said.items()
        for part in parts
    ]
    return pl.concat(parts).unique(_KEY, keep="first", maintain_order=True)


def _with_credit(customers: pl.DataFrame, concerned: pl.DataFrame) -> pl.DataFrame:
    first = concerned.unique("customer_id", keep="first", maintain_order=True).select(
        "customer_id", *_CREDIT, override_kind="kind"
    )
    return (
        customers.join(first, on="customer_id", how="left")
        .with_columns(is_held_by_person=(pl.col("override_kind") == HOLD).fill_null(False))
        .sort("customer_id")
    )
