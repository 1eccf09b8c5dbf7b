"""What an order is expected to leave is what orders leave on average; calm margins have the margin's mean."""

import numpy as np
import polars as pl
import pytest

from benchmarks.closed_loop.figures import calm_margin
from shop.config import ShopConfig
from shop.world import DayOutcome, World

CONFIG = ShopConfig(customers=2_000, days=40, seed=3)


@pytest.fixture(scope="module")
def days() -> list[tuple[DayOutcome, pl.DataFrame]]:
    """Of each day of a world the outcome, and the margin of the goods of each order."""
    world, found = World(CONFIG), []
    for _ in range(CONFIG.days):
        cost = world.catalogue.products.select("product_id", "cost")
        outcome = world.step(world.broadcast_sends())
        margin = pl.col("quantity") * (pl.col("price") - pl.col("cost")) - pl.col("discount")
        goods = (
            outcome.events.filter(event="Order Completed")
            .join(cost, on="product_id")
            .group_by("order_id")
            .agg(margin=margin.sum())
            .sort("order_id")
        )
        found.append((outcome, goods))
    return found


def test_orders_leave_what_was_expected_of_their_visits(days: list[tuple[DayOutcome, pl.DataFrame]]) -> None:
    left = np.concatenate([goods["margin"].to_numpy() for _, goods in days])
    # Orders are numbered in the order of visits.
    expected = np.concatenate(
        [outcome.chances.filter("is_order")["order_margin"].to_numpy() for outcome, _ in days]
    )
    assert len(left) == len(expected) > 200
    surprise = left - expected
    assert abs(surprise.mean()) < 4 * surprise.std() / np.sqrt(len(surprise))
    assert surprise.std() < 0.8 * left.std(), "what was found must tell most of what an order leaves"


def test_a_visit_counts_with_its_chance_times_what_an_order_would_leave(
    days: list[tuple[DayOutcome, pl.DataFrame]],
) -> None:
    chances = days[-1][0].chances
    p_order, worth = chances["p_order"].to_numpy(), chances["order_margin"].to_numpy()
    paid, free = (chances.with_columns(has_free_shipping=pl.lit(is_free)) for is_free in (False, True))
    assert calm_margin(paid) == pytest.approx((p_order * worth).sum())  # the fee is what a parcel costs
    assert calm_margin(paid) - calm_margin(free) == pytest.approx(4.95 * p_order.sum())
    assert ((p_order >= 0) & (p_order <= 1)).all() and (worth[p_order > 0] != 0).all()
