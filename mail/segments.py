"""Marketers' own segments: conditions in SQL, checked when they are read, asked in a database that can reach nothing else.

Here: segments.yaml, what a condition may say, who fulfils it. Not here: learnt segments (`models.segments`), other YAML
files (`catalogue`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from unicodedata import category

import duckdb
import polars as pl
from polars.datatypes import DataTypeClass
from pydantic import Field, field_validator

from mail.errors import Document, Location, MessageFileError, nearest, read_yaml, refuse, repeated, validated
from mail.schema import Key, Strict

FOLDER = Path(__file__).parent
SEGMENTS = FOLDER / "segments.yaml"
TABLE = "customer"

OPERATORS = frozenset({"+", "-", "*", "/", "//", "%", "||", "~~", "!~~", "~~*", "!~~*", "~~~"})
FUNCTIONS = frozenset(
    {
        *("abs", "round", "floor", "ceil", "ceiling", "trunc", "greatest", "least", "ln", "log10", "sqrt"),
        *("lower", "upper", "trim", "length", "contains", "starts_with", "ends_with", "suffix", "prefix"),
        *(
            "list_contains",
            "array_contains",
            "list_has",
            "list_has_any",
            "list_has_all",
            "len",
            "array_length",
        ),
        *("date_diff", "datediff", "date_trunc", "date_part", "year", "month", "day", "dayofweek", "isodow"),
        *("to_years", "to_months", "to_weeks", "to_days", "to_hours", "to_minutes"),
        *("list_value", "nullif", "ifnull", "struct_extract"),
    }
)
"""What a condition may call: nothing that reads files, the clock or chance, or looks at several customers."""

EXPRESSIONS = frozenset(
    {
        "COLUMN_REF",
        "CONSTANT",
        "COMPARISON",
        "CONJUNCTION",
        "FUNCTION",
        "OPERATOR",
        "CAST",
        "CASE",
        "BETWEEN",
        "TYPE",
    }
)
REMEDIES: Mapping[str, str] = {
    "SUBQUERY": "a condition looks at one customer; leave the subquery out",
    "WINDOW": "a condition looks at one customer; leave the window function out",
    "STAR": "name the columns; '*' means nothing here",
    "PARAMETER": "write the value out; there are no parameters",
    "LAMBDA": "lambdas are not allowed; use list_contains or list_has_any",
}
PLAUSIBLE: Mapping[DataTypeClass, object] = {
    pl.String: "text",
    pl.Boolean: True,
    pl.Date: date(2025, 6, 1),
    pl.Datetime: date(2025, 6, 1),
}

MAX_LEVELS = 200
"""Most levels of DuckDB's tree of a condition; an operator in an operator takes two."""
TOO_DEEP = "the condition is nested too deeply; write it flatter"

LEARNT = "learnt_"
"""How the keys of learnt segments begin."""
BREAKS = frozenset({"Cc", "Zl", "Zp"})
"""Unicode categories of control characters and line breaks."""


class Audience(Strict):
    """A segment of the marketer: those for whom the condition is true."""

    key: Key
    name: str = Field(min_length=1, max_length=80)
    condition: str = Field(min_length=1, max_length=2_000)

    @field_validator("key")
    @classmethod
    def _is_not_learnt(cls, key: str) -> str:
        if key.startswith(LEARNT):
            raise ValueError(f"'{key}' begins as the keys of learnt segments do, '{LEARNT}'; choose another")
        return key

    @field_validator("name")
    @classmethod
    def _is_one_line(cls, name: str) -> str:
        if any(category(character) in BREAKS for character in name):
            raise ValueError("a name has no line breaks or control characters; write it on one line")
        return name


class AudienceFile(Strict):
    """segments.yaml: `segments` is a list of key, name and condition."""

    segments: list[Audience]


@dataclass(frozen=True)
class Audiences:
    """The marketer's segments in the order of the file, each known to be sound for a table of these columns.

    Attributes:
        audiences: the segments.
        places: `<file>:<line>` of each one's condition.
    """

    audiences: tuple[Audience, ...]
    places: tuple[str, ...]

    def members(self, customers: pl.DataFrame) -> pl.DataFrame:
        """customer_id, segment_key, segment (its name): a row for each segment a customer is in, sorted.

        Args: customers: one row per customer with customer_id and the columns that were checked. For whom a condition
        comes to null or fails, he is not in. Raises MessageFileError, without customers' values in it.
        """
        schema = {"customer_id": pl.String, "segment_key": pl.String, "segment": pl.String}
        with _locked(customers) as database:
            found = [
                _meeting(database, audience, place).with_columns(
                    segment_key=pl.lit(audience.key), segment=pl.lit(audience.name)
                )
                for audience, place in zip(self.audiences, self.places, strict=True)
            ]
        return pl.concat([pl.DataFrame(schema=schema), *found]).sort("customer_id", "segment_key")


def load_audiences(customers: pl.DataFrame, path: Path = SEGMENTS) -> Audiences:
    """Reads segments.yaml and checks every condition against the columns of `customers`, of which rows are not needed.

    A folder without the file has no segments of its own. Raises MessageFileError with one line for each mistake, as
    `<file>:<line>: <what is wrong>; <what to do>`.
    """
    if not path.exists():
        return Audiences((), ())
    document = read_yaml(path)
    audiences = validated(document, AudienceFile).segments
    specimen = _specimen(customers.schema)
    refuse(document, "segments", _mistakes(document, audiences, specimen))
    lines = [document.line(("segments", position, "condition")) for position in range(len(audiences))]
    return Audiences(tuple(audiences), tuple(f"{path}:{line}" for line in lines))


