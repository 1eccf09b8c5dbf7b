"""The simulated shop keeps the landing contract, its calibration, and its truth to itself."""

import copy
import hashlib
import json
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shop import landing as contract
from shop.config import ShopConfig
from shop.landing import LandingNotEmptyError
from shop.simulate import SimulationSummary, simulate
from shop.world import World

CONFIG = ShopConfig(customers=1_500, days=49, seed=3)
EVENT_NAMES = {
    "Page Viewed", "Product Viewed", "Products Searched", "Content Viewed", "Product Added", "Product Removed",
    "Checkout Started", "Order Completed", "Order Refunded", "Email Sent", "Email Delivered", "Email Opened",
    "Email Link Clicked", "Email Bounced", "Email Marked as Spam", "Subscribed", "Unsubscribed",
    "Support Contacted", "Review Submitted",
}  # fmt: skip


def utc(text: str) -> datetime:
    """A naive UTC time, as tables hold them."""
    return datetime.fromisoformat(text)


class Shop:
    """A simulation on disk and its tables."""

    def __init__(self, folder: Path, config: ShopConfig) -> None:
        self.landing, self.truth = folder / "landing", folder / "truth"
        self.steps: list[float] = []
        self.summary = simulate(
            config, self.landing, self.truth, lambda _what, share: self.steps.append(share)
        )
        self.events = pl.read_parquet(self.landing / "events" / "*.parquet")
        self.messages = pl.read_parquet(self.truth / "messages.parquet")
        self.people = pl.read_parquet(self.truth / "customers.parquet")

    def table(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.landing / f"{name}.parquet")

    def named(self, event: str) -> pl.DataFrame:
        return self.events.filter(pl.col("event") == event)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("shop"), CONFIG)


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_landing_tables_have_the_columns_and_types_of_the_contract(shop: Shop) -> None:
    for name, schema in (
        ("customers", contract.CUSTOMERS),
        ("products", contract.PRODUCTS),
        ("contents", contract.CONTENTS),
        ("consents", contract.CONSENTS),
    ):
        assert dict(shop.table(name).schema) == schema
    assert dict(shop.events.schema) == contract.EVENTS


def test_every_day_has_one_file_with_the_events_of_that_utc_day(shop: Shop) -> None:
    files = sorted((shop.landing / "events").iterdir())
    assert [file.stem for file in files] == [
        f"day={CONFIG.start + timedelta(days=number)}" for number in range(CONFIG.days)
    ]
    for file in files:
        assert pl.read_parquet(file)["occurred_at"].dt.date().unique().to_list() == [
            date.fromisoformat(file.stem.removeprefix("day="))
        ]


def test_events_refer_to_customers_products_and_contents_that_exist(shop: Shop) -> None:
    for column, table in (
        ("customer_id", "customers"),
        ("product_id", "products"),
        ("content_id", "contents"),
    ):
        referred = shop.events[column].drop_nulls()
        assert len(referred) > 0
        assert referred.is_in(shop.table(table)[column].implode()).all()


def test_all_event_names_of_the_contract_occur_and_no_other(shop: Shop) -> None:
    assert set(shop.events["event"].unique()) - EVENT_NAMES == set()
    assert {
        "Order Refunded",
        "Review Submitted",
        "Support Contacted",
        "Unsubscribed",
        "Product Removed",
    } <= set(shop.events["event"].unique())


def test_properties_are_json_and_name_the_message(shop: Shop) -> None:
    assert shop.events["event_id"].is_unique().all()
    texts = shop.events["properties"].drop_nulls().unique()
    decoded = [json.loads(text) for text in texts.sample(min(500, len(texts)), seed=1)]
    assert all(isinstance(value, dict) for value in decoded)
    for event in ("Email Sent", "Email Opened", "Email Link Clicked"):
        mails = shop.named(event)
        assert mails["message_id"].null_count() == 0
        assert mails["properties"].str.json_path_match("$.message_key").unique().to_list() == [
            "weekly_broadcast"
        ]
        assert mails["properties"].str.json_path_match("$.subject_variant").n_unique() == 5


def test_addresses_lie_under_reserved_domains_and_one_in_a_hundred_people_has_two_accounts(
    shop: Shop,
) -> None:
    customers = shop.table("customers").with_columns(mailbox=pl.col("email").str.to_lowercase())
    assert customers["email"].is_unique().all()
    assert customers["mailbox"].str.contains(r"^[a-z0-9.]+@(example\.(com|org|net)|mail\.example)$").all()
    shared = customers.filter(pl.col("mailbox").is_duplicated()).sort("mailbox", "signed_up_at")
    assert shared.height == 2 * CONFIG.customers // 100
    pairs = shared.group_by("mailbox").agg("first_name", "timezone", pl.col("email").is_in(pl.col("mailbox")))
    assert (pairs["first_name"].list.n_unique() == 1).all()
    assert pairs["email"].to_list() == [[True, False]] * pairs.height


