"""Every mail in one of its hours, no hour overfull, as much worth kept as can be; the least valuable wait."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from limited_options import ids, mails
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_array

from models.policy.hours import HourAssignment, assign_hours

SEEDS = st.integers(0, 10_000)


def best_plan(worth: NDArray[np.float64], capacity: NDArray[np.int64], gain: NDArray[np.float64]) -> float:
    """The most that mails placed can bring in all; `gain` is what each brings in each hour."""
    rows, hours = np.nonzero(~np.isnan(worth))
    n = len(rows)
    one_each = csr_array((np.ones(n), (rows, np.arange(n))), shape=(len(worth), n))
    by_hour = csr_array((np.ones(n), (hours, np.arange(n))), shape=(len(capacity), n))
    solved = linprog(
        -gain[rows, hours],
        A_ub=np.vstack([one_each.toarray(), by_hour.toarray()]),
        b_ub=np.concatenate([np.ones(len(worth)), capacity]),
    )
    return -float(solved.fun)


def check(worth: NDArray[np.float64], capacity: NDArray[np.int64], plan: HourAssignment) -> None:
    placed = plan.hour >= 0
    assert not np.isnan(worth[placed, plan.hour[placed]]).any()
    use = np.bincount(plan.hour[placed], minlength=len(capacity))
    assert (use <= capacity).all()
    assert plan.hours["use"].to_list() == use.tolist()
    assert plan.value == pytest.approx(worth[placed, plan.hour[placed]].sum())
    assert plan.value <= plan.bound


@settings(max_examples=60)
@given(
    seed=SEEDS, n=st.integers(1, 40), room=st.sampled_from([0.1, 0.5, 0.9, 1.0, 1.2, 3.0]), ties=st.booleans()
)
def test_hours_are_allowed_and_never_overfull_and_nobody_waits_in_vain(
    seed: int, n: int, room: float, ties: bool
) -> None:
    worth = mails(n, seed, ties=ties)
    capacity = np.random.default_rng(seed).multinomial(int(room * n), np.full(6, 1 / 6))
    plan = assign_hours(ids(n), worth, capacity)
    check(worth, capacity, plan)
    assert (plan.hour >= 0).sum() == round(best_plan(worth, capacity, np.ones_like(worth)))


@settings(max_examples=40)
@given(seed=SEEDS, n=st.integers(1, 40), room=st.sampled_from([0.1, 0.5, 0.9, 1.0]))
def test_the_least_valuable_wait(seed: int, n: int, room: float) -> None:
    worth = mails(n, seed)
    capacity = np.random.default_rng(seed).multinomial(int(room * n), np.full(6, 1 / 6))
    plan = assign_hours(ids(n), worth, capacity)
    # In an hour that is closed nobody can go out, so it counts for nothing.
    is_open = ~np.isnan(worth) & (capacity > 0)
    value = np.where(is_open, worth, 0.0).max(axis=1)
    placed = plan.hour >= 0
    best = best_plan(worth, capacity, np.where(is_open, value[:, None], 0.0))
    assert value[placed].sum() == pytest.approx(best, abs=1e-6)


@settings(max_examples=40)
@given(seed=SEEDS, n=st.integers(1, 40), room=st.sampled_from([1.0, 1.1, 1.5]), ties=st.booleans())
def test_the_best_hours_lie_between_value_and_bound(seed: int, n: int, room: float, ties: bool) -> None:
    worth = mails(n, seed, ties=ties)
    capacity = np.random.default_rng(seed).multinomial(int(room * n), np.full(6, 1 / 6))
    plan = assign_hours(ids(n), worth, capacity, tolerance=1e-9)
    placed = plan.hour >= 0
    # Whoever is placed must be placed: a bonus for each makes it so.
    bonus = 1e4
    best = (
        best_plan(worth[placed], capacity, worth[placed] + bonus) - bonus * placed.sum()
        if placed.any()
        else 0.0
    )
    assert plan.value <= best + 1e-5
    assert plan.bound >= best - 1e-5
    assert plan.bound == pytest.approx(best, abs=1e-4)


def test_hours_come_near_the_best() -> None:
    worth = mails(3_000, 5, n_hours=24, n_zones=8)
    for room in (0.8, 1.02, 1.3):
        capacity = np.full(24, int(3_000 * room / 24))
        plan = assign_hours(ids(3_000), worth, capacity)
        check(worth, capacity, plan)
        assert plan.relative_gap < 2e-3


@settings(max_examples=20)
@given(seed=SEEDS, n=st.integers(1, 30), ties=st.booleans())
def test_the_order_of_mails_does_not_matter(seed: int, n: int, ties: bool) -> None:
    worth = mails(n, seed, ties=ties)
    capacity = np.full(6, -(-n // 7))
    order = np.random.default_rng(seed).permutation(n)
    one = assign_hours(ids(n), worth, capacity)
    other = assign_hours(ids(n).gather(order), worth[order], capacity)
    assert one.hour[order].tolist() == other.hour.tolist()
    assert one.value == other.value
    assert one.hours.equals(other.hours)


def test_the_favourite_hour_goes_to_whom_another_costs_most() -> None:
    worth = np.array([[3.0, 2.9], [2.0, 1.0], [1.0, np.nan]])
    plan = assign_hours(ids(3), worth, [2, 1])
    assert plan.hour.tolist() == [1, 0, 0]
    assert plan.bound == pytest.approx(plan.value)


def test_of_equals_the_last_by_id_waits() -> None:
    plan = assign_hours(pl.Series(["b", "a", "c"]), np.ones((3, 2)), [1, 1])
    assert plan.hour.tolist() == [1, 0, -1]


def test_without_room_all_wait_and_without_mails_nothing_happens() -> None:
    plan = assign_hours(ids(2), np.ones((2, 3)), [0, 0, 0])
    assert plan.hour.tolist() == [-1, -1]
    assert plan.value == plan.bound == 0
    assert assign_hours(ids(0), np.empty((0, 3)), [1, 2, 3]).hours["use"].to_list() == [0, 0, 0]


@pytest.mark.parametrize(
    ("customers", "worth", "capacity", "message"),
    [
        (["a"], [[1.0, 1.0]], [-1, 2], "whole number of 0 or more"),
        (["a"], [[1.0, 1.0]], [0.5, 2], "whole number of 0 or more"),
        (["a"], [[1.0, 1.0]], [float("nan"), 2], "whole number of 0 or more"),
        (["a"], [[1.0, 1.0]], [1, 1, 1], r"make it \(1, 3\)"),
        (["a"], [[1.0, -1.0]], [1, 1], "0 or more, or NaN"),
        (["a"], [[1.0, float("inf")]], [1, 1], "0 or more, or NaN"),
        (["a"], [[float("nan"), float("nan")]], [1, 1], "no hour in which it may go out"),
        (["a", "a"], [[1.0, 1.0]] * 2, [1, 1], "there twice"),
        (["a", None], [[1.0, 1.0]] * 2, [1, 1], "missing"),
    ],
)
def test_what_is_refused(
    customers: list[str | None], worth: list[list[float]], capacity: list[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        assign_hours(pl.Series(customers), np.array(worth), capacity)
