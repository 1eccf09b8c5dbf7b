"""What stands in the landing folder now, without writing anything: raw tables and files they have not taken in yet."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from assets.home import Home
from assets.landing.checking import check
from assets.landing.contract import TABLES, Keep, Table
from assets.landing.discovery import LandingError, LandingFile, discover
from assets.landing.layout import Checkpoint, events_glob, events_schema_path, manifest_path, table_path
from assets.landing.manifest import FileEntry, Manifest
from assets.landing.reading import FileRejectedError, read


def landed(home: Home, name: str, now: datetime, *, history: bool = True) -> pl.LazyFrame:
    """Good rows of a table in contract columns, as `raw/` and the landing folder hold them; rows may occur twice.

    Args:
        home: where to read.
        name: the table.
        now: the present, naive UTC.
        history: with rows of old files that newer ones replaced; else of `raw/` and of files it has not taken in.
    """
    table = TABLES[name]
    known = Manifest.load(manifest_path(home)).tables
    entries = known[name].files if name in known else {}
    try:
        files = discover(home.landing).files[name]
    except LandingError:
        files = []
    parts = [*_raw(home, table)]
    for file in files:
        entry = entries.get(file.path)
        # The stored rows of a file leave out who was erased; the file itself has him again.
        leaves_out = entry is not None and history and entry.rows_erased
        if entry is None or leaves_out or not _is_known(home, table, file, entry):
            parts += _read(file, table, now)
        elif history:
            good = Checkpoint.of(home, table.name, entry.sha256).good
            parts.append(pl.scan_parquet(good, glob=False).select(table.names))
    return pl.concat([pl.LazyFrame(schema=table.schema), *parts])


def _is_known(home: Home, table: Table, file: LandingFile, entry: FileEntry) -> bool:
    is_same = (entry.size, entry.mtime_ns) == (file.size, file.mtime_ns)
    return is_same and Checkpoint.of(home, table.name, entry.sha256).exists()


def _read(file: LandingFile, table: Table, now: datetime) -> list[pl.LazyFrame]:
    """The good rows of one file; none where it cannot be used, which the next pass reports."""
    try:
        return [check(read(file, table), table, now).good.lazy().select(table.names)]
    except FileRejectedError:
        return []


def _raw(home: Home, table: Table) -> list[pl.LazyFrame]:
    if table.keep is Keep.EARLIEST:
        if not events_schema_path(home).exists():
            return []
        return [pl.scan_parquet(events_glob(home), hive_partitioning=False).select(table.names)]
    path = table_path(home, table.name)
    return [pl.scan_parquet(path, glob=False).select(table.names)] if path.exists() else []
