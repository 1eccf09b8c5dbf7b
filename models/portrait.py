"""A customer as trees see him: his figures, and where he stands among the shop's customers.

Here: figures relative to the customer's own rhythm, ranks within a snapshot, both as matrices. Not here: the features
themselves (`features`), what the buy-till-you-die models say of him (given as further columns).

A shop's old snapshots have younger customers and fewer orders than today's; a figure's rank among the customers of the
same day means the same in all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.features import FeatureEncoder, FloatArray, numbers
from models.order_rates import newest

FAST_HALF_LIFE_DAYS, SLOW_HALF_LIFE_DAYS = 30.0, 90.0
WAIT_DAYS = 7.0
AGE_DAYS = 60.0
HALF_AN_ORDER = 0.5
QUANTILES = np.linspace(0.0, 1.0, 101)

FEATURES = (
    "n_order_days",
    "age_days",
    "days_since_last_order",
    "mean_gap_days",
    "order_days_decayed_fast",
    "order_days_decayed_slow",
    "n_orders_30d",
    "n_orders_90d",
    "n_orders_180d",
)
"""What the rhythm is made of; besides, the encoder needs CUSTOMER_FEATURES."""

RHYTHM = (
    "gaps_since_last_order",
    "silence_share",
    "trend_slow",
    "trend_fast",
    "trend_30d",
    "trend_90d",
    "trend_180d",
)


@dataclass(frozen=True)
class Portrait:
    """Matrices of shape (rows, columns), and the number of each row's snapshot."""

    figures: NDArray[np.float32]
    standing: NDArray[np.float32]
    snapshot: NDArray[np.intp]


class Painter:
    """Portraits of customers; ranks of an unlabelled day are those among the customers of the newest snapshot."""

    def __init__(self, model: str, further: tuple[str, ...]) -> None:
        self.encoder = FeatureEncoder(model)
        self.further = further

    def fit(self, frame: pl.DataFrame, further: FloatArray) -> Self:
        """Learn categories, the shop's usual gap, and the quantiles of the newest snapshot.

        `further` are more columns of the frame's rows, as named in the constructor.
        """
        self.encoder.fit(frame)
        gaps = numbers(newest(frame), "mean_gap_days")
        known = gaps[gaps > 0]
        self.usual_gap = float(np.median(known)) if len(known) else SLOW_HALF_LIFE_DAYS
        self.telling = np.arange(len(self._every_name))
        figures = self._figures(frame, further)
        self.telling = np.flatnonzero(_varies(figures))
        is_newest = frame.select(pl.col("as_of") == pl.col("as_of").max()).to_series().to_numpy()
        self._quantiles = _quantiles(figures[is_newest][:, self.telling])
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The matrices' columns: those that tell customers apart."""
        return tuple(self._every_name[number] for number in self.telling)

    @property
    def _every_name(self) -> tuple[str, ...]:
        return (*self.encoder.names, *RHYTHM, *self.further)

    def of_now(self, frame: pl.DataFrame, further: FloatArray) -> Portrait:
        """Portraits for scoring."""
        figures = self._figures(frame, further)
        standing = _ranks(figures, self._quantiles)
        return Portrait(figures, standing, np.zeros(len(figures), dtype=np.intp))

    def of_then(self, frame: pl.DataFrame, further: FloatArray) -> Portrait:
        """Portraits for learning: each row ranks among those of its own snapshot."""
        figures = self._figures(frame, further)
        snapshot = frame.get_column("as_of").rank("dense").to_numpy().astype(np.intp)
        standing = np.empty_like(figures)
        for number in np.unique(snapshot):
            inside = snapshot == number
            standing[inside] = _ranks(figures[inside], _quantiles(figures[inside]))
        return Portrait(figures, standing, snapshot)

    def _figures(self, frame: pl.DataFrame, further: FloatArray) -> NDArray[np.float32]:
        rhythm = _rhythm(frame, self.usual_gap)
        every = np.hstack(
            [self.encoder.transform(frame), rhythm.astype(np.float32), further.astype(np.float32)]
        )
        return every[:, self.telling]


def _rhythm(frame: pl.DataFrame, usual_gap: float) -> FloatArray:
    """The columns RHYTHM: silence in gaps and as a share of his time; recent orders over what his own rate expects."""
    n, age = (np.nan_to_num(numbers(frame, column)) for column in ("n_order_days", "age_days"))
    silence = numbers(frame, "days_since_last_order")
    gap = np.nan_to_num(numbers(frame, "mean_gap_days"), nan=usual_gap)
    rate = n / (age + AGE_DAYS)
    trends = [
        np.log(
            (numbers(frame, column) + HALF_AN_ORDER)
            / (rate * half_life / np.log(2) * (1.0 - 0.5 ** (age / half_life)) + HALF_AN_ORDER)
        )
        for column, half_life in (
            ("order_days_decayed_slow", SLOW_HALF_LIFE_DAYS),
            ("order_days_decayed_fast", FAST_HALF_LIFE_DAYS),
        )
    ]
    trends += [
        np.log(
            (numbers(frame, f"n_orders_{days}d") + HALF_AN_ORDER)
            / (rate * np.minimum(age, days) + HALF_AN_ORDER)
        )
        for days in (30, 90, 180)
    ]
    waits = np.log((silence + WAIT_DAYS) / (gap + WAIT_DAYS))
    share = np.log((silence + WAIT_DAYS) / (age + WAIT_DAYS))
    return np.column_stack([waits, share, *trends])


def _varies(figures: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Columns with more than one known value."""
    low = np.where(np.isnan(figures), np.inf, figures).min(axis=0, initial=np.inf)
    high = np.where(np.isnan(figures), -np.inf, figures).max(axis=0, initial=-np.inf)
    varies: NDArray[np.bool_] = low < high
    return varies


def _quantiles(figures: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Per column the quantiles of what is known; none where nothing is."""
    known = (column[~np.isnan(column)] for column in figures.T)
    return [np.quantile(values, QUANTILES).astype(np.float32) if len(values) else values for values in known]


def _ranks(figures: NDArray[np.float32], quantiles: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Share of the population below, ties counting half; missing stays missing."""
    ranks = np.full_like(figures, np.nan)
    for number, (column, edges) in enumerate(zip(figures.T, quantiles, strict=True)):
        known = ~np.isnan(column)
        if len(edges):
            below = np.searchsorted(edges, column[known], side="left")
            up_to = np.searchsorted(edges, column[known], side="right")
            ranks[known, number] = (below + up_to) / (2.0 * len(edges))
    return ranks
