"""feat_repurchases of customers who buy at their own pace: product k lasts 10 (k + 1) days, times the customer's pace."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import numpy as np
import polars as pl

N_PRODUCTS = 4


def pace(customer: int) -> float:
    """0.7 to 1.3, the same for all products of a customer."""
    return 0.7 + 0.1 * (customer % 7)


def true_gap(customer: int, product: int) -> float:
    """What it lasts, in days."""
    return 10.0 * (product + 1) * pace(customer)


def repurchases(as_of: date, n_customers: int = 120, seed: int = 2) -> pl.DataFrame:
    """One row per customer and product with 0 to 6 noisy gaps behind him, last bought within the last gap."""
    draw = np.random.default_rng(seed)
    rows = []
    for customer in range(n_customers):
        for product in range(N_PRODUCTS):
            gaps = np.maximum(
                np.round(true_gap(customer, product) * draw.lognormal(0, 0.25, draw.integers(0, 7))), 1
            )
            logs = np.log(gaps)
            silence = draw.random() * true_gap(customer, product)
            rows.append(
                {
                    "customer_id": f"c{customer:04d}",
                    "product_id": f"p{product}",
                    "as_of": as_of,
                    "n_gaps": len(gaps),
                    "sum_log_gap_days": float(logs.sum()),
                    "sum_squared_log_gap_days": float((logs**2).sum()),
                    "last_gap_days": int(gaps[-1]) if len(gaps) else None,
                    "last_purchased_at": datetime.combine(as_of, time()) - timedelta(days=silence),
                    "median_repurchase_days": 10.0 * (product + 1),
                    "is_consumable": True,
                }
            )
    return pl.DataFrame(rows, schema_overrides={"n_gaps": pl.Int32, "last_gap_days": pl.Int32})
