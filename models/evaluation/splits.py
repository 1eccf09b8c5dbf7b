"""Splitting by time: what a model may know when it is judged.

Here: which snapshot dates to build, and the cut of a training frame into the past and a holdout. Not here:
features, labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from models.model import require

HORIZONS_DAYS = (90, 60, 30, 14, 7)
LABEL_COLUMNS = ("horizon_days", "orders", "revenue", "margin")


@dataclass(frozen=True)
class SnapshotPlan:
    """Which labelled snapshots a training date allows, oldest first; the last one is the holdout.

    `dates` is empty where the history is too short for any horizon: models then stand on their priors.
    """

    as_of: date
    horizon_days: int
    dates: tuple[date, ...]

    @property
    def holdout(self) -> date | None:
        """The newest labelled snapshot."""
        return self.dates[-1] if self.dates else None


def plan_snapshots(
    as_of: date,
    first_day: date,
    *,
    horizons_days: Sequence[int] = HORIZONS_DAYS,
    n_snapshots: int = 6,
    step_days: int = 30,
) -> SnapshotPlan:
    """Snapshot dates for training at `as_of` on a history that starts at `first_day`.

    The horizon is the longest for which two windows fit one after the other (one to learn from, one to be
    judged on) behind at least one horizon of history. The holdout's window ends at `as_of`; the learning
    snapshots' windows end at the holdout or before it, so that no label of theirs lies in the holdout's
    window.
    """
    history_days = (as_of - first_day).days
    for horizon in horizons_days:
        if history_days >= 3 * horizon:
            holdout = as_of - timedelta(days=horizon)
            step = timedelta(days=min(step_days, max(horizon // 2, 1)))
            oldest = first_day + timedelta(days=horizon)
            newest_learning = holdout - timedelta(days=horizon)
            learning = [newest_learning - step * back for back in range(max(n_snapshots - 1, 1))]
            dates = (*sorted(day for day in learning if day >= oldest), holdout)
            return SnapshotPlan(as_of, horizon, dates)
    return SnapshotPlan(as_of, min(horizons_days), ())


@dataclass(frozen=True)
class TimeSplit:
    """A training frame as it stood at `holdout_as_of`, and what happened after.

    `train` has the rows whose label windows had ended by then, and the holdout's rows without their labels
    (they say where the customers stood). `holdout` is the holdout's rows with labels.
    """

    holdout_as_of: date
    train: pl.DataFrame
    holdout: pl.DataFrame

    @property
    def n_labelled(self) -> int:
        """Rows of `train` with a known outcome."""
        return self.train.get_column("orders").count()


def time_split(frame: pl.DataFrame) -> TimeSplit | None:
    """Hold the newest labelled snapshot out; None if no snapshot has labels."""
    require(frame, ("as_of", *LABEL_COLUMNS), "time split")
    with_labels = pl.col("orders").is_not_null()
    holdout_as_of = frame.filter(with_labels).get_column("as_of").max()
    if not isinstance(holdout_as_of, date):
        return None
    held = pl.col("as_of") == holdout_as_of
    window_ended = pl.col("as_of") + pl.duration(days=pl.col("horizon_days")) <= holdout_as_of
    train = frame.filter(held | (with_labels & window_ended)).with_columns(
        pl.when(held).then(None).otherwise(pl.col(column)).alias(column) for column in LABEL_COLUMNS
    )
    return TimeSplit(holdout_as_of, train, frame.filter(held & with_labels))
