"""The marketer's export: a day's plan joined with addresses and names, at the last moment and in one place.

Whoever has withdrawn, complained or bounced since the plan was made is held back; so that a withdrawal landed a minute ago
counts, landing files that no run has taken in yet are read too, without writing anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import polars as pl

from assets.home import Home
from assets.landing.landed import landed
from assets.privacy.exports import remember
from assets.privacy.suppression import Suppression
from assets.stops import apply_stops, current_stops, for_the_address
from assets.storage import replace_bytes, replace_parquet
from pipelines.destination import require_destination
from pipelines.spreadsheet import as_csv

PERSONAL = ("email", "first_name", "last_name")
SUFFIXES = (".csv", ".parquet", ".jsonl")


class ExportError(ValueError):
    """The plan is not there."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        rows: rows in the file.
        stopped: sends held back because of what has happened since the plan was made.
    """

    rows: int
    stopped: int


def export_plan(home: Home, day: date, to: Path, now: datetime) -> Exported:
    """Write the plan of `day`, as it may be sent at `now`, to `to` (.csv, .parquet or .jsonl).

    Raises:
        ExportError: no plan for that day.
        DestinationError: the file may not be written there.
    """
    require_destination(home, to, SUFFIXES)
    plan = home.plan(day) / "send_plan.parquet"
    if not plan.exists():
        raise ExportError(
            f"there is no plan for {day} in {home.plans}; make it with: sendplan plan --date {day}"
        )
    people = pl.read_parquet(home.raw / "customers.parquet", columns=["customer_id", *PERSONAL])
    planned = pl.read_parquet(plan)
    stopped = apply_stops(planned, for_the_address(_stops(home, now), people))
    frame = stopped.join(people, on="customer_id", how="left", maintain_order="left")
    frame = frame.filter(~Suppression.load(home).is_his(frame.select("customer_id", "email")))
    frame = frame.select(
        "plan_date", "customer_id", *PERSONAL, pl.exclude("plan_date", "customer_id", *PERSONAL)
    )
    exported = Exported(frame.height, int((planned["action"] != stopped["action"]).sum()))
    # Before it is written: an erasure must find every file that may hold somebody.
    remember(home, to)
    if to.suffix == ".parquet":
        replace_parquet(to, frame)
        return exported
    replace_bytes(to, as_csv(frame) if to.suffix == ".csv" else frame.write_ndjson().encode())
    return exported


def _stops(home: Home, now: datetime) -> pl.DataFrame:
    """Who must not be mailed, by all that is known at `now`."""
    plans = [pl.scan_parquet(path, glob=False) for path in sorted(home.plans.glob("*/send_plan.parquet"))]
    planned = [plan.select("message_id", "customer_id") for plan in plans]
    consents, events = (landed(home, table, now, history=False) for table in ("consents", "events"))
    return current_stops(consents, events, pl.concat(planned))
