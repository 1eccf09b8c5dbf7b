"""What stands in a message, offer, policy or grammar file: fields, limits, defaults.

Here: the pydantic models. Not here: reading.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
Text = Annotated[str, Field(min_length=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):(00|15|30|45)$")]

TriggerKey = Literal[
    "bad_service",
    "checkout_abandoned",
    "cart_abandoned",
    "replenishment",
    "back_in_stock",
    "price_drop",
    "repeated_views",
    "product_comparison",
    "browse_abandoned",
    "welcome",
    "post_purchase_thanks",
    "post_purchase_tips",
    "review_request",
    "cross_sell",
    "birthday",
    "anniversary",
    "nth_order",
    "win_back",
]
Stage = Literal["prospect", "new", "active", "loyal", "at_risk", "lapsed"]
Tone = Literal["warm", "friendly", "brief", "formal", "celebratory"]
Tones = Annotated[
    list[Tone],
    BeforeValidator(lambda tones: [tones] if isinstance(tones, str) else tones),
    Field(min_length=1),
]
"""One tone, or several to try."""
Layout = Literal["hero_grid_article", "hero_grid", "grid_article", "grid", "hero", "article", "text"]
ProductSource = Literal[
    "context", "goes_with", "buy_again", "bought_together", "similar", "for_you", "popular"
]

LAYOUTS: Mapping[str, tuple[int, bool]] = MappingProxyType(
    {
        "hero_grid_article": (2, True),
        "hero_grid": (2, False),
        "grid_article": (2, True),
        "grid": (2, False),
        "hero": (1, False),
        "article": (0, True),
        "text": (0, False),
    }
)
"""Layout -> fewest products it needs, and whether it needs an article."""

EXPLANATION_FACTS: Mapping[str, str] = MappingProxyType(
    {
        "product_name": "Name of the product the mail speaks of.",
        "category": "Its category.",
        "trigger_age": "'14 hours ago' or '3 days ago': from the trigger to the sending.",
        "days_since_last_order": "'34 days'.",
        "n_products": "'4 products': those shown.",
        "n_orders": "'5 orders': placed so far.",
        "sources": "Where the products come from: 'buy again, for you'.",
        "lifecycle_stage": "'loyal', 'at risk'.",
    }
)
"""What an explanation may name in braces; a sentence is used only where all its facts are known."""


class Strict(BaseModel):
    """A part of a file: unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Variant(Strict):
    """One wording. It is used only where every variable it names is known.

    Attributes:
        id: name in plans and tests; keep it while the wording stays the same.
        template: Jinja2 on one line; may name the variables of `mail.variables.VARIABLES`.
        is_urgent: whether a subject says that time is short; null: as its English words say (`mail.wording`).
    """

    id: Key
    template: Text
    is_urgent: bool | None = None


class Needs(Strict):
    """What must be at hand.

    Attributes:
        min_products: fewest products to show.
        context_product: at least one product of the trigger must be fit to be named.
    """

    min_products: Annotated[int, Field(ge=0, le=12)] = 1
    context_product: bool = False


class Message(Strict):
    """One kind of mail.

    Attributes:
        key: name in plans; that of the file.
        name: name for people.
        description: what it is for.
        trigger: what brings it up, or null for a message that is due by itself.
        audience: life-cycle stages that may get it.
        priority: breaks ties between messages worth the same; higher goes first.
        cool_down_days: days before the same person may get it again.
        expected_lift: orders per mail of it over those of an average mail, until its own results say so. Once the shop has
            sent anything, what was never sent is chosen by this.
        uses_profile: its content rests on behaviour; not for who objects to profiling.
        kind: what caps by kind in policy.yaml go by.
        max_per_day: most mails of it in a plan, to all customers together; without it as many as are due.
        is_promotional: whether it sells or asks for something; then it rests after a bad experience with
            service. A message that shows products or carries an offer always does.
        needs_approval: goes out only while an override of kind 'approve' says so (overrides.yaml).
        control_share: share of customers who never get it, so that what it brings can be measured; a group of its own,
            beside the one that gets nothing at all. Raising it keeps all members.
        needs: what must be at hand.
        max_products: most products to show.
        product_sources: 'context' and 'goes_with' first, if named; then recommendations, named sources
            preferred.
        tones: 'default' and, where another fits better, by life-cycle stage; a list is tried out.
        layouts: by preference; the first that can be filled is used, and the last must always be fillable.
        allowed_offers: keys of offers.yaml that it may carry beside none.
        subjects: at least three, one of which names no variable but n_products.
        preheaders: by preference; the last names no variable but n_products.
        explanations: sentences for the marketer, by preference; the last names no fact but n_products.
    """

    key: Key
    name: Text
    description: Text
    trigger: TriggerKey | None
    audience: Annotated[list[Stage], Field(min_length=1)]
    priority: Annotated[int, Field(ge=0, le=100)]
    cool_down_days: Annotated[int, Field(ge=0, le=730)]
    expected_lift: Annotated[float, Field(ge=0.05, le=50)] = 1.0
    uses_profile: bool
    kind: Key = "other"
    max_per_day: Annotated[int, Field(ge=0)] | None = None
    is_promotional: bool = True
    needs_approval: bool = False
    control_share: Share = 0.0
    needs: Needs = Needs()
    max_products: Annotated[int, Field(ge=0, le=12)] = 4
    product_sources: list[ProductSource] = []
    tones: dict[Literal["default"] | Stage, Tones]
    layouts: Annotated[list[Layout], Field(min_length=1)]
    allowed_offers: list[Key] = []
    subjects: Annotated[list[Variant], Field(min_length=3)]
    preheaders: Annotated[list[Variant], Field(min_length=1)]
    explanations: Annotated[list[Text], Field(min_length=1)]


