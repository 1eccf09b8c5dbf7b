"""The marketer's files, as the graph sees them: messages, offers and rules read from one folder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from pathlib import Path

import polars as pl

from mail.catalogue import Catalogue, load_catalogue, load_policy
from mail.segments import Audiences, load_audiences
from models.policy.config import PolicyConfig


@dataclass(frozen=True)
class MailFolder:
    """A folder with `messages/*.yaml`, `offers.yaml` and `policy.yaml`, `segments.yaml` if there are any; read anew for
    every plan."""

    path: Path

    def catalogue(self) -> Catalogue:
        """All messages and offers.

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
            control_share=rules.control_share,
            explore_message=rules.exploration.message,
            explore_offer=rules.exploration.offer,
            explore_variant=rules.exploration.subject,
            explore_send_time=rules.exploration.send_time,
            max_products=rules.max_products,
            max_contents=rules.max_articles,
            attribution_days=rules.attribution_days,
            fatigue_cost=rules.fatigue_cost,
            subscription_value_share=rules.subscription_value_share,
            weekly_spread_days=rules.weekly_spread_days,
        )
