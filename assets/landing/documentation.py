"""The contract as Markdown, for `docs/data-contract.md`; a test holds the page and the contract together."""

import polars as pl

from assets.landing.contract import TABLES, TIMEZONES, Column, Table

_TYPES = {
    pl.String(): "text",
    pl.Float64(): "number",
    pl.Int64(): "whole number",
    pl.Boolean(): "true/false",
    pl.Date(): "date",
    pl.Datetime("us"): "time (UTC)",
}


def contract_tables() -> str:
    """One section with a table of columns for each landing table."""
    return "\n\n".join(_section(table) for table in TABLES.values())


def _section(table: Table) -> str:
    presence = "Must be there." if table.required else "May be absent."
    ids = " and ".join(f"`{name}`" for name in table.ids)
    identity = f"Identified by {ids}." if ids else "Has no id; the same row twice counts once."
    rows = "\n".join(_row(column) for column in table.columns)
    return (
        f"### {table.name}\n\n{table.description} {presence} {identity} "
        f"Of rows about the same thing stays: {table.keep.value}.\n\n"
        f"| Column | Type | Meaning | Rule | A bad value |\n|---|---|---|---|---|\n{rows}"
    )


def _row(column: Column) -> str:
    name = f"**{column.name}**" if column.required else column.name
    fate = "row to quarantine" if column.breaks_row else "becomes null"
    return (
        f"| {name} | {_TYPES[column.dtype]} | {column.description} | {'; '.join(_rules(column))} | {fate} |"
    )


def _rules(column: Column) -> list[str]:
    rules = ["required"] if column.required else []
    if column.allowed == TIMEZONES:
        rules.append("a name of the IANA time zone database")
    elif column.allowed:
        rules.append(f"one of {', '.join(column.allowed)}")
    if column.shape:
        rules.append(f"like `{column.shape.example}`")
    if column.is_json:
        rules.append("a JSON object")
    if column.minimum is not None:
        rules.append(f"{column.minimum:g} or more")
    if column.maximum is not None:
        rules.append(f"at most {column.maximum:,.0f}")
    if column.earliest is not None:
        rules.append(f"not before {column.earliest:%Y-%m-%d}")
    if column.past:
        rules.append("not in the future")
    return rules
