"""A small made-up shop for the policy's tests: frames of any size, seeded. No test in here."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
import polars as pl

from mail.catalogue import load_catalogue
from models.policy import PlanInputs, empty_frame

DAY = date(2025, 3, 4)
MIDNIGHT = datetime.combine(DAY, time())
ZONES = (
    "Europe/London",
    "Europe/Berlin",
    "America/New_York",
    "America/Los_Angeles",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "Pacific/Kiritimati",
    "Pacific/Chatham",
    "America/St_Johns",
    "Mars/Olympus",
    None,
)
STAGES = ("prospect", "new", "active", "loyal", "at_risk", "lapsed")
CATALOGUE = load_catalogue()
TRIGGERS = tuple(message.trigger for message in CATALOGUE.messages.values() if message.trigger)


def world(n: int, *, seed: int = 1, day: date = DAY, n_products: int = 40) -> PlanInputs:
    """Inputs for n customers of every kind: each stage, zone, consent and history, with some of everything
    missing."""
    rng = np.random.default_rng(seed)
    midnight = datetime.combine(day, time())
    ids = [f"c{i:06d}" for i in range(n)]
    stage = rng.choice(STAGES, n)
    bought = stage != "prospect"
    orders = np.where(bought, rng.poisson(3, n) + 1, 0)
    value = np.round(orders * rng.gamma(4, 10, n), 2)
    customers = pl.DataFrame(
        {
            "customer_id": ids,
            "country": pl.Series(rng.choice(["GB", "DE", "US", "XX"], n), dtype=pl.String),
            "lifecycle_stage": pl.Series(stage, dtype=pl.String),
            "n_orders": orders,
            "revenue_total": value,
            "margin_total": np.round(value * 0.4, 2),
            "days_since_last_order": pl.Series(
                [float(d) if b else None for d, b in zip(rng.integers(1, 300, n), bought, strict=True)],
                dtype=pl.Float64,
            ),
            "discount_share": pl.Series(
                [round(float(d), 3) if b else None for d, b in zip(rng.beta(0.6, 1, n), bought, strict=True)],
                dtype=pl.Float64,
            ),
        }
    )
    eligibility = pl.DataFrame(
        {
            "customer_id": ids,
            "has_email": rng.random(n) > 0.02,
            "consent_status": pl.Series(
                rng.choice(["granted", "withdrawn", "unknown"], n, p=[0.9, 0.05, 0.05]), dtype=pl.String
            ),
            "profiling_allowed": rng.random(n) > 0.1,
            "suppression_reason": _choice(
                rng, [None, "unsubscribed", "complaint", "hard_bounce"], n, [0.94, 0.03, 0.01, 0.02]
            ),
            "is_duplicate": rng.random(n) < 0.02,
            "promotion_paused_until": pl.Series(
                [midnight + timedelta(days=int(d)) if d else None for d in rng.choice([0, 0, 0, 0, 5], n)],
                dtype=pl.Datetime("us"),
            ),
            "timezone": _choice(rng, list(ZONES), n),
            "n_sent_1d": rng.choice([0, 1], n, p=[0.9, 0.1]),
            "n_sent_7d": rng.choice([0, 1, 2, 3], n, p=[0.4, 0.3, 0.2, 0.1]),
        }
    )
    product_ids = [f"p{i:03d}" for i in range(n_products)]
    products = pl.DataFrame(
        {
            "product_id": product_ids,
            "name": [f"Product {i}" for i in range(n_products)],
            "category": [("Shoes", "Books", None)[i % 3] for i in range(n_products)],
            "brand": [("Aero", None)[i % 2] for i in range(n_products)],
            "is_available": [i % 9 != 4 for i in range(n_products)],
            "is_sensitive": [i % 7 == 3 for i in range(n_products)],
        }
    )
    triggered = rng.random((n, len(TRIGGERS))) < 0.15
    who, which = np.nonzero(triggered)
    triggers = pl.DataFrame(
        {
            "customer_id": [ids[i] for i in who],
            "trigger_key": [TRIGGERS[i] for i in which],
            "triggered_at": [
                midnight - timedelta(minutes=int(m)) for m in rng.integers(1, 60 * 24 * 5, len(who))
            ],
            "product_ids": pl.Series(
                [
                    [product_ids[p] for p in rng.integers(0, n_products, k)]
                    for k in rng.integers(0, 4, len(who))
                ],
                dtype=pl.List(pl.String),
            ),
        },
        schema_overrides={
            "triggered_at": pl.Datetime("us"),
            "customer_id": pl.String,
            "trigger_key": pl.String,
        },
    )
    history_of = rng.random(n) < 0.3
    history = pl.DataFrame(
        {
            "customer_id": [i for i, h in zip(ids, history_of, strict=True) if h],
            "message_key": "weekly_picks",
            "n_sent_1d": 0,
            "n_sent_7d": 1,
            "last_sent_at": [
                midnight - timedelta(hours=int(h)) for h in rng.integers(1, 400, history_of.sum())
            ],
        },
        schema=dict(empty_frame("feat_message_history").schema),
    )
    variants = CATALOGUE.frames()["message_variants"]
    sent = rng.integers(0, 400, variants.height)
    k = min(6, n_products)
    picks = np.argsort(rng.random((n, n_products)), axis=1)[:, :k]
    recommendations = pl.DataFrame(
        {
            "customer_id": np.repeat(ids, k) if n else [],
            "product_id": [product_ids[p] for p in picks.ravel()],
            "score": np.round(rng.random(n * k), 4),
            "source": _choice(rng, ["buy_again", "for_you", "popular"], n * k),
            "model_version": "7",
        },
        schema={
            "customer_id": pl.String,
            "product_id": pl.String,
            "score": pl.Float64,
            "source": pl.String,
            "model_version": pl.String,
        },
    )
    reached = rng.random(n) < 0.5
    some = [i for i, r in zip(ids, reached, strict=True) if r]
    response = pl.DataFrame(
        [
            {
                "customer_id": customer,
                "message_key": key,
                "p_open": 0.2,
                "p_click": 0.03,
                "p_purchase": float(p),
                "unsubscribe_risk": float(u),
            }
            for key in CATALOGUE.messages
            for customer, p, u in zip(
                some,
                np.round(rng.beta(1, 30, len(some)), 4),
                np.round(rng.beta(1, 500, len(some)), 5),
                strict=True,
            )
        ],
        schema=dict(empty_frame("response").schema),
    )
    frames: dict[str, Any] = {
        "feat_customer": customers,
        "feat_eligibility": eligibility,
        "triggers": triggers,
        "feat_message_history": history,
        **_answers_to_subjects(ids, variants.with_columns(sent=pl.Series(sent)), seed),
        "feat_product": products,
        "feat_basket_pairs": pl.DataFrame(
            {
                "product_id": product_ids,
                "other_product_id": product_ids[1:] + product_ids[:1],
                "lift": [2.0] * n_products,
            }
        ),
        "score_value": pl.DataFrame(
            {
                "customer_id": ids,
                "expected_orders_90d": np.round(rng.gamma(1, 0.5, n), 4),
                "lifetime_value": np.round(rng.gamma(1, 60, n), 2),
                "model_version": "3",
            }
        ),
        "score_churn": pl.DataFrame(
            {"customer_id": ids, "churn_risk": np.round(rng.random(n), 4), "model_version": "4"}
        ),
        "score_send_time": pl.DataFrame(
            {
                "customer_id": ids,
                "p_open_by_hour": pl.Series(
                    list(rng.random((n, 168)).astype(np.float32).round(3)), dtype=pl.List(pl.Float32)
                ),
                "n_sends": rng.integers(0, 60, n),
                "basis": rng.choice(["own sends", "population", "prior"], n),
                "model_version": "5",
            }
        ),
        "score_recommendations": recommendations,
        "score_contents": pl.DataFrame({"customer_id": ids[::2]}).with_columns(
            content_id=pl.lit("a1"), rank=1, source=pl.lit("read_topics"), model_version=pl.lit("9")
        ),
        "score_offer": empty_frame("score_offer"),
        "response": response,
        "personal": pl.DataFrame(
            {"customer_id": ids, "has_first_name": rng.random(n) > 0.3, "has_city": rng.random(n) > 0.5}
        ),
        "pending_sends": empty_frame("pending_sends"),
    }
    return PlanInputs(**{name: _typed(name, frame) for name, frame in frames.items()}, **CATALOGUE.frames())


def _answers_to_subjects(ids: list[str], variants: pl.DataFrame, seed: int) -> dict[str, pl.DataFrame]:
    """What is known of the subjects of two messages; nothing is of the others."""
    rng = np.random.default_rng([seed, 1])
    known = variants.filter(pl.col("message_key").is_in(["cart_abandoned", "weekly_picks"]))
    who, which = np.nonzero(rng.random((len(ids), known.height)) < 0.5)
    n_sent = rng.integers(1, 12, len(who))
    return {
        "feat_variant_history": known.join(
            pl.DataFrame({"segment": ["active", "loyal"]}), how="cross"
        ).select(
            "message_key",
            "subject_variant",
            "segment",
            tone=pl.lit("friendly"),
            age_hours=pl.lit(168),
            n_sent="sent",
            n_human_opens=pl.col("sent") // 5,
        ),
        "feat_open_delays": pl.DataFrame(
            {"delay_hours": [0, 1, 5, 20, 60], "age_hours": [168] * 5, "n_opens": [30, 40, 20, 15, 5]}
        ),
        "feat_subject_history": pl.DataFrame(
            {"customer_id": np.array(ids, dtype=object)[who], "n_sent": n_sent},
            schema={"customer_id": pl.String, "n_sent": pl.Int64},
        ).with_columns(
            known[which].select("message_key", "subject_variant"),
            n_human_opens=pl.Series(rng.binomial(n_sent, 0.3), dtype=pl.Int64),
        ),
    }


def _typed(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    return frame.cast({c: t for c, t in empty_frame(name).schema.items() if c in frame.columns})


def _choice(
    rng: np.random.Generator, values: list[str | None], n: int, p: list[float] | None = None
) -> pl.Series:
    return pl.Series([values[i] for i in rng.choice(len(values), n, p=p)], dtype=pl.String)


def eligible_world(n: int, **options: Any) -> PlanInputs:
    """As `world`, but everyone has consent, an address, no history of mails, and the London clock."""
    inputs = world(n, **options)
    return replace(
        inputs,
        feat_eligibility=inputs.feat_eligibility.with_columns(
            has_email=True,
            consent_status=pl.lit("granted"),
            profiling_allowed=True,
            suppression_reason=pl.lit(None, dtype=pl.String),
            is_duplicate=False,
            promotion_paused_until=pl.lit(None, dtype=pl.Datetime("us")),
            timezone=pl.lit("Europe/London"),
            n_sent_1d=0,
            n_sent_7d=0,
        ),
        feat_message_history=empty_frame("feat_message_history"),
    )
