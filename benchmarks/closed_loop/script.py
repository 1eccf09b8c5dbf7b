"""The SQL that dbt runs for a day, kept once and run again for later days without dbt.

dbt spends three times as long on writing a day's SQL as DuckDB on running it, and from day to day nothing in it changes but
dates. So the statements of one run by dbt are kept, and for another day every date in them is moved by the days between.
What only asks DuckDB about its tables is left out. `days_to_build` says whether a day was really taken in.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from assets.dbt import PROJECT, environment
from assets.home import Home
from assets.landing.layout import event_days_path

_DATE = re.compile(r"\b(20\d\d)-(\d\d)-(\d\d)\b")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_CHANGES_NOTHING = re.compile(r"^\s*(describe|select|show|begin|commit|rollback)\b", re.IGNORECASE)
MEMORY, THREADS = "2GB", 1


class DbtInProcess:
    """dbt in this process: parsed once, run as often as wanted, for one home folder.

    Data tests are left out: they decide nothing, and the product's own tests run them on the same SQL.
    """

    def __init__(self, home: Home, variables: dict[str, object]) -> None:
        from dbt.cli.main import dbtRunner  # noqa: PLC0415 - takes seconds, and most days need no dbt

        self.home = home
        target = home.dbt / "closed_loop"
        self._base = [
            *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--quiet"),
            *("--target-path", str(target), "--log-path", str(target / "logs")),
        ]
        self._runner: Any = dbtRunner
        os.environ.update(environment(home, MEMORY, THREADS, [date.min]))
        parsed: Any = self._runner().invoke(["parse", *self._base, "--vars", json.dumps(variables)])
        if not parsed.success:
            raise RuntimeError(f"dbt cannot parse its project: {parsed.exception}")
        self._manifest = parsed.result

    def run(
        self, selection: list[str], variables: dict[str, object], as_of: list[date], *extra: str
    ) -> list[str]:
        """Build models; returns every statement that was run.

        Raises:
            RuntimeError: a model failed; carries what dbt said.
        """
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager  # noqa: PLC0415

        os.environ.update(environment(self.home, MEMORY, THREADS, as_of))
        arguments = ["run", *self._base, *extra, "--select", *selection, "--vars", json.dumps(variables)]
        with _recorded() as statements:
            # dbt writes into the manifest it works with.
            result = self._runner(manifest=self._manifest.deepcopy()).invoke(arguments)
        DuckDBConnectionManager.close_all_connections()
        if not result.success:
            broken = [f"{r.node.name}: {r.message}" for r in result.result or [] if r.status == "error"]
            raise RuntimeError(f"dbt failed: {result.exception or ''} {'; '.join(broken[:3])}")
        return statements


@contextmanager
def _recorded() -> Iterator[list[str]]:
    """Statements sent to DuckDB by dbt while the block runs."""
    from dbt.adapters.duckdb.environments import local  # noqa: PLC0415

    wrapper: Any = local.DuckDBCursorWrapper
    statements: list[str] = []
    execute = wrapper.execute

    def keep(cursor: Any, sql: str, bindings: Any = None) -> Any:
        if bindings is not None:
            raise RuntimeError(f"a statement with bindings cannot be kept: {sql[:200]}")
        statements.append(sql)
        return execute(cursor, sql, bindings)

    wrapper.execute = keep
    try:
        yield statements
    finally:
        wrapper.execute = execute


class OtherSqlError(RuntimeError):
    """A run was begun with other SQL than the project's of now."""


def hold_to_sql(home: Home) -> None:
    """Notes which SQL a home is built with and where; raises OtherSqlError where it was another or elsewhere, as kept scripts
    would not fit.
    """
    digest = hashlib.sha256(str(home.root).encode())
    for file in sorted(path for path in PROJECT.rglob("*.sql") if "target" not in path.parts):
        digest.update(file.read_bytes())
    note = home.dbt / "closed_loop.sql"
    note.parent.mkdir(parents=True, exist_ok=True)
    if note.is_file() and note.read_text() != digest.hexdigest():
        raise OtherSqlError(
            f"{home.root} was built with other SQL than that of now; remove it, and it is played anew"
        )
    note.write_text(digest.hexdigest())


class DayScript:
    """Statements of one day that stand for every day.

    Args:
        day: the plan date that they were run for.
        statements: as dbt ran them.
    """

    def __init__(self, day: date, statements: list[str]) -> None:
        self.day = day
        self.statements = statements

    @classmethod
    def kept(cls, path: Path) -> DayScript | None:
        """The script of a file, None where there is none."""
        if not path.is_file():
            return None
        held = json.loads(path.read_text())
        return cls(date.fromisoformat(held["day"]), held["statements"])

    def keep(self, path: Path) -> None:
        """Write the script to a file."""
        path.write_text(json.dumps({"day": self.day.isoformat(), "statements": self.statements}))

    def at(self, day: date) -> list[str]:
        """The statements that change something, for another plan date."""
        by = day - self.day
        return [
            _moved(sql, by) for sql in self.statements if not _CHANGES_NOTHING.match(_COMMENT.sub("", sql))
        ]

    def run(self, home: Home, day: date) -> None:
        """Run it on the warehouse, all of it or nothing."""
        config: dict[str, Any] = {
            "threads": THREADS,
            "memory_limit": MEMORY,
            "preserve_insertion_order": False,
        }
        with duckdb.connect(str(home.warehouse), config=config) as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute("begin")
            for sql in self.at(day):
                connection.execute(sql)
            connection.execute("commit")


def _moved(sql: str, by: timedelta) -> str:
    return _DATE.sub(lambda found: (date.fromisoformat(found[0]) + by).isoformat(), sql)


def days_to_build(home: Home) -> list[date]:
    """Days of events that do not stand in the warehouse as they stand in `raw/`."""
    raw = pl.read_parquet(event_days_path(home)).select("day", "version")
    if not home.warehouse.exists():
        return raw["day"].to_list()
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        built = connection.sql("select event_date as day, version as built from int_built_days").pl()
    both = raw.join(built, on="day", how="full", coalesce=True)
    return both.filter(pl.col("version").ne_missing(pl.col("built")))["day"].sort().to_list()


def stands(home: Home, table: str) -> bool:
    """Whether the warehouse has a table or view of this name: dbt's statements for a first time are not those for later."""
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        found = connection.execute(
            "select count(*) from duckdb_tables() where table_name = $1", [table]
        ).fetchone()
        seen = connection.execute(
            "select count(*) from duckdb_views() where view_name = $1", [table]
        ).fetchone()
    return (found, seen) != ((0,), (0,))
