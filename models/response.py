"""How a customer answers a message: rates of opening, clicking, ordering and leaving, from past sends.

A click takes an open and an order a click, so each is a rate among those who came so far: opens are many and tell customers
apart, clicks per open tell messages apart, and orders that nobody clicked for are not the mail's.

Before a message has answers of its own, what the marketer expects of it stands in for them; before a customer has clicked,
how often his visits to the shop end in orders does.

Here: hierarchical empirical-Bayes rates by customer and message. Not here: when he opens (`send_time`), what an order
is worth (`value`), which message is chosen (`models.policy`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
import polars as pl
from scipy.optimize import brentq

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
_ORDERS_PER_VISIT = 0.03
_MOST = 0.9
"""No rate is expected to be higher before it has been seen."""


@dataclass(frozen=True)
class Outcome:
    """An answer to a message.

    Attributes:
        column: of the chance of it per send.
        count: column of `_answers` that counts it.
        among: column of `_answers` that counts those it is a share of.
        prior_rate: share to expect of any shop.
        after: outcome whose chance it is multiplied with, as it takes that one; None where it is a share of sends.
        lift_share: exponent of a message's expected lift (orders per mail, as a factor) that falls to this rate.
        is_conversion: whether a customer's rate of orders per visit says what to expect of his.
    """

    column: str
    count: str
    among: str
    prior_rate: float
    after: str | None = None
    lift_share: float = 0.0
    is_conversion: bool = False


OUTCOMES = (
    Outcome("p_open", "opened", "n_sent", 0.20),
    Outcome("p_click", "clicked", "opened", 0.12, after="p_open", lift_share=0.5),
    Outcome("p_purchase", "ordered", "clicked", 0.15, after="p_click", lift_share=0.5, is_conversion=True),
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
    against his answers to one message. visit_bounds: of the shop's orders per visit against a customer's, in visits.
    """

    shop_strength: float = 100.0
    message_bounds: tuple[float, float] = (20.0, 2000.0)
    customer_bounds: tuple[float, float] = (2.0, 500.0)
    cell_strength: float = 20.0
    visit_bounds: tuple[float, float] = (5.0, 500.0)


@dataclass(frozen=True)
class OutcomeRates:
    """Fitted rates of one outcome: of the shop, and per message and customer in the order of the key frames."""

    shop: float
    message: FloatArray
    customer_shift: FloatArray


@dataclass
class ResponseModel:
    """Beta-binomial rates: any shop -> this shop -> message -> customer -> customer and message.

    A message's rate is shrunk to the shop's times its `expected_lift`, the lift of what was sent taken as 1; a customer's
    rate over all his messages to what those messages get on average, and his difference carries over to every message in
    log-odds; his answers to one message are shrunk to that. Orders per click are expected to differ between customers as
    their orders per visit do.

    `fit(frame, messages, customers)`: `feat_message_history` at one date: HISTORY columns, one row per customer and
    message_key; several answers to one send count once. `messages`: message_key, expected_lift (orders per mail of it
    over those of an average mail, above 0); 1 where it is not given. `customers`: customer_id, n_sessions_90d,
    n_orders_90d; who is not in it converts as all do.
    `predict`: frame with customer_id and message_key -> customer_id, message_key, p_open, p_click, p_purchase (an order
    that a click led to; all three Float64 in (0, 1), per send), unsubscribe_risk (unsubscribe or complaint), basis; null
    with basis 'no e-mail history' if the shop has sent nothing yet.
    """

    params: ResponseParams = field(default_factory=ResponseParams)
    name: ClassVar[str] = "response"
    features: ClassVar[tuple[str, ...]] = ("customer_id", "message_key")
    cells: pl.DataFrame | None = None
    messages: pl.DataFrame | None = None
    customers: pl.DataFrame | None = None
    rates: dict[str, OutcomeRates] = field(default_factory=dict)

    def fit(
        self, frame: pl.DataFrame, messages: pl.DataFrame | None = None, customers: pl.DataFrame | None = None
    ) -> Self:
        """Learn the rates and the prior strengths from past sends."""
        require(frame, HISTORY, self.name)
        messages = pl.DataFrame(schema=_LIFTS) if messages is None else messages
        customers = pl.DataFrame(schema=_VISITS) if customers is None else customers
        require(messages, tuple(_LIFTS), f"{self.name}: messages")
        require(customers, tuple(_VISITS), f"{self.name}: customers")
        self.cells = (
            frame.filter(pl.col("n_sent") > 0)
            .select(pl.col("customer_id", "message_key").cast(pl.String), **_answers())
            .sort("customer_id", "message_key")
        )
        self.messages = _keys(self.cells, messages.select(*_LIFTS), "message_key", "message")
        self.customers = _keys(self.cells, customers.select(*_VISITS), "customer_id", "customer")
        coded = self.cells.join(self.messages, on="message_key", maintain_order="left").join(
            self.customers, on="customer_id", maintain_order="left"
        )
        lift = self.messages["expected_lift"].fill_null(1.0).to_numpy()
        lean = _conversion(self.customers, self.params)
        self.rates = {
            outcome.column: self._rates(
                coded, outcome, lift**outcome.lift_share, lean * outcome.is_conversion
            )
            for outcome in OUTCOMES
        }
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

    def _rates(
        self, coded: pl.DataFrame, outcome: Outcome, lift: FloatArray, lean: FloatArray
    ) -> OutcomeRates:
        """Rates of an outcome.

        Args:
            coded: cells with the numbers of their message and customer.
            lift: of each message, how many times the rate of an average message is expected.
            lean: of each customer, by how much his rate is expected to differ from others', in log-odds.
        """
        n, k = coded[outcome.among].to_numpy(), coded[outcome.count].to_numpy()
        message, customer = coded["message"].to_numpy(), coded["customer"].to_numpy()
        shop = float(shrink(k.sum(), n.sum(), outcome.prior_rate, self.params.shop_strength))
        message_n, message_k = (np.bincount(message, counts, len(lift)) for counts in (n, k))
        sent_lift = message_n @ lift / message_n.sum() if message_n.any() else 1.0
        expected = np.minimum(shop * lift / sent_lift, _MOST)
        low, high = self.params.message_bounds
        strength = prior_strength(message_k, message_n, low=low, high=high, expected=expected)
        message_rate = shrink(message_k, message_n, expected, strength)
        lean = lean - _surplus(n, message_rate[message], lean[customer])
        customer_n, customer_k = (np.bincount(customer, counts, len(lean)) for counts in (n, k))
        of_cell = expit(logit(message_rate)[message] + lean[customer])
        expected = np.bincount(customer, n * of_cell, len(lean)) / np.maximum(customer_n, 1)
        low, high = self.params.customer_bounds
        strength = prior_strength(customer_k, customer_n, low=low, high=high, expected=expected)
        own = shrink(customer_k, customer_n, expected, strength)
        return OutcomeRates(shop, message_rate, lean + logit(own) - logit(expected))

    def _posterior(self, rows: pl.DataFrame, outcome: Outcome) -> FloatArray:
        rates = self.rates[outcome.column]
        message = _lookup(rates.message, rows["message"], rates.shop)
        shift = _lookup(rates.customer_shift, rows["customer"], 0.0)
        n, k = (rows[column].fill_null(0).to_numpy() for column in (outcome.among, outcome.count))
        return shrink(k, n, expit(logit(message) + shift), self.params.cell_strength)


