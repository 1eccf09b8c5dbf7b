"""When a customer opens his mail: the probability of a human open within 24 hours, by local hour of the week.

Here: the model and the frame it reads. Not here: when people read (`reading`), the rules it is compared with
(`send_time_rules`), its evaluation (`evaluation.send_time`), quiet hours and the choice of the minute (`policy.timing`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.model import NotFittedError, require
from models.reading import HOURS, Archetypes, Evidence, ReadingParams, clock_kernel
from models.shrinkage import FloatArray, expit, logit, prior_strength, shrink

COUNTS = ("n_sent", "n_opened_24h", "n_opens", "n_visits")
FEATURES = tuple(f"{count}_by_hour" for count in COUNTS)
SENDS = ("customer_id", "hour_of_week", "is_human_open_24h", "sent_at")

EXPECTED_OPEN_RATE = 0.20
"""Human open rate assumed of a shop that has sent nothing yet: the calibration target of a plain weekly broadcast."""
LOWEST, HIGHEST = 0.001, 0.95
STEPS = 1024
"""Steps of a published probability, a power of two, so that Float32 holds them exactly."""

ROWS_AT_ONCE = 20_000
"""Customers predicted together; bounds the memory that matrices of 168 hours take."""


def send_hour_profile(customers: pl.DataFrame, hours: pl.DataFrame) -> pl.DataFrame:
    """The frame to predict from: per row of `customers` (customer_id) the counts of `hours` by hour of the week.

    hours: `feat_send_hours` at one date (customer_id, hour_of_week 0..167, COUNTS; sparse). Returns customer_id and
    per count `<count>_by_hour`, Array(Float32, 168); zeros where there is no row.
    """
    require(hours, ("customer_id", "hour_of_week", *COUNTS), "send time: hours")
    rows = (
        customers.select("customer_id")
        .with_row_index("row")
        .join(hours, on="customer_id", how="inner")
        .select("row", "hour_of_week", *COUNTS)
    )
    row, hour = rows["row"].to_numpy(), hour_numbers(rows)
    arrays = []
    for count, feature in zip(COUNTS, FEATURES, strict=True):
        table = np.zeros((customers.height, HOURS), dtype=np.float32)
        np.add.at(table, (row, hour), rows[count].fill_null(0).to_numpy())
        arrays.append(pl.Series(feature, table, dtype=pl.Array(pl.Float32, HOURS)))
    return customers.select("customer_id").with_columns(arrays)


def hours_from_sends(sends: pl.DataFrame) -> pl.DataFrame:
    """Sends and their answers counted by customer and hour, in the columns of `feat_send_hours`.

    The evidence on customers at the end of a training period, for a test on the sends after it; opens by their own
    hour and visits are not in `label_sends`, so they are 0.
    """
    require(sends, SENDS, "send time: sends")
    return (
        sends.group_by("customer_id", "hour_of_week")
        .agg(
            n_sent=pl.len().cast(pl.Int32),
            n_opened_24h=pl.col("is_human_open_24h").sum().cast(pl.Int32),
            n_opens=pl.lit(0, pl.Int32),
            n_visits=pl.lit(0, pl.Int32),
        )
        .sort("customer_id", "hour_of_week")
    )


@dataclass(frozen=True)
class SendTimeParams:
    """Widths in hours, strengths in sends.

    reading: of the archetypes of reading.
    kernel_hours: standard deviation by which an hour's evidence on the common curve spreads to its neighbours.
    other_daytype: how much a weekday says of a weekend hour and the reverse.
    curve_strength: sends that the common curve of weekday and weekend hours is worth against one hour of the week.
    customer_bounds: limits, in sends, of the prior strength of a customer's open rate (method of moments).
    attention_weight: exponent of a customer's attention in an hour, relative to everybody's.
    """

    reading: ReadingParams = field(default_factory=ReadingParams)
    kernel_hours: float = 2.0
    other_daytype: float = 0.5
    curve_strength: float = 200.0
    customer_bounds: tuple[float, float] = (2.0, 200.0)
    attention_weight: float = 1.0


@dataclass
class SendTimeModel:
    """Population curve x the customer's attention by hour x his open rate, each shrunk to what is known of others.

    In log-odds: logit p(customer, hour) = curve(hour) + attention(customer, hour) + level(customer). The curve is a
    kernel-smoothed Beta-binomial rate. Attention is that of the customer's reading hours relative to everybody's, from
    archetypes learnt from moments of opening, sends and visits of all customers (`models.reading`); without evidence it
    is 0. The level is his open rate against that expected at his send hours. Without any send of the shop only
    differences between hours mean something; `basis` says so.

    `fit(frame, hours)`: `label_sends` (SENDS), and `feat_send_hours` (COUNTS) for the moments of opening and visits of all
    customers; without it the sends alone.
    `predict(frame)`: `send_hour_profile` -> customer_id, p_open_by_hour (List(Float32), 168), n_sends (Int64), basis.
    """

    params: SendTimeParams = field(default_factory=SendTimeParams)
    name: ClassVar[str] = "send_time"
    features: ClassVar[tuple[str, ...]] = FEATURES
    curve: FloatArray | None = None
    archetypes: Archetypes | None = None
    strength: float = 0.0
    n_sends: int = 0

    def fit(self, frame: pl.DataFrame, hours: pl.DataFrame | None = None) -> Self:
        """Learn the population curve, the archetypes of reading, and the strength of a customer's prior."""
        require(frame, SENDS, self.name)
        hours = hours_from_sends(frame) if hours is None else hours
        profile = send_hour_profile(hours.select("customer_id").unique().sort("customer_id"), hours)
        evidence = _evidence(profile)
        self.archetypes = Archetypes(self.params.reading).fit(evidence)
        self.n_sends = frame.height
        if frame.is_empty():
            self.curve = _unsent_curve(self.archetypes, is_seen=bool(evidence.visits.any()))
            self.strength = self.params.customer_bounds[1]
            return self
        hour = hour_numbers(frame)
        opened = frame["is_human_open_24h"].fill_null(False).to_numpy().astype(np.float64)
        self.curve = population_curve(hour, opened, self.params)
        sent_to = frame["customer_id"].rank("dense").to_numpy().astype(np.int64) - 1
        n, k = np.bincount(sent_to), np.bincount(sent_to, opened)
        expected = np.bincount(sent_to, self.curve[hour]) / n
        low, high = self.params.customer_bounds
        self.strength = prior_strength(k, n, low=low, high=high, expected=expected)
        return self

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        """One row per row of `frame`, in its order."""
        require(frame, ("customer_id", *self.features), self.name)
        if self.curve is None or self.archetypes is None:
            raise NotFittedError(self.name)
        parts = [self._answers(part, self.curve, self.archetypes) for part in frame.iter_slices(ROWS_AT_ONCE)]
        return pl.concat(parts or [self._answers(frame, self.curve, self.archetypes)])

    def _answers(self, frame: pl.DataFrame, curve: FloatArray, archetypes: Archetypes) -> pl.DataFrame:
        evidence = _evidence(frame)
        attention = archetypes.attention(evidence) / archetypes.common
        log_odds = logit(curve) + self.params.attention_weight * np.log(attention)
        if self.n_sends:
            log_odds = log_odds + self._level(evidence, expit(log_odds))[:, None]
        n_sent = evidence.sent.sum(axis=1)
        return frame.select(
            "customer_id",
            p_open_by_hour=hour_lists(np.clip(expit(log_odds), LOWEST, HIGHEST)),
            n_sends=pl.Series(n_sent.astype(np.int64)),
            basis=self._basis(evidence),
        )

    def _level(self, evidence: Evidence, expected_by_hour: FloatArray) -> FloatArray:
        """The customer's open rate against that expected at the hours he was sent to, in log-odds."""
        n = evidence.sent.sum(axis=1)
        at_his_hours = (evidence.sent * expected_by_hour).sum(axis=1) / np.maximum(n, 1)
        expected = np.where(n > 0, at_his_hours, expected_by_hour.mean(axis=1))
        return logit(shrink(evidence.opened.sum(axis=1), n, expected, self.strength)) - logit(expected)

    def _basis(self, evidence: Evidence) -> pl.Series:
        n_sent, n_opened, n_opens, n_visits = (
            counts.sum(axis=1) for counts in (evidence.sent, evidence.opened, evidence.opens, evidence.visits)
        )
        has_opened, is_seen = n_opened + n_opens > 0, n_opens + n_visits > 0
        if self.n_sends:
            values = np.select(
                [(n_sent > 0) & has_opened, is_seen & (n_sent > 0), n_sent > 0, is_seen],
                [
                    "own sends",
                    "own visits: no mail opened",
                    "own sends: none opened",
                    "own visits: no sends yet",
                ],
                "population",
            )
        else:
            values = np.select([(n_sent > 0) | is_seen], ["visits: no sends yet"], "prior")
        return pl.Series(values, dtype=pl.String)


