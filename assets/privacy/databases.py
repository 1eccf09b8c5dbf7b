"""DuckDB and SQLite files: his rows go, and the pages they stood on.

A DuckDB file is built anew without his rows and swapped in by a rename: a deleted row would stay in a free block. SQLite
files are changed in place in one transaction, because Dagster's and MLflow's pages may have them open, and then vacuumed.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb

from assets.privacy.change import Change, UnreadableError, Verdict, judge, replace_file
from assets.privacy.journal import Removed
from assets.privacy.traces import RECORDS, Traces, is_address, is_customer, link

_OLD = "as_it_was"
_WAIT_SECONDS = 60
_SAYING_CUSTOMER = ("customer", "user", "person")
_MIGRATIONS = "alembic_version"
"""The table in which both of them keep how far their schema has been migrated."""

_WRITABLE = "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'"


@dataclass(frozen=True)
class _Table:
    schema: str
    name: str

    @property
    def sql(self) -> str:
        return f"{quoted(self.schema)}.{quoted(self.name)}"


def quoted(name: str) -> str:
    """A name as SQL takes it, whatever stands in it."""
    return '"' + name.replace('"', '""') + '"'


def look_at_duckdb(path: Path, traces: Traces) -> Change:
    """Finds him in the tables of a DuckDB file; views show what their files hold.

    Raises:
        UnreadableError: it cannot be opened.
    """
    try:
        _take_in_log(path)
        with duckdb.connect(str(path), read_only=True) as connection:
            verdicts = {table: _verdict(connection, table, traces) for table in _tables(connection)}
    except duckdb.Error as error:
        raise _not_duckdb(error) from error
    verdicts = {table: verdict for table, verdict in verdicts.items() if verdict.gone or verdict.edits}
    return Change(_sum(verdicts.values()), lambda: _replace(path, verdicts))


def _not_duckdb(error: duckdb.Error) -> UnreadableError:
    cause = str(error).partition("\n")[0]
    return UnreadableError(
        f"not readable as DuckDB ({cause}); close what has it open, or delete it: the next plan makes it again"
    )


def _replace(path: Path, verdicts: dict[_Table, Verdict]) -> None:
    try:
        replace_file(path, lambda aside: _rebuild(path, aside, verdicts))
    except duckdb.Error as error:
        raise _not_duckdb(error) from error


def _sum(verdicts: Iterable[Verdict]) -> Removed:
    counts = [verdict.removed for verdict in verdicts]
    return Removed(rows=sum(c.rows for c in counts), values=sum(c.values for c in counts))


def _take_in_log(path: Path) -> None:
    """Takes in what a killed writer left in the log beside the file."""
    if path.with_name(f"{path.name}.wal").exists():
        with duckdb.connect(str(path)) as connection:
            connection.execute("checkpoint")


def _tables(connection: duckdb.DuckDBPyConnection) -> list[_Table]:
    found = connection.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = current_database() "
        "and not internal order by 1, 2"
    ).fetchall()
    return [_Table(schema, name) for schema, name in found]


def _verdict(connection: duckdb.DuckDBPyConnection, table: _Table, traces: Traces) -> Verdict:
    described = connection.execute(f"describe {table.sql}").fetchall()
    columns = [(name, kind) for name, kind, *_ in described if _may_name(name, kind)]
    if not columns:
        return Verdict([], {})
    texts = [(name, f"cast({quoted(name)} as varchar)") for name, _ in columns]
    condition, values = _condition(texts, traces, "contains({}, ?)")
    names = [name for name, _ in columns]
    rows = connection.execute(
        f"select rowid, {', '.join(text for _, text in texts)} from {table.sql} where {condition}", values
    ).fetchall()
    return judge(((row[0], dict(zip(names, row[1:], strict=True))) for row in rows), traces)


def _may_name(name: str, kind: str) -> bool:
    is_key = is_customer(name) or link(name) is not None
    return is_key or any(word in kind.upper() for word in ("VARCHAR", "JSON", "ENUM", "BLOB"))


def _condition(texts: Sequence[tuple[str, str]], traces: Traces, contains: str) -> tuple[str, list[str]]:
    """Rows that may be his or name him, as SQL with parameters."""
    person = traces.person
    tests, values = ["false"], list[str]()

    def among(expression: str, wanted: Sequence[str]) -> None:
        if wanted:
            tests.append(f"{expression} in ({', '.join('?' for _ in wanted)})")
            values.extend(wanted)

    for name, text in texts:
        if is_customer(name):
            among(f"trim({text})", sorted(person.ids))
        elif leads := link(name):
            among(text, sorted(getattr(person, leads)))
        elif is_address(name):
            among(f"lower(trim({text}))", sorted(person.emails))
        lower = f"lower({text})"
        for word in traces.hints if name in RECORDS else traces.words:
            tests.append(contains.format(lower))
            values.append(word)
        for customer in sorted(person.ids - person.telling):
            # A number or a plain word: only in texts in which something says customer.
            says = " or ".join(contains.format(lower) for _ in _SAYING_CUSTOMER)
            tests.append(f"({contains.format(lower)} and ({says}))")
            values.extend((customer.lower(), *_SAYING_CUSTOMER))
    return " or ".join(tests), values


def _rebuild(path: Path, aside: Path, verdicts: dict[_Table, Verdict]) -> None:
    """The same database without his rows. It bears the same name while it is built, as views may name their catalogue."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".", suffix=aside.suffix) as folder:
        new = Path(folder) / path.name
        with duckdb.connect(str(new)) as connection:
            catalogue = connection.execute("select current_database()").fetchone()
            name = quoted(str(catalogue[0] if catalogue else path.stem))
            escaped = str(path).replace("'", "''")
            connection.execute(f"attach '{escaped}' as {_OLD} (read_only)")
            connection.execute(f"copy from database {_OLD} to {name} (schema)")
            for table in _tables(connection):
                _copy(connection, table, verdicts.get(table, Verdict([], {})))
            connection.execute(f"detach {_OLD}")
            connection.execute("checkpoint")
        shutil.move(new, aside)


