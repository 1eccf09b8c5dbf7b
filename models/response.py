"""How a customer answers a message: rates of opening, clicking, ordering and leaving, from past sends.

Here: hierarchical empirical-Bayes rates by customer and message. Not here: when he opens (`send_time`), what an order
is worth (`value`), which message is chosen (`assets.plan`).
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
    "n_orders",
    "n_unsubscribes",
    "n_complaints",
)
NO_HISTORY = "no e-mail history"


@dataclass(frozen=True)
class Outcome:
    """An answer to a message: output column, the counts that add up to it, and the rate to expect of any shop."""

    column: str
    counts: tuple[str, ...]
    prior_rate: float


OUTCOMES = (
    Outcome("p_open", ("n_human_opens",), 0.20),
    Outcome("p_click", ("n_clicks",), 0.025),
    Outcome("p_purchase", ("n_orders",), 0.005),
    Outcome("unsubscribe_risk", ("n_unsubscribes", "n_complaints"), 0.002),
)


@dataclass(frozen=True)
class ResponseParams:
    """Strength of each prior, in sends.

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
    p_click, p_purchase (Float64 in (0, 1), per send), unsubscribe_risk (unsubscribe or complaint), basis; null with
    basis 'no e-mail history' if the shop has sent nothing yet.
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
        sent = pl.col("n_sent").cast(pl.Float64)
        self.cells = (
            frame.filter(pl.col("n_sent") > 0)
            .select(
                pl.col("customer_id", "message_key").cast(pl.String),
                n_sent=sent,
                **{
                    outcome.column: pl.min_horizontal(
                        pl.sum_horizontal(outcome.counts).cast(pl.Float64), sent
                    )
                    for outcome in OUTCOMES
                },
            )
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
        return keys.with_columns(
            *(pl.Series(outcome.column, self._posterior(rows, outcome)) for outcome in OUTCOMES),
            rows.select(basis=_basis()).to_series(),
        )

    def _rates(self, coded: pl.DataFrame, outcome: Outcome) -> OutcomeRates:
        n, k = coded["n_sent"].to_numpy(), coded[outcome.column].to_numpy()
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
        n, k = rows["n_sent"].fill_null(0).to_numpy(), rows[outcome.column].fill_null(0).to_numpy()
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
