"""One pass over the landing folder: new and changed files are checked, and what they touch in `raw/` is made again.

A pass that is cut short does no harm: every file is replaced in one step, the manifest is taken away before the first
change and written last, and without a manifest everything is made again.
"""

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from assets.home import Home
from assets.landing.checking import REJECTED, Checked, check
from assets.landing.contract import TABLES, Keep, Table
from assets.landing.discovery import LandingError, LandingFile, discover
from assets.landing.layout import (
    Checkpoint,
    days_on_disk,
    event_days_path,
    events_day_path,
    events_schema_path,
    manifest_path,
    quarantine_path,
    table_path,
)
from assets.landing.manifest import FileEntry, Manifest, TableState
from assets.landing.merging import FILE, Merged, contested_ids, merge, settle
from assets.landing.reading import ROW, FileRejectedError, read
from assets.landing.report import IngestReport, TableReport
from assets.privacy.suppression import Suppression, without_erased
from assets.storage import replace_parquet

__all__ = ["IngestReport", "LandingError", "TableReport", "ingest"]

QUARANTINE = pl.Schema({"table": pl.String(), FILE: pl.String(), **REJECTED})
"""Columns of `quarantine/<table>.parquet`."""

EVENT_DAYS = pl.Schema({"day": pl.Date(), "version": pl.String(), "n_events": pl.Int64()})
"""Columns of `raw/event_days.parquet`."""


def ingest(home: Home, now: datetime) -> IngestReport:
    """Brings `raw/` and `quarantine/` up to what stands in `landing/`.

    Reads only new and changed files, and files whose rows dated in the future may have become good. Writes only
    what differs. The same landing folder and `now` give the same bytes, whatever was ingested before.

    Args:
        home: where to read and write; `landing` is only read.
        now: the present, naive UTC; rows dated more than a day later go to quarantine until their time has come.

    Raises:
        LandingError: the landing folder is absent or empty, or a required table has no file.
    """
    discovery = discover(home.landing)
    previous = Manifest.load(manifest_path(home))
    suppression = Suppression.load(home)
    states, reports = {}, {}
    for name, table in TABLES.items():
        before = previous.tables.get(name, TableState())
        states[name], reports[name] = _ingest_table(
            home, table, discovery.files[name], before, now, suppression
        )
        returned = {key for entry in states[name].files.values() for key in entry.erased_ids}
        if not suppression.knows(returned):
            # Rows of these ids may have been taken in before they were known as his: all is read anew, without them.
            suppression.with_ids(returned, now).save(home)
            _mark_unfinished(home)
            return ingest(home, now)
    Manifest(tables=states).save(manifest_path(home))
    _forget_checkpoints(home, states)
    return IngestReport(tables=reports, warnings=(*discovery.warnings, *_repeated_columns(states)))


def _repeated_columns(states: Mapping[str, TableState]) -> list[str]:
    return [
        f"{path}: the column '{name}' occurs more than once; the first one is read, take the others out"
        for state in states.values()
        for path, entry in state.files.items()
        for name in entry.repeated_columns
    ]


def _ingest_table(
    home: Home,
    table: Table,
    files: list[LandingFile],
    before: TableState,
    now: datetime,
    suppression: Suppression,
) -> tuple[TableState, TableReport]:
    entries, was_read = _entries(home, table, files, before, now, suppression)
    changed = was_read | (before.files.keys() ^ entries.keys())
    changed |= {
        path for path in entries if path in before.files and entries[path].sha256 != before.files[path].sha256
    }
    if before.report and not changed and _is_in_place(home, table, before):
        return before.model_copy(update={"files": entries}), before.report.unchanged()
    _mark_unfinished(home)
    if table.keep is Keep.EARLIEST:
        touched = _days_of(changed, before.files) | _days_of(changed, entries)
        result = _write_days(home, table, entries, before, touched)
    else:
        result = _write_whole(home, table, entries)
    quarantine = _write_quarantine(home, table, entries, result.merged.rejected)
    report = _report(table, entries, was_read, result, quarantine)
    return TableState(
        files=entries, days=result.days, contested_days=result.contested_days, report=report
    ), report


def _entries(
    home: Home,
    table: Table,
    files: list[LandingFile],
    before: TableState,
    now: datetime,
    suppression: Suppression,
) -> tuple[dict[str, FileEntry], set[str]]:
    """The entry of each file, and the paths of those that had to be read."""
    known = {
        entry.sha256: entry
        for entry in before.files.values()
        if entry.holds_at(now) and Checkpoint.of(home, table.name, entry.sha256).exists()
    }
    entries, was_read = {}, set()
    for file in files:
        sha256 = _hash(file, before.files.get(file.path))
        if sha256 not in known:
            known[sha256] = _check_file(home, table, file, sha256, now, suppression)
            was_read.add(file.path)
        entries[file.path] = known[sha256].model_copy(update={"size": file.size, "mtime_ns": file.mtime_ns})
    return entries, was_read


