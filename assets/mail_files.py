"""The marketer's files, as the graph sees them: messages, offers and rules read from one folder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import get_args

import polars as pl

from assets.audiences import documented_customers
from mail.campaigns import Campaigns, load_campaigns
from mail.catalogue import Catalogue, load_catalogue, load_policy
from mail.overrides import Overrides, load_overrides
from mail.schema import Stage
from mail.segments import Audiences, load_audiences
from mail.variables import LEARNT
from models.evaluation.audits import AUDITED, AuditLimits, Limit
from models.policy.config import PolicyConfig


@dataclass(frozen=True)
class MailFolder:
    """A folder with `messages/*.yaml`, `offers.yaml` and `policy.yaml`; with `segments.yaml`, `grammar.yaml`,
    `approvals.yaml`, `overrides.yaml` and `campaigns.yaml` if there are any; read anew for every plan."""

    path: Path

    def catalogue(self) -> Catalogue:
        """All messages, with their approved composed subjects, and offers.

        Raises:
            mail.errors.MessageFileError: naming file, line and remedy of every mistake.
        """
        return load_catalogue(self.path / "messages", self.path / "offers.yaml")

    def audiences(self, customers: pl.DataFrame) -> Audiences:
        """The marketer's own segments, checked against the columns of `customers`.

        Raises:
            mail.errors.MessageFileError: naming file, line and remedy of every mistake.
        """
        return load_audiences(customers, self.path / "segments.yaml")

    @property
    def overrides_file(self) -> Path:
        """What people have decided; need not be there."""
        return self.path / "overrides.yaml"

    def overrides(self) -> Overrides:
        """What people have decided over the policy's head.

        Raises:
            mail.errors.MessageFileError: naming file, line and remedy of every mistake.
        """
        return load_overrides(self.overrides_file, list(self.catalogue().messages), self.segment_keys())

    def campaigns(self) -> Campaigns:
        """The campaigns.

        Raises:
            mail.errors.MessageFileError: naming file, line and remedy of every mistake.
        """
        keys = list(self.catalogue().messages)
        return load_campaigns(self.path / "campaigns.yaml", keys, self.segment_keys())

    def segment_keys(self) -> list[str]:
        """What a scope may name: the marketer's own segments and the life-cycle stages; learnt ones come and go.

        Raises:
            mail.errors.MessageFileError: naming file, line and remedy of every mistake.
        """
        own = self.audiences(documented_customers()).audiences
        return [*(audience.key for audience in own), *get_args(Stage)]

    def audit_limits(self) -> AuditLimits:
        """What a plan is audited against.

        Raises:
            mail.errors.MessageFileError: naming file, line and remedy of every mistake.
        """
        audits = load_policy(self.path / "policy.yaml").audits
        limits = {name: Limit(limit.warn, limit.block) for name, limit in audits if name in AUDITED}
        return AuditLimits(audits.min_group_size, audits.new_product_days, limits)

    def policy(self, day: date) -> PolicyConfig:
        """The rules for one plan date.

        Raises:
            mail.errors.MessageFileError: naming file, line and remedy of every mistake.
        """
        rules = load_policy(self.path / "policy.yaml")
        return PolicyConfig(
            plan_date=day,
            salt=rules.salt,
            window_start=time.fromisoformat(rules.window_start_utc),
            quiet_start=time.fromisoformat(rules.quiet_hours.start),
            quiet_end=time.fromisoformat(rules.quiet_hours.end),
            max_sends_per_day=rules.caps.per_day,
            max_sends_per_7_days=rules.caps.per_7_days,
            caps_by_kind=tuple(
                (kind, caps.per_day, caps.per_7_days) for kind, caps in sorted(rules.caps.by_kind.items())
            ),
            mails_per_day=rules.capacity.mails_per_day,
            mailed_share=rules.capacity.share_per_day,
            mails_per_hour=rules.capacity.mails_per_hour,
            holidays_rest=rules.holidays_rest,
            hidden_variables=LEARNT if rules.personalisation == "discreet" else (),
            reserve=rules.capacity.reserve,
            control_share=rules.control_share,
            explore_message=rules.exploration.message,
            explore_offer=rules.exploration.offer,
            explore_variant=rules.exploration.subject,
            explore_send_time=rules.exploration.send_time,
            sample_send_time=rules.exploration.likely_send_time,
            max_products=rules.max_products,
            max_contents=rules.max_articles,
            attribution_days=rules.attribution_days,
            mail_price=rules.mail_price,
            fatigue_cost=rules.fatigue_cost,
            subscription_value_share=rules.subscription_value_share,
            weekly_spread_days=rules.weekly_spread_days,
        )
