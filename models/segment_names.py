"""What to call a segment: words for what sets its customers apart from all others.

Here: the words, and when last week's name still holds. Not here: who is in a segment (`segments`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.features import FloatArray, numbers

NAMED_BY = ("n_orders", "n_orders_365d", "days_since_last_order", "top_category")
"""Columns of feat_customer that names need besides the behaviour."""

NOT_BUYERS = "Not yet buyers"
BUYER_SHARE = 0.5
"""A segment with fewer buyers than that is one of people who have not bought."""

LAPSED_DAYS = 180.0
FREQUENT_ORDERS = 1.5
"""A segment's mean orders of a year, times the buyers' mean, from which on they are called frequent."""

APART, STILL_APART = 0.5, 0.2
"""Deviations from the mean of all buyers, or of all others: from the first on a trait is named, under the second a
former name no longer holds."""

MAX_TRAITS = 2
CATEGORY_LIFT, CATEGORY_SHARE = 1.5, 0.35
"""A category is named if so many times the usual share, and such a part of the segment, like it best."""

WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "discount_share": ("high discount share", "full price"),
        "avg_order_value": ("large orders", "small orders"),
        "price_position": ("expensive products", "cheap products"),
        "open_rate_90d": ("open often", "seldom open"),
        "click_rate_90d": ("click often", "seldom click"),
        "n_sessions_30d": ("visit often", "seldom visit"),
        "n_carts_30d": ("full carts", "no carts"),
        "n_content_views_90d": ("read articles", "read no articles"),
        "refund_rate": ("send back often", "keep what they buy"),
        "n_categories": ("many categories", "few categories"),
        "mobile_share": ("mostly mobile", "mostly desktop"),
        "tenure_days": ("long known", "new"),
    }
)
"""Feature -> words for more and for less of it than usual."""

Trait = tuple[str, int]


@dataclass(frozen=True)
class Segment:
    """A segment: its id, its name, and what the name says: who they are, the category they like, traits with signs."""

    id: int
    name: str
    who: str
    category: str | None = None
    traits: tuple[Trait, ...] = field(default=())


def describe(
    customers: pl.DataFrame,
    points: FloatArray,
    labels: NDArray[np.int64],
    ids: Sequence[int],
    columns: Sequence[str],
    former: Mapping[int, Segment],
) -> list[Segment]:
    """The segments in the order of `ids`, each with a name of its own.

    Args:
        customers: with NAMED_BY. points: their behaviour in deviations, a column per name of `columns`.
        labels: position in `ids` per customer.
        ids: of the segments.
        columns: names of the behaviour.
        former: last week's segments by id; a name that still holds is kept.
    """
    bought = numbers(customers, "n_orders") > 0
    views: list[tuple[str, str | None, dict[str, float]]] = []
    for code in range(len(ids)):
        inside = labels == code
        members = customers.filter(pl.Series(inside, dtype=pl.Boolean))
        who = _who(members, customers)
        alike = ~bought if who == NOT_BUYERS else bought
        views.append((who, _category(members, customers), _apart(points[inside], points[alike], columns)))
    named = {
        number: former[number]
        for number, view in zip(ids, views, strict=True)
        if number in former and _holds(former[number], *view)
    }
    for number, (who, category, apart) in zip(ids, views, strict=True):
        if number not in named:
            taken = {segment.name for segment in named.values()}
            named[number] = _named(number, who, category, _traits(who, apart), taken)
    return [named[number] for number in ids]


def _apart(members: FloatArray, alike: FloatArray, columns: Sequence[str]) -> dict[str, float]:
    """How far the members' mean is from that of all buyers, or of all who have not bought, in deviations."""
    if not len(members) or not len(alike):
        return {}
    return dict(zip(columns, (members.mean(axis=0) - alike.mean(axis=0)).tolist(), strict=True))


def _who(members: pl.DataFrame, everyone: pl.DataFrame) -> str:
    """Where they stand: the subject of the name."""
    bought = numbers(members, "n_orders") > 0
    if not len(bought) or bought.mean() < BUYER_SHARE:
        return NOT_BUYERS
    buyers = members.filter(pl.col("n_orders") > 0)
    silent = numbers(buyers, "days_since_last_order")
    if np.nanmedian(silent) >= LAPSED_DAYS:
        return "Lapsed buyers"
    yearly = numbers(everyone.filter(pl.col("n_orders") > 0), "n_orders_365d").mean()
    if numbers(buyers, "n_orders_365d").mean() >= FREQUENT_ORDERS * yearly:
        return "Frequent buyers"
    return "One-time buyers" if np.median(numbers(buyers, "n_orders")) <= 1 else "Occasional buyers"


def _category(members: pl.DataFrame, everyone: pl.DataFrame) -> str | None:
    """The category that many of them buy most, and few of the others."""
    own = members["top_category"].drop_nulls()
    usual = everyone["top_category"].drop_nulls()
    if own.is_empty():
        return None
    counts = own.value_counts().sort("count", "top_category", descending=[True, False])
    name, count = counts.row(0)
    share, usual_share = count / members.height, float((usual == name).sum()) / max(everyone.height, 1)
    return str(name) if share >= CATEGORY_SHARE and share >= CATEGORY_LIFT * usual_share else None


def _traits(who: str, apart: Mapping[str, float]) -> list[Trait]:
    """What sets them apart, most first."""
    spoken_of = {"discount_share", "avg_order_value", "price_position", "refund_rate", "n_categories"}
    named = [name for name in WORDS if name in apart and not (who == NOT_BUYERS and name in spoken_of)]
    ranked = sorted(named, key=lambda name: (-abs(apart[name]), name))
    return [(name, 1 if apart[name] > 0 else -1) for name in ranked if abs(apart[name]) >= APART]


def _holds(former: Segment, who: str, category: str | None, apart: Mapping[str, float]) -> bool:
    """Whether last week's name is still true."""
    same = former.who == who and former.category == category
    return same and all(sign * apart.get(name, 0.0) >= STILL_APART for name, sign in former.traits)


def _named(number: int, who: str, category: str | None, traits: list[Trait], taken: set[str]) -> Segment:
    """The shortest name with up to MAX_TRAITS that nobody else has; more traits, or the id, where that is not enough."""
    subject = f"{who} of {category}" if category and who != NOT_BUYERS else who
    for n in range(min(MAX_TRAITS, len(traits)), len(traits) + 1):
        name = ", ".join([subject, *(WORDS[column][sign < 0] for column, sign in traits[:n])])
        if name not in taken:
            return Segment(number, name, who, category, tuple(traits[:n]))
    return Segment(number, f"{name} ({number})", who, category, tuple(traits))
