"""A shop's order days as the feature and label tables would show them at any date.

Here: public transaction files read as order days; what `feat_customer` and `label_customer` can know from orders alone,
all else null. Not here: which snapshots to take (`customers`).

Order days: customer_id, day, n_orders, n_units, revenue, country. A margin is not known: it is the revenue.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from benchmarks.evaluate.table import data_file
from models.features import CATEGORICAL_FEATURES, NUMERIC_FEATURES, join_labels

FAST_HALF_LIFE_DAYS, SLOW_HALF_LIFE_DAYS = 30, 90


def cdnow(data: Path, file: str) -> pl.DataFrame:
    """Order days of CDNOW_master.txt or CDNOW_sample.txt."""
    lines = [line.split() for line in data_file(data, file).read_text().splitlines()]
    lines = [line for line in lines if line[0].isdigit()]
    return _by_day(
        pl.DataFrame(
            {
                "customer_id": [line[0] for line in lines],
                "day": [line[-3] for line in lines],
                "n_units": [int(line[-2]) for line in lines],
                "revenue": [float(line[-1]) for line in lines],
            }
        ).with_columns(
            pl.col("day").str.to_date("%Y%m%d"),
            order_id=pl.int_range(pl.len()),
            country=pl.lit(None, dtype=pl.String),
        )
    )


def online_retail(data: Path) -> pl.DataFrame:
    """Order days of Online Retail II: lines with a customer, a quantity and a price above 0."""
    lines = pl.read_parquet(data_file(data, "online_retail_II.parquet"))
    kept = lines.filter(pl.col("Customer ID").is_not_null(), pl.col("Quantity") > 0, pl.col("Price") > 0)
    return _by_day(
        kept.select(
            customer_id=pl.col("Customer ID").cast(pl.String),
            day=pl.col("InvoiceDate").dt.date(),
            n_units=pl.col("Quantity"),
            revenue=pl.col("Quantity") * pl.col("Price"),
            order_id=pl.col("Invoice"),
            country=pl.col("Country"),
        )
    )


def training_frame(orders: pl.DataFrame, now: date, windows: Sequence[tuple[date, int]]) -> pl.DataFrame:
    """Labelled snapshots (date, days of its window) and the unlabelled one of `now`: what a week's training reads."""
    known = orders.filter(pl.col("day") < now)
    snapshots = [features(known, day) for day, _ in windows]
    outcomes = [labels(known, day, days) for day, days in windows]
    return join_labels(pl.concat([*snapshots, features(known, now)]), pl.concat(outcomes))


def features(orders: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """feat_customer at `as_of` for everyone who had ordered by then."""
    past = orders.filter(pl.col("day") < as_of).with_columns(
        age=(pl.lit(as_of) - pl.col("day")).dt.total_days(),
        gap=pl.col("day").diff().over("customer_id").dt.total_days(),
    )
    age, gap = pl.col("age"), pl.col("gap")

    def since(column: str, days: int) -> pl.Expr:
        return pl.col(column).filter(age <= days).sum()

    known = past.group_by("customer_id", maintain_order=True).agg(
        tenure_days=age.max().cast(pl.Float64),
        n_orders=pl.col("n_orders").sum(),
        **{f"n_orders_{days}d": since("n_orders", days) for days in (30, 90, 180, 365)},
        n_order_days=pl.len(),
        n_units=pl.col("n_units").sum(),
        revenue_total=pl.col("revenue").sum(),
        **{f"revenue_{days}d": since("revenue", days) for days in (30, 90, 180, 365)},
        margin_total=pl.col("revenue").sum(),
        margin_365d=since("revenue", 365),
        avg_order_value=pl.col("revenue").sum() / pl.col("n_orders").sum(),
        days_since_first_order=age.max().cast(pl.Float64),
        days_since_last_order=age.min().cast(pl.Float64),
        repeat_days=pl.len() - 1,
        recency_days=age.max() - age.min(),
        age_days=age.max(),
        mean_gap_days=gap.mean(),
        std_gap_days=gap.std(),
        median_gap_days=gap.median(),
        **{
            f"order_days_decayed_{speed}": (0.5 ** (age / half_life)).sum()
            for speed, half_life in (("fast", FAST_HALF_LIFE_DAYS), ("slow", SLOW_HALF_LIFE_DAYS))
        },
        country=pl.col("country").last(),
    )
    numeric = [name for name in NUMERIC_FEATURES if name not in known.columns]
    categorical = [name for name in CATEGORICAL_FEATURES if name not in known.columns]
    return known.with_columns(
        as_of=pl.lit(as_of),
        has_behaviour=pl.lit(True),
        **{name: pl.lit(None, dtype=pl.Float64) for name in numeric},
        **{name: pl.lit(None, dtype=pl.String) for name in categorical},
    ).sort("customer_id")


def labels(orders: pl.DataFrame, as_of: date, horizon_days: int) -> pl.DataFrame:
    """label_customer: what everyone who had ordered before `as_of` did in the `horizon_days` from it on."""
    end = as_of + timedelta(days=horizon_days)
    inside = pl.col("day").is_between(as_of, end, closed="left")
    return (
        orders.group_by("customer_id")
        .agg(
            first=pl.col("day").min(),
            orders=inside.sum().cast(pl.Int32),
            revenue=pl.col("revenue").filter(inside).sum(),
        )
        .filter(pl.col("first") < as_of)
        .select(
            "customer_id",
            as_of=pl.lit(as_of),
            horizon_days=pl.lit(horizon_days, dtype=pl.Int32),
            orders="orders",
            revenue="revenue",
            margin="revenue",
        )
        .sort("customer_id")
    )


def _by_day(lines: pl.DataFrame) -> pl.DataFrame:
    return (
        lines.group_by("customer_id", "day")
        .agg(
            n_orders=pl.col("order_id").n_unique(),
            n_units=pl.col("n_units").sum(),
            revenue=pl.col("revenue").sum().round(2),
            country=pl.col("country").sort().first(),
        )
        .sort("customer_id", "day")
    )