def test_the_landing_folder_does_not_show_who_is_a_machine(shop: Shop) -> None:
    assert {path.name for path in shop.landing.iterdir()} == {
        "customers.parquet", "products.parquet", "contents.parquet", "consents.parquet", "events",
    }  # fmt: skip
    opened = shop.named("Email Opened").select("properties", "event_id", "message_id", "occurred_at")
    keys = {tuple(json.loads(text)) for text in opened["properties"].unique()}
    assert keys == {("message_key", "subject_variant")}
    machine = pl.read_parquet(shop.truth / "machine_events.parquet")["event_id"]
    delivered = shop.named("Email Delivered").select("message_id", delivered_at="occurred_at")
    by_machine = opened.filter(pl.col("event_id").is_in(machine.implode())).join(delivered, on="message_id")
    seconds = (by_machine["occurred_at"] - by_machine["delivered_at"]).dt.total_seconds()
    assert by_machine.height > 500
    assert 0.1 <= (seconds > 3_600).mean() <= 0.25


def test_machines_are_as_hard_to_tell_as_real_ones(shop: Shop) -> None:
    machine = pl.read_parquet(shop.truth / "machine_events.parquet")["event_id"]
    delivered = shop.named("Email Delivered").select("message_id", delivered_at="occurred_at")
    events = shop.events.filter(pl.col("event_id").is_in(machine.implode())).join(delivered, on="message_id")
    waited = (pl.col("occurred_at") - pl.col("delivered_at")).dt.total_seconds(fractional=True)
    opened = events.filter(pl.col("event") == "Email Opened").with_columns(waited=waited)
    assert opened.filter(pl.col("waited") > 60)["user_agent"].unique().to_list() == ["Mozilla/5.0"]
    disguised = opened.filter(pl.col("user_agent").str.contains("Chrome"))
    assert 10 < disguised.height < 0.1 * opened.height
    assert disguised["waited"].max() < 2
    clicks = events.filter(
        pl.col("event") == "Email Link Clicked", pl.col("user_agent").str.contains("Chrome")
    )
    bursts = clicks.group_by("message_id").agg(
        pl.len(),
        links=pl.col("url").n_unique(),
        lasts=pl.col("occurred_at").max() - pl.col("occurred_at").min(),
    )
    assert bursts["len"].min() >= 2
    assert bursts["links"].min() >= 2
    assert bursts["lasts"].max() < timedelta(seconds=1)


def test_a_click_carries_the_device_that_the_visit_then_uses(shop: Shop) -> None:
    machine = pl.read_parquet(shop.truth / "machine_events.parquet")["event_id"]
    clicked = shop.named("Email Link Clicked").filter(~pl.col("event_id").is_in(machine.implode()))
    assert clicked["anonymous_id"].null_count() == 0
    visits = shop.events.filter(pl.col("event").is_in(["Product Viewed", "Content Viewed", "Page Viewed"]))
    landed = clicked.join(visits, on=["customer_id", "anonymous_id", "device"], suffix="_visit").filter(
        (pl.col("occurred_at_visit") - pl.col("occurred_at")).is_between(timedelta(0), timedelta(seconds=5))
    )
    assert landed["event_id"].n_unique() >= 0.9 * clicked.height > 100
    assert clicked.select("customer_id", "anonymous_id").unique()["anonymous_id"].is_unique().all()


def test_service_contacts_say_what_about_and_how_people_feel(shop: Shop) -> None:
    contacts = shop.named("Support Contacted").select(
        topic=pl.col("properties").str.json_path_match("$.topic"),
        sentiment=pl.col("properties").str.json_path_match("$.sentiment").cast(pl.Float64),
    )
    assert contacts["sentiment"].is_between(-1, 1).all()
    mood = dict(contacts.group_by("topic").agg(pl.col("sentiment").mean()).iter_rows())
    assert {"delivery", "damaged item", "account"} <= set(mood)
    assert mood["delivery"] < -0.4 < 0 < mood["account"] + 0.2


def test_broadcast_is_opened_by_a_fifth_and_clicked_by_under_three_percent(shop: Shop) -> None:
    assert 0.17 <= shop.summary.human_open_rate <= 0.24
    assert 0.01 <= shop.summary.human_click_rate <= 0.03
    assert shop.messages["p_open"].mean() == pytest.approx(shop.summary.human_open_rate, abs=0.01)
    assert shop.messages["p_click"].mean() == pytest.approx(shop.summary.human_click_rate, abs=0.004)


