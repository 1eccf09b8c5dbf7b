"""What a plan does to products and to groups of people, with intervals and limits.

Here: figures and verdicts. Not here: reading (assets/audits), how well models predict (`metrics`, `contest`).

Protected attributes come in here and nowhere else in `models/`; what goes out are figures of groups of a size that hides
every one of their members.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType

import numpy as np
import polars as pl

from models.evaluation.metrics import gini

LEVEL = 0.95
Z = 1.959963984540054
"""Quantile of the standard normal distribution for an interval of LEVEL."""

BELOW, ABOVE = "below", "above"
AUDITED: Mapping[str, str] = MappingProxyType(
    {
        "coverage": BELOW,
        "exposure_gini": ABOVE,
        "diversity": BELOW,
        "new_products": BELOW,
        "send_rate_gap": ABOVE,
        "offer_rate_gap": ABOVE,
        "value_gap": ABOVE,
    }
)
"""Figure with a limit -> on which side of it the trouble lies."""

NOT_MAILABLE = ("no_email", "unsubscribed", "complaint", "hard_bounce", "no_consent", "duplicate")
"""Reasons that are the person's own, or the law's: no choice of the plan."""

NOT_STATED = "not stated"
ATTRIBUTES = ("gender", "age_band")

AUDIT_SCHEMA: Mapping[str, pl.DataType] = MappingProxyType(
    {
        "figure": pl.String(),
        "attribute": pl.String(),
        "group": pl.String(),
        "n": pl.Int64(),
        "value": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "others": pl.Float64(),
        "gap": pl.Float64(),
        "gap_low": pl.Float64(),
        "gap_high": pl.Float64(),
        "limit": pl.Float64(),
        "state": pl.String(),
    }
)


@dataclass(frozen=True, slots=True)
class Limit:
    """From where on a figure warns, and from where on it stops the plan; None: never."""

    warn: float | None = None
    block: float | None = None


@dataclass(frozen=True, slots=True)
class AuditLimits:
    """What a plan is audited against.

    Attributes:
        min_group_size: smallest group of which a figure is given.
        new_product_days: days from its release on for which a product is new.
        limits: by figure, see AUDITED; without an entry a figure is never at fault.
    """

    min_group_size: int = 50
    new_product_days: int = 30
    limits: Mapping[str, Limit] = field(default_factory=dict)

    def verdict(self, figure: str, value: float) -> tuple[float | None, str]:
        """The limit that is broken, else the one that warns; and the state: 'ok', 'warn', 'block', or 'unknown'."""
        limit = self.limits.get(figure, Limit())
        if np.isnan(value):
            return limit.warn, "unknown"
        for bound, state in ((limit.block, "block"), (limit.warn, "warn")):
            if bound is not None and (value < bound if AUDITED[figure] == BELOW else value > bound):
                return bound, state
        return limit.warn, "ok"


def audit_products(plan: pl.DataFrame, products: pl.DataFrame, limits: AuditLimits) -> pl.DataFrame:
    """How a day's mails treat the catalogue.

    coverage: share of the products fit to be shown (available, not sensitive) that are shown at all. exposure_gini: Gini
    coefficient of how often each of them is shown. diversity: 1 - the mean likeness of two products of one mail, half of
    which is a common category, half a common brand (intra-list distance, Ziegler et al. 2005); mails with one product have
    none. new_products: share of new ones among all shown.

    Args:
        plan: action, product_ids, plan_date.
        products: product_id, category, brand, is_available, is_sensitive, released_at; of the plan date.
        limits: what they are held against.

    Returns:
        Columns of AUDIT_SCHEMA, one row per figure; n is what it rests on: products, mails, or products shown. A figure of
        nothing is NaN and its state 'unknown'.
    """
    mails = plan.filter(pl.col("action") == "send").select("plan_date", "product_ids").with_row_index("mail")
    shown = mails.explode("product_ids").drop_nulls("product_ids").rename({"product_ids": "product_id"})
    fit = products.filter(
        pl.col("is_available").fill_null(False), ~pl.col("is_sensitive").fill_null(False)
    ).select("product_id")
    counts = fit.join(shown.group_by("product_id").len("shown"), on="product_id", how="left")
    exposure = counts.get_column("shown").fill_null(0).to_numpy().astype(np.float64)
    known = shown.join(
        products.select("product_id", "category", "brand", "released_at"), on="product_id", how="left"
    )
    is_new = pl.col("released_at") >= pl.col("plan_date") - timedelta(days=limits.new_product_days)
    new = known.select(is_new.fill_null(False)).to_series().to_numpy()
    likeness = _likeness(known)
    return _typed(
        _row(limits, figure, len(values), value)
        for figure, values, value in (
            ("coverage", exposure, _mean(exposure > 0)),
            ("exposure_gini", exposure, gini(exposure)),
            ("diversity", likeness, 1.0 - _mean(likeness)),
            ("new_products", new, _mean(new)),
        )
    )


def _likeness(shown: pl.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Mean likeness of the pairs of products in each mail that shows two or more."""

    def pairs(n: pl.Expr) -> pl.Expr:
        return n.cast(pl.Int64) * (n.cast(pl.Int64) - 1) / 2

    def alike(column: str) -> pl.DataFrame:
        return (
            shown.drop_nulls(column)
            .group_by("mail", column)
            .agg(pairs=pairs(pl.len()))
            .group_by("mail")
            .agg(pl.col("pairs").sum().alias(f"same_{column}"))
        )

    return (
        shown.group_by("mail")
        .agg(all_pairs=pairs(pl.len()))
        .filter(pl.col("all_pairs") > 0)
        .join(alike("category"), on="mail", how="left")
        .join(alike("brand"), on="mail", how="left")
        .sort("mail")
        .select(
            (pl.col("same_category").fill_null(0.0) + pl.col("same_brand").fill_null(0.0))
            / (2 * pl.col("all_pairs"))
        )
        .to_series()
        .to_numpy()
    )


