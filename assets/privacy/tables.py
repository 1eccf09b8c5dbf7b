"""Parquet files: his rows go; schema, order and content of the others stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from assets.landing.casting import cast
from assets.privacy.change import Change, UnreadableError, Verdict, judge, replace_file
from assets.privacy.traces import RECORDS, Traces, is_address, is_customer, link

_POSITION = "\x00position"


def look_at_parquet(path: Path, traces: Traces) -> Change:
    """Finds him in a Parquet file.

    Raises:
        UnreadableError: it cannot be read.
    """
    verdict = _verdict(path, traces)
    return Change(verdict.removed, lambda: replace_file(path, lambda aside: _write(path, aside, verdict)))


def his_positions(path: Path, traces: Traces) -> list[int]:
    """Positions of his rows in a Parquet file, counted from 0; raises `UnreadableError`."""
    return _verdict(path, traces).gone


def _verdict(path: Path, traces: Traces) -> Verdict:
    try:
        with path.open("rb") as content:
            schema = pl.read_parquet_schema(content)
        columns = [name for name, dtype in schema.items() if _may_name(name, dtype)]
        if not columns:
            return Verdict([], {})
        rows = pl.scan_parquet(path, glob=False, hive_partitioning=False).select(columns)
        rows = rows.with_row_index(_POSITION)
        found = rows.filter(_candidates(columns, schema, traces)).collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OverflowError, OSError) as error:
        cause = str(error).partition("\n")[0]
        raise UnreadableError(
            f"not readable as Parquet ({cause}); deliver it again, or delete it, and run again"
        ) from error
    positions = found.drop_in_place(_POSITION)
    return judge(zip(positions, found.iter_rows(named=True), strict=True), traces)


def _may_name(name: str, dtype: pl.DataType) -> bool:
    is_key = is_customer(name) or link(name) is not None
    return is_key or dtype.is_nested() or dtype in (pl.String, pl.Categorical, pl.Enum, pl.Binary)


def _candidates(columns: list[str], schema: dict[str, pl.DataType], traces: Traces) -> pl.Expr:
    """Rows that may be his or name him: a superset, made of whole-column tests."""
    person = traces.person
    tests = []
    for name in columns:
        text = _text(name, schema[name])
        if is_customer(name):
            tests.append(text.str.strip_chars().is_in(sorted(person.ids)))
        elif leads := link(name):
            tests.append(text.is_in(sorted(getattr(person, leads))))
        elif is_address(name):
            tests.append(text.str.strip_chars().str.to_lowercase().is_in(sorted(person.emails)))
        words = traces.hints if name in RECORDS else traces.words
        if words:
            tests.append(text.str.contains_any(words, ascii_case_insensitive=True))
        if bare := sorted(person.ids - person.telling):
            tests.append(text.str.contains_any(bare) & text.str.contains(r"(?i)(?:customer|user|person)_?id"))
    return pl.any_horizontal(pl.lit(False), *(test.fill_null(False) for test in tests))


def _text(name: str, dtype: pl.DataType) -> pl.Expr:
    if dtype.is_nested():
        return pl.struct(name).struct.json_encode()
    if dtype == pl.Binary:
        return pl.col(name).cast(pl.String, strict=False)
    if dtype in (pl.Categorical, pl.Enum):
        return pl.col(name).cast(pl.String)
    return cast(name, dtype, pl.String())


def _write(path: Path, aside: Path, verdict: Verdict) -> None:
    """Copies the file row group by row group without his rows."""
    gone = np.asarray(verdict.gone, dtype=np.int64)
    with pq.ParquetFile(path) as source:
        metadata = source.metadata
        has_data = metadata.num_row_groups and metadata.num_columns
        codec = metadata.row_group(0).column(0).compression if has_data else "ZSTD"
        with pq.ParquetWriter(
            aside, source.schema_arrow, compression="NONE" if codec == "UNCOMPRESSED" else codec
        ) as target:
            start = 0
            for group in range(metadata.num_row_groups):
                table = source.read_row_group(group)
                stays = np.ones(table.num_rows, dtype=bool)
                stays[gone[(gone >= start) & (gone < start + table.num_rows)] - start] = False
                table = _edited(table, start, verdict)
                target.write_table(table.filter(pa.array(stays)))
                start += stays.size


def _edited(table: pa.Table, start: int, verdict: Verdict) -> pa.Table:
    for column, edits in verdict.edits.items():
        here = {at - start: value for at, value in edits.items() if start <= at < start + table.num_rows}
        if not here:
            continue
        index = table.schema.get_field_index(column)
        values = table.column(index).to_pylist()
        for at, value in here.items():
            values[at] = value
        field = table.schema.field(index)
        table = table.set_column(index, field, pa.array(values, type=field.type))
    return table
