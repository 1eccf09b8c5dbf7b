"""When a customer opens his mail: the probability of a human open within 24 hours, by local hour of the week.

Here: the model and the frame it reads. Not here: the rules it is compared with (`send_time_rules`), its evaluation
(`evaluation.send_time`), quiet hours and the choice of the minute (`assets.plan`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.model import NotFittedError, require
from models.shrinkage import FloatArray, expit, logit, prior_strength, shrink

HOURS = 168
"""Hours of the week, 0 = Monday 00-01 local time."""

COUNTS = ("n_sent", "n_opened_24h", "n_opens", "n_visits")
FEATURES = tuple(f"{count}_by_hour" for count in COUNTS)
SENDS = ("customer_id", "hour_of_week", "is_human_open_24h", "sent_at")
ACTIVITY = ("customer_id", "hour_of_week", "n_opens", "n_visits")

EXPECTED_OPEN_RATE = 0.20
"""Human open rate assumed of a shop that has sent nothing yet: the calibration target of a plain weekly broadcast."""
LOWEST, HIGHEST = 0.001, 0.95


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
    """Widths in hours, strengths in sends, opens or visits as named.

    kernel_hours: standard deviation by which an hour's evidence spreads to its neighbours.
    other_daytype: how much a weekday says of a weekend hour and the reverse.
    curve_strength: sends that the common curve of weekday and weekend hours is worth against one hour of the week.
    customer_bounds: limits, in sends, of the prior strength of a customer's open rate (method of moments).
    profile_opens: opens that the population's profile is worth against the customer's own answers by hour.
    activity_strength: visits and opens that the population's daily rhythm is worth against the customer's.
    activity_weight: exponent of a customer's relative activity in an hour, small because being about is weak
    evidence of reading a mail sent then. visit_weight: a visit against an open's moment.
    """

    kernel_hours: float = 2.0
    other_daytype: float = 0.5
    curve_strength: float = 200.0
    customer_bounds: tuple[float, float] = (2.0, 200.0)
    profile_opens: float = 6.0
    activity_strength: float = 10.0
    activity_weight: float = 0.25
    visit_weight: float = 0.5


@dataclass
class SendTimeModel:
    """Population curve x the customer's open rate x the customer's hours, each shrunk to the one before.

    In log-odds: logit p(customer, hour) = curve(hour) + level(customer) + profile(customer, hour). The curve is a
    kernel-smoothed Beta-binomial rate. The level is the customer's open rate against that expected at his send
    hours. The profile is the smoothed ratio of his opens to those expected by hour, and, weakly, of his visits and
    moments of opening to the population's. Without any send the level is EXPECTED_OPEN_RATE and only differences
    between hours mean something; `basis` says so.

    `fit(frame, hours)`: `label_sends` (SENDS), and optionally `feat_send_hours` for the daily rhythm of all customers.
    `predict(frame)`: `send_hour_profile` -> customer_id, p_open_by_hour (List(Float32), 168), n_sends (Int64), basis.
    """

    params: SendTimeParams = field(default_factory=SendTimeParams)
    name: ClassVar[str] = "send_time"
    features: ClassVar[tuple[str, ...]] = FEATURES
    curve: FloatArray | None = None
    rhythm: FloatArray | None = None
    strength: float = 0.0
    n_sends: int = 0

    def fit(self, frame: pl.DataFrame, hours: pl.DataFrame | None = None) -> Self:
        """Learn the population curve, the strength of a customer's prior, and the rhythm of activity."""
        require(frame, SENDS, self.name)
        self.n_sends = frame.height
        self.rhythm = self._rhythm(hours)
        if frame.is_empty():
            self.curve = self._unsent_curve(hours)
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
        if self.curve is None or self.rhythm is None:
            raise NotFittedError(self.name)
        sent, opened, opens, visits = (by_hour(frame, feature) for feature in self.features)
        activity = opens + self.params.visit_weight * visits
        log_odds = logit(self.curve) + self._activity_profile(activity)
        if self.n_sends:
            level = self._level(sent, opened)
            log_odds = log_odds + level[:, None] + self._answer_profile(sent, opened, level)
        probability = np.clip(expit(log_odds), LOWEST, HIGHEST)
        return frame.select(
            "customer_id",
            p_open_by_hour=hour_lists(probability),
            n_sends=pl.Series(sent.sum(axis=1).astype(np.int64)),
            basis=self._basis(sent.sum(axis=1), activity.sum(axis=1)),
        )

    def _level(self, sent: FloatArray, opened: FloatArray) -> FloatArray:
        """The customer's open rate against that expected at the hours he was sent to, in log-odds."""
        n = sent.sum(axis=1)
        expected = np.where(n > 0, (sent @ self._curve()) / np.maximum(n, 1), self._curve().mean())
        return logit(shrink(opened.sum(axis=1), n, expected, self.strength)) - logit(expected)

    def _answer_profile(self, sent: FloatArray, opened: FloatArray, level: FloatArray) -> FloatArray:
        """Log ratio of opens to expected opens around each hour, after his level."""
        kernel = hour_kernel(self.params)
        expected = sent * expit(logit(self._curve()) + level[:, None])
        prior = self.params.profile_opens
        return np.asarray(np.log((opened @ kernel + prior) / (expected @ kernel + prior)), dtype=np.float64)

    def _activity_profile(self, activity: FloatArray) -> FloatArray:
        """Weighted log ratio of the customer's share of activity in each hour to the population's."""
        prior = self.params.activity_strength
        kernel = hour_kernel(self.params)
        smooth = activity @ (kernel / kernel.sum(axis=1, keepdims=True))
        own = smooth + prior * self._rhythm_shares()
        relative = own / own.sum(axis=1, keepdims=True) / self._rhythm_shares()
        return np.asarray(self.params.activity_weight * np.log(relative), dtype=np.float64)

    def _rhythm(self, hours: pl.DataFrame | None) -> FloatArray:
        """The population's share of activity by hour of the week, smoothed; even where nothing is known."""
        kernel = hour_kernel(self.params)
        counts = np.zeros(HOURS) if hours is None else _activity_counts(hours, self.params.visit_weight)
        smooth = counts @ (kernel / kernel.sum(axis=1, keepdims=True)) + 1.0
        return np.asarray(smooth / smooth.sum(), dtype=np.float64)

    def _unsent_curve(self, hours: pl.DataFrame | None) -> FloatArray:
        """The curve of a shop without sends: weekday mornings a little better, then the hours people are about."""
        shape = prior_shape()
        if hours is not None and hours.height:
            shape = np.clip(0.5 * np.log(self._rhythm_shares() * HOURS), -1.0, 1.0)
        return expit(logit(EXPECTED_OPEN_RATE) + shape - shape.mean())

    def _basis(self, n_sent: FloatArray, n_activity: FloatArray) -> pl.Series:
        if self.n_sends:
            texts = ("own sends", "own visits: no sends yet", "population")
        else:
            texts = ("visits: no sends yet", "visits: no sends yet", "prior")
        values = np.select([n_sent > 0, n_activity > 0], texts[:2], texts[2])
        return pl.Series(values, dtype=pl.String)

    def _curve(self) -> FloatArray:
        if self.curve is None:
            raise NotFittedError(self.name)
        return self.curve

    def _rhythm_shares(self) -> FloatArray:
        if self.rhythm is None:
            raise NotFittedError(self.name)
        return self.rhythm


