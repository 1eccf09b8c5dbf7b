"""Made-up days of a plan with their outcomes, whose every policy has a known value. No test in here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl

from models.policy import OPTION_COLUMNS

FIRST_DAY = date(2025, 3, 4)
ARMS = (("cart_abandoned", "none"), ("weekly_picks", "none"), ("weekly_picks", "percent_10"))
NET_VALUE = np.array([[0.9, 0.4, 0.1], [0.2, 0.3, 0.5]])
"""What the plan believes, by kind of customer (new, loyal) and arm; it is wrong of loyal customers."""
MARGIN = np.array([[2.0, 1.0, 0.5], [0.5, 2.5, 1.5]])
"""What comes of it."""
MARGIN_OF_NOTHING = np.array([0.4, 1.2])
EXPLORED = 0.3
"""Share of the plan's choices spread over all arms."""


def logged_days(
    n_customers: int = 600,
    n_days: int = 4,
    *,
    control_share: float = 0.2,
    seed: int = 0,
    frailty: float = 0.5,
    noise: float = 1.0,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Options and outcomes: half the customers are new, half loyal; everyone has the three arms every day.

    Args:
        frailty: standard deviation of what a customer buys more than others, whatever he gets.
    """
    rng = np.random.default_rng(seed)
    kind = np.arange(n_customers) % 2
    is_control = rng.random(n_customers) < control_share
    more = rng.normal(0, frailty, n_customers)
    propensity = np.full((2, 3), EXPLORED / 3)
    propensity[[0, 1], NET_VALUE.argmax(axis=1)] += 1 - EXPLORED
    days = [
        _day(FIRST_DAY + timedelta(days=day), kind, is_control, more, propensity, noise, rng)
        for day in range(n_days)
    ]
    return pl.concat([options for options, _ in days]), pl.concat([outcomes for _, outcomes in days])


def true_value(chances: np.ndarray) -> float:
    """Margin per decision of a policy that takes the arms with these chances (kinds x arms), else nothing."""
    left = 1 - chances.sum(axis=1)
    return float(((chances * MARGIN).sum(axis=1) + left * MARGIN_OF_NOTHING).mean())


def _day(
    day: date,
    kind: np.ndarray,
    is_control: np.ndarray,
    more: np.ndarray,
    propensity: np.ndarray,
    noise: float,
    rng: np.random.Generator,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    n = len(kind)
    ids = [f"c{i:05d}" for i in range(n)]
    arm = (rng.random(n)[:, None] > propensity[kind].cumsum(axis=1)[:, :2]).sum(axis=1)
    margin = np.where(is_control, MARGIN_OF_NOTHING[kind], MARGIN[kind, arm]) + more + rng.normal(0, noise, n)
    by_message = {"cart_abandoned": propensity[:, 0], "weekly_picks": propensity[:, 1] + propensity[:, 2]}
    options = _options(day, ids, kind, propensity, by_message)
    message = [ARMS[a][0] for a in arm]
    chance_of_message = np.array([by_message[m][k] for m, k in zip(message, kind, strict=True)])

    def of_mail(values: Sequence[object] | np.ndarray, dtype: pl.DataType) -> pl.Series:
        return pl.Series([None if c else v for c, v in zip(is_control, values, strict=True)], dtype=dtype)

    outcomes = pl.DataFrame(
        {
            "plan_date": [day] * n,
            "customer_id": ids,
            "action": np.where(is_control, "control", "send"),
            "is_control": is_control,
            "message_key": of_mail(message, pl.String()),
            "offer_key": of_mail([ARMS[a][1] for a in arm], pl.String()),
            "propensity_message": np.where(is_control, 1.0, chance_of_message),
            "propensity_offer": np.where(is_control, 1.0, propensity[kind, arm] / chance_of_message),
            "is_human_open": of_mail(rng.random(n) < 0.3, pl.Boolean()),
            "is_human_click": of_mail(rng.random(n) < 0.1, pl.Boolean()),
            "n_orders": rng.poisson(0.3, n),
            "margin": margin,
            "has_behaviour": True,
            "is_complete": True,
        }
    )
    return options, outcomes


def _options(
    day: date,
    ids: list[str],
    kind: np.ndarray,
    propensity: np.ndarray,
    by_message: dict[str, np.ndarray],
) -> pl.DataFrame:
    n = len(kind)
    message, offer = zip(*ARMS, strict=True)
    given = np.column_stack([by_message[key] for key in message])
    known = pl.DataFrame(
        {
            "plan_date": [day] * (3 * n),
            "customer_id": np.repeat(ids, 3),
            "message_key": message * n,
            "offer_key": offer * n,
            "priority": [90, 20, 20] * n,
            "lifecycle_stage": np.repeat(np.array(["new", "loyal"])[kind], 3),
            "net_value": NET_VALUE[kind].ravel(),
            "propensity": propensity[kind].ravel(),
            "propensity_message": given[kind].ravel(),
            "propensity_offer": (propensity / given)[kind].ravel(),
        }
    )
    return known.select(
        pl.col(name).cast(column.dtype)
        if name in known.columns
        else pl.lit(None, dtype=column.dtype).alias(name)
        for name, column in OPTION_COLUMNS.items()
    )
