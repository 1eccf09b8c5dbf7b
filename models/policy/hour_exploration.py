"""Sending hours under capacity, some of them drawn at random with an exactly known chance.

A share of the mails explores: each goes out in any of its open hours with the same chance. Room for them is set aside in
every hour before anything is drawn, and all mails are given a planned hour in what remains. So neither the planned hours nor
the chances depend on who is drawn, and no hour is ever overfull. Not here: planned hours (hours), minutes (timing).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from models.features import FloatArray
from models.policy import draws
from models.policy.hours import HourAssignment, assign_hours, check_capacity, check_worth, kinds_of
from models.policy.limits import BoolArray, IntArray
from models.policy.sampling import systematic


@dataclass(frozen=True, eq=False, slots=True)
class HourPlan:
    """An hour for each mail, and the chance of it.

    Attributes:
        mails: customer_id, hour (null: waits for want of room), planned_hour, is_explorer, propensity_hour (1 for those that
            wait); one row per mail in the order given.
        hours: hour, capacity, reserve (set aside for explorers), use, price (of room for one more planned mail).
        planned: the planned hours, in what is not set aside.
        explore: share of the mails that explores; may be less than asked for where capacity is small.
    """

    mails: pl.DataFrame
    hours: pl.DataFrame
    planned: HourAssignment
    explore: float


def plan_hours(
    customer_ids: pl.Series, worth: FloatArray, capacity: ArrayLike, *, explore: float, seed: str
) -> HourPlan:
    """One allowed hour for each mail within the hours' capacity; see the module for how it is drawn.

    An explorer's hour is drawn from those that are allowed to it and not closed to all (capacity 0); hours of his kind are
    dealt out in turn, so that each has as many explorers as any other, or one more. What is set aside makes mails wait only
    if the hours are nearly full.

    Args:
        customer_ids, worth, capacity: as of `assign_hours`.
        explore: share of the mails that explores, 0 to 1.
        seed: of the day's draws.

    Raises:
        ValueError: as of `assign_hours`, and for a share outside 0 to 1.
    """
    if not 0.0 <= explore <= 1.0:
        raise ValueError(f"explore is {explore}; it is a share and must lie between 0 and 1")
    most = check_capacity(capacity)
    check_worth(customer_ids, worth, len(most))
    kinds, kind = kinds_of(~np.isnan(worth) & (most > 0))
    n_mails = len(customer_ids)
    size = np.bincount(kind, minlength=len(kinds))
    n_explorers, reserve = explorer_reserve(size, kinds, most, int(np.floor(np.round(explore * n_mails, 6))))
    planned = assign_hours(customer_ids, worth, most - reserve)

    placed = np.flatnonzero(planned.hour >= 0)
    n_drawn = n_explorers * len(placed) // n_mails if n_mails else 0
    lots = draws.uniforms(customer_ids.gather(placed), seed=seed, streams=["explorer", "explorer hour"])
    hour, is_explorer = draw_hours(
        planned.hour[placed],
        kind[placed],
        kinds,
        n_drawn,
        who=lots.get_column("explorer").to_numpy(),
        start=draws.generator(seed=seed, stream="explorer start").random(),
        order=lots.get_column("explorer hour").to_numpy(),
        turns=_first_turns(kinds, seed),
    )

    share = n_drawn / len(placed) if len(placed) else 0.0
    chance = share / kinds.sum(axis=1)[kind[placed]] + (1.0 - share) * (hour == planned.hour[placed])
    mails = _mails(customer_ids, placed, hour, planned.hour[placed], is_explorer, chance)
    hours = planned.hours.select(
        "hour",
        capacity=pl.Series(most.astype(np.int64)),
        reserve=pl.Series(reserve),
        use=pl.Series(np.bincount(hour, minlength=len(most))),
        price="price",
    )
    return HourPlan(mails, hours, planned, share)


def _mails(
    customer_ids: pl.Series,
    placed: IntArray,
    hour: IntArray,
    planned_hour: IntArray,
    is_explorer: BoolArray,
    chance: FloatArray,
) -> pl.DataFrame:
    drawn = pl.DataFrame(
        {
            "customer_id": customer_ids.gather(placed),
            "hour": hour,
            "planned_hour": planned_hour,
            "is_explorer": is_explorer,
            "propensity_hour": chance,
        }
    )
    return (
        customer_ids.to_frame("customer_id")
        .join(drawn, on="customer_id", how="left", maintain_order="left")
        .with_columns(pl.col("is_explorer").fill_null(False), pl.col("propensity_hour").fill_null(1.0))
    )


def _first_turns(kinds: BoolArray, seed: str) -> FloatArray:
    """A number in [0, 1) for each kind, drawn by the hours it is open in."""
    names = ["".join("1" if is_open else "0" for is_open in row) for row in kinds]
    return np.array([draws.generator(seed=seed, stream=f"first hour {name}").random() for name in names])


def explorer_reserve(
    size: IntArray, kinds: BoolArray, most: FloatArray, n_explorers: int
) -> tuple[int, NDArray[np.int64]]:
    """How many explore, at most `n_explorers`, and the room to set aside for them in each hour, whoever is drawn.

    Args:
        size: mails of each kind.
        kinds: kinds x hours, whether open.
        most: capacity of each hour.
    """

    def reserve(n: int) -> NDArray[np.int64]:
        of_kind = -(-n * size // max(int(size.sum()), 1))
        n_open = np.maximum(kinds.sum(axis=1), 1)
        room: NDArray[np.int64] = (-(-of_kind // n_open)[:, None] * kinds).sum(axis=0)
        return room

    low, high = 0, n_explorers + 1
    n = n_explorers
    while high - low > 1:
        low, high = (n, high) if (reserve(n) <= most).all() else (low, n)
        n = (low + high) // 2
    return low, reserve(low)


def draw_hours(
    planned: IntArray,
    kind: IntArray,
    kinds: BoolArray,
    n_explorers: int,
    *,
    who: FloatArray,
    start: ArrayLike,
    order: FloatArray,
    turns: FloatArray,
) -> tuple[IntArray, BoolArray]:
    """The hour of each mail and whether it explores: exactly so many do, of each kind its part, rounded down or up.

    Args:
        planned: hour of each mail.
        kind: of each mail.
        kinds: kinds x hours, whether open.
        n_explorers: how many explore.
        who, start: numbers in [0, 1) by which explorers are drawn, see `systematic`; further axes are draws of their own.
        order, turns: the same by which they are dealt their hours, one for each mail and one for each kind.
    """
    is_explorer = systematic(who, n_explorers, start, groups=kind)
    dealt = _deal(is_explorer, order, kind, kinds, turns)
    return np.where(is_explorer, dealt, planned), is_explorer


def _deal(
    is_explorer: BoolArray, uniforms: FloatArray, kind: IntArray, kinds: BoolArray, turns: FloatArray
) -> IntArray:
    """An open hour for each explorer, -1 for others: its kind's hours in turn, from a random one on, by order of uniform."""
    n_open = kinds.sum(axis=1)
    open_hours = np.argsort(~kinds, axis=1, kind="stable")
    group = np.where(is_explorer, kind, len(kinds))
    order = np.lexsort((uniforms, group), axis=-1)
    sorted_group = np.take_along_axis(group, order, axis=-1)
    position = np.broadcast_to(np.arange(order.shape[-1]), order.shape)
    is_first = np.diff(sorted_group, axis=-1, prepend=-1) != 0
    turn = position - np.maximum.accumulate(np.where(is_first, position, 0), axis=-1)

    of = np.minimum(sorted_group, len(kinds) - 1)
    first = np.floor(
        np.take_along_axis(np.broadcast_to(turns, (*order.shape[:-1], len(kinds))), of, axis=-1) * n_open[of]
    )
    place = (turn + first.astype(np.int64)) % np.maximum(n_open[of], 1)
    dealt = np.empty(order.shape, dtype=np.int64)
    np.put_along_axis(dealt, order, np.where(sorted_group < len(kinds), open_hours[of, place], -1), axis=-1)
    return dealt
