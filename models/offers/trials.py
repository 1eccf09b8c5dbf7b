"""Randomised sends as rows to learn from: what was offered with which chance, to whom, and what was ordered.

Here: the columns, features as they stood before each send, the matrix. Not here: the learners.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from models.features import FloatArray
from models.model import require
from models.offers.learners import Arms, arms

NO_OFFER = "none"

SENDS = ("customer_id", "message_key", "offer_key", "propensity", "is_ordered", "is_redeemed")
"""What fitting needs of a send (`label_offers`)."""

COUNTS = ("tenure_days", "n_orders", "n_orders_90d", "days_since_last_order", "n_sessions_30d", "n_carts_30d")
RATES = ("open_rate_90d", "click_rate_90d", "discount_share", "mean_discount_depth", "price_position")
ECONOMICS = ("revenue_total", "margin_total")
FEATURES = (*COUNTS, *RATES, *ECONOMICS)
"""What fitting and asking need of a customer (`feat_customer`)."""

DISCOUNT_ORDERS = 3.0
"""A customer's share of purchases at a discount counts as if he had so many average orders beside his own."""


def with_features(sends: pl.DataFrame, features: pl.DataFrame) -> pl.DataFrame:
    """Sends with the newest features from before them; sends older than all features are left out.

    Args:
        sends: `label_offers`, of which the newest as_of counts.
        features: `feat_customer` at several as_of.
    """
    require(sends, (*SENDS, "as_of", "sent_at"), "offer trials")
    require(features, ("customer_id", "as_of", *FEATURES), "offer trials")
    known = features.select("customer_id", *FEATURES, seen_on="as_of").sort("seen_on", "customer_id")
    return (
        sends.filter(pl.col("as_of") == pl.col("as_of").max())
        .with_columns(sent_on=pl.col("sent_at").dt.date())
        .sort("sent_on", "customer_id", "message_id")
        .join_asof(known, left_on="sent_on", right_on="seen_on", by="customer_id", check_sortedness=False)
        .filter(pl.col("seen_on").is_not_null())
        .drop("sent_on", "seen_on")
    )


def levels(frame: pl.DataFrame, min_sends: int) -> tuple[str, ...]:
    """The offers sent at least `min_sends` times with messages that were also sent without an offer, by name."""
    plain = frame.filter(pl.col("offer_key") == NO_OFFER).select("message_key").unique()
    counts = (
        frame.filter(pl.col("offer_key") != NO_OFFER)
        .join(plain, on="message_key", how="semi")
        .group_by("offer_key")
        .len()
    )
    return tuple(counts.filter(pl.col("len") >= min_sends)["offer_key"].sort())


def compared(frame: pl.DataFrame, level: str) -> pl.DataFrame:
    """Sends of the messages that came with an offer at times."""
    messages = frame.filter(pl.col("offer_key") == level).select("message_key").unique()
    return frame.join(messages, on="message_key", how="semi", maintain_order="left")


def trial(frame: pl.DataFrame, level: str, matrix: FloatArray, outcome: FloatArray) -> Arms:
    """One offer against none, in the order of `compared`; sends of other offers are in neither arm.

    Args:
        matrix, outcome: per row of `frame`.
    """
    messages = frame.filter(pl.col("offer_key") == level)["message_key"].unique()
    rows = frame["message_key"].is_in(messages.implode()).to_numpy()
    key = frame["offer_key"].to_numpy()[rows]
    treated = np.where(key == level, 1.0, np.where(key == NO_OFFER, 0.0, np.nan))
    customer = frame["customer_id"].rank("dense").cast(pl.Int64).to_numpy()[rows]
    return arms(matrix[rows], treated, outcome[rows], frame["propensity"].to_numpy()[rows], customer)


def discount_share(frame: pl.DataFrame, average: float) -> FloatArray:
    """Share of purchases at a discount, shrunk to the average over few orders."""
    orders = frame["n_orders"].cast(pl.Float64).fill_null(0.0).to_numpy()
    own = frame["discount_share"].cast(pl.Float64).fill_null(0.0).to_numpy()
    orders = np.where(frame["discount_share"].is_null().to_numpy(), 0.0, orders)
    return np.asarray((orders * own + DISCOUNT_ORDERS * average) / (orders + DISCOUNT_ORDERS))


def average_discount_share(frame: pl.DataFrame) -> float:
    """Share of purchases at a discount over all orders; 0 without orders."""
    known = frame.filter(pl.col("discount_share").is_not_null() & (pl.col("n_orders") > 0))
    orders = known["n_orders"].cast(pl.Float64).to_numpy()
    return float(np.average(known["discount_share"].to_numpy(), weights=orders)) if orders.sum() > 0 else 0.0


def matrix_of(frame: pl.DataFrame, average: float) -> FloatArray:
    """Counts on a log scale, rates as they are, the shrunk share of discounts in place of the raw one; NaN where missing."""
    columns = [
        *(pl.col(name).cast(pl.Float64).clip(lower_bound=0).log1p() for name in COUNTS),
        *(pl.col(name).cast(pl.Float64) for name in RATES if name != "discount_share"),
    ]
    plain = frame.select(*columns).fill_null(float("nan")).to_numpy()
    return np.column_stack([plain, discount_share(frame, average)])