def population_curve(hour: NDArray[np.int64], opened: FloatArray, params: SendTimeParams) -> FloatArray:
    """P(open) by hour of the week of all customers: shop rate -> weekday or weekend hour -> hour of the week.

    hour: of each send; opened: 0 or 1. Every step is a kernel-smoothed Beta-binomial rate shrunk to the step before.
    """
    sent = np.bincount(hour, minlength=HOURS).astype(np.float64)
    opens = np.bincount(hour, opened, minlength=HOURS)
    shop = float(shrink(opens.sum(), sent.sum(), EXPECTED_OPEN_RATE, 1.0))
    daytype = hour_kernel(params)
    common = shrink(opens @ daytype, sent @ daytype, shop, params.curve_strength)
    near = _neighbour_kernel(params)
    return shrink(opens @ near, sent @ near, common, params.curve_strength)


def hour_kernel(params: SendTimeParams) -> FloatArray:
    """168 x 168: how much an hour's evidence counts for another, by clock time (circular) and type of day; 1 itself."""
    hour = np.arange(HOURS)
    clock, weekend = hour % 24, hour // 24 >= 5
    apart = np.abs(clock[:, None] - clock[None, :])
    near = np.exp(-0.5 * (np.minimum(apart, 24 - apart) / params.kernel_hours) ** 2)
    return np.asarray(
        near * np.where(weekend[:, None] == weekend[None, :], 1.0, params.other_daytype), dtype=np.float64
    )


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
    """rows x 168 as a List(Float32) column."""
    array = pl.Series(np.ascontiguousarray(probability, dtype=np.float32), dtype=pl.Array(pl.Float32, HOURS))
    return array.cast(pl.List(pl.Float32))


def _activity_counts(hours: pl.DataFrame, visit_weight: float) -> FloatArray:
    require(hours, ACTIVITY, "send time: hours")
    weight = hours["n_opens"].fill_null(0) + visit_weight * hours["n_visits"].fill_null(0)
    counts = np.bincount(hour_numbers(hours), weight.to_numpy(), minlength=HOURS)
    return counts.astype(np.float64)
