"""The closed loop in a small simulated shop: what is mailed, what is counted, and taking a run up again."""

import json
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from benchmarks.closed_loop import run
from benchmarks.closed_loop.broadcast import weekly_mail
from benchmarks.closed_loop.figures import day_figures
from benchmarks.closed_loop.landing import land
from benchmarks.closed_loop.rules import PER_7_DAYS, RULES, RulePolicy
from benchmarks.closed_loop.script import DayScript
from benchmarks.closed_loop.sends import sends_of_plan
from benchmarks.evaluate.closed_loop import differences, levels
from shop.config import ShopConfig
from shop.mails import SENDS
from shop.world import DayOutcome, World

CONFIG = ShopConfig(customers=250, days=24, seed=3)


def test_a_plan_is_mailed_as_its_readers_see_it() -> None:
    subjects = [
        "Anna, still thinking it over?",
        "Your cart, now with 10 % off",
        "Last chance: ☀ in stock",
        "A lower price",
    ]
    size = len(subjects)
    unset = {name: [None] * size for name in ("coupon", "product_ids", "content_ids")}
    plan = pl.DataFrame(
        {
            "action": ["send", "send", "send", "hold"],
            "message_id": list("abcd"),
            "customer_id": ["c1", "c2", "c3", "c4"],
            "send_at": [datetime(2025, 5, 6, 8)] * size,
            "message_key": ["cart_abandoned"] * size,
            "subject_variant": ["one"] * size,
            "tone": ["warm"] * size,
            "subject": subjects,
            "offer_key": ["none", "percent_10", "free_shipping", "none"],
            "propensity": [0.5] * size,
            "propensity_offer": [0.9] * size,
            **unset,
        }
    )
    customers = pl.DataFrame({"customer_id": ["c1", "c2", "c3"], "first_name": ["ANNA", "Ann", None]})
    offers = pl.DataFrame(
        {
            "offer_key": ["none", "percent_10", "free_shipping"],
            "fixed_cost": [0.0, 0.0, 4.9],
            "percent": [0.0, 10.0, 0.0],
        }
    )
    sends = sends_of_plan(plan, customers, offers)
    assert sends.schema == pl.Schema(SENDS)
    assert sends["customer_id"].to_list() == ["c1", "c2", "c3"]
    flags = sends.select("is_personal", "is_question", "has_emoji", "is_urgent").rows()
    assert flags == [(True, True, False, False), (False, False, False, False), (False, False, True, True)]
    assert sends["discount_rate"].to_list() == [0.0, 0.1, 0.0]
    assert sends["has_free_shipping"].to_list() == [False, False, True]


def test_a_days_statements_move_to_another_day() -> None:
    script = DayScript(
        date(2025, 3, 1),
        [
            "/* dbt */ describe (select 1)",
            "begin",
            "insert into t select * from s where d in (date '2025-02-28', date '0001-01-01')",
            "copy (select 1) to '/x/as_of=2025-03-01/f.parquet'",
        ],
    )
    assert script.at(date(2025, 3, 3)) == [
        "insert into t select * from s where d in (date '2025-03-02', date '0001-01-01')",
        "copy (select 1) to '/x/as_of=2025-03-03/f.parquet'",
    ]


@dataclass(frozen=True)
class Ruled:
    """A shop after eight days of broadcast and then of rules: the world, the rules, their mails day by day, all days."""

    world: World
    rules: RulePolicy
    sent: list[pl.DataFrame]
    played: list[DayOutcome]


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory) -> Ruled:
    landing = tmp_path_factory.mktemp("ruled") / "landing"
    world, rules = World(CONFIG), RulePolicy(landing)
    sent, played = [], []
    for number in range(CONFIG.days):
        sends = world.broadcast_sends() if number < 8 else rules.mails(world, world.today)
        sent += [sends] if number >= 8 else []
        outcome = world.step(sends)
        played.append(outcome)
        land(landing, world, outcome)
    return Ruled(world, rules, sent, played)


def test_rules_keep_caps_and_cool_downs(ruled: Ruled) -> None:
    sent = pl.concat(ruled.sent)
    assert sent["message_key"].n_unique() >= 4
    assert sent["product_ids"].list.len().min() >= 1
    by_day = sent.group_by("customer_id", pl.col("send_at").dt.date().alias("day")).len()
    week = by_day.sort("day").rolling("day", period="7d", group_by="customer_id").agg(pl.col("len").sum())
    assert week["len"].max() <= PER_7_DAYS
    cool = {rule.key: rule.cool_down_days for rule in RULES}
    gaps = (
        sent.sort("send_at")
        .with_columns(gap=pl.col("send_at").diff().over("customer_id", "message_key"))
        .drop_nulls("gap")
        .with_columns(least=pl.col("message_key").replace_strict(cool, return_dtype=pl.Int64))
    )
    assert (gaps["gap"] >= gaps.select(pl.duration(days=pl.col("least"))).to_series()).all()


