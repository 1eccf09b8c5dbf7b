"""Drawing an exact number at random, each with an exactly known chance.

Source: Madow and Madow 1944 and Madow 1949, "On the theory of systematic sampling".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from models.policy.limits import BoolArray


def systematic(
    uniforms: ArrayLike, n_drawn: int, start: ArrayLike, groups: ArrayLike | None = None
) -> BoolArray:
    """Who is drawn: exactly `n_drawn` of n, each with chance n_drawn / n.

    Those in question stand in a row, by group and then by uniform; every n / n_drawn places one is taken, from a random
    place on. Of a group of k that stands together, k x n_drawn / n are drawn, rounded down or up.

    Args:
        uniforms: one number of each (last axis), which sets the order; equal ones keep theirs. Further axes are draws of
            their own.
        n_drawn: 0 to n.
        start: where in the first step to begin, 0 to 1, without 1; one for each draw.
        groups: whole numbers, as many as uniforms; None: all in one.

    Raises:
        ValueError: a number to draw below 0 or above n.
    """
    order_by = np.asarray(uniforms, dtype=np.float64)
    n = order_by.shape[-1]
    if not 0 <= n_drawn <= n:
        raise ValueError(f"{n_drawn} cannot be drawn of {n}")
    order = np.argsort(order_by, axis=-1, kind="stable")
    if groups is not None:
        by_group = np.broadcast_to(np.asarray(groups), order_by.shape)
        regrouped = np.argsort(np.take_along_axis(by_group, order, axis=-1), axis=-1, kind="stable")
        order = np.take_along_axis(order, regrouped, axis=-1)
    # In n-ths of a step, all in whole numbers: no rounding can draw one more or one less.
    first = np.floor(np.asarray(start, dtype=np.float64) * n).astype(np.int64)[..., None]
    place = np.arange(n + 1, dtype=np.int64) * n_drawn + first
    is_drawn = np.zeros(order.shape, dtype=np.bool_)
    np.put_along_axis(is_drawn, order, np.diff(place // max(n, 1)) > 0, axis=-1)
    return is_drawn
