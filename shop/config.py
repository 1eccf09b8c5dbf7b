"""What a simulated shop is asked to be. Only parameters and the random streams that follow from them."""

from __future__ import annotations

import zlib
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Literal, get_args

import numpy as np

SendTime = Literal["waves", "broadcast", "random"]


@dataclass(frozen=True)
class ShopConfig:
    """Parameters of one simulated shop.

    customers: people who have signed up by the last day. days: length of the history in UTC days.
    seed: the same configuration gives the same bytes. start: first UTC day.
    send_time: when the weekly mail goes out. ``broadcast`` = at ``broadcast_hour`` UTC on
    ``broadcast_weekday`` (0 = Monday) for everyone; ``random`` = at a uniform hour of the week per customer
    and week; ``waves`` = the broadcast for 70 % and a random hour for the others, drawn anew each week.
    Raises ValueError, naming the parameter, for values no shop can have.
    """

    customers: int = 5_000
    days: int = 180
    seed: int = 7
    start: date = date(2025, 1, 6)
    send_time: SendTime = "waves"
    broadcast_weekday: int = 1
    broadcast_hour: int = 10

    def __post_init__(self) -> None:
        for name, low, high in (
            ("customers", 1, 1_000_000),
            ("days", 1, 3_650),
            ("seed", 0, 2**32 - 1),
            ("broadcast_weekday", 0, 6),
            ("broadcast_hour", 0, 23),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} is {value}; it must be between {low} and {high}.")
        if self.send_time not in get_args(SendTime):
            raise ValueError(
                f"send_time is {self.send_time!r}; choose one of {', '.join(get_args(SendTime))}."
            )

    @property
    def starts_at(self) -> datetime:
        """First instant of the history, naive UTC."""
        return datetime.combine(self.start, time())

    @property
    def end(self) -> date:
        """First day after the history."""
        return self.start + timedelta(days=self.days)

    def rng(self, stream: str, day: date | None = None) -> np.random.Generator:
        """A generator of its own for each named stream and day, so that a run can be taken up at any day."""
        key = [self.seed, zlib.crc32(stream.encode()), 0 if day is None else day.toordinal()]
        return np.random.default_rng(key)

    def as_json(self) -> dict[str, Any]:
        """The parameters as JSON values."""
        return {**asdict(self), "start": self.start.isoformat()}
