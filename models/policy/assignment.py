"""One option per customer or none, worth as much as shared limits let it be, and how far from the best it can be.

The limits are given prices; each customer takes what is best at them; what is still scarce goes to whom the next best
option costs most. Not here: reading the options (limits), finding the prices (prices), exploring under limits (tickets),
hours (hours).

Sources: Fisher 1981, "The Lagrangian relaxation method for solving integer programming problems"; Sinha and Zoltners 1979,
"The multiple-choice knapsack problem".
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from models.features import FloatArray
from models.policy.limits import BoolArray, IntArray, Problem, rows_without
from models.policy.prices import Choice, Prices, lowest_bound

_GROUPS = 32
_SAMPLE = 8_000
_ROUGH = 1e-4
_STEP = 0.05  # of the sample's prices, which the prices of all may differ by
_NEAR = 4.0  # such steps away an option that may be best is still looked at
_SCANS = 4
_NEAR_BY = (1.0, 0.9, 1.1)
_GOOD_ENOUGH = 1e-3


@dataclass(frozen=True, eq=False, slots=True)
class Assignment:
    """What is chosen, and what it is worth.

    Attributes:
        chosen: the options taken, one row per customer who gets something, sorted by customer_id; with surplus, the value
            less the price of what is used.
        rows: positions of these rows in the problem's options.
        resources: resource, limit, use, price (value that one more would bring, 0 if it is not scarce).
        value: of what is chosen.
        bound: no choice within the limits is worth more.
        n_choices: how often what everyone takes at given prices was worked out.
    """

    chosen: pl.DataFrame
    rows: IntArray
    resources: pl.DataFrame
    value: float
    bound: float
    n_choices: int

    @property
    def gap(self) -> float:
        """The most by which another choice can be better."""
        return self.bound - self.value

    @property
    def relative_gap(self) -> float:
        """The gap as a share of the bound; 0 if there is nothing to win."""
        return self.gap / self.bound if self.bound > 0 else 0.0

    @property
    def prices(self) -> FloatArray:
        """Price of one of each resource, in the order of the limits."""
        return self.resources.get_column("price").to_numpy()


def assign(
    problem: Problem, *, share: float = 1.0, tolerance: float = 1e-5, max_choices: int = 60
) -> Assignment:
    """At most one option per customer within all limits, near the most that they can be worth.

    An option of negative value is never taken. Of options equally good at the prices a customer gets the first by key, of
    customers the first by id.

    Args:
        problem: of `read_options`.
        share: of each limit that may be used; what is left is for tickets by lottery.
        tolerance: of the bound, at which prices are good enough.
        max_choices: most passes over all options in search of prices.

    Raises:
        ValueError: a share outside 0 to 1.
    """
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"share is {share}; it must lie between 0 and 1")
    most = problem.part_of_limits(share)
    usable = np.flatnonzero((problem.value >= 0) & problem.rows_within(most))
    part = problem.part(usable)
    found = find_prices(part, most, tolerance, max_choices)
    taken = _within(part, found, most)
    rows = usable[taken]
    value = float(part.value[taken].sum())
    surplus = part.value[taken] - part.uses[taken] @ found.prices
    units = problem.units
    resources = pl.DataFrame(
        {
            "resource": pl.Series([limit.resource for limit in problem.limits], dtype=pl.String),
            "limit": pl.Series([limit.most for limit in problem.limits], dtype=pl.Float64),
            "use": part.total_use(taken) / units,
            "price": found.prices * units,
        }
    )
    return Assignment(
        problem.options[rows].with_columns(surplus=pl.Series(surplus)),
        rows,
        resources,
        value,
        max(found.bound, value),
        found.n_choices,
    )


def _within(problem: Problem, found: Prices, most: FloatArray) -> IntArray:
    """Rows of a choice within the limits, ascending: the best at the prices found and, if it is not good enough, at others
    near by, which break ties in another way."""
    best, most_worth = np.empty(0, dtype=np.int64), -1.0
    for factor in _NEAR_BY:
        if best.size and found.bound - most_worth <= _GOOD_ENOUGH * found.bound:
            break
        surplus = problem.value - problem.uses @ (found.prices * factor)
        chosen = _improve(problem, surplus, _first_fill(problem, surplus, most), most)
        taken = chosen[chosen >= 0]
        if (worth := float(problem.value[taken].sum())) > most_worth:
            best, most_worth = taken, worth
    return best


def find_prices(problem: Problem, most: FloatArray, tolerance: float, max_choices: int) -> Prices:
    """Prices of the limits (whole units).

    A limit that would not be reached even if everyone took what uses most of it costs nothing. Where customers are many,
    prices are found for a sample of them with its share of the limits, then with the options that can be best near these
    prices; the bound is that of all options.
    """
    largest, typical = _largest_and_typical(problem)
    scarce = np.flatnonzero(largest > most)
    prices = np.zeros(len(most))
    if not len(scarce):
        return Prices(prices, float(np.maximum(problem.highest(problem.value), 0.0).sum()), 1)
    narrow, narrow_most = problem.with_limits(scarce), most[scarce]
    start, box = np.zeros(len(scarce)), typical[scarce]
    found = None
    if narrow.n_customers > 2 * _SAMPLE:
        found = _prices_by_sample(narrow, narrow_most, box, tolerance, max_choices)
        start, box = found.prices, _STEP**2 * box
        check = lowest_bound(_choice(narrow), narrow_most, start, box, max_choices=1)
        is_tight = check.bound <= found.bound * (1 + _ROUGH)
        found = Prices(start, check.bound, found.n_choices + 1) if is_tight else None
    found = found or lowest_bound(
        _choice(narrow), narrow_most, start, box, tolerance=tolerance, max_choices=max_choices
    )
    prices[scarce] = found.prices
    return Prices(prices, found.bound, found.n_choices)


def _prices_by_sample(
    problem: Problem, most: FloatArray, box: FloatArray, tolerance: float, max_choices: int
) -> Prices:
    """Prices for all customers by the options that can be best near the prices of a sample; the bound is of these alone."""
    every = problem.n_customers // _SAMPLE
    sample = problem.part(np.flatnonzero(problem.owner % every == 0))
    share = sample.n_customers / problem.n_customers
    start = lowest_bound(
        _choice(sample), share * most, np.zeros(len(most)), box, tolerance=_ROUGH, max_choices=max_choices
    ).prices
    step = _STEP * np.maximum(start, _STEP * box)
    near = problem.part(_may_be_best(problem, start, _NEAR * step))
    return lowest_bound(_choice(near), most, start, step, tolerance=tolerance, max_choices=max_choices)


def _may_be_best(problem: Problem, prices: FloatArray, width: FloatArray) -> IntArray:
    """Rows of options that may be their customer's best at some prices no further than `width` from these."""
    surplus, room = problem.value - problem.uses @ prices, problem.uses @ width
    least = np.maximum(problem.highest(surplus - room), 0.0)
    return np.flatnonzero(surplus + room >= least[problem.owner])