def _mark_unfinished(home: Home) -> None:
    """Takes the manifest away while outputs change: after a pass that was cut short, the next one trusts nothing."""
    manifest_path(home).unlink(missing_ok=True)


def _hash(file: LandingFile, entry: FileEntry | None) -> str:
    is_same = entry and entry.rejection is None and (entry.size, entry.mtime_ns) == (file.size, file.mtime_ns)
    if entry and is_same:
        return entry.sha256
    try:
        with file.location.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256")
    except OSError as error:
        digest = hashlib.sha256(f"{file.path}: {error.strerror}".encode())
    digest.update(file.extension.encode())
    return digest.hexdigest()


def _check_file(
    home: Home, table: Table, file: LandingFile, sha256: str, now: datetime, suppression: Suppression
) -> FileEntry:
    """Checks one file and stores its rows, but for those of people who have been erased."""
    _mark_unfinished(home)
    rejection: str | None = None
    unknown: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    try:
        source = read(file, table)
        checked = check(source, table, now)
        rows_read = source.frame.height + source.broken.height
        unknown, repeated = source.unknown, source.repeated
    except FileRejectedError as error:
        checked, rejection, rows_read = _reject(error, table), error.reason, 0
    good, rejected, rows_erased = without_erased(checked.good, checked.rejected, suppression)
    ids = suppression.ids_by_address(checked.good) if rows_erased else ()
    checkpoint = Checkpoint.of(home, table.name, sha256)
    replace_parquet(checkpoint.rejected, rejected)
    replace_parquet(checkpoint.good, good)
    days = good["occurred_at"].dt.date().unique().sort() if table.keep is Keep.EARLIEST else ()
    return FileEntry(
        sha256=sha256,
        size=file.size,
        mtime_ns=file.mtime_ns,
        rows_read=rows_read,
        rows_good=good.height,
        rows_erased=rows_erased,
        erased_ids=ids,
        days=tuple(days),
        rejection=rejection,
        unknown_columns=unknown,
        repeated_columns=repeated,
        holds_from=checked.holds_from,
        holds_until=checked.holds_until,
    )


def _reject(error: FileRejectedError, table: Table) -> Checked:
    record = {"kind": "file", "column": error.column, "rule": error.rule, "reason": error.reason}
    good = pl.DataFrame(schema={ROW: pl.Int64, **table.schema})
    return Checked(good, pl.DataFrame([record], schema=REJECTED), None, None)


def _checked_rows(home: Home, table: Table, entries: Mapping[str, FileEntry]) -> pl.LazyFrame:
    """The good rows of files with their `file`; nothing is read yet."""
    empty = pl.LazyFrame(schema={ROW: pl.Int64, **table.schema, FILE: pl.String})
    scans = [
        pl.scan_parquet(Checkpoint.of(home, table.name, entry.sha256).good, glob=False).with_columns(
            pl.lit(path).alias(FILE)
        )
        for path, entry in entries.items()
        if entry.rows_good
    ]
    return pl.concat([empty, *scans])


@dataclass(frozen=True)
class _Written:
    """What a table became, and for events the days."""

    merged: Merged
    days: tuple[date, ...] = ()
    contested_days: tuple[date, ...] = ()
    written: tuple[date, ...] = ()
    reopened: tuple[date, ...] = ()
    span: tuple[datetime | None, datetime | None] = (None, None)


def _write_whole(home: Home, table: Table, entries: Mapping[str, FileEntry]) -> _Written:
    merged = merge(_checked_rows(home, table, entries), table)
    replace_parquet(table_path(home, table.name), merged.kept)
    if "occurred_at" not in table.names:
        return _Written(merged)
    return _Written(merged, span=_span([merged.kept["occurred_at"]]))


def _write_days(
    home: Home, table: Table, entries: Mapping[str, FileEntry], before: TableState, touched: set[date]
) -> _Written:
    """Makes the touched event days again, and those on which an id stands that also stands on another day."""
    replace_parquet(events_schema_path(home), pl.DataFrame(schema=table.schema))
    rows = _checked_rows(home, table, entries)
    (identifier,) = table.ids
    contested = contested_ids(rows, table)
    suspects = rows.filter(pl.col(identifier).is_in(contested.implode())).collect()
    merged = settle(suspects, table)
    day = pl.col("occurred_at").dt.date()
    across_days = (
        suspects.group_by(identifier).agg(day.unique().alias("days")).filter(pl.col("days").list.len() > 1)
    )
    contested_days = tuple(across_days["days"].explode().unique().sort())
    on_disk = days_on_disk(home)
    touched = touched | (on_disk ^ set(before.days)) | set(before.contested_days) | set(contested_days)

    concerned = {path: entry for path, entry in entries.items() if touched.intersection(entry.days)}
    uncontested = (
        _checked_rows(home, table, concerned)
        .filter(day.is_in(sorted(touched)), ~pl.col(identifier).is_in(contested.implode()))
        .select(table.names)
        .collect()
    )
    kept = pl.concat([uncontested, merged.kept.filter(day.is_in(sorted(touched)))]).sort(table.order)
    parts = kept.with_columns(day.alias("day")).partition_by("day", as_dict=True, include_key=False)
    written = {day for (day,), part in parts.items() if replace_parquet(events_day_path(home, day), part)}
    emptied = touched - {day for (day,) in parts}
    for gone in emptied & on_disk:
        shutil.rmtree(events_day_path(home, gone).parent)
    days = sorted((on_disk | written) - emptied)
    _write_event_days(home, days, touched)
    ends = [pl.read_parquet(events_day_path(home, day))["occurred_at"] for day in (days[:1] + days[-1:])]
    return _Written(
        merged,
        tuple(days),
        contested_days,
        tuple(sorted(written)),
        tuple(sorted(written & on_disk)),
        _span(ends),
    )


