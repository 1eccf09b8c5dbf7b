"""Who may be given a limited option today, so that drawing at random breaks no limit and every chance is known exactly.

A limited option is open to holders of a ticket alone. Tickets are so few that, whatever each holder draws, no limit is
exceeded. Most go to those who gain by them at the prices of the plan; a reserve goes by lottery to others, each with the
same chance. What a holder then takes is drawn elsewhere, among his open options and by himself alone.

There is one lottery after another, first for what all options use: nobody is drawn for a code who has no ticket for a mail.
Each chance is exact given the lotteries before. Their product times the chance of drawing the option among the open ones is
a propensity whose inverse weights without bias, as that of a sample drawn in stages (Horvitz and Thompson 1952), although
later stages depend on earlier ones.

Not here: the plan and its prices (assignment), the draw among open options (choice).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csc_array

from models.features import FloatArray
from models.policy import draws
from models.policy.assignment import Assignment
from models.policy.limits import BoolArray, IntArray, Problem
from models.policy.sampling import systematic


@dataclass(frozen=True, eq=False, slots=True)
class Tickets:
    """What is open to whom.

    Attributes:
        options: the problem's options, sorted by customer_id and keys, with is_open, propensity_ticket (product of the
            chances with which an open option came to be so: 1 without a lottery; null if it is closed) and is_planned.
        kinds: one row per kind of ticket, in the order given out: kind (resources it gives access to), n_wanting (customers
            who could use one), n_certain, n_lottery (given by lot), chance (of each in the lottery; null without one).
        customers: customer_id, lottery_chance (of what he won and lost in the lotteries he was in; 1 if he was in none).
        use: resource, limit, at_most (what all holders together can use of it, whatever they draw).
    """

    options: pl.DataFrame
    customers: pl.DataFrame
    kinds: pl.DataFrame
    use: pl.DataFrame


_KINDS = pl.Schema(
    {
        "kind": pl.String(),
        "n_wanting": pl.Int64(),
        "n_certain": pl.Int64(),
        "n_lottery": pl.Int64(),
        "chance": pl.Float64(),
    }
)


def tickets(problem: Problem, plan: Assignment, *, reserve: float, seed: str) -> Tickets:
    """Gives the tickets of a day.

    Limits of the same options share a kind of ticket, wanted by whoever has such an option open to him. As many as
    (1 - reserve) of the limits allow go first to those whose planned option needs one, then to those whose surplus at the
    prices would fall without the kind's options, the most first, of equals the first by id. What is left of the limits is
    drawn by lot among all others. If there is enough for everyone, all get one for certain.

    A ticket is good for options that use no more than was counted for it: to one whose plan needs it, what that option uses;
    to any other, the most that an option of his does.

    Args:
        problem: of `read_options`.
        plan: of `assign` for the same problem, with `share` = 1 - reserve, so that every planned option stays open.
        reserve: share of each limit to be given by lot, 0 to 1.
        seed: of the day's draws.

    Raises:
        ValueError: a share outside 0 to 1, or a plan of other resources.
    """
    if not 0.0 <= reserve <= 1.0:
        raise ValueError(f"reserve is {reserve}; it is a share and must lie between 0 and 1")
    resources = [limit.resource for limit in problem.limits]
    if (planned := plan.resources.get_column("resource").to_list()) != resources:
        raise ValueError(
            f"the plan is about {', '.join(planned)}, the options are about {', '.join(resources)}"
        )
    kinds = _kinds(problem)
    streams = [f"ticket {kind.name}" for kind in kinds]
    ids = problem.options.get_column("customer_id").gather(problem.starts)
    lots = draws.uniforms(ids, seed=seed, streams=streams).to_numpy() if kinds else np.empty((len(ids), 0))
    starts = [draws.generator(seed=seed, stream=stream).random() for stream in streams]
    return hand_out(problem, plan, reserve=reserve, lots=lots, starts=np.array(starts))


@dataclass(frozen=True, slots=True)
class _Kind:
    """The limits of the same options."""

    name: str
    limits: list[int]


def _kinds(problem: Problem) -> list[_Kind]:
    """Kinds of tickets in the order given out: first what all options use."""
    by_options: dict[tuple[str, str] | None, list[int]] = {}
    for number, limit in enumerate(problem.limits):
        by_options.setdefault(limit.of, []).append(number)
    first = [None] if None in by_options else []
    return [
        _Kind("mail" if of is None else f"{of[0]} {of[1]}", by_options[of])
        for of in (*first, *(of for of in by_options if of is not None))
    ]


def hand_out(
    problem: Problem, plan: Assignment, *, reserve: float, lots: FloatArray, starts: FloatArray
) -> Tickets:
    """`tickets` with lots drawn by the caller.

    Args:
        problem, plan, reserve: as there.
        lots: customers (sorted by id) x kinds of ticket (first the limits of all options, then as limits are given), 0 to 1.
        starts: of each kind, where in the first step the lottery begins, 0 to 1, without 1.
    """
    resources = [limit.resource for limit in problem.limits]
    fits = problem.rows_within(problem.most)
    surplus = np.where(fits, problem.value - problem.uses @ (plan.prices / problem.units), -np.inf)
    is_planned = np.zeros(len(problem.value), dtype=np.bool_)
    is_planned[plan.rows] = True
    by_limit = problem.uses.tocsc()
    is_open, chance, lottery = fits, np.ones(len(fits)), np.ones(problem.n_customers)
    given_out, at_most = [], np.zeros(len(resources))
    for number, kind in enumerate(_kinds(problem)):
        is_kind = problem.is_about_limit(kind.limits[0])
        rows = np.flatnonzero(is_kind & is_open)
        uses = np.column_stack([_column(by_limit, limit)[rows] for limit in kind.limits])
        applicants = _applicants(problem, rows, uses, surplus, is_kind, is_planned)
        given = _give(
            applicants,
            problem.most[kind.limits],
            problem.part_of_limits(1.0 - reserve)[kind.limits],
            lots[applicants.customer, number],
            starts[number],
        )
        is_good = (applicants.uses <= given.amount[applicants.holder]).all(axis=1)
        is_open[rows] &= is_good & given.holds[applicants.holder]
        chance[rows] *= given.chance[applicants.holder]
        lottery[applicants.customer] *= np.where(given.holds, given.chance, 1.0 - given.chance)
        surplus[rows[~is_open[rows]]] = -np.inf
        at_most[kind.limits] = given.amount[given.holds].sum(axis=0)
        n_others = int((~given.is_certain).sum())
        n_lottery = int((given.holds & ~given.is_certain).sum())
        given_out.append(
            {
                "kind": ", ".join(resources[limit] for limit in kind.limits),
                "n_wanting": len(given.holds),
                "n_certain": len(given.holds) - n_others,
                "n_lottery": n_lottery,
                "chance": n_lottery / n_others if n_others else None,
            }
        )
    return Tickets(
        problem.options.with_columns(
            is_open=pl.Series(is_open),
            propensity_ticket=pl.select(pl.when(pl.Series(is_open)).then(pl.Series(chance))).to_series(),
            is_planned=pl.Series(is_planned),
        ),
        problem.options.select(pl.col("customer_id").gather(problem.starts)).with_columns(
            lottery_chance=pl.Series(lottery)
        ),
        pl.DataFrame(given_out, schema=_KINDS),
        plan.resources.select("resource", "limit", at_most=pl.Series(at_most / problem.units)),
    )


def _column(matrix: csc_array, number: int) -> FloatArray:
    """A column of a sparse matrix, written out."""
    dense = np.zeros(matrix.shape[0])
    entries = slice(matrix.indptr[number], matrix.indptr[number + 1])
    dense[matrix.indices[entries]] = matrix.data[entries]
    return dense


@dataclass(frozen=True, eq=False, slots=True)
class _Applicants:
    """Those who have an option of a kind.

    Attributes:
        holder: of each option of the kind, its customer's place among them.
        uses: options of the kind x limits of the kind, whole units.
        customer: number of each applicant among all customers, ascending.
        needs: applicants x limits, what the planned option uses; the most that one of his options does if it is of no such
            kind.
        wants: the same, the most that one of his options does.
        has_plan: the planned option is of the kind.
        gain: by how much his surplus at the prices falls without the kind's options.
    """

    holder: IntArray
    uses: FloatArray
    customer: NDArray[np.int32]
    needs: FloatArray
    wants: FloatArray
    has_plan: BoolArray
    gain: FloatArray


def _applicants(
    problem: Problem,
    rows: IntArray,
    uses: FloatArray,
    surplus: FloatArray,
    is_kind: BoolArray,
    is_planned: BoolArray,
) -> _Applicants:
    owner = problem.owner[rows]
    starts = np.flatnonzero(np.diff(owner, prepend=np.int32(-1)))
    holder = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(rows)))
    planned = np.flatnonzero(is_planned[rows])
    has_plan = np.zeros(len(starts), dtype=np.bool_)
    has_plan[holder[planned]] = True
    if not len(starts):
        none = np.empty((0, uses.shape[1]))
        return _Applicants(holder, uses, owner, none, none, has_plan, np.empty(0))
    wants = np.maximum.reduceat(uses, starts, axis=0)
    needs = wants.copy()
    needs[holder[planned]] = uses[planned]
    otherwise = np.maximum(problem.highest(np.where(is_kind, -np.inf, surplus)), 0.0)[owner[starts]]
    return _Applicants(
        holder,
        uses,
        owner[starts],
        needs,
        wants,
        has_plan,
        np.maximum.reduceat(surplus[rows], starts) - otherwise,
    )


@dataclass(frozen=True, eq=False, slots=True)
class _Given:
    """Tickets of one kind, by applicant: whether he holds one, his chance of it, and how much it is good for."""

    holds: BoolArray
    is_certain: BoolArray
    chance: FloatArray
    amount: FloatArray


def _give(
    applicants: _Applicants, most: FloatArray, most_certain: FloatArray, lots: FloatArray, start: float
) -> _Given:
    """Tickets for applicants within the kind's limits, those of them given for certain within `most_certain`."""
    n = len(applicants.gain)
    if (applicants.wants.sum(axis=0) <= most).all():
        everyone = np.ones(n, dtype=np.bool_)
        return _Given(everyone, everyone, np.ones(n), applicants.wants)
    amount = applicants.needs
    order = np.lexsort((np.arange(n), -applicants.gain, ~applicants.has_plan))
    is_certain = np.zeros(n, dtype=np.bool_)
    order = order[(applicants.has_plan | (applicants.gain > 0))[order]]
    is_certain[order] = (np.cumsum(amount[order], axis=0) <= most_certain).all(axis=1)
    others = np.flatnonzero(~is_certain)
    n_lottery = _most_that_fit(amount[others], most - amount[is_certain].sum(axis=0))
    holds = is_certain.copy()
    holds[others] = systematic(lots[others], n_lottery, start)
    chance = np.ones(n)
    chance[others] = n_lottery / max(len(others), 1)
    return _Given(holds, is_certain, chance, amount)


def _most_that_fit(amounts: FloatArray, left: FloatArray) -> int:
    """How many may hold what they need (applicants x limits), whoever they are: even the largest fit into what is left."""
    largest = np.sort(amounts, axis=0)[::-1]
    return int((np.cumsum(largest, axis=0) <= left).all(axis=1).sum())
