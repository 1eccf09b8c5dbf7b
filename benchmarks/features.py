"""How fast the feature tables are built, and how much memory that takes: `python -m benchmarks.features`.

Each step is a process of its own, with the commands that the assets run. See README.md beside this file.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from assets.dbt import EXECUTABLE, PROJECT, build_args, environment, feature_vars, warehouse_vars
from assets.home import Home
from benchmarks.comparison import differences
from benchmarks.measure import Cost, run
from benchmarks.pandas_features import LEFT_OUT
from benchmarks.world import LAST_DAY, Size, write_next_day, write_raw

THREADS = 2
PLAN_DATE = LAST_DAY + timedelta(days=1)
FULL = Size(20_000_000, 400_000)
GROWTH_SHARE, PANDAS_SHARE = 0.25, 0.1


class Measure(StrEnum):
    """What can be measured."""

    FULL = "full"
    DAY = "day"
    GROWTH = "growth"
    PANDAS = "pandas"


@dataclass(frozen=True)
class Step:
    """One measured step.

    Attributes:
        name: what was done.
        size: the shop's size.
        cost: what it cost.
        target: what it should not exceed, in words; stands for `FULL` alone.
    """

    name: str
    size: Size
    cost: Cost
    target: str = ""


@dataclass
class Report:
    """Everything that was measured.

    Attributes:
        steps: what was run.
        findings: what follows from several steps: name and value.
    """

    steps: list[Step] = field(default_factory=list)
    findings: dict[str, object] = field(default_factory=dict)


class Bench:
    """A folder with shops of several sizes, each measured at most once."""

    def __init__(self, root: Path, size: Size, memory: str, tell: Callable[[str], None]) -> None:
        self.root = root
        self.size = size
        self.memory = memory
        self.tell = tell
        self.report = Report()

    def measure(self, measures: Sequence[Measure]) -> None:
        """Fill the report; a measure that another one needs is taken as well."""
        for measure in measures:
            {
                Measure.FULL: lambda: self.full_build,
                Measure.DAY: self.measure_day,
                Measure.GROWTH: self.measure_growth,
                Measure.PANDAS: self.measure_pandas,
            }[measure]()

    @cached_property
    def full_build(self) -> Cost:
        """Build everything for one plan date, with all tests of data."""
        cost = self._built_anew(self._shop("full", self.size), "full")
        self.report.steps.append(Step("full build", self.size, cost, "< 360 s, < 8 GB"))
        return cost

    def measure_day(self) -> None:
        """A day more, and the plan date after it."""
        _ = self.full_build
        home = self._home("full")
        self.tell("one day more")
        write_next_day(home, self.size)
        cost = self._build(home, PLAN_DATE + timedelta(days=1), "day")
        self.report.steps.append(Step("one new day", self.size, cost, "< 60 s"))

    def measure_growth(self) -> None:
        """How the full build grows with the shop."""
        size = self.size.part(GROWTH_SHARE)
        small = self._built_anew(self._shop("growth", size), "growth")
        self.report.steps.append(Step("full build of a quarter", size, small))
        self.report.findings |= {
            f"growth of wall time from {size.events:,} to {self.size.events:,} events (target <= 4.4)": _times(
                self.full_build.wall_seconds, small.wall_seconds
            ),
            "growth of CPU time": _times(self.full_build.cpu_seconds, small.cpu_seconds),
        }

    def measure_pandas(self) -> None:
        """feat_customer by dbt and by pandas, from the same raw tables."""
        size = self.size.part(PANDAS_SHARE)
        home = self._shop("pandas", size)
        self.tell("feat_customer by dbt")
        variables = json.dumps(feature_vars(home), sort_keys=True)
        arguments = ["run", "--select", "+feat_customer", "--vars", variables]
        dbt = self._dbt(home, arguments, PLAN_DATE, "feat_customer", "target")
        in_models = json.loads((home.dbt / "target" / "run_results.json").read_text())["elapsed_time"]
        self.tell("feat_customer by pandas")
        script, out = Path(__file__).with_name("pandas_features.py"), home.root / "pandas.parquet"
        pandas = run(
            [sys.executable, script, home.raw, PLAN_DATE.isoformat(), out], self.root / "logs" / "pandas.txt"
        )
        self.report.steps += [
            Step("feat_customer by dbt", size, dbt),
            Step("feat_customer by pandas", size, pandas),
        ]
        ours = pd.read_parquet(home.features(PLAN_DATE) / "feat_customer.parquet")
        theirs = pd.read_parquet(out)
        self.report.findings |= {
            "seconds of dbt before its first model": round(dbt.wall_seconds - in_models, 1),
            "wall time, pandas : dbt": _times(pandas.wall_seconds, dbt.wall_seconds),
            "CPU time, pandas : dbt": _times(pandas.cpu_seconds, dbt.cpu_seconds),
            "peak memory, pandas : dbt": _times(pandas.peak_bytes, dbt.peak_bytes),
            "columns compared": len(theirs.columns),
            "columns compared, by name": sorted(theirs.columns),
            "columns left out": LEFT_OUT,
            "rows that differ, by column": differences(theirs, ours, key="customer_id"),
        }

    def _shop(self, name: str, size: Size) -> Home:
        home = self._home(name)
        shutil.rmtree(home.root, ignore_errors=True)
        self.tell(f"raw tables: {size.events:,} events, {size.customers:,} customers")
        write_raw(home, size)
        return home

    def _home(self, name: str) -> Home:
        return Home(self.root / name, self.root / name / "landing")

    def _built_anew(self, home: Home, log: str) -> Cost:
        self.tell("full build")
        return self._build(home, PLAN_DATE, log, full_refresh=True)

    def _build(self, home: Home, as_of: date, log: str, full_refresh: bool = False) -> Cost:
        warehouse = build_args(["tag:warehouse"], warehouse_vars(home), full_refresh=full_refresh)
        features = build_args(["tag:features"], feature_vars(home))
        first = self._dbt(home, warehouse, as_of, f"{log}-warehouse", "warehouse")
        return first.then(self._dbt(home, features, as_of, f"{log}-features", "features"))

    def _dbt(self, home: Home, arguments: Sequence[str], as_of: date, log: str, target: str) -> Cost:
        """Run dbt in the folder that the asset of this name uses, so that it knows the project from the day before."""
        home.features(as_of).mkdir(parents=True, exist_ok=True)
        return run(
            [
                EXECUTABLE,
                "--no-use-colors",
                *arguments,
                *("--target-path", home.dbt / target),
                *("--log-path", home.dbt / "logs"),
            ],
            self.root / "logs" / f"{log}.txt",
            cwd=PROJECT,
            environment={
                **environment(home, self.memory, THREADS, [as_of]),
                "DBT_PROFILES_DIR": str(PROJECT),
            },
        )


def _times(larger: float, smaller: float) -> float:
    return round(larger / smaller, 2)


def _as_json(report: Report) -> str:
    steps = [asdict(step) | {"cost": step.cost._asdict()} for step in report.steps]
    return json.dumps({"machine": _machine(), "steps": steps, "findings": report.findings}, indent=2)


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def _print(report: Report, console: Console) -> None:
    table = Table("step", title=f"Feature tables ({_machine()})")
    for heading in ("events", "customers", "wall s", "CPU s", "peak GB", "target at 20,000,000"):
        table.add_column(heading, justify="right", no_wrap=True)
    for step in report.steps:
        table.add_row(
            step.name,
            f"{step.size.events:,}",
            f"{step.size.customers:,}",
            f"{step.cost.wall_seconds:.1f}",
            f"{step.cost.cpu_seconds:.1f}",
            f"{step.cost.peak_bytes / 1e9:.2f}",
            step.target,
        )
    console.print(table)
    for name, value in report.findings.items():
        if isinstance(value, (int, float)):
            console.print(f"{name}: {value}")
    if (found := report.findings.get("rows that differ, by column")) is not None:
        console.print(f"rows that differ, by column: {found or 'none'}")


@contextmanager
def _folder(home: Path | None) -> Iterator[Path]:
    if home is not None:
        yield home.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="sendplan-benchmark-") as folder:
        yield Path(folder)


def main(
    events: Annotated[int, typer.Option(help="Events of the full shop.", min=10_000)] = FULL.events,
    customers: Annotated[int, typer.Option(help="Customers of the full shop.", min=100)] = FULL.customers,
    memory: Annotated[str, typer.Option(help="DuckDB's memory limit.")] = "6GB",
    home: Annotated[
        Path | None,
        typer.Option(help="Keep tables and logs here, in place of earlier ones; else a temporary folder."),
    ] = None,
    only: Annotated[list[Measure] | None, typer.Option(help="Measure this alone; may be repeated.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
) -> None:
    """Measure the full build, one new day, growth with the shop's size, and pandas beside dbt."""
    progress = Console(stderr=True)
    with _folder(home) as root:
        bench = Bench(root, Size(events, customers), memory, lambda text: progress.print(f"[dim]{text}"))
        bench.measure(only or list(Measure))
    if as_json:
        print(_as_json(bench.report))
    else:
        _print(bench.report, Console(width=None if sys.stdout.isatty() else 110))
    if bench.report.findings.get("rows that differ, by column"):
        raise SystemExit("pandas and dbt disagree; one of the two is wrong")


if __name__ == "__main__":
    typer.run(main)
