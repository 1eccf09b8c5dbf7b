"""What a trial comes to: a table with a row per method, and what it was meant to reach."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from matplotlib.figure import Figure


class MissingDataError(FileNotFoundError):
    """A trial's file is not in the data folder."""


@dataclass(frozen=True)
class Target:
    """A figure that a method is meant to reach: `low` <= figure <= `high`."""

    method: str
    metric: str
    low: float = -math.inf
    high: float = math.inf

    def __str__(self) -> str:
        bounds = [f">= {self.low:g}"] * math.isfinite(self.low) + [f"<= {self.high:g}"] * math.isfinite(
            self.high
        )
        return f"{self.method}: {self.metric} {' and '.join(bounds)}"


@dataclass(frozen=True)
class Table:
    """One contest.

    Attributes:
        name: of the contest, unique among all trials; the name of its MLflow run.
        title: what was learnt from what and judged on what, in one line.
        figures: a row per method, simplest first: `method`, and a number per metric (null where it has none).
        params: what the methods were set to, and the seeds.
        targets: what was to be reached.
        plots: file name -> figure.
    """

    name: str
    title: str
    figures: pl.DataFrame
    params: Mapping[str, object] = field(default_factory=dict)
    targets: tuple[Target, ...] = ()
    plots: Mapping[str, Figure] = field(default_factory=dict)

    def figure(self, target: Target) -> float:
        """The figure a target speaks of."""
        return float(
            self.figures.row(by_predicate=pl.col("method") == target.method, named=True)[target.metric]
        )

    def is_met(self, target: Target) -> bool:
        """Whether the figure lies within the target's bounds."""
        return target.low <= self.figure(target) <= target.high


def data_file(data: Path, name: str) -> Path:
    """A file of the data folder; raises MissingDataError with the remedy where it is absent."""
    path = data / name
    if not path.is_file():
        raise MissingDataError(f"{path} is not there; name the folder that holds {name} with --data")
    return path
