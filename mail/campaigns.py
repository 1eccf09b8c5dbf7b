"""Campaigns: a message for the members of segments between two dates. Here: campaigns.yaml and its checks.

Not here: who is due (models/policy/campaigns).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import polars as pl
from pydantic import Field

from mail.errors import Document, Location, nearest, read_yaml, refuse, repeated, validated
from mail.schema import Key, Strict, Text
from mail.segments import LEARNT


class Campaign(Strict):
    """A message brought up for some, for a while, once per customer; it competes with all else that is due.

    Attributes:
        key: name in plans.
        name: name for people.
        message: key of its message.
        segments: keys of marketers' or learnt segments, or life-cycle stages; who is in any of them is reached.
        from_date, to_date: first and last plan date.
        max_customers: most customers reached in all; null for no limit. They are drawn once, by a salted hash.
        waves: shares of the customers that are reached one after the other, with sum 1. The first of several tries all
            subjects alike; what they taught by then chooses in the later ones.
        days_between_waves: from the beginning of one wave to that of the next.
    """

    key: Key
    name: Text
    message: Key
    segments: Annotated[list[Key], Field(min_length=1)]
    from_date: date
    to_date: date
    max_customers: Annotated[int, Field(ge=1)] | None = None
    waves: Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=1, max_length=10)] = (
        1.0,
    )
    days_between_waves: Annotated[int, Field(ge=1, le=30)] = 1


class CampaignFile(Strict):
    """campaigns.yaml"""

    campaigns: list[Campaign]


@dataclass(frozen=True)
class Campaigns:
    """The campaigns of a file, each known to fit the messages and segments there are."""

    entries: tuple[Campaign, ...]

    def frame(self) -> pl.DataFrame:
        """As the input `campaigns` of `models.policy.PlanInputs`."""
        return pl.DataFrame(
            [
                (
                    e.key,
                    e.message,
                    e.segments,
                    e.from_date,
                    e.to_date,
                    e.max_customers,
                    e.waves,
                    e.days_between_waves,
                )
                for e in self.entries
            ],
            schema={
                "campaign_key": pl.String,
                "message_key": pl.String,
                "segment_keys": pl.List(pl.String),
                "from_date": pl.Date,
                "to_date": pl.Date,
                "max_customers": pl.Int64,
                "waves": pl.List(pl.Float64),
                "days_between_waves": pl.Int64,
            },
            orient="row",
        )


def load_campaigns(path: Path, messages: Sequence[str], segments: Sequence[str]) -> Campaigns:
    """Reads campaigns.yaml; a folder without it has none.

    Args:
        path: the file.
        messages: keys of all messages.
        segments: keys of marketers' segments and life-cycle stages; learnt ones are known by how they begin.

    Raises:
        MessageFileError: with one line for each mistake, as `<file>:<line>: <what is wrong>; <what to do>`.
    """
    if not path.exists():
        return Campaigns(())
    document = read_yaml(path)
    entries = validated(document, CampaignFile).campaigns
    refuse(document, "campaigns", _mistakes(document, entries, messages, segments))
    return Campaigns(tuple(entries))


def _mistakes(
    document: Document, entries: list[Campaign], messages: Sequence[str], segments: Sequence[str]
) -> Iterator[tuple[Location, str]]:
    yield from repeated(document, "campaigns", "key", (entry.key for entry in entries))
    for position, entry in enumerate(entries):
        if entry.message not in messages:
            known = nearest(entry.message, list(messages))
            yield (position, "message"), f"unknown message '{entry.message}'; {known}"
        for at, segment in enumerate(entry.segments):
            if segment not in segments and not segment.startswith(LEARNT):
                known = nearest(segment, list(segments))
                yield (position, "segments", at), f"unknown segment '{segment}'; {known}"
        if entry.to_date < entry.from_date:
            yield (position, "to_date"), f"it ends on {entry.to_date}, before it begins; set a later day"
        if not math.isclose(sum(entry.waves), 1.0, abs_tol=1e-6):
            yield (position, "waves"), f"the shares of the waves sum to {sum(entry.waves):g}; make it 1"
        last = entry.from_date + timedelta(days=entry.days_between_waves * (len(entry.waves) - 1))
        if entry.from_date <= entry.to_date < last:
            yield (
                (position, "to_date"),
                f"the last wave begins on {last}, after the end; set a later day or fewer waves",
            )