def _largest_and_typical(problem: Problem) -> tuple[FloatArray, FloatArray]:
    """Of each limit: its use if everyone took the option that uses most of it; the value per unit of all that use it."""
    by_limit = problem.uses.tocsc()
    n = len(problem.limits)
    largest, typical = np.zeros(n), np.ones(n)
    for number, (first, end) in enumerate(pairwise(by_limit.indptr)):
        if first < end:
            rows, used = by_limit.indices[first:end], by_limit.data[first:end]
            starts = np.flatnonzero(np.diff(problem.owner[rows], prepend=np.int32(-1)))
            largest[number] = np.maximum.reduceat(used, starts).sum()
            typical[number] = problem.value[rows].sum() / used.sum() or 1.0
    return largest, typical


def _choice(problem: Problem) -> Choice:
    """What the customers, in groups, take at given prices."""
    n = problem.n_customers
    n_groups = min(max(n, 1), _GROUPS)
    group = np.arange(n) * n_groups // max(n, 1)

    def choose(prices: FloatArray) -> tuple[FloatArray, FloatArray]:
        rows, _ = best_rows(problem, problem.value - problem.uses @ prices)
        of = group[problem.owner[rows]]
        member = csr_array((np.ones(len(rows)), (of, np.arange(len(rows)))), shape=(n_groups, len(rows)))
        value = np.bincount(of, weights=problem.value[rows], minlength=n_groups)
        return value.astype(np.float64), np.asarray((member @ problem.uses[rows]).todense())

    return choose


def best_rows(problem: Problem, surplus: FloatArray) -> tuple[IntArray, FloatArray]:
    """Each customer's first option of highest surplus, of those who have one of 0 or more; and everyone's highest."""
    top = problem.highest(surplus)
    rows = problem.first_at(surplus, top)
    return rows[top[problem.owner[rows]] >= 0], top


