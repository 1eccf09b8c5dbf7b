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

    def shown(self) -> pl.DataFrame:
        """The figures as text for people: an interval (`x_low`, `x_high`) stands in brackets behind its `x`, and where there
        are more metrics than methods, the metrics are the rows.
        """
        names = [name for name in self.figures.columns if name != "method"]
        bounds = {name: (f"{name}_low", f"{name}_high") for name in names}
        whole = {name: pair for name, pair in bounds.items() if set(pair) <= set(names)}
        hidden = {bound for pair in whole.values() for bound in pair}
        rows = [
            {"method": str(row["method"])}
            | {
                name: said(row[name], *(row[bound] for bound in whole.get(name, ())))
                for name in names
                if name not in hidden
            }
            for row in self.figures.iter_rows(named=True)
        ]
        frame = pl.DataFrame(rows)
        if frame.width - 1 <= frame.height:
            return frame
        return frame.drop("method").transpose(
            include_header=True, header_name="figure", column_names=frame["method"]
        )


def said(value: object, low: float | None = None, high: float | None = None) -> str:
    """A figure as text, with its interval where there is one."""
    text = "" if value is None else _short(value)
    return text if low is None or high is None else f"{text} ({_short(low)} to {_short(high)})"


def _short(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4f}" if abs(value) < 100 else f"{value:,.0f}"


def data_file(data: Path, name: str) -> Path:
    """A file of the data folder; raises MissingDataError with the remedy where it is absent."""
    path = data / name
    if not path.is_file():
        raise MissingDataError(f"{path} is not there; name the folder that holds {name} with --data")
    return path
