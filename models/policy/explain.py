"""The decision in a sentence a marketer can read, made of the row's own facts and nothing else.

Sentences are put together column by column. A message's `explanations` are templates with `{fact}` in them;
the first whose facts are all known is used. Not here: what the recipient reads (mail/).
"""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from types import MappingProxyType

import polars as pl

from models.policy.config import PolicyConfig
from models.policy.control import MESSAGE_CONTROL
from models.policy.offers import NO_OFFER
from models.policy.overrides import APPROVE, AWAITING, HELD, REPLACE, RESTS

FACTS = (
    "product_name",
    "category",
    "trigger_age",
    "days_since_last_order",
    "n_products",
    "n_orders",
    "sources",
    "lifecycle_stage",
)
"""What an explanation template may name; `mail.schema` holds the same list with meanings."""

SOURCE_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "context": "what brought it up",
        "goes_with": "what goes with it",
        "buy_again": "what they have bought",
        "bought_together": "what others buy with the things they like",
        "similar": "what resembles what they like",
        "for_you": "their taste",
        "recently_viewed": "what they looked at lately",
        "popular": "bestsellers",
    }
)
"""Source of a product as a marketer would say it; a source not listed is named as it is."""

CONTENT_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "read_topics": "with a read on a topic they have read about",
        "read_together": "with a read that readers of the same like",
        "similar": "with a read like those they have read",
        "product_interests": "with a read on what they shop for",
        "for_you": "with a read to their taste",
        "popular": "with what is read most",
    }
)
"""Source of the first article as a marketer would say it; of a source not listed nothing is said."""

TIME_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "own sends": "when they are likeliest to open",
        "own sends: none opened": "a good hour for readers like them",
        "own visits: no mail opened": "when they are usually about",
        "own opens": "when they usually open",
        "own visits: no sends yet": "when they are usually about",
        "population": "when readers in general are likeliest to open",
        "visits: no sends yet": "when customers in general are about",
        "prior": "a usual hour for reading, as nothing is known yet",
    }
)
"""Basis of a send time as a marketer would say it."""

ORDERS_FOR_A_SHARE = 3
"""Fewer orders than this make no percentage worth quoting."""


def _counted(n: pl.Expr, noun: str) -> pl.Expr:
    """'1 mail', '2 mails'; null for null."""
    return pl.format(
        "{} {}", n.cast(pl.Int64), pl.when(n == 1).then(pl.lit(noun)).otherwise(pl.lit(f"{noun}s"))
    )


def _percent(share: pl.Expr) -> pl.Expr:
    return pl.format("{} %", (share * 100).round(0).cast(pl.Int64))


def _stage() -> pl.Expr:
    return pl.col("lifecycle_stage").str.replace_all("_", " ", literal=True)


def _facts() -> dict[str, pl.Expr]:
    age = pl.col("send_at") - pl.col("triggered_at")
    hours, days = age.dt.total_hours(), age.dt.total_days()
    named = pl.col("product_sources").list.unique(maintain_order=True)
    sources = named.list.eval(pl.element().replace(dict(SOURCE_NAMES))).list.join(", ")
    return {
        "product_name": pl.col("subject_product_name"),
        "category": pl.col("subject_category"),
        "trigger_age": pl.when(hours < 1)
        .then(pl.lit("less than an hour ago"))
        .when(hours < 48)
        .then(pl.format("{} ago", _counted(hours, "hour")))
        .otherwise(pl.format("{} ago", _counted(days, "day"))),
        "days_since_last_order": _counted(pl.col("days_since_last_order").floor(), "day"),
        "n_products": _counted(pl.col("n_products"), "product"),
        "n_orders": _counted(pl.when(pl.col("n_orders") > 0).then(pl.col("n_orders")), "order"),
        "sources": pl.when(sources != "").then(sources),
        "lifecycle_stage": _stage(),
    }