def _first_fill(problem: Problem, surplus: FloatArray, most: FloatArray) -> IntArray:
    """Row of the option that each customer takes at the prices, -1 for none.

    Where more is wanted of a limit than there is, it goes to those who lose most with their best option that uses nothing of
    any such limit.
    """
    chosen = np.full(problem.n_customers, -1, dtype=np.int64)
    rows, _ = best_rows(problem, surplus)
    chosen[problem.owner[rows]] = rows
    is_over = problem.total_use(rows) > most
    if not is_over.any():
        return chosen
    is_free = rows_without(problem.uses, is_over[problem.uses.indices])
    wanting = rows[~is_free[rows]]
    customer = problem.owner[wanting]
    otherwise = np.maximum(problem.highest(np.where(is_free, surplus, -np.inf)), 0.0)[customer]
    order = np.lexsort((customer, otherwise - surplus[wanting]))
    left = most - problem.total_use(rows[is_free[rows]])
    fits = _prefix_fits(problem.uses[wanting[order]], left)
    chosen[customer[order[~fits]]] = -1
    return chosen


def _prefix_fits(uses: csr_array, left: FloatArray) -> BoolArray:
    """Rows at which the running total is within what is left of every limit that the row uses."""
    dense = np.asarray(uses.todense())
    fits: BoolArray = ((dense == 0) | (np.cumsum(dense, axis=0) <= left)).all(axis=1)
    return fits


def _improve(problem: Problem, surplus: FloatArray, chosen: IntArray, most: FloatArray) -> IntArray:
    """Moves customers to options of higher value for which there is room, the largest gain at the prices first.

    Args:
        problem: options of value 0 or more.
        surplus: of each option at the prices.
        chosen: row of each customer's option, -1 for none; within the limits.
        most: limits, whole units.
    """
    chosen = chosen.copy()
    use, value, kept = _taken(problem, surplus, chosen)
    for _ in range(_SCANS):
        # Who has nothing to give back can move to nothing that uses what is gone; this leaves few rows to look at closely.
        needs_gone = problem.uses @ (use.sum(axis=0) >= most).astype(np.float64) > 0
        rows, is_done = np.flatnonzero(~(needs_gone & (chosen < 0)[problem.owner])), True
        while True:
            left = most - use.sum(axis=0)
            rows = rows[problem.value[rows] > value[problem.owner[rows]]]
            rows = rows[_has_room(problem, rows, use, left)]
            if not len(rows):
                break
            is_done = False
            move = rows[_best_move(problem.owner[rows], surplus[rows] - kept[problem.owner[rows]])]
            extra = np.maximum(problem.uses[move].toarray() - use[problem.owner[move]], 0.0)
            move = move[((extra == 0) | (np.cumsum(extra, axis=0) <= left)).all(axis=1)]
            customer = problem.owner[move]
            chosen[customer] = move
            use[customer] = problem.uses[move].toarray()
            value[customer], kept[customer] = problem.value[move], surplus[move]
        if is_done:
            break
    return chosen


def _taken(
    problem: Problem, surplus: FloatArray, chosen: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Use (customers x limits), value and surplus of what each customer has; none is worth less than any option."""
    has = chosen >= 0
    use = np.zeros((problem.n_customers, len(problem.limits)))
    use[has] = problem.uses[chosen[has]].toarray()
    value = np.where(has, problem.value[chosen], -1.0)
    return use, value, np.where(has, surplus[chosen], 0.0)


def _has_room(problem: Problem, rows: IntArray, use: FloatArray, left: FloatArray) -> BoolArray:
    """Options that fit into what is left and what their customer would give back."""
    uses = problem.uses[rows]
    tight = np.flatnonzero(uses.data > left[uses.indices])
    row = np.searchsorted(uses.indptr, tight, side="right") - 1
    column = uses.indices[tight]
    has_none = uses.data[tight] > left[column] + use[problem.owner[rows[row]], column]
    fits = np.ones(len(rows), dtype=np.bool_)
    fits[row[has_none]] = False
    return fits


def _best_move(owner: NDArray[np.int32], gain: FloatArray) -> IntArray:
    """The first row of highest gain of each owner (rows ascending by owner), the highest gain of all first."""
    starts = np.flatnonzero(np.diff(owner, prepend=np.int32(-1)))
    top = np.maximum.reduceat(gain, starts)
    rows = np.flatnonzero(gain == np.repeat(top, np.diff(starts, append=len(owner))))
    rows = rows[np.diff(owner[rows], prepend=np.int32(-1)) > 0]
    order: IntArray = rows[np.argsort(-gain[rows], kind="stable")]
    return order
