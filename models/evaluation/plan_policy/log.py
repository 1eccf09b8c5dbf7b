"""The plan's options and what came of its choices, as one log of decisions.

A decision is a customer-day on which the plan could mail and the day had room for it (propensity_ticket is the chance of
that; figures are about those who had room). What was done is one of the options (message and offer), or
nothing, the hold arm. The plan never holds such a customer back; who gets nothing is a member of the control
group, which is drawn at random. So each day's control group is the hold arm, and with s for its share of that day's
decisions

    chance of nothing     s
    chance of an option   (1 - s) x its propensity

s is the share that came up, not the one that was set: weights then average 1 in either arm each day, which is more precise
(Hirano, Imbens and Ridder 2003, "Efficient estimation of average treatment effects using the estimated propensity score"),
and it holds also where unsubscribing or caps keep back the mailed, who then have fewer decisions than members of the control
group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.evaluation.metrics import FloatArray
from models.policy.options import OPTION_COLUMNS

OUTCOME_COLUMNS = (
    *("plan_date", "customer_id", "action", "is_control", "message_key", "offer_key"),
    *("propensity_message", "propensity_offer", "has_behaviour", "is_complete"),
)
"""Columns of the outcomes table that are needed, beside that of the reward: one row per plan row. What became of a customer
who refuses profiling (`has_behaviour` false) is not looked at."""

REWARDS: Mapping[str, str] = MappingProxyType(
    {"margin": "margin", "orders": "n_orders", "clicks": "is_human_click", "opens": "is_human_open"}
)
"""What a policy can be judged by, and the column of the outcomes that holds it."""

_OF_MAIL = ("clicks", "opens")
"""Rewards that are nothing where there was no mail, so that a null is a 0."""

_TOLERANCE = 1e-6
_DAY = ["plan_date", "customer_id"]
_OPTION = [*_DAY, "message_key", "offer_key"]


class PlanLogError(ValueError):
    """Options and outcomes are not of one plan, or not complete; the text says what, where and what to do."""


@dataclass(frozen=True, eq=False, slots=True)
class PlanLog:
    """Decisions and all that could have been done instead.

    Attributes:
        options: sorted by plan_date and customer_id; `OPTION_COLUMNS`.
        customers: customer_id of each decision, in the order of the options.
        days: its plan_date.
        decision: of each option, the number of its decision.
        done: of each decision, the row of the option that was taken; -1 for nothing.
        chance: of each option, with which it came to be done, membership of the control group left to chance.
        hold_chance: of each decision, of nothing.
        reward: of each decision.
        is_control: of each decision, whether the customer is in the control group.
        member_share: of the control group among all customers planned for, whether they could be mailed or not.
        left_out: days without complete outcomes.
        n_unobserved: customer-days left out because the customer refuses profiling.
    """

    options: pl.DataFrame
    customers: pl.Series
    days: pl.Series
    decision: NDArray[np.int64]
    done: NDArray[np.int64]
    chance: FloatArray
    hold_chance: FloatArray
    reward: FloatArray
    is_control: NDArray[np.bool_]
    member_share: float
    left_out: tuple[date, ...]
    n_unobserved: int

    def __len__(self) -> int:
        return len(self.reward)


def plan_log(options: pl.DataFrame, outcomes: pl.DataFrame, reward: str = "margin") -> PlanLog:
    """The log of all days whose outcomes are complete.

    Args:
        options: of `options_frame`, of one day or several.
        outcomes: one row per row of the plan, with `OUTCOME_COLUMNS` and the column of the reward.
        reward: one of `REWARDS`.

    Raises:
        PlanLogError: a missing column, no complete day, or tables that do not belong together.
    """
    if reward not in REWARDS:
        raise PlanLogError(f"there is no reward '{reward}'; choose one of {', '.join(REWARDS)}")
    column = REWARDS[reward]
    _require(options, OPTION_COLUMNS, "options")
    _require(outcomes, [*OUTCOME_COLUMNS, column], "outcomes")
    options, outcomes, left_out = _complete_days(options, outcomes)
    _refuse_repeated(outcomes, _DAY, "outcomes")
    unobserved = outcomes.filter(~pl.col("has_behaviour").fill_null(False))
    outcomes = outcomes.join(unobserved, on=_DAY, how="anti", maintain_order="left")
    n_unobserved = options.select(_DAY).unique().join(unobserved, on=_DAY, how="semi").height
    options = options.select(list(OPTION_COLUMNS)).join(unobserved, on=_DAY, how="anti").sort(_OPTION)
    _refuse_repeated(options, _OPTION, "options")
    if options.is_empty():
        raise PlanLogError("no customer could be mailed on these days; name other days")

    options = options.with_columns(_row=pl.int_range(pl.len()), _decision=_number(_DAY))
    decisions = _decisions(options, outcomes, column)
    value = decisions["reward"].fill_null(0.0) if reward in _OF_MAIL else decisions["reward"]
    _refuse(
        decisions,
        value.is_null() | value.is_nan(),
        f"has no {column}",
        "make the outcomes of that day anew: a reward must be known on every row of a complete day",
    )
    share = decisions["share"].to_numpy()
    number = options["_decision"].to_numpy()
    return PlanLog(
        options=options.drop("_row", "_decision"),
        customers=decisions["customer_id"],
        days=decisions["plan_date"],
        decision=number,
        done=decisions["row"].to_numpy(),
        chance=(1.0 - share)[number] * options["propensity"].to_numpy(),
        hold_chance=share,
        reward=value.to_numpy(),
        is_control=decisions["is_control"].to_numpy(),
        member_share=_mean(outcomes["is_control"]),
        left_out=left_out,
        n_unobserved=n_unobserved,
    )


def _complete_days(
    options: pl.DataFrame, outcomes: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame, tuple[date, ...]]:
    """The rows of days that both have and whose outcomes are all in; the days left out."""
    complete = outcomes.group_by("plan_date").agg(pl.col("is_complete").all()).filter("is_complete")
    days = set(options["plan_date"]) & set(complete["plan_date"])
    every = sorted(set(options["plan_date"]) | set(outcomes["plan_date"]))
    if not days:
        said = f"{every[0]} to {every[-1]}" if every else "no day at all"
        raise PlanLogError(
            f"there is no day with options and complete outcomes ({said}); wait until the outcome window of a plan is over, "
            "or name other days"
        )
    inside = pl.col("plan_date").is_in(sorted(days))
    return options.filter(inside), outcomes.filter(inside), tuple(day for day in every if day not in days)


def _decisions(options: pl.DataFrame, outcomes: pl.DataFrame, reward: str) -> pl.DataFrame:
    """One row per decision, sorted as the options: plan_date, customer_id, reward, is_control, row of the option taken (-1:
    nothing), share of the control group on its day."""
    offered = options.group_by(_DAY, maintain_order=True).agg(
        sum=pl.col("propensity").sum(), least=pl.col("propensity").min()
    )
    _refuse(
        offered,
        ~((offered["least"] >= 0) & ((offered["sum"] - 1).abs() <= _TOLERANCE)).fill_null(False),
        "has options whose propensities are missing, negative or do not sum to 1",
        "plan that day anew",
    )
    taken = options.select(
        *_OPTION,
        row="_row",
        logged=pl.col("propensity_message") * pl.col("propensity_offer"),
    )
    happened = outcomes.select(
        *_OPTION,
        "action",
        "is_control",
        planned=pl.col("propensity_message") * pl.col("propensity_offer"),
        reward=pl.col(reward).cast(pl.Float64),
    )
    is_ours = (pl.col("action") == "send") | ((pl.col("action") == "control") & pl.col("is_control"))
    stray = happened.filter(is_ours).join(offered, on=_DAY, how="anti").sort(_DAY)
    _refuse(
        stray,
        pl.repeat(True, stray.height, eager=True),
        "could be mailed and has no options",
        "the day was planned before options were kept, or anew since: plan it anew, or leave it out with --from and --to",
    )
    found = offered.join(happened, on=_DAY, how="left", maintain_order="left")
    _refuse(
        found,
        found["action"].is_null(),
        "has options and no outcome",
        "make the outcomes of that day anew, after its plan",
    )
    found = found.join(taken, on=_OPTION, how="left", maintain_order="left")
    is_send = found["action"] == "send"
    _refuse(
        found,
        is_send & ~((found["logged"] - found["planned"]).abs() <= _TOLERANCE).fill_null(False),
        "got what is not among its options, or with another chance",
        "outcomes and options are of different plans of that day: make its outcomes anew",
    )
    _refuse(
        found,
        is_send == found["is_control"],
        "was mailed as a member of the control group, or left without a mail though it is none",
        "outcomes and options are of different plans of that day: make its outcomes anew",
    )
    return found.with_columns(
        row=pl.when(is_send).then(pl.col("row")).otherwise(-1).cast(pl.Int64),
        share=pl.col("is_control").cast(pl.Float64).mean().over("plan_date"),
    )


def _number(columns: Sequence[str]) -> pl.Expr:
    """Numbers of groups that stand together, from 0 on."""
    return (pl.struct(columns).rle_id()).cast(pl.Int64)


def _mean(flags: pl.Series) -> float:
    return float(flags.cast(pl.Float64).to_numpy().mean())


def _require(frame: pl.DataFrame, columns: Sequence[str] | Mapping[str, object], name: str) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise PlanLogError(
            f"the {name} lack the column(s) {', '.join(missing)}; make them anew with this version of Sendplan"
        )


def _refuse_repeated(frame: pl.DataFrame, key: list[str], name: str) -> None:
    repeated = frame.filter(pl.struct(key).is_duplicated())
    if repeated.height:
        first = " ".join(str(value) for value in repeated.select(key).row(0))
        raise PlanLogError(f"the {name} have {repeated.height} rows that share their key, the first {first}")


def _refuse(frame: pl.DataFrame, is_wrong: pl.Series, what: str, remedy: str) -> None:
    wrong = frame.filter(is_wrong)
    if wrong.height:
        first = wrong.row(0, named=True)
        raise PlanLogError(
            f"customer {first['customer_id']} of {first['plan_date']} {what} ({wrong.height} of {frame.height}); {remedy}"
        )