def _days_of(paths: Iterable[str], entries: Mapping[str, FileEntry]) -> set[date]:
    return {day for path in paths if path in entries for day in entries[path].days}


def _write_event_days(home: Home, days: Iterable[date], touched: set[date]) -> None:
    """The version of each day: kept for days that this pass did not touch."""
    path = event_days_path(home)
    known = pl.read_parquet(path) if path.is_file() else pl.DataFrame(schema=EVENT_DAYS)
    kept = known.filter(~pl.col("day").is_in(sorted(touched)) & pl.col("day").is_in(sorted(days)))
    anew = [_event_day(home, day) for day in sorted(set(days) - set(kept["day"]))]
    replace_parquet(path, pl.concat([kept, pl.DataFrame(anew, schema=EVENT_DAYS, orient="row")]).sort("day"))


def _event_day(home: Home, day: date) -> tuple[date, str, int]:
    path = events_day_path(home, day)
    with path.open("rb") as content:
        version = hashlib.file_digest(content, "sha256").hexdigest()
    return day, version, pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()


def _is_in_place(home: Home, table: Table, before: TableState) -> bool:
    if not quarantine_path(home, table.name).is_file():
        return False
    if table.keep is Keep.EARLIEST:
        standing = (events_schema_path(home), event_days_path(home))
        return all(path.is_file() for path in standing) and days_on_disk(home) == set(before.days)
    return table_path(home, table.name).is_file()


def _span(times: list[pl.Series]) -> tuple[datetime | None, datetime | None]:
    ends = [time for series in times for time in (series.min(), series.max()) if isinstance(time, datetime)]
    return min(ends, default=None), max(ends, default=None)


def _write_quarantine(
    home: Home, table: Table, entries: Mapping[str, FileEntry], lost_in_merge: pl.DataFrame
) -> pl.DataFrame:
    """Writes and returns all quarantine records of a table."""
    rejected = [
        pl.read_parquet(Checkpoint.of(home, table.name, entry.sha256).rejected, glob=False).with_columns(
            pl.lit(path).alias(FILE)
        )
        for path, entry in entries.items()
    ]
    lost = lost_in_merge.select(*REJECTED, FILE)
    quarantine = pl.concat([lost, *rejected]).select(pl.lit(table.name).alias("table"), *list(QUARANTINE)[1:])
    quarantine = quarantine.sort(FILE, ROW, "kind", "column", nulls_last=False, maintain_order=True)
    replace_parquet(quarantine_path(home, table.name), quarantine)
    return quarantine


def _report(
    table: Table,
    entries: Mapping[str, FileEntry],
    was_read: set[str],
    result: _Written,
    quarantine: pl.DataFrame,
) -> TableReport:
    merged = result.merged
    rows_good = sum(entry.rows_good for entry in entries.values())
    return TableReport(
        table=table.name,
        files=len(entries),
        files_read=len(was_read),
        files_rejected={path: entry.rejection for path, entry in entries.items() if entry.rejection},
        rows_read=sum(entry.rows_read for entry in entries.values()),
        rows_kept=rows_good - merged.duplicates - merged.superseded - merged.rejected.height,
        duplicates=merged.duplicates,
        superseded=merged.superseded,
        erased=sum(entry.rows_erased for entry in entries.values()),
        quarantined=_count_by_rule(quarantine, "row"),
        repaired=_count_by_rule(quarantine, "value"),
        unknown_columns=tuple(sorted({name for entry in entries.values() for name in entry.unknown_columns})),
        days_written=result.written,
        days_reopened=result.reopened,
        first_occurred_at=result.span[0],
        last_occurred_at=result.span[1],
    )


def _count_by_rule(quarantine: pl.DataFrame, kind: str) -> dict[str, int]:
    counts = quarantine.filter(pl.col("kind") == kind).group_by("rule").len().sort("rule")
    return dict(counts.iter_rows())


def _forget_checkpoints(home: Home, states: Mapping[str, TableState]) -> None:
    """Removes the stored rows of files that are no longer in the landing folder, or not with that content."""
    for name, state in states.items():
        places = [Checkpoint.of(home, name, entry.sha256) for entry in state.files.values()]
        used = {path for place in places for path in (place.good, place.rejected)}
        for path in (home.raw / "_files" / name).glob("*.parquet"):
            if path not in used:
                path.unlink()
