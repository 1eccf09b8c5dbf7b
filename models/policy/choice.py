"""Choosing one of several with a known chance.

Here: the draw, and the choice among messages. Not here: offers, variants.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from models.policy.config import PolicyConfig


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


def epsilon_greedy(is_best: pl.Expr, *, by: Sequence[str], epsilon: float) -> pl.Expr:
    """Chance of each option: `epsilon` shared evenly by all of a group, the rest on the best (one per
    group)."""
    return epsilon / pl.len().over(by) + (1.0 - epsilon) * is_best.cast(pl.Float64)


def choose_message(candidates: pl.DataFrame, config: PolicyConfig) -> pl.DataFrame:
    """One candidate per customer: the one of highest net value, then priority, then key; now and then any
    allowed one.

    Args:
        candidates: those allowed, with net_value, priority, u_message.
        config: for `explore_message`.

    Returns:
        The chosen rows with propensity_message and is_best_message.
    """
    by = ["customer_id"]
    ranked = candidates.sort(
        "customer_id", "net_value", "priority", "message_key", descending=[False, True, True, False]
    ).with_columns(is_best_message=(pl.int_range(pl.len()) == 0).over(by))
    chances = ranked.with_columns(
        propensity_message=epsilon_greedy(pl.col("is_best_message"), by=by, epsilon=config.explore_message)
    )
    return draw_one(chances, by=by, order=["message_key"], chance="propensity_message", uniform="u_message")
