"""How the dbt project is called: which selection and variables make which tables, in which environment."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliResource

from assets.home import Home

EXECUTABLE = Path(sys.executable).parent / "dbt"
"""dbt beside this Python, so that it is found without an activated environment."""

AS_OF_DATES = "SENDPLAN_AS_OF_DATES"
"""The environment variable that holds the plan dates of a run, separated by commas."""

PROJECT = Path(__file__).parent.parent / "dbt_project"


@dataclass(frozen=True)
class Dbt:
    """The dbt command line, bound to one home folder.

    Attributes:
        home: where the warehouse, the raw tables and dbt's own files are.
        memory: DuckDB's memory limit, in its own notation.
        threads: models built side by side, and DuckDB's threads.
    """

    home: Home
    memory: str
    threads: int

    def stream(
        self, context: dg.AssetExecutionContext, args: Sequence[str], as_of: Sequence[date] = ()
    ) -> Iterator[Any]:
        """Run dbt for an asset made with `@dbt_assets`, for snapshot dates if any, and yield Dagster's events."""
        target = self.home.dbt / context.op.name
        invocation = self._resource(as_of).cli(args, context=context, target_path=target)
        # The process has started with them; no later one may take them for its own.
        os.environ.pop(AS_OF_DATES)
        yield from invocation.stream()

    def run(self, args: Sequence[str], target: str) -> None:
        """Run dbt and wait for it.

        Raises:
            dagster_dbt.errors.DagsterDbtCliRuntimeError: a model or test failed; carries what dbt said.
        """
        (self.home.dbt / target / "run_results.json").unlink(missing_ok=True)
        self._resource().cli(args, target_path=self.home.dbt / target).wait()

    def test_results(self, target: str) -> dict[str, str]:
        """What became of each data test of the last `run`, by its name: pass, warn, fail, error or skipped."""
        path = self.home.dbt / target / "run_results.json"
        results = json.loads(path.read_text())["results"] if path.is_file() else []
        return {
            result["unique_id"].split(".")[2]: result["status"]
            for result in results
            if result["unique_id"].startswith("test.")
        }

    def _resource(self, as_of: Sequence[date] = ()) -> DbtCliResource:
        os.environ.update(environment(self.home, self.memory, self.threads, as_of))
        return _command_line()


@cache
def _command_line() -> DbtCliResource:
    """dbt as Dagster calls it; one per process, as it spends seconds on asking dbt for its version."""
    return DbtCliResource(project_dir=str(PROJECT), profiles_dir=str(PROJECT), dbt_executable=str(EXECUTABLE))


def build_args(
    selection: Sequence[str],
    variables: dict[str, object],
    exclude: Sequence[str] = (),
    full_refresh: bool = False,
) -> list[str]:
    """Arguments for `dbt build` of selected models with their data tests; unit tests belong to the test suite.

    Without a selection Dagster adds that of its run: all models of the asset, or those that a person has chosen.
    """
    return [
        "build",
        *(["--full-refresh"] if full_refresh else []),
        *(["--select", " ".join(selection)] if selection else []),
        *(["--exclude", " ".join(exclude)] if exclude else []),
        "--exclude-resource-type",
        "unit_test",
        "--vars",
        json.dumps(variables, sort_keys=True),
    ]


def warehouse_vars(home: Home) -> dict[str, object]:
    """Variables of the staging, intermediate and fact models: where the raw tables are."""
    return {"raw_root": str(home.raw)}


def feature_vars(home: Home) -> dict[str, object]:
    """Variables of the feature and trigger models for plan dates; each date has a folder of its own.

    The dates themselves come in the `environment`: dbt would parse the project anew for other variables.
    """
    return {**warehouse_vars(home), "features_root": home.features_template}


def warehouse_code() -> str:
    """A name for the SQL of the warehouse: while it is the same, tables built before can be built on."""
    folders = (
        "macros",
        "models/staging",
        "models/intermediate/changes",
        "models/intermediate/warehouse",
        "models/marts",
    )
    files = [
        PROJECT / "dbt_project.yml",
        *(file for folder in folders for file in (PROJECT / folder).rglob("*.sql")),
    ]
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.relative_to(PROJECT)}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def snapshot_vars(home: Home, week: date, snapshots: Sequence[date], horizon_days: int) -> dict[str, object]:
    """Variables of features and labels for the training of one week; no label window reaches past the week."""
    return {
        **warehouse_vars(home),
        "as_of_dates": sorted(day.isoformat() for day in snapshots),
        "features_root": str(home.training(week)),
        "label_horizon_days": horizon_days,
        "labels_until": week.isoformat(),
    }


def environment(home: Home, memory: str, threads: int, as_of: Sequence[date] = ()) -> dict[str, str]:
    """The environment variables that `profiles.yml` reads, and the plan dates."""
    return {
        AS_OF_DATES: ",".join(sorted(day.isoformat() for day in as_of)),
        "SENDPLAN_WAREHOUSE": str(home.warehouse),
        "SENDPLAN_DUCKDB_MEMORY": memory,
        "SENDPLAN_DUCKDB_THREADS": str(threads),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
    }


def tests_of(manifest: Path, tag: str) -> dict[str, str]:
    """The data tests of the models that have no other tag than this: the test's name and the model's."""
    nodes = json.loads(manifest.read_text())["nodes"]
    return {
        node["name"]: nodes[node["attached_node"]]["name"]
        for node in nodes.values()
        if node["resource_type"] == "test"
        and node.get("attached_node")
        and nodes[node["attached_node"]]["tags"] == [tag]
    }


def prepare(home: Home) -> Path:
    """The dbt manifest, parsed anew when any file of the project is newer than it.

    Raises:
        RuntimeError: dbt cannot parse the project; the message carries what dbt said.
    """
    target = home.dbt / "manifest"
    manifest = target / "manifest.json"
    sources = [p for p in PROJECT.rglob("*") if p.suffix in {".sql", ".yml"} and "target" not in p.parts]
    if manifest.exists() and manifest.stat().st_mtime > max(p.stat().st_mtime for p in sources):
        return manifest
    target.mkdir(parents=True, exist_ok=True)
    parsed = subprocess.run(
        [EXECUTABLE, "--quiet", "parse", "--target-path", target, "--log-path", target / "logs"],
        cwd=PROJECT,
        env={**os.environ, **environment(home, "1GB", 1), "DBT_PROFILES_DIR": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if parsed.returncode != 0:
        raise RuntimeError(f"dbt cannot parse {PROJECT}; mend what it names:\n{parsed.stdout}{parsed.stderr}")
    return manifest
