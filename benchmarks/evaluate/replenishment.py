"""When a product is bought again: shrunk gaps beside the last gap and the product's median, on Online Retail II and on
simulated shops."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import polars as pl

from assets.home import Home
from benchmarks.evaluate.simulated import SimulatedShop, build_shop, build_tables, take_in
from benchmarks.evaluate.table import Table, Target, data_file
from models.replenishment import HORIZON_DAYS, METHODS, ShrunkGap, evaluate_due_dates
from shop.config import ShopConfig
from shop.online_retail import import_online_retail

SEEDS = (11, 12)
CUSTOMERS, DAYS = 2_000, 360


def tables(data: Path) -> Iterator[Table]:
    """Online Retail II at three dates, and two simulated shops."""
    source = data_file(data, "online_retail_II.parquet")
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder), Path(folder) / "landing")
        import_online_retail(source, home.landing)
        week = date(2011, 12, 10)
        dates = [week - timedelta(days=HORIZON_DAYS * back) for back in (3, 2, 1)]
        figures = _figures(take_in(home, week), dates)
    yield Table(
        name="replenishment_online_retail",
        title=f"Online Retail II, products bought twice or more before {', '.join(map(str, dates))}: date of the next purchase, "
        f"where there was one within {HORIZON_DAYS} days; mean of the three dates",
        figures=figures,
        targets=_targets(figures),
    )
    found = []
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            config = ShopConfig(customers=CUSTOMERS, days=DAYS, seed=seed)
            shop = build_shop(config, Path(folder))
            found.append(_figures(shop, [config.end - timedelta(days=HORIZON_DAYS)]))
    figures = pl.concat(found).group_by("method", maintain_order=True).mean()
    yield Table(
        name="replenishment_simulated",
        title=f"mean of seeds {', '.join(map(str, SEEDS))} ({CUSTOMERS:,} customers, {DAYS} days): the same, "
        f"{HORIZON_DAYS} days before the end",
        figures=figures,
        params={"seeds": SEEDS, "customers": CUSTOMERS, "days": DAYS},
        targets=_targets(figures),
    )


def _targets(figures: pl.DataFrame) -> tuple[Target, ...]:
    """To be nearer than the best rule."""
    rules = figures.filter(pl.col("method") != ShrunkGap.name)
    best = rules.select(pl.col("mae_days").min(), pl.col("hit_7d").max(), pl.col("auc_14d").max()).row(0)
    return (
        Target(ShrunkGap.name, "mae_days", high=best[0]),
        Target(ShrunkGap.name, "hit_7d", low=best[1]),
        Target(ShrunkGap.name, "auc_14d", low=best[2]),
    )


def _figures(shop: SimulatedShop, dates: list[date]) -> pl.DataFrame:
    """A row per method, simplest first: means over the dates."""
    build_tables(shop, ["feat_repurchases"], dates)
    rows = []
    for as_of in dates:
        frame = shop.table("feat_repurchases").filter(pl.col("as_of") == as_of)
        bought = _next_purchases(shop, as_of)
        for name, method in METHODS.items():
            answers = method().fit(frame).predict(frame)
            rows.append({"method": name, **evaluate_due_dates(answers, bought)})
    return pl.DataFrame(rows).group_by("method", maintain_order=True).mean()


def _next_purchases(shop: SimulatedShop, as_of: date) -> pl.DataFrame:
    """The first purchase of each customer and product in the window from `as_of` on."""
    with duckdb.connect(str(shop.home.warehouse), read_only=True) as warehouse:
        return warehouse.sql(
            """
            select customer_id, product_id, min(order_date) as bought_on
            from int_purchase_days
            where order_date >= $1 and order_date < $2
            group by all
            """,
            params=[as_of, as_of + timedelta(days=HORIZON_DAYS)],
        ).pl()
