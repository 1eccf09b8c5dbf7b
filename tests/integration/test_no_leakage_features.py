"""Time is the first rule: nothing that happens on or after a date changes a feature, trigger or label made for it."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from dbt_harness import Compiled, Dbt, by_key, read_events, read_features, simulated_raw, write_events
from eventful_shop import PRODUCTS, add_stories
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from assets.landing.contract import EVENT_NAMES

PLAN_DATE = date(2025, 4, 1)
MIDNIGHT = datetime(2025, 4, 1)
EARLIER = [date(2025, 2, 15), date(2025, 3, 1)]
LABELS = {
    "label_horizon_days": 31,
    "label_purchase_days": 31,
    "labels_until": PLAN_DATE.isoformat(),
    # A small shop: three repurchases are a rhythm.
    "repurchase_min_gaps": 3,
}
ABOUT_NO_PRODUCT = ("anniversary", "birthday", "nth_order", "welcome", "win_back")
CONSTANT = {
    ("label_offers", "message_key"): "one campaign draws its offers by lot",
    ("label_offers", "is_redeemed"): "nobody uses an offer's coupon",
    ("label_offers", "horizon_days"): "one window",
    ("label_contents", "n_views"): "nobody views a content twice in a month",
    ("feat_interactions", "n_season_purchases"): "the world is younger than a year",
    ("feat_product", "season_buyers"): "the world is younger than a year",
    ("label_customer", "horizon_days"): "a setting of the run",
    **{(f"trigger_{name}", "product_ids"): "it is about no product" for name in ABOUT_NO_PRODUCT},
}
"""Columns that are the same in every row, and why; beside each trigger's own name."""