def test_orders_are_believable(shop: Shop) -> None:
    orders = (
        shop.named("Order Completed")
        .group_by("order_id")
        .agg(
            pl.col("customer_id").first(),
            pl.col("occurred_at").first(),
            pl.len().alias("lines"),
            (pl.col("price") * pl.col("quantity") - pl.col("discount")).sum().alias("total"),
        )
    )
    known = CONFIG.customers * 0.85
    buyers_in_30_days = orders.filter(pl.col("occurred_at") < CONFIG.starts_at + timedelta(days=30))[
        "customer_id"
    ]
    assert 0.06 <= buyers_in_30_days.n_unique() / known <= 0.16
    assert 40 <= orders["total"].mean() <= 120
    assert 1 <= orders["lines"].mean() <= 4
    assert orders["customer_id"].is_duplicated().mean() > 0.3
    assert shop.named("Checkout Started").height > orders.height
    assert shop.named("Order Completed")["customer_id"].null_count() == 0


def test_refunds_and_reviews_follow_an_order_of_the_same_line(shop: Shop) -> None:
    bought = shop.named("Order Completed").select(
        "order_id", "product_id", "customer_id", bought_at="occurred_at"
    )
    for event in ("Order Refunded", "Review Submitted"):
        later = shop.named(event)
        matched = later.join(bought, on=["order_id", "product_id", "customer_id"])
        assert matched.height == later.height > 0
        assert (matched["occurred_at"] > matched["bought_at"]).all()


def test_nobody_is_mailed_without_consent_or_after_leaving(shop: Shop) -> None:
    refused = shop.table("consents").filter((pl.col("purpose") == "email_marketing") & ~pl.col("granted"))
    sent = shop.named("Email Sent").join(refused, on="customer_id", suffix="_refused")
    assert refused.height > 50
    assert sent.filter(pl.col("occurred_at") > pl.col("occurred_at_refused")).is_empty()
    left = shop.named("Unsubscribed").select("customer_id", "occurred_at")
    withdrawn = refused.filter(pl.col("source") == "unsubscribe_link").select("customer_id", "occurred_at")
    assert left.sort("customer_id").equals(withdrawn.sort("customer_id"))


def test_price_sensitive_people_use_more_coupons(shop: Shop) -> None:
    orders = shop.named("Order Completed").unique("order_id").join(shop.people, on="customer_id")
    share = orders.group_by(pl.col("price_sensitivity") > 0.5).agg(pl.col("coupon").is_not_null().mean())
    by_sensitivity = dict(share.iter_rows())
    assert by_sensitivity[True] > 1.3 * by_sensitivity[False]


def test_a_third_of_the_waves_goes_out_at_random_hours(shop: Shop) -> None:
    sent = shop.named("Email Sent").with_columns(wave=pl.col("properties").str.json_path_match("$.wave"))
    random_hour = sent.filter(pl.col("wave") == "random_hour")
    broadcast = sent.filter(pl.col("wave") == "broadcast")
    assert 0.25 <= random_hour.height / sent.height <= 0.35
    assert random_hour["occurred_at"].dt.hour().n_unique() == 24
    assert broadcast["occurred_at"].dt.strftime("%a %H:%M").unique().to_list() == ["Tue 10:00"]


def test_anonymous_visits_exist_and_some_are_tied_to_a_customer_later(shop: Shop) -> None:
    web = shop.events.filter(pl.col("anonymous_id").is_not_null())
    unknown = web.filter(pl.col("customer_id").is_null())["anonymous_id"].unique()
    tied = web.filter(pl.col("customer_id").is_not_null())["anonymous_id"].unique()
    both = unknown.is_in(tied.implode())
    assert 0.02 < both.mean() < 0.98


def test_same_configuration_same_bytes_and_a_second_call_changes_nothing(tmp_path: Path) -> None:
    config = ShopConfig(customers=80, days=9, seed=11)
    first = Shop(tmp_path / "one", config)
    second = Shop(tmp_path / "two", config)
    assert digest(first.landing.parent) == digest(second.landing.parent)
    before = digest(first.landing.parent)
    assert simulate(config, first.landing, first.truth) == first.summary
    assert digest(first.landing.parent) == before
    assert first.steps == sorted(first.steps)
    assert first.steps[-1] == 1.0


def test_another_seed_gives_another_shop(tmp_path: Path) -> None:
    one, two = (
        Shop(tmp_path / str(seed), ShopConfig(customers=80, days=3, seed=seed)).events for seed in (1, 2)
    )
    assert not one.equals(two)


