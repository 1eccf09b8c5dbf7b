"""Text files of records, CSV and JSON lines: his records go, every other byte stays.

Only records in which something of his stands are taken apart at all.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import polars as pl

from assets.landing.contract import TABLES
from assets.privacy.change import Change, replace_file
from assets.privacy.journal import Removed
from assets.privacy.traces import Traces, is_address, is_customer, link

_LONGEST_RECORD_LINES = 100
_SEPARATORS = (",", ";", "\t", "|")
_ESCAPED = "\\u"
"""In JSON, any character may be written as a code."""

Judged = str | None
"""What becomes of a record: the same text, another one, or None if it goes."""


def look_at_csv(path: Path, traces: Traces) -> Change:
    """Finds him in a CSV file, also in one that is damaged or has another separator."""

    def records(text: str) -> tuple[list[str], Callable[[str], Judged]]:
        found = list(_csv_records(text))
        head = found[0] if found else ""
        separator, header = _header(head)
        judge = _csv_judge(header, separator, traces)
        return found, lambda record: record if header and record is head else judge(record)

    return _look(path, traces, records, ())


def look_at_json_lines(path: Path, traces: Traces) -> Change:
    """Finds him in a file of JSON lines."""
    return _look(
        path,
        traces,
        lambda text: (_lines(text), lambda line: _json_line(line, traces)),
        (_ESCAPED,),
    )


def _look(
    path: Path,
    traces: Traces,
    take_apart: Callable[[str], tuple[list[str], Callable[[str], Judged]]],
    also: Sequence[str],
) -> Change:
    data = path.read_bytes()
    encoding = _encoding(data)
    text = data.decode(encoding, errors="surrogateescape" if encoding == "utf-8" else "replace")
    hints = [*traces.hints, *also]
    if not _shows([text], hints).any():
        return Change()
    records, judge = take_apart(text)
    is_candidate = _shows(records, hints)
    kept: list[str] = []
    removed = Removed()
    for record, may_be in zip(records, is_candidate, strict=True):
        judged = judge(record) if may_be else record
        if judged is None:
            removed.rows += 1
            continue
        removed.values += judged != record
        kept.append(judged)
    content = "".join(kept).encode(encoding, errors="surrogateescape" if encoding == "utf-8" else "strict")
    return Change(removed, lambda: replace_file(path, lambda aside: _write(aside, content)))


def _shows(texts: Sequence[str], hints: Sequence[str]) -> pl.Series:
    """Which texts hold one of the hints, which are lower case."""
    shown = pl.Series([text.encode("utf-8", errors="replace").decode() for text in texts], dtype=pl.String)
    return shown.str.to_lowercase().str.contains_any(list(hints))


def _write(aside: Path, content: bytes) -> None:
    aside.write_bytes(content)


def _encoding(data: bytes) -> str:
    """UTF-16 by its mark; else UTF-8, whose bad bytes come back as they were."""
    if data.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    return "utf-16-be" if data.startswith(codecs.BOM_UTF16_BE) else "utf-8"


def _lines(text: str) -> list[str]:
    """Lines with their ends; other separators that Unicode knows end none."""
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _csv_records(text: str) -> Iterator[str]:
    """Records with their line ends; a quoted field may hold line breaks."""
    lines = _lines(text)
    position = 0
    while position < len(lines):
        taken = 1
        if lines[position].count('"') % 2:
            taken = _lines_of_record(lines, position)
        yield "".join(lines[position : position + taken])
        position += taken


def _lines_of_record(lines: Sequence[str], position: int) -> int:
    """How many lines a record with an open quote takes; one where the quote is never closed."""
    quotes = 0
    for taken, line in enumerate(lines[position : position + _LONGEST_RECORD_LINES], start=1):
        quotes += line.count('"')
        if quotes % 2 == 0:
            return taken
    return 1


def _header(record: str) -> tuple[str, list[str]]:
    """The separator and the column names; no names where the first line is a record like the others."""
    plain = record.lstrip("\ufeff").rstrip("\r\n")
    separator = max(_SEPARATORS, key=plain.count)
    names = next(csv.reader([plain], delimiter=separator), [])
    is_header = any(map(_is_column, names)) or not re.search(r"[\d@]", plain)
    return separator, names if is_header else []


def _is_column(name: str) -> bool:
    """Whether the contract, or a name that says customer, address, device, message or order, makes a cell a column."""
    return (
        is_customer(name)
        or is_address(name)
        or link(name) is not None
        or any(name in table.names for table in TABLES.values())
    )


def _plain_line(line: str, traces: Traces) -> Judged:
    """What becomes of a line of which only the words can be read."""
    return None if line.strip() and traces.owns_line(line.rstrip("\r\n")) else line


def _csv_judge(header: list[str], separator: str, traces: Traces) -> Callable[[str], Judged]:
    def judge(record: str) -> Judged:
        body = record.rstrip("\r\n")
        try:
            fields = next(csv.reader(io.StringIO(body, newline=""), delimiter=separator, strict=True), [])
        except csv.Error:
            fields = []
        if not fields or (header and len(fields) > len(header)):
            return _plain_line(record, traces)
        # Of two columns with one name the first is read.
        row = dict(reversed(list(zip(header, fields, strict=False))))
        if traces.owns(row) if header else traces.owns_cells(fields):
            return None
        erased = [traces.erase_text(field) for field in fields]
        if erased == fields:
            return record
        line = io.StringIO()
        csv.writer(line, delimiter=separator, lineterminator="").writerow(erased)
        return line.getvalue() + record[len(body) :]

    return judge


def _json_line(line: str, traces: Traces) -> Judged:
    body = line.rstrip("\r\n")
    try:
        row = json.loads(body)
    except (ValueError, RecursionError):
        return _plain_line(line, traces)
    if not isinstance(row, dict | list):
        return _plain_line(line, traces)
    if isinstance(row, dict) and traces.owns(row):
        return None
    erased = traces.erase(row)
    if erased == row:
        return line
    plain = traces.erase_text(body)
    try:
        # The line as it was written, where that is enough; else in another spelling of the same JSON.
        is_enough = json.loads(plain) == erased
    except ValueError:
        is_enough = False
    if not is_enough:
        plain = json.dumps(erased, ensure_ascii=False, separators=(",", ":"))
    return plain + line[len(body) :]
