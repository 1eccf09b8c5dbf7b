"""Small choices under limits with their best solution by an exact solver, and mails with the worth of their hours."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, vstack

from models.policy.limits import Limit, Problem, read_options

KEYS = ("message_key", "offer_key")
OFFERS = ("none", "five", "ten")


def random_problem(
    n_customers: int, seed: int, *, tightness: float = 0.4, n_messages: int = 3, whole_values: bool = False
) -> Problem:
    """Customers who have some of the options each, under a cap of mails, of each message, and of codes and money of each
    offer; each limit is about that share of what everyone together could use."""
    options, limits = random_options(
        n_customers, seed, tightness=tightness, n_messages=n_messages, whole_values=whole_values
    )
    return read_options(options, limits, KEYS)


def random_options(
    n_customers: int, seed: int, *, tightness: float = 0.4, n_messages: int = 3, whole_values: bool = False
) -> tuple[pl.DataFrame, list[Limit]]:
    """As `random_problem`, before it is read."""
    rng = np.random.default_rng(seed)
    every = pl.DataFrame({"customer_id": [f"c{i:03d}" for i in range(n_customers)]})
    messages = [f"m{i}" for i in range(n_messages)]
    options = every.join(pl.DataFrame({"message_key": messages}), how="cross").join(
        pl.DataFrame({"offer_key": OFFERS}), how="cross"
    )
    options = options.filter(pl.Series(rng.random(options.height) < 0.8))
    value = rng.normal(1.0, 1.0, options.height)
    options = options.with_columns(
        value=pl.Series(np.round(value * 3) if whole_values else value),
        cost=pl.Series(np.round(rng.gamma(2.0, 0.4, options.height), 2)) * (pl.col("offer_key") != "none"),
    ).cast({"value": pl.Float64})
    most = {offer: tightness * n_customers * rng.uniform(0.2, 0.8) for offer in OFFERS[1:]}
    limits = [
        Limit("mails", int(tightness * n_customers * rng.uniform(1.0, 2.0))),
        *(
            Limit(
                f"sends of {m}", int(tightness * n_customers * rng.uniform(0.5, 1.5)), of=("message_key", m)
            )
            for m in messages
        ),
        *(Limit(f"codes of {o}", int(most[o]), of=("offer_key", o)) for o in OFFERS[1:]),
        *(Limit(f"cost of {o}", round(most[o] * 0.6, 2), "cost", ("offer_key", o)) for o in OFFERS[1:]),
    ]
    return options, limits


def best_value(problem: Problem) -> float:
    """What the best choice is worth, by HiGHS."""
    n = len(problem.value)
    one_each = csr_array((np.ones(n), (problem.owner, np.arange(n))), shape=(problem.n_customers, n))
    solved = milp(
        -problem.value,
        constraints=LinearConstraint(
            vstack([one_each, problem.uses.T / problem.units[:, None]]),
            ub=np.concatenate([np.ones(problem.n_customers), problem.most / problem.units]),
        ),
        integrality=np.ones(n),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 0.0},
    )
    return -float(solved.fun)


def mails(
    n: int, seed: int, *, n_hours: int = 6, n_zones: int = 3, ties: bool = False
) -> NDArray[np.float64]:
    """Worth of n mails by hour; each zone allows hours of its own, at least one."""
    rng = np.random.default_rng(seed)
    allowed = rng.random((n_zones, n_hours)) < 0.5
    allowed[np.arange(n_zones), rng.integers(0, n_hours, n_zones)] = True
    worth = rng.lognormal(0, 1, (n, 1)) * rng.uniform(0, 1, (n, n_hours))
    worth = np.where(allowed[rng.integers(0, n_zones, n)], worth, np.nan)
    return np.round(worth * 2) if ties else worth


def ids(n: int) -> pl.Series:
    return pl.Series([f"c{i:05d}" for i in range(n)], dtype=pl.String)
