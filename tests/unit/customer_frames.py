"""A small world of customers with a known purchase process, as feat_customer and label_customer would show it.

Each customer has his own rate and chance of dropping out (BG/NBD); about a fifth sign up and never order. One
feature tells what no history can: `n_sessions_30d` is high where the customer's rate is high.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from models.features import CATEGORICAL_FEATURES, NUMERIC_FEATURES, join_labels

START = date(2024, 1, 1)
LAST_DAY = 1100
MAX_ORDERS = 80


class World:
    """`n_customers` customers who sign up over the first 400 days after 2024-01-01."""

    def __init__(self, n_customers: int = 600, seed: int = 1) -> None:
        draw = np.random.default_rng(seed)
        self.ids = np.array([f"c{number:05d}" for number in range(n_customers)])
        self.signed_up = np.sort(draw.integers(0, 400, n_customers))
        self.rate = draw.gamma(0.9, 1 / 25.0, n_customers) + 0.002
        p_drop = draw.beta(0.8, 4.0, n_customers)
        self.value = draw.lognormal(3.0, 0.5, n_customers)
        self.is_prospect = draw.random(n_customers) < 0.2
        self.noise = draw.normal(0, 0.3, n_customers)
        gaps = draw.exponential(1.0, (n_customers, MAX_ORDERS)) / self.rate[:, None]
        gaps[:, 0] = draw.integers(0, 10, n_customers)
        alive = np.cumprod(draw.random((n_customers, MAX_ORDERS)) > p_drop[:, None], axis=1)
        alive = np.hstack([np.ones((n_customers, 1)), alive[:, :-1]])
        days = np.floor(self.signed_up[:, None] + np.cumsum(gaps, axis=1))
        kept = (alive > 0) & (days < LAST_DAY) & ~self.is_prospect[:, None]
        customer, _ = np.nonzero(kept)
        margin = self.value[customer] * draw.lognormal(0, 0.3, len(customer))
        self.orders = (
            pl.DataFrame({"n": customer, "day": days[kept].astype(np.int64), "margin": margin})
            .group_by("n", "day")
            .agg(pl.col("margin").sum())
            .sort("n", "day")
        )

    def features(self, as_of: date) -> pl.DataFrame:
        """feat_customer at `as_of`: what lies before it, all other features null."""
        today = (as_of - START).days
        past = self.orders.filter(pl.col("day") < today)
        age = today - pl.col("day")
        history = past.group_by("n", maintain_order=True).agg(
            n_order_days=pl.len(),
            first=pl.col("day").min(),
            last=pl.col("day").max(),
            mean_gap_days=pl.col("day").diff().mean(),
            margin_total=pl.col("margin").sum(),
            margin_365d=pl.col("margin").filter(age <= 365).sum(),
            n_orders_30d=(age <= 30).sum(),
            n_orders_90d=(age <= 90).sum(),
            n_orders_180d=(age <= 180).sum(),
            n_orders_365d=(age <= 365).sum(),
            order_days_decayed_fast=(0.5 ** (age / 30)).sum(),
            order_days_decayed_slow=(0.5 ** (age / 90)).sum(),
        )
        people = pl.DataFrame(
            {"n": np.arange(len(self.ids)), "customer_id": self.ids, "since": self.signed_up}
        )
        counts = [
            column for column in history.columns if column not in ("n", "first", "last", "mean_gap_days")
        ]
        frame = (
            people.join(history, on="n", how="left", maintain_order="left")
            .with_columns(pl.col(counts).fill_null(0))
            .with_columns(
                as_of=pl.lit(as_of),
                tenure_days=(today - pl.col("since")).cast(pl.Float64),
                n_orders=pl.col("n_order_days"),
                repeat_days=(pl.col("n_order_days").cast(pl.Int64) - 1).clip(lower_bound=0),
                recency_days=(pl.col("last") - pl.col("first")).fill_null(0),
                age_days=(today - pl.col("first")).fill_null(0),
                days_since_first_order=(today - pl.col("first")).cast(pl.Float64),
                days_since_last_order=(today - pl.col("last")).cast(pl.Float64),
                n_sessions_30d=pl.Series(np.round(30 * self.rate * np.exp(self.noise), 1)),
                has_behaviour=pl.lit(True),
                country=pl.lit("DE"),
                lifecycle_stage=pl.when(pl.col("n_order_days") > 0)
                .then(pl.lit("active"))
                .otherwise(pl.lit("prospect")),
            )
            .filter(pl.col("since") < today)
        )
        absent = [name for name in NUMERIC_FEATURES if name not in frame.columns]
        strings = [name for name in CATEGORICAL_FEATURES if name not in frame.columns]
        return frame.with_columns(
            *(pl.lit(None, dtype=pl.Float64).alias(name) for name in absent),
            *(pl.lit(None, dtype=pl.String).alias(name) for name in strings),
        ).drop("n", "since", "first", "last")

    def labels(self, as_of: date, horizon_days: int) -> pl.DataFrame:
        """label_customer: what happened in the `horizon_days` from `as_of` on."""
        today = (as_of - START).days
        window = self.orders.filter(pl.col("day").is_between(today, today + horizon_days, closed="left"))
        people = pl.DataFrame(
            {"n": np.arange(len(self.ids)), "customer_id": self.ids, "since": self.signed_up}
        )
        happened = window.group_by("n").agg(orders=pl.len().cast(pl.Int64), margin=pl.col("margin").sum())
        return (
            people.filter(pl.col("since") < today)
            .join(happened, on="n", how="left", maintain_order="left")
            .select(
                "customer_id",
                as_of=pl.lit(as_of),
                horizon_days=pl.lit(horizon_days),
                orders=pl.col("orders").fill_null(0),
                revenue=pl.col("margin").fill_null(0.0) * 2.5,
                margin=pl.col("margin").fill_null(0.0),
                is_churned=pl.col("orders").is_null(),
            )
        )

    def training(
        self, as_of: date, *, horizon_days: int = 90, n_snapshots: int = 5, step: int = 30
    ) -> pl.DataFrame:
        """Labelled snapshots whose windows end at `as_of` or before, and the unlabelled one of `as_of`."""
        days = [as_of - timedelta(days=horizon_days + step * back) for back in range(n_snapshots)]
        labels = [self.labels(day, horizon_days) for day in days] or [
            self.labels(as_of, horizon_days).clear()
        ]
        return join_labels(
            pl.concat([self.features(day) for day in [*reversed(days), as_of]]), pl.concat(labels)
        )
