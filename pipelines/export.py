"""The marketer's export: a day's plan joined with addresses and names, at the last moment and in one place."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl

from assets.home import Home
from assets.storage import replace_bytes, replace_parquet

PERSONAL = ("email", "first_name", "last_name")
FORMULA = r"^[=+\-@\t\r]"
SUFFIXES = (".csv", ".parquet", ".jsonl")


class ExportError(ValueError):
    """The plan is not there, or the file's name does not say a known format."""


def export_plan(home: Home, day: date, to: Path) -> int:
    """Write the plan of `day` to `to` (.csv, .parquet or .jsonl) and return the number of rows.

    In CSV, lists are joined with "|", and a text that a spreadsheet would take for a formula gets an apostrophe before it:
    names come from sign-up forms.

    Raises:
        ExportError: no plan for that day, or another suffix.
    """
    if to.suffix not in SUFFIXES:
        raise ExportError(f"cannot export to '{to}'; let the name end in one of {', '.join(SUFFIXES)}")
    if to.is_dir():
        raise ExportError(f"'{to}' is a folder; name a file in it, for example {to}/plan.csv")
    plan = home.plan(day) / "send_plan.parquet"
    if not plan.exists():
        raise ExportError(
            f"there is no plan for {day} in {home.plans}; make it with: sendplan plan --date {day}"
        )
    people = pl.read_parquet(home.raw / "customers.parquet", columns=["customer_id", *PERSONAL])
    frame = pl.read_parquet(plan).join(people, on="customer_id", how="left", maintain_order="left")
    frame = frame.select(
        "plan_date", "customer_id", *PERSONAL, pl.exclude("plan_date", "customer_id", *PERSONAL)
    )
    if to.suffix == ".parquet":
        replace_parquet(to, frame)
        return frame.height
    lists = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List)]
    if to.suffix == ".csv":
        frame = frame.with_columns(pl.col(lists).cast(pl.List(pl.String)).list.join("|"))
        frame = frame.with_columns(
            _as_text(name) for name, dtype in frame.schema.items() if dtype == pl.String
        )
    text = frame.write_csv() if to.suffix == ".csv" else frame.write_ndjson()
    replace_bytes(to, text.encode())
    return frame.height


def _as_text(column: str) -> pl.Expr:
    text = pl.col(column)
    return pl.when(text.str.contains(FORMULA)).then(pl.lit("'") + text).otherwise(text).alias(column)
