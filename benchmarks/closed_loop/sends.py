"""From a published send plan to mails that the simulated shop takes (`shop.mails.SENDS`)."""

from __future__ import annotations

import polars as pl

from mail.variables import clean_name
from shop.mails import SENDS

SHIPPING_COST = 4.95
"""What the shop pays to send a parcel; the fee it asks is as much (`shop.browsing.SHIPPING_FEE`)."""

EMOJI = r"[\x{2600}-\x{27BF}\x{1F300}-\x{1FAFF}]"
URGENT = r"(?i)\b(hurry|last chance|last day|today only|only today|ends (today|tonight|soon)|final (day|hours)|before (it is|they are|it's) gone|running out|do not miss|don't miss)\b"


def sends_of_plan(plan: pl.DataFrame, customers: pl.DataFrame, offers: pl.DataFrame) -> pl.DataFrame:
    """The mails of a plan, as the shop's customers will see them.

    Args:
        plan: a published plan, with rendered subjects.
        customers: customer_id, first_name.
        offers: offer_key, fixed_cost, percent: of the catalogue. An offer with a fixed cost is free shipping.

    Returns: columns SENDS. The four flags are read off the subject; is_personal where it holds the reader's name.
    """
    names = customers.select("customer_id", _name=clean_name(pl.col("first_name")))
    cost = offers.select("offer_key", "fixed_cost", "percent")
    known = (
        plan.filter(pl.col("action") == "send")
        .join(names, on="customer_id", how="left", maintain_order="left")
        .join(cost, on="offer_key", how="left", maintain_order="left")
        .with_columns(
            has_emoji=pl.col("subject").str.contains(EMOJI),
            is_question=pl.col("subject").str.contains("?", literal=True),
            is_personal=pl.col("subject").str.contains(pl.col("_name"), literal=True).fill_null(False),
            is_urgent=pl.col("subject").str.contains(URGENT),
            discount_rate=pl.col("percent").fill_null(0.0) / 100,
            has_free_shipping=pl.col("fixed_cost").fill_null(0.0) > 0,
            wave=pl.lit("plan"),
        )
    )
    return known.select(pl.col(name).cast(kind) for name, kind in SENDS.items())