def _filled(template: str, facts: dict[str, pl.Expr]) -> pl.Expr:
    """The template as an expression; null where one of its facts is."""
    parts: list[pl.Expr] = []
    for text, name, _, _ in Formatter().parse(template):
        parts.append(pl.lit(text))
        if name is not None:
            if name not in facts:
                raise ValueError(
                    f"explanation '{template}' names {{{name}}}; known facts: {', '.join(facts)}"
                )
            parts.append(facts[name])
    return pl.concat_str(parts)


def _why_this_message(messages: pl.DataFrame) -> pl.Expr:
    facts = _facts()
    by_message: pl.Expr = pl.lit(None, dtype=pl.String)
    for key, name, templates in messages.select("message_key", "name", "explanations").iter_rows():
        sentence = pl.coalesce([*(_filled(template, facts) for template in templates or []), pl.lit(name)])
        by_message = pl.when(pl.col("message_key") == key).then(sentence).otherwise(by_message)
    return by_message


def _why_this_offer() -> pl.Expr:
    label = pl.col("offer_label")
    return (
        pl.when(~pl.col("is_best_offer"))
        .then(
            pl.when(pl.col("offer_key") == NO_OFFER).then(pl.lit("no offer")).otherwise(label) + " as a test"
        )
        .when(pl.col("offer_key") == NO_OFFER)
        .then(pl.lit(None, dtype=pl.String))
        .when(~pl.col("is_offer_rule"))
        .then(
            pl.format(
                "{} because it is expected to earn {} more than it costs",
                label,
                pl.col("offer_margin").round(2),
            )
        )
        .when(pl.col("min_price_sensitivity") <= 0)
        .then(pl.format("{}, which goes with this message", label))
        .when((pl.col("discount_share") > 0) & (pl.col("n_orders") < ORDERS_FOR_A_SHARE))
        .then(pl.format("{} because they have bought at a discount before", label))
        .when(pl.col("discount_share") >= pl.col("min_price_sensitivity"))
        .then(
            pl.format(
                "{} because {} of what they bought was on discount", label, _percent(pl.col("discount_share"))
            )
        )
        .otherwise(
            pl.format(
                "{} because their price sensitivity is put at {}",
                label,
                _percent(pl.col("price_sensitivity")),
            )
        )
    )


def _why_this_read() -> pl.Expr:
    return pl.col("content_source").replace_strict(
        dict(CONTENT_REASONS), default=None, return_dtype=pl.String
    )


def _why_then() -> pl.Expr:
    moment = pl.col("send_at_local").dt.strftime("%A %H:%M")
    return (
        pl.when(~pl.col("is_best_time"))
        .then(pl.format("{} as a test of another hour", moment))
        .when(pl.col("is_flat_time"))
        .then(pl.format("{}, in the first hour outside quiet time", moment))
        .otherwise(
            pl.format(
                "{}, {}",
                moment,
                pl.col("send_time_basis").replace_strict(dict(TIME_REASONS), default="the best hour known"),
            )
        )
    )


def _who_decided() -> pl.Expr:
    return (
        pl.when(pl.col("override_kind") == REPLACE)
        .then(pl.format("chosen by {} ({})", "overridden_by", _reason_given()))
        .when(pl.col("override_kind") == APPROVE)
        .then(pl.format("approved by {}", "overridden_by"))
    )


def _reason_given() -> pl.Expr:
    return pl.col("override_why").str.strip_chars(". ")


def explain_sends(sends: pl.DataFrame, messages: pl.DataFrame) -> pl.DataFrame:
    """Adds `explanation` to chosen rows: why this message; which person decided; whether without behaviour; why this
    article; why this offer; why then.

    Args:
        sends: the decision with its facts: subject_product_name, subject_category, content_source, offer_label,
            discount_share, price_sensitivity, min_price_sensitivity, send_time_basis, days_since_last_order,
            profiling_allowed, override_kind, overridden_by, override_why, the is_ flags.
        messages: message_key, name, explanations.

    Raises:
        ValueError: a template that names an unknown fact.
    """
    generic = pl.when(~pl.col("profiling_allowed")).then(
        pl.lit("chosen without their behaviour, as they do not allow profiling")
    )
    test = pl.when(~pl.col("is_best_message")).then(pl.lit("tried in place of the message valued most"))
    clauses = [
        _why_this_message(messages),
        _who_decided(),
        generic,
        test,
        _why_this_read(),
        _why_this_offer(),
        _why_then(),
    ]
    sentence = pl.concat_str(clauses, separator="; ", ignore_nulls=True)
    return sends.with_columns(explanation=sentence + ".")


