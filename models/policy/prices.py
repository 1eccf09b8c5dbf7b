"""Prices of what is scarce: the point at which the Lagrangian bound of a choice under limits is lowest.

Here: cutting planes within a moving box. Not here: what is chosen at given prices; whoever asks brings that along.

Sources: Fisher 1981, "The Lagrangian relaxation method for solving integer programming problems" (bound and prices); Held,
Wolfe and Crowder 1974, "Validation of subgradient optimization" (what is used at given prices is a subgradient); Kelley 1960
(cutting planes); Marsten, Hogan and Blankenship 1975, "The Boxstep method" (the box that keeps their steps short).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from models.features import FloatArray

Choice = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
"""From prices (one per limit) to what is best at them: its value (groups of customers) and use (groups x limits)."""

_SERIOUS = 0.1  # of what a step promised it must keep for the box not to shrink
_WIDER, _NARROWER = 3.0, 0.4
_EXACT = 1e-12


@dataclass(frozen=True, eq=False, slots=True)
class Prices:
    """Prices at which the bound was lowest.

    Attributes:
        prices: one per limit, 0 or more, value per unit.
        bound: no choice within the limits is worth more.
        n_choices: how often what is best at given prices was worked out.
    """

    prices: FloatArray
    bound: float
    n_choices: int


def lowest_bound(
    choose: Choice,
    most: FloatArray,
    start: FloatArray,
    box: FloatArray,
    *,
    may_be_none: bool = True,
    tolerance: float = 1e-6,
    max_choices: int = 100,
) -> Prices:
    """Prices with the lowest bound: sum of price x limit and of the best surplus at these prices.

    What is best at some prices bounds the best surplus at all others from below (a cut). Each step goes to the lowest point
    of the cuts found so far, at most `box` away from the best prices known; the box grows after steps that keep what they
    promise and shrinks after others. It ends when the cuts promise less than `tolerance` of the bound.

    Args:
        choose: see `Choice`; ties may be broken in any way.
        most: limits.
        start: prices to begin with.
        box: how far the first step may go, above 0.
        may_be_none: nothing need be chosen, so that a surplus is at least 0.
        tolerance: of the bound.
        max_choices: end at this many; the bound then holds as well, but is less tight.
    """
    cuts = _Cuts(most, may_be_none)
    centre, width = start, box
    bound = cuts.add(*choose(centre), centre)
    for n_choices in range(1, max_choices):
        trial, gain, is_inside = cuts.lowest(centre, bound, width)
        if gain <= tolerance * abs(bound) and (is_inside or gain <= _EXACT * abs(bound)):
            return Prices(centre, bound, n_choices)
        found = cuts.add(*choose(trial), trial)
        if bound - found < _SERIOUS * gain:
            width = width * _NARROWER
        elif not is_inside:
            width = width * _WIDER
        if found < bound:
            centre, bound = trial, found
    return Prices(centre, bound, max_choices)


class _Cuts:
    """Lower bounds of each group's surplus, linear in the prices: the value of a choice less price x its use."""

    def __init__(self, most: FloatArray, may_be_none: bool) -> None:
        self.most = most
        self.may_be_none = may_be_none
        self.values: list[FloatArray] = []
        self.uses: list[FloatArray] = []

    def add(self, value: FloatArray, use: FloatArray, prices: FloatArray) -> float:
        """Keep a choice as a cut of each group; the bound at its prices."""
        self.values.append(value)
        self.uses.append(use)
        return float(self.most @ prices + (value - use @ prices).sum())

    def lowest(self, centre: FloatArray, bound: float, width: FloatArray) -> tuple[FloatArray, float, bool]:
        """Where within the box the cuts are lowest, by how much below the bound, and whether the box does not hinder."""
        low = np.maximum(centre - width, 0.0)
        room = (centre + width - low) / width
        value, use = np.stack(self.values), np.stack(self.uses)
        n_cuts, n_groups, n_limits = use.shape
        at_low = value - use @ low
        floor = np.maximum(at_low.max(axis=0), 0.0) if self.may_be_none else at_low.max(axis=0)
        unit = max(float(self.most @ width), _EXACT * abs(bound), np.finfo(np.float64).tiny)

        # The step from `low` in widths of the box, then each group's surplus above `floor` in the unit.
        matrix = np.hstack(
            [
                (-use * width / unit).reshape(n_cuts * n_groups, n_limits),
                -np.tile(np.eye(n_groups), (n_cuts, 1)),
            ]
        )
        least = -floor / unit if self.may_be_none else np.full(n_groups, -np.inf)
        solved = linprog(
            np.concatenate([self.most * width / unit, np.ones(n_groups)]),
            A_ub=matrix,
            b_ub=((floor - at_low) / unit).reshape(-1),
            bounds=np.column_stack(
                [
                    np.concatenate([np.zeros(n_limits), least]),
                    np.concatenate([room, np.full(n_groups, np.inf)]),
                ]
            ),
            method="highs-ds",
        )
        if solved.x is None:
            return centre, 0.0, False
        step = solved.x[:n_limits]
        is_inside = bool(((step < room * (1 - 1e-9)) & ((step > 1e-9) | (low == 0.0))).all())
        promised = float(self.most @ low + floor.sum() + unit * solved.fun)
        return low + np.maximum(step, 0.0) * width, bound - promised, is_inside
