"""Each step of the policy on a case small enough to work out by hand."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from math import exp

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_world import CATALOGUE, DAY, MIDNIGHT, eligible_world, world

from models.policy import REASONS, PlanInputs, PolicyConfig, decide, empty_frame
from models.policy.candidates import candidates
from models.policy.constraints import with_pending, with_reason
from models.policy.offers import allowed_offers, best_chances
from models.policy.products import with_product_counts, with_products
from models.policy.segments import segment
from models.policy.values import customer_economics, mail_value, with_values

CONFIG = PolicyConfig(
    DAY,
    control_share=0.0,
    explore_message=0.0,
    explore_offer=0.0,
    explore_variant=0.0,
    explore_send_time=0.0,
    sample_send_time=0.0,
)


def one(**changes: pl.DataFrame) -> PlanInputs:
    """A single eligible customer without triggers or response; frames as changed."""
    inputs = eligible_world(1)
    blank = {name: empty_frame(name) for name in ("triggers", "response", "feat_variant_history")}
    return replace(inputs, **{**blank, **changes})


def trigger(key: str, products: list[str], hours_ago: float = 14) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "customer_id": ["c000000"],
            "trigger_key": [key],
            "triggered_at": [MIDNIGHT - timedelta(hours=hours_ago)],
            "product_ids": [products],
        }
    )


def recommended(*rows: tuple[str, float, str]) -> pl.DataFrame:
    return pl.DataFrame(
        [("c000000", product, score, source, "1") for product, score, source in rows],
        schema=empty_frame("score_recommendations").schema,
        orient="row",
    )


def catalogue(*rows: tuple[str, bool, bool]) -> pl.DataFrame:
    return pl.DataFrame(
        [(key, f"The {key}", "Shoes", "Aero", available, sensitive) for key, available, sensitive in rows],
        schema=empty_frame("feat_product").schema,
        orient="row",
    )


def shown(inputs: PlanInputs) -> dict[str, dict[str, object]]:
    people = inputs.feat_customer.join(inputs.feat_eligibility, on="customer_id").with_columns(u_spread=0.0)
    found = with_products(
        with_product_counts(candidates(inputs, people, CONFIG), inputs, CONFIG), inputs, CONFIG
    )
    assert found["n_products"].to_list() == found["product_ids"].list.len().to_list()
    return {row["message_key"]: row for row in found.iter_rows(named=True)}


# -- products ---------------------------------------------------------------------------------------------


def test_cart_products_first_then_companions_then_recommendations_by_score() -> None:
    inputs = one(
        triggers=trigger("cart_abandoned", ["cart", "secret", "gone"]),
        feat_product=catalogue(
            ("cart", True, False),
            ("secret", True, True),
            ("gone", False, False),
            ("sock", True, False),
            ("rec_low", True, False),
            ("rec_high", True, False),
            ("rec_best", True, False),
        ),
        feat_basket_pairs=pl.DataFrame(
            {"product_id": ["cart", "cart"], "other_product_id": ["sock", "gone"], "lift": [3.0, 9.0]}
        ),
        score_recommendations=recommended(
            ("rec_low", 0.1, "for_you"),
            ("rec_high", 0.5, "for_you"),
            ("rec_best", 0.9, "popular"),
            ("cart", 0.99, "for_you"),
            ("secret", 0.95, "for_you"),
        ),
    )
    mail = shown(inputs)["cart_abandoned"]
    assert mail["product_ids"] == ["cart", "sock", "rec_high", "rec_low"]  # named sources before others
    assert mail["product_sources"] == ["context", "goes_with", "for_you", "for_you"]
    assert mail["product_scores"] == [None, None, 0.5, 0.1]
    assert mail["subject_product_id"] == "cart"
    weekly = shown(inputs)["weekly_picks"]
    assert weekly["product_ids"] == ["cart", "rec_best", "rec_high", "rec_low"]
    assert weekly["product_scores"] == [0.99, 0.9, 0.5, 0.1]


@pytest.mark.parametrize("seed", range(3))
def test_as_many_products_are_shown_as_were_counted(seed: int) -> None:
    inputs = world(400, seed=seed, n_products=12)
    people = inputs.feat_customer.join(inputs.feat_eligibility, on="customer_id").with_columns(u_spread=0.0)
    found = with_products(
        with_product_counts(candidates(inputs, people, CONFIG), inputs, CONFIG), inputs, CONFIG
    )
    assert found["n_products"].n_unique() > 3
    assert found["n_products"].to_list() == found["product_ids"].list.len().to_list()


def test_preferred_sources_win_the_slots_but_what_is_shown_stands_by_score() -> None:
    inputs = one(
        triggers=trigger("win_back", []),
        feat_customer=eligible_world(1).feat_customer.with_columns(lifecycle_stage=pl.lit("lapsed")),
        feat_product=catalogue(*((f"p{i}", True, False) for i in range(6))),
        score_recommendations=recommended(
            ("p0", 0.9, "popular"),
            ("p1", 0.8, "popular"),
            ("p2", 0.7, "popular"),
            ("p3", 0.3, "buy_again"),
            ("p4", 0.2, "for_you"),
            ("p5", 0.1, "buy_again"),
        ),
    )
    assert shown(inputs)["win_back"]["product_ids"] == ["p0", "p3", "p4", "p5"]


def test_a_bought_product_is_spoken_of_but_not_shown_again() -> None:
    inputs = one(
        triggers=trigger("cross_sell", ["bought"]),
        feat_customer=eligible_world(1).feat_customer.with_columns(lifecycle_stage=pl.lit("active")),
        feat_product=catalogue(("bought", False, False), ("rec", True, False)),
        score_recommendations=recommended(("rec", 0.4, "similar"), ("bought", 0.9, "buy_again")),
    )
    mail = shown(inputs)["cross_sell"]
    assert (mail["subject_product_id"], mail["product_ids"]) == ("bought", ["rec"])


def test_a_cart_of_sensitive_products_alone_brings_up_no_mail() -> None:
    inputs = one(
        triggers=trigger("cart_abandoned", ["secret"]),
        feat_product=catalogue(("secret", True, True), ("rec", True, False)),
        score_recommendations=recommended(("rec", 0.4, "for_you")),
    )
    mail = shown(inputs)["cart_abandoned"]
    assert mail["product_ids"] == ["rec"]
    assert mail["has_enough_products"] is False


# -- candidates -------------------------------------------------------------------------------------------


def test_who_objects_to_profiling_gets_nothing_that_rests_on_behaviour() -> None:
    inputs = one(triggers=trigger("cart_abandoned", ["p000"]))
    assert "cart_abandoned" in shown(inputs)
    objecting = inputs.feat_eligibility.with_columns(profiling_allowed=False)
    assert "cart_abandoned" not in shown(replace(inputs, feat_eligibility=objecting))


def test_weekly_picks_rest_for_a_week_and_pending_mails_count() -> None:
    def cooling(days: float, frame: str) -> bool:
        time_column = "last_sent_at" if frame == "feat_message_history" else "send_at"
        sent = pl.DataFrame(
            {
                "customer_id": ["c000000"],
                "message_key": ["weekly_picks"],
                time_column: [MIDNIGHT - timedelta(days=days)],
            }
        )
        counted = sent.with_columns(n_sent_1d=0, n_sent_7d=1) if frame == "feat_message_history" else sent
        return bool(shown(one(**{frame: counted}))["weekly_picks"]["is_cooling_down"])

    assert cooling(6.9, "feat_message_history")
    assert not cooling(7, "feat_message_history")
    assert cooling(0.1, "pending_sends")
    assert cooling(-0.05, "pending_sends")


def test_spreading_sends_weekly_mail_on_one_day_of_the_spread() -> None:
    inputs = eligible_world(60)
    people = inputs.feat_customer.join(inputs.feat_eligibility, on="customer_id").with_columns(
        u_spread=pl.int_range(pl.len()) / 60.0, lifecycle_stage=pl.lit("active")
    )
    days = [replace(CONFIG, plan_date=DAY + timedelta(days=d), weekly_spread_days=3) for d in range(3)]
    groups = [
        set(candidates(inputs, people, day).filter(message_key="weekly_picks")["customer_id"]) for day in days
    ]
    assert [len(group) for group in groups] == [20, 20, 20]
    assert len(set.union(*groups)) == 60


# -- values and offers ------------------------------------------------------------------------------------


def test_value_of_a_candidate_worked_out_by_hand() -> None:
    people = pl.DataFrame(
        {
            "customer_id": ["a", "b"],
            "n_orders": [3, 1],
            "revenue_total": [300.0, 20.0],
            "margin_total": [120.0, 0.0],
            "discount_share": [0.5, 0.1],
            "expected_orders_90d": [0.9, None],
            "lifetime_value": [200.0, 10.0],
            "n_sent_7d": [2, 0],
        },
        schema_overrides={"expected_orders_90d": pl.Float64},
    )
    config = replace(CONFIG, shrinkage_orders=2.0, mail_price=0.05, fatigue_cost=0.03, attribution_days=5)
    money = customer_economics(people, config)
    assert money["margin_per_order"].to_list() == pytest.approx([(120 + 2 * 30) / 5, (0 + 2 * 30) / 3])
    assert money["order_value"].to_list() == pytest.approx([(300 + 2 * 80) / 5, (20 + 2 * 80) / 3])
    assert money["price_sensitivity"].to_list() == pytest.approx([(1.5 + 2 * 0.4) / 5, (0.1 + 2 * 0.4) / 3])

    pairs = pl.DataFrame({"customer_id": ["a", "a", "b"], "message_key": ["x", "y", "x"]})
    response = pl.DataFrame(
        {
            "customer_id": ["a"],
            "message_key": ["y"],
            "p_open": [0.3],
            "p_click": [0.05],
            "p_purchase": [0.1],
            "unsubscribe_risk": [0.002],
        }
    )
    valued = with_values(pairs, money, response, config)
    worth = valued.with_columns(mail_value=mail_value(config))
    own_rate = 1 - exp(-0.9 * 5 / 90)
    assert worth["p_purchase"].to_list() == pytest.approx([own_rate, 0.1, 0.0])
    assert worth["p_purchase_basis"].to_list() == ["own purchase rate", "response model", "own purchase rate"]
    assert worth["mail_value"].to_list() == pytest.approx(
        [own_rate * 36 - 0.06, 0.1 * 36 - 0.002 * 0.2 * 200 - 0.05 - 0.06, 0.0]
    )
    assert worth["p_open"].to_list() == [None, 0.3, None]


def test_refunds_never_make_an_order_worth_less_than_nothing_and_no_orders_are_zero() -> None:
    people = pl.DataFrame(
        {
            "n_orders": [1, 0],
            "revenue_total": [-500.0, None],
            "margin_total": [-200.0, None],
            "discount_share": [None, None],
        },
        schema_overrides={
            "discount_share": pl.Float64,
            "revenue_total": pl.Float64,
            "margin_total": pl.Float64,
        },
    )
    money = customer_economics(people, CONFIG)
    assert money["margin_per_order"].to_list() == [0.0, 0.0]
    assert customer_economics(people.tail(1), CONFIG)["order_value"].to_list() == [0.0]


def test_offers_follow_price_sensitivity_and_leave_the_floor_margin() -> None:
    frames = CATALOGUE.frames()
    people = pl.DataFrame(
        {
            "customer_id": ["insensitive", "sensitive", "very", "thin margin"],
            "message_key": ["win_back"] * 4,
            "price_sensitivity": [0.05, 0.3, 0.8, 0.8],
            "order_value": [100.0] * 4,
            "margin_per_order": [40.0, 40.0, 40.0, 20.0],
            "p_purchase": [0.1] * 4,
        }
    )
    allowed = allowed_offers(people, frames["messages"], frames["offers"], empty_frame("score_offer"))
    by_customer = {
        str(key): rows.sort("offer_cost")["offer_key"].to_list()
        for (key,), rows in allowed.group_by("customer_id", maintain_order=True)
    }
    assert by_customer == {
        "insensitive": ["none"],
        "sensitive": ["none", "free_shipping", "percent_10"],
        "very": ["none", "free_shipping", "percent_10", "percent_15"],
        "thin margin": ["none", "free_shipping"],
    }
    usual = dict(allowed.filter("is_usual_offer").select("customer_id", "offer_key").iter_rows())
    assert usual["very"] == "percent_15" and usual["thin margin"] == "free_shipping"
    cost = dict(allowed.filter(customer_id="very").select("offer_key", "offer_cost").iter_rows())
    assert cost == pytest.approx({"none": 0.0, "free_shipping": 4.9, "percent_10": 10.0, "percent_15": 15.0})


@settings(max_examples=20)
@given(
    mean=st.lists(st.floats(-2, 2), min_size=1, max_size=5),
    deviation=st.lists(st.floats(0.05, 2), min_size=5, max_size=5),
)
def test_chances_of_the_largest_are_those_of_draws(mean: list[float], deviation: list[float]) -> None:
    mean_of, width = np.array([mean]), np.array([deviation[: len(mean)]])
    chances = best_chances(mean_of, width)[0]
    draws = np.random.default_rng(3).standard_normal((100_000, len(mean))) * width + mean_of
    shares = np.bincount(draws.argmax(axis=1), minlength=len(mean)) / len(draws)
    assert chances.sum() == pytest.approx(1)
    assert np.abs(chances - shares).max() < 0.03  # quadrature; what is drawn are these chances themselves


def test_chances_of_the_largest_where_nothing_is_uncertain_or_there() -> None:
    mean = np.array([[1.0, 2.0, -np.inf], [3.0, -np.inf, -np.inf], [1.0, 1.0, 0.0]])
    chances = best_chances(mean, np.zeros((3, 3)))
    assert chances == pytest.approx(np.array([[0, 1, 0], [1, 0, 0], [0.5, 0.5, 0]]), abs=1e-6)


# -- constraints ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("person", "reason"),
    [
        ({}, None),
        ({"has_email": False, "suppression_reason": "unsubscribed"}, "no_email"),
        ({"has_email": None}, "no_email"),
        ({"suppression_reason": "unsubscribed", "consent_status": "withdrawn"}, "unsubscribed"),
        ({"suppression_reason": "complaint"}, "complaint"),
        ({"suppression_reason": "hard_bounce"}, "hard_bounce"),
        ({"suppression_reason": "something new"}, "no_consent"),
        ({"consent_status": "unknown"}, "no_consent"),
        ({"consent_status": None}, "no_consent"),
        ({"is_duplicate": True}, "duplicate"),
        ({"is_duplicate": True, "consent_status": "unknown"}, "no_consent"),
        ({"n_sent_1d": 1}, "frequency_cap"),
        ({"n_sent_7d": 3}, "frequency_cap"),
        ({"n_sent_7d": 2}, None),
        ({"has_enough_products": False}, "no_candidate"),
        ({"is_cooling_down": True}, "cool_down"),
        ({"is_paused": True}, "promotion_paused"),
        ({"is_paused": True, "is_holiday": True}, "promotion_paused"),
        ({"is_holiday": True, "net_value": -0.01}, "holiday"),
        ({"is_paused": True, "is_kind_capped": True}, "kind_cap"),
        ({"is_kind_capped": True, "is_cooling_down": True}, "cool_down"),
        ({"is_paused": True, "is_cooling_down": True}, "cool_down"),
        ({"is_paused": True, "net_value": -0.01}, "promotion_paused"),
        ({"has_allowed_time": False}, "no_allowed_time"),
        ({"net_value": -0.01}, "negative_value"),
        ({"net_value": 0.0}, None),
    ],
)
def test_the_first_reason_holds(person: dict[str, object], reason: str | None) -> None:
    known = {
        "customer_id": "c",
        "has_email": True,
        "is_duplicate": False,
        "consent_status": "granted",
        "suppression_reason": None,
        "n_sent_1d": 0,
        "n_sent_7d": 0,
        "has_allowed_time": True,
        "has_enough_products": True,
        "is_cooling_down": False,
        "is_kind_capped": False,
        "is_paused": False,
        "is_holiday": False,
        "net_value": 1.0,
    }
    row = pl.DataFrame(
        [{**known, **person}],
        schema_overrides={
            "has_email": pl.Boolean,
            "consent_status": pl.String,
            "suppression_reason": pl.String,
        },
    )
    candidate = [
        "customer_id",
        "has_enough_products",
        "is_cooling_down",
        "is_kind_capped",
        "is_paused",
        "is_holiday",
        "net_value",
    ]
    unruled = row.select(*candidate, message_key=pl.lit("welcome"), ruled_out=pl.lit(None, dtype=pl.String))
    unnamed = dict.fromkeys(("override_kind", "override_id", "overridden_by"), pl.lit(None, dtype=pl.String))
    people = row.drop(candidate[1:]).with_columns(is_held_by_person=pl.lit(False), **unnamed)
    result = with_reason(people, unruled.with_columns(is_forced=pl.lit(False)), CONFIG)
    assert result["reason"].to_list() == [reason]
    assert reason is None or reason in REASONS


def paused(until: datetime) -> pl.DataFrame:
    return eligible_world(1).feat_eligibility.with_columns(promotion_paused_until=pl.lit(until))


def test_promotion_rests_after_a_bad_experience_until_the_day_it_says() -> None:
    resting = one(feat_eligibility=paused(MIDNIGHT + timedelta(days=9, hours=5)))
    assert decide(resting, CONFIG).select("action", "reason", "explanation").row(0) == (
        "hold",
        "promotion_paused",
        "Had a bad experience with service lately: no promotion until 13 March.",
    )
    over = one(feat_eligibility=paused(MIDNIGHT))
    assert decide(over, CONFIG)["message_key"].to_list() == ["weekly_picks"]


def test_what_is_no_promotion_goes_out_while_promotion_rests() -> None:
    inputs = one(
        triggers=pl.concat(
            [trigger("bad_service", []), trigger("cart_abandoned", ["p000"])], how="vertical_relaxed"
        ),
        feat_eligibility=paused(MIDNIGHT + timedelta(days=9)),
    )
    sent = decide(inputs, CONFIG).row(0, named=True)
    assert (sent["message_key"], sent["product_ids"], sent["offer_key"]) == ("bad_service", [], "none")
    assert sent["explanation"].startswith("Had a bad experience")
    rested = replace(
        inputs,
        feat_message_history=pl.DataFrame(
            {
                "customer_id": ["c000000"],
                "message_key": ["bad_service"],
                "n_sent_1d": [0],
                "n_sent_7d": [1],
                "last_sent_at": [MIDNIGHT - timedelta(days=1)],
            }
        ),
    )
    assert decide(rested, CONFIG)["reason"].to_list() == ["promotion_paused"]


def test_pending_mails_count_towards_the_caps() -> None:
    person = pl.DataFrame({"customer_id": ["c"], "n_sent_1d": [0], "n_sent_7d": [1]})
    pending = pl.DataFrame(
        {
            "customer_id": ["c", "c", "c", "c"],
            "message_key": ["weekly_picks"] * 4,
            "send_at": [
                MIDNIGHT + timedelta(hours=1),
                MIDNIGHT - timedelta(days=3),
                MIDNIGHT - timedelta(days=8),
                MIDNIGHT + timedelta(days=2),
            ],
        }
    )
    counted = with_pending(person, pending, CONFIG)
    assert counted.select("n_sent_1d", "n_sent_7d").row(0) == (1, 3)


# -- segments and explanations ----------------------------------------------------------------------------


def test_segments_read_stage_and_value() -> None:
    people = pl.DataFrame(
        {
            "lifecycle_stage": ["loyal"] + ["active"] * 9 + ["prospect"],
            "n_orders": [5] * 10 + [0],
            "lifetime_value": [900.0, *[float(v) for v in range(9)], 1000.0],
        }
    )
    names = people.with_columns(segment=segment())["segment"]
    assert names[0] == "loyal, high value"
    assert names[1] == "active, low value"
    assert names[7] == "active, medium value"
    assert names[10] == "prospect"


def test_a_send_is_explained_by_its_own_facts() -> None:
    world = eligible_world(1)
    inputs = one(
        triggers=trigger("cart_abandoned", ["runner"], hours_ago=-2),
        feat_customer=world.feat_customer.with_columns(
            lifecycle_stage=pl.lit("active"),
            n_orders=10,
            revenue_total=1000.0,
            margin_total=400.0,
            discount_share=0.5,
        ),
        feat_product=catalogue(("runner", True, False)).with_columns(name=pl.lit("Aero runner")),
        score_send_time=world.score_send_time.with_columns(
            p_open_by_hour=pl.lit([1.0 if h == 32 else 0.1 for h in range(168)]), basis=pl.lit("own sends")
        ),
        messages=CATALOGUE.frames()["messages"].filter(message_key="cart_abandoned"),
    )
    row = decide(inputs, CONFIG).row(0, named=True)
    assert row["send_at_local"].strftime("%A %H") == "Tuesday 08"
    clock = row["send_at_local"].strftime("%H:%M")
    hours = int((row["send_at"] - row["triggered_at"]).total_seconds() // 3600)
    assert row["explanation"] == (
        f"Left Aero runner in the cart {hours} hours ago; 10 % off because 50 % of what they bought was on "
        f"discount; Tuesday {clock}, when they are likeliest to open."
    )
    assert row["offer_key"] == "percent_10" and row["coupon"].startswith("TEN-")
    assert row["layout"] == "hero" or row["content_ids"]


def test_a_send_to_who_refuses_profiling_says_that_it_is_generic() -> None:
    inputs = one()
    allowing = decide(inputs, CONFIG).row(0, named=True)
    objecting = inputs.feat_eligibility.with_columns(profiling_allowed=False)
    row = decide(replace(inputs, feat_eligibility=objecting), CONFIG).row(0, named=True)
    assert (allowing["action"], row["action"]) == ("send", "send")
    clause = "; chosen without their behaviour, as they do not allow profiling; "
    assert clause in row["explanation"]
    assert "profiling" not in allowing["explanation"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"n_sent_7d": 3}, "Already got 3 mails in 7 days (cap 3)."),
        ({"n_sent_1d": 1}, "Already got 1 mail in 24 hours (cap 1)."),
        ({"consent_status": "withdrawn"}, "Has withdrawn consent to e-mail marketing."),
        ({"has_email": False}, "No e-mail address on file."),
    ],
)
def test_a_hold_is_explained_with_its_numbers(change: dict[str, object], text: str) -> None:
    inputs = one(
        feat_eligibility=eligible_world(1).feat_eligibility.with_columns(
            **{k: pl.lit(v) for k, v in change.items()}
        )
    )
    assert decide(inputs, CONFIG)["explanation"].to_list() == [text]


def test_a_resting_message_is_named_with_its_days() -> None:
    sent = pl.DataFrame(
        {
            "customer_id": ["c000000"],
            "message_key": ["weekly_picks"],
            "n_sent_1d": [0],
            "n_sent_7d": [1],
            "last_sent_at": [MIDNIGHT - timedelta(days=3, hours=1)],
        }
    )
    customer = eligible_world(1).feat_customer.with_columns(lifecycle_stage=pl.lit("active"))
    row = decide(one(feat_message_history=sent, feat_customer=customer), CONFIG).row(0, named=True)
    assert (row["reason"], row["explanation"]) == (
        "cool_down",
        "Weekly picks went out 3 days ago (rests 7 days).",
    )


def test_an_explanation_naming_an_unknown_fact_is_refused() -> None:
    messages = CATALOGUE.frames()["messages"].with_columns(explanations=pl.lit(["because of {mood}"]))
    with pytest.raises(ValueError, match=r"names \{mood\}; known facts: product_name"):
        decide(one(messages=messages), CONFIG)


def test_promotion_rests_on_the_public_holidays_of_the_country() -> None:
    inputs = eligible_world(300)
    labour_day = PolicyConfig(date(2025, 5, 1), control_share=0.0, holidays_rest=True)
    plan = decide(inputs, labour_day)
    in_germany = plan.join(inputs.feat_customer.filter(country="DE"), on="customer_id")
    promotional = inputs.messages.filter("is_promotional")["message_key"].to_list()
    assert not in_germany["message_key"].is_in(promotional).any()
    resting = in_germany.filter(reason="holiday")
    assert resting.height > 20
    assert resting["explanation"].unique().to_list() == ["A public holiday in DE: promotion rests."]
    elsewhere = plan.join(inputs.feat_customer.filter(pl.col("country") == "GB"), on="customer_id")
    assert elsewhere.filter(reason="holiday").is_empty() and elsewhere.filter(action="send").height > 20
    every_day = decide(inputs, replace(labour_day, holidays_rest=False))
    assert every_day.filter(reason="holiday").is_empty()
