"""Simulated shops and what the product's own SQL makes of them, for trials that compare with a truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path

import polars as pl

from assets.dbt import Dbt, build_args, snapshot_vars
from assets.home import Home
from assets.landing.ingest import ingest
from shop.config import ShopConfig
from shop.simulate import simulate


@dataclass(frozen=True)
class SimulatedShop:
    """A shop on disk: its landing tables, what is true of it, and the feature and label tables of one training week."""

    home: Home
    truth: Path
    week: date

    def table(self, name: str) -> pl.DataFrame:
        """A feature or label table of the week, all snapshots."""
        return pl.read_parquet(self.home.training(self.week) / f"{name}.parquet")

    def true(self, name: str) -> pl.DataFrame:
        """A table of the truth."""
        return pl.read_parquet(self.truth / f"{name}.parquet")


def build_shop(config: ShopConfig, root: Path) -> SimulatedShop:
    """Simulate and take in a shop; `build_tables` comes next."""
    home = Home(root, root / "landing")
    simulate(config, home.landing, root / "truth")
    return take_in(home, config.end)


def take_in(home: Home, week: date) -> SimulatedShop:
    """A shop whose landing tables are there; its week is the day after the last one."""
    ingest(home, datetime.combine(week, time()))
    return SimulatedShop(home, home.root / "truth", week)


def build_tables(
    shop: SimulatedShop, models: Sequence[str], snapshots: Sequence[date], horizon_days: int = 30
) -> None:
    """Run dbt for these feature and label models and all they rest on, without tests.

    Args: shop: taken in. models: names. snapshots: dates to look at. horizon_days: of label_customer.
    """
    shop.home.training(shop.week).mkdir(parents=True, exist_ok=True)
    variables = snapshot_vars(shop.home, shop.week, snapshots, horizon_days)
    arguments = build_args([f"+{model}" for model in models], variables)
    Dbt(shop.home, memory="2GB", threads=2).run(["run", "--quiet", *arguments[1:3], *arguments[-2:]], "trial")