def _hold_details(candidates: pl.DataFrame, messages: pl.DataFrame) -> pl.DataFrame:
    """Per customer: the message that rested last, the one worth most, those worth most of what is ruled out for each reason,
    and whether any was brought up."""
    read = (
        *("customer_id", "message_key", "has_enough_products", "ruled_out", "net_value", "last_sent_at"),
        *("days_since_message", "cool_down_days", *RESTS),
    )
    named = candidates.select(read).join(
        messages.select("message_key", "name", "control_share"), on="message_key"
    )
    presentable = pl.col("has_enough_products")
    resting = presentable & pl.col("is_cooling_down")
    rests = pl.any_horizontal(RESTS)
    ready = presentable & ~rests
    worth = ready & (pl.col("ruled_out").is_null() | (pl.col("ruled_out") == MESSAGE_CONTROL))

    def best(column: str, which: pl.Expr) -> pl.Expr:
        return (
            pl.col(column)
            .filter(which)
            .sort_by(pl.col("net_value").filter(which), maintain_order=True)
            .last()
        )

    def ruled_out(by: str) -> pl.Expr:
        return (ready & (pl.col("ruled_out") == by)).fill_null(False)

    return (
        named.sort("customer_id", "message_key")
        .group_by("customer_id", maintain_order=True)
        .agg(
            n_candidates=pl.len(),
            resting_name=pl.col("name")
            .filter(resting)
            .sort_by(pl.col("last_sent_at").filter(resting))
            .last(),
            resting_days=pl.col("days_since_message").filter(resting).min(),
            resting_cool_down=pl.col("cool_down_days")
            .filter(resting)
            .sort_by(pl.col("last_sent_at").filter(resting))
            .last(),
            worth_name=best("name", worth),
            held_name=best("name", ruled_out(HELD)),
            awaiting_name=best("name", ruled_out(AWAITING)),
            controlled_name=best("name", ruled_out(MESSAGE_CONTROL)),
            controlled_share=best("control_share", ruled_out(MESSAGE_CONTROL)),
            worth_value=pl.col("net_value").filter(worth).max(),
        )
    )


def _why_never() -> dict[str, pl.Expr]:
    """Reasons to be had of law and address."""
    return {
        "no_email": pl.lit("No e-mail address on file"),
        "unsubscribed": pl.lit("Has unsubscribed"),
        "complaint": pl.lit("Has reported a mail as spam"),
        "hard_bounce": pl.lit("Mail to this address came back: it does not exist"),
        "no_consent": pl.when(pl.col("consent_status") == "withdrawn")
        .then(pl.lit("Has withdrawn consent to e-mail marketing"))
        .otherwise(pl.lit("No consent to e-mail marketing on file")),
        "duplicate": pl.lit("Shares the e-mail address of another customer, who is the one mailed"),
    }


def _why_not_now() -> dict[str, pl.Expr]:
    """Reasons to be had of the day and of what people decided."""
    return {
        HELD: pl.concat_str(
            pl.when(~pl.col("is_held_by_person")).then(pl.format("{}: ", "held_name")),
            pl.format("Held by {}", "overridden_by"),
            pl.format(" until {}", pl.col("override_until").dt.strftime("%-d %B %Y")),
            pl.format(" ({})", _reason_given()),
            ignore_nulls=True,
        ),
        AWAITING: pl.format("{} waits for the approval of a person", "awaiting_name"),
        "holiday": pl.format("A public holiday in {}: promotion rests", pl.col("country")),
        "promotion_paused": pl.format(
            "Had a bad experience with service lately: no promotion until {}",
            pl.col("promotion_paused_until").dt.strftime("%-d %B"),
        ),
        "no_allowed_time": pl.format("The whole day is quiet time in {}", pl.col("timezone")),
    }


