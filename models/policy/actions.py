"""Message and offer for everyone at once: as much worth as the day's limits allow, with a known chance for each choice.

The plan under limits (assignment) says what is best for each customer; tickets say what is open to whom, so that drawing
breaks no limit; each customer then draws among what is open to him. Not here: who may be mailed (constraints), what a
message is worth (values), which offers are allowed (offers), wording and hours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from models.features import FloatArray
from models.policy.assignment import assign
from models.policy.choice import draw_one
from models.policy.config import PolicyConfig
from models.policy.limits import BoolArray, IntArray, Limit, read_options
from models.policy.offers import NO_OFFER, offer_chances
from models.policy.short_keys import spelled_out
from models.policy.tickets import tickets

_CUSTOMER = ["customer_id"]
_MAIL = ["customer_id", "message_key"]
_PER_PRIORITY = 1e-7  # money: of messages worth the same that of higher priority goes first
_PER_PERSON = 1e4  # money: what a person has chosen takes room before all else
_PER_LEVEL = 1e-6  # money: under the rule the usual offer goes before the others, whatever it costs


CHOSEN_BY = (
    "customer_id",
    "message_key",
    "net_value",
    "mail_value",
    "p_purchase",
    "priority",
    "is_forced",
)
"""Columns of candidates that a choice reads."""


@dataclass(frozen=True, eq=False, slots=True)
class Actions:
    """What is chosen, among what, and how much room was left.

    Attributes:
        options: what was open, of `options_of`, and propensity_ticket, propensity_message, propensity_offer,
            is_best_message, is_best_offer; the product of the two latter chances sums to 1 per customer. What else is known
            of them stands with the candidates.
        chosen: one of these rows per customer, those of the control group among them.
        worth: customer_id, worth: value of his best open option, which hangs on no draw but that of tickets.
        without_room: customers with options of whom none was open today.
        lotteries: customer_id, lottery_chance, of everyone with options; see `Tickets`.
        resources: resource, limit, use (of the plan), at_most (whatever is drawn), price (margin that one more would bring).
        relative_gap: the most by which another plan within the limits could be better, as a share.
    """

    options: pl.DataFrame
    chosen: pl.DataFrame
    worth: pl.DataFrame
    without_room: pl.Series
    lotteries: pl.DataFrame
    resources: pl.DataFrame
    relative_gap: float


def limits_of(
    messages: pl.DataFrame, offers: pl.DataFrame, n_mailable: int, config: PolicyConfig
) -> list[Limit]:
    """The limits of a day: mails in all, of each message, with each offer, and what each offer may cost.

    Args:
        n_mailable: customers whom the law and the address allow to be mailed, what `mailed_share` is a share of.
    """
    limits = []
    most_mails = [] if config.mails_per_day is None else [config.mails_per_day]
    if config.mailed_share is not None:
        most_mails.append(math.ceil(round(config.mailed_share * n_mailable, 6)))
    if most_mails:
        limits.append(Limit("mails", min(most_mails)))
    for key, most in messages.select("message_key", "max_per_day").drop_nulls().iter_rows():
        limits.append(Limit(f"mails of {key}", most, of=("message_key", key)))
    given = offers.filter(pl.col("offer_key") != NO_OFFER)
    for key, most in given.select("offer_key", "max_per_day").drop_nulls().iter_rows():
        limits.append(Limit(f"mails with {key}", most, of=("offer_key", key)))
    for key, most in given.select("offer_key", "cost_per_day").drop_nulls().iter_rows():
        limits.append(Limit(f"cost of {key}", most, amount="expected_offer_cost", of=("offer_key", key)))
    return limits


def options_of(feasible: pl.DataFrame, allowed: pl.DataFrame) -> pl.DataFrame:
    """One row per customer, message and offer that may be chosen, with `value`, by which is chosen.

    The value is what the mail is expected to earn with the offer. Where a rule chooses the offer, that is what it earns with
    the usual one, and a hair less with any other.

    Args:
        feasible: CHOSEN_BY of the candidates that may go out: net_value (with the usual offer), mail_value (without any),
            p_purchase, priority, is_forced (chosen by a person); and u_message, u_offer of the customer.
        allowed: what `allowed_offers` finds for them.

    Returns:
        customer_id, message_key, offer_key (sorted by them), offer_cost, offer_uplift, offer_margin, offer_margin_error,
        is_offer_rule, u_message, u_offer, value, expected_offer_cost.
    """
    by_rule = pl.col("net_value") - _PER_LEVEL * (~pl.col("is_usual_offer")).cast(pl.Float64)
    return (
        feasible.join(allowed, on=_MAIL)
        .select(
            *(*_MAIL, "offer_key"),
            *("offer_cost", "offer_uplift", "offer_margin", "offer_margin_error", "is_offer_rule"),
            *("u_message", "u_offer"),
            value=pl.when("is_offer_rule")
            .then(by_rule)
            .otherwise(pl.col("mail_value") + pl.col("offer_margin"))
            + _PER_PRIORITY * pl.col("priority")
            + _PER_PERSON * pl.col("is_forced").cast(pl.Float64),
            expected_offer_cost=(pl.col("p_purchase") + pl.col("offer_uplift")).clip(0.0, 1.0)
            * pl.col("offer_cost"),
        )
        .sort(*_MAIL, "offer_key")
    )


def choose_actions(options: pl.DataFrame, limits: list[Limit], config: PolicyConfig) -> Actions:
    """Message and offer of every customer.

    Each customer's best is what the plan gives him, or, if that is nothing, what is worth most at the plan's prices of what
    the lottery opened to him. With chance `explore_message` it is any message open to him, evenly; the offer is drawn by
    `offer_chances` among those open with that message.

    Args:
        options: of `options_of`; keys may be short ones.
        limits: of `limits_of`.
        config: for the shares of exploration, `reserve` and the seed.
    """
    problem = read_options(options, limits, ("message_key", "offer_key"))
    reserve = config.reserve if limits else 0.0
    plan = assign(problem, share=1.0 - reserve)
    given = tickets(problem, plan, reserve=reserve, seed=config.seed)
    surplus = problem.value - problem.uses @ (plan.prices / problem.units)
    weighed = _with_chances(given.options.with_columns(surplus=pl.Series(surplus)), config)
    message = draw_one(
        weighed.unique(_MAIL, keep="first", maintain_order=True),
        by=_CUSTOMER,
        order=["message_key"],
        chance="propensity_message",
        uniform="u_message",
    )
    chosen = draw_one(
        weighed.join(message.select(_MAIL), on=_MAIL),
        by=_MAIL,
        order=["offer_key"],
        chance="propensity_offer",
        uniform="u_offer",
    )
    worth = weighed.group_by("customer_id").agg(worth=pl.col("value").max()).sort("customer_id")
    without_room = given.customers.join(chosen, on="customer_id", how="anti", maintain_order="left")
    return Actions(
        spelled_out(weighed),
        spelled_out(chosen.sort("customer_id")),
        spelled_out(worth),
        spelled_out(without_room).get_column("customer_id"),
        spelled_out(given.customers),
        plan.resources.join(given.use.select("resource", "at_most"), on="resource", maintain_order="left"),
        plan.relative_gap,
    )


def _with_chances(options: pl.DataFrame, config: PolicyConfig) -> pl.DataFrame:
    """What is open, with is_best_message, is_best_offer (of the message), propensity_message and propensity_offer.

    The best is what is planned, else what has most surplus, else the first.

    Args:
        options: sorted by customer, message and offer.
    """
    can = options.filter("is_open").drop("is_open")
    score = can.select(pl.when("is_planned").then(float("inf")).otherwise("surplus")).to_series().to_numpy()
    customer, mail = _numbered(can, _CUSTOMER), _numbered(can, _MAIL)
    best = mail[_is_first_highest(score, customer)]
    mails_of = np.bincount(customer[np.diff(mail, prepend=-1) > 0], minlength=len(best))
    is_best = mail == best[customer]
    explored = config.explore_message / mails_of[customer]
    weighed = can.drop("surplus", "is_planned").with_columns(
        is_best_offer=pl.Series(_is_first_highest(score, mail)),
        is_best_message=pl.Series(is_best),
        propensity_message=pl.Series(explored + (1.0 - config.explore_message) * is_best),
    )
    return weighed.with_columns(offer_chances(weighed, config))


def _numbered(rows: pl.DataFrame, by: list[str]) -> IntArray:
    """The number of each row's group, from 0, rows of a group standing together."""
    return rows.select(pl.struct(by).rle_id().cast(pl.Int64)).to_series().to_numpy()


def _is_first_highest(score: FloatArray, group: IntArray) -> BoolArray:
    """Marks the first highest score of each group, of those numbered by `_numbered`."""
    is_first = np.zeros(len(score), dtype=np.bool_)
    if len(score):
        highest = np.maximum.reduceat(score, np.flatnonzero(np.diff(group, prepend=-1)))
        rows = np.flatnonzero(score == highest[group])
        is_first[rows[np.diff(group[rows], prepend=-1) > 0]] = True
    return is_first
