"""Rows of one file against the contract: typed rows that keep it, and a record for everything that breaks it.

Set-based throughout: each column gets one code per row, 0 for good or the number of the first rule broken.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches

import polars as pl

from assets.landing.casting import cast, given
from assets.landing.contract import Column, Table
from assets.landing.reading import ROW, Source

CLOCK_TOLERANCE = timedelta(days=1)
"""How far ahead of `now` a time may lie: clocks of shops and devices are not exact."""

REJECTED = pl.Schema(
    {
        ROW: pl.Int64,
        "kind": pl.String,
        "column": pl.String,
        "rule": pl.String,
        "reason": pl.String,
        "raw": pl.String,
    }
)
"""One quarantine record: `kind` is row, value (the row went on without it) or file (`row_number` null)."""

_FUTURE = "future date"
_SUGGESTIONS_AT_MOST = 200
_LONGEST_SHOWN = 80
_UNREADABLE = {
    pl.Float64(): ("not a number", "a number; write it like 12.50"),
    pl.Int64(): ("not a number", "a whole number; write it like 3"),
    pl.Boolean(): ("not a boolean", "a boolean; write true or false"),
    pl.Date(): ("not a date", "a date; write it like 1990-05-17"),
    pl.Datetime("us"): ("not a time", "an ISO 8601 time; write it like 2025-03-01T08:15:00Z"),
}


@dataclass(frozen=True)
class Checked:
    """What became of the rows of one file.

    Attributes:
        good: `row_number` and all columns of the contract, typed.
        rejected: quarantine records, as `REJECTED`.
        holds_from, holds_until: for `now` within [holds_from, holds_until) the same file gives the same answer;
            None is unbounded. Outside, a time once in the future is past, or the other way round.
    """

    good: pl.DataFrame
    rejected: pl.DataFrame
    holds_from: datetime | None
    holds_until: datetime | None


@dataclass(frozen=True)
class _Rule:
    name: str
    is_broken: pl.Expr
    explain: Callable[[pl.Series], pl.Series]


def check(source: Source, table: Table, now: datetime) -> Checked:
    """Types and checks the rows of one file; `now` is naive UTC."""
    frame = source.frame
    present = [column for column in table.columns if column.name in frame.columns]
    typed = frame.select(ROW, *(_typed(column, frame.schema) for column in table.columns))
    facts = _facts(frame, typed, present)
    rules = {column.name: _rules(column, table, now) for column in present}
    codes = facts.select(_code(rules[column.name]).alias(column.name) for column in present)

    breaking = [column.name for column in present if column.breaks_row]
    is_bad_row = codes.select(pl.any_horizontal(pl.lit(False), pl.col(breaking) > 0)).to_series()
    problems = _problems(frame, codes, present, rules)
    broken = source.broken.select(
        ROW, pl.lit("row").alias("kind"), pl.lit(None, pl.String).alias("column"), "rule", "reason", "raw"
    )
    rejected = [broken]
    if problems.height:
        rejected.append(_rejected_rows(frame, is_bad_row, problems, [column.name for column in present]))
        rejected.append(_rejected_values(frame, is_bad_row, problems))
    repaired = [name for name in codes.columns if name not in breaking]
    good = typed.with_columns(
        pl.when(pl.lit(codes[name] == 0)).then(pl.col(name)).alias(name)
        for name in repaired
        if (codes[name] > 0).any()
    )
    holds_from, holds_until = _validity(typed, codes, present, rules)
    return Checked(good.filter(~is_bad_row), pl.concat(rejected).cast(REJECTED), holds_from, holds_until)


def _typed(column: Column, schema: pl.Schema) -> pl.Expr:
    if column.name not in schema:
        return pl.lit(None, column.dtype).alias(column.name)
    return cast(column.name, schema[column.name], column.dtype).alias(column.name)


def _facts(frame: pl.DataFrame, typed: pl.DataFrame, present: list[Column]) -> pl.DataFrame:
    """The typed columns, and `given:<column>`: whether the file holds a value."""
    return typed.hstack(
        frame.select(given(c.name, frame.schema[c.name]).alias(f"given:{c.name}") for c in present)
    )


def _code(rules: list[_Rule]) -> pl.Expr:
    code = pl.lit(0, pl.UInt8)
    for number, rule in reversed(list(enumerate(rules, start=1))):
        code = pl.when(rule.is_broken).then(pl.lit(number, pl.UInt8)).otherwise(code)
    return code


def _rules(column: Column, table: Table, now: datetime) -> list[_Rule]:
    """What can be wrong with a value, in the order in which it is tested."""
    value, was_given = pl.col(column.name), pl.col(f"given:{column.name}")
    rules = []
    name = column.name
    if column.required:
        rules.append(
            _Rule(
                "missing value", ~was_given, _states(f"{name} is empty; every row of {table.name} needs one")
            )
        )
    if column.dtype in _UNREADABLE:
        rule, remedy = _UNREADABLE[column.dtype]
        rules.append(_Rule(rule, was_given & value.is_null(), _says(name, f"is not {remedy}")))
    if column.allowed:
        rules.append(_Rule("unknown value", ~value.is_in(column.allowed), _suggests(column)))
    if column.shape:
        remedy = f"has not the expected form; write it like {column.shape.example}"
        rules.append(_Rule("wrong form", ~value.str.contains(column.shape.pattern), _says(name, remedy)))
    if column.is_json:
        remedy = 'is not a JSON object; write it like {"key": "value"}'
        is_object = value.str.json_path_match("$").str.starts_with("{").fill_null(False)
        rules.append(_Rule("broken json", value.is_not_null() & ~is_object, _says(name, remedy)))
    if column.minimum is not None:
        remedy = f"is less than {column.minimum:g}; write {column.minimum:g} or more"
        rules.append(_Rule("negative number", value < column.minimum, _says(name, remedy)))
    if column.maximum is not None:
        remedy = f"is more than {column.maximum:,.0f}, which cannot be; correct the number"
        rules.append(_Rule("absurd number", value > column.maximum, _says(name, remedy)))
    if column.earliest is not None:
        remedy = f"lies before {column.earliest:%Y-%m-%d}, which cannot be; correct the date"
        rules.append(_Rule("absurd date", value < column.earliest, _says(name, remedy)))
    if column.past:
        remedy = "lies in the future; correct the date, or wait: the row is taken up once the time has come"
        is_future = value.cast(pl.Datetime("us")) > now + CLOCK_TOLERANCE
        rules.append(_Rule(_FUTURE, is_future, _says(name, remedy)))
    return rules


def _states(sentence: str) -> Callable[[pl.Series], pl.Series]:
    """The same sentence for every value."""
    return lambda values: pl.Series([sentence], dtype=pl.String).new_from_index(0, len(values))


def _says(name: str, remedy: str) -> Callable[[pl.Series], pl.Series]:
    """A sentence that quotes the value."""

    def explain(values: pl.Series) -> pl.Series:
        shown = pl.col("value").str.slice(0, _LONGEST_SHOWN)
        sentence = pl.concat_str(pl.lit(f"{name} '"), shown, pl.lit(f"' {remedy}"))
        return values.to_frame("value").select(sentence).to_series()

    return explain


def _suggests(column: Column) -> Callable[[pl.Series], pl.Series]:
    """A sentence that names the nearest allowed value."""

    def explain(values: pl.Series) -> pl.Series:
        distinct = values.unique().sort().to_list()
        nearest = {
            value: get_close_matches(value[:_LONGEST_SHOWN], column.allowed, n=1)
            for value in distinct[:_SUGGESTIONS_AT_MOST]
        }
        known = ", ".join(column.allowed[:20]) + (", ..." if len(column.allowed) > 20 else "")
        sentences = [
            f"{column.name} '{value[:_LONGEST_SHOWN]}' is not known; "
            + (f"did you mean '{nearest[value][0]}'?" if nearest.get(value) else f"use one of: {known}")
            for value in distinct
        ]
        return values.replace_strict(
            pl.Series(distinct, dtype=pl.String), pl.Series(sentences, dtype=pl.String)
        )

    return explain


def _problems(
    frame: pl.DataFrame, codes: pl.DataFrame, present: list[Column], rules: dict[str, list[_Rule]]
) -> pl.DataFrame:
    """One row per broken rule: `row_number`, `column`, its `position`, `breaks_row`, `rule`, `reason`, `raw` value."""
    empty = {ROW: pl.Int64, "column": pl.String, "position": pl.Int64, "breaks_row": pl.Boolean}
    found = [pl.DataFrame(schema={**empty, "rule": pl.String, "reason": pl.String, "raw": pl.String})]
    for position, column in enumerate(present):
        for number, rule in enumerate(rules[column.name], start=1):
            is_broken = codes[column.name] == number
            if not is_broken.any():
                continue
            rows = frame.filter(is_broken).select(ROW, column.name)
            found.append(
                rows.select(
                    ROW,
                    pl.lit(column.name).alias("column"),
                    pl.lit(position, pl.Int64).alias("position"),
                    pl.lit(column.breaks_row).alias("breaks_row"),
                    pl.lit(rule.name).alias("rule"),
                    rule.explain(rows[column.name].cast(pl.String)).alias("reason"),
                    pl.struct(column.name).struct.json_encode().alias("raw"),
                )
            )
    return pl.concat(found)


def _rejected_rows(
    frame: pl.DataFrame, is_bad_row: pl.Series, problems: pl.DataFrame, names: list[str]
) -> pl.DataFrame:
    """One record per bad row: its first broken rule, all reasons in one sentence, and the whole row."""
    rows = frame.filter(is_bad_row).select(ROW, pl.struct(names).struct.json_encode().alias("raw"))
    reasons = (
        problems.filter("breaks_row")
        .sort(ROW, "position")
        .group_by(ROW, maintain_order=True)
        .agg(pl.first("column", "rule"), pl.col("reason").str.join("; "))
    )
    joined = rows.join(reasons, on=ROW, how="left", maintain_order="left")
    return joined.select(ROW, pl.lit("row").alias("kind"), "column", "rule", "reason", "raw")


def _rejected_values(frame: pl.DataFrame, is_bad_row: pl.Series, problems: pl.DataFrame) -> pl.DataFrame:
    """One record per bad value whose row goes on without it."""
    values = problems.filter(~pl.col("breaks_row")).join(frame.filter(is_bad_row), on=ROW, how="anti")
    return values.sort(ROW, "position").select(
        ROW, pl.lit("value").alias("kind"), "column", "rule", "reason", "raw"
    )


def _validity(
    typed: pl.DataFrame, codes: pl.DataFrame, present: list[Column], rules: dict[str, list[_Rule]]
) -> tuple[datetime | None, datetime | None]:
    """From the latest time believed to the earliest one held to be in the future, less the tolerance."""
    believed, awaited = [], []
    for column in present:
        if not column.past:
            continue
        future = [rule.name for rule in rules[column.name]].index(_FUTURE) + 1
        times = typed[column.name].cast(pl.Datetime("us"))
        believed.append(times.filter(codes[column.name] == 0).max())
        awaited.append(times.filter(codes[column.name] == future).min())
    holds_from = max((time for time in believed if isinstance(time, datetime)), default=None)
    holds_until = min((time for time in awaited if isinstance(time, datetime)), default=None)
    return (
        holds_from - CLOCK_TOLERANCE if holds_from else None,
        holds_until - CLOCK_TOLERANCE if holds_until else None,
    )
