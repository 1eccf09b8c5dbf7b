"""What a day in the shop came to, counted from its truth: mails, answers, orders and money."""

from __future__ import annotations

import polars as pl

from benchmarks.closed_loop.sends import SHIPPING_COST
from shop.browsing import SHIPPING_FEE
from shop.world import DayOutcome, World


def day_figures(world: World, outcome: DayOutcome, sends: pl.DataFrame) -> dict[str, float]:
    """Counts and sums of one day, all additive.

    margin: what the orders of the day leave: price less discount and cost of the goods, the shipping fee less what sending
    the parcel costs. given_discount, given_shipping: what mails' own offers cost of it. mail_orders, mail_margin: of orders
    in visits that a click in a mail began. calm_margin: what the margin is expected to be given what was looked at, see
    `calm_margin`; expected_orders and expected_mail_orders: sums of the chances of visits. complaints: marked as spam. Refunds are left out: they come weeks later.
    """
    lines = (
        outcome.events.filter(pl.col("event") == "Order Completed")
        .join(world.catalogue.products.select("product_id", "cost"), on="product_id", how="left")
        .drop("message_id")
        .join(outcome.orders, on="order_id", how="left")
        .with_columns(
            fee=pl.col("properties").str.json_path_match("$.order_shipping").cast(pl.Float64),
            gross=pl.col("price") * pl.col("quantity"),
            goods=pl.col("cost") * pl.col("quantity"),
        )
    )
    orders = (
        lines.group_by("order_id", "message_id", "fee")
        .agg(
            revenue=(pl.col("gross") - pl.col("discount")).sum(),
            goods=pl.col("goods").sum(),
            discount=pl.col("discount").sum(),
        )
        .with_columns(margin=pl.col("revenue") - pl.col("goods") + pl.col("fee") - SHIPPING_COST)
    )
    mailed = orders.filter(pl.col("message_id").is_not_null())
    truth = outcome.messages
    chances = outcome.chances
    return {
        "mails": truth.height,
        "opens": truth["opened_at"].count(),
        "clicks": truth["clicked_at"].count(),
        "unsubscribes": truth["unsubscribed_at"].count(),
        "complaints": outcome.events.filter(pl.col("event") == "Email Marked as Spam").height,
        "expected_opens": float(truth["p_open"].sum()),
        "expected_clicks": float(truth["p_click"].sum()),
        "expected_unsubscribes": float(truth["p_leave"].sum()),
        "orders": orders.height,
        "revenue": float(orders["revenue"].sum()),
        "margin": float(orders["margin"].sum()),
        "calm_margin": calm_margin(chances),
        "expected_orders": float(chances["p_order"].sum()),
        "expected_mail_orders": float(chances.filter(pl.col("message_id").is_not_null())["p_order"].sum()),
        "mail_orders": mailed.height,
        "mail_margin": float(mailed["margin"].sum()),
        "given_discount": float(mailed["discount"].sum()),
        "given_shipping": float((SHIPPING_COST - mailed["fee"]).sum()),
        "mails_with_offer": sends.filter(pl.col("offer_key") != "none").height,
    }


def calm_margin(chances: pl.DataFrame) -> float:
    """Margin expected of the day's visits: each counts with what an order of it would leave, times its chance of an order.

    Its mean is that of the margin whatever the policy, without the luck of who buys, how much, and what goes with it (a
    conditional expectation in place of a draw; Glasserman 2003, Monte Carlo Methods in Financial Engineering, 4.1 and 4.2).
    """
    fee = pl.when("has_free_shipping").then(0.0).otherwise(SHIPPING_FEE)
    worth = pl.col("order_margin") + fee - SHIPPING_COST
    return float(chances.select((pl.col("p_order") * worth).sum()).item())


def mail_figures(outcome: DayOutcome, sends: pl.DataFrame) -> pl.DataFrame:
    """One row per mail sent on the day it was decided: what it was and its true chances, for looking into a policy.

    Returns: message_id, customer_id, message_key, offer_key, subject_variant, tone, wave, propensity, propensity_offer, send_at,
    p_open, p_click, p_leave (of the mail), is_open, is_click, is_unsubscribed. Mails that wait for the next day are left out.
    """
    what = sends.select(
        *("message_id", "message_key", "offer_key", "subject_variant", "tone"),
        *("wave", "propensity", "propensity_offer"),
    )
    answers = outcome.messages.select(
        *("message_id", "customer_id", "send_at", "p_open", "p_click", "p_leave"),
        is_open=pl.col("opened_at").is_not_null(),
        is_click=pl.col("clicked_at").is_not_null(),
        is_unsubscribed=pl.col("unsubscribed_at").is_not_null(),
    )
    return what.join(answers, on="message_id", maintain_order="left")
