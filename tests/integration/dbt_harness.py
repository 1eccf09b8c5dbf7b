"""The dbt project as tests use it: a small simulated world, dbt as a process, and compiled models run directly.

`Dbt` runs the real command line, or what it calls. `Compiled` runs what dbt compiled in a database of its own, in a
second instead of ten, so that a property can be tried on many worlds.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import date, datetime
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from assets.home import Home
from assets.landing.ingest import EVENT_DAYS, ingest
from shop.config import ShopConfig
from shop.simulate import simulate

PROJECT = Path(__file__).parents[2] / "dbt_project"
EXECUTABLE = Path(sys.executable).parent / "dbt"
MODEL = "model.sendplan."
PUBLISHED = ("feat_", "dim_customer_profile", "audit_", "trigger", "label_")


def simulated_raw(root: Path, customers: int, days: int, end: date) -> Path:
    """Raw tables of a small simulated shop whose history ends before `end`; the folder that holds them."""
    start = date.fromordinal(end.toordinal() - days)
    home = Home(root, root / "landing")
    simulate(ShopConfig(customers=customers, days=days, seed=11, start=start), home.landing, root / "truth")
    ingest(home, datetime.combine(end, datetime.min.time()))
    return home.raw


@dataclass(frozen=True)
class Dbt:
    """dbt's command line with a warehouse of its own.

    Attributes:
        root: where the warehouse, the features and dbt's own files go.
        raw: the folder with the raw tables.
    """

    root: Path
    raw: Path

    @property
    def warehouse(self) -> Path:
        """The DuckDB file."""
        return self.root / "warehouse.duckdb"

    def variables(self, features: Path, as_of: list[date], **others: object) -> dict[str, object]:
        """The variables of a run; makes the folder for the features."""
        features.mkdir(parents=True, exist_ok=True)
        return {
            "raw_root": str(self.raw),
            "features_root": str(features),
            "as_of_dates": [day.isoformat() for day in as_of],
            **others,
        }

    def run(self, *args: str, variables: dict[str, object]) -> subprocess.CompletedProcess[str]:
        """Run one command; the caller reads code and output."""
        return subprocess.run(
            [EXECUTABLE, *self._arguments(args, variables)],
            cwd=PROJECT,
            env={**os.environ, **self._environment()},
            capture_output=True,
            text=True,
            check=False,
        )

    def must(self, *args: str, variables: dict[str, object]) -> str:
        """Run one command that has to succeed; what it said."""
        done = self.run(*args, variables=variables)
        assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
        return done.stdout

    def must_here(self, *args: str, variables: dict[str, object]) -> None:
        """Run one command that has to succeed in this process: for many in a row, which then need not start dbt anew."""
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager
        from dbt.cli.main import dbtRunner

        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(PROJECT)
            for name, value in self._environment().items():
                patch.setenv(name, value)
            done = dbtRunner().invoke(["--quiet", *self._arguments(args, variables)])
        # dbt lets go of the file with its process alone, and this one lives on.
        DuckDBConnectionManager.close_all_connections()
        assert done.success, done

    def _arguments(self, args: tuple[str, ...], variables: dict[str, object]) -> list[str]:
        return [
            "--no-use-colors",
            *args,
            *("--vars", json.dumps(variables)),
            *("--target-path", str(self.root / "target")),
            *("--log-path", str(self.root / "logs")),
        ]

    def _environment(self) -> dict[str, str]:
        return {
            "SENDPLAN_WAREHOUSE": str(self.warehouse),
            "DBT_PROFILES_DIR": str(PROJECT),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }

    def manifest(self) -> dict[str, Any]:
        """dbt's manifest of the last command."""
        content: dict[str, Any] = json.loads((self.root / "target" / "manifest.json").read_text())
        return content


class Compiled:
    """The models as dbt compiled them for one set of snapshot dates."""

    def __init__(self, dbt: Dbt, variables: dict[str, object]) -> None:
        """Compile once; `variables` holds the snapshot dates."""
        dbt.must("compile", "--full-refresh", "--select", "resource_type:model", variables=variables)
        nodes = {
            name: node
            for name, node in dbt.manifest()["nodes"].items()
            if node["resource_type"] == "model" and node["config"]["materialized"] != "ephemeral"
        }
        order = TopologicalSorter(
            {name: [d for d in node["depends_on"]["nodes"] if d in nodes] for name, node in nodes.items()}
        ).static_order()
        self._raw = str(dbt.raw)
        self._catalog = dbt.warehouse.stem
        self._models = {
            nodes[name]["name"]: (
                dbt.root / "target" / "compiled" / "sendplan" / nodes[name]["original_file_path"]
            ).read_text()
            for name in order
        }
        self._views = {node["name"] for node in nodes.values() if node["config"]["materialized"] == "view"}

    def tables(self, raw: Path) -> dict[str, pl.DataFrame]:
        """All published tables, computed from the raw tables in `raw`."""
        with duckdb.connect() as connection:
            connection.execute(f"attach ':memory:' as {self._catalog}")
            connection.execute("set TimeZone = 'UTC'")
            for name, sql in self._models.items():
                kind = "view" if name in self._views else "table"
                query = sql.replace(self._raw, str(raw))
                connection.execute(f"create {kind} {self._catalog}.main.{name} as {query}")
            return {
                name: connection.sql(f"select * from {self._catalog}.main.{name}").pl()
                for name in self._models
                if name.startswith(PUBLISHED)
            }


def write_events(raw: Path, events: pl.DataFrame) -> None:
    """Replace all events of the raw tables, in one file per day as the raw assets write them."""
    shutil.rmtree(raw / "events", ignore_errors=True)
    days = events.with_columns(day=pl.col("occurred_at").dt.date()).partition_by("day", as_dict=True)
    for (day,), rows in {(date.min,): events.clear(), **days}.items():
        folder = raw / "events" / f"day={day}"
        folder.mkdir(parents=True)
        rows.select(events.columns).write_parquet(folder / "events.parquet")
    versions = [
        (day, hashlib.sha256(rows.write_ipc(None).getvalue()).hexdigest(), rows.height)
        for (day,), rows in sorted(days.items())
    ]
    pl.DataFrame(versions, schema=EVENT_DAYS, orient="row").write_parquet(raw / "event_days.parquet")


def read_events(raw: Path) -> pl.DataFrame:
    """All events of the raw tables."""
    return pl.read_parquet(raw / "events" / "day=*" / "events.parquet", hive_partitioning=False)


def read_features(folder: Path) -> dict[str, pl.DataFrame]:
    """The published tables of a run by dbt itself."""
    return {path.stem: pl.read_parquet(path) for path in sorted(folder.glob("*.parquet"))}


def by_key(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows in one order, whatever the order they came in."""
    return frame.sort([name for name in frame.columns if not frame.schema[name].is_nested()])