@dataclass(frozen=True)
class World:
    """A small shop, its compiled models, and what they say of it.

    Attributes:
        dbt: dbt with the world's raw tables.
        compiled: the models for the earlier dates and the plan date together.
        expected: their published tables.
        customers: customers whose ids later events may carry, strangers included.
        products: products that later events may name.
        messages: e-mails that later events may belong to.
        orders: orders that later events may belong to.
        contents: contents that later events may name.
    """

    dbt: Dbt
    compiled: Compiled
    expected: dict[str, pl.DataFrame]
    customers: Sequence[str]
    products: Sequence[str]
    messages: Sequence[str]
    orders: Sequence[str]
    contents: Sequence[str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("no_leakage")
    raw = simulated_raw(root, customers=120, days=75, end=PLAN_DATE)
    add_stories(raw, [EARLIER[1], PLAN_DATE])
    events = read_events(raw)
    events = pl.concat([events, _last_seconds(events)])
    write_events(raw, events)
    dbt = Dbt(root, raw)
    compiled = Compiled(dbt, dbt.variables(root / "features", [*EARLIER, PLAN_DATE], **LABELS))
    latest = events.filter(pl.col("occurred_at") > MIDNIGHT - timedelta(days=20))
    return World(
        dbt=dbt,
        compiled=compiled,
        expected=compiled.tables(raw),
        customers=[*_ids(events, "customer_id"), "edge", "stranger"],
        products=[*_ids(events, "product_id")[:20], *PRODUCTS, "unheard-of"],
        messages=["edge", *_ids(latest, "message_id")[:40], "another"],
        orders=["edge", *_ids(latest, "order_id")[:20], "another"],
        contents=_ids(events, "content_id")[:10],
    )


def _last_seconds(events: pl.DataFrame) -> pl.DataFrame:
    """What a careless model would let the next day reach: things half done when the day ends."""
    customer = _ids(events, "customer_id")[0]
    product = _ids(events, "product_id")[0]
    rows = [
        (
            "Email Sent",
            60.0,
            {"message_id": "edge", "customer_id": customer, "properties": '{"coupon":"EDGE"}'},
        ),
        ("Email Link Clicked", 0.5, {"message_id": "edge", "customer_id": customer, "url": "/a"}),
        ("Email Opened", 0.4, {"message_id": "edge", "customer_id": customer, "user_agent": "Thunderbird"}),
        ("Unsubscribed", 0.3, {"message_id": "another"}),
        ("Product Viewed", 20.0, {"anonymous_id": "edge", "product_id": product}),
        ("Product Added", 10.0, {"anonymous_id": "edge", "product_id": product}),
        ("Order Completed", 5.0, {"order_id": "edge", "customer_id": customer, "product_id": product}),
    ]
    return _frame(
        events.schema,
        [
            {
                "event_id": f"edge-{number}",
                "event": event,
                "occurred_at": MIDNIGHT - timedelta(seconds=seconds),
                "price": 9.0,
                "quantity": 1.0,
                **given_columns,
            }
            for number, (event, seconds, given_columns) in enumerate(rows)
        ],
    )


def _later_event(world: World) -> st.SearchStrategy[dict[str, object]]:
    """An event on or after the plan date; often at the very instant, and often about something already begun."""
    return st.fixed_dictionaries(
        {
            "event": st.sampled_from(EVENT_NAMES),
            "occurred_at": st.one_of(
                st.just(MIDNIGHT),
                st.floats(0, 3, width=32).map(lambda s: MIDNIGHT + timedelta(seconds=s)),
                st.floats(0, 60 * 24 * 40, width=32).map(lambda m: MIDNIGHT + timedelta(minutes=m)),
            ),
            "customer_id": st.one_of(st.none(), st.sampled_from(world.customers)),
            "anonymous_id": st.sampled_from([None, "edge", "other"]),
            "product_id": st.sampled_from([None, *world.products]),
            "message_id": st.sampled_from([None, *world.messages]),
            "order_id": st.sampled_from([None, *world.orders]),
            "quantity": st.sampled_from([1.0, 3.0, 40.0]),
            "price": st.sampled_from([0.5, 20.0, 999.0]),
            "discount": st.sampled_from([None, 0.0, 0.4]),
            "url": st.sampled_from([None, "/a", "/b"]),
            "user_agent": st.sampled_from([None, "Mozilla/5.0", "Thunderbird"]),
            "device": st.sampled_from([None, "mobile", "tablet"]),
            "coupon": st.sampled_from([None, "EDGE"]),
            "content_id": st.sampled_from([None, *world.contents]),
            "query": st.sampled_from([None, "boots"]),
            "properties": st.sampled_from(
                [
                    None,
                    '{"sentiment":"very_negative","topic":"complaint"}',
                    '{"sentiment":"positive","rating":5}',
                    '{"message_key":"weekly","subject_variant":"a","kind":"hard","rating":1,"coupon":"EDGE"}',
                ]
            ),
        }
    )


def test_every_column_says_something_in_this_world(world: World) -> None:
    """Else later events could not be seen to leave it alone."""
    silent = {
        (name, column)
        for name, table in world.expected.items()
        for column in table.columns
        if (name, column) != (name, "trigger_key") and _is_constant(table[column])
    }
    assert silent == set(CONSTANT)


@settings(max_examples=25, derandomize=True)
@given(data=st.data())
def test_later_events_change_nothing(
    world: World, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    later = data.draw(st.lists(_later_event(world), min_size=1, max_size=60))
    raw = _with_later(world, tmp_path_factory.mktemp("later"), later)
    _assert_same(world.compiled.tables(raw), world.expected)


def test_what_the_next_day_completes_changes_nothing(world: World, tmp_path: Path) -> None:
    """Each of these ends something that the last seconds of the day before began."""
    customer = world.customers[0]
    later: list[dict[str, object]] = [
        {"event": "Email Link Clicked", "message_id": "edge", "customer_id": customer, "url": "/b"},
        {"event": "Email Delivered", "message_id": "edge", "customer_id": customer},
        {"event": "Email Sent", "message_id": "another", "customer_id": customer},
        {"event": "Page Viewed", "anonymous_id": "edge", "customer_id": customer},
        {
            "event": "Order Completed",
            "order_id": "edge",
            "customer_id": customer,
            "price": 99.0,
            "coupon": "EDGE",
        },
        {"event": "Order Refunded", "order_id": "edge", "customer_id": customer, "price": 9.0},
    ]
    raw = _with_later(world, tmp_path, [{"occurred_at": MIDNIGHT, **event} for event in later])
    _assert_same(world.compiled.tables(raw), world.expected)


def test_later_consents_customers_and_contents_change_nothing(world: World, tmp_path: Path) -> None:
    raw = _copy(world.dbt.raw, tmp_path)
    consents = pl.read_parquet(raw / "consents.parquet")
    later = pl.concat(
        [
            consents.with_columns(
                pl.lit(purpose).alias("purpose"),
                granted=~pl.col("granted"),
                occurred_at=pl.lit(MIDNIGHT, pl.Datetime("us")) + pl.duration(hours=hours),
            )
            for purpose, hours in (("email_marketing", 0), ("profiling", 0), ("tracking", 5))
        ]
    )
    pl.concat([consents, later]).write_parquet(raw / "consents.parquet")
    customers = pl.read_parquet(raw / "customers.parquet")
    newcomers = customers.with_columns(
        pl.concat_str(pl.lit("new-"), "customer_id").alias("customer_id"),
        signed_up_at=pl.lit(MIDNIGHT, pl.Datetime("us")),
    )
    pl.concat([customers, newcomers]).write_parquet(raw / "customers.parquet")
    _assert_same(world.compiled.tables(raw), world.expected)


def test_later_prices_and_stock_change_nothing(world: World, tmp_path: Path) -> None:
    raw = _copy(world.dbt.raw, tmp_path)
    products = pl.read_parquet(raw / "products.parquet")
    newest = products.sort("product_id", "updated_at").unique("product_id", keep="last", maintain_order=True)
    later = pl.concat(
        [
            newest.with_columns(
                price=pl.col("price") * factor,
                cost=pl.col("cost") * 0.3,
                in_stock=~pl.col("in_stock") if factor < 1 else pl.col("in_stock"),
                updated_at=pl.lit(MIDNIGHT, pl.Datetime("us")) + pl.duration(hours=hours),
            )
            for factor, hours in ((0.4, 0), (3.0, 7), (0.5, 400))
        ]
    )
    pl.concat([products, later]).write_parquet(raw / "products.parquet")
    _assert_same(world.compiled.tables(raw), world.expected)


def test_prices_and_stock_of_the_day_before_do_change_it(world: World, tmp_path: Path) -> None:
    raw = _copy(world.dbt.raw, tmp_path)
    products = pl.read_parquet(raw / "products.parquet")
    newest = products.sort("product_id", "updated_at").unique("product_id", keep="last", maintain_order=True)
    later = newest.with_columns(price=pl.lit(1.5), updated_at=MIDNIGHT - timedelta(microseconds=1))
    pl.concat([products, later]).write_parquet(raw / "products.parquet")
    at_plan_date = pl.col("as_of") == PLAN_DATE
    before, after = world.expected["feat_product"], world.compiled.tables(raw)["feat_product"]
    assert set(after.filter(at_plan_date)["price"]) == {1.5}
    _assert_same(
        {"feat_product": after.filter(~at_plan_date)}, {"feat_product": before.filter(~at_plan_date)}
    )


def test_events_before_the_date_do_change_it(world: World, tmp_path: Path) -> None:
    raw = _copy(world.dbt.raw, tmp_path)
    events = read_events(raw)
    order = {
        "event_id": "before",
        "event": "Order Completed",
        "occurred_at": MIDNIGHT - timedelta(microseconds=1),
        "customer_id": world.customers[0],
        "price": 5.0,
    }
    write_events(raw, pl.concat([events, _frame(events.schema, [order])]))
    at_plan_date = pl.col("as_of") == PLAN_DATE
    before, after = world.expected["feat_customer"], world.compiled.tables(raw)["feat_customer"]
    assert after.filter(at_plan_date)["n_orders"].sum() == before.filter(at_plan_date)["n_orders"].sum() + 1
    _assert_same(
        {"feat_customer": after.filter(~at_plan_date)}, {"feat_customer": before.filter(~at_plan_date)}
    )


def test_a_snapshot_is_the_same_alone_and_among_others(world: World) -> None:
    """Run by dbt itself, one date alone; the others come from the run of three dates."""
    folder = world.dbt.root / "alone"
    variables = world.dbt.variables(folder, [EARLIER[1]], **LABELS)
    world.dbt.must("run", variables=variables)
    alone = read_features(folder)
    assert set(alone) == set(world.expected)
    among = {name: table.filter(pl.col("as_of") == EARLIER[1]) for name, table in world.expected.items()}
    assert among["feat_customer"].height > 80
    assert among["label_customer"]["orders"].sum() > 0
    _assert_same(alone, among)


def _assert_same(actual: dict[str, pl.DataFrame], expected: dict[str, pl.DataFrame]) -> None:
    for name, table in actual.items():
        assert_frame_equal(by_key(table), by_key(expected[name]), check_exact=True)


def _is_constant(values: pl.Series) -> bool:
    """Whether all rows hold the same; a value here and none there is a difference."""
    return len(set(map(str, values.to_list()))) < 2


def _ids(events: pl.DataFrame, column: str) -> list[str]:
    return sorted(events[column].drop_nulls().unique())


def _frame(schema: pl.Schema, rows: list[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)


def _with_later(world: World, folder: Path, later: list[dict[str, object]]) -> Path:
    """The world's raw tables with these events added."""
    raw = _copy(world.dbt.raw, folder)
    events = read_events(raw)
    added = [{"event_id": f"later-{number}", **event} for number, event in enumerate(later)]
    write_events(raw, pl.concat([events, _frame(events.schema, added)]))
    return raw


def _copy(raw: Path, folder: Path) -> Path:
    """The raw tables in a folder of their own, to be altered."""
    for source in raw.glob("*.parquet"):
        (folder / source.name).write_bytes(source.read_bytes())
    shutil.copytree(raw / "events", folder / "events")
    return folder
