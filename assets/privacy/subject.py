"""Everything that is held about one person, as one document he can be given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from assets.home import Home
from assets.landing.contract import TABLES
from assets.landing.landed import landed
from assets.landing.layout import quarantine_path
from assets.privacy.erasure import unknown
from assets.privacy.person import Person, find
from assets.privacy.suppression import Suppression
from assets.privacy.traces import Traces, is_customer

Rows = list[dict[str, Any]]


def held_about(home: Home, customer_id: str, now: datetime) -> dict[str, Any]:
    """All data about a person, by plain section names; what has been landed and not yet taken in is part of it.

    Raises:
        UnknownPersonError: nothing is held about the id.
    """
    person = find(home, customer_id, now)
    events = _events(home, person, now)
    is_mail = pl.col("event").str.starts_with("Email ")
    tables = {
        "profile": _landed(home, "customers", person, now),
        "consents": _landed(home, "consents", person, now),
        "site_events_and_orders": _rows(events.filter(~is_mail)),
        "messages_and_responses": _rows(events.filter(is_mail)),
        "plans": _plans(home, person),
        "outcomes": _latest(home.outcomes(date.min), person),
        "decisions": _latest(home.decisions(date.min), person),
        "derived_features": _latest(home.features(date.min), person),
        "scores": _latest(home.scores(date.min), person),
        "training_data": _latest(home.training(date.min), person),
        "rows_that_broke_the_contract": _quarantined(home, person),
    }
    erased_at = Suppression.load(home).when(customer_id)
    if not any(tables.values()) and erased_at is None:
        raise unknown(home, customer_id)
    return {
        "customer_id": customer_id,
        "same_person": sorted(person.ids - {customer_id}),
        "made_at": now,
        "times_are": "UTC, unless the name says local",
        "erasure": {
            "is_erased": erased_at is not None,
            "erased_at": erased_at,
            "kept": "salted hashes that keep a new import from bringing the person back"
            if erased_at
            else "nothing",
        },
        **tables,
    }


def _landed(home: Home, table: str, person: Person, now: datetime) -> Rows:
    found = landed(home, table, now).filter(pl.col("customer_id").is_in(sorted(person.ids))).collect()
    return _rows(found.unique().sort(TABLES[table].order))


def _events(home: Home, person: Person, now: datetime) -> pl.DataFrame:
    """His events: under his ids, and those without a customer on his own devices, messages and orders."""
    links = [
        pl.col(name).is_in(sorted(getattr(person, name)))
        for name in ("anonymous_id", "message_id", "order_id")
    ]
    is_nobody = pl.col("customer_id").is_null()
    his = pl.col("customer_id").is_in(sorted(person.ids)) | (is_nobody & pl.any_horizontal(links))
    events = landed(home, "events", now).filter(his).collect()
    return events.unique(maintain_order=True).sort(TABLES["events"].order)


def _plans(home: Home, person: Person) -> Rows:
    """Every plan row with its explanation, oldest day first."""
    files = sorted(home.plans.glob("*/send_plan.parquet"))
    return [row for file in files for row in _his(file, person)]


def _latest(example: Path, person: Person) -> dict[str, Rows]:
    """His rows in each table of the newest folder beside `example`; tables without any are left out."""
    folders = sorted(folder for folder in example.parent.glob("*=*") if folder.is_dir())
    if not folders:
        return {}
    tables = {file.stem: _his(file, person) for file in sorted(folders[-1].glob("*.parquet"))}
    return {name: rows for name, rows in tables.items() if rows}


def _his(file: Path, person: Person) -> Rows:
    frame = pl.scan_parquet(file, glob=False, hive_partitioning=False)
    columns = [name for name in frame.collect_schema() if is_customer(name)]
    if not columns:
        return []
    his = pl.any_horizontal(pl.col(name).cast(pl.String).is_in(sorted(person.ids)) for name in columns)
    return _rows(frame.filter(his).collect())


def _quarantined(home: Home, person: Person) -> Rows:
    traces = Traces(person)
    files = [path for table in TABLES if (path := quarantine_path(home, table)).exists()]
    rows = (row for file in files for row in pl.read_parquet(file, glob=False).iter_rows(named=True))
    return [row for row in rows if traces.owns(row)]


def _rows(frame: pl.DataFrame) -> Rows:
    """Rows without their empty columns: what is not known is not held."""
    return [_filled(row) for row in frame.iter_rows(named=True)]


def _filled(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}