def test_a_landing_folder_of_another_origin_is_left_alone(tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    landing.mkdir()
    (landing / "customers.csv").write_text("customer_id,email\n", encoding="utf-8")
    with pytest.raises(LandingNotEmptyError, match=r"customers\.csv.*another landing folder"):
        simulate(ShopConfig(customers=10, days=1), landing, tmp_path / "truth")
    assert [path.name for path in tmp_path.rglob("*")] == ["landing", "customers.csv"]


def test_truth_is_refused_inside_the_landing_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lies in the landing folder"):
        simulate(ShopConfig(customers=10, days=1), tmp_path / "landing", tmp_path / "landing" / "truth")


def test_an_interrupted_simulation_leaves_nothing_behind(tmp_path: Path) -> None:
    def stop(_what: str, share: float) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(ShopConfig(customers=20, days=4), tmp_path / "landing", tmp_path / "truth", stop)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_the_summary_counts_what_is_in_the_files(shop: Shop) -> None:
    assert shop.summary == SimulationSummary(
        customers=CONFIG.customers,
        products=shop.table("products")["product_id"].n_unique(),
        contents=shop.table("contents").height,
        days=CONFIG.days,
        events=shop.events.height,
        orders=shop.named("Order Completed")["order_id"].n_unique(),
        mails=shop.named("Email Sent").height,
        human_open_rate=shop.summary.human_open_rate,
        human_click_rate=shop.summary.human_click_rate,
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"customers": 0}, "customers is 0"),
        ({"days": -1}, "days is -1"),
        ({"send_time": "noon"}, "send_time is 'noon'; choose one of waves, broadcast, random"),
        ({"broadcast_hour": 24}, "broadcast_hour is 24"),
    ],
)
def test_impossible_parameters_are_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ShopConfig(**values)


def test_a_copied_world_goes_on_as_the_original_does() -> None:
    world = World(ShopConfig(customers=120, days=20, seed=5))
    for _ in range(10):
        world.step(world.broadcast_sends())
    copied = copy.deepcopy(world)
    for _ in range(6):
        one, two = world.step(world.broadcast_sends()), copied.step(copied.broadcast_sends())
        assert one.events.equals(two.events)
        assert one.messages.equals(two.messages)


def test_days_do_not_depend_on_how_many_will_follow(tmp_path: Path) -> None:
    config = ShopConfig(customers=120, days=20, seed=5)
    whole = Shop(tmp_path, config)
    world = World(config)
    for number in range(12):
        outcome = world.step(world.broadcast_sends())
        day = config.start + timedelta(days=number)
        assert outcome.events.equals(pl.read_parquet(whole.landing / "events" / f"day={day}.parquet"))


@settings(max_examples=8)
@given(seed=st.integers(0, 2**31), customers=st.integers(1, 40), weekday=st.integers(0, 6))
def test_any_shop_keeps_its_books(seed: int, customers: int, weekday: int) -> None:
    world = World(
        ShopConfig(customers=customers, days=8, seed=seed, start=date(2024, 12, 28) + timedelta(days=weekday))
    )
    for _ in range(8):
        day = world.step(world.broadcast_sends())
        events = day.events
        assert events["occurred_at"].is_sorted()
        assert (events["occurred_at"].dt.date() == day.day).all()
        assert events["event_id"].is_unique().all()
        assert (events["customer_id"].is_not_null() | events["anonymous_id"].is_not_null()).all()
        lines = events.filter(pl.col("event") == "Order Completed")
        assert (lines["discount"] <= lines["price"] * lines["quantity"]).all()
        assert lines.select("order_id", "product_id").is_unique().all()
        assert lines.select("order_id", "occurred_at").n_unique() == lines["order_id"].n_unique()
        assert set(day.machine_events) <= set(events["event_id"])


def test_the_broadcast_goes_out_once_a_week_at_the_configured_hour() -> None:
    world = World(
        ShopConfig(customers=60, days=7, send_time="broadcast", broadcast_weekday=3, broadcast_hour=6)
    )
    sends = pl.concat(_week_of_sends(world))
    assert sends["send_at"].unique().to_list() == [utc("2025-01-09T06:00")]
    assert sends["customer_id"].is_unique().all()


def test_random_send_times_cover_the_week() -> None:
    world = World(ShopConfig(customers=3_000, days=7, send_time="random"))
    sends = pl.concat(_week_of_sends(world))
    assert sends.select(pl.col("send_at").dt.truncate("1h").n_unique()).item() == 168
    assert sends["customer_id"].is_unique().all()


def _week_of_sends(world: World) -> list[pl.DataFrame]:
    sends = []
    for _ in range(7):
        sends.append(world.broadcast_sends())
        world.step()
    return sends
