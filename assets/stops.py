"""What has happened since a plan was made that forbids a mail: applied at the last moment, by whatever delivers.

A plan for a day knows nothing of that day; a withdrawal of this morning must stop the mail of this noon all the same.
Pure: frames in, frames out.
"""

from __future__ import annotations

import polars as pl

SENT_ALONE = (
    *(
        "message_key",
        "trigger_key",
        "campaign_key",
        "triggered_at",
        "send_at",
        "send_at_local",
        "subject",
        "preheader",
        "tone",
    ),
    *("subject_variant", "layout", "subject_product_id", "product_ids", "product_sources", "product_scores"),
    *(
        "content_ids",
        "offer_key",
        "coupon",
        "p_open",
        "p_click",
        "p_purchase",
        "p_purchase_basis",
        "offer_cost",
        "offer_uplift",
        "offer_margin",
    ),
    *("unsubscribe_cost", "fatigue_cost", "expected_margin", "unsubscribe_risk", "message_id"),
)
"""Columns of the plan that are null unless the action is send."""

_CERTAIN = (
    "propensity",
    "propensity_ticket",
    "propensity_message",
    "propensity_offer",
    "propensity_variant",
    "propensity_send_time",
)
_WORDS = {
    "complaint": "Has reported a mail as spam",
    "unsubscribed": "Has unsubscribed",
    "no_consent": "Has withdrawn consent to e-mail marketing",
    "hard_bounce": "Mail to this address came back: it does not exist",
}
"""Reasons of stopping in the order in which they are tested, as `REASONS` of the plan names them."""

_HARD = ("hard", "permanent")


def current_stops(consents: pl.LazyFrame, events: pl.LazyFrame, planned: pl.LazyFrame) -> pl.DataFrame:
    """Who must not be mailed as of now, why and since when.

    Args:
        consents: rows of the landing contract; repeated rows do no harm. The latest statement holds; of two at the same
            moment, the refusal.
        events: rows of the landing contract. Responses without a customer are matched by message to the mail.
        planned: message_id, customer_id of planned mails, whose sending may not have been reported yet.

    Returns:
        customer_id, reason (a key of the plan's reasons), since (UTC); one row per customer, sorted.
    """
    responses = _responses(events, planned)
    stated = pl.concat([_statements(consents), _subscriptions(responses)])
    last = stated.sort("customer_id", "since", "is_granted", descending=[False, True, False])
    refused = last.unique("customer_id", keep="first", maintain_order=True).filter(~pl.col("is_granted"))
    told = [pl.col("properties").str.json_path_match(f"$.{key}") for key in ("bounce_type", "kind")]
    bounce = pl.coalesce(told).str.to_lowercase()
    complaints = responses.filter(event="Email Marked as Spam").with_columns(reason=pl.lit("complaint"))
    bounces = responses.filter(pl.col("event") == "Email Bounced", bounce.is_in(_HARD))
    first = [
        found.group_by("customer_id", "reason").agg(since=pl.col("occurred_at").min())
        for found in (complaints, bounces.with_columns(reason=pl.lit("hard_bounce")))
    ]
    return _first(pl.concat([refused.select("customer_id", "reason", "since"), *first]).collect())


def for_the_address(stops: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """A refusal holds for the mailbox: the same stops for every customer who reads it.

    Args:
        stops: see `current_stops`.
        people: customer_id, email.

    Returns:
        As `current_stops`: of several reasons for one address, the one tested first.
    """
    mailboxes = people.select("customer_id", mailbox=pl.col("email").str.strip_chars().str.to_lowercase())
    shared = stops.join(mailboxes.drop_nulls(), on="customer_id").drop("customer_id")
    spread = mailboxes.join(shared, on="mailbox").select("customer_id", "reason", "since")
    return _first(pl.concat([stops, spread]))


def apply_stops(plan: pl.DataFrame, stops: pl.DataFrame) -> pl.DataFrame:
    """The plan with `send` turned into `hold` for customers in `stops`; says why and since when, and shows nothing.

    Args:
        plan: rows of a published plan.
        stops: see `current_stops`.

    Returns:
        The same rows and columns in the same order.
    """
    joined = plan.join(
        stops.select("customer_id", stop_reason="reason", stop_since="since"),
        on="customer_id",
        how="left",
        maintain_order="left",
    )
    is_stopped = (pl.col("action") == "send") & pl.col("stop_reason").is_not_null()
    words = pl.col("stop_reason").replace_strict(_WORDS, default=None, return_dtype=pl.String)
    sentence = pl.format("{}, since {} UTC.", words, pl.col("stop_since").dt.strftime("%Y-%m-%d %H:%M"))

    def instead(name: str, value: pl.Expr) -> pl.Expr:
        return pl.when(is_stopped).then(value).otherwise(pl.col(name)).alias(name)

    return joined.with_columns(
        instead("action", pl.lit("hold")),
        instead("reason", pl.col("stop_reason")),
        instead("explanation", sentence),
        *(instead(name, pl.lit(None)) for name in SENT_ALONE if name in plan.columns),
        *(instead(name, pl.lit(1.0)) for name in _CERTAIN if name in plan.columns),
        *(instead(name, pl.lit(0.0)) for name in ("propensity_mc_error",) if name in plan.columns),
        *(instead(name, pl.lit(False)) for name in ("explored",) if name in plan.columns),
    ).select(plan.columns)


def _first(stops: pl.DataFrame) -> pl.DataFrame:
    """One stop per customer: of his reasons the one tested first."""
    order = pl.col("reason").replace_strict(
        {reason: rank for rank, reason in enumerate(_WORDS)}, return_dtype=pl.Int64
    )
    return stops.sort("customer_id", order, "since").unique("customer_id", keep="first", maintain_order=True)


def _responses(events: pl.LazyFrame, planned: pl.LazyFrame) -> pl.LazyFrame:
    """Events that may stop mail, with the customer found by message where the event names none."""
    sent = events.filter(pl.col("event") == "Email Sent").select("message_id", "customer_id")
    owners = pl.concat([sent, planned.select("message_id", "customer_id")]).drop_nulls()
    owners = (
        owners.rename({"customer_id": "owner"}).sort("message_id", "owner").unique("message_id", keep="first")
    )
    told = events.filter(
        pl.col("event").is_in(["Subscribed", "Unsubscribed", "Email Marked as Spam", "Email Bounced"])
    )
    return (
        told.join(owners, on="message_id", how="left")
        .with_columns(customer_id=pl.coalesce("customer_id", "owner"))
        .filter(pl.col("customer_id").is_not_null())
    )


def _statements(consents: pl.LazyFrame) -> pl.LazyFrame:
    return consents.filter(pl.col("purpose") == "email_marketing").select(
        "customer_id", reason=pl.lit("no_consent"), since="occurred_at", is_granted="granted"
    )


def _subscriptions(responses: pl.LazyFrame) -> pl.LazyFrame:
    said = responses.filter(pl.col("event").is_in(["Subscribed", "Unsubscribed"]))
    return said.select(
        "customer_id",
        reason=pl.lit("unsubscribed"),
        since="occurred_at",
        is_granted=pl.col("event") == "Subscribed",
    )
