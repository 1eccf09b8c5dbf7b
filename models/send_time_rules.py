"""What the send-time model must beat: the rules that e-mail tools use.

Here: baselines with the model's frames. Not here: the model (`send_time`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import ClassVar, Self

import numpy as np
import polars as pl

from models.model import NoParams, NotFittedError, require
from models.reading import HOURS
from models.send_time import (
    EXPECTED_OPEN_RATE,
    FEATURES,
    HIGHEST,
    LOWEST,
    SENDS,
    SendTimeParams,
    by_hour,
    hour_lists,
    hour_numbers,
    population_curve,
)
from models.shrinkage import FloatArray, shrink


def _result(frame: pl.DataFrame, probability: FloatArray, basis: pl.Expr) -> pl.DataFrame:
    clipped = np.clip(np.broadcast_to(probability, (frame.height, HOURS)), LOWEST, HIGHEST)
    n_sends = by_hour(frame, "n_sent_by_hour").sum(axis=1).astype(np.int64)
    return frame.select(
        "customer_id", p_open_by_hour=hour_lists(clipped), n_sends=pl.Series(n_sends), basis=basis
    )


def _base_rate(sends: pl.DataFrame) -> float:
    opened = sends["is_human_open_24h"].fill_null(False).to_numpy()
    return float(shrink(opened.sum(), sends.height, EXPECTED_OPEN_RATE, 1.0))


@dataclass
class BaseRate:
    """Everybody, always: the shop's open rate."""

    params: NoParams = field(default_factory=NoParams)
    name: ClassVar[str] = "base_rate"
    features: ClassVar[tuple[str, ...]] = FEATURES
    rate: float | None = None

    def fit(self, frame: pl.DataFrame) -> Self:
        """Learn the open rate of `label_sends`."""
        require(frame, SENDS, self.name)
        self.rate = _base_rate(frame)
        return self

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        """As `SendTimeModel.predict`."""
        require(frame, ("customer_id", *self.features), self.name)
        if self.rate is None:
            raise NotFittedError(self.name)
        return _result(frame, np.full(HOURS, self.rate), pl.lit("population"))


@dataclass
class PopulationCurve:
    """Everybody: the open rate of the hour, smoothed."""

    params: SendTimeParams = field(default_factory=SendTimeParams)
    name: ClassVar[str] = "population_curve"
    features: ClassVar[tuple[str, ...]] = FEATURES
    curve: FloatArray | None = None

    def fit(self, frame: pl.DataFrame) -> Self:
        """Learn the curve of `label_sends`."""
        require(frame, SENDS, self.name)
        hour = hour_numbers(frame)
        opened = frame["is_human_open_24h"].fill_null(False).to_numpy().astype(np.float64)
        self.curve = population_curve(hour, opened, self.params)
        return self

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        """As `SendTimeModel.predict`."""
        require(frame, ("customer_id", *self.features), self.name)
        if self.curve is None:
            raise NotFittedError(self.name)
        return _result(frame, self.curve, pl.lit("population"))


@dataclass(frozen=True)
class MostFrequentHourParams:
    """bonus: factor on the shop's rate at the customer's hour."""

    bonus: float = 1.25


@dataclass
class MostFrequentHour:
    """The clock hour in which the customer opened most often, whatever was sent; ties: the earlier hour."""

    params: MostFrequentHourParams = field(default_factory=MostFrequentHourParams)
    name: ClassVar[str] = "most_frequent_hour"
    features: ClassVar[tuple[str, ...]] = FEATURES
    rate: float | None = None

    def fit(self, frame: pl.DataFrame) -> Self:
        """Learn the open rate of `label_sends`."""
        require(frame, SENDS, self.name)
        self.rate = _base_rate(frame)
        return self

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        """As `SendTimeModel.predict`; customers without opens have the shop's rate in every hour."""
        require(frame, ("customer_id", *self.features), self.name)
        if self.rate is None:
            raise NotFittedError(self.name)
        opens = by_hour(frame, "n_opens_by_hour").reshape(-1, 7, 24).sum(axis=1)
        is_best = (np.arange(24) == opens.argmax(axis=1)[:, None]) & (opens.sum(axis=1) > 0)[:, None]
        probability = np.tile(np.where(is_best, self.rate * self.params.bonus, self.rate), 7)
        basis = pl.Series(np.where(opens.sum(axis=1) > 0, "own opens", "population"), dtype=pl.String)
        return _result(frame, probability, pl.lit(basis))


@dataclass(frozen=True)
class BestHour90dParams:
    """days: how far back from the newest send; strength: sends that the shop's rate is worth."""

    days: int = 90
    strength: float = 1.0


@dataclass
class BestHour90d:
    """The customer's own open rate by clock hour sent, over the last 90 days, barely smoothed."""

    params: BestHour90dParams = field(default_factory=BestHour90dParams)
    name: ClassVar[str] = "best_hour_90d"
    features: ClassVar[tuple[str, ...]] = FEATURES
    rate: float | None = None
    rates: pl.DataFrame | None = None

    def fit(self, frame: pl.DataFrame) -> Self:
        """Learn each customer's rates of `label_sends`."""
        require(frame, SENDS, self.name)
        self.rate = _base_rate(frame)
        since = pl.col("sent_at").max() - timedelta(days=self.params.days)
        self.rates = (
            frame.filter(pl.col("sent_at") > since)
            .group_by("customer_id", clock=pl.col("hour_of_week").cast(pl.Int64) % 24)
            .agg(n=pl.len(), k=pl.col("is_human_open_24h").sum())
            .sort("customer_id", "clock")
        )
        return self

    def customers(self) -> frozenset[str]:
        """Customers whose rates it keeps."""
        return frozenset() if self.rates is None else frozenset(self.rates["customer_id"])

    def without(self, customers: Collection[str]) -> Self:
        """The same rule without the rates of these customers."""
        if self.rates is None:
            return self
        return replace(self, rates=self.rates.filter(~pl.col("customer_id").is_in(sorted(customers))))

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        """As `SendTimeModel.predict`; hours and customers without sends have the shop's rate."""
        require(frame, ("customer_id", *self.features), self.name)
        if self.rate is None or self.rates is None:
            raise NotFittedError(self.name)
        known = (
            frame.select("customer_id").with_row_index("row").join(self.rates, on="customer_id", how="inner")
        )
        row = known["row"].to_numpy()
        by_clock = np.full((frame.height, 24), self.rate)
        by_clock[row, known["clock"].to_numpy()] = shrink(
            known["k"].to_numpy(), known["n"].to_numpy(), self.rate, self.params.strength
        )
        has_sends = np.isin(np.arange(frame.height), row)
        basis = pl.Series(np.where(has_sends, "own sends", "population"), dtype=pl.String)
        return _result(frame, np.tile(by_clock, 7), pl.lit(basis))
