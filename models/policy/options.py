"""Everything the plan chose among: one row per customer, message and offer, with the chance of each.

The plan logs the chance of what was done; what another policy would have earned needs the chances of what was not done,
too. Not here: the choice itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import polars as pl

from models.policy.config import PolicyConfig
from models.policy.plan_schema import PLAN_COLUMNS, Column
from models.policy.values import fatigue_cost, unsubscribe_cost

_NUMBER = pl.Float64()

OPTION_COLUMNS: Mapping[str, Column] = MappingProxyType(
    {
        "plan_date": PLAN_COLUMNS["plan_date"],
        "customer_id": Column(pl.String(), "A customer who could be mailed, also in the control group."),
        "message_key": Column(pl.String(), "Message that was allowed."),
        "offer_key": Column(pl.String(), "Offer it was allowed to carry, or none."),
        "trigger_key": PLAN_COLUMNS["trigger_key"],
        "priority": Column(pl.Int64(), "Of the message, as its file says."),
        "n_products": Column(pl.Int64(), "Products it would show."),
        **{
            name: PLAN_COLUMNS[name]
            for name in (
                *("lifecycle_stage", "segment", "days_since_last_order", "n_orders", "n_sent_7d"),
                *("lifetime_value", "churn_risk", "price_sensitivity", "order_value", "margin_per_order"),
                *("p_open", "p_click", "p_purchase", "p_purchase_basis", "unsubscribe_risk"),
                *("offer_cost", "offer_uplift", "offer_margin", "unsubscribe_cost"),
                *("fatigue_cost", "propensity_ticket", "propensity_message", "propensity_offer"),
            )
        },
        "net_value": Column(_NUMBER, "expected_margin of the plan, if this were chosen."),
        "is_best_message": Column(pl.Boolean(), "The message is the one valued most."),
        "is_best_offer": Column(pl.Boolean(), "The offer is the one held for best with this message."),
        "propensity": Column(
            _NUMBER,
            "Chance with which message and offer are chosen among what is open, given that the customer is not in the "
            "control group; sums to 1 per customer and day. Subject and hour are chosen after it, with their own chances.",
        ),
    }
)
"""The columns of `options_frame`; ids alone."""

_MAIL = ("customer_id", "message_key")


def options_frame(
    options: pl.DataFrame,
    candidates: pl.DataFrame,
    customers: pl.DataFrame,
    config: PolicyConfig,
) -> pl.DataFrame:
    """What could have been chosen for each customer who could be mailed; who could not has no row.

    Members of the control group have the rows they would have chosen among, so that what they did without a mail can be
    set against any policy.

    Args:
        options: what was open, with its chances, of `actions.choose_actions`, sorted by its key.
        candidates, customers: with everything known of each.
        config: for costs and the date.

    Returns:
        One row per customer_id, message_key, offer_key, sorted by them; see `OPTION_COLUMNS`.
    """
    facts = [name for name in candidates.columns if name in OPTION_COLUMNS and name not in options.columns]
    options = options.join(
        candidates.select(*_MAIL, *facts, "mail_value"), on=_MAIL, how="left", maintain_order="left"
    )
    known = [name for name in customers.columns if name in OPTION_COLUMNS and name not in options.columns]
    return (
        options.join(
            customers.select("customer_id", *known), on="customer_id", how="left", maintain_order="left"
        )
        .with_columns(
            plan_date=pl.lit(config.plan_date),
            unsubscribe_cost=unsubscribe_cost(config),
            fatigue_cost=fatigue_cost(config),
            net_value=pl.col("mail_value") + pl.col("offer_margin"),
            propensity=pl.col("propensity_message") * pl.col("propensity_offer"),
        )
        .select(pl.col(name).cast(column.dtype) for name, column in OPTION_COLUMNS.items())
    )