def audit_groups(plan: pl.DataFrame, protected: pl.DataFrame, limits: AuditLimits) -> pl.DataFrame:
    """How a plan treats groups: each against all others of its attribute.

    send_rate: mails per customer who may be mailed (no reason of NOT_MAILABLE) and is in no control group. offer_rate: share
    of the mails that carry an offer. expected_margin: mean of the mails. Shares have Wilson's interval and their difference
    Newcombe's (1998, method 10); means have a normal interval and their relative difference the delta method's.

    A gap breaks a limit only if its whole interval lies beyond it, so that no small group does by chance.

    A group of fewer than `min_group_size` is left out, and so are the smallest others until nobody could work out from the
    total what a left-out group of that size did. What a group is compared with are the groups that are given, too.

    Args:
        plan: customer_id, action, reason, is_control, offer_key, expected_margin.
        protected: customer_id, gender, age_band.
        limits: what gaps are held against.

    Returns:
        Columns of AUDIT_SCHEMA, one row per figure, attribute and group; n is the group's size for this figure.
    """
    is_mailed = pl.col("action") == "send"
    people = plan.join(
        protected.select("customer_id", *ATTRIBUTES), on="customer_id", how="left"
    ).with_columns(pl.col(ATTRIBUTES).fill_null(NOT_STATED), is_mailed=is_mailed)
    mailable = people.filter(
        ~pl.col("reason").is_in(NOT_MAILABLE), ~pl.col("is_control"), pl.col("reason") != "message_control"
    )
    mails = people.filter("is_mailed")
    figures = (
        ("send_rate", mailable, pl.col("is_mailed").cast(pl.Float64)),
        ("offer_rate", mails, (pl.col("offer_key") != "none").cast(pl.Float64)),
        ("expected_margin", mails, pl.col("expected_margin").cast(pl.Float64)),
    )
    return _typed(
        row
        for figure, frame, value in figures
        for attribute in ATTRIBUTES
        for row in _compared(figure, attribute, _sums(frame, attribute, value, limits.min_group_size), limits)
    )


