"""When people read mail and visit the shop: hour-of-week habits in local time, and what they make of a send hour."""

from __future__ import annotations

import numpy as np

from shop.catalogue import Floats, Ints

HOURS = 168
INBOX_LIFE_HOURS = 4.0
LOOK_AHEAD_HOURS = 48
_US_PER_HOUR = 3_600_000_000
_MONDAY_SHIFT_HOURS = 72  # 1970-01-01 was a Thursday.

# Local hours of the two daily moments of reading, by chronotype, with the share of people of that type.
_CHRONOTYPES = (
    (6.8, 20.5, 0.18),
    (8.3, 18.0, 0.26),
    (12.6, 20.8, 0.20),
    (20.3, 12.8, 0.24),
    (22.3, 9.8, 0.12),
)
_SHOPPING_HOURS = (
    *(1.0, 0.5, 0.3, 0.2, 0.2, 0.4, 1.0, 2.0, 3.0, 3.6, 4.0, 4.2),
    *(4.6, 4.4, 4.0, 3.8, 4.0, 4.6, 5.4, 6.6, 7.6, 7.4, 5.2, 2.6),
)


def reading_habits(size: int, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Draw habits for ``size`` people.

    Returns (reading, attention, browsing): reading, size x 168, share of a person's mail reading in each local hour
    of the week from Monday 00:00; attention, size x 168, log of the relative chance that a mail sent in that hour is
    noticed, mean of the chance 1 over the week; browsing, size x 24, cumulative share of shop visits by local hour.
    """
    types = np.array(_CHRONOTYPES)
    kind = rng.choice(len(types), size, p=types[:, 2] / types[:, 2].sum())
    main = types[kind, 0] + rng.normal(0.0, 0.7, size)
    second = types[kind, 1] + rng.normal(0.0, 1.0, size)
    main_share = rng.uniform(0.5, 0.8, size)
    weekend_shift = np.abs(rng.normal(1.0, 0.6, size))
    weekday_weight = np.exp(rng.normal(0.0, 0.2, (size, 7)))
    weekday_weight[:, 5:] *= np.exp(rng.normal(-0.35, 0.5, size))[:, None]
    days = [
        main_share[:, None] * _bump(main + shift, 0.9)
        + (0.93 - main_share)[:, None] * _bump(second + shift, 1.3)
        + 0.07 * _awake()
        for shift in (weekend_shift * (day >= 5) for day in range(7))
    ]
    reading = (np.stack(days, axis=1) * weekday_weight[:, :, None]).reshape(size, HOURS)
    reading /= reading.sum(axis=1, keepdims=True)
    daily = reading.reshape(size, 7, 24).sum(axis=1)
    shopping = 0.5 * daily + 0.5 * np.array(_SHOPPING_HOURS) / sum(_SHOPPING_HOURS)
    return reading, _attention(reading), np.cumsum(shopping, axis=1)


def local_hour_of_week(at_us: Ints, offset_us: Ints) -> Ints:
    """Hour of the local week, 0 = Monday 00:00-01:00, of instants in microseconds since 1970 UTC."""
    hours: Ints = ((at_us + offset_us) // _US_PER_HOUR + _MONDAY_SHIFT_HOURS) % HOURS
    return hours


def draw_reading_delay(reading: Floats, hour: Ints, rng: np.random.Generator) -> Ints:
    """Whole hours from the send hour to the hour of reading, given that the mail is read; one per row."""
    ahead = np.arange(LOOK_AHEAD_HOURS)
    rows = np.arange(len(hour))[:, None]
    weight = reading[rows, (hour[:, None] + ahead) % HOURS] * np.exp(-ahead / INBOX_LIFE_HOURS)
    total = np.cumsum(weight, axis=1)
    delay: Ints = (total < rng.random(len(hour))[:, None] * total[:, -1:]).sum(axis=1)
    return delay


def _attention(reading: Floats) -> Floats:
    """A mail sinks in the inbox: its chance is the reading still to come, discounted by its age."""
    keep = np.exp(-1 / INBOX_LIFE_HOURS)
    chance = np.zeros_like(reading)
    ahead = np.zeros(len(reading))
    for step in range(2 * HOURS - 1, -1, -1):
        ahead = reading[:, step % HOURS] + keep * ahead
        chance[:, step % HOURS] = ahead
    attention: Floats = np.log(chance / chance.mean(axis=1, keepdims=True))
    return attention


def _bump(centre: Floats, width: float) -> Floats:
    distance = np.abs(np.arange(24) + 0.5 - (centre % 24)[:, None])
    distance = np.minimum(distance, 24 - distance)
    bump: Floats = np.exp(-0.5 * (distance / width) ** 2)
    bump /= bump.sum(axis=1, keepdims=True)
    return bump


def _awake() -> Floats:
    hours = np.arange(24)
    awake: Floats = ((hours >= 7) & (hours < 23)).astype(np.float64) / 16
    return awake
