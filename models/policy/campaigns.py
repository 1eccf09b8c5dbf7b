"""What campaigns bring up: one message for the members of segments, between two dates, once per customer, in waves.

Here: who is due. Not here: the file people write (mail/campaigns), and all that decides whether what was brought up goes
out.
"""

from __future__ import annotations

import polars as pl

from models.policy import draws
from models.policy.config import PolicyConfig
from models.policy.inputs import PlanInputs

_KEY = ["customer_id", "message_key"]


def campaign_messages(inputs: PlanInputs, customers: pl.DataFrame, config: PolicyConfig) -> pl.DataFrame:
    """The messages of the day's campaigns, for whom has not had them since the campaign began.

    While fewer than `max_customers` have been reached, those not yet reached whose salted hash is smallest are due, as many
    as are left; who cannot be mailed keeps his place, who leaves the segment gives it to the next. Another hash says in
    which wave he is, and so from which day on he is due.

    Args:
        inputs: for `campaigns`, `segments`, `feat_message_history`, `pending_sends`.
        customers: customer_id, lifecycle_stage, which is a segment too.
        config: for the plan date and the salt.

    Returns:
        customer_id, message_key, campaign_key, tries_evenly (he is in the first of several waves); each customer and message
        once, of several campaigns the first by key.
    """
    active = inputs.campaigns.filter(
        pl.col("from_date") <= config.plan_date, pl.col("to_date") >= config.plan_date
    )
    if active.is_empty():
        return pl.DataFrame(
            schema={**dict.fromkeys((*_KEY, "campaign_key"), pl.String), "tries_evenly": pl.Boolean}
        )
    stages = customers.select("customer_id", segment_key="lifecycle_stage").drop_nulls()
    members = pl.concat([inputs.segments.join(customers, on="customer_id", how="semi"), stages])
    audience = (
        active.explode("segment_keys")
        .join(members, left_on="segment_keys", right_on="segment_key")
        .unique(["campaign_key", "customer_id"])
        .sort("campaign_key", "customer_id")
    )
    identity = audience.select(pl.concat_str("campaign_key", "customer_id", separator="\x1f")).to_series()
    draw = draws.uniforms(identity, seed=config.salt, streams=["u_campaign", "u_wave"])
    had = pl.concat(
        [
            inputs.feat_message_history.drop("n_sent_1d", "n_sent_7d"),
            inputs.pending_sends.rename({"send_at": "last_sent_at"}),
        ]
    ).select(*_KEY, "last_sent_at")
    since = had.join(active.select("message_key", "campaign_key", "from_date"), on="message_key").filter(
        pl.col("last_sent_at") >= pl.col("from_date").cast(pl.Datetime("us"))
    )
    reached = since.group_by("campaign_key").agg(n_reached=pl.col("customer_id").n_unique())
    left = pl.col("max_customers") - pl.col("n_reached").fill_null(0)
    return (
        audience.hstack(draw)
        .join(since, on=["customer_id", "campaign_key"], how="anti")
        .join(reached, on="campaign_key", how="left")
        .with_columns(place=pl.col("u_campaign").rank("ordinal").over("campaign_key"))
        .filter(pl.col("max_customers").is_null() | (pl.col("place") <= left))
        .join(_waves(active), on="campaign_key")
        .filter(
            pl.col("u_wave").is_between("begins", "ends", closed="left"),
            pl.col("opens_on") <= config.plan_date,
        )
        .sort("campaign_key", "customer_id")
        .unique(_KEY, keep="first", maintain_order=True)
        .select(*_KEY, "campaign_key", "tries_evenly")
    )


def _waves(campaigns: pl.DataFrame) -> pl.DataFrame:
    """campaign_key, begins, ends (of the wave's hashes, within 0 and 1), opens_on, tries_evenly: a row per wave."""
    n_waves = pl.col("waves").list.len()
    wave = pl.int_range(pl.len()).over("campaign_key")
    return (
        campaigns.select("campaign_key", "from_date", "days_between_waves", "waves", n_waves=n_waves)
        .explode("waves")
        .with_columns(wave=wave, ends=pl.col("waves").cum_sum().over("campaign_key"))
        .select(
            "campaign_key",
            begins=pl.col("ends") - pl.col("waves"),
            # Sums of shares miss 1 by a hair.
            ends=pl.when(pl.col("wave") == pl.col("n_waves") - 1).then(1.0).otherwise("ends"),
            opens_on=pl.col("from_date") + pl.duration(days=pl.col("wave") * pl.col("days_between_waves")),
            tries_evenly=(pl.col("wave") == 0) & (pl.col("n_waves") > 1),
        )
    )