def _meeting(database: duckdb.DuckDBPyConnection, audience: Audience, place: str) -> pl.DataFrame:
    """customer_id of those who meet a condition; one that fails for a customer is not met by him."""
    try:
        return database.sql(f"select customer_id from {TABLE} where try(({audience.condition}\n))").pl()
    except duckdb.Error:
        # The database's own words may hold what is known of a customer, and the event log keeps them.
        raise MessageFileError(
            f"{place}: '{audience.key}': the condition does not fit the customers of this day; compare numbers with "
            "numbers, text with text"
        ) from None


def _specimen(schema: pl.Schema) -> pl.DataFrame:
    """One made-up customer: an error that depends on values shows with him."""
    return pl.DataFrame({name: [_plausible(dtype)] for name, dtype in schema.items()}, schema=schema)


def _plausible(dtype: DataTypeClass | pl.DataType) -> object:
    """A value of this type: a word, a count of 12, a share of a half, a day; null for a type that no column has."""
    if isinstance(dtype, pl.List):
        return [_plausible(dtype.inner)]
    if isinstance(dtype, pl.Struct):
        return {field.name: _plausible(field.dtype) for field in dtype.fields}
    if dtype.is_integer():
        return 12
    if dtype.is_float():
        return 0.5
    return PLAUSIBLE.get(dtype.base_type())


def _mistakes(
    document: Document, audiences: list[Audience], customers: pl.DataFrame
) -> Iterator[tuple[Location, str]]:
    yield from repeated(document, "segments", "key", (audience.key for audience in audiences))
    with _locked(customers) as database:
        for position, audience in enumerate(audiences):
            for text in _faults(database, audience.condition, customers.columns):
                yield (position, "condition"), f"'{audience.key}': {text}"


def _faults(database: duckdb.DuckDBPyConnection, condition: str, columns: list[str]) -> list[str]:
    """What is wrong with a condition; what it means is looked at only where its words are allowed."""
    (text,) = database.execute(
        "select json_serialize_sql(?)", [f"select ({condition}\n) from {TABLE}"]
    ).fetchone() or ("{}",)
    try:
        parsed = json.loads(text)
    except RecursionError:
        return [TOO_DEEP]
    if parsed.get("error", True):
        reason = str(parsed.get("error_message", "it cannot be read"))
        if reason.startswith("Max expression depth"):
            return [TOO_DEEP]
        return [
            f"the condition is no SQL expression: {reason}; write it as in: n_orders >= 2 and country = 'DE'"
        ]
    if not _is_one_expression(parsed["statements"]):
        return [
            "the condition is more than one expression; write what stands after 'where', and nothing else"
        ]
    (expression,) = parsed["statements"][0]["node"]["select_list"]
    faults = list(dict.fromkeys(_refused(expression, columns)))
    return faults or _misfit(database, condition)


def _misfit(database: duckdb.DuckDBPyConnection, condition: str) -> list[str]:
    """What the database says when the condition is asked."""
    try:
        asked = database.execute(f"select ({condition}\n) from {TABLE}")
        asked.fetchall()
        kind = asked.description[0][1]
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        if isinstance(error, duckdb.OutOfRangeException):
            return [f"the condition calculates too far: {reason}; calculate with smaller numbers"]
        return [
            f"the condition does not fit the columns: {reason}; compare numbers with numbers, text with text"
        ]
    if str(kind) != "BOOLEAN":
        return [f"the condition gives a {kind}, not true or false; compare it, as in: n_orders > 0"]
    return []


def _is_one_expression(statements: list[dict[str, Any]]) -> bool:
    """Whether the statement is `select <one expression> from customer`, and nothing has been slipped in behind."""
    if len(statements) != 1 or statements[0]["node"]["type"] != "SELECT_NODE":
        return False
    node = statements[0]["node"]
    extras = ("where_clause", "having", "qualify", "sample")
    return (
        len(node["select_list"]) == 1
        and node["from_table"].get("table_name") == TABLE
        and not any(node.get(extra) for extra in (*extras, "group_expressions", "modifiers"))
        and not node["cte_map"]["map"]
    )


def _refused(part: object, columns: list[str], level: int = 0) -> Iterator[str]:
    """Every part of an expression that a condition may not have."""
    if level > MAX_LEVELS:
        yield TOO_DEEP
        return
    if isinstance(part, list):
        for item in part:
            yield from _refused(item, columns, level + 1)
        return
    if not isinstance(part, dict):
        return
    kind = part.get("class")
    if kind is not None and kind not in EXPRESSIONS:
        yield REMEDIES.get(kind, f"'{str(kind).lower()}' is not allowed here; use comparisons, and, or, not")
        return
    if kind == "COLUMN_REF":
        name = ".".join(part["column_names"])
        if name.lower() not in columns:
            yield f"unknown column '{name}'; {nearest(name.lower(), columns)}"
    if kind == "CAST" and not part["try_cast"] and part["child"].get("class") == "COLUMN_REF":
        yield "a cast fails for all if it does for one customer; write try_cast"
    if kind == "FUNCTION":
        name = part["function_name"]
        if name not in OPERATORS and name not in FUNCTIONS:
            yield f"the function '{name}' is not allowed; {nearest(name, sorted(FUNCTIONS))}"
    for value in part.values():
        yield from _refused(value, columns, level + 1)


def _locked(customers: pl.DataFrame) -> duckdb.DuckDBPyConnection:
    """A database in memory that holds these customers as `customer` and can read or write no file."""
    database = duckdb.connect()
    database.register("given", customers.to_arrow())
    database.execute(f"create table {TABLE} as select * from given")
    database.unregister("given")
    for setting in ("enable_external_access = false", "threads = 1", "lock_configuration = true"):
        database.execute(f"set {setting}")
    return database
