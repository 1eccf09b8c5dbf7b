"""How a customer answers a message: rates of opening, clicking, ordering and leaving, from past sends.

A click takes an open and an order a click, so each is a rate among those who came so far: opens are many and tell customers
apart, clicks per open tell messages apart, and orders that nobody clicked for are not the mail's.

Here: hierarchical empirical-Bayes rates by customer and message. Not here: when he opens (`send_time`), what an order
is worth (`value`), which message is chosen (`models.policy`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
import polars as pl

from models.model import NotFittedError, require
from models.shrinkage import FloatArray, expit, logit, prior_strength, shrink

HISTORY = (
    "customer_id",
    "message_key",
    "n_sent",
    "n_human_opens",
    "n_clicks",
    "n_click_orders",
    "n_unsubscribes",
    "n_complaints",
)
NO_HISTORY = "no e-mail history"


@dataclass(frozen=True)
class Outcome:
    """An answer to a message.

    Attributes:
        column: of the chance of it per send.
        count: column of `_answers` that counts it.
        among: column of `_answers` that counts those it is a share of.
        prior_rate: share to expect of any shop.
        after: outcome whose chance it is multiplied with, as it takes that one; None where it is a share of sends.
    """

    column: str
    count: str
    among: str
    prior_rate: float
    after: str | None = None


OUTCOMES = (
    Outcome("p_open", "opened", "n_sent", 0.20),
    Outcome("p_click", "clicked", "opened", 0.12, after="p_open"),
    Outcome("p_purchase", "ordered", "clicked", 0.15, after="p_click"),
    Outcome("unsubscribe_risk", "left", "n_sent", 0.002),
)


def _answers() -> dict[str, pl.Expr]:
    """What became of the sends of a row, each send counted once; a click without an open seen is one all the same."""
    sent, opens, clicks = (pl.col(name).cast(pl.Float64) for name in ("n_sent", "n_human_opens", "n_clicks"))
    clicked = pl.min_horizontal(clicks, sent)
    orders, gone = pl.col("n_click_orders"), pl.col("n_unsubscribes") + pl.col("n_complaints")
    return {
        "n_sent": sent,
        "opened": pl.max_horizontal(pl.min_horizontal(opens, sent), clicked),
        "clicked": clicked,
        "ordered": pl.min_horizontal(orders.cast(pl.Float64), clicked),
        "left": pl.min_horizontal(gone.cast(pl.Float64), sent),
    }


@dataclass(frozen=True)
class ResponseParams:
    """Strength of each prior, in sends (opens, clicks: whatever the rate is a share of).

    shop_strength: of the rates to expect of any shop. message_bounds, customer_bounds: limits of the strengths that
    the method of moments may find for a message's and a customer's prior. cell_strength: of the customer's own rate
    against his answers to one message.
    """

    shop_strength: float = 100.0
    message_bounds: tuple[float, float] = (20.0, 2000.0)
    customer_bounds: tuple[float, float] = (2.0, 500.0)
    cell_strength: float = 20.0


@dataclass(frozen=True)
class OutcomeRates:
    """Fitted rates of one outcome: of the shop, and per message and customer in the order of the key frames."""

    shop: float
    message: FloatArray
    customer_shift: FloatArray


@dataclass
class ResponseModel:
    """Beta-binomial rates: any shop -> this shop -> message -> customer -> customer and message.

    A message's rate is shrunk to the shop's; a customer's rate over all his messages to what those messages get on
    average, and his difference carries over to every message in log-odds; his answers to one message are shrunk to
    that. A message never sent has the shop's rate.

    `fit`: `feat_message_history` at one date: HISTORY columns, one row per customer and message_key; several answers
    to one send count once. `predict`: frame with customer_id and message_key -> customer_id, message_key, p_open,
    p_click, p_purchase (an order that a click led to; all three Float64 in (0, 1), per send), unsubscribe_risk
    (unsubscribe or complaint), basis; null with basis 'no e-mail history' if the shop has sent nothing yet.
    """

    params: ResponseParams = field(default_factory=ResponseParams)
    name: ClassVar[str] = "response"
    features: ClassVar[tuple[str, ...]] = ("customer_id", "message_key")
    cells: pl.DataFrame | None = None
    messages: pl.DataFrame | None = None
    customers: pl.DataFrame | None = None
    rates: dict[str, OutcomeRates] = field(default_factory=dict)

    def fit(self, frame: pl.DataFrame) -> Self:
        """Learn the rates and the prior strengths from past sends."""
        require(frame, HISTORY, self.name)
        self.cells = (
            frame.filter(pl.col("n_sent") > 0)
            .select(pl.col("customer_id", "message_key").cast(pl.String), **_answers())
            .sort("customer_id", "message_key")
        )
        self.messages = _keys(self.cells, "message_key", "message")
        self.customers = _keys(self.cells, "customer_id", "customer")
        coded = self.cells.join(self.messages, on="message_key", maintain_order="left").join(
            self.customers, on="customer_id", maintain_order="left"
        )
        self.rates = {outcome.column: self._rates(coded, outcome) for outcome in OUTCOMES}
        return self

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rates per row of `frame`, in its order."""
        require(frame, self.features, self.name)
        if self.cells is None or self.messages is None or self.customers is None:
            raise NotFittedError(self.name)
        keys = frame.select(pl.col("customer_id", "message_key").cast(pl.String))
        if self.cells.is_empty():
            nulls = [pl.lit(None, pl.Float64).alias(outcome.column) for outcome in OUTCOMES]
            return keys.with_columns(*nulls, basis=pl.lit(NO_HISTORY))
        rows = (
            keys.join(self.cells, on=["customer_id", "message_key"], how="left", maintain_order="left")
            .join(self.messages, on="message_key", how="left", maintain_order="left")
            .join(self.customers, on="customer_id", how="left", maintain_order="left")
        )
        chances: dict[str, FloatArray] = {}
        for outcome in OUTCOMES:
            reached = chances[outcome.after] if outcome.after else 1.0
            chances[outcome.column] = self._posterior(rows, outcome) * reached
        return keys.with_columns(
            *(pl.Series(column, chance) for column, chance in chances.items()),
            rows.select(basis=_basis()).to_series(),
        )

    def _rates(self, coded: pl.DataFrame, outcome: Outcome) -> OutcomeRates:
        n, k = coded[outcome.among].to_numpy(), coded[outcome.count].to_numpy()
        message, customer = coded["message"].to_numpy(), coded["customer"].to_numpy()
        shop = float(shrink(k.sum(), n.sum(), outcome.prior_rate, self.params.shop_strength))
        message_n, message_k = np.bincount(message, n), np.bincount(message, k)
        low, high = self.params.message_bounds
        strength = prior_strength(message_k, message_n, low=low, high=high)
        message_rate = shrink(message_k, message_n, shop, strength)
        customer_n, customer_k = np.bincount(customer, n), np.bincount(customer, k)
        expected = np.bincount(customer, n * message_rate[message]) / np.maximum(customer_n, 1)
        low, high = self.params.customer_bounds
        strength = prior_strength(customer_k, customer_n, low=low, high=high, expected=expected)
        own = shrink(customer_k, customer_n, expected, strength)
        return OutcomeRates(shop, message_rate, logit(own) - logit(expected))

    def _posterior(self, rows: pl.DataFrame, outcome: Outcome) -> FloatArray:
        rates = self.rates[outcome.column]
        message = _lookup(rates.message, rows["message"], rates.shop)
        shift = _lookup(rates.customer_shift, rows["customer"], 0.0)
        n, k = (rows[column].fill_null(0).to_numpy() for column in (outcome.among, outcome.count))
        return shrink(k, n, expit(logit(message) + shift), self.params.cell_strength)


def _keys(cells: pl.DataFrame, column: str, code: str) -> pl.DataFrame:
    """Distinct values of `column` with their position `code` (Int64)."""
    return cells.select(pl.col(column).unique().sort()).with_row_index(code).cast({code: pl.Int64})


def _lookup(values: FloatArray, codes: pl.Series, default: float) -> FloatArray:
    """values[codes], `default` where the code is null."""
    padded = np.append(values, default)
    return np.asarray(padded[codes.fill_null(len(values)).to_numpy()], dtype=np.float64)


def _basis() -> pl.Expr:
    return (
        pl.when(pl.col("n_sent") > 0)
        .then(pl.lit("own answers to this message"))
        .when(pl.col("customer").is_not_null() & pl.col("message").is_not_null())
        .then(pl.lit("own answers to other messages"))
        .when(pl.col("customer").is_not_null())
        .then(pl.lit("own answers to other messages; message never sent"))
        .when(pl.col("message").is_not_null())
        .then(pl.lit("all customers' answers to this message"))
        .otherwise(pl.lit("all customers' answers to all messages"))
    )