_LIFTS = {"message_key": pl.String, "expected_lift": pl.Float64}
_VISITS = {"customer_id": pl.String, "n_sessions_90d": pl.Int64, "n_orders_90d": pl.Int64}


def _keys(cells: pl.DataFrame, known: pl.DataFrame, column: str, code: str) -> pl.DataFrame:
    """Distinct values of `column` in both frames with their position `code` (Int64), whether there are cells of it (`has_`
    code), and the further columns of `known`."""
    seen = cells.select(pl.col(column).unique()).with_columns(pl.lit(True).alias(f"has_{code}"))
    return (
        seen.join(known.with_columns(pl.col(column).cast(pl.String)), on=column, how="full", coalesce=True)
        .sort(column)
        .with_columns(pl.col(f"has_{code}").fill_null(False))
        .with_row_index(code)
        .cast({code: pl.Int64})
    )


def _conversion(customers: pl.DataFrame, params: ResponseParams) -> FloatArray:
    """Each customer's orders per visit over those of all customers, shrunk, in log-odds."""
    visits = customers["n_sessions_90d"].fill_null(0).cast(pl.Float64).to_numpy()
    orders = np.minimum(customers["n_orders_90d"].fill_null(0).cast(pl.Float64).to_numpy(), visits)
    common = float(shrink(orders.sum(), visits.sum(), _ORDERS_PER_VISIT, 1.0))
    low, high = params.visit_bounds
    strength = prior_strength(orders, visits, low=low, high=high)
    return logit(shrink(orders, visits, common, strength)) - logit(common)


def _surplus(n: FloatArray, rate: FloatArray, lean: FloatArray) -> float:
    """What to take off all leans so that rates expected with them add up to those without: who comes this far (clicks, say)
    leans another way than all customers do, and the messages' rates hold that already."""
    if not lean.any() or not n.any():
        return 0.0
    total, odds = n @ rate, logit(rate) + lean
    return float(brentq(lambda less: n @ expit(odds - less) - total, lean.min() - 1.0, lean.max() + 1.0))


def _lookup(values: FloatArray, codes: pl.Series, default: float) -> FloatArray:
    """values[codes], `default` where the code is null."""
    padded = np.append(values, default)
    return np.asarray(padded[codes.fill_null(len(values)).to_numpy()], dtype=np.float64)


def _basis() -> pl.Expr:
    return (
        pl.when(pl.col("n_sent") > 0)
        .then(pl.lit("own answers to this message"))
        .when(pl.col("has_customer") & pl.col("has_message"))
        .then(pl.lit("own answers to other messages"))
        .when(pl.col("has_customer"))
        .then(pl.lit("own answers to other messages; message never sent"))
        .when(pl.col("has_message"))
        .then(pl.lit("all customers' answers to this message"))
        .otherwise(pl.lit("all customers' answers to all messages"))
    )
