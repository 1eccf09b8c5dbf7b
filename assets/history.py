"""How far back the data goes, and the error for days before it."""

from __future__ import annotations

from datetime import date

from assets.home import Home
from assets.landing.layout import days_on_disk

FIRST_DAY = date(1996, 1, 1)
"""Where both calendars begin: a Monday before any data that Sendplan is tried on; a day costs nothing until it is used."""


class NoHistoryError(ValueError):
    """A day was asked for before which nothing is known."""


def first_event_day(home: Home) -> date | None:
    """The first day (UTC) with an event in the raw tables; None where there is no event."""
    return min(days_on_disk(home), default=None)


def require_history(home: Home, before: date, purpose: str) -> date:
    """The first day with events.

    Raises:
        NoHistoryError: no event lies before `before`; the message names the first day that can be planned.
    """
    first = first_event_day(home)
    if first is None:
        raise NoHistoryError(
            f"cannot {purpose}: no event has been landed in {home.landing}; put events.* there"
        )
    if first >= before:
        raise NoHistoryError(
            f"cannot {purpose}: the first event is of {first}, so nothing is known before {before}; "
            f"choose a day after {first}"
        )
    return first
