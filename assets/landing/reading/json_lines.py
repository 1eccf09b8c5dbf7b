"""JSON lines: one JSON object per line, UTF-8. DuckDB takes the lines apart, a block of them at a time."""

from collections.abc import Iterator

import duckdb
import polars as pl

from assets.landing.contract import IDENTIFIER, Table
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

_BLOCK_BYTES = 32 * 1024 * 1024
_MARGIN_BYTES = 4096


def read_jsonl(file: LandingFile, table: Table) -> Source:
    """Reads a file of JSON lines; whole numbers written like 12.0 become 12 in ids.

    Lines that are no JSON objects or not UTF-8 are set apart, blank ones skipped.

    Raises:
        FileRejectedError: the file is one JSON array.
    """
    data = utf8_bytes(file)
    if data[:_MARGIN_BYTES].lstrip().startswith(b"[") and data[-_MARGIN_BYTES:].rstrip().endswith(b"]"):
        reason = (
            "the file is not JSON lines: one object per line, not an array; write it so and deliver it again"
        )
        raise FileRejectedError("unreadable file", reason)
    frame = pl.DataFrame(schema={ROW: pl.Int64, **dict.fromkeys(table.names, pl.String)})
    broken = [BROKEN.to_frame()]
    keys: set[str] = set()
    lines_before = 0
    for block in _blocks(data):
        lines, lost = _lines(block, lines_before)
        lines_before += block.count(b"\n")
        rows, found = _parse(lines, table)
        damaged = lines.join(rows.select(ROW), on=ROW, how="anti", maintain_order="left")
        reason = "the line is not a JSON object; write one complete {...} on each line"
        broken.append(broken_rows(lost[ROW], "broken encoding", NOT_UTF8, lines_as_json(lost["text"])))
        broken.append(broken_rows(damaged[ROW], "broken json", reason, lines_as_json(damaged["text"])))
        frame = frame.vstack(rows)
        keys.update(found)
    columns = sorted(keys)
    known = known_columns(columns, table) if frame.height else []
    return Source(frame.select(ROW, *known), pl.concat(broken), unknown_columns(columns, table))


def _blocks(data: bytes) -> Iterator[bytes]:
    """Pieces of whole lines, so that memory holds the working copies of one piece only."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", min(start + _BLOCK_BYTES, len(data) - 1)) + 1 or len(data)
        yield data[start:end]
        start = end


def _lines(block: bytes, lines_before: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The numbered lines of a block that are not blank, and apart from them those that are not UTF-8."""
    text = pl.Series(block.decode("utf-8", errors="replace").split("\n"), dtype=pl.String)
    numbers = pl.Series(range(lines_before + 1, lines_before + len(text) + 1), dtype=pl.Int64)
    lines = pl.DataFrame({ROW: numbers, "text": text}).filter(pl.col("text").str.contains(r"\S"))
    is_lost = pl.lit(not is_utf8(block)) & pl.col("text").str.contains(LOST, literal=True)
    return lines.filter(~is_lost), lines.filter(is_lost)


def _parse(lines: pl.DataFrame, table: Table) -> tuple[pl.DataFrame, list[str]]:
    """Takes lines apart: `row_number` and the texts of all columns for those that are objects, and all keys seen."""
    with duckdb.connect() as connection:
        connection.register("lines", lines.to_arrow())
        connection.execute(
            "create temp view objects as select * from lines "
            "where case when json_valid(text) then json_type(text) = 'OBJECT' else false end"
        )
        rows = connection.sql(
            f"select {ROW}, json_extract_string(text, $paths) as found, json_type(text, $paths) as type "
            f"from objects order by {ROW}",
            params={"paths": [f'$."{name}"' for name in table.names]},
        ).pl()
        keys = connection.execute("select distinct unnest(json_keys(text)) from objects").fetchall()
    texts = (
        _text(position, is_id=column.shape == IDENTIFIER).alias(column.name)
        for position, column in enumerate(table.columns)
    )
    return rows.select(ROW, *texts), [key for (key,) in keys]


def _text(position: int, *, is_id: bool) -> pl.Expr:
    text = pl.col("found").list.get(position)
    if not is_id:
        return text
    is_fraction = pl.col("type").list.get(position) == "DOUBLE"
    return pl.when(is_fraction).then(text.str.replace(r"^(-?\d+)\.0+$", "${1}")).otherwise(text)
