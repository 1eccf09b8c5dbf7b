"""From what a file holds to the types of the contract, as Polars expressions. What cannot be read becomes null."""

import polars as pl

_MOMENT = (
    r"^(\d{4}-\d{2}-\d{2})"  # date
    r"(?:[T ](\d{2}:\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?"  # time, seconds, fraction
    r"\s*(?:([Zz])|([+-])(\d{2}):?(\d{2})?)?)?$"  # offset
)
_TRUE, _FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")


def given(name: str, source: pl.DataType) -> pl.Expr:
    """Whether a file holds a value at all: blank text and NaN count as none."""
    value = pl.col(name)
    if source == pl.String:
        return value.str.contains(r"\S").fill_null(False)
    if source.is_float():
        return value.is_not_null() & value.is_not_nan()
    return value.is_not_null()


def cast(name: str, source: pl.DataType, target: pl.DataType) -> pl.Expr:
    """Reads column `name` of type `source` as `target`; unreadable values are null. Times become naive UTC."""
    if target == pl.String:
        return _text(name, source)
    if target == pl.Float64:
        return _number(name, source)
    if target == pl.Int64:
        return _whole(name, source)
    if target == pl.Boolean:
        return _flag(name, source)
    if target == pl.Date:
        return _day(name, source)
    return _moment(name, source)


def _stripped(name: str) -> pl.Expr:
    text = pl.col(name).str.strip_chars()
    return pl.when(text != "").then(text)


def _text(name: str, source: pl.DataType) -> pl.Expr:
    value = pl.col(name)
    if source == pl.String:
        return _stripped(name)
    if source.is_float():
        is_whole = (value == value.floor()) & (value.abs() < 2**53)
        return (
            pl.when(value.is_not_nan())
            .then(
                pl.when(is_whole)
                .then(value.cast(pl.Int64, strict=False).cast(pl.String))
                .otherwise(value.cast(pl.String))
            )
            .alias(name)
        )
    return value.cast(pl.String)


def _number(name: str, source: pl.DataType) -> pl.Expr:
    if source.is_numeric():
        number = pl.col(name).cast(pl.Float64)
    elif source == pl.String:
        number = _stripped(name).cast(pl.Float64, strict=False)
    else:
        return pl.lit(None, pl.Float64)
    return pl.when(number.is_finite()).then(number)


def _whole(name: str, source: pl.DataType) -> pl.Expr:
    if source.is_integer():
        return pl.col(name).cast(pl.Int64, strict=False)
    number = _number(name, source)
    return pl.when(number == number.floor()).then(number).cast(pl.Int64, strict=False)


def _flag(name: str, source: pl.DataType) -> pl.Expr:
    if source == pl.Boolean:
        return pl.col(name)
    if source == pl.String:
        text = _stripped(name).str.to_lowercase()
        is_true, is_false = text.is_in(_TRUE), text.is_in(_FALSE)
    elif source.is_numeric():
        is_true, is_false = pl.col(name) == 1, pl.col(name) == 0
    else:
        return pl.lit(None, pl.Boolean)
    return pl.when(is_true).then(True).when(is_false).then(False)


def _day(name: str, source: pl.DataType) -> pl.Expr:
    if source == pl.Date or isinstance(source, pl.Datetime):
        return pl.col(name).cast(pl.Date)
    if source == pl.String:
        return _stripped(name).str.extract(_MOMENT, 1).str.to_date("%Y-%m-%d", strict=False)
    return pl.lit(None, pl.Date)


def _moment(name: str, source: pl.DataType) -> pl.Expr:
    if isinstance(source, pl.Datetime):
        value = pl.col(name)
        if source.time_zone is not None:
            value = value.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return value.cast(pl.Datetime("us"), strict=False)
    if source == pl.Date:
        return pl.col(name).cast(pl.Datetime("us"))
    if source != pl.String:
        return pl.lit(None, pl.Datetime("us"))
    parts = _stripped(name).str.extract_groups(_MOMENT).struct

    def part(number: int, absent: str) -> pl.Expr:
        return parts.field(str(number)).fill_null(absent)

    local = pl.concat_str(
        parts.field("1"), pl.lit(" "), part(2, "00:00"), pl.lit(":"), part(3, "00"), pl.lit("."), part(4, "0")
    ).str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
    minutes = part(7, "00").cast(pl.Int64) * 60 + part(8, "00").cast(pl.Int64)
    ahead = pl.when(part(6, "+") == "-").then(-minutes).otherwise(minutes)
    return local - pl.duration(minutes=ahead, time_unit="us")
