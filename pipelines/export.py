"""The marketer's export: a day's plan joined with addresses and names, at the last moment and in one place."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl

from assets.home import Home
from assets.parquet import write_parquet

PERSONAL = ("email", "first_name", "last_name")
SUFFIXES = (".csv", ".parquet", ".jsonl")


class ExportError(ValueError):
    """The plan is not there, or the file's name does not say a known format."""


def export_plan(home: Home, day: date, to: Path) -> int:
    """Write the plan of `day` to `to` (.csv, .parquet or .jsonl) and return the number of rows.

    In CSV, lists are joined with "|".

    Raises:
        ExportError: no plan for that day, or another suffix.
    """
    if to.suffix not in SUFFIXES:
        raise ExportError(f"cannot export to '{to}'; let the name end in one of {', '.join(SUFFIXES)}")
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
        write_parquet(frame, to)
        return frame.height
    lists = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List)]
    aside = to.with_name(f".{to.name}.part")
    to.parent.mkdir(parents=True, exist_ok=True)
    if to.suffix == ".csv":
        frame.with_columns(pl.col(lists).cast(pl.List(pl.String)).list.join("|")).write_csv(aside)
    else:
        frame.write_ndjson(aside)
    aside.replace(to)
    return frame.height
