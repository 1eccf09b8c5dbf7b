"""The trials by name, in the order in which they are printed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from benchmarks.evaluate.table import Table

TRIALS: tuple[str, ...] = (
    "cdnow",
    "retail_customers",
    "recommendations",
    "contents",
    "hillstrom",
    "off_policy",
    "send_time",
    "simulated_customers",
    "category_propensity",
    "simulated_offers",
    "replenishment",
    "segments",
    "drift",
    "speed",
)
"""Each is a module of this package with `tables(data: Path) -> Iterator[Table]`."""

BY_NAME_ALONE: tuple[str, ...] = ("closed_loop",)
"""Further trials, which take hours and are run only if they are named; they judge decisions and have a page of their own."""


def tables(trial: str, data: Path) -> Iterator[Table]:
    """Run a trial from scratch.

    Args:
        trial: one of TRIALS or BY_NAME_ALONE.
        data: the folder with the public datasets.
    Raises: MissingDataError where the trial's file is absent.
    """
    yield from import_module(f"benchmarks.evaluate.{trial}").tables(data)
