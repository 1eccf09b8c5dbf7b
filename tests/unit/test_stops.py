"""What stops a mail at the last moment: the reasons, their order, since when, and that nothing else changes."""

from datetime import datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from assets.landing.contract import CONSENTS, EVENTS
from assets.stops import SENT_ALONE, apply_stops, current_stops, for_the_address
from models.policy.plan_schema import PLAN_COLUMNS, REASONS

NOON = datetime(2025, 7, 5, 12)
BOUNCE = '{"bounce_type": "Hard"}'


def stops(
    consents: list[dict[str, object]] | None = None, events: list[dict[str, object]] | None = None
) -> dict[str, tuple[str, datetime]]:
    frames = [
        pl.LazyFrame(rows or [], schema=table.schema)
        for rows, table in ((consents, CONSENTS), (events, EVENTS))
    ]
    planned = pl.LazyFrame({"message_id": ["planned"], "customer_id": ["c1"]})
    found = current_stops(*frames, planned)
    return {row["customer_id"]: (row["reason"], row["since"]) for row in found.iter_rows(named=True)}


def said(granted: bool, hours: float = 0, purpose: str = "email_marketing") -> dict[str, object]:
    return {
        "customer_id": "c1",
        "purpose": purpose,
        "granted": granted,
        "occurred_at": NOON + timedelta(hours=hours),
    }


def event(name: str, hours: float = 0, **more: object) -> dict[str, object]:
    return {"event": name, "customer_id": "c1", "occurred_at": NOON + timedelta(hours=hours), **more}


def test_the_latest_statement_holds_and_of_two_at_once_the_refusal() -> None:
    assert stops([said(True), said(False, 1)]) == {"c1": ("no_consent", NOON + timedelta(hours=1))}
    assert stops([said(False), said(True, 1)]) == {}
    assert stops([said(True), said(False)]) == {"c1": ("no_consent", NOON)}
    assert stops([said(False, purpose="tracking")]) == {}


def test_unsubscribing_holds_until_subscribing_again() -> None:
    assert stops(events=[event("Unsubscribed")]) == {"c1": ("unsubscribed", NOON)}
    assert stops(events=[event("Unsubscribed"), event("Subscribed", 1)]) == {}
    assert stops([said(True, 1)], [event("Unsubscribed")]) == {}


def test_a_complaint_holds_for_good_and_comes_first() -> None:
    events = [event("Email Marked as Spam", 1), event("Email Marked as Spam", 2), event("Subscribed", 3)]
    assert stops([said(False)], events) == {"c1": ("complaint", NOON + timedelta(hours=1))}


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        (BOUNCE, "hard_bounce"),
        ('{"kind": "permanent"}', "hard_bounce"),
        ('{"bounce_type": "soft"}', None),
        (None, None),
    ],
)
def test_only_a_hard_bounce_stops(properties: str | None, reason: str | None) -> None:
    found = stops(events=[event("Email Bounced", properties=properties)])
    assert found == ({"c1": (reason, NOON)} if reason else {})


@pytest.mark.parametrize("message", ["sent", "planned"])
def test_a_response_without_a_customer_is_that_of_the_message(message: str) -> None:
    events = [
        event("Email Sent", -1, message_id="sent"),
        event("Unsubscribed", customer_id=None, message_id=message),
    ]
    assert stops(events=events) == {"c1": ("unsubscribed", NOON)}
    assert stops(events=[event("Unsubscribed", customer_id=None, message_id="nobody's")]) == {}


def test_a_stopped_send_becomes_a_hold_without_content_and_others_stay() -> None:
    values = {name: pl.Series(name, [None] * 3, dtype=column.dtype) for name, column in PLAN_COLUMNS.items()}
    plan = pl.DataFrame(values).with_columns(
        customer_id=pl.Series(["c1", "c2", "c3"]),
        action=pl.Series(["send", "hold", "send"]),
        reason=pl.Series(["trigger", "frequency_cap", "life_cycle"]),
        message_key=pl.Series(["cart", None, "weekly"]),
        coupon=pl.Series(["X", None, "Y"]),
        product_ids=pl.Series([["p"], None, []], dtype=pl.List(pl.String)),
        propensity=pl.Series([0.3, 1.0, 0.2]),
        propensity_mc_error=pl.Series([0.01, 0.0, 0.02]),
        explored=pl.Series([True, False, True]),
        explanation=pl.Series(["Left it.", "Had enough.", "Due."]),
    )
    found = pl.DataFrame({"customer_id": ["c1", "c2"], "reason": ["complaint"] * 2, "since": [NOON, NOON]})
    stopped = apply_stops(plan, found)
    assert stopped.schema == plan.schema
    assert_frame_equal(stopped.tail(2), plan.tail(2))
    row = stopped.row(0, named=True)
    certain = ("action", "reason", "propensity", "propensity_mc_error", "explored")
    assert [row[name] for name in certain] == ["hold", "complaint", 1.0, 0.0, False]
    assert row["explanation"] == "Has reported a mail as spam, since 2025-07-05 12:00 UTC."
    assert [row[name] for name in SENT_ALONE if name in row] == [None] * len(
        [n for n in SENT_ALONE if n in row]
    )


def test_every_reason_of_a_stop_is_a_reason_of_the_plan() -> None:
    found = stops([said(False)]) | stops(events=[event("Email Bounced", properties=BOUNCE)])
    assert {reason for reason, _ in found.values()} <= set(REASONS)


def test_a_refusal_holds_for_everybody_who_reads_the_mailbox() -> None:
    stopped = pl.DataFrame(
        {"customer_id": ["b", "c1"], "reason": ["no_consent", "unsubscribed"], "since": [NOON, NOON]}
    )
    people = pl.DataFrame(
        {
            "customer_id": ["a", "b", "c1", "c2", "d"],
            "email": ["x@example.org", None, "Ann@Example.org ", "ann@example.org", None],
        }
    )
    spread = for_the_address(stopped, people)
    assert spread["customer_id"].to_list() == ["b", "c1", "c2"]
    assert spread["reason"].to_list() == ["no_consent", "unsubscribed", "unsubscribed"]
