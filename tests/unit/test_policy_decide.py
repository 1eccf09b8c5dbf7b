"""What must hold for every plan, whoever the customers are."""

import json
import math
from dataclasses import fields, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_world import CATALOGUE, DAY, eligible_world, world

from mail.variables import LEARNT
from models.policy import PLAN_COLUMNS, REASONS, PlanInputs, PolicyConfig, decide, empty_frame
from models.policy.constraints import NOT_MAILABLE

FACTORS = [f"propensity_{what}" for what in ("ticket", "message", "offer", "variant", "send_time")]
ACTION_COLUMNS = [
    "message_key",
    "send_at",
    "subject_variant",
    "product_ids",
    "offer_key",
    "message_id",
    "layout",
    "tone",
]
# Days of clock changes in Europe, America and Australia, and two ordinary ones.
DAYS = [
    date(2025, 3, 30),
    date(2025, 10, 26),
    date(2025, 3, 9),
    date(2025, 11, 2),
    date(2025, 4, 6),
    date(2025, 10, 5),
    date(2024, 2, 29),
    DAY,
]


def shuffled(inputs: PlanInputs, seed: int) -> PlanInputs:
    return PlanInputs(
        **{
            f.name: getattr(inputs, f.name).sample(fraction=1.0, shuffle=True, seed=seed)
            for f in fields(inputs)
        }
    )


