"""Choosing one of several with a known chance.

Here: the draw. Not here: what the chances are made from (actions, offers, variants).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


def draw_one(
    options: pl.DataFrame, *, by: Sequence[str], order: Sequence[str], chance: str, uniform: str
) -> pl.DataFrame:
    """One row per `by`, drawn with the chances given.

    The options of a group stand side by side on [0, 1) in the order of `order`, each as wide as its chance;
    the one on which the group's uniform falls is taken.

    Args:
        options: one row per option; its chances sum to 1 within a group, `uniform` is the same throughout a
            group.
        by, order: columns that together identify an option.
        chance, uniform: names of the columns with the chance and the draw.
    """
    ends = pl.col(chance).cum_sum().over(by)
    is_last = (pl.int_range(pl.len()) == pl.len() - 1).over(by)
    return (
        options.filter(pl.col(chance) > 0)
        .sort(*by, *order)
        .with_columns(_reached=(pl.col(uniform) < ends) | is_last)
        .filter(pl.col("_reached"))
        .unique(by, keep="first", maintain_order=True)
        .drop("_reached")
    )