class Family(Strict):
    """Parts of the subjects of one message; see grammar.yaml.

    Attributes:
        limit: most composed subjects that wait for a decision at a time.
        openers, closers, emoji: "" for none; a closer stands behind statements alone.
        statements, questions: bodies, in lower case; questions with their mark.
    """

    limit: Annotated[int, Field(ge=1, le=200)] = 20
    openers: Annotated[list[str], Field(min_length=1, max_length=8)] = [""]
    statements: Annotated[list[Text], Field(max_length=20)] = []
    questions: Annotated[list[Text], Field(max_length=20)] = []
    closers: Annotated[list[str], Field(min_length=1, max_length=8)] = [""]
    emoji: Annotated[list[str], Field(min_length=1, max_length=8)] = [""]


class GrammarFile(Strict):
    """grammar.yaml"""

    families: dict[Key, Family]


class Decision(Strict):
    """What a person decided about a composed subject.

    Attributes:
        message: key of its message.
        id: of the composed subject, from its hash.
        hash: SHA-256 of the template that was decided on.
        template: the same in words, for the reader.
        verdict: approved or rejected.
        by: who decided.
        decided_on: when.
    """

    message: Key
    id: Key
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    template: Text
    verdict: Literal["approved", "rejected"]
    by: Text
    decided_on: date


class ApprovalFile(Strict):
    """approvals.yaml"""

    decisions: list[Decision] = []


class Offer(Strict):
    """Something given with a mail.

    Attributes:
        key: name in plans and message files.
        label: in words, as in a sentence: 'free shipping'. Empty for no offer.
        kind: none, shipping, percent.
        level: how much is given; 0 is nothing. The highest level allowed is the usual one.
        fixed_cost: cost per order, in the shop's currency.
        percent: discount in percent of the order value.
        min_price_sensitivity: share of value bought at a discount (0..1) from which a customer may get it.
        floor_margin: margin that must be left per order, as a share of the order value.
        max_per_day: most mails of a plan that carry it; without it as many as may.
        cost_per_day: most that it may be expected to cost by a plan's mails (chance of an order x cost per order), in the
            shop's currency; without it any.
        coupon_prefix: start of the personal code; null if it needs none.
    """

    key: Key
    label: str
    kind: Literal["none", "shipping", "percent"]
    level: Annotated[int, Field(ge=0, le=10)]
    fixed_cost: Annotated[float, Field(ge=0)] = 0.0
    percent: Annotated[float, Field(ge=0, le=100)] = 0.0
    min_price_sensitivity: Share = 0.0
    floor_margin: Share = 0.0
    max_per_day: Annotated[int, Field(ge=0)] | None = None
    cost_per_day: Annotated[float, Field(ge=0)] | None = None
    coupon_prefix: Annotated[str, Field(pattern=r"^[A-Z0-9]{2,12}$")] | None = None


class OfferFile(Strict):
    """offers.yaml"""

    offers: Annotated[list[Offer], Field(min_length=1)]


class KindCaps(Strict):
    """Most mails of a kind per person: within 24 hours, within 7 days."""

    per_day: Annotated[int, Field(ge=0)] = 1
    per_7_days: Annotated[int, Field(ge=0)] = 3


class Caps(KindCaps):
    """Most mails per person: of all kinds, and by `kind` of message."""

    by_kind: dict[Key, KindCaps] = {}


class Capacity(Strict):
    """Most mails to all customers together: of a plan, and in an hour (UTC); without a number as many as are due.

    Attributes:
        share_per_day: most mails of a plan as a share of the customers who may be mailed. A weekly newsletter comes to 0.14.
        reserve: share of these, of messages' `max_per_day` and of offers' budgets that goes by lot among those who would not
            be served, so that what scarce mails and offers bring can be learnt.
    """

    share_per_day: Share | None = None
    mails_per_day: Annotated[int, Field(ge=0)] | None = None
    mails_per_hour: Annotated[int, Field(ge=0)] | None = None
    reserve: Share = 0.1


