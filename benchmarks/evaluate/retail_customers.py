"""Online Retail II: every method of value and churn on a wholesaler whose orders are large, frequent and seasonal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from benchmarks.evaluate.customers import Shop, contest
from benchmarks.evaluate.orders import online_retail
from benchmarks.evaluate.table import Table, Target

WINDOW_DAYS = 26 * 7


def tables(data: Path) -> Iterator[Table]:
    """One table."""
    shop = Shop(
        online_retail(data),
        date(2011, 6, 10),
        holdout_days=WINDOW_DAYS,
        label_days=(WINDOW_DAYS, WINDOW_DAYS // 2),
        step_days=28,
        first_snapshot=date(2010, 3, 1),
    )
    figures, plots = contest(shop)
    yield Table(
        "retail_customers",
        "Online Retail II, learnt from windows of 26 and lately 13 weeks to 2011-06-09, judged on the 26 weeks after",
        figures,
        shop.params,
        (
            Target("ours", "count_rmse", high=1.76),
            Target("ours", "count_gini", low=0.780),
            Target("ours", "spend_gini", low=0.795),
            Target("ours", "auc", low=0.818),
            Target("ours", "ece", high=0.03),
            Target("ours", "count_coverage", 0.75, 0.85),
            Target("ours", "spend_coverage", 0.75, 0.85),
        ),
        plots,
    )
