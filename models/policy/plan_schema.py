"""What `decide` returns: every column with its type and meaning, and the vocabulary of reasons.

Not here: how they come about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import polars as pl


@dataclass(frozen=True, slots=True)
class Column:
    """Type and meaning of a column; money is in the shop's currency."""

    dtype: pl.DataType
    meaning: str


_TEXT = pl.String()
_TEXTS = pl.List(pl.String)
_NUMBER = pl.Float64()
_TIME = pl.Datetime("us")

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "no_email": "There is no e-mail address.",
        "unsubscribed": "The person has unsubscribed.",
        "complaint": "The person has reported a mail as spam.",
        "hard_bounce": "The address does not exist.",
        "no_consent": "Consent to e-mail marketing is not on file, or withdrawn.",
        "duplicate": "The same e-mail address belongs to another customer, who is the one mailed.",
        "held_by_person": "A person has put him, or every message that would do, on hold.",
        "frequency_cap": "As many mails as allowed have been sent in the last day or the last 7 days.",
        "no_candidate": "No message fits, or none has enough products to show.",
        "cool_down": "Every message that fits has been sent too recently.",
        "kind_cap": "As many mails as allowed of each kind that fits have been sent in the last day or the last 7 days.",
        "promotion_paused": "Had a bad experience with service lately; nothing but promotion would be due.",
        "holiday": "A public holiday where the person lives; nothing but promotion would be due.",
        "no_allowed_time": "The whole day is quiet time where the person lives.",
        "message_control": "Would be mailed, but belongs to the control group of every message that is worth it.",
        "awaiting_approval": "Every message that fits needs the approval of a person.",
        "negative_value": "Every message that fits is expected to bring less than a mail must.",
        "no_room": "The day's limits of mails, messages or offers have gone to others, where they earn more, and by lot.",
        "no_hour": "Every hour in which it might go out is full of mails that earn more.",
        "control": "Would be mailed, but belongs to the control group.",
        "trigger": "Sent because of something the person did or a date of theirs.",
        "life_cycle": "Sent because the message is due at this stage of the life cycle.",
        "campaign": "Sent because of a campaign.",
        "chosen_by_person": "Sent because a person has chosen the message.",
        "exploration": "Sent as a test in place of the message valued most.",
    }
)
"""Reason codes: first those of holding back, in the order in which they are tested, then those of sending."""