class QuietHours(Strict):
    """Local times between which nothing is sent, 'HH:MM' in quarters of an hour; equal times mean none."""

    start: Clock = "21:00"
    end: Clock = "07:00"


class Exploration(Strict):
    """Share of choices made evenly among all that is allowed, to learn from.

    Attributes:
        likely_send_time: share of send times drawn by how likely they are to be the reader's best.
    """

    message: Share = 0.05
    offer: Share = 0.10
    subject: Share = 0.05
    send_time: Share = 0.05
    likely_send_time: Annotated[Share, Field(validate_default=True)] = 0.10

    @field_validator("likely_send_time")
    @classmethod
    def _leaves_room(cls, share: float, others: ValidationInfo) -> float:
        if share + others.data.get("send_time", 0.0) > 1:
            raise ValueError("send_time and likely_send_time are shares and must not exceed 1 together")
        return share


class Limit(Strict):
    """From where on a figure warns, and from where on it stops the plan; null: never."""

    warn: Annotated[float, Field(ge=0, le=1)] | None = None
    block: Annotated[float, Field(ge=0, le=1)] | None = None


class Audits(Strict):
    """What is looked at in every plan before it is published.

    Attributes:
        min_group_size: smallest group of customers of whom a figure is published.
        new_product_days: days from its release on for which a product is new.
        coverage: share of the products fit to be shown that anybody is shown; a limit from below.
        exposure_gini: Gini coefficient of how often each of them is shown: 0 all alike, 1 one alone; from above.
        diversity: mean difference of the products in a mail by category and brand; from below.
        new_products: share of new ones among the products shown; from below.
        send_rate_gap: how far the share of a group (gender, age band) that gets a mail is from that of all others, of
            those who may be mailed; from above.
        offer_rate_gap: the same for the share of mails with an offer.
        value_gap: how far the mean expected margin of a group's mails is from that of all others, as a share of it.
    """

    min_group_size: Annotated[int, Field(ge=5)] = 50
    new_product_days: Annotated[int, Field(ge=1, le=365)] = 30
    coverage: Limit = Limit(warn=0.1)
    exposure_gini: Limit = Limit(warn=0.95)
    diversity: Limit = Limit(warn=0.2)
    new_products: Limit = Limit()
    send_rate_gap: Limit = Limit(warn=0.1)
    offer_rate_gap: Limit = Limit(warn=0.1)
    value_gap: Limit = Limit(warn=0.25)


class PolicyFile(Strict):
    """policy.yaml

    Attributes:
        salt: makes control group, draws and coupons this shop's own; changing it reshuffles them.
        window_start_utc: UTC time at which a plan's 24 hours of sending begin, 'HH:MM'.
        caps, capacity, quiet_hours, exploration: see there.
        holidays_rest: whether promotional messages rest on the public holidays of the recipient's country.
        personalisation: 'full', or 'discreet': what is known of a person chooses the mail, but no subject or preheader
            names it: no product, brand, category, place or past order.
        control_share: share of customers never mailed, to measure what mailing brings.
        max_products: most products in one mail.
        max_articles: most articles in one mail.
        attribution_days: an order so many days after a mail counts as its success.
        mail_price: what a mail must earn to go out at all, in the shop's currency; not asked
            before the shop has sent anything.
        fatigue_cost: what it must earn more per mail of the last 7 days.
        subscription_value_share: share of what a customer is worth that is lost when he unsubscribes.
        weekly_spread_days: days over which messages without trigger are spread; 1 sends them to all on one
            day.
        audits: limits of what a plan may do to products and groups of people.
    """

    salt: Text
    window_start_utc: Clock = "02:00"
    caps: Caps = Caps()
    capacity: Capacity = Capacity()
    quiet_hours: QuietHours = QuietHours()
    exploration: Exploration = Exploration()
    holidays_rest: bool = False
    personalisation: Literal["full", "discreet"] = "full"
    control_share: Share = 0.05
    max_products: Annotated[int, Field(ge=1, le=12)] = 4
    max_articles: Annotated[int, Field(ge=0, le=3)] = 1
    attribution_days: Annotated[int, Field(ge=1, le=30)] = 5
    mail_price: Annotated[float, Field(ge=0)] = 0.05
    fatigue_cost: Annotated[float, Field(ge=0)] = 0.05
    subscription_value_share: Share = 0.2
    weekly_spread_days: Annotated[int, Field(ge=1, le=7)] = 1
    audits: Audits = Audits()