def test_rules_mail_nobody_who_has_left(ruled: Ruled) -> None:
    world = deepcopy(ruled.world)
    while (mails := ruled.rules.mails(world, world.today)).is_empty():
        world.step()
    ids = world.people.customers["customer_id"]
    assert mails["customer_id"].is_in(ids.filter(pl.Series(world.people.mails_allowed[:-1]))).all()
    leaving = mails["customer_id"][0]
    world.state.unsubscribed_at[:-1][(ids == leaving).to_numpy()] = 0
    assert leaving not in ruled.rules.mails(world, world.today)["customer_id"]


def test_orders_come_as_often_as_their_chances_say(
    ruled: Ruled,
) -> None:
    chances = pl.concat([outcome.chances for outcome in ruled.played])
    expected, n = chances["p_order"].sum(), sum(outcome.orders.height for outcome in ruled.played)
    deviation = (chances["p_order"] * (1 - chances["p_order"])).sum() ** 0.5
    assert n > 20
    assert abs(n - expected) < 4 * deviation
    assert chances["is_order"].sum() == n


def test_the_broadcast_is_the_same_for_all_at_ten_on_their_clocks() -> None:
    world = World(CONFIG)
    while world.today.weekday() != 1:
        assert weekly_mail(world, world.today).is_empty()
        world.step()
    mails = weekly_mail(world, world.today)
    assert mails.height > 50
    assert mails["product_ids"].n_unique() == mails["subject_variant"].n_unique() == 1
    zoned = mails.join(world.people.customers.select("customer_id", "timezone"), on="customer_id").drop_nulls(
        "timezone"
    )
    hours = {
        at.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(zone)).hour
        for at, zone in zoned.select("send_at", "timezone").iter_rows()
    }
    assert hours == {10}


def test_a_run_taken_up_again_is_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "HISTORY_DAYS", 3)
    loop = run.Loop(customers=80, days=4)
    whole = run.play(tmp_path / "whole", loop, 5, "rules")
    ticks = iter(range(100))
    monkeypatch.setattr(run.time, "monotonic", lambda: float(next(ticks)))
    parts = [run.play(tmp_path / "parts", loop, 5, "rules", until=limit) for limit in (3.0, 99.0)]
    assert parts[0] is None
    assert whole is not None and parts[1] is not None
    told = ("mails", "opens", "orders", "margin")
    assert [parts[1][name] for name in told] == [whole[name] for name in told]
    kept = json.loads((tmp_path / "parts" / "results" / "seed-5-rules.json").read_text())
    assert len(kept["days"]) == 4
    assert whole["orders"] == sum(row["orders"] for row in kept["days"])
    with pytest.raises(ValueError, match="name another folder"):
        run.play(tmp_path / "parts", run.Loop(customers=81, days=4), 5, "rules")


def test_margin_counts_goods_discounts_and_parcels() -> None:
    world = World(CONFIG)
    product = world.catalogue.products.row(0, named=True)
    line = {
        "event": "Order Completed",
        "order_id": "o1",
        "message_id": None,
        "product_id": product["product_id"],
        "quantity": 2,
        "price": product["cost"] + 10.0,
        "discount": 3.0,
        "properties": '{"order_shipping":0.0}',
    }
    outcome = world.step()
    events = pl.DataFrame([line], schema_overrides={name: outcome.events.schema[name] for name in line})
    made = DayOutcome(
        outcome.day,
        events,
        outcome.consents,
        outcome.messages,
        outcome.machine_events,
        pl.DataFrame({"order_id": ["o1"], "message_id": ["m1"]}),
        outcome.chances.clear(),
    )
    figures = day_figures(world, made, pl.DataFrame(schema=SENDS))
    assert figures["margin"] == pytest.approx(2 * 10.0 - 3.0 - 4.95)
    assert (figures["mail_orders"], figures["given_discount"]) == (1, 3.0)
    assert figures["given_shipping"] == pytest.approx(4.95)


def test_figures_of_the_shops_become_means_ratios_and_intervals() -> None:
    rows = [
        {
            "seed": seed,
            "policy": policy,
            "mails": mails,
            "opens": opens,
            "clicks": 10,
            "mail_orders": 2,
            "unsubscribes": 1,
        }
        | {"margin": margin + seed, "calm_margin": margin + seed, "orders": 50, "mail_margin": 5.0}
        | {"given_discount": 0.0, "given_shipping": 0.0}
        for seed in (1, 2, 3)
        for policy, mails, opens, margin in (
            ("broadcast", 100, 20, 10.0),
            ("rules", 80, 20, 11.0),
            ("sendplan", 50, 20, 14.0),
        )
    ]
    played = pl.DataFrame(rows)
    policies = levels(played).figures
    assert policies["opens_per_mail"].to_list() == pytest.approx([0.2, 0.25, 0.4])
    assert policies["margin"].to_list() == [12.0, 13.0, 16.0]
    versus = differences(played)
    assert versus.figures["opens_per_mail"].to_list() == pytest.approx([2.0, 1.6])
    assert versus.figures["mails"].to_list() == [-50, -30]
    assert versus.figures["calm_margin_low"].to_list() == pytest.approx([4.0, 3.0])
    missed = [target.metric for target in versus.targets if not versus.is_met(target)]
    assert missed == ["orders_per_mail", "unsubscribes_per_mail"] and len(versus.targets) == 8
