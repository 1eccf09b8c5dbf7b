"""The published plan's columns with type and meaning: for Dagster's catalogue and for docs/send-plan.md."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from models.policy.plan_schema import PLAN_COLUMNS, REASONS, Column

RENDERED = {
    "subject": Column(
        pl.String(), "Subject line, rendered with the recipient's data; null unless the action is send."
    ),
    "preheader": Column(pl.String(), "Preview line beside the subject; null unless the action is send."),
}
LEADING = (
    *("plan_date", "customer_id", "action", "reason", "message_key"),
    *("send_at_local", "subject", "preheader", "explanation"),
)
"""What a person reads first; the other columns follow in the order in which they are decided."""

_TYPES = {
    pl.String(): "text",
    pl.Float64(): "number",
    pl.Int64(): "whole number",
    pl.Boolean(): "true/false",
    pl.Date(): "date",
    pl.Datetime("us"): "time",
    pl.List(pl.String): "list of text",
    pl.List(pl.Float64): "list of numbers",
}


def plan_columns() -> dict[str, Column]:
    """Every column of the published plan, in its order."""
    every = {**PLAN_COLUMNS, **RENDERED}
    return {name: every[name] for name in (*LEADING, *(n for n in every if n not in LEADING))}


def column_schema() -> dg.TableSchema:
    """The columns as Dagster's catalogue shows them."""
    return dg.TableSchema(
        [dg.TableColumn(name, str(c.dtype), description=c.meaning) for name, c in plan_columns().items()]
    )


def documentation() -> str:
    """The tables of docs/send-plan.md."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield from ("| column | type | meaning |", "|---|---|---|")
    for name, column in plan_columns().items():
        yield f"| `{name}` | {_TYPES[column.dtype]} | {column.meaning} |"
    yield from ("", "## Reasons", "", "| reason | meaning |", "|---|---|")
    for reason, meaning in REASONS.items():
        yield f"| `{reason}` | {meaning} |"
