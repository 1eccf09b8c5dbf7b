"""How long the models take on Online Retail II, and how much memory: training of a week, scores of a day.

Each figure is of a process of its own (`benchmarks.measure`), with everything it starts from already made, so that the
models are told apart from the tables they read.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from benchmarks.evaluate.table import Table, Target, data_file
from benchmarks.measure import Cost, run

DAY, WEEK = "2011-11-10", "2011-11-07"
SENDPLAN = Path(sys.executable).parent / "sendplan"
MAX_TRAINING_SECONDS, MAX_SCORING_SECONDS, MAX_GB = 240.0, 30.0, 4.0

STEPS = (
    ("landing_check", None, "raw", "raw tables"),
    ("landing_check", None, "warehouse", "warehouse"),
    ("weekly_training", WEEK, "training_snapshots", "feature build: training"),
    ("weekly_training", WEEK, "training", "training"),
    ("daily_plan", DAY, "features", "feature build: a day"),
    ("daily_plan", DAY, "scores", "scoring"),
)
"""Job, partition, which of its assets (see `benchmarks.evaluate.step`), row of the table; each needs those before it."""


def tables(data: Path) -> Iterator[Table]:
    """One table: seconds by the clock, seconds of processor and GB of each step; the models of each question as well."""
    file = data_file(data, "online_retail_II.parquet")
    with tempfile.TemporaryDirectory(prefix="speed-") as folder:
        root = Path(folder)
        home = {"SENDPLAN_HOME": str(root / "home"), "SENDPLAN_LANDING": str(root / "landing")}
        imported: list[str | Path] = [
            SENDPLAN,
            "import",
            "online-retail",
            file,
            "--landing",
            root / "landing",
        ]
        costs = {"import": run(imported, root / "import.log", environment=home)}
        seconds: dict[str, float] = {}
        for job, partition, part, name in STEPS:
            log, spent = root / f"{part}.log", root / f"{part}.json"
            step: list[str | Path] = [sys.executable, "-m", "benchmarks.evaluate.step", job, part, spent]
            costs[name] = run([*step, *([partition] if partition else [])], log, environment=home)
            if name in ("training", "scoring"):
                seconds |= {f"{name}: {row[0]}": row[1] for row in pl.read_json(spent).iter_rows()}
    figures = pl.DataFrame(
        [{"method": name, **_figures(cost)} for name, cost in costs.items()]
        + [{"method": name, "seconds": value} for name, value in seconds.items()]
    )
    yield Table(
        "speed",
        f"Online Retail II, week of {WEEK}, plan date {DAY}; every step a process of its own, imports included",
        figures,
        {"day": DAY, "week": WEEK},
        (
            Target("training", "seconds", high=MAX_TRAINING_SECONDS),
            Target("training", "peak_gb", high=MAX_GB),
            Target("scoring", "seconds", high=MAX_SCORING_SECONDS),
        ),
    )


def _figures(cost: Cost) -> dict[str, float]:
    return {
        "seconds": cost.wall_seconds,
        "cpu_seconds": cost.cpu_seconds,
        "peak_gb": cost.peak_bytes / 1e9,
    }
