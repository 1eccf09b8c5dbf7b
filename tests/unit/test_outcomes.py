"""Outcomes of plan rows: which mail, order and window belong together, and that nothing later changes them."""

from datetime import date, datetime, time, timedelta
from pathlib import Path

import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from models.outcomes import OUTCOME_COLUMNS, OutcomeParams, outcomes_of

AS_OF = date(2025, 3, 31)
PARAMS = OutcomeParams(AS_OF, time(2), attribution_days=5)
MESSAGES = {
    "message_id": pl.String,
    "sent_at": pl.Datetime("us"),
    **dict.fromkeys(
        ("is_delivered", "is_human_open", "is_click", "is_unsubscribed", "is_complained"), pl.Boolean
    ),
}
ORDERS = {
    **dict.fromkeys(("order_id", "customer_id", "message_id"), pl.String),
    **dict.fromkeys(("revenue", "margin"), pl.Float64),
    "ordered_at": pl.Datetime("us"),
}
CUSTOMERS = pl.DataFrame(
    {"customer_id": ["ann", "bob", "kay", "private"], "has_behaviour": [True, True, True, False]}
)
BEFORE = pl.DataFrame(
    {
        "customer_id": ["ann", "private"],
        "pre_orders": [3.0, 9.0],
        "pre_revenue": [90.0, 9.0],
        "pre_margin": [30.0, 9.0],
    }
)


def planned(day: date, customer: str, action: str = "send") -> dict[str, object]:
    """A plan row; its mail is called after customer and day of the month."""
    sent = action == "send"
    return {
        **dict.fromkeys(name for name in OUTCOME_COLUMNS if name not in ("local_hour",)),
        "plan_date": day,
        "customer_id": customer,
        "action": action,
        "message_key": "news" if sent else None,
        "control_message_key": "news" if action == "control" else None,
        "is_control": action == "control",
        "message_id": f"{customer}-{day.day}" if sent else None,
        "send_at_local": datetime.combine(day, time(17, 30)) if sent else None,
    }


def plans(*rows: dict[str, object]) -> pl.DataFrame:
    schema = {name: column.dtype for name, column in OUTCOME_COLUMNS.items() if name != "local_hour"}
    frame = pl.DataFrame(list(rows), schema={**schema, "send_at_local": pl.Datetime("us")})
    results = list(OUTCOME_COLUMNS)[list(OUTCOME_COLUMNS).index("local_hour") + 1 :]
    return frame.drop(results)


def sent(message: str, at: datetime, *, opened: bool | None = False) -> dict[str, object]:
    flags = {"is_delivered": True, "is_click": False, "is_unsubscribed": False, "is_complained": False}
    return {"message_id": message, "sent_at": at, "is_human_open": opened, **flags}


def ordered(
    order: str, customer: str, at: datetime, *, mail: str | None = None, revenue: float = 10.0
) -> dict[str, object]:
    return {
        "order_id": order,
        "customer_id": customer,
        "message_id": mail,
        "revenue": revenue,
        "margin": revenue / 2,
        "ordered_at": at,
    }


def found(
    rows: pl.DataFrame,
    messages: list[dict[str, object]],
    orders: list[dict[str, object]],
    before: pl.DataFrame | None = BEFORE,
) -> pl.DataFrame:
    return outcomes_of(
        rows,
        messages=pl.DataFrame(messages, schema=MESSAGES),
        orders=pl.DataFrame(orders, schema=ORDERS),
        customers=CUSTOMERS,
        before=before,
        params=PARAMS,
    )


def test_a_row_has_its_mail_its_orders_and_what_is_attributed_to_it() -> None:
    day, next_day = date(2025, 3, 20), date(2025, 3, 21)
    start = datetime(2025, 3, 20, 2)
    rows = plans(
        planned(day, "ann"),
        planned(next_day, "ann"),
        planned(day, "kay", "control"),
        planned(day, "bob", "hold"),
    )
    orders = [
        ordered("too early", "ann", start - timedelta(seconds=1), mail="ann-20"),
        ordered("first day", "ann", start, mail="ann-20", revenue=20.0),
        ordered("both", "ann", start + timedelta(days=2), revenue=40.0),
        ordered("second's window", "ann", start + timedelta(days=6), mail="ann-20", revenue=80.0),
        ordered("too late", "ann", start + timedelta(days=7), mail="ann-21"),
        ordered("held back", "kay", start + timedelta(hours=30)),
        ordered("on hold", "bob", start + timedelta(hours=3)),
    ]
    told = found(rows, [sent("ann-20", start + timedelta(hours=9), opened=True)], orders)
    by = {(row["customer_id"], row["plan_date"].day): row for row in told.iter_rows(named=True)}
    ann, again, kay, bob = by["ann", 20], by["ann", 21], by["kay", 20], by["bob", 20]
    assert (ann["is_sent"], ann["is_delivered"], ann["is_human_open"], ann["is_human_click"]) == (
        True,
        True,
        True,
        False,
    )
    assert (ann["n_orders"], ann["revenue"], ann["margin"], ann["day_revenue"]) == (2, 60, 30, 20)
    assert (ann["credited_orders"], ann["credited_revenue"]) == (1.5, 40)
    assert (ann["n_attributed_orders"], ann["attributed_revenue"]) == (1, 20)
    assert (ann["pre_orders"], ann["pre_revenue"], ann["local_hour"]) == (3, 90, 17)
    assert (again["is_sent"], again["is_human_open"]) == (False, None)
    assert (again["n_orders"], again["credited_revenue"], again["attributed_revenue"]) == (2, 100, 0)
    assert (kay["n_orders"], kay["day_orders"], kay["credited_orders"], kay["n_attributed_orders"]) == (
        1,
        0,
        1,
        None,
    )
    assert (bob["n_orders"], bob["day_orders"], bob["credited_orders"], bob["pre_orders"]) == (1, 1, None, 0)


