"""What every reader hands on, and what they have in common."""

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import polars as pl

from assets.landing.contract import Table
from assets.landing.discovery import LandingFile

ROW = "row_number"
"""1-based data row of a file: a CSV header does not count, a line of JSON lines is a row."""

BROKEN = pl.Schema({ROW: pl.Int64, "rule": pl.String, "reason": pl.String, "raw": pl.String})

LOST = "\N{REPLACEMENT CHARACTER}"
"""Stands in decoded text where bytes were not UTF-8."""

NOT_UTF8 = "the row is not valid UTF-8; save the file as UTF-8 and deliver it again"

_COLUMN_NAME = re.compile(r"[^\W\d][\w -]{0,40}")


class FileRejectedError(ValueError):
    """A file of which no row can be used; `rule` is the short name of what it breaks."""

    def __init__(self, rule: str, reason: str, column: str | None = None) -> None:
        super().__init__(reason)
        self.rule = rule
        self.reason = reason
        self.column = column


@dataclass(frozen=True)
class Source:
    """What a file holds.

    Attributes:
        frame: `row_number` and the known columns of the file, in the file's own types.
        broken: rows that could not be taken apart, as `BROKEN`.
        unknown: columns of the file that the contract does not know.
        repeated: columns that occur several times in the file; the first one is in `frame`.
    """

    frame: pl.DataFrame
    broken: pl.DataFrame
    unknown: tuple[str, ...]
    repeated: tuple[str, ...] = ()


def utf8_bytes(file: LandingFile) -> bytes:
    """The content of a text file without byte order mark; raises if it is UTF-16."""
    data = file.location.read_bytes()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise FileRejectedError(
            "broken encoding", "the file is UTF-16; save it as UTF-8 and deliver it again"
        )
    return data.removeprefix(codecs.BOM_UTF8)


def is_utf8(data: bytes) -> bool:
    """Whether all bytes are valid UTF-8."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def known_columns(columns: Sequence[str], table: Table) -> list[str]:
    """The columns of a file that the contract knows; raises if a required one is missing."""
    for column in table.columns:
        if column.required and column.name not in columns:
            remedy, found = _remedy_for_missing(column.name, columns)
            raise FileRejectedError(
                "missing column",
                f"required column '{column.name}' is missing; {remedy} and deliver the file again ({found})",
                column.name,
            )
    return [name for name in table.names if name in columns]


def _remedy_for_missing(name: str, columns: Sequence[str]) -> tuple[str, str]:
    """What to do and what was found; says nothing of what may be a row of data in the place of a header."""
    if not all(_COLUMN_NAME.fullmatch(column) for column in columns):
        return f"add the column '{name}'", "what was found are no column names: no header line?"
    close = get_close_matches(name, columns, n=1)
    remedy = f"rename '{close[0]}' to '{name}'" if close else f"add the column '{name}'"
    return remedy, f"found: {', '.join(columns[:30]) or 'none'}"


def unknown_columns(columns: Sequence[str], table: Table) -> tuple[str, ...]:
    """The columns of a file that the contract does not know, sorted."""
    return tuple(sorted(set(columns) - set(table.names)))


def broken_rows(numbers: pl.Series, rule: str, reason: str, raw: pl.Series) -> pl.DataFrame:
    """Records, as `BROKEN`, of rows that could not be taken apart for one and the same reason."""
    frame = pl.DataFrame({ROW: numbers, "raw": raw})
    return frame.select(ROW, pl.lit(rule).alias("rule"), pl.lit(reason).alias("reason"), "raw").cast(BROKEN)


def lines_as_json(lines: pl.Series) -> pl.Series:
    """Lines that are no rows, each as {"line": ...}."""
    return lines.to_frame("line").select(pl.struct("line").struct.json_encode()).to_series()