def _copy(connection: duckdb.DuckDBPyConnection, table: _Table, verdict: Verdict) -> None:
    connection.execute(
        "create or replace temp table gone as select unnest(?::bigint[]) as row", [verdict.gone]
    )
    described = connection.execute(f"describe {table.sql}").fetchall()
    selected = []
    for number, (name, kind, *_) in enumerate(described):
        edits = verdict.edits.get(name)
        if not edits:
            selected.append(f"old.{quoted(name)}")
            continue
        connection.execute(
            f"create or replace temp table edits_{number} as "
            "select unnest(?::bigint[]) as row, unnest(?::varchar[]) as value",
            [list(edits), list(edits.values())],
        )
        selected.append(
            f"case when old.rowid in (select row from edits_{number}) then cast("
            f"(select value from edits_{number} as e where e.row = old.rowid) as {kind}) else old.{quoted(name)} end"
        )
    connection.execute(
        f"insert into {table.sql} select {', '.join(selected)} from {_OLD}.{table.sql} as old "
        "where old.rowid not in (select row from gone)"
    )


def look_at_sqlite(path: Path, traces: Traces) -> Change:
    """Finds him in the tables of an SQLite file.

    Raises:
        UnreadableError: it cannot be opened.
    """
    try:
        with closing(_open(path)) as connection:
            verdicts = [rows.verdict for rows in _sqlite_verdicts(connection, traces)]
    except sqlite3.Error as error:
        raise _not_sqlite(error) from error
    return Change(_sum(verdicts), lambda: _scrub(path, traces))


def _not_sqlite(error: sqlite3.Error) -> UnreadableError:
    return UnreadableError(
        f"not readable as SQLite ({error}); close what has it open, or move it away, and run again"
    )


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_WAIT_SECONDS)
    connection.text_factory = lambda content: content.decode("utf-8", errors="surrogateescape")
    return connection


@dataclass(frozen=True)
class _Rows:
    """How the rows of an SQLite table are told apart, and what becomes of them."""

    table: str
    keys: tuple[str, ...]
    verdict: Verdict

    @property
    def where(self) -> str:
        return " and ".join(f"{key} = ?" for key in self.keys)


def _sqlite_verdicts(connection: sqlite3.Connection, traces: Traces) -> Iterator[_Rows]:
    names = [name for (name,) in connection.execute(_WRITABLE).fetchall()]
    # The stores of Dagster and MLflow: what they call event_id or user_id is their own.
    are_the_shops = _MIGRATIONS not in names
    for name in names:
        table = quoted(name)
        described = connection.execute(f"pragma table_info({table})").fetchall()
        columns = [row[1] for row in described]
        texts = [(column, f"cast({quoted(column)} as text)") for column in columns]
        condition, values = _condition(texts, traces, "instr({}, ?) > 0")
        keys = _keys(connection, table, described)
        selected = ", ".join([*keys, *map(quoted, columns)])
        rows = connection.execute(f"select {selected} from {table} where {condition}", values)
        n = len(keys)
        candidates = ((row[:n], dict(zip(columns, row[n:], strict=True))) for row in rows)
        verdict = judge(candidates, traces, are_the_shops)
        if verdict.gone or verdict.edits:
            yield _Rows(table, keys, verdict)


def _keys(
    connection: sqlite3.Connection, table: str, described: Sequence[Sequence[object]]
) -> tuple[str, ...]:
    """The row number, or the primary key of a table made without one."""
    try:
        connection.execute(f"select rowid from {table} limit 0")
    except sqlite3.OperationalError:
        return tuple(quoted(str(row[1])) for row in described if row[5])
    return ("rowid",)


def _scrub(path: Path, traces: Traces) -> None:
    try:
        _delete_and_compact(path, traces)
    except sqlite3.Error as error:
        raise _not_sqlite(error) from error


def _delete_and_compact(path: Path, traces: Traces) -> None:
    with closing(_open(path)) as connection:
        connection.execute("pragma secure_delete = on")
        connection.execute("begin immediate")
        for rows in list(_sqlite_verdicts(connection, traces)):
            connection.executemany(f"delete from {rows.table} where {rows.where}", rows.verdict.gone)
            for column, edits in rows.verdict.edits.items():
                connection.executemany(
                    f"update {rows.table} set {quoted(column)} = ? where {rows.where}",
                    [(value, *position) for position, value in edits.items()],
                )
        connection.commit()
        # Lets go of the pages and of the log on which deleted text still stands.
        connection.execute("vacuum")
        connection.execute("pragma wal_checkpoint(truncate)")
