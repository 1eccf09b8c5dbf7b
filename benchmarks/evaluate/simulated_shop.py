"""A simulated shop as the product sees it: played day by day, ingested, and its tables built by dbt without Dagster.

Here: from a world to a home with a warehouse and training tables. Not here: what is judged on them (the trials).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

import polars as pl

from assets.home import Home
from assets.landing.ingest import ingest
from benchmarks.evaluate.simulated import SimulatedShop, build_tables
from shop.config import ShopConfig
from shop.world import DayOutcome, World


@dataclass(frozen=True)
class Played:
    """A shop after its last day: the world with its truth, what each day brought, and the home that has taken it in."""

    world: World
    days: Sequence[DayOutcome]
    home: Home

    def tables(
        self, names: Sequence[str], dates: Sequence[date], horizon_days: int
    ) -> dict[str, pl.DataFrame]:
        """Feature and label tables at some dates, by the product's own SQL; no label reaches past the last day."""
        shop = SimulatedShop(self.home, self.home.root / "truth", self.world.today)
        build_tables(shop, names, dates, horizon_days)
        return {name: shop.table(name) for name in names}


def play(
    config: ShopConfig,
    root: Path,
    mails: Callable[[World], pl.DataFrame | None],
    look: Callable[[World], None] = lambda _: None,
    days: int | None = None,
) -> Played:
    """Play a shop and take its landing tables in.

    Args:
        config: the shop.
        root: an empty folder for the home.
        mails: what to send on the day that comes next.
        look: called before each day and after the last one; what it sees of the truth is not handed on.
        days: how many days of the shop are played; all of them if None.
    """
    world = World(config)
    home = Home(root, root / "landing")
    events = home.landing / "events"
    events.mkdir(parents=True)
    played: list[DayOutcome] = []
    for _ in range(config.days if days is None else days):
        look(world)
        outcome = world.step(mails(world))
        outcome.events.write_parquet(events / f"day={outcome.day:%Y-%m-%d}.parquet")
        played.append(outcome)
    look(world)
    world.people.customers.write_parquet(home.landing / "customers.parquet")
    world.products.write_parquet(home.landing / "products.parquet")
    world.catalogue.contents.write_parquet(home.landing / "contents.parquet")
    pl.concat([outcome.consents for outcome in played]).write_parquet(home.landing / "consents.parquet")
    ingest(home, datetime.combine(world.today, time()) + timedelta(hours=1))
    return Played(world, played, home)
