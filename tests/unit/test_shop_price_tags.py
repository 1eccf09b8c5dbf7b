"""The simulated catalogue changes its prices and its stock, says so in its history, and people notice."""

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shop.catalogue import build_catalogue
from shop.config import ShopConfig
from shop.price_tags import PriceTags
from shop.world import World

CONFIG = ShopConfig(customers=700, days=150, seed=5)
SHOP_EVENTS = ("Product Viewed", "Product Added", "Product Removed", "Order Completed")


@pytest.fixture(scope="module")
def lived() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Events and products of a shop after 150 days."""
    world = World(CONFIG)
    events = [world.step(world.broadcast_sends()).events for _ in range(CONFIG.days)]
    return pl.concat(events), world.products


def with_version(events: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    """Shop events with the price and the stock that the history says held then."""
    versions = products.select(
        "product_id",
        version_price="price",
        is_in_stock="in_stock",
        valid_from=pl.col("updated_at").fill_null(datetime(1900, 1, 1)),
    ).sort("valid_from")
    seen = events.filter(pl.col("event").is_in(SHOP_EVENTS), pl.col("product_id").is_not_null())
    return seen.sort("occurred_at").join_asof(
        versions, left_on="occurred_at", right_on="valid_from", by="product_id", check_sortedness=False
    )


def test_every_product_begins_with_a_row_true_since_always(lived: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    _, products = lived
    assert products.select("product_id", "updated_at").is_unique().all()
    assert products.filter(pl.col("updated_at").is_null())["product_id"].is_unique().all()
    assert products["product_id"].n_unique() == products.filter(pl.col("updated_at").is_null()).height
    assert products["updated_at"].max() < datetime.combine(CONFIG.end, datetime.min.time())


def test_prices_fall_for_weeks_and_return_and_some_rise(lived: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    _, products = lived
    later = products.with_columns(
        before=pl.col("price").shift().over("product_id"),
        returned=pl.col("price").shift(-1).over("product_id") / pl.col("price").shift().over("product_id"),
    ).filter(pl.col("before") != pl.col("price"))
    change = later["price"] / later["before"]
    falls, rises = (change < 0.97).sum(), (change > 1.02).sum()
    assert falls > 60
    assert rises > 60
    assert change.min() > 0.68
    assert (later["returned"] == 1.0).sum() > 30


def test_every_event_has_the_price_of_its_day(lived: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    seen = with_version(*lived)
    assert seen.height > 5_000
    other = seen.filter(pl.col("price") != pl.col("version_price"))
    assert other.height < 0.001 * seen.height
    assert (other["occurred_at"].dt.hour() == 0).all(), (
        "only visits that began the day before keep its prices"
    )


def test_what_is_out_of_stock_is_seldom_viewed_and_never_sold(
    lived: tuple[pl.DataFrame, pl.DataFrame],
) -> None:
    seen = with_version(*lived)
    out = seen.filter(~pl.col("is_in_stock"))
    assert set(out["event"]) == {"Product Viewed"}
    assert 0.0005 <= out.height / seen.filter(pl.col("event") == "Product Viewed").height <= 0.02


def test_products_run_out_and_come_back(lived: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    _, products = lived
    spells = products.with_columns(
        before=pl.col("in_stock").shift().over("product_id"),
        since=pl.col("updated_at").shift().over("product_id"),
    ).filter("in_stock", ~pl.col("before"))
    out_days = (spells["updated_at"] - spells["since"]).dt.total_days().drop_nulls()
    assert len(out_days) > 60
    assert 4 <= out_days.median() <= 14


def test_a_price_cut_draws_the_price_sensitive(lived: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    """The same shop on the same days, with and without cuts of a quarter on half of its products."""
    orders = {}
    for cut in (0.0, 0.25):
        world = World(ShopConfig(customers=2_500, days=20, seed=8))
        world.people.visit_rate[:] = 0.3
        reduced = np.arange(len(world.catalogue.price)) % 2 == 0
        lines = []
        for _ in range(20):
            world.catalogue.price[reduced] = world.catalogue.usual_price[reduced] * (1 - cut)
            lines.append(world.step().events.filter(pl.col("event") == "Order Completed"))
        ids = world.catalogue.products["product_id"].filter(pl.Series(reduced))
        orders[cut] = pl.concat(lines)["product_id"].is_in(ids.implode()).sum()
    assert 1.15 < orders[0.25] / orders[0.0] < 2.5


@settings(max_examples=15)
@given(seed=st.integers(0, 2**31), days=st.integers(1, 80), more=st.integers(0, 60))
def test_the_history_of_more_days_begins_with_that_of_fewer(seed: int, days: int, more: int) -> None:
    config = ShopConfig(customers=1, days=60, seed=seed)
    catalogue = build_catalogue(config)

    def played(until: int) -> PriceTags:
        tags = PriceTags.at_opening(catalogue, config.start, config.rng("price tags"))
        for number in range(until):
            day = config.start + timedelta(days=number)
            tags.begin_day(day, catalogue, config.rng("price tags", day))
            assert (tags.price > 0).all()
            assert (tags.price <= tags.usual_price).all()
        return tags

    at: date = config.start + timedelta(days=days)
    short, long = played(days), played(days + more)
    assert short.history(catalogue, until=at).equals(long.history(catalogue, until=at))
