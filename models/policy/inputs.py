"""What a plan is made from: the frames, their columns and types, one order of rows. Not here: any rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType

import polars as pl

_TEXT = pl.String()
_TEXTS = pl.List(pl.String)
_TIME = pl.Datetime("us")
_COUNT = pl.Int64()
_NUMBER = pl.Float64()
_FLAG = pl.Boolean()


WORDING: Mapping[str, pl.DataType] = MappingProxyType(
    {
        "has_emoji": _FLAG,
        "is_question": _FLAG,
        "is_urgent": _FLAG,
        "is_personal": _FLAG,
        "names_product": _FLAG,
        "names_brand": _FLAG,
        "names_offer": _FLAG,
        "length": _TEXT,
    }
)
"""Factors of a subject line; `mail.wording.Wording` holds the same names with their meaning."""


@dataclass(frozen=True, slots=True)
class FrameSpec:
    """Key columns (unique, and the order of the rows) and the types of every column the policy reads."""

    key: tuple[str, ...]
    columns: Mapping[str, pl.DataType]


FRAMES: Mapping[str, FrameSpec] = MappingProxyType(
    {
        "feat_customer": FrameSpec(
            ("customer_id",),
            {
                "customer_id": _TEXT,
                "country": _TEXT,
                "lifecycle_stage": _TEXT,
                "n_orders": _COUNT,
                "revenue_total": _NUMBER,
                "margin_total": _NUMBER,
                "days_since_last_order": _NUMBER,
                "discount_share": _NUMBER,
            },
        ),
        "feat_eligibility": FrameSpec(
            ("customer_id",),
            {
                "customer_id": _TEXT,
                "has_email": _FLAG,
                "consent_status": _TEXT,
                "profiling_allowed": _FLAG,
                "suppression_reason": _TEXT,
                "is_duplicate": _FLAG,
                "promotion_paused_until": _TIME,
                "timezone": _TEXT,
                "n_sent_1d": _COUNT,
                "n_sent_7d": _COUNT,
            },
        ),
        "triggers": FrameSpec(
            ("customer_id", "trigger_key"),
            {"customer_id": _TEXT, "trigger_key": _TEXT, "triggered_at": _TIME, "product_ids": _TEXTS},
        ),
        "feat_message_history": FrameSpec(
            ("customer_id", "message_key"),
            {
                "customer_id": _TEXT,
                "message_key": _TEXT,
                "n_sent_1d": _COUNT,
                "n_sent_7d": _COUNT,
                "last_sent_at": _TIME,
            },
        ),
        "feat_variant_history": FrameSpec(
            ("message_key", "subject_variant", "tone", "segment", "age_hours"),
            {
                "message_key": _TEXT,
                "subject_variant": _TEXT,
                "tone": _TEXT,
                "segment": _TEXT,
                "age_hours": _COUNT,
                "n_sent": _COUNT,
                "n_human_opens": _COUNT,
            },
        ),
        "feat_open_delays": FrameSpec(
            ("delay_hours", "age_hours"),
            {"delay_hours": _COUNT, "age_hours": _COUNT, "n_opens": _COUNT},
        ),
        "feat_subject_history": FrameSpec(
            ("customer_id", "message_key", "subject_variant"),
            {
                "customer_id": _TEXT,
                "message_key": _TEXT,
                "subject_variant": _TEXT,
                "n_sent": _COUNT,
                "n_human_opens": _COUNT,
            },
        ),
        "feat_product": FrameSpec(
            ("product_id",),
            {
                "product_id": _TEXT,
                "name": _TEXT,
                "category": _TEXT,
                "brand": _TEXT,
                "is_available": _FLAG,
                "is_sensitive": _FLAG,
            },
        ),
        "feat_basket_pairs": FrameSpec(
            ("product_id", "other_product_id"),
            {"product_id": _TEXT, "other_product_id": _TEXT, "lift": _NUMBER},
        ),
        "score_value": FrameSpec(
            ("customer_id",),
            {
                "customer_id": _TEXT,
                "expected_orders_90d": _NUMBER,
                "lifetime_value": _NUMBER,
                "model_version": _TEXT,
            },
        ),
        "score_churn": FrameSpec(
            ("customer_id",), {"customer_id": _TEXT, "churn_risk": _NUMBER, "model_version": _TEXT}
        ),
        "score_send_time": FrameSpec(
            ("customer_id",),
            {
                "customer_id": _TEXT,
                "p_open_by_hour": pl.List(pl.Float32),
                "n_sends": _COUNT,
                "basis": _TEXT,
                "model_version": _TEXT,
            },
        ),
        "score_recommendations": FrameSpec(
            ("customer_id", "product_id"),
            {
                "customer_id": _TEXT,
                "product_id": _TEXT,
                "score": _NUMBER,
                "source": _TEXT,
                "model_version": _TEXT,
            },
        ),
        "score_contents": FrameSpec(
            ("customer_id", "content_id"),
            {
                "customer_id": _TEXT,
                "content_id": _TEXT,
                "rank": _COUNT,
                "source": _TEXT,
                "model_version": _TEXT,
            },
        ),
        "score_offer": FrameSpec(
            ("customer_id", "offer_key"),
            {
                "customer_id": _TEXT,
                "offer_key": _TEXT,
                "uplift_order": _NUMBER,
                "uplift_margin": _NUMBER,
                "uplift_margin_error": _NUMBER,
                "is_proven": _FLAG,
                "model_version": _TEXT,
            },
        ),
        "response": FrameSpec(
            ("customer_id", "message_key"),
            {
                "customer_id": _TEXT,
                "message_key": _TEXT,
                "p_open": _NUMBER,
                "p_click": _NUMBER,
                "p_purchase": _NUMBER,
                "unsubscribe_risk": _NUMBER,
            },
        ),
        "personal": FrameSpec(
            ("customer_id",), {"customer_id": _TEXT, "has_first_name": _FLAG, "has_city": _FLAG}
        ),
        "messages": FrameSpec(
            ("message_key",),
            {
                "message_key": _TEXT,
                "name": _TEXT,
                "trigger_key": _TEXT,
                "audience": _TEXTS,
                "priority": _COUNT,
                "cool_down_days": _COUNT,
                "uses_profile": _FLAG,
                "kind": _TEXT,
                "max_per_day": _COUNT,
                "is_promotional": _FLAG,
                "needs_approval": _FLAG,
                "control_share": _NUMBER,
                "min_products": _COUNT,
                "max_products": _COUNT,
                "needs_context_product": _FLAG,
                "product_sources": _TEXTS,
                "allowed_offers": _TEXTS,
                "explanations": _TEXTS,
            },
        ),
        "message_variants": FrameSpec(
            ("message_key", "subject_variant"),
            {"message_key": _TEXT, "subject_variant": _TEXT, "needs": _TEXTS, **WORDING},
        ),
        "message_layouts": FrameSpec(
            ("message_key", "position"),
            {
                "message_key": _TEXT,
                "position": _COUNT,
                "layout": _TEXT,
                "min_products": _COUNT,
                "has_article": _FLAG,
            },
        ),
        "message_tones": FrameSpec(
            ("message_key", "lifecycle_stage", "tone"),
            {"message_key": _TEXT, "lifecycle_stage": _TEXT, "tone": _TEXT},
        ),
        "offers": FrameSpec(
            ("offer_key",),
            {
                "offer_key": _TEXT,
                "label": _TEXT,
                "level": _COUNT,
                "fixed_cost": _NUMBER,
                "percent": _NUMBER,
                "min_price_sensitivity": _NUMBER,
                "floor_margin": _NUMBER,
                "max_per_day": _COUNT,
                "cost_per_day": _NUMBER,
                "coupon_prefix": _TEXT,
            },
        ),
        "pending_sends": FrameSpec(
            ("customer_id", "message_key", "send_at"),
            {"customer_id": _TEXT, "message_key": _TEXT, "send_at": _TIME},
        ),
        "segments": FrameSpec(("customer_id", "segment_key"), {"customer_id": _TEXT, "segment_key": _TEXT}),
        "overrides": FrameSpec(
            ("override_id",),
            {
                "override_id": _TEXT,
                "kind": _TEXT,
                "message_key": _TEXT,
                "segment_key": _TEXT,
                "customer_id": _TEXT,
                "replacement_key": _TEXT,
                "from_date": pl.Date(),
                "to_date": pl.Date(),
                "who": _TEXT,
                "made_at": _TIME,
                "why": _TEXT,
            },
        ),
        "campaigns": FrameSpec(
            ("campaign_key",),
            {
                "campaign_key": _TEXT,
                "message_key": _TEXT,
                "segment_keys": _TEXTS,
                "from_date": pl.Date(),
                "to_date": pl.Date(),
                "max_customers": _COUNT,
                "waves": pl.List(_NUMBER),
                "days_between_waves": _COUNT,
            },
        ),
    }
)


def empty_frame(name: str) -> pl.DataFrame:
    """A frame of `PlanInputs` with its columns and no rows."""
    return pl.DataFrame(schema=dict(FRAMES[name].columns))


def _prepared(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    spec = FRAMES[name]
    missing = [column for column in spec.columns if column not in frame.columns]
    if missing:
        raise ValueError(
            f"plan input {name} lacks the column(s) {', '.join(missing)}; it has {', '.join(frame.columns)}"
        )
    frame = frame.select(pl.col(column).cast(dtype) for column, dtype in spec.columns.items()).sort(spec.key)
    repeated = frame.select(spec.key).is_duplicated().sum()
    if repeated:
        raise ValueError(
            f"plan input {name} has {repeated} rows that share a ({', '.join(spec.key)}); it must be unique"
        )
    return frame


@dataclass(frozen=True)
class PlanInputs:
    """Every frame a plan is made from. On construction each is cut to the columns of `FRAMES`, cast and
    sorted by its
    key, so that neither the order nor the number type of what is passed changes a plan. All times are naive
    UTC.

    `feat_*`, `triggers`, `score_*`: as in the data contract, for the plan date alone; other columns are
    ignored. `response`: chance of open, click and purchase and risk of unsubscribing by customer and
    message; null or no row
        where there is no e-mail history.
    `personal`: whether a usable first name and city are known, by customer; never the names.
    `messages`, `message_variants`, `message_layouts`, `message_tones`, `offers`:
    `mail.catalogue.Catalogue.frames()`. `pending_sends`: mails already decided that no Email Sent event
    shows yet, such as the outbox's.
    `segments`: who is in which learnt or marketer's segment. `overrides`, `campaigns`: what people ask for, see
    `mail.overrides`, `mail.campaigns`; a scope that is null is everyone or everything.

    Raises:
        ValueError: a missing column or a repeated key, naming the frame.
    """

    feat_customer: pl.DataFrame
    feat_eligibility: pl.DataFrame
    triggers: pl.DataFrame
    feat_message_history: pl.DataFrame
    feat_variant_history: pl.DataFrame
    feat_open_delays: pl.DataFrame
    feat_subject_history: pl.DataFrame
    feat_product: pl.DataFrame
    feat_basket_pairs: pl.DataFrame
    score_value: pl.DataFrame
    score_churn: pl.DataFrame
    score_send_time: pl.DataFrame
    score_recommendations: pl.DataFrame
    score_contents: pl.DataFrame
    score_offer: pl.DataFrame
    response: pl.DataFrame
    personal: pl.DataFrame
    messages: pl.DataFrame
    message_variants: pl.DataFrame
    message_layouts: pl.DataFrame
    message_tones: pl.DataFrame
    offers: pl.DataFrame
    pending_sends: pl.DataFrame
    segments: pl.DataFrame = field(default_factory=lambda: empty_frame("segments"))
    overrides: pl.DataFrame = field(default_factory=lambda: empty_frame("overrides"))
    campaigns: pl.DataFrame = field(default_factory=lambda: empty_frame("campaigns"))

    def __post_init__(self) -> None:
        for one in fields(self):
            object.__setattr__(self, one.name, _prepared(one.name, getattr(self, one.name)))
