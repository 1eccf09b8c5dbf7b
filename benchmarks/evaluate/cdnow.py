"""CDNOW: the published fits reproduced on the sample, and every method of value and churn on all customers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import polars as pl

from benchmarks.evaluate.customers import Shop, contest
from benchmarks.evaluate.orders import cdnow, features, labels
from benchmarks.evaluate.table import Table, Target
from models.btyd import BgNbd, BtydParams, BuyTillYouDie
from models.evaluation.metrics import pearson_r, rmse
from models.features import numbers
from models.pareto_nbd import ParetoNbd

CUT = date(1997, 10, 1)
HOLDOUT_DAYS = 39 * 7
TOTAL_ORDERS = 19_684
PLAIN = BtydParams(prior_weight=0.0)


def tables(data: Path) -> Iterator[Table]:
    """The sample, then the master file."""
    yield _sample(data)
    yield _master(data)


def _sample(data: Path) -> Table:
    orders = cdnow(data, "CDNOW_sample.txt")
    now, truth = features(orders, CUT), labels(orders, CUT, HOLDOUT_DAYS)
    published = (0.243, 4.414, 0.793, 2.426)
    methods: tuple[BuyTillYouDie, ...] = (BgNbd(PLAIN), ParetoNbd(PLAIN))
    rows = [_fit(method.fit(now), now, truth) for method in methods]
    parameters = tuple(
        Target("bg_nbd", f"parameter_{number}", value * 0.99, value * 1.01)
        for number, value in enumerate(published, start=1)
    )
    return Table(
        "cdnow_sample",
        "Plain maximum likelihood on the CDNOW sample to 1997-09-30, orders of the 39 weeks after; times in weeks",
        pl.DataFrame(rows),
        {"prior_weight": PLAIN.prior_weight},
        (*parameters, Target("pareto_nbd", "count_rmse", 1.603 * 0.995, 1.603 * 1.005)),
    )


def _fit(model: BuyTillYouDie, now: pl.DataFrame, truth: pl.DataFrame) -> dict[str, object]:
    """Parameters in the order of the paper, times in weeks, and the holdout."""
    is_time = (per_age is not None for per_age in model.medians_per_age)
    in_weeks = [value / 7.0 if time else value for value, time in zip(model.fitted, is_time, strict=True)]
    orders, expected = numbers(truth, "orders"), model.expected_orders(now, HOLDOUT_DAYS)
    return {
        "method": model.name,
        **{f"parameter_{number}": value for number, value in enumerate(in_weeks, start=1)},
        "converged": float(model.converged),
        "count_rmse": rmse(orders, expected),
        "count_r": pearson_r(orders, expected),
    }


def _master(data: Path) -> Table:
    shop = Shop(
        cdnow(data, "CDNOW_master.txt"),
        CUT,
        holdout_days=HOLDOUT_DAYS,
        label_days=(20 * 7,),
        step_days=14,
        first_snapshot=date(1997, 3, 26),
    )
    figures, plots = contest(shop)
    return Table(
        "cdnow_master",
        "CDNOW, learnt from windows of 20 weeks to 1997-09-30, judged on the 39 weeks after",
        figures,
        shop.params,
        (
            Target("ours", "count_rmse", high=1.70),
            Target("ours", "count_gini", low=0.678),
            Target("ours", "spend_gini", low=0.71),
            Target("ours", "total_orders", TOTAL_ORDERS * 0.9, TOTAL_ORDERS * 1.1),
        ),
        plots,
    )
