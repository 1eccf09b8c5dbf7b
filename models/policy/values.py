"""What a candidate is worth.

Here: the sum and its parts. Not here: how chances and lifetime value are predicted.
"""

from __future__ import annotations

import polars as pl

from models.policy.config import PolicyConfig

HORIZON_DAYS = 90
OWN_RATE, RESPONSE_MODEL = "own purchase rate", "response model"
"""Where p_purchase comes from: p_purchase_basis."""


def customer_economics(customers: pl.DataFrame, config: PolicyConfig) -> pl.DataFrame:
    """Adds, per customer and in the shop's currency, order_value and margin_per_order, and price_sensitivity
    (0..1).

    Each is the customer's own figure shrunk towards that of all orders, as if he had placed
    `shrinkage_orders` average orders beside his own: (n x own + k x all) / (n + k). price_sensitivity is so
    shrunk share of gross value bought at a discount. Refunds never make a figure negative. A shop without
    orders has 0 throughout.

    Args:
        customers: n_orders, revenue_total, margin_total, discount_share (null if nothing bought).
        config: for `shrinkage_orders`.
    """
    k = config.shrinkage_orders
    orders = pl.col("n_orders").fill_null(0)
    discount_share = pl.col("discount_share")
    known = pl.when(discount_share.is_null()).then(0).otherwise(orders)
    everyone = customers.select(
        orders=orders.sum(),
        revenue=pl.col("revenue_total").fill_null(0.0).sum(),
        margin=pl.col("margin_total").fill_null(0.0).sum(),
        discounted=(discount_share.fill_null(0.0) * known).sum(),
        known=known.sum(),
    ).row(0, named=True)

    def mean(total: float, count: float) -> float:
        return max(total / count, 0.0) if count else 0.0

    def shrunk(own_total: pl.Expr, count: pl.Expr, prior: float) -> pl.Expr:
        return ((own_total + k * prior) / (count + k)).clip(lower_bound=0.0)

    return customers.with_columns(
        order_value=shrunk(
            pl.col("revenue_total").fill_null(0.0), orders, mean(everyone["revenue"], everyone["orders"])
        ),
        margin_per_order=shrunk(
            pl.col("margin_total").fill_null(0.0), orders, mean(everyone["margin"], everyone["orders"])
        ),
        price_sensitivity=shrunk(
            discount_share.fill_null(0.0) * known, known, mean(everyone["discounted"], everyone["known"])
        ),
    )


def unsubscribe_cost(config: PolicyConfig) -> pl.Expr:
    """What the risk of losing the subscriber costs: unsubscribe_risk x subscription_value_share x lifetime_value.

    Only part of what a customer is worth hangs on the mails. An unknown risk (no e-mail history) costs nothing.
    """
    risk = pl.col("unsubscribe_risk").fill_null(0.0)
    return risk * config.subscription_value_share * pl.col("lifetime_value").fill_null(0.0)


def fatigue_cost(config: PolicyConfig) -> pl.Expr:
    """Price of one more mail: mail_price, and fatigue_cost for each mail of the last 7 days.

    A shop that has sent nothing yet knows nothing of what a mail brings: mail_price is not asked there.
    """
    asked = pl.when(pl.col("p_purchase_basis") == RESPONSE_MODEL).then(config.mail_price).otherwise(0.0)
    return asked + config.fatigue_cost * pl.col("n_sent_7d")


def mail_value(config: PolicyConfig) -> pl.Expr:
    """Worth of a mail without an offer: p_purchase x margin_per_order - unsubscribe_cost - fatigue_cost."""
    margin = pl.col("p_purchase") * pl.col("margin_per_order")
    return margin - unsubscribe_cost(config) - fatigue_cost(config)


def with_values(
    candidates: pl.DataFrame, customers: pl.DataFrame, response: pl.DataFrame, config: PolicyConfig
) -> pl.DataFrame:
    """Adds p_open, p_click, p_purchase, p_purchase_basis, unsubscribe_risk and the customer's figures they
    meet.

    Where no response is predicted, p_purchase is the chance that he orders within `attribution_days` at his
    own expected rate, 1 - exp(-expected_orders_90d x attribution_days / 90), and the basis 'own purchase
    rate'. It is then the same for all his candidates, and the messages' priority decides.
    """
    rate = (
        pl.col("expected_orders_90d").fill_null(0.0).clip(lower_bound=0.0)
        * config.attribution_days
        / HORIZON_DAYS
    )
    return (
        candidates.join(response, on=["customer_id", "message_key"], how="left")
        .join(
            customers.select(
                "customer_id",
                "expected_orders_90d",
                "lifetime_value",
                "order_value",
                "margin_per_order",
                "price_sensitivity",
                "n_sent_7d",
            ),
            on="customer_id",
        )
        .with_columns(
            p_purchase_basis=pl.when(pl.col("p_purchase").is_null())
            .then(pl.lit(OWN_RATE))
            .otherwise(pl.lit(RESPONSE_MODEL)),
            p_purchase=pl.coalesce("p_purchase", 1.0 - (-rate).exp()),
        )
        .drop("expected_orders_90d")
        .sort("customer_id", "message_key")
    )
