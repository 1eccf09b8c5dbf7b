"""The present, as something that can be passed in: the only place below `assets/` that looks at a clock."""

from dataclasses import dataclass
from datetime import UTC, datetime


class Clock:
    """The computer's own clock."""

    def now(self) -> datetime:
        """The present, naive UTC."""
        return datetime.now(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class FixedClock(Clock):
    """A clock that stands still, for replays and tests.

    Attributes:
        at: what it shows, naive UTC.
    """

    at: datetime

    def now(self) -> datetime:
        """What it shows."""
        return self.at
