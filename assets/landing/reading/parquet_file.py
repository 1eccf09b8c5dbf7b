"""Parquet files."""

import polars as pl

from assets.landing.contract import Table
from assets.landing.discovery import LandingFile
from assets.landing.reading.source import (
    BROKEN,
    ROW,
    FileRejectedError,
    Source,
    known_columns,
    unknown_columns,
)


def read_parquet(file: LandingFile, table: Table) -> Source:
    """Reads the known columns of a Parquet file."""
    try:
        columns = list(pl.read_parquet_schema(file.location))
        known = known_columns(columns, table)
        frame = pl.read_parquet(file.location, columns=known, glob=False, hive_partitioning=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OverflowError) as error:
        cause = str(error).partition("\n")[0]
        reason = f"the file is not readable as Parquet ({cause}); it may be cut short: deliver it again"
        raise FileRejectedError("unreadable file", reason) from error
    frame = frame.select(_plain(name, dtype) for name, dtype in frame.schema.items())
    numbered = frame.with_row_index(ROW, offset=1).with_columns(pl.col(ROW).cast(pl.Int64))
    return Source(numbered, BROKEN.to_frame(), unknown_columns(columns, table))


def _plain(name: str, dtype: pl.DataType) -> pl.Expr:
    """Brings rare Parquet types to text or numbers; nested values become JSON."""
    value = pl.col(name)
    if dtype.is_nested():
        wrapped = pl.struct(value.alias("v")).struct.json_encode()
        return (
            pl.when(value.is_not_null())
            .then(wrapped.str.strip_prefix('{"v":').str.strip_suffix("}"))
            .alias(name)
        )
    if dtype.is_decimal():
        return value.cast(pl.Float64)
    if dtype.is_numeric() or dtype in (pl.String, pl.Boolean, pl.Date) or isinstance(dtype, pl.Datetime):
        return value
    return value.cast(pl.String, strict=False)
