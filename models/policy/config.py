"""The numbers a policy is run with.

Here: their names, units and limits. Not here: where they come from (mail/policy.yaml).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta

RULES_VERSION = "limits-1"
SLOT_MINUTES = 15


@dataclass(frozen=True, slots=True)
class PolicyConfig:
    """One plan date and the rules for it.

    Attributes:
        plan_date: the day planned for; everything known is from before its 00:00 UTC.
        salt: makes hashes (control group, draws, coupons, ids) this shop's own; changing it reshuffles all
            of them.
        window_start: UTC time of `plan_date` from which 24 hours of sending begin.
        quiet_start, quiet_end: local wall-clock times between which nothing is sent; multiples of 15 minutes;
            equal times mean no quiet hours.
        max_sends_per_day: most mails in the 24 hours before the plan date, pending ones included, to still
            send.
        max_sends_per_7_days: the same over 7 days.
        caps_by_kind: for a kind of message, the most mails of that kind per person in 24 hours and in 7 days.
        mails_per_day: most mails of a plan, to all customers together; None: as many as there are.
        mailed_share: most mails of a plan as a share of the customers who may be mailed, 0 to 1; None: as many as there are.
        mails_per_hour: most mails in an hour of UTC; None: as many as there are.
        reserve: share of every limit of the day that goes by lot, so that who gets something scarce has a known chance.
        holidays_rest: whether promotional messages rest where the plan date is a public holiday.
        hidden_variables: of `variants.VARIABLES`, those that no subject may name, whether known or not.
        control_share: share of customers who are never mailed, 0 to 1.
        explore_message, explore_offer, explore_variant, explore_send_time: share of choices drawn uniformly
            from what is allowed, so that every allowed choice has a known chance.
        sample_send_time: share of send times drawn by the chance that they are the best, see `timing`.
        hour_opens: opens that what is known of everybody's hours is worth; the more, the less likely another than the best.
        max_products: most products in one mail.
        max_contents: most articles in one mail.
        attribution_days: an order this many days after a mail counts as its success.
        mail_price: what a mail must earn to go out at all, in the shop's currency.
        fatigue_cost: what it must earn more per mail of the last 7 days.
        subscription_value_share: share of lifetime value that is lost with the subscription; the rest is bought
            without mail.
        shrinkage_orders: number of orders at which a customer's own average weighs as much as everyone's.
        weekly_spread_days: days over which messages without trigger are spread by customer; 1 means no
            spreading.
        variant_draws: samples of what is believed of subjects and tones, for Thompson sampling.
    """

    plan_date: date
    salt: str = "sendplan"
    window_start: time = time(2, 0)
    quiet_start: time = time(21, 0)
    quiet_end: time = time(7, 0)
    max_sends_per_day: int = 1
    max_sends_per_7_days: int = 3
    caps_by_kind: tuple[tuple[str, int, int], ...] = ()
    mails_per_day: int | None = None
    mailed_share: float | None = None
    mails_per_hour: int | None = None
    reserve: float = 0.1
    holidays_rest: bool = False
    hidden_variables: tuple[str, ...] = ()
    control_share: float = 0.05
    explore_message: float = 0.05
    explore_offer: float = 0.10
    explore_variant: float = 0.10
    explore_send_time: float = 0.10
    sample_send_time: float = 0.1
    hour_opens: float = 30.0
    max_products: int = 4
    max_contents: int = 1
    attribution_days: int = 5
    mail_price: float = 0.0
    fatigue_cost: float = 0.01
    subscription_value_share: float = 0.2
    shrinkage_orders: float = 2.0
    weekly_spread_days: int = 1
    variant_draws: int = 10_000

    def __post_init__(self) -> None:
        """Raises ValueError naming the first setting that is out of its limits."""
        for name in (
            "control_share",
            "subscription_value_share",
            "explore_message",
            "explore_offer",
            "explore_variant",
            "explore_send_time",
            "sample_send_time",
            "reserve",
            "mailed_share",
        ):
            if not 0.0 <= (getattr(self, name) or 0.0) <= 1.0:
                raise ValueError(
                    f"{name} is {getattr(self, name)}; it is a share and must lie between 0 and 1"
                )
        counts = {
            name: getattr(self, name)
            for name in (
                "max_sends_per_day",
                "max_sends_per_7_days",
                "max_contents",
                "mails_per_day",
                "mails_per_hour",
            )
        }
        counts |= {f"a cap of kind '{kind}'": min(most) for kind, *most in self.caps_by_kind}
        for name, most in counts.items():
            if most is not None and most < 0:
                raise ValueError(f"{name} is {most}; it must be 0 or more")
        for name in ("max_products", "attribution_days", "weekly_spread_days", "variant_draws"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        if self.explore_send_time + self.sample_send_time > 1.0:
            raise ValueError(
                "explore_send_time and sample_send_time are shares and must not exceed 1 together"
            )
        if not self.hour_opens > 0:
            raise ValueError(f"hour_opens is {self.hour_opens}; it must be more than 0")
        if self.mail_price < 0 or self.fatigue_cost < 0 or self.shrinkage_orders <= 0:
            raise ValueError("mail_price and fatigue_cost must be 0 or more and shrinkage_orders more than 0")
        for name in ("window_start", "quiet_start", "quiet_end"):
            value = getattr(self, name)
            if value.minute % SLOT_MINUTES or value.second or value.microsecond:
                raise ValueError(
                    f"{name} is {value}; it must be a multiple of {SLOT_MINUTES} minutes, as 21:00 or 21:15"
                )

    @property
    def window(self) -> tuple[datetime, datetime]:
        """First moment of sending and the first moment after it, naive UTC."""
        start = datetime.combine(self.plan_date, self.window_start)
        return start, start + timedelta(days=1)

    @property
    def seed(self) -> str:
        """Seed of the day's draws."""
        return f"{self.salt}|{self.plan_date.isoformat()}"

    @property
    def version(self) -> str:
        """Name of the rules and a fingerprint of every setting but the date."""
        settings = "|".join(
            f"{f.name}={getattr(self, f.name)}" for f in fields(self) if f.name != "plan_date"
        )
        return f"{RULES_VERSION}+{hashlib.sha256(settings.encode()).hexdigest()[:8]}"
