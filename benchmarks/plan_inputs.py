"""All that a day's plan of a large shop is made from, out of random numbers: ten messages due for everyone, three offers each."""

from __future__ import annotations

from dataclasses import fields
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mail.catalogue import load_catalogue
from models.policy import PlanInputs, PolicyConfig, empty_frame

DAY = date(2025, 3, 4)
OFFERS = ("free_shipping", "percent_10")
N_MESSAGES, N_PRODUCTS, N_PICKS, N_CONTEXT = 10, 2_000, 12, 2
ZONES = ("Europe/London", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Sydney")
STAGES = ("prospect", "new", "active", "loyal", "at_risk")


def plan_config(n_customers: int) -> PolicyConfig:
    """Mails for 40 % of the customers in a day and 3 % in an hour."""
    return PolicyConfig(
        DAY, mails_per_day=int(0.4 * n_customers), mails_per_hour=int(0.03 * n_customers), mail_price=0.05
    )


def plan_inputs(n_customers: int, seed: int = 7) -> PlanInputs:
    """Inputs by which every customer who may be mailed has N_MESSAGES x (1 + OFFERS) options."""
    rng = np.random.default_rng(seed)
    ids = pl.Series("customer_id", [f"c{i:07d}" for i in range(n_customers)])
    catalogue = load_catalogue().frames()
    messages = _messages(catalogue["messages"])
    products = pl.Series([f"p{i:05d}" for i in range(N_PRODUCTS)])

    def of(values: tuple[str, ...]) -> pl.Series:
        return pl.Series(values, dtype=pl.String).gather(rng.integers(0, len(values), n_customers))

    orders = rng.poisson(3, n_customers) + 1
    revenue = orders * rng.gamma(4, 20, n_customers)
    midnight = datetime.combine(DAY, time())
    known = messages.drop_nulls("trigger_key")["trigger_key"]
    n_due = n_customers * len(known)
    due = pl.DataFrame(ids).join(known.to_frame(), how="cross")
    asked = pl.DataFrame(ids).join(messages.select("message_key"), how="cross")
    picks = (rng.integers(0, N_PRODUCTS - N_PICKS, (n_customers, 1)) + np.arange(N_PICKS)).ravel()
    context = (rng.integers(0, N_PRODUCTS - 1, (n_due, 1)) + np.arange(N_CONTEXT)).ravel()
    by_hour = pl.Series(rng.random((n_customers, 168), dtype=np.float32)).cast(pl.List(pl.Float32))
    frames: dict[str, Any] = {
        "feat_customer": pl.DataFrame(ids).with_columns(
            country=of(("GB", "DE", "US")),
            lifecycle_stage=of(STAGES),
            n_orders=pl.Series(orders),
            revenue_total=pl.Series(revenue),
            margin_total=pl.Series(0.45 * revenue),
            days_since_last_order=pl.Series(rng.uniform(1, 300, n_customers)),
            discount_share=pl.Series(rng.uniform(0.4, 1.0, n_customers)),
        ),
        "feat_eligibility": pl.DataFrame(ids).with_columns(
            has_email=pl.lit(True),
            consent_status=pl.lit("granted"),
            profiling_allowed=pl.lit(True),
            suppression_reason=pl.lit(None, dtype=pl.String),
            is_duplicate=pl.lit(False),
            promotion_paused_until=pl.lit(None, dtype=pl.Datetime("us")),
            timezone=of(ZONES),
            n_sent_1d=0,
            n_sent_7d=pl.Series(rng.integers(0, 3, n_customers)),
        ),
        "triggers": due.with_columns(
            triggered_at=pl.lit(midnight - timedelta(hours=5)),
            product_ids=products.gather(context).reshape((n_due, N_CONTEXT)).arr.to_list(),
        ),
        "feat_product": pl.DataFrame(
            {
                "product_id": products,
                "name": pl.Series([f"Product {i}" for i in range(N_PRODUCTS)]),
                "category": pl.Series([f"Category {i % 40}" for i in range(N_PRODUCTS)]),
                "brand": pl.Series([f"Brand {i % 100}" for i in range(N_PRODUCTS)]),
            }
        ).with_columns(is_available=True, is_sensitive=False),
        "feat_basket_pairs": pl.DataFrame({"product_id": products, "other_product_id": products.reverse()})
        .filter(pl.col("product_id") != pl.col("other_product_id"))
        .with_columns(lift=2.0),
        "score_value": pl.DataFrame(ids).with_columns(
            expected_orders_90d=pl.Series(rng.gamma(1, 0.5, n_customers)),
            lifetime_value=pl.Series(rng.gamma(1, 60, n_customers)),
            model_version=pl.lit("1"),
        ),
        "score_churn": pl.DataFrame(ids).with_columns(
            churn_risk=pl.Series(rng.random(n_customers)), model_version=pl.lit("1")
        ),
        "score_send_time": pl.DataFrame(ids).with_columns(
            p_open_by_hour=by_hour, n_sends=20, basis=pl.lit("own sends"), model_version=pl.lit("1")
        ),
        "score_recommendations": pl.DataFrame(
            {"customer_id": ids.gather(np.repeat(np.arange(n_customers), N_PICKS))}
        ).with_columns(
            product_id=products.gather(picks),
            score=pl.Series(rng.random(n_customers * N_PICKS)),
            source=pl.lit("for_you"),
            model_version=pl.lit("1"),
        ),
        "score_contents": pl.DataFrame(ids).with_columns(
            content_id=pl.lit("a1"), rank=1, source=pl.lit("read_topics"), model_version=pl.lit("1")
        ),
        "score_offer": pl.DataFrame(ids)
        .join(pl.DataFrame({"offer_key": OFFERS}), how="cross")
        .with_columns(
            uplift_order=0.004,
            uplift_margin=0.03,
            uplift_margin_error=0.02,
            is_proven=True,
            model_version=pl.lit("1"),
        ),
        "response": asked.with_columns(
            p_open=0.3,
            p_click=0.05,
            p_purchase=pl.Series(0.05 * rng.beta(1.2, 4, asked.height)),
            unsubscribe_risk=0.001,
        ),
        "personal": pl.DataFrame(ids).with_columns(has_first_name=True, has_city=True),
    }
    empty = (
        *("feat_message_history", "feat_variant_history", "feat_open_delays", "feat_subject_history"),
        "pending_sends",
    )
    return PlanInputs(
        **frames, **{name: empty_frame(name) for name in empty}, **{**catalogue, "messages": messages}
    )


def write_inputs(inputs: PlanInputs, folder: Path) -> None:
    """One Parquet file per frame."""
    for one in fields(inputs):
        getattr(inputs, one.name).write_parquet(folder / f"{one.name}.parquet")


def read_inputs(folder: Path) -> PlanInputs:
    """What `write_inputs` wrote."""
    names = [one.name for one in fields(PlanInputs)]
    return PlanInputs(**{name: pl.read_parquet(folder / f"{name}.parquet") for name in names})


def _messages(catalogue: pl.DataFrame) -> pl.DataFrame:
    """The weekly mail and the triggered ones of highest priority, for everyone and with OFFERS."""
    chosen = pl.concat(
        [
            catalogue.filter(pl.col("trigger_key").is_null()).head(1),
            catalogue.filter(pl.col("trigger_key").is_not_null())
            .sort("priority", "message_key", descending=[True, False])
            .head(N_MESSAGES - 1),
        ]
    )
    return chosen.with_columns(
        audience=pl.lit(list(STAGES)), allowed_offers=pl.lit(list(OFFERS)), control_share=0.0
    )
