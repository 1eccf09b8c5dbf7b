"""What a policy is: a function from the options of a day to the chance of each. Its answer checked; policies with a name.

Not here: reading a policy from a file (`pipelines.policies`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType

import numpy as np
import polars as pl

from models.evaluation.metrics import FloatArray
from models.evaluation.off_policy.inference import cluster_totals
from models.evaluation.plan_policy.log import PlanLog

Policy = Callable[[pl.DataFrame], pl.DataFrame]
"""From the options of one day to their customer_id, message_key, offer_key and probability. Options that are left out have
the probability 0; what is left to 1 is the chance that a customer gets nothing."""

_KEY = ["customer_id", "message_key", "offer_key"]
_TOLERANCE = 1e-6


class PolicyError(ValueError):
    """A policy's answer cannot be; the text says what, where and what to do."""


def logged(options: pl.DataFrame) -> pl.DataFrame:
    """The plan's own, for customers outside the control group."""
    return options.select(*_KEY, probability="propensity")


def greedy(options: pl.DataFrame) -> pl.DataFrame:
    """Always the option of highest net value, of equals that of higher priority, then the first by key."""
    ranked = options.sort(
        "customer_id",
        *("net_value", "priority", "message_key", "offer_key"),
        descending=[False, True, True, False, False],
    )
    return ranked.unique("customer_id", keep="first", maintain_order=True).select(
        *_KEY, probability=pl.lit(1.0)
    )


def nothing(options: pl.DataFrame) -> pl.DataFrame:
    """No mail to anyone."""
    return options.select(*_KEY, probability=pl.lit(0.0))


NAMED: Mapping[str, Policy] = MappingProxyType({"logged": logged, "greedy": greedy, "nothing": nothing})
"""Policies that need no file."""


def policy_chances(policy: Policy, log: PlanLog) -> tuple[FloatArray, FloatArray]:
    """The chance that a policy gives to each option of a log, and to nothing in each decision.

    The policy is asked day by day, so that it can know nothing of a later one.

    Raises:
        PolicyError: its answer cannot be, or it sends nothing on a day that has no control group to judge that by.
    """
    days = log.options.partition_by("plan_date", maintain_order=True)
    chance = np.concatenate([_of_day(policy, day) for day in days])
    total = cluster_totals(log.decision, chance, len(log))
    is_whole = np.abs(total - 1.0) <= _TOLERANCE
    chance = chance / np.where(is_whole, total, 1.0)[log.decision]
    nothing_at_all = np.where(is_whole, 0.0, 1.0 - total)
    unseen = (nothing_at_all > 0) & (log.hold_chance == 0)
    if unseen.any():
        days_unseen = sorted(set(log.days.filter(pl.Series(unseen))))
        raise PolicyError(
            f"the policy sends nothing in {nothing_at_all[unseen].sum():,.0f} decisions of {days_unseen[0]} "
            f"({len(days_unseen)} such day(s)), where nobody was left without a mail by chance, so that the log cannot say "
            "what nothing earns; let its probabilities sum to 1 for every customer, leave these days out with --from and "
            "--to, or keep a control group (control_share in policy.yaml) and try again later"
        )
    return chance, nothing_at_all


def _of_day(policy: Policy, options: pl.DataFrame) -> FloatArray:
    """The chance of each option of a day, in their order."""
    day: date = options["plan_date"][0]
    answer = _checked(policy(options), options, day)
    joined = options.select(_KEY).join(answer, on=_KEY, how="left", maintain_order="left")
    return joined["probability"].fill_null(0.0).to_numpy()


def _checked(answer: object, options: pl.DataFrame, day: date) -> pl.DataFrame:
    if not isinstance(answer, pl.DataFrame):
        remedy = "add .collect()" if isinstance(answer, pl.LazyFrame) else "return options.with_columns(...)"
        raise PolicyError(
            f"{day}: the policy returned a {type(answer).__name__}, not a polars.DataFrame; {remedy}"
        )
    missing = [name for name in (*_KEY, "probability") if name not in answer.columns]
    if missing:
        raise PolicyError(
            f"{day}: the policy's frame lacks the column(s) {', '.join(missing)} (it has {', '.join(answer.columns)}); "
            "return the options with a column probability"
        )
    if not (answer.schema["probability"].is_numeric() or answer.schema["probability"] == pl.Boolean):
        raise PolicyError(
            f"{day}: probability is {answer.schema['probability']}; make it a number from 0 to 1"
        )
    wrong_keys = [name for name in _KEY if answer.schema[name] != pl.String]
    if wrong_keys:
        raise PolicyError(
            f"{day}: {wrong_keys[0]} is {answer.schema[wrong_keys[0]]}, not text; return it as it was given"
        )
    found = answer.select(*_KEY, pl.col("probability").cast(pl.Float64))
    outside = ~pl.col("probability").is_between(0.0, 1.0 + _TOLERANCE).fill_null(False)
    _refuse(found.filter(outside), day, "has the probability {probability}", "give a number from 0 to 1")
    _refuse(
        found.filter(pl.struct(_KEY).is_duplicated()),
        day,
        "stands there more than once",
        "return each option once",
    )
    _refuse(
        found.join(options, on=_KEY, how="anti"),
        day,
        "is not among the options",
        "return only rows of the frame that is given: nothing else was allowed that day",
    )
    sums = found.group_by("customer_id").agg(pl.col("probability").sum()).sort("customer_id")
    over = sums.filter(pl.col("probability") > 1 + _TOLERANCE)
    if over.height:
        raise PolicyError(
            f"{day}: the probabilities of customer {over['customer_id'][0]} sum to {over['probability'][0]:.6g} "
            f"({over.height} of {sums.height} customers sum to more than 1); divide them by their sum per customer_id"
        )
    return found


def _refuse(wrong: pl.DataFrame, day: date, what: str, remedy: str) -> None:
    if wrong.height:
        first = wrong.sort(_KEY).row(0, named=True)
        raise PolicyError(
            f"{day}: the option {first['message_key']}, {first['offer_key']} of customer {first['customer_id']} "
            f"{what.format(**first)} ({wrong.height} row(s)); {remedy}"
        )
