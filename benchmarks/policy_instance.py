"""Options, limits and hours of a large shop, made of random numbers: what a choice under limits is measured on.

Customers differ in what they are worth (log-normal); a message differs in whom it suits; an offer sells more and costs margin.
Limits are shares of what would be used without any, so that an instance of any size is equally scarce.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.policy.limits import Limit

KEYS = ("message_key", "offer_key")
OFFERS = {
    "none": (0.0, 0.0),
    "free_shipping": (0.10, 4.0),
    "five_percent": (0.12, 3.0),
    "ten_percent": (0.25, 7.0),
    "gift": (0.18, 5.0),
}
"""Of each offer: how much more is bought on average, and what an order then costs."""

N_MESSAGES = 6
HOURS = 24
ZONES = 12


@dataclass(frozen=True)
class Instance:
    """A day's question.

    Attributes:
        options: customer_id, `KEYS`, value, expected_cost; messages x offers rows per customer.
        limits: a mail capacity, a cap for each message, codes and money for each offer: 15 in all.
        worth: customers x hours, share of the value that a mail keeps in that UTC hour; NaN where it is not allowed.
        hour_capacity: mails in each UTC hour.
    """

    options: pl.DataFrame
    limits: list[Limit]
    worth: NDArray[np.float64]
    hour_capacity: NDArray[np.int64]


def make_instance(n_customers: int, seed: int = 7) -> Instance:
    """The instance of so many customers."""
    rng = np.random.default_rng(seed)
    ids = pl.Series([f"c{i:07d}" for i in range(n_customers)])
    messages = [f"message_{i}" for i in range(N_MESSAGES)]
    lift = np.array([more for more, _ in OFFERS.values()])
    cost = np.array([price for _, price in OFFERS.values()])

    margin = rng.lognormal(2.8, 0.5, n_customers)
    p_purchase = 0.08 * rng.beta(1.2, 4, (n_customers, N_MESSAGES))
    sensitivity = rng.gamma(2.0, 0.5, (n_customers, 1)) * lift
    p = np.minimum(p_purchase[:, :, None] * (1 + sensitivity[:, None, :]), 1.0)
    cost_per_order = cost * rng.uniform(0.6, 1.4, (n_customers, 1))
    expected_cost = p * cost_per_order[:, None, :]
    value = p * margin[:, None, None] - expected_cost - rng.gamma(1.0, 0.02, n_customers)[:, None, None]
    options = pl.DataFrame(
        {
            "customer_id": ids.gather(np.repeat(np.arange(n_customers, dtype=np.uint32), value[0].size)),
            "message_key": pl.Series(np.tile(np.repeat(messages, len(OFFERS)), n_customers)),
            "offer_key": pl.Series(np.tile(list(OFFERS), n_customers * N_MESSAGES)),
            "value": value.reshape(-1),
            "expected_cost": expected_cost.reshape(-1),
        }
    )
    return Instance(options, _limits(n_customers, messages), *_hours(n_customers, rng))


def _limits(n: int, messages: list[str]) -> list[Limit]:
    offers = [offer for offer in OFFERS if offer != "none"]
    return [
        Limit("mails", n * 5 // 10),
        *(Limit(f"sends of {m}", n * (7 + i) // 100, of=("message_key", m)) for i, m in enumerate(messages)),
        *(Limit(f"codes of {o}", n * (1 + i) // 100, of=("offer_key", o)) for i, o in enumerate(offers)),
        *(Limit(f"cost of {o}", n * 0.0035, "expected_cost", ("offer_key", o)) for o in offers),
    ]


def _hours(n: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A reader is awake for 14 hours of his zone's day, most are so at the same time, and each has an hour he likes."""
    zone = rng.choice(ZONES, n, p=np.arange(ZONES, 0, -1) / (ZONES * (ZONES + 1) / 2))
    hour = (np.arange(HOURS) - zone[:, None]) % HOURS
    favourite = np.clip(rng.normal(8.0, 3.0, n), 0, 13)[:, None]
    worth = np.exp(-((hour - favourite) ** 2) / 18.0) * rng.uniform(0.8, 1.0, (n, HOURS))
    worth = np.where(hour < 14, worth / worth.max(axis=1, keepdims=True), np.nan)
    return np.clip(worth, 0.0, 1.0), np.full(HOURS, n * 30 // 1000, dtype=np.int64)