PLAN_COLUMNS: Mapping[str, Column] = MappingProxyType(
    {
        "plan_date": Column(pl.Date(), "Day planned for."),
        "customer_id": Column(_TEXT, "One row for every customer known."),
        "action": Column(
            _TEXT, "send, hold, or control: would be sent, but is held back to measure the effect."
        ),
        "reason": Column(_TEXT, "Code of why this action; see Reasons."),
        "message_key": Column(
            _TEXT, "Message sent. Null, as all that follows from it, unless the action is send."
        ),
        "trigger_key": Column(_TEXT, "Trigger behind the message; null for messages that need none."),
        "campaign_key": Column(_TEXT, "Campaign behind the message; null for all others."),
        "triggered_at": Column(_TIME, "When the trigger came about (UTC)."),
        "lifecycle_stage": Column(_TEXT, "prospect, new, active, loyal, at_risk or lapsed."),
        "segment": Column(_TEXT, "Life-cycle stage and band of lifetime value, readable."),
        "days_since_last_order": Column(
            _NUMBER, "Days from the last order to the plan date; null without one."
        ),
        "n_orders": Column(pl.Int64(), "Orders placed before the plan date."),
        "is_control": Column(pl.Boolean(), "Member of the control group, whatever the action."),
        "override_id": Column(
            _TEXT, "Override by a person that chose, approved or held; null where none had a part in it."
        ),
        "overridden_by": Column(_TEXT, "Who made it."),
        "ready_message_keys": Column(
            _TEXTS, "Messages that could have gone out, by key; those of the next column among them."
        ),
        "withheld_message_keys": Column(
            _TEXTS, "Those of them held back by the control group of the message alone."
        ),
        "control_message_key": Column(
            _TEXT,
            "Message that was held back from a member of the control group; null unless the action is control.",
        ),
        "send_at": Column(_TIME, "Minute of sending (UTC)."),
        "send_at_local": Column(_TIME, "Minute of sending on the recipient's clock."),
        "timezone": Column(_TEXT, "Recipient's IANA time zone."),
        "timezone_basis": Column(_TEXT, "own, country (its usual zone) or utc (nothing known)."),
        "send_time_basis": Column(
            _TEXT, "What the hour rests on: own sends (opened or not), visits, population or prior."
        ),
        "tone": Column(_TEXT, "Tone of voice."),
        "subject_variant": Column(_TEXT, "Subject line used."),
        "layout": Column(_TEXT, "Layout of the body."),
        "subject_product_id": Column(_TEXT, "Product the mail speaks of; never a sensitive one."),
        "product_ids": Column(
            _TEXTS, "Products shown, in order: the trigger's, what goes with them, then by score."
        ),
        "product_sources": Column(_TEXTS, "Where each product comes from, in the same order."),
        "product_scores": Column(
            pl.List(pl.Float64), "Recommendation score of each; null for trigger products."
        ),
        "content_ids": Column(_TEXTS, "Articles shown; empty if the layout has none."),
        "offer_key": Column(_TEXT, "Offer, or none."),
        "coupon": Column(_TEXT, "Personal code; null where the offer needs none."),
        "p_open": Column(_NUMBER, "Chance of a human open; null without e-mail history."),
        "p_click": Column(_NUMBER, "Chance of a click; null without e-mail history."),
        "p_purchase": Column(
            _NUMBER,
            "Chance of an order in the attribution window that a click in the mail leads to, without what the offer adds.",
        ),
        "p_purchase_basis": Column(
            _TEXT,
            "response model, or own purchase rate: 1 - exp(-expected_orders_90d x days / 90), mail or not.",
        ),
        "order_value": Column(_NUMBER, "Revenue of an order of theirs, shrunk to everyone's."),
        "margin_per_order": Column(_NUMBER, "Margin of an order of theirs, shrunk to everyone's."),
        "price_sensitivity": Column(
            _NUMBER, "Share of value bought at a discount, shrunk to everyone's, 0 to 1."
        ),
        "offer_cost": Column(_NUMBER, "Cost of the offer per order."),
        "offer_uplift": Column(
            _NUMBER, "What the offer adds to the chance of an order; 0 where no randomised send has shown it."
        ),
        "offer_margin": Column(
            _NUMBER,
            "What the offer adds to the mail's margin, net of what it costs; where its effect is unknown the cost alone: "
            "-p_purchase x offer_cost.",
        ),
        "unsubscribe_cost": Column(
            _NUMBER,
            "unsubscribe_risk x share of worth that hangs on the mails x lifetime_value; 0 if unknown.",
        ),
        "fatigue_cost": Column(
            _NUMBER,
            "Price of one more mail: mail_price, if mails were ever sent, and fatigue_cost per mail of the last 7 days.",
        ),
        "n_sent_7d": Column(
            pl.Int64(),
            "Mails of the last 7 days, pending ones included; for the control group those held back.",
        ),
        "expected_margin": Column(
            _NUMBER,
            "p_purchase x margin_per_order + offer_margin - unsubscribe_cost - fatigue_cost.",
        ),
        "lifetime_value": Column(_NUMBER, "Expected margin of the next 365 days."),
        "churn_risk": Column(_NUMBER, "Chance of no order within 90 days."),
        "unsubscribe_risk": Column(
            _NUMBER, "Chance that this mail loses the subscriber; null without e-mail history."
        ),
        "propensity": Column(
            _NUMBER,
            "Chance with which the whole action was chosen, given membership of the control group: product of the "
            "factors that follow; for hold and control that of propensity_ticket alone.",
        ),
        "propensity_ticket": Column(
            _NUMBER,
            "Chance with which what is limited (mails, a message, an offer) was open to them or, for no_room, was not; "
            "1 without a lottery.",
        ),
        "propensity_message": Column(_NUMBER, "Chance of the message, among those open to them."),
        "propensity_offer": Column(_NUMBER, "Chance of the offer, given the message."),
        "propensity_variant": Column(_NUMBER, "Chance of subject and tone, given message and offer."),
        "propensity_send_time": Column(
            _NUMBER,
            "Chance of the hour: of the recipient's clock, or of UTC where hours take no more than so many mails.",
        ),
        "propensity_mc_error": Column(
            _NUMBER,
            "Standard error of propensity_variant against a posterior sampled without end; 0 where nothing is sampled.",
        ),
        "explored": Column(pl.Boolean(), "Some part of the action is not what is held for best today."),
        "explanation": Column(_TEXT, "The decision in a sentence."),
        "policy_version": Column(_TEXT, "Version of the rules and fingerprint of their settings."),
        "model_versions": Column(_TEXT, "Registry version of each model, as JSON."),
        "message_id": Column(_TEXT, "Identity of this mail in sending, tracking and attribution."),
    }
)