def _sums(frame: pl.DataFrame, attribute: str, value: pl.Expr, smallest: int) -> pl.DataFrame:
    """group, n, total, squares of the groups that may be given."""
    groups = (
        frame.group_by(group=pl.col(attribute))
        .agg(n=pl.len().cast(pl.Int64), total=value.sum(), squares=(value**2).sum())
        .sort("n", "group")
    )
    is_small = pl.col("n") < smallest
    # Smallest first: `hidden` are those up to here; hiding goes on while what is hidden is itself a small group.
    hidden_before = pl.col("n").cum_sum() - pl.col("n")
    return groups.filter(
        ~is_small & ((hidden_before >= smallest) | (groups.select(is_small.sum()).item() == 0))
    )


def _compared(
    figure: str, attribute: str, groups: pl.DataFrame, limits: AuditLimits
) -> Iterator[dict[str, object]]:
    is_share = figure != "expected_margin"
    gap_name = f"{figure}_gap" if is_share else "value_gap"
    n, total, squares = (
        groups.get_column(name).to_numpy().astype(np.float64) for name in ("n", "total", "squares")
    )
    for i, group in enumerate(groups.get_column("group")):
        others = np.arange(len(n)) != i
        own = (n[i], total[i], squares[i])
        rest = (n[others].sum(), total[others].sum(), squares[others].sum())
        value, low, high = _share_interval(*own[:2]) if is_share else _mean_interval(*own)
        gap, gap_low, gap_high = _share_gap(own, rest) if is_share else _relative_gap(own, rest)
        sure = 0.0 if gap_low <= 0.0 <= gap_high else min(abs(gap_low), abs(gap_high))
        limit, state = limits.verdict(gap_name, sure if np.isfinite([gap_low, gap_high]).all() else np.nan)
        yield {
            "figure": figure,
            "attribute": attribute,
            "group": group,
            "n": int(n[i]),
            "value": value,
            "low": low,
            "high": high,
            "others": rest[1] / rest[0] if rest[0] else float("nan"),
            "gap": gap,
            "gap_low": gap_low,
            "gap_high": gap_high,
            "limit": limit,
            "state": state,
        }


Sums = tuple[float, float, float]
"""Number, total and total of squares."""
Bounds = tuple[float, float, float]
"""Estimate, lower and upper bound."""
UNKNOWN: Bounds = (float("nan"),) * 3


def _share_interval(n: float, total: float) -> Bounds:
    """Wilson's score interval of a share (1927)."""
    if not n:
        return UNKNOWN
    share = total / n
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return share, float(centre - half), float(centre + half)


def _share_gap(own: Sums, rest: Sums) -> Bounds:
    """Difference of two shares with Newcombe's hybrid score interval."""
    p, p_low, p_high = _share_interval(*own[:2])
    q, q_low, q_high = _share_interval(*rest[:2])
    gap = p - q
    return (
        gap,
        gap - float(np.hypot(p - p_low, q_high - q)),
        gap + float(np.hypot(p_high - p, q - q_low)),
    )


def _moments(n: float, total: float, squares: float) -> tuple[float, float]:
    """Mean and its squared standard error."""
    if n < 2:
        return float("nan"), float("nan")
    mean = total / n
    return mean, max(squares - n * mean**2, 0.0) / (n - 1) / n


def _mean_interval(n: float, total: float, squares: float) -> Bounds:
    mean, variance = _moments(n, total, squares)
    half = Z * float(np.sqrt(variance))
    return mean, mean - half, mean + half


def _relative_gap(own: Sums, rest: Sums) -> Bounds:
    """Mean over that of the others, less 1, with the interval of the ratio's logarithm; unknown unless both are above 0."""
    (mean, variance), (other, other_variance) = _moments(*own), _moments(*rest)
    if not (mean > 0 and other > 0):
        return UNKNOWN
    half = Z * float(np.sqrt(variance / mean**2 + other_variance / other**2))
    ratio = mean / other
    return ratio - 1, ratio * float(np.exp(-half)) - 1, ratio * float(np.exp(half)) - 1


def _row(limits: AuditLimits, figure: str, n: int, value: float) -> dict[str, object]:
    limit, state = limits.verdict(figure, value)
    return {"figure": figure, "n": n, "value": value, "limit": limit, "state": state}


def _mean(values: np.ndarray[tuple[int], np.dtype[np.generic]]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _typed(rows: Iterator[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=dict(AUDIT_SCHEMA))
