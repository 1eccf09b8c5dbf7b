"""What a message may come with. Here: which offers a customer may get, the usual one, its cost and code.

Not here: how offers are worded (mail/offers.yaml). The effect of an offer on buying is not estimated: offers
follow a rule by price sensitivity, and the logged chances let an experiment say what they bring.
"""

from __future__ import annotations

import polars as pl

from models.policy import draws
from models.policy.choice import draw_one, epsilon_greedy
from models.policy.config import PolicyConfig

NO_OFFER = "none"
_CODE_LENGTH = 8
_KEY = ["customer_id", "message_key"]


def allowed_offers(candidates: pl.DataFrame, messages: pl.DataFrame, offers: pl.DataFrame) -> pl.DataFrame:
    """One row per candidate and offer that it may carry, the usual one marked.

    An offer is allowed if the message names it, the customer's price_sensitivity reaches its minimum, and
    the margin left per order after its cost is at least `floor_margin` of the order value. No offer at all
    is always allowed. The usual one is the allowed offer of the highest level.

    Returns:
        customer_id, message_key, the offer's columns, offer_cost (per order: fixed_cost + percent of
        order_value), is_usual_offer.
    """
    named = messages.select("message_key", offer_key="allowed_offers").explode("offer_key").drop_nulls()
    always = messages.select("message_key", offer_key=pl.lit(NO_OFFER))
    pairs = pl.concat([named, always]).unique().join(offers, on="offer_key")
    cost = pl.col("fixed_cost") + pl.col("percent") / 100.0 * pl.col("order_value")
    return (
        candidates.select(*_KEY, "price_sensitivity", "order_value", "margin_per_order")
        .join(pairs, on="message_key")
        .with_columns(offer_cost=cost)
        .filter(
            (pl.col("offer_key") == NO_OFFER)
            | (
                (pl.col("price_sensitivity") >= pl.col("min_price_sensitivity"))
                & (
                    pl.col("margin_per_order") - pl.col("offer_cost")
                    >= pl.col("floor_margin") * pl.col("order_value")
                )
            )
        )
        .drop("price_sensitivity", "order_value", "margin_per_order")
        .sort(*_KEY, "level", "offer_key", descending=[False, False, True, False])
        .with_columns(is_usual_offer=(pl.int_range(pl.len()) == 0).over(_KEY))
    )


def choose_offer(chosen: pl.DataFrame, allowed: pl.DataFrame, config: PolicyConfig) -> pl.DataFrame:
    """Adds offer_key, offer_label, offer_cost, coupon (null without a prefix), propensity_offer,
    is_usual_offer to the chosen rows.

    The usual offer, and with chance `explore_offer` any allowed one. A coupon is personal and belongs to the
    day: the same inputs give the same code.

    Args:
        chosen: one row per customer with message_key and u_offer.
        allowed: of `allowed_offers`.
        config: for the share and the seed.
    """
    options = (
        chosen.select(*_KEY, "u_offer")
        .join(allowed, on=_KEY)
        .with_columns(
            propensity_offer=epsilon_greedy(pl.col("is_usual_offer"), by=_KEY, epsilon=config.explore_offer)
        )
    )
    drawn = draw_one(options, by=_KEY, order=["offer_key"], chance="propensity_offer", uniform="u_offer")
    identity = drawn.select(
        pl.concat_str("customer_id", "message_key", "offer_key", separator="\x1f")
    ).to_series()
    code = (
        draws.digests(identity, seed=config.seed, stream="coupon")
        .str.slice(0, _CODE_LENGTH)
        .str.to_uppercase()
    )
    return chosen.drop("offer_cost", strict=False).join(
        drawn.with_columns(code=code)
        .with_columns(coupon=pl.concat_str("coupon_prefix", "code", separator="-"))
        .drop("u_offer", "code")
        .rename({"label": "offer_label"}),
        on=_KEY,
    )
