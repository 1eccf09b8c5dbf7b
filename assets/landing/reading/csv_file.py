"""CSV files, also damaged ones: comma-separated, UTF-8, with a header line; a field may be quoted."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from assets.landing.contract import Table
from assets.landing.discovery import LandingFile
from assets.landing.reading.source import (
    BROKEN,
    LOST,
    NOT_UTF8,
    ROW,
    FileRejectedError,
    Source,
    broken_rows,
    is_utf8,
    known_columns,
    lines_as_json,
    unknown_columns,
    utf8_bytes,
)

_LONGEST_RECORD_LINES = 100
_REPEATED = re.compile(r"(.*)_duplicated_\d+", re.DOTALL)
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def read_csv(file: LandingFile, table: Table) -> Source:
    """Reads a CSV file; rows with bytes that are not UTF-8 and lines that do not fit the header are set apart."""
    data = utf8_bytes(file)
    try:
        cells = _parse(data, "utf8")
    except pl.exceptions.NoDataError as error:
        reason = "the file has no header line; write the column names first"
        raise FileRejectedError("unreadable file", reason) from error
    except pl.exceptions.ComputeError:
        cells = _without_lost_bytes(_parse_damaged(data)) if not is_utf8(data) else _parse_damaged(data)
    _refuse_other_separators(cells.columns)
    known = known_columns(cells.columns, table)
    repeated = tuple(sorted(name for name, n in Counter(cells.columns).items() if n > 1))
    unknown = unknown_columns(cells.columns, table)
    return Source(cells.frame.select(ROW, *known), cells.broken, unknown, repeated)


def _refuse_other_separators(columns: Sequence[str]) -> None:
    if len(columns) != 1:
        return
    for separator, words in _OTHER_SEPARATORS.items():
        if separator in columns[0]:
            reason = f"the file must be comma-separated, not by {words}; save it so and deliver it again"
            raise FileRejectedError("wrong separator", reason)


@dataclass(frozen=True)
class _Cells:
    """A CSV file taken apart: the header, `row_number` and the columns as text, and the lines that are no rows."""

    columns: list[str]
    frame: pl.DataFrame
    broken: pl.DataFrame


def _parse(data: bytes, encoding: Literal["utf8", "utf8-lossy"]) -> _Cells:
    frame = pl.read_csv(data, infer_schema=False, encoding=encoding)
    numbers = pl.Series(ROW, range(1, frame.height + 1), dtype=pl.Int64)
    is_blank = frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
    numbered = frame.select(pl.exclude(ROW)).insert_column(0, numbers)
    return _Cells(_real_names(frame.columns), numbered.filter(~is_blank), BROKEN.to_frame())


def _real_names(columns: Sequence[str]) -> list[str]:
    """The names as they stand in the header; Polars gives repeated ones an ending."""
    found = [(name, _REPEATED.fullmatch(name)) for name in columns]
    return [match[1] if match and match[1] in columns else name for name, match in found]


def _parse_damaged(data: bytes) -> _Cells:
    try:
        return _parse(data, "utf8-lossy")
    except pl.exceptions.ComputeError:
        return _parse_by_line(data.decode("utf-8", errors="replace"))


def _without_lost_bytes(cells: _Cells) -> _Cells:
    """Sets the rows apart in which bytes were lost in decoding."""
    is_lost = cells.frame.select(
        pl.any_horizontal(pl.exclude(ROW).str.contains(LOST, literal=True).fill_null(False))
    ).to_series()
    lost = cells.frame.filter(is_lost)
    raw = lost.select(pl.struct(pl.exclude(ROW)).struct.json_encode()).to_series()
    broken = broken_rows(lost[ROW], "broken encoding", NOT_UTF8, raw)
    return _Cells(cells.columns, cells.frame.filter(~is_lost), pl.concat([cells.broken, broken]))


def _parse_by_line(text: str) -> _Cells:
    """Takes a CSV file apart whose rows do not all fit its header: each line that is no row is set apart alone."""
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    header = _fields(lines[0]) or []
    rows: list[list[str | None]] = []
    broken: list[tuple[int, str]] = []
    number, position = 0, 1
    while position < len(lines):
        record, taken = _record_at(lines, position)
        fields = _fields(record)
        if fields is None or len(fields) > len(header) or (taken > 1 and len(fields) < len(header)):
            record, taken, fields = lines[position], 1, None
        position += taken
        if not record:
            continue
        number += 1
        if fields is None:
            broken.append((number, record))
        else:
            rows.append(
                [str(number), *(field or None for field in fields), *[None] * (len(header) - len(fields))]
            )
    names = list(dict.fromkeys(name for name in header if name != ROW))
    everything = pl.DataFrame(
        rows, schema=[(f"{i}", pl.String) for i in range(len(header) + 1)], orient="row"
    )
    frame = everything.select(
        pl.col("0").cast(pl.Int64).alias(ROW),
        *(pl.col(f"{header.index(name) + 1}").alias(name) for name in names),
    )
    reason = f"the line does not have the {len(header)} fields of the header; quote fields that hold commas or quotes"
    texts = pl.Series([record for _, record in broken], dtype=pl.String)
    numbers = pl.Series([number for number, _ in broken], dtype=pl.Int64)
    return _Cells(header, frame, broken_rows(numbers, "broken line", reason, lines_as_json(texts)))


def _record_at(lines: Sequence[str], position: int) -> tuple[str, int]:
    """The record that begins at a line, quoted line breaks included, and how many lines it takes."""
    record, taken = lines[position], 1
    while record.count('"') % 2:
        if taken == _LONGEST_RECORD_LINES or position + taken == len(lines):
            return lines[position], 1
        record = f"{record}\n{lines[position + taken]}"
        taken += 1
    return record, taken


def _fields(record: str) -> list[str] | None:
    if record.count('"') % 2:
        return None
    try:
        return next(csv.reader([record]), [])
    except csv.Error:
        return None
