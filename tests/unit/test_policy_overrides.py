"""What people decide holds, whatever the policy would do; and nothing they decide lifts a hard limit."""

from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_world import CATALOGUE, DAY, STAGES, eligible_world, world

from models.policy import PlanInputs, PolicyConfig, decide, empty_frame
from models.policy.control import MEMBERSHIP_SCHEMA, group_members, membership

CONFIG = PolicyConfig(DAY, control_share=0.0, variant_draws=200)
MESSAGES = ("weekly_picks", "cart_abandoned", "welcome", "post_purchase_thanks")
KEYS = st.sampled_from(MESSAGES)
N = 40


def entry(number: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {
        "override_id": f"o{number}",
        "kind": kind,
        "from_date": DAY,
        "who": "Ann",
        "made_at": datetime.combine(DAY, time()) + timedelta(minutes=number),
        "why": "because.",
        **fields,
    }


def frame(name: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=empty_frame(name).schema)


def with_rules(inputs: PlanInputs, *entries: dict[str, Any], **messages: pl.Expr) -> PlanInputs:
    return replace(
        inputs,
        overrides=frame("overrides", list(entries)),
        messages=inputs.messages.with_columns(**messages),
    )


SCOPES = st.fixed_dictionaries(
    {
        "message_key": st.none() | KEYS,
        "segment_key": st.none() | st.sampled_from([*STAGES, "vip"]),
        "customer_id": st.none() | st.integers(0, N).map(lambda i: f"c{i:06d}"),
        "from_date": st.sampled_from([DAY, DAY - timedelta(days=3), DAY + timedelta(days=1)]),
        "to_date": st.none() | st.sampled_from([DAY, DAY - timedelta(days=1), DAY + timedelta(days=9)]),
    }
)


@settings(max_examples=10)
@given(
    seed=st.integers(0, 1000),
    drawn=st.lists(st.tuples(st.sampled_from(["hold", "approve", "replace"]), SCOPES, KEYS), max_size=6),
    unapproved=st.sets(KEYS, max_size=2),
    controlled=st.sampled_from([0.0, 0.5]),
)
def test_a_hold_always_holds_and_no_override_mails_who_may_not_be_mailed(
    seed: int, drawn: list[tuple[str, dict[str, Any], str]], unapproved: set[str], controlled: float
) -> None:
    inputs = world(N, seed=seed)
    entries = [
        entry(i, kind, **scope, **({"replacement_key": key} if kind == "replace" else {}))
        for i, (kind, scope, key) in enumerate(drawn)
    ]
    vips = {f"c{i:06d}" for i in range(0, N, 3)}
    inputs = replace(
        with_rules(
            inputs,
            *entries,
            needs_approval=pl.col("message_key").is_in(list(unapproved)),
            control_share=pl.lit(controlled),
        ),
        segments=frame("segments", [{"customer_id": one, "segment_key": "vip"} for one in sorted(vips)]),
    )
    plan = decide(inputs, replace(CONFIG, explore_message=0.5))
    stage = dict(inputs.feat_customer.select("customer_id", "lifecycle_stage").iter_rows())

    def concerns(rule: dict[str, Any], customer: str) -> bool:
        segment = rule["segment_key"]
        is_member = customer in vips if segment == "vip" else stage[customer] == segment
        return (
            rule["from_date"] <= DAY
            and (rule["to_date"] or DAY) >= DAY
            and (segment is None or is_member)
            and rule["customer_id"] in (None, customer)
        )

    facts = plan.filter(action="send").join(inputs.feat_eligibility, on="customer_id")
    assert facts["has_email"].all() and (facts["consent_status"] == "granted").all()
    assert facts["suppression_reason"].is_null().all() and not facts["is_duplicate"].any()
    assert (facts["n_sent_1d"] < 1).all() and (facts["n_sent_7d"] < 3).all()
    needed = dict(inputs.messages.select("message_key", "min_products").iter_rows())
    unprofiled = dict(inputs.messages.select("message_key", "uses_profile").iter_rows())
    for row in facts.iter_rows(named=True):
        message, customer = row["message_key"], row["customer_id"]
        ruling = [rule for rule in entries if concerns(rule, customer)]
        of_this = [rule for rule in ruling if rule["message_key"] in (None, message)]
        assert not [rule for rule in of_this if rule["kind"] == "hold"]
        assert len(row["product_ids"]) >= needed[message]
        assert row["profiling_allowed"] or not unprofiled[message]
        assert message in row["ready_message_keys"] and message not in row["withheld_message_keys"]
        outright = [rule for rule in ruling if rule["kind"] == "replace" and rule["message_key"] is None]
        if outright:
            assert message in {rule["replacement_key"] for rule in outright}
            assert (row["reason"], row["propensity_message"]) == ("chosen_by_person", 1.0)
        if message in unapproved:
            allowing = [r for r in of_this if r["kind"] == "approve" and r["message_key"] == message]
            allowing += [r for r in ruling if r.get("replacement_key") == message]
            assert row["override_id"] in {rule["override_id"] for rule in allowing}
    held = plan.filter(reason="held_by_person")
    assert held["override_id"].is_not_null().all() and (held["overridden_by"] == "Ann").all()
    assert held["explanation"].str.contains("Held by Ann").all()


def test_an_override_says_who_and_why_and_lasts_for_its_days() -> None:
    inputs = eligible_world(30)
    one, two, three = inputs.feat_customer["customer_id"].to_list()[:3]
    last = DAY + timedelta(days=2)
    rules = with_rules(
        inputs,
        entry(1, "hold", customer_id=one, to_date=last),
        entry(2, "replace", customer_id=two, replacement_key="welcome"),
        entry(3, "hold", message_key="weekly_picks"),
        entry(4, "approve", message_key="welcome"),
        needs_approval=pl.col("message_key") == "welcome",
    )
    plan = {row["customer_id"]: row for row in decide(rules, CONFIG).iter_rows(named=True)}
    assert plan[one]["explanation"] == "Held by Ann until 6 March 2025 (because)."
    assert (plan[one]["override_id"], plan[one]["reason"]) == ("o1", "held_by_person")
    assert (plan[two]["message_key"], plan[two]["override_id"]) == ("welcome", "o2")
    assert "; chosen by Ann (because); " in plan[two]["explanation"]
    assert "weekly_picks" not in {row["message_key"] for row in plan.values()}
    assert "Weekly picks: Held by Ann (because)." in {row["explanation"] for row in plan.values()}
    after = decide(rules, replace(CONFIG, plan_date=last + timedelta(days=1)))
    assert after.filter(customer_id=one)["override_id"].to_list() != ["o1"]
    waiting = decide(with_rules(inputs, needs_approval=pl.lit(True)), CONFIG)
    assert waiting["reason"].is_in(["awaiting_approval", "no_candidate"]).all()
    assert waiting.filter(customer_id=three)["override_id"].is_null().all()


def test_what_a_person_has_chosen_takes_room_before_what_earns_more() -> None:
    inputs = eligible_world(300)
    few = replace(CONFIG, mails_per_day=20)
    left_out = decide(inputs, few).filter(reason="no_room")["customer_id"].head(10)
    rules = [
        entry(i, "replace", customer_id=customer, replacement_key="welcome")
        for i, customer in enumerate(left_out)
    ]
    plan = decide(with_rules(inputs, *rules), few)
    chosen = plan.filter(pl.col("customer_id").is_in(left_out.implode()))
    assert chosen["reason"].unique().to_list() == ["chosen_by_person"]
    assert plan.filter(action="send").height <= 20


def test_a_message_takes_the_place_of_one_that_is_due() -> None:
    inputs = eligible_world(200)
    rule = entry(1, "replace", message_key="weekly_picks", replacement_key="post_purchase_thanks")
    before, plan = decide(inputs, CONFIG), decide(with_rules(inputs, rule), CONFIG)
    assert "weekly_picks" in before["message_key"] and "weekly_picks" not in plan["message_key"]
    put_in = plan.filter(reason="chosen_by_person")
    assert put_in.height > 20 and set(put_in["message_key"]) == {"post_purchase_thanks"}
    assert (put_in["override_id"] == "o1").all()


def test_the_control_group_of_a_message_is_never_sent_it_and_is_logged() -> None:
    inputs = eligible_world(600)
    share = pl.when(pl.col("message_key") == "weekly_picks").then(0.3).otherwise(0.0)
    controlled = with_rules(inputs, control_share=share)
    plan, without = decide(controlled, CONFIG), decide(inputs, CONFIG)
    members = group_members(plan["customer_id"], controlled.messages, CONFIG)
    assert members["group"].unique().to_list() == ["message:weekly_picks"]
    assert members.height / plan.height == pytest.approx(0.3, abs=0.06)
    inside = plan.filter(pl.col("customer_id").is_in(members["customer_id"].implode()))
    assert "weekly_picks" not in inside["message_key"]
    held = plan.filter(reason="message_control")
    assert held.height > 20
    assert held["explanation"][0] == "In the control group of Weekly picks (30 % of customers)."
    # Who could have got it is the same in both groups: drawn members aside, the plan knows the same choices.
    ready = "ready_message_keys"
    assert plan.select("customer_id", ready).equals(without.select("customer_id", ready))
    withheld = plan.filter(pl.col("withheld_message_keys").list.contains("weekly_picks"))["customer_id"]
    due = without.filter(pl.col(ready).list.contains("weekly_picks"))["customer_id"]
    assert set(withheld) == set(due) & set(members["customer_id"])
    more = group_members(
        plan["customer_id"], inputs.messages.with_columns(control_share=pl.lit(0.4)), CONFIG
    ).filter(group="message:weekly_picks")
    assert set(members["customer_id"]) < set(more["customer_id"])


@settings(max_examples=6)
@given(shares=st.lists(st.sampled_from([0.0, 0.1, 0.3, 0.6]), min_size=1, max_size=7))
def test_the_history_of_membership_is_that_of_the_plans_before(shares: list[float]) -> None:
    ids = pl.Series("customer_id", [f"c{i}" for i in range(30)])
    nothing = pl.DataFrame(schema=dict(MEMBERSHIP_SCHEMA))
    history, daily = [nothing], []
    for number, share in enumerate(shares):
        day = DAY + timedelta(days=number)
        present = ids.head(15 + number)
        config = PolicyConfig(day, control_share=share)
        daily.append((day, group_members(present, CATALOGUE.frames()["messages"], config)))
        history.append(membership(history[-1], daily[-1][1], day))
    for day, members in daily:
        during = history[-1].filter(
            pl.col("since") <= day, pl.col("until").is_null() | (pl.col("until") > day)
        )
        assert set(during["customer_id"]) == set(members["customer_id"])
        assert during["customer_id"].is_unique().all()
    # An old day is made again from the day before it: later stays and ends are not in it.
    for number, (day, members) in enumerate(daily):
        assert membership(history[number], members, day).equals(history[number + 1])
    today = pl.DataFrame([("c1", "global", DAY, None)], schema=nothing.schema, orient="row")
    with pytest.raises(ValueError, match="a day's history ends before it"):
        membership(today, daily[0][1], DAY)


def test_a_campaign_reaches_its_segments_once_between_its_dates() -> None:
    inputs = eligible_world(300)
    config = replace(CONFIG, subscription_value_share=0.0, max_sends_per_day=9)
    config = replace(CONFIG, subscription_value_share=0.0, max_sends_per_day=9)
    campaign = {
        "campaign_key": "spring",
        "message_key": "welcome",
        "segment_keys": ["lapsed", "vip"],
        "from_date": DAY,
        "to_date": DAY + timedelta(days=2),
        "waves": [1.0],
        "days_between_waves": 1,
    }
    only_it = inputs.messages.with_columns(audience=pl.lit([], dtype=pl.List(pl.String)))
    asked = replace(
        inputs,
        messages=only_it,
        campaigns=frame("campaigns", [campaign]),
        segments=frame("segments", [{"customer_id": "c000001", "segment_key": "vip"}]),
    )
    plan = decide(asked, config)
    lapsed = set(inputs.feat_customer.filter(lifecycle_stage="lapsed")["customer_id"]) | {"c000001"}
    sends = plan.filter(action="send")
    assert set(sends["customer_id"]) == lapsed
    assert set(sends["campaign_key"]) == {"spring"} and set(sends["reason"]) == {"campaign"}
    for day in (DAY - timedelta(days=1), DAY + timedelta(days=3)):
        assert decide(asked, replace(config, plan_date=day))["message_key"].is_null().all()
    few = replace(asked, campaigns=frame("campaigns", [{**campaign, "max_customers": 5}]))
    first = decide(few, config).filter(action="send")
    assert first.height == 5
    again = replace(
        few,
        messages=only_it.with_columns(cool_down_days=0),
        pending_sends=first.select("customer_id", "message_key", "send_at"),
    )
    assert decide(again, config).filter(action="send").is_empty()


def by_campaign_alone(inputs: PlanInputs, campaign: dict[str, Any]) -> PlanInputs:
    """Nothing but a campaign brings up a message, and none rests after it was sent."""
    nobody = pl.lit([], dtype=pl.List(pl.String))
    return replace(
        inputs,
        messages=inputs.messages.with_columns(audience=nobody, cool_down_days=0),
        campaigns=frame("campaigns", [campaign]),
    )


def test_a_campaign_in_waves_tries_all_subjects_first_and_reaches_each_once() -> None:
    inputs = eligible_world(600)
    config = replace(CONFIG, subscription_value_share=0.0, max_sends_per_day=9, max_sends_per_7_days=9)
    campaign = {
        "campaign_key": "spring",
        "message_key": "weekly_picks",
        "segment_keys": [*STAGES],
        "from_date": DAY,
        "to_date": DAY + timedelta(days=9),
        "waves": [0.3, 0.2, 0.5],
        "days_between_waves": 2,
    }
    asked = by_campaign_alone(inputs, campaign)
    reached: list[pl.DataFrame] = []
    for after in range(7):
        pending = pl.concat(
            [asked.pending_sends, *(day.select(asked.pending_sends.columns) for day in reached)]
        )
        day = DAY + timedelta(days=after)
        plan = decide(replace(asked, pending_sends=pending), replace(config, plan_date=day))
        reached.append(plan.filter(action="send", campaign_key="spring"))
    sizes = [sends.height for sends in reached]
    total = sum(sizes)
    assert total > 400 and sizes[1] == sizes[3] == sizes[5] == sizes[6] == 0
    assert [size / total for size in sizes[:5:2]] == pytest.approx([0.3, 0.2, 0.5], abs=0.07)
    assert pl.concat(reached)["customer_id"].is_unique().all()
    evenly = reached[0].group_by("lifecycle_stage", "subject_variant", "tone").len()
    assert evenly.height > 10
    per_choice = (1.0 / reached[0]["propensity_variant"]).round(6)
    assert (per_choice == per_choice.round()).all() and reached[0]["propensity_mc_error"].max() == 0
    later = (1.0 / reached[4]["propensity_variant"]).round(6)
    assert not (later == later.round()).all()
    few = replace(asked, campaigns=frame("campaigns", [{**campaign, "max_customers": 40}]))
    first = decide(few, config).filter(campaign_key="spring", action="send")
    assert 4 <= first.height <= 20


def test_a_campaign_never_reaches_more_than_its_limit_whoever_comes_and_goes() -> None:
    inputs = eligible_world(40)
    config = replace(CONFIG, subscription_value_share=0.0, max_sends_per_day=9, max_sends_per_7_days=9)
    campaign = {
        "campaign_key": "few",
        "message_key": "weekly_picks",
        "segment_keys": ["picked"],
        "from_date": DAY,
        "to_date": DAY + timedelta(days=9),
        "max_customers": 2,
        "waves": [1.0],
        "days_between_waves": 1,
    }
    ids = inputs.feat_customer["customer_id"].sort().to_list()
    asked = by_campaign_alone(inputs, campaign)
    reached = asked.pending_sends
    for after in range(3):
        # Whoever was reached has left the segment, as one does who buys.
        members = [name for name in ids if name not in set(reached["customer_id"])]
        segments = frame("segments", [{"customer_id": name, "segment_key": "picked"} for name in members])
        today = replace(asked, pending_sends=reached, segments=segments)
        sends = decide(today, replace(config, plan_date=DAY + timedelta(days=after))).filter(action="send")
        reached = pl.concat([reached, sends.select(reached.columns)])
    assert reached["customer_id"].n_unique() == 2


def test_a_message_put_in_the_place_of_another_needs_no_approval_even_if_it_is_due_itself() -> None:
    inputs = eligible_world(60)
    entry = {
        "override_id": "o1",
        "kind": "replace",
        "message_key": "weekly_picks",
        "replacement_key": "welcome",
        "from_date": DAY,
        "who": "Anna",
        "why": "spring",
        "made_at": datetime.combine(DAY, time()),
    }
    due_for_all = pl.when(message_key="welcome").then(pl.lit(None, dtype=pl.String)).otherwise("trigger_key")
    ruled = with_rules(
        inputs,
        entry,
        trigger_key=due_for_all,
        needs_approval=pl.col("message_key") == "welcome",
        audience=pl.when(pl.col("message_key").is_in(["welcome", "weekly_picks"]))
        .then(pl.lit([*STAGES]))
        .otherwise(pl.lit([], dtype=pl.List(pl.String))),
    )
    plan = decide(ruled, replace(CONFIG, subscription_value_share=0.0))
    assert plan.filter(action="send", message_key="welcome").height > 20
    assert plan.filter(reason="awaiting_approval").is_empty()