def population_curve(hour: NDArray[np.int64], opened: FloatArray, params: SendTimeParams) -> FloatArray:
    """P(open) by hour of the week of all customers: shop rate -> weekday or weekend hour -> hour of the week.

    hour: of each send; opened: 0 or 1. Every step is a kernel-smoothed Beta-binomial rate shrunk to the step before.
    """
    sent = np.bincount(hour, minlength=HOURS).astype(np.float64)
    opens = np.bincount(hour, opened, minlength=HOURS)
    shop = float(shrink(opens.sum(), sent.sum(), EXPECTED_OPEN_RATE, 1.0))
    daytype = clock_kernel(params.kernel_hours, params.other_daytype)
    common = shrink(opens @ daytype, sent @ daytype, shop, params.curve_strength)
    near = _neighbour_kernel(params)
    return shrink(opens @ near, sent @ near, common, params.curve_strength)


def _neighbour_kernel(params: SendTimeParams) -> FloatArray:
    """168 x 168: nearness around the week's circle."""
    hour = np.arange(HOURS)
    apart = np.abs(hour[:, None] - hour[None, :])
    return np.asarray(
        np.exp(-0.5 * (np.minimum(apart, HOURS - apart) / params.kernel_hours) ** 2), dtype=np.float64
    )


def prior_shape() -> FloatArray:
    """Log-odds by hour before any evidence: +0.2 on weekdays 8-11 h, -0.4 at night 0-5 h, 0 else."""
    hour = np.arange(HOURS)
    clock = hour % 24
    shape = np.where((hour // 24 < 5) & (clock >= 8) & (clock < 11), 0.2, 0.0)
    return np.where(clock < 5, -0.4, shape)


def hour_numbers(frame: pl.DataFrame) -> NDArray[np.int64]:
    """hour_of_week as integers; raises where one is missing or outside 0..167."""
    hour = frame["hour_of_week"].cast(pl.Int64)
    wrong = hour.filter(hour.is_null() | ~hour.is_between(0, HOURS - 1))
    if len(wrong):
        raise ValueError(
            f"hour_of_week must lie in 0..{HOURS - 1}; {len(wrong)} rows do not, the first is {wrong[0]}"
        )
    return hour.to_numpy()


def by_hour(frame: pl.DataFrame, feature: str) -> FloatArray:
    """A `<count>_by_hour` column as rows x 168."""
    return np.asarray(frame[feature].cast(pl.Array(pl.Float64, HOURS)).to_numpy()).reshape(-1, HOURS)


def hour_lists(probability: FloatArray) -> pl.Series:
    """rows x 168 as a List(Float32) column, in steps of 1 / STEPS: numbers of few digits take little room in Parquet."""
    steps = np.maximum(np.round(probability * STEPS), 1.0) / STEPS
    array = pl.Series(np.ascontiguousarray(steps, dtype=np.float32), dtype=pl.Array(pl.Float32, HOURS))
    return array.cast(pl.List(pl.Float32))


def _evidence(frame: pl.DataFrame) -> Evidence:
    return Evidence(*(by_hour(frame, feature) for feature in FEATURES))


def _unsent_curve(archetypes: Archetypes, *, is_seen: bool) -> FloatArray:
    """The curve of a shop without sends: before the hours in which customers are about, else `prior_shape`."""
    shape = np.clip(0.5 * np.log(archetypes.common), -1.0, 1.0) if is_seen else prior_shape()
    return expit(logit(EXPECTED_OPEN_RATE) + shape - shape.mean())
