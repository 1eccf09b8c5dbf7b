"""Why a customer may not order again, in words a marketer reads.

Here: topics, the features that speak of each, the sentence for each customer. Not here: how much a feature adds to a risk
(`churn` asks its trees; a rule goes by silence and number of orders).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import polars as pl

from models.features import FloatArray, numbers

MAX_REASONS = 3
NOTHING_UNUSUAL = "nothing out of the ordinary"
LONG_GAP = 1.5
NEW_DAYS = 90
QUIET_MAIL_DAYS = 14

SILENCE, FEW_ORDERS = RULE_TOPICS = ("silence", "few orders")
TOPICS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        SILENCE: (
            "days_since_last_order",
            "recency_days",
            "gaps_since_last_order",
            "silence_share",
            "p_alive",
            "bg_nbd_p_no_order_90d",
            "pareto_nbd_p_no_order_90d",
        ),
        FEW_ORDERS: (
            "n_orders",
            "n_order_days",
            "n_orders_365d",
            "repeat_days",
            "n_units",
        ),
        "slowing": (
            "n_orders_30d",
            "n_orders_90d",
            "revenue_30d",
            "revenue_90d",
            "trend_slow",
            "trend_fast",
            "trend_30d",
            "trend_90d",
            "trend_180d",
        ),
        "mail": (
            "n_emails_30d",
            "n_emails_90d",
            "n_human_opens_90d",
            "n_clicks_90d",
            "open_rate_90d",
            "click_rate_90d",
            "days_since_last_open",
            "days_since_last_click",
        ),
        "visits": (
            "n_sessions_7d",
            "n_sessions_30d",
            "n_sessions_90d",
            "n_product_views_7d",
            "n_product_views_30d",
            "n_carts_30d",
            "n_searches_30d",
            "n_content_views_90d",
            "days_since_last_session",
        ),
        "returns": ("n_refunds_365d", "refund_rate"),
        "service": ("n_support_30d", "mean_rating"),
        "young": ("tenure_days", "days_since_first_order", "age_days"),
    }
)
"""Topic -> the columns of a portrait that speak of it; the others are not told."""


def by_topic(contributions: FloatArray, names: tuple[str, ...]) -> dict[str, FloatArray]:
    """The contributions of features (rows, features) to the log-odds of a risk, added up by topic."""
    column = {name: number for number, name in enumerate(names)}
    return {
        topic: contributions[:, [column[feature] for feature in features if feature in column]].sum(axis=1)
        for topic, features in TOPICS.items()
    }


def by_rule(frame: pl.DataFrame, usual_gap: float) -> dict[str, FloatArray]:
    """Without trees: silence in gaps (as a logarithm), and having ordered once or never."""
    gap = np.nan_to_num(numbers(frame, "mean_gap_days"), nan=usual_gap)
    silence = np.nan_to_num(numbers(frame, "days_since_last_order"))
    n = numbers(frame, "n_order_days")
    return {
        SILENCE: np.log((silence + 1.0) / (gap + 1.0)),
        FEW_ORDERS: np.where(n <= 1, 0.5, 0.0),
    }


def reasons(frame: pl.DataFrame, weights: Mapping[str, FloatArray], usual_gap: float) -> pl.Series:
    """A list of one to three sentences per row: topics that raise the risk, heaviest first.

    Args:
        frame: the customers; needs the columns of the topics asked for.
        weights: topic -> how much it raises each row's risk.
        usual_gap: the shop's, in days, for customers with one order.
    """
    sentences = _sentences(usual_gap)
    texts = frame.select(sentences[topic].cast(pl.String).alias(topic) for topic in weights)
    told = np.column_stack([column.is_not_null().to_numpy() for column in texts])
    weight = np.where(told, np.column_stack(list(weights.values())), -np.inf)
    order = np.argsort(-weight, axis=1, kind="stable")[:, :MAX_REASONS]
    topics = list(weights)
    ranked = pl.DataFrame(
        {
            f"topic_{place}": [
                topics[number] if raised else None
                for number, raised in zip(
                    order[:, place].tolist(),
                    (np.take_along_axis(weight, order, axis=1)[:, place] > 0).tolist(),
                    strict=True,
                )
            ]
            for place in range(order.shape[1])
        },
        schema={f"topic_{place}": pl.String for place in range(order.shape[1])},
    )
    chosen = [
        pl.coalesce(pl.when(pl.col(place) == topic).then(pl.col(topic)) for topic in topics)
        for place in ranked.columns
    ]
    listed = pl.concat_list(chosen).list.drop_nulls().list.unique(maintain_order=True)
    nothing = pl.concat_list(pl.lit(NOTHING_UNUSUAL))
    return (
        pl.concat([texts, ranked], how="horizontal")
        .select(reasons=pl.when(listed.list.len() > 0).then(listed).otherwise(nothing))
        .to_series()
    )


def _sentences(usual_gap: float) -> dict[str, pl.Expr]:
    """Topic -> its sentence, null where it would not be true of the customer."""
    silence, gap, n = pl.col("days_since_last_order"), pl.col("mean_gap_days"), pl.col("n_order_days")
    gaps = silence / gap

    def when(condition: pl.Expr, *words: str | pl.Expr) -> pl.Expr:
        return pl.when(condition).then(pl.concat_str([pl.lit(w) if isinstance(w, str) else w for w in words]))

    def days(column: str) -> pl.Expr:
        return pl.col(column).floor().cast(pl.Int64, strict=False).cast(pl.String)

    in_gaps = when(
        (gap >= 1) & (gaps >= LONG_GAP),
        "no order for ",
        gaps.round(1).cast(pl.String),
        " times the usual gap",
    )
    in_days = when(
        silence > pl.coalesce(gap, pl.lit(usual_gap)), "no order for ", days("days_since_last_order"), " days"
    )
    no_open = when(
        pl.col("days_since_last_open") > QUIET_MAIL_DAYS,
        "no mail opened for ",
        days("days_since_last_open"),
        " days",
    )
    never_opens = when(
        (pl.col("n_emails_90d") > 0) & (pl.col("n_human_opens_90d") == 0), "opened none of the last mails"
    )
    return {
        SILENCE: pl.coalesce(in_gaps, in_days),
        FEW_ORDERS: pl.coalesce(
            when(n == 0, "no order yet"),
            when(n == 1, "one order so far"),
            when(n <= 3, "only ", n.cast(pl.String), " order days so far"),
        ),
        "slowing": when((n >= 2) & (pl.col("n_orders_90d") == 0), "orders less often than before"),
        "mail": pl.coalesce(no_open, never_opens),
        "visits": when(
            pl.col("days_since_last_session") >= 1,
            "no visit for ",
            days("days_since_last_session"),
            " days",
        ),
        "returns": when(pl.col("n_refunds_365d") > 0, "sent goods back in the last year"),
        "service": when(pl.col("n_support_30d") > 0, "wrote to customer service in the last 30 days"),
        "young": when(pl.col("tenure_days") < NEW_DAYS, "known for ", days("tenure_days"), " days only"),
    }
