"""What a shop writes into its landing folder night by night: the day's events and consents, customers and products anew."""

from __future__ import annotations

import os
from datetime import datetime, time
from pathlib import Path

import polars as pl

from shop.world import DayOutcome, World


def land(landing: Path, world: World, outcome: DayOutcome) -> None:
    """Append a day that was just played. Customers are those who have signed up before today's 00:00 UTC."""
    name = f"day={outcome.day:%Y-%m-%d}.parquet"
    _write(outcome.events, landing / "events" / name)
    if outcome.consents.height:
        _write(outcome.consents, landing / "consents" / name)
    known = pl.col("signed_up_at") < datetime.combine(world.today, time())
    _write(world.people.customers.filter(known), landing / "customers.parquet")
    _write(world.products, landing / "products.parquet")
    _write(world.catalogue.contents, landing / "contents.parquet")


def _write(frame: pl.DataFrame, path: Path) -> None:
    """A new file in its place: the old one may be a hard link into another folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    frame.write_parquet(aside)
    aside.replace(path)
