"""How far a table has moved from the one a model learnt on: population stability per column.

Here: what a training keeps of its newest snapshot (bins and shares, no row), and the comparison of a day with it. Not
here: which tables are compared, checks, retraining.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl
from scipy.stats import chi2

from models.evaluation.metrics import FloatArray, psi_of_counts

WARN, ALARM = 0.1, 0.25
"""Below the first a column is stable by custom, above the second it has shifted."""

LARGEST_EXPECTED = 1.0
"""Drift that passes as usual is held below this, so that a column gone silent is noticed in a young shop too."""

CHANCE = 0.99
"""Drift below this quantile of what two samples of one population differ by is chance, whatever the custom says."""

RATE = re.compile(r"_rate(_\d+d)?$")
"""Names of rates: answers per mail, refunds per order. A rate of few trials spreads differently with every trial more,
and a mail goes to everybody at once; its mean does not, so that alone is compared.
"""

N_BINS = 10
MIN_ROWS_PER_BIN = 20
"""A bin or level of fewer people says little of drift and much of them."""

DRIFT_SCHEMA = {"column": pl.String, "psi": pl.Float64, "expected": pl.Float64, "state": pl.String}


@dataclass(frozen=True)
class Spread:
    """How one column was spread over its rows.

    Attributes:
        edges: of a number: inner bin edges at quantiles; a value belongs to the first edge that is not below it.
        levels: of a category: its frequent levels; the others are one more. Neither: a rate.
        shares: per bin or level, then of the values above the last edge or of the other levels, then of missing values; of a
            rate its mean, one less its mean, and missing values.
        expected: the PSI between the two newest snapshots of the training.
    """

    edges: tuple[float, ...] | None
    levels: tuple[str, ...] | None
    shares: tuple[float, ...]
    expected: float = 0.0

    @classmethod
    def of(cls, values: pl.Series) -> Self:
        """The spread of a column."""
        if RATE.search(values.name):
            blank = cls(None, None, ())
        elif _is_category(values):
            counts = values.cast(pl.String).drop_nulls().alias("level").value_counts(name="n")
            frequent = counts.filter(pl.col("n") >= MIN_ROWS_PER_BIN).sort(
                ["n", "level"], descending=[True, False]
            )
            blank = cls(None, tuple(frequent["level"]), ())
        else:
            known = _known(values)
            n_bins = min(N_BINS, len(known) // MIN_ROWS_PER_BIN)
            inner = np.quantile(known, np.linspace(0, 1, n_bins + 1)[1:-1]) if n_bins > 1 else np.empty(0)
            blank = cls(tuple(sorted({float(f"{edge:.6g}") for edge in inner})), None, ())
        counted = blank._counts(values)
        return cls(blank.edges, blank.levels, tuple((counted / max(counted.sum(), 1.0)).round(6).tolist()))

    def psi(self, values: pl.Series) -> float:
        """The population stability index of `values` against this spread; NaN without rows."""
        return psi_of_counts(np.asarray(self.shares), self._counts(values))

    def chance(self, n_before: int, n_now: int) -> float:
        """The PSI that chance alone seldom exceeds between two samples of so many rows.

        Source: Yurdakul and Naranjo (2020), "Statistical properties of the population stability index": it is
        (1 / n + 1 / m) times chi-squared with one degree of freedom less than bins.
        """
        n_bins = int(np.count_nonzero(self.shares))
        return (1 / n_before + 1 / n_now) * float(chi2.ppf(CHANCE, max(n_bins - 1, 1)))

    def _counts(self, values: pl.Series) -> FloatArray:
        if self.levels is not None:
            text = values.cast(pl.String)
            listed = [float((text == level).sum()) for level in self.levels]
            missing = float(text.null_count())
            return np.array([*listed, len(text) - sum(listed) - missing, missing])
        known = _known(values)
        if self.edges is None:
            return np.array([known.sum(), len(known) - known.sum(), len(values) - len(known)])
        edges = np.asarray(self.edges)
        binned = np.bincount(np.searchsorted(edges, known, side="left"), minlength=len(edges) + 1)
        return np.append(binned, len(values) - len(known)).astype(np.float64)


@dataclass(frozen=True)
class Reference:
    """What a training keeps of the newest snapshot it saw, to compare later days with.

    Attributes:
        n_rows: rows of the snapshot.
        columns: name -> spread.
    """

    n_rows: int
    columns: Mapping[str, Spread]

    @classmethod
    def of(cls, newest: pl.DataFrame, earlier: pl.DataFrame | None = None) -> Self:
        """Of the numbers, flags and texts of a frame; other columns are left out.

        Args:
            newest: the newest snapshot.
            earlier: the one before it, a label window older. What moved as far between these two moved while the model
                was judged on it: ages grow, a shop's history lengthens. That much is expected. Without rows the shop is too
                young to say what is usual of it, and nothing will be compared.
        """
        if earlier is not None and earlier.is_empty():
            return cls(0, {})
        spreads = {column.name: Spread.of(column) for column in newest if _is_comparable(column)}
        if earlier is None:
            return cls(newest.height, spreads)
        before = Reference.of(earlier)
        return cls(
            newest.height,
            {
                name: Spread(
                    spread.edges,
                    spread.levels,
                    spread.shares,
                    round(before.columns[name].psi(newest[name]), 6),
                )
                if name in before.columns
                else spread
                for name, spread in spreads.items()
            },
        )

    def compare(self, now: pl.DataFrame) -> pl.DataFrame:
        """Each column of the reference now: column, psi, expected, state ('stable', 'warn' or 'alarm'); worst first.

        A column warns above `WARN` and alarms above `ALARM`, or above what was expected of it or chance brings about where
        that is more. A column that `now` lacks counts as missing throughout. No rows on either side: no comparison.
        """
        if not self.n_rows or now.is_empty():
            return pl.DataFrame(schema=DRIFT_SCHEMA)
        rows = []
        for name, spread in self.columns.items():
            psi = spread.psi(now[name] if name in now.columns else pl.Series(name, [None] * now.height))
            usual = max(min(spread.expected, LARGEST_EXPECTED), spread.chance(self.n_rows, now.height))
            state = "alarm" if psi > max(ALARM, usual) else "warn" if psi > max(WARN, usual) else "stable"
            rows.append((name, psi, spread.expected, state))
        return pl.DataFrame(rows, schema=DRIFT_SCHEMA, orient="row").sort(
            [pl.col("state").replace_strict({"alarm": 0, "warn": 1, "stable": 2}), -pl.col("psi"), "column"]
        )


def to_json(references: Mapping[str, Reference]) -> str:
    """References by the name of their table, as text."""
    plain: dict[str, Any] = {
        table: {
            "rows": reference.n_rows,
            "columns": {
                name: {
                    **({"levels": spread.levels} if spread.levels is not None else {}),
                    **({"edges": spread.edges} if spread.edges is not None else {}),
                    "shares": spread.shares,
                    "expected": spread.expected,
                }
                for name, spread in reference.columns.items()
            },
        }
        for table, reference in references.items()
    }
    return json.dumps(plain, indent=1)


def from_json(text: str) -> dict[str, Reference]:
    """The inverse of `to_json`."""
    return {
        table: Reference(
            entry["rows"],
            {
                name: Spread(
                    tuple(spread["edges"]) if "edges" in spread else None,
                    tuple(spread["levels"]) if "levels" in spread else None,
                    tuple(spread["shares"]),
                    spread["expected"],
                )
                for name, spread in entry["columns"].items()
            },
        )
        for table, entry in json.loads(text).items()
    }


def _is_category(values: pl.Series) -> bool:
    return values.dtype in (pl.String, pl.Categorical, pl.Enum)


def _is_comparable(values: pl.Series) -> bool:
    return _is_category(values) or values.dtype.is_numeric() or values.dtype == pl.Boolean


def _known(values: pl.Series) -> FloatArray:
    known = values.cast(pl.Float64, strict=False).drop_nulls().drop_nans()
    return known.to_numpy()
