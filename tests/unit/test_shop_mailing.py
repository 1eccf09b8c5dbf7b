"""How simulated customers answer mails of a policy: time, products, offers, pressure."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from shop.catalogue import SUBCATEGORY_NAMES
from shop.config import ShopConfig
from shop.habits import HOURS, draw_reading_delay, local_hour_of_week, reading_habits
from shop.mails import SENDS
from shop.world import World

CONFIG = ShopConfig(customers=1_000, days=30, seed=9)


@pytest.fixture
def world() -> World:
    return World(CONFIG)


def mails(world: World, send_at: datetime | list[datetime], **columns: object) -> pl.DataFrame:
    ids = world.people.customers["customer_id"]
    return pl.DataFrame(
        {
            "message_id": pl.select(pl.format("m-{}", pl.lit(ids))).to_series(),
            "customer_id": ids,
            "send_at": send_at if isinstance(send_at, list) else [send_at] * len(ids),
            "message_key": ["test"] * len(ids),
        }
    ).with_columns(
        *(
            (values if isinstance(values, pl.Expr) else pl.lit(values)).alias(name)
            for name, values in columns.items()
        ),
        *(
            pl.lit(None, dtype=kind).alias(name)
            for name, kind in SENDS.items()
            if name not in columns and name not in FIXED
        ),
    )


FIXED = ("message_id", "customer_id", "send_at", "message_key")


def answer(send_at: datetime | list[datetime], **columns: object) -> pl.DataFrame:
    world = World(CONFIG)
    return world.step(mails(world, send_at, **columns)).messages


def test_a_mail_at_the_personal_best_hour_is_opened_more_than_at_a_fixed_hour(world: World) -> None:
    people = world.people
    start = np.datetime64(CONFIG.start, "h").astype(np.int64)
    hours = start + np.arange(24)
    offset = people.utc_offset_us(CONFIG.start)[:-1]
    local = local_hour_of_week(hours[None, :] * 3_600_000_000, offset[:, None])
    best = np.take_along_axis(people.attention[:-1], local, axis=1).argmax(axis=1)
    at = [CONFIG.starts_at + timedelta(hours=int(hour)) for hour in best]
    fixed = answer(CONFIG.starts_at + timedelta(hours=10))["p_open"].mean()
    assert answer(at)["p_open"].mean() > 1.3 * fixed


def test_products_to_taste_and_offers_raise_clicks(world: World) -> None:
    at = CONFIG.starts_at + timedelta(hours=10)
    ids = world.catalogue.products["product_id"].to_list()
    usable = np.where(world.catalogue.on_sale(CONFIG.start), world.people.utility[:-1], -99.0)
    best = [[ids[p] for p in row] for row in np.argsort(-usable, axis=1)[:, :6]]
    plain = answer(at, product_ids=ids[:6])["p_click"].mean()
    assert answer(at, product_ids=pl.lit(pl.Series(best)))["p_click"].mean() > 1.5 * plain
    assert answer(at, product_ids=ids[:6], discount_rate=0.2)["p_click"].mean() > 1.15 * plain


def test_a_discount_moves_the_price_sensitive_more(world: World) -> None:
    at = CONFIG.starts_at + timedelta(hours=10)
    gain = answer(at, discount_rate=0.2)["p_click"] / answer(at)["p_click"]
    sensitivity = world.people.price_sensitivity[:-1]
    valid = gain.is_not_nan().to_numpy()
    assert np.corrcoef(gain.to_numpy()[valid], sensitivity[valid])[0, 1] > 0.8


def test_many_mails_tire(world: World) -> None:
    rates = []
    for _ in range(8):
        at = datetime.combine(world.today, datetime.min.time()) + timedelta(hours=10)
        rates.append(world.step(mails(world, at)).messages["p_open"].mean())
    calm = World(CONFIG)
    for _ in range(7):
        calm.step()
    at = datetime.combine(calm.today, datetime.min.time()) + timedelta(hours=10)
    assert rates[-1] < 0.8 * calm.step(mails(calm, at)).messages["p_open"].mean()


def test_a_mail_for_tomorrow_waits(world: World) -> None:
    sends = mails(world, CONFIG.starts_at + timedelta(hours=26))
    assert world.step(sends).messages.is_empty()
    assert world.step().messages.height == sends.height


def test_a_mail_for_yesterday_and_one_to_a_stranger_are_refused(world: World) -> None:
    with pytest.raises(ValueError, match=r"1000 mails have a send_at before 2025-01-06"):
        world.step(mails(world, CONFIG.starts_at - timedelta(minutes=1)))
    stranger = mails(world, CONFIG.starts_at).with_columns(pl.lit("c999999").alias("customer_id"))
    with pytest.raises(ValueError, match="'c999999'"):
        World(CONFIG).step(stranger)


def test_opens_happen_after_delivery_and_clicks_after_opens(world: World) -> None:
    day = world.step(mails(world, CONFIG.starts_at + timedelta(hours=7)))
    opened = day.messages.filter(pl.col("opened_at").is_not_null())
    assert opened.height > 100
    assert (opened["opened_at"] > opened["send_at"]).all()
    clicked = opened.filter(pl.col("clicked_at").is_not_null())
    assert (clicked["clicked_at"] > clicked["opened_at"]).all()


def test_local_hour_of_week_counts_from_monday() -> None:
    monday_noon = np.array([np.datetime64("2025-01-06T12:30", "us").astype(np.int64)])
    assert local_hour_of_week(monday_noon, np.array([0])).tolist() == [12]
    assert local_hour_of_week(monday_noon, np.array([9 * 3_600_000_000])).tolist() == [21]
    assert local_hour_of_week(monday_noon, np.array([-13 * 3_600_000_000])).tolist() == [167]


def test_habits_are_distributions_and_attention_averages_one() -> None:
    reading, attention, browsing = reading_habits(50, np.random.default_rng(1))
    assert reading.shape == (50, HOURS)
    assert np.allclose(reading.sum(axis=1), 1.0)
    assert np.allclose(np.exp(attention).mean(axis=1), 1.0)
    assert np.allclose(browsing[:, -1], 1.0)


def test_mail_is_read_in_reading_hours() -> None:
    reading = np.zeros((3, HOURS))
    reading[:, 20] = 1.0
    delay = draw_reading_delay(reading, np.array([20, 18, 5]), np.random.default_rng(1))
    assert delay.tolist() == [0, 2, 15]


def test_consumables_come_back_at_the_customers_own_rhythm() -> None:
    world = World(ShopConfig(customers=400, days=120, seed=4))
    world.people.visit_rate[:] = 0.25
    world.people.dropout_rate[:] = 0.0
    lines = pl.concat([world.step().events for _ in range(120)]).filter(pl.col("event") == "Order Completed")
    shelves = world.catalogue.products.filter("is_consumable").select("product_id", "subcategory")
    rhythm = pl.DataFrame(
        dict(zip(SUBCATEGORY_NAMES, world.people.cycle_days[:-1].T, strict=True))
        | {"customer_id": world.people.customers["customer_id"]}
    ).unpivot(index="customer_id", variable_name="subcategory", value_name="cycle_days")
    repeats = (
        lines.join(shelves, on="product_id")
        .join(rhythm, on=["customer_id", "subcategory"])
        .sort("occurred_at")
        .with_columns(
            gap_days=pl.col("occurred_at").diff().over("customer_id", "product_id").dt.total_days(),
            lasts_days=pl.col("cycle_days") * pl.col("quantity").shift().over("customer_id", "product_id"),
        )
        .drop_nulls("gap_days")
    )
    assert repeats.height > 200
    assert repeats.select(pl.corr("gap_days", "lasts_days", method="spearman")).item() > 0.3
