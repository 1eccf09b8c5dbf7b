"""Hours drawn at random: with exactly the chance logged, and never more mails in an hour than it takes."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from limited_options import ids, mails

from models.policy.hour_exploration import draw_hours, explorer_reserve, plan_hours
from models.policy.hours import kinds_of

SEEDS = st.integers(0, 10_000)


@settings(max_examples=40)
@given(
    seed=SEEDS,
    n=st.integers(1, 60),
    room=st.sampled_from([0.2, 0.9, 1.2, 2.0, 5.0]),
    explore=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
)
def test_no_hour_is_ever_overfull_and_chances_are_as_logged(
    seed: int, n: int, room: float, explore: float
) -> None:
    worth = mails(n, seed)
    capacity = np.random.default_rng(seed).multinomial(int(room * n), np.full(6, 1 / 6))
    plan = plan_hours(ids(n), worth, capacity, explore=explore, seed="s")
    sent = plan.mails.with_row_index("row").drop_nulls("hour")
    rows, hour = sent["row"].to_numpy(), sent["hour"].to_numpy()
    assert not np.isnan(worth[rows, hour]).any()
    assert (np.bincount(hour, minlength=6) <= capacity).all()
    assert plan.hours["use"].to_list() == np.bincount(hour, minlength=6).tolist()
    assert (plan.hours["reserve"] <= plan.hours["capacity"]).all()
    assert plan.explore <= explore
    assert sent["is_explorer"].sum() == round(plan.explore * sent.height)
    n_open = (~np.isnan(worth[rows]) & (capacity > 0)).sum(axis=1)
    chance = plan.explore / n_open + (1 - plan.explore) * (hour == sent["planned_hour"].to_numpy())
    assert sent["propensity_hour"].to_numpy() == pytest.approx(chance)
    assert (sent["propensity_hour"] > 0).all()
    waiting = plan.mails.filter(pl.col("hour").is_null())
    assert (waiting["propensity_hour"] == 1.0).all() and not waiting["is_explorer"].any()
    assert plan.mails["customer_id"].equals(ids(n).alias("customer_id"))


@settings(max_examples=10)
@given(seed=SEEDS, n=st.integers(1, 40))
def test_neither_seed_nor_order_changes_what_is_planned(seed: int, n: int) -> None:
    worth = mails(n, seed)
    capacity = np.full(6, -(-n // 2))
    one, other = (plan_hours(ids(n), worth, capacity, explore=0.3, seed=day) for day in ("a", "b"))
    columns = ["customer_id", "planned_hour"]
    assert one.mails.select(columns).equals(other.mails.select(columns))
    order = np.random.default_rng(seed).permutation(n)
    turned = plan_hours(ids(n).gather(order), worth[order], capacity, explore=0.3, seed="a")
    assert turned.mails.sort("customer_id").equals(one.mails)
    assert turned.hours.equals(one.hours)


def test_hours_are_drawn_as_logged_in_100_000_draws() -> None:
    rng = np.random.default_rng(4)
    n_draws, n, n_explorers = 100_000, 11, 4
    kinds = np.array([[True, True, False, True], [False, True, True, False]])
    kind = np.array([0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1])
    planned = np.array([0, 0, 1, 1, 3, 3, 3, 1, 1, 2, 2])
    hour, is_explorer = draw_hours(
        planned,
        kind,
        kinds,
        n_explorers,
        who=rng.random((n_draws, n)),
        start=rng.random(n_draws),
        order=rng.random((n_draws, n)),
        turns=rng.random((n_draws, 2)),
    )
    assert (is_explorer.sum(axis=1) == n_explorers).all()
    share = n_explorers / n
    for one in range(4):
        uniform = kinds[kind, one] / kinds.sum(axis=1)[kind]
        for found, chance in (
            ((hour == one) & is_explorer, share * uniform),
            (hour == one, share * uniform + (1 - share) * (planned == one)),
        ):
            error = np.sqrt(chance * (1 - chance) / n_draws)
            assert (np.abs(found.mean(axis=0) - chance) <= 4.5 * error + 1e-12).all()
    # Whoever is drawn, explorers keep to the room that was set aside for them.
    used, reserve = explorer_reserve(np.bincount(kind), kinds, np.full(4, 99.0), n_explorers)
    assert used == n_explorers
    counts = np.stack([((hour == one) & is_explorer).sum(axis=1) for one in range(4)], axis=1)
    assert (counts.max(axis=0) <= reserve).all()


def test_what_is_set_aside_fits_into_every_hour() -> None:
    kinds, kind = kinds_of(np.array([[True, True], [True, True], [True, False], [True, True]]))
    n, reserve = explorer_reserve(np.bincount(kind), kinds, np.array([1.0, 5.0]), 4)
    assert reserve[0] <= 1
    assert n == 0
    n, reserve = explorer_reserve(np.bincount(kind), kinds, np.array([3.0, 3.0]), 4)
    assert (n, reserve.tolist()) == (4, [3, 2])


def test_without_exploration_all_is_planned() -> None:
    plan = plan_hours(ids(20), mails(20, 1), [20] * 6, explore=0.0, seed="s")
    assert (plan.mails["propensity_hour"] == 1.0).all()
    assert plan.mails["hour"].equals(plan.mails["planned_hour"].alias("hour"))
    assert plan.hours["reserve"].sum() == 0


def test_no_mails() -> None:
    plan = plan_hours(ids(0), np.empty((0, 3)), [1, 1, 1], explore=0.5, seed="s")
    assert plan.mails.is_empty()
    assert plan.hours["use"].to_list() == [0, 0, 0]


@pytest.mark.parametrize("explore", [-0.1, 1.1, float("nan")])
def test_a_share_that_is_none_is_refused(explore: float) -> None:
    with pytest.raises(ValueError, match="explore is"):
        plan_hours(ids(1), np.ones((1, 2)), [1, 1], explore=explore, seed="s")
