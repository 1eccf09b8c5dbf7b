"""What a message may come with. Here: which offers a customer may get, what each adds, the chance of each, its code.

Not here: how offers are worded (mail/offers.yaml), what they add (`models.offers`), budgets (actions).
"""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.special import ndtr, ndtri

from models.features import FloatArray
from models.policy import draws
from models.policy.config import PolicyConfig

NO_OFFER = "none"
_CODE_LENGTH = 8
_KEY = ["customer_id", "message_key"]
_NODES = ndtri((np.arange(64) + 0.5) / 64)
"""Middles of equally likely parts of a normal distribution: no narrow neighbour is missed, as between Gauss's nodes."""


def allowed_offers(
    candidates: pl.DataFrame, messages: pl.DataFrame, offers: pl.DataFrame, effects: pl.DataFrame
) -> pl.DataFrame:
    """One row per candidate and offer that it may carry, the usual one marked.

    An offer is allowed if the message names it, the customer's price_sensitivity reaches its minimum, and
    the margin left per order after its cost is at least `floor_margin` of the order value. No offer at all
    is always allowed.

    Where randomised sends have shown what each of the allowed offers adds, the usual one is the one that adds most margin,
    none included. Where the effect of any is unknown, a rule holds: the allowed offer of the highest level is the usual one.

    Args:
        candidates: customer_id, message_key, price_sensitivity, order_value, margin_per_order, p_purchase.
        messages, offers: of the catalogue.
        effects: customer_id, offer_key, uplift_order, uplift_margin, uplift_margin_error, is_proven (else unknown).

    Returns:
        customer_id, message_key, offer_key, offer_cost (per order: fixed_cost + percent of order_value),
        offer_uplift (what it adds to the chance of an order), offer_margin (what it adds to the mail's margin, net of its
        cost; where the effect is unknown, what it is expected to cost), offer_margin_error, is_offer_rule, is_usual_offer.
    """
    named = messages.select("message_key", offer_key="allowed_offers").explode("offer_key").drop_nulls()
    always = messages.select("message_key", offer_key=pl.lit(NO_OFFER))
    rules = ("offer_key", "level", "fixed_cost", "percent", "floor_margin", "min_price_sensitivity")
    pairs = pl.concat([named, always]).unique().join(offers.select(rules), on="offer_key")
    is_none = pl.col("offer_key") == NO_OFFER
    is_known = is_none | pl.col("is_proven").fill_null(False)
    numbered = candidates.sort(_KEY).with_row_index("candidate")
    return (
        numbered.select(
            *("candidate", *_KEY, "price_sensitivity", "order_value", "margin_per_order", "p_purchase")
        )
        .join(pairs, on="message_key")
        .with_columns(offer_cost=pl.col("fixed_cost") + pl.col("percent") / 100.0 * pl.col("order_value"))
        .filter(
            is_none
            | (
                (pl.col("price_sensitivity") >= pl.col("min_price_sensitivity"))
                & (
                    pl.col("margin_per_order") - pl.col("offer_cost")
                    >= pl.col("floor_margin") * pl.col("order_value")
                )
            )
        )
        .select("candidate", "customer_id", "offer_key", "offer_cost", "p_purchase", "level")
        .join(
            effects.select(
                "customer_id",
                "offer_key",
                "uplift_order",
                "uplift_margin",
                "uplift_margin_error",
                "is_proven",
            ),
            on=["customer_id", "offer_key"],
            how="left",
        )
        .with_columns(is_offer_rule=~is_known.all().over("candidate"))
        .with_columns(
            offer_uplift=pl.when(is_none | ~is_known).then(0.0).otherwise("uplift_order"),
            offer_margin=pl.when(is_none)
            .then(0.0)
            .when(is_known)
            .then("uplift_margin")
            .otherwise(-pl.col("p_purchase") * pl.col("offer_cost")),
            offer_margin_error=pl.when(is_none | ~is_known).then(0.0).otherwise("uplift_margin_error"),
        )
        .select(
            *("candidate", "offer_key", "offer_cost", "offer_uplift", "offer_margin", "offer_margin_error"),
            "is_offer_rule",
            merit=pl.when("is_offer_rule").then(pl.col("level").cast(pl.Float64)).otherwise("offer_margin"),
        )
        .sort("candidate", "merit", "offer_key", descending=[False, True, False])
        .with_columns(is_usual_offer=(pl.int_range(pl.len()) == 0).over("candidate"))
        .join(numbered.select("candidate", *_KEY), on="candidate", how="left", maintain_order="left")
        .drop("candidate", "merit")
    )


