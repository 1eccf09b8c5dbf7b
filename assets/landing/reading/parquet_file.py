"""Parquet files."""

from functools import reduce

import polars as pl
from polars.datatypes import DataTypeClass

from assets.landing.contract import Table
from assets.landing.discovery import LandingFile
from assets.landing.reading.source import (
    NOT_UTF8,
    ROW,
    FileRejectedError,
    Source,
    broken_rows,
    known_columns,
    unknown_columns,
)


def read_parquet(file: LandingFile, table: Table) -> Source:
    """Reads the known columns of a Parquet file; rows with bytes that are not UTF-8 are set apart."""
    try:
        with file.location.open("rb") as content:
            columns = list(pl.read_parquet_schema(content))
        known = known_columns(columns, table)
        frame = pl.read_parquet(file.location, columns=known, glob=False, hive_partitioning=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OverflowError) as error:
        cause = str(error).partition("\n")[0]
        reason = f"the file is not readable as Parquet ({cause}); it may be cut short: deliver it again"
        raise FileRejectedError("unreadable file", reason) from error
    try:
        frame, broken = _as_text(frame)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        cause = str(error).partition("\n")[0]
        reason = f"the file holds values that cannot be converted ({cause}); write plain types and deliver it again"
        raise FileRejectedError("unreadable file", reason) from error
    return Source(frame, broken, unknown_columns(columns, table))


def _as_text(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The numbered rows in plain types, and apart from them, as `BROKEN`, those with bytes that are not UTF-8."""
    decoded = [_decoded(series) for series in frame if series.dtype == pl.Binary]
    is_lost = reduce(
        pl.Series.__or__, (lost for _, lost in decoded), pl.repeat(False, frame.height, eager=True)
    )
    frame = frame.with_columns(text for text, _ in decoded)
    frame = frame.select(_plain(name, dtype) for name, dtype in frame.schema.items())
    lost = frame.filter(is_lost).select(pl.struct(pl.all()).struct.json_encode()).to_series()
    numbered = frame.with_row_index(ROW, offset=1).with_columns(pl.col(ROW).cast(pl.Int64))
    broken = broken_rows(numbered.filter(is_lost)[ROW], "broken encoding", NOT_UTF8, lost)
    return numbered.filter(~is_lost), broken


def _decoded(series: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Bytes as text, and which values are not UTF-8; in those the bad bytes are replaced."""
    try:
        return series.cast(pl.String), pl.repeat(False, len(series), eager=True)
    except pl.exceptions.PolarsError:
        lossy = [None if value is None else value.decode("utf-8", errors="replace") for value in series]
        text = pl.Series(series.name, lossy, dtype=pl.String)
        return text, (text.cast(pl.Binary) != series).fill_null(False)


def _holds_bytes(dtype: pl.DataType | DataTypeClass) -> bool:
    if isinstance(dtype, pl.Struct):
        return any(_holds_bytes(field.dtype) for field in dtype.fields)
    if isinstance(dtype, pl.List | pl.Array):
        return _holds_bytes(dtype.inner)
    return dtype == pl.Binary


def _plain(name: str, dtype: pl.DataType) -> pl.Expr:
    """Brings rare Parquet types to text or numbers; nested values become JSON."""
    value = pl.col(name)
    if dtype.is_nested():
        if _holds_bytes(dtype):
            reason = f"the nested column '{name}' holds bytes; write them as text and deliver the file again"
            raise FileRejectedError("unreadable file", reason, name)
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