@settings(max_examples=12)
@given(
    n=st.integers(0, 80),
    seed=st.integers(0, 10_000),
    day=st.sampled_from(DAYS),
    window=st.integers(0, 23),
    control=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    epsilon=st.sampled_from([0.0, 0.2, 1.0]),
    per_week=st.integers(0, 4),
    per_day=st.sampled_from([None, 0, 5, 30]),
    share=st.sampled_from([None, 0.0, 0.1, 1.0]),
    per_hour=st.sampled_from([None, 0, 1, 4]),
    scarce=st.sampled_from([None, 0, 3, 15]),
    reserve=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_every_plan(
    n: int,
    seed: int,
    day: date,
    window: int,
    control: float,
    epsilon: float,
    per_week: int,
    per_day: int | None,
    share: float | None,
    per_hour: int | None,
    scarce: int | None,
    reserve: float,
) -> None:
    inputs = limited(world(n, seed=seed, day=day), scarce)
    config = PolicyConfig(
        day,
        window_start=time(window),
        control_share=control,
        explore_message=epsilon,
        explore_offer=epsilon,
        explore_variant=epsilon,
        explore_send_time=epsilon,
        sample_send_time=0.2 * (1 - epsilon),
        max_sends_per_7_days=per_week,
        caps_by_kind=(("newsletter", 1, 1),),
        mails_per_day=per_day,
        mailed_share=share,
        mails_per_hour=per_hour,
        reserve=reserve,
        variant_draws=200,
    )
    plan = decide(inputs, config)

    assert plan.columns == list(PLAN_COLUMNS)
    assert plan.dtypes == [column.dtype for column in PLAN_COLUMNS.values()]
    assert plan["customer_id"].to_list() == inputs.feat_customer["customer_id"].to_list()
    assert plan["action"].is_in(["send", "hold", "control"]).all()
    assert plan["reason"].is_in(list(REASONS)).all()
    assert plan["explanation"].is_not_null().all()
    assert plan["explanation"].str.ends_with(".").all()
    assert (plan["propensity"] > 0).all() and (plan["propensity"] <= 1 + 1e-12).all()
    product = plan.select(p=pl.reduce(lambda one, other: one * other, [pl.col(name) for name in FACTORS]))
    assert (product["p"] - plan["propensity"]).abs().max() in (None, pytest.approx(0, abs=1e-12))

    sends = plan.filter(action="send")
    assert sends.select(pl.all_horizontal(pl.col(ACTION_COLUMNS).is_not_null()).all()).item()
    rest = plan.filter(pl.col("action") != "send")
    assert rest.select(pl.all_horizontal(pl.col(ACTION_COLUMNS).is_null()).all()).item()
    assert not sends["is_control"].any()
    assert plan.filter(action="control")["is_control"].all()
    assert sends["message_id"].n_unique() == sends.height

    facts = sends.select(
        "customer_id", "message_key", "product_ids", "product_scores", "subject_product_id"
    ).join(inputs.feat_eligibility, on="customer_id")
    assert facts["has_email"].all()
    assert (facts["consent_status"] == "granted").all()
    assert facts["suppression_reason"].is_null().all()
    assert (facts["n_sent_1d"] < 1).all() and (facts["n_sent_7d"] < per_week).all()
    promotional = facts.join(inputs.messages, on="message_key").filter("is_promotional")
    assert (promotional["promotion_paused_until"] <= datetime.combine(day, time())).all()
    fit = inputs.feat_product.filter(pl.col("is_available"), ~pl.col("is_sensitive"))["product_id"].to_list()
    sensitive = inputs.feat_product.filter("is_sensitive")["product_id"].to_list()
    for row in facts.iter_rows(named=True):
        assert set(row["product_ids"]) <= set(fit)
        assert len(set(row["product_ids"])) == len(row["product_ids"]) <= config.max_products
        scores = [score for score in row["product_scores"] if score is not None]
        assert scores == sorted(scores, reverse=True)
        assert row["subject_product_id"] not in sensitive

    no_limits_broken(plan, inputs, per_day, per_hour, scarce)
    mailable = plan.filter(~pl.col("reason").is_in(NOT_MAILABLE))
    assert share is None or sends.height <= math.ceil(round(share * mailable.height, 6))
    left = sends["margin_per_order"] - sends["offer_cost"]
    floor = (
        sends.join(inputs.offers, on="offer_key", maintain_order="left")["floor_margin"]
        * sends["order_value"]
    )
    assert ((left >= floor) | (sends["offer_key"] == "none")).all()
    newsletters = inputs.feat_message_history.filter(message_key="weekly_picks", n_sent_7d=1)
    assert sends.filter(message_key="weekly_picks").join(newsletters, on="customer_id").is_empty()

    opening, closing = config.window
    for send_at, local, zone in sends.select("send_at", "send_at_local", "timezone").iter_rows():
        there = send_at.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        assert opening <= send_at < closing
        assert local == there
        assert time(7) <= there.time() < time(21)

    assert decide(shuffled(inputs, seed), config).equals(plan)


def limited(inputs: PlanInputs, scarce: int | None) -> PlanInputs:
    """Every offer may go out `scarce` times and cost as much; every message goes to three times as many."""
    if scarce is None:
        return inputs
    is_offer = pl.col("offer_key") != "none"
    return replace(
        inputs,
        messages=inputs.messages.with_columns(max_per_day=pl.lit(3 * scarce)),
        offers=inputs.offers.with_columns(
            max_per_day=pl.when(is_offer).then(scarce), cost_per_day=pl.when(is_offer).then(float(scarce))
        ),
    )


def no_limits_broken(
    plan: pl.DataFrame, inputs: PlanInputs, per_day: int | None, per_hour: int | None, scarce: int | None
) -> None:
    sends = plan.filter(action="send")
    if per_day is not None:
        assert plan.filter(pl.col("action") != "hold").height <= per_day
    if per_hour is not None:
        assert (
            sends.group_by(pl.col("send_at").dt.truncate("1h"))
            .len()
            .filter(pl.col("len") > per_hour)
            .is_empty()
        )
    if scarce is None:
        return
    assert sends.group_by("message_key").len().filter(pl.col("len") > 3 * scarce).is_empty()
    given = sends.filter(pl.col("offer_key") != "none").with_columns(
        cost=(pl.col("p_purchase") + pl.col("offer_uplift")) * pl.col("offer_cost")
    )
    used = given.group_by("offer_key").agg(pl.len(), pl.col("cost").sum())
    assert used.filter((pl.col("len") > scarce) | (pl.col("cost") > scarce + 1e-9)).is_empty()


def known_effects(inputs: PlanInputs, margin: dict[str, float], error: float) -> PlanInputs:
    """Everybody answers to each offer by the same margin, known to within an error."""
    effects = pl.DataFrame({"offer_key": list(margin), "uplift_margin": list(margin.values())})
    return replace(
        inputs,
        score_offer=inputs.feat_customer.select("customer_id")
        .join(effects, how="cross")
        .with_columns(
            uplift_order=0.01,
            uplift_margin_error=pl.lit(error),
            is_proven=pl.lit(True),
            model_version=pl.lit("6"),
        ),
    )


def test_offers_are_given_where_they_are_known_to_pay() -> None:
    inputs = eligible_world(2000)
    config = PolicyConfig(DAY, explore_offer=0.0, control_share=0.0)
    keys = inputs.offers.filter(pl.col("offer_key") != "none")["offer_key"].to_list()
    losing = decide(known_effects(inputs, dict.fromkeys(keys, -0.1), 0.001), config).filter(action="send")
    assert losing["offer_key"].unique().to_list() == ["none"]
    assert losing["offer_margin"].unique().to_list() == [0.0]
    margins = {key: 0.1 * (rank + 1) for rank, key in enumerate(keys)}
    paying = decide(known_effects(inputs, margins, 0.001), config).filter(action="send")
    given = paying.filter(pl.col("offer_key") != "none")
    assert given.height > 100
    assert given["offer_margin"].to_list() == [margins[key] for key in given["offer_key"]]
    assert given["explanation"].str.contains(r"because it is expected to earn 0\.\d more than it costs").all()
    unsure = decide(known_effects(inputs, dict.fromkeys(keys, 0.0), 0.5), config).filter(action="send")
    chances = unsure.filter(pl.col("propensity_offer") < 1)
    assert chances["offer_key"].n_unique() > 2 and chances["explored"].any()
    assert chances["propensity_offer"].min() > 0.1


def test_what_is_scarce_goes_where_it_earns_most_and_by_lot() -> None:
    inputs = eligible_world(3000)
    free = decide(inputs, PolicyConfig(DAY, control_share=0.0, explore_message=0.0))
    few = decide(
        inputs, PolicyConfig(DAY, control_share=0.0, explore_message=0.0, mails_per_day=600, reserve=0.1)
    )
    sends = few.filter(action="send")
    assert 590 <= sends.height <= 600
    certain = sends.filter(pl.col("propensity_ticket") == 1.0)
    best = free.filter(action="send").sort("expected_margin", descending=True).head(certain.height)
    assert certain["expected_margin"].mean() == pytest.approx(best["expected_margin"].mean(), rel=0.05)
    by_lot = sends.filter(pl.col("propensity_ticket") < 1)
    assert 50 <= by_lot.height <= 60
    assert by_lot["propensity_ticket"].n_unique() == 1
    n_others = free.filter(action="send").height - certain.height
    assert by_lot["propensity_ticket"][0] == pytest.approx(by_lot.height / n_others, rel=0.02)
    held = few.filter(reason="no_room")
    assert held.height == free.filter(action="send").height - sends.height
    assert held["explanation"].str.contains("gone to customers for whom they earn more").all()
    lost = 1 - by_lot["propensity_ticket"][0]
    assert held["propensity"].to_list() == pytest.approx([lost] * held.height)


def test_a_share_of_the_mailable_is_a_number_of_mails() -> None:
    inputs = eligible_world(3000)
    free = PolicyConfig(DAY, control_share=0.0)
    n_mailable = decide(inputs, free).filter(~pl.col("reason").is_in(NOT_MAILABLE)).height
    few = replace(free, mailed_share=0.1)
    same = replace(free, mails_per_day=math.ceil(0.1 * n_mailable))
    plan, other = (decide(inputs, config).drop("policy_version") for config in (few, same))
    assert plan.equals(other)
    both = decide(inputs, replace(few, mails_per_day=50))
    assert 45 <= both.filter(action="send").height <= 50


def test_full_hours_push_mails_to_the_next_best_and_the_least_worth_wait() -> None:
    inputs = eligible_world(1000)
    config = PolicyConfig(DAY, control_share=0.0, mails_per_hour=40, explore_send_time=0.1)
    plan = decide(inputs, config)
    sends, waits = plan.filter(action="send"), plan.filter(reason="no_hour")
    assert waits.height > 0 and sends.height > 300
    assert sends.filter(~pl.col("explored"))["propensity_send_time"].min() > 0.9
    free = decide(inputs, PolicyConfig(DAY, control_share=0.0)).select("customer_id", "expected_margin")
    assert (
        waits.drop("expected_margin").join(free, on="customer_id")["expected_margin"].mean()
        < sends["expected_margin"].mean()
    )


def test_discreet_personalisation_names_nothing_that_was_learnt() -> None:
    inputs = eligible_world(600)
    config = PolicyConfig(DAY, explore_variant=1.0)
    naming = inputs.message_variants.filter(
        pl.col("needs").list.set_intersection(list(LEARNT)).list.len() > 0
    )
    named = ["message_key", "subject_variant"]
    open_sends = decide(inputs, config).filter(action="send")
    assert open_sends.join(naming, on=named).height > 100
    discreet = decide(inputs, replace(config, hidden_variables=LEARNT)).filter(action="send")
    assert discreet.join(naming, on=named).is_empty()
    assert discreet["subject_product_id"].equals(open_sends["subject_product_id"])


def test_expected_margin_can_be_recomputed_from_the_row() -> None:
    plan = decide(world(600), PolicyConfig(DAY, mail_price=0.02)).filter(action="send")
    by_hand = plan.select(
        pl.col("p_purchase") * pl.col("margin_per_order")
        + pl.col("offer_margin")
        - pl.col("unsubscribe_cost")
        - pl.col("fatigue_cost")
    ).to_series()
    assert (by_hand - plan["expected_margin"]).abs().max() == pytest.approx(0, abs=1e-9)
    risk = plan.select(pl.col("unsubscribe_risk").fill_null(0) * 0.2 * pl.col("lifetime_value")).to_series()
    assert (risk - plan["unsubscribe_cost"]).abs().max() == pytest.approx(0, abs=1e-9)
    is_known = plan["p_purchase_basis"] == "response model"
    assert set(is_known) == {True, False}
    assert plan["fatigue_cost"].to_list() == pytest.approx(
        (0.02 * is_known.cast(pl.Float64) + 0.01 * plan["n_sent_7d"]).to_list()
    )


def test_without_any_history_everyone_with_products_is_mailed() -> None:
    inputs = eligible_world(400)
    histories = ("feat_message_history", "feat_variant_history", "feat_open_delays", "feat_subject_history")
    blank = (*histories, "response", "triggers", "score_contents")
    no_history = {name: empty_frame(name) for name in blank}
    all_in_stock = inputs.feat_product.with_columns(is_available=True, is_sensitive=False)
    plan = decide(replace(inputs, **no_history, feat_product=all_in_stock), PolicyConfig(DAY))
    stages = plan.filter(pl.col("lifecycle_stage") != "lapsed")
    assert stages["action"].is_in(["send", "control"]).all()
    assert stages["message_key"].drop_nulls().unique().to_list() == ["weekly_picks"]
    sends = plan.filter(action="send")
    assert sends["p_open"].is_null().all() and sends["unsubscribe_risk"].is_null().all()
    assert sends["p_purchase"].is_not_null().all()


def test_an_article_is_explained_by_its_own_source_and_only_where_it_is_shown() -> None:
    inputs = eligible_world(400)
    plan = decide(inputs, PolicyConfig(DAY)).filter(action="send")
    says = pl.col("explanation").str.contains("a topic they have read about")
    assert plan.select((says == (pl.col("content_ids").list.len() > 0)).all()).item()
    assert 0 < plan.filter(says).height < plan.height
    popular = inputs.score_contents.with_columns(source=pl.lit("popular"))
    plan = decide(replace(inputs, score_contents=popular), PolicyConfig(DAY)).filter(action="send")
    assert not plan["explanation"].str.contains("have read").any()
    assert plan["explanation"].str.contains("what is read most").any()


def test_no_customers_no_rows() -> None:
    plan = decide(PlanInputs(**{f.name: empty_frame(f.name) for f in fields(PlanInputs)}), PolicyConfig(DAY))
    assert plan.height == 0 and plan.columns == list(PLAN_COLUMNS)


def test_a_customer_known_by_nothing_but_id_is_held() -> None:
    inputs = eligible_world(3)
    only = {
        name: empty_frame(name)
        for name in (f.name for f in fields(PlanInputs))
        if name
        not in ("feat_customer", "messages", "message_variants", "message_layouts", "message_tones", "offers")
    }
    plan = decide(replace(inputs, **only), PolicyConfig(DAY))
    assert plan["reason"].unique().to_list() == ["no_email"]
    assert plan["timezone"].is_not_null().all()


def test_another_day_draws_anew_and_the_control_group_stays() -> None:
    inputs = eligible_world(500)
    today, tomorrow = (decide(inputs, PolicyConfig(day)) for day in (DAY, DAY + timedelta(days=1)))
    assert today["is_control"].equals(tomorrow["is_control"])
    assert 5 <= today["is_control"].sum() <= 50
    assert not set(today["message_id"].drop_nulls()) & set(tomorrow["message_id"].drop_nulls())
    assert not set(today["coupon"].drop_nulls()) & set(tomorrow["coupon"].drop_nulls())


def test_control_members_who_would_not_be_mailed_keep_their_reason() -> None:
    plan = decide(world(800), PolicyConfig(DAY, control_share=1.0))
    assert plan["is_control"].all()
    assert set(plan["action"].unique()) == {"hold", "control"}
    same = decide(world(800), PolicyConfig(DAY, control_share=0.0))
    assert (plan["action"] == "control").equals(same["action"] == "send")
    would_have_got = plan.filter(action="control")["explanation"]
    assert would_have_got.str.contains(r"In the control group \(100 % of customers\); would have got ").all()


def test_logged_message_chances_are_those_of_the_draw() -> None:
    inputs = eligible_world(4000)
    plan = decide(inputs, PolicyConfig(DAY, explore_message=0.5, control_share=0.0)).filter(action="send")
    tried = plan.filter(reason="exploration")
    two = plan.filter((pl.col("propensity_message") - 0.25).abs() < 1e-9)  # two feasible, the lesser taken
    both = plan.filter((pl.col("propensity_message") - 0.75).abs() < 1e-9).height + two.height
    assert two.height / both == pytest.approx(0.25, abs=0.04)
    assert tried["explored"].all()
    assert tried["explanation"].str.contains("tried in place of the message valued most").all()


def test_logged_offer_chances_are_those_of_the_draw() -> None:
    plan = decide(eligible_world(4000), PolicyConfig(DAY, explore_offer=0.4, control_share=0.0))
    two = plan.filter((pl.col("propensity_offer") - 0.8).abs() < 1e-9).height
    lesser = plan.filter((pl.col("propensity_offer") - 0.2).abs() < 1e-9).height
    assert lesser / (two + lesser) == pytest.approx(0.2, abs=0.03)


def test_one_minute_and_one_id_whatever_the_rest_of_the_customers() -> None:
    inputs = eligible_world(300)
    few = inputs.feat_customer.head(100)["customer_id"].to_list()
    cut = {
        f.name: getattr(inputs, f.name).filter(pl.col("customer_id").is_in(few))
        for f in fields(inputs)
        if "customer_id" in getattr(inputs, f.name).columns
    }
    config = PolicyConfig(DAY)
    columns = ["customer_id", "send_at", "is_control", "message_id"]
    both = decide(inputs, config).join(
        decide(replace(inputs, **cut), config).filter(action="send"),
        on=["customer_id", "message_key"],
        suffix="_cut",
    )
    assert both.height > 50
    for column in columns[1:]:
        assert both[column].equals(both[f"{column}_cut"].alias(column))


def test_missing_columns_and_repeated_keys_are_named() -> None:
    inputs = eligible_world(2)
    with pytest.raises(ValueError, match=r"plan input feat_customer lacks the column\(s\) n_orders"):
        replace(inputs, feat_customer=inputs.feat_customer.drop("n_orders"))
    with pytest.raises(ValueError, match=r"plan input score_churn has 4 rows that share a \(customer_id\)"):
        replace(inputs, score_churn=pl.concat([inputs.score_churn, inputs.score_churn]))


def test_versions_name_rules_settings_and_models() -> None:
    row = decide(eligible_world(5), PolicyConfig(DAY)).row(0, named=True)
    assert json.loads(row["model_versions"]) == {
        "churn": "4",
        "contents": "9",
        "offer": None,
        "recommendations": "7",
        "send_time": "5",
        "value": "3",
    }
    assert PolicyConfig(DAY).version == PolicyConfig(DAY + timedelta(days=1)).version
    assert PolicyConfig(DAY, control_share=0.1).version != PolicyConfig(DAY).version


def test_a_plan_knows_only_the_messages_it_is_given() -> None:
    frames = {
        name: frame.filter(pl.col("message_key") == "weekly_picks")
        if "message_key" in frame.columns
        else frame
        for name, frame in CATALOGUE.frames().items()
    }
    plan = decide(replace(world(300), **frames), PolicyConfig(DAY))
    assert plan["message_key"].drop_nulls().unique().to_list() == ["weekly_picks"]
    assert isinstance(plan["send_at"].drop_nulls()[0], datetime)


def test_who_waits_for_an_hour_hangs_on_no_draw() -> None:
    inputs = eligible_world(1000)
    shy = PolicyConfig(DAY, control_share=0.2, mails_per_hour=30, explore_message=0.0, explore_offer=0.0)
    bold = replace(shy, explore_message=1.0, explore_offer=1.0)
    plans = [decide(inputs, config) for config in (shy, bold)]
    waiting = [plan.filter(reason="no_hour") for plan in plans]
    assert waiting[0]["customer_id"].equals(waiting[1]["customer_id"])
    assert (
        plans[0]
        .filter(action="send")
        .select("message_key", "offer_key")
        .equals(plans[1].filter(action="send").select("message_key", "offer_key"))
        is False
    )
    assert waiting[0]["is_control"].sum() > 20
    assert (plans[0]["action"] == "control").sum() > 20