def offer_chances(options: pl.DataFrame, config: PolicyConfig) -> pl.Series:
    """The chance of each offer of a mail, in the order of rows: Thompson sampling where effects are known, worked out rather
    than drawn; the best alone where a rule holds; mixed with `explore_offer` shared evenly.

    Effects of different offers count as independent. Chances sum to 1 within a customer and message.

    Args:
        options: sorted by customer_id and message_key: offer_margin, offer_margin_error (0 under the rule),
            is_offer_rule, is_best_offer (one per customer and message).
        config: for `explore_offer`.
    """
    place = options.select(group=pl.struct(_KEY).rle_id(), column=pl.int_range(pl.len()).over(_KEY))
    group, column = (place[name].cast(pl.Int64).to_numpy() for name in ("group", "column"))
    believed = options["is_best_offer"].to_numpy().astype(np.float64)
    learnt = np.flatnonzero(~options["is_offer_rule"].to_numpy())
    mails, row = np.unique(group[learnt], return_inverse=True)
    shape = (len(mails), int(column.max(initial=-1)) + 1)
    mean, deviation = np.full(shape, -np.inf), np.zeros(shape)
    mean[row, column[learnt]] = options["offer_margin"].to_numpy()[learnt]
    deviation[row, column[learnt]] = options["offer_margin_error"].to_numpy()[learnt]
    believed[learnt] = best_chances(mean, deviation)[row, column[learnt]]
    n_offers = np.bincount(group)[group] if len(group) else np.zeros(0)
    share = config.explore_offer
    return pl.Series("propensity_offer", share / np.maximum(n_offers, 1) + (1.0 - share) * believed)


def best_chances(mean: FloatArray, deviation: FloatArray) -> FloatArray:
    """Chance that each of a row's independent normal quantities is the largest; those with mean -inf are not there.

    By quadrature, then made to sum to 1; equal quantities without deviation share evenly.
    """
    present = np.isfinite(mean)
    # A quantity known for certain gets a little deviation, so that what is compared is never 0 / 0.
    width = np.maximum(deviation, 1e-6 * (1.0 + np.abs(np.where(present, mean, 0.0))))
    total = np.zeros(mean.shape)
    for node in _NODES:
        drawn = mean + width * node
        for column in range(mean.shape[1]):
            ahead = np.where(present, (drawn[:, [column]] - np.where(present, mean, 0.0)) / width, np.inf)
            ahead[:, column] = np.inf
            total[:, column] += np.prod(ndtr(ahead), axis=1)
    total = np.where(present, total, 0.0)
    chances: FloatArray = total / np.maximum(total.sum(axis=1, keepdims=True), 1e-300)
    return chances


def with_coupon(chosen: pl.DataFrame, config: PolicyConfig) -> pl.DataFrame:
    """Adds coupon, null where the offer has no prefix. It is personal and belongs to the day: the same inputs give the same
    code."""
    identity = chosen.select(
        pl.concat_str("customer_id", "message_key", "offer_key", separator="\x1f")
    ).to_series()
    code = (
        draws.digests(identity, seed=config.seed, stream="coupon")
        .str.slice(0, _CODE_LENGTH)
        .str.to_uppercase()
    )
    return (
        chosen.with_columns(_code=code)
        .with_columns(coupon=pl.concat_str("coupon_prefix", "_code", separator="-"))
        .drop("_code")
    )
