"""The trials on simulated shops: their mails, their truth, and the share of a lift by hand."""

from datetime import timedelta
from functools import cache

import numpy as np
import pytest

from benchmarks.evaluate.send_time import WEEKS, Judged, RandomHours, lift_share, pooled, true_chances
from models.reading import HOURS
from shop.config import ShopConfig
from shop.world import World

CONFIG = ShopConfig(customers=300, days=7 * len(WEEKS), seed=5)


@cache
def _world() -> World:
    world = World(CONFIG)
    world.step()
    return world


def _judged(chosen: float) -> Judged:
    return Judged(np.array([3]), {"ours": np.array([chosen])}, np.array([0.2]), np.array([0.4]))


@pytest.mark.parametrize(("chosen", "share"), [(0.2, 0.0), (0.3, 0.5), (0.4, 1.0), (0.1, -0.5)])
def test_the_share_of_the_lift_is_0_at_random_and_1_at_the_best_hour(chosen: float, share: float) -> None:
    assert lift_share(_judged(chosen), "ours") == pytest.approx(share)


def test_customers_of_several_shops_are_judged_together() -> None:
    assert lift_share(pooled([_judged(0.2), _judged(0.4)]), "ours") == pytest.approx(0.5)


def test_the_truth_is_a_chance_for_each_hour_that_follows_attention() -> None:
    truth = true_chances(_world())
    p = truth["p_open"].to_numpy()
    assert p.shape == (truth.height, HOURS)
    assert ((p > 0) & (p < 1)).all()
    people = _world().people
    is_stated = people.customers["timezone"].is_not_null()
    known = truth.with_row_index("row").join(people.customers.filter(is_stated), on="customer_id")
    row = known["row"].to_numpy()
    position = people.customers.with_row_index("at").join(
        known.select("customer_id", "row"), on="customer_id", maintain_order="right"
    )["at"]
    attention = people.attention[position.to_numpy()]
    agreement = [
        np.corrcoef(np.log(a), np.log(b))[0, 1] for a, b in zip(p[row], np.exp(attention), strict=True)
    ]
    assert np.median(agreement) > 0.8


def test_mails_go_out_at_hours_spread_over_the_week_to_who_may_be_mailed() -> None:
    world = World(CONFIG)
    sends = RandomHours(CONFIG).mails(world)
    assert sends is not None
    assert sends["message_id"].is_unique().all()
    hours = (sends["send_at"] - world.today).dt.total_hours()
    assert hours.min() >= 0
    assert hours.max() < HOURS
    assert hours.n_unique() > 100
    per_person = sends.group_by("customer_id").len()["len"]
    assert set(per_person) == {WEEKS[0]}


def test_the_dates_end_stretches_of_5_20_and_50_mails() -> None:
    dates = RandomHours(CONFIG).dates
    sent = [sum(WEEKS[: (day - CONFIG.start).days // 7]) for day in dates]
    assert sent[:3] == [5, 20, 50]
    assert dates[-1] == CONFIG.start + timedelta(weeks=len(WEEKS))