def _why_no_message(config: PolicyConfig) -> dict[str, pl.Expr]:
    """Reasons to be had of the messages that fit, and of what went out lately."""
    days = pl.col("resting_days").floor()
    rests = _counted(pl.col("resting_cool_down"), "day")
    n_week, n_day = (_counted(pl.col(name), "mail") for name in ("n_sent_7d", "n_sent_1d"))
    return {
        "frequency_cap": pl.when(pl.col("n_sent_7d") >= config.max_sends_per_7_days)
        .then(pl.format("Already got {} in 7 days (cap {})", n_week, config.max_sends_per_7_days))
        .otherwise(pl.format("Already got {} in 24 hours (cap {})", n_day, config.max_sends_per_day)),
        "no_candidate": pl.when(pl.col("n_candidates").fill_null(0) > 0)
        .then(pl.lit("No message that fits has enough products to show"))
        .otherwise(pl.format("No message fits today (life-cycle stage: {})", _stage().fill_null("unknown"))),
        "cool_down": pl.when(pl.col("resting_days") <= 0)
        .then(pl.format("{} is already on its way", pl.col("resting_name")))
        .when(days < 1)
        .then(pl.format("{} went out less than a day ago (rests {})", pl.col("resting_name"), rests))
        .otherwise(
            pl.format("{} went out {} ago (rests {})", pl.col("resting_name"), _counted(days, "day"), rests)
        ),
        "kind_cap": pl.lit("Already got as many mails of this kind as allowed"),
    }


def _why_not_worth_it(config: PolicyConfig) -> dict[str, pl.Expr]:
    """Reasons to be had of worth, room and measuring."""
    return {
        "no_room": pl.lit("Today's room for such mails has gone to customers for whom they earn more"),
        "no_hour": pl.lit("Every hour in which the mail might go out is full of mails that earn more"),
        MESSAGE_CONTROL: pl.format(
            "In the control group of {} ({} of customers)",
            "controlled_name",
            _percent(pl.col("controlled_share")),
        ),
        "negative_value": pl.format(
            "{} is expected to bring {} less than a mail must (the prices of a mail and of leaving counted)",
            pl.col("worth_name"),
            (-pl.col("worth_value")).round(2),
        ),
        "control": pl.format(
            "In the control group ({} of customers); would have got {}",
            _percent(pl.lit(config.control_share)),
            pl.col("control_name"),
        ),
    }


def explain_holds(
    held: pl.DataFrame, candidates: pl.DataFrame, messages: pl.DataFrame, config: PolicyConfig
) -> pl.DataFrame:
    """Adds `explanation` to rows that get nothing: the reason with the customer's own numbers.

    Args:
        held: customer_id, is_control, reason, lifecycle_stage, n_sent_1d, n_sent_7d, promotion_paused_until, timezone,
            those of `overrides.with_overrides`, and control_message_key of what a member of the control group would have
            got.
        candidates: with has_enough_products, is_cooling_down, is_kind_capped, is_paused, is_holiday, ruled_out, net_value,
            last_sent_at, days_since_message.
        messages: message_key, name, control_share.
        config: for caps and shares.
    """
    reason = pl.col("reason")
    because = {**_why_never(), **_why_not_now(), **_why_no_message(config), **_why_not_worth_it(config)}
    sentence = pl.coalesce(pl.when(reason == key).then(text) for key, text in because.items())
    names = messages.select(control_message_key="message_key", control_name="name")
    return (
        held.join(_hold_details(candidates, messages), on="customer_id", how="left")
        .join(names, on="control_message_key", how="left")
        .with_columns(
            explanation=pl.when(pl.col("is_control") & reason.is_in(["frequency_cap", "cool_down"]))
            .then(pl.format("In the control group, where what is held back counts as sent: {}.", sentence))
            .otherwise(sentence + ".")
        )
        .select(*held.columns, "explanation")
    )
