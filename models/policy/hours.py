"""Which hour each mail goes out in when an hour takes no more than so many.

First who must wait: the least valuable of those who cannot all be placed. Then the hours of the others, by prices of the
hours, so that together they keep as much worth as they can. Not here: minutes and clocks (timing), hours drawn at random
(hour_exploration).

Sources: Edmonds and Fulkerson 1965 (who can be placed together is a matroid, so taking the most valuable first is best);
Fisher 1981 (prices, as in assignment).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.optimize import linprog
from scipy.sparse import csr_array, vstack
from scipy.sparse.csgraph import maximum_flow

from models.features import FloatArray
from models.policy.hour_prices import hour_prices
from models.policy.limits import BoolArray, IntArray

_MOST_HOURS = 62
_PER_MOVE = 1e-6  # of the largest loss: of equally good ways the one that moves fewer


@dataclass(frozen=True, eq=False, slots=True)
class HourAssignment:
    """An hour for each mail.

    Attributes:
        hour: of each mail in the order given, -1 for those that wait.
        hours: hour, capacity, use, price (worth that room for one more mail would bring).
        value: worth of all mails in their hours.
        bound: no way to place the mails that do not wait is worth more.
    """

    hour: IntArray
    hours: pl.DataFrame
    value: float
    bound: float

    @property
    def relative_gap(self) -> float:
        """The most by which other hours can be better, as a share of the bound."""
        return (self.bound - self.value) / self.bound if self.bound > 0 else 0.0


def assign_hours(
    customer_ids: pl.Series, worth: FloatArray, capacity: ArrayLike, *, tolerance: float = 1e-6
) -> HourAssignment:
    """One allowed hour for each mail, never more mails in an hour than it takes.

    As many mails as possible are placed. If not all can be, those wait whose worth in their best open hour is least, and of
    equal worth the last by id. Where all hours are equally good to several mails, the first by id gets the earliest.

    Args:
        customer_ids: one per mail.
        worth: mails x hours, 0 or more, as the mail's value x chance of an open in that hour / in its best; NaN where the
            mail may not go out.
        capacity: mails that each hour takes, whole numbers.

    Raises:
        ValueError: a negative or broken capacity or worth, a customer twice or without any allowed hour, lengths that
            do not agree.
    """
    most = check_capacity(capacity)
    check_worth(customer_ids, worth, len(most))
    order = customer_ids.arg_sort().to_numpy()
    sorted_worth = worth[order]
    allowed = ~np.isnan(sorted_worth) & (most > 0)
    kinds, kind = kinds_of(allowed)
    value = np.where(allowed, sorted_worth, -np.inf).max(axis=1, initial=-np.inf)
    placed = np.flatnonzero(_placeable(value, kind, kinds, most))

    part = np.where(allowed[placed], sorted_worth[placed], -np.inf)
    found = hour_prices(part, most, tolerance=tolerance)
    chosen = _fill(part - found.prices, kind[placed], kinds, most)
    hour = np.full(len(order), -1, dtype=np.int64)
    hour[order[placed]] = chosen
    total = float(part[np.arange(len(placed)), chosen].sum())
    hours = pl.DataFrame(
        {
            "hour": np.arange(len(most)),
            "capacity": most.astype(np.int64),
            "use": np.bincount(chosen, minlength=len(most)),
            "price": found.prices,
        }
    )
    return HourAssignment(hour, hours, total, max(found.bound, total))


def check_capacity(capacity: ArrayLike) -> FloatArray:
    """The capacity of each hour.

    Raises:
        ValueError: one that is negative or no whole number.
    """
    most = np.asarray(capacity, dtype=np.float64)
    if most.ndim != 1 or len(most) > _MOST_HOURS:
        raise ValueError(f"capacity must be one list with a number for each of at most {_MOST_HOURS} hours")
    if not (np.isfinite(most) & (most >= 0) & (most == np.floor(most))).all():
        raise ValueError("the capacity of an hour must be a whole number of 0 or more")
    return most


def check_worth(customer_ids: pl.Series, worth: FloatArray, n_hours: int) -> None:
    """Raises ValueError unless each customer has one row with a worth of 0 or more in some hour."""
    if worth.shape != (len(customer_ids), n_hours):
        raise ValueError(
            f"worth has shape {worth.shape}; mails and hours make it ({len(customer_ids)}, {n_hours})"
        )
    if customer_ids.null_count() or customer_ids.n_unique() < len(customer_ids):
        raise ValueError("each mail needs a customer of its own; an id is missing or there twice")
    if np.isinf(worth).any() or (worth < 0).any():
        raise ValueError("worth must be a number of 0 or more, or NaN where the mail may not go out")
    if np.isnan(worth).all(axis=1).any():
        raise ValueError("a mail has no hour in which it may go out; hold it before hours are assigned")


def kinds_of(allowed: BoolArray) -> tuple[BoolArray, IntArray]:
    """The different rows of mails x hours, and which of them each mail has: mails of one zone share theirs."""
    bits = allowed @ (1 << np.arange(allowed.shape[1], dtype=np.int64))
    found, kind = np.unique(bits, return_inverse=True)
    kinds: BoolArray = (found[:, None] >> np.arange(allowed.shape[1]) & 1).astype(np.bool_)
    return kinds, kind.astype(np.int64)


def _placeable(value: FloatArray, kind: IntArray, kinds: BoolArray, most: FloatArray) -> BoolArray:
    """The most valuable mails that can all be placed; of equals the first.

    One after another, best first, a mail is taken if it can be placed together with those taken before. From the first of
    a kind that cannot on, none of its kind can.
    """
    taken = np.zeros(len(value), dtype=np.bool_)
    waiting = np.argsort(-value, kind="stable")
    count = np.zeros(len(kinds), dtype=np.int64)

    def fit(n: int) -> bool:
        wanted = count + np.bincount(kind[waiting[:n]], minlength=len(kinds))
        return _can_be_placed(wanted, kinds, most)

    while len(waiting):
        low, high = 0, len(waiting) + 1
        n = len(waiting)
        while high - low > 1:
            low, high = (n, high) if fit(n) else (low, n)
            n = (low + high) // 2
        taken[waiting[:low]] = True
        count += np.bincount(kind[waiting[:low]], minlength=len(kinds))
        rest = waiting[low:]
        waiting = rest[kind[rest] != kind[rest[0]]] if len(rest) else rest
    return taken


def _can_be_placed(count: IntArray, kinds: BoolArray, most: FloatArray) -> bool:
    """Whether so many mails of each kind find room: the largest flow from kinds to hours carries them all."""
    total = int(count.sum())
    room = np.minimum(most, total).astype(np.int64)
    if total > room.sum():
        return False
    n_kinds, n_hours = kinds.shape
    of, to = np.nonzero(kinds)
    source, sink = n_kinds + n_hours, n_kinds + n_hours + 1
    start = np.concatenate([np.full(n_kinds, source), of, n_kinds + np.arange(n_hours)])
    end = np.concatenate([np.arange(n_kinds), n_kinds + to, np.full(n_hours, sink)])
    width = np.concatenate([count, count[of], room]).astype(np.int32)
    graph = csr_array((width, (start, end)), shape=(sink + 1, sink + 1))
    return bool(maximum_flow(graph, source, sink).flow_value == total)


def _fill(surplus: FloatArray, kind: IntArray, kinds: BoolArray, most: FloatArray) -> IntArray:
    """The hour of each mail: its best at the prices, but for as few as must move, and these are who lose least by it."""
    n_kinds, n_hours = kinds.shape
    hour = np.full(len(kind), -1, dtype=np.int64)
    liked = surplus.argmax(axis=1) if len(kind) else hour
    wanted = np.bincount(kind * n_hours + liked, minlength=n_kinds * n_hours).reshape(n_kinds, n_hours)
    if (wanted.sum(axis=0) <= most).all():
        return liked
    left = _rooms(wanted, _least_losses(surplus, kind * n_hours + liked, kinds), most)
    waiting = np.arange(len(kind))
    while len(waiting):
        open_to = np.where(left[kind[waiting]] > 0, surplus[waiting], -np.inf)
        best = open_to.argmax(axis=1)
        top = open_to[np.arange(len(waiting)), best]
        open_to[np.arange(len(waiting)), best] = -np.inf
        cell = kind[waiting] * n_hours + best
        order = np.lexsort((waiting, open_to.max(axis=1) - top, cell))
        place = np.arange(len(order)) - np.searchsorted(cell[order], cell[order])
        is_in = place < left.reshape(-1)[cell[order]]
        hour[waiting[order[is_in]]] = best[order[is_in]]
        left = left - np.bincount(cell[order[is_in]], minlength=left.size).reshape(left.shape)
        waiting = np.sort(waiting[order[~is_in]])
    return hour


def _least_losses(surplus: FloatArray, cell: IntArray, kinds: BoolArray) -> FloatArray:
    """What the mail of each kind and hour that loses least by going to another hour loses: kinds x hours x hours, infinite
    where there is none."""
    n_kinds, n_hours = kinds.shape
    least = np.full((n_kinds * n_hours, n_hours), np.inf)
    order = np.argsort(cell, kind="stable")
    cells, starts = np.unique(cell[order], return_index=True)
    ordered = surplus[order]
    loss = ordered.max(axis=1, keepdims=True) - ordered
    least[cells] = np.minimum.reduceat(loss, starts, axis=0)
    return least.reshape(n_kinds, n_hours, n_hours)


def _rooms(wanted: IntArray, losses: FloatArray, most: FloatArray) -> IntArray:
    """How many mails of each kind go into each hour: as wanted, but for the cheapest moves that keep the hours' capacity.

    Every mail of a kind can go into every hour of it, so that this is a flow, and its best corner is whole numbers.
    """
    n_hours = wanted.shape[1]
    kind, of, to = np.nonzero(np.isfinite(losses) & ~np.eye(n_hours, dtype=np.bool_))
    n = len(kind)
    move = np.arange(n)
    leaves = csr_array((np.ones(n), (kind * n_hours + of, move)), shape=(wanted.size, n))
    hour_gains = csr_array((np.ones(n), (to, move)), shape=(n_hours, n)) - csr_array(
        (np.ones(n), (of, move)), shape=(n_hours, n)
    )
    cost = losses[kind, of, to]
    solved = linprog(
        cost + _PER_MOVE * max(float(cost.max(initial=0.0)), np.finfo(np.float64).tiny),
        A_ub=vstack([hour_gains, leaves]),
        b_ub=np.concatenate([most - wanted.sum(axis=0), wanted.reshape(-1)]),
        method="highs-ds",
    )
    moved = np.rint(solved.x).astype(np.int64)
    rooms = wanted.copy()
    np.subtract.at(rooms, (kind, of), moved)
    np.add.at(rooms, (kind, to), moved)
    if (rooms < 0).any() or (rooms.sum(axis=0) > most).any():
        raise RuntimeError("the moves between hours are no whole numbers")
    return rooms