def test_a_row_is_complete_when_its_window_is_over_and_leaves_when_late_events_are_in() -> None:
    days = [AS_OF - timedelta(days=back) for back in range(1, 20)]
    told = found(plans(*(planned(day, "ann") for day in days)), [], [])
    ages = dict(told.select((pl.lit(AS_OF) - pl.col("plan_date")).dt.total_days(), "is_complete").iter_rows())
    assert ages == {age: age >= 7 for age in range(1, 15)}


def test_who_refuses_profiling_has_no_answers_and_no_orders() -> None:
    day = date(2025, 3, 20)
    at = datetime(2025, 3, 20, 12)
    told = found(
        plans(planned(day, "private"), planned(day, "unknown")),
        [sent("private-20", at, opened=True), sent("unknown-20", at, opened=True)],
        [ordered("o", "private", at, mail="private-20"), ordered("p", "unknown", at)],
    )
    assert told["is_sent"].all() and told["is_delivered"].all()
    figures = [name for name in told.columns if "orders" in name or "revenue" in name or "margin" in name]
    hidden = ["is_human_open", "is_human_click", *(name for name in figures if name != "expected_margin")]
    assert len(hidden) == 16
    assert told.select(pl.col(hidden).is_null().all()).row(0) == (True,) * 16


def test_without_features_of_the_first_plan_nothing_is_said_of_before() -> None:
    told = found(plans(planned(date(2025, 3, 20), "ann")), [], [], before=None)
    assert told["pre_orders"].to_list() == [None]
    assert told["n_orders"].to_list() == [0]


HOURS = st.integers(0, 285)
"""From the first plan's window on, all before `AS_OF`."""


@settings(max_examples=20, derandomize=True)
@given(
    actions=st.lists(st.sampled_from(["send", "hold"]), min_size=10, max_size=10),
    orders=st.lists(HOURS, max_size=8),
)
def test_over_days_and_over_mails_each_order_counts_once(actions: list[str], orders: list[int]) -> None:
    first = date(2025, 3, 19)
    rows = plans(*(planned(first + timedelta(days=n), "ann", action) for n, action in enumerate(actions)))
    start = datetime.combine(first, time(2))
    moments = [start + timedelta(hours=hour) for hour in orders]
    told = found(rows, [], [ordered(f"o{n}", "ann", at) for n, at in enumerate(moments)])
    sends = [start + timedelta(days=n) for n, action in enumerate(actions) if action == "send"]
    reached = sum(any(at <= moment < at + timedelta(days=6) for at in sends) for moment in moments)
    assert told["day_orders"].sum() == sum(moment < start + timedelta(days=10) for moment in moments)
    assert told["credited_orders"].sum() == pytest.approx(reached)


@settings(max_examples=20, derandomize=True)
@given(later=st.lists(st.tuples(st.sampled_from(["ann", "bob", "kay"]), st.integers(0, 24 * 30)), min_size=1))
def test_what_happens_later_changes_nothing(later: list[tuple[str, int]]) -> None:
    days = [AS_OF - timedelta(days=back) for back in (12, 6, 1)]
    rows = [planned(day, who) for day in days for who in ("ann", "bob")]
    at = datetime(2025, 3, 30, 23, 59)
    messages = [sent("ann-19", datetime(2025, 3, 19, 9), opened=True)]
    orders = [ordered("known", "ann", at, mail="ann-30")]
    expected = found(plans(*rows), messages, orders)
    moments = [(who, PARAMS.midnight + timedelta(hours=hours)) for who, hours in later]
    assert expected["n_orders"].sum() == 2
    told = found(
        plans(*rows, *(planned(moment.date(), who) for who, moment in moments)),
        [*messages, *(sent(f"{who}-30", moment, opened=True) for who, moment in moments)],
        [*orders, *(ordered(f"later {n}", who, at, mail="ann-30") for n, (who, at) in enumerate(moments))],
    )
    assert_frame_equal(told, expected)


def test_mails_and_orders_are_published_for_as_long_as_a_plan_may_ask() -> None:
    project = Path(__file__).parents[2] / "dbt_project" / "dbt_project.yml"
    published = yaml.safe_load(project.read_text())["vars"]["outcome_days"]
    longest = 30
    """The most that mail/policy.yaml may say."""
    assert OutcomeParams(AS_OF, time(2), longest).outcome_days <= published
