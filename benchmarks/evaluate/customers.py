"""Lifetime value and churn on a shop of which only the orders are known: every method on the same holdout.

Here: the snapshots, the methods, their figures. Not here: the shops (`cdnow`, `retail_customers`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from benchmarks.evaluate.orders import features, labels, training_frame
from benchmarks.evaluate.plain_xgboost import PlainXgboost
from models.churn import ChurnModel
from models.churn_estimator import ChurnEstimator
from models.churn_rules import BaseRate, BgNbdChurn, ParetoNbdChurn, RecencyRule
from models.evaluation.intervals import bootstrap_interval
from models.evaluation.metrics import (
    auc,
    expected_calibration_error,
    normalised_gini,
    pearson_r,
    rmse,
    total_ratio,
)
from models.evaluation.plots import calibration_plot, lift_plot
from models.features import FloatArray, numbers
from models.value import ValueModel
from models.value_estimator import ValueEstimator
from models.value_rules import BgNbdValue, MeanValue, ParetoNbdValue, RecentSpend

METHODS: Sequence[tuple[str, type[ValueEstimator], type[ChurnEstimator] | None]] = (
    ("mean", MeanValue, BaseRate),
    ("recent spend", RecentSpend, RecencyRule),
    ("BG/NBD", BgNbdValue, BgNbdChurn),
    ("Pareto/NBD", ParetoNbdValue, ParetoNbdChurn),
    ("XGBoost", PlainXgboost, None),
    ("ours", ValueModel, ChurnModel),
)
N_RESAMPLES = 200


@dataclass(frozen=True)
class Shop:
    """Order days (`orders.py`), the first day that is not known, and how far the holdout reaches.

    Training sees labelled snapshots every `step_days`, the oldest not before `first_snapshot`; each is labelled with the
    longest of the windows `label_days` that ends before `cut`.
    """

    orders: pl.DataFrame
    cut: date
    holdout_days: int
    label_days: tuple[int, ...]
    step_days: int
    first_snapshot: date

    @property
    def windows(self) -> list[tuple[date, int]]:
        """Date and days of each labelled snapshot, oldest first."""
        newest = self.cut - timedelta(days=min(self.label_days))
        steps = (newest - self.first_snapshot).days // self.step_days
        days = [newest - timedelta(days=self.step_days * back) for back in range(steps, -1, -1)]
        return [(day, max(n for n in self.label_days if day + timedelta(days=n) <= self.cut)) for day in days]

    @property
    def params(self) -> dict[str, object]:
        """What a run is told of the shop's windows."""
        return {"windows": ", ".join(f"{day} + {days}" for day, days in self.windows)}


def contest(shop: Shop) -> tuple[pl.DataFrame, dict[str, Figure]]:
    """A row of figures per method, and plots of the holdout."""
    training = training_frame(shop.orders, shop.cut, shop.windows)
    now, truth = features(shop.orders, shop.cut), labels(shop.orders, shop.cut, shop.holdout_days)
    orders, spend = numbers(truth, "orders"), numbers(truth, "margin")
    gone = (orders == 0).astype(np.float64)
    rows: list[dict[str, object]] = []
    risks: dict[str, FloatArray] = {}
    spends: dict[str, FloatArray] = {}
    for method, make_value, make_churn in METHODS:
        value = make_value().fit(training)
        ahead = value.forecast(now, shop.holdout_days)
        if make_churn is not None:
            churn = make_churn().fit(training).predict(now, shop.holdout_days)
            risks[method] = numbers(churn, "churn_risk")
        elif isinstance(value, PlainXgboost):
            risks[method] = value.churn_risk(now)
        spends[method] = numbers(ahead, "expected_margin")
        rows.append({"method": method} | _figures(ahead, risks[method], orders, spend, gone))
    plots = {
        "spend.png": lift_plot(spends, spend, f"Spend of the {shop.holdout_days} days from {shop.cut}"),
        "churn.png": calibration_plot(
            risks, gone, f"No order in the {shop.holdout_days} days from {shop.cut}"
        ),
    }
    return pl.DataFrame(rows), plots


def _figures(
    ahead: pl.DataFrame, risk: FloatArray, orders: FloatArray, spend: FloatArray, gone: FloatArray
) -> dict[str, object]:
    expected_orders, expected_spend = numbers(ahead, "expected_orders"), numbers(ahead, "expected_margin")
    gini = bootstrap_interval(normalised_gini, orders, expected_orders, n_resamples=N_RESAMPLES)
    spend_gini = bootstrap_interval(normalised_gini, spend, expected_spend, n_resamples=N_RESAMPLES)
    error = bootstrap_interval(rmse, orders, expected_orders, n_resamples=N_RESAMPLES)
    area = bootstrap_interval(auc, gone, risk, n_resamples=N_RESAMPLES)
    return {
        "count_rmse": error.estimate,
        "count_rmse_low": error.low,
        "count_rmse_high": error.high,
        "count_r": pearson_r(orders, expected_orders),
        "count_gini": gini.estimate,
        "count_gini_low": gini.low,
        "count_gini_high": gini.high,
        "total_orders": float(expected_orders.sum()),
        "count_total_ratio": total_ratio(orders, expected_orders),
        "spend_gini": spend_gini.estimate,
        "spend_gini_low": spend_gini.low,
        "spend_gini_high": spend_gini.high,
        "spend_total_ratio": total_ratio(spend, expected_spend),
        "auc": area.estimate,
        "auc_low": area.low,
        "auc_high": area.high,
        "ece": expected_calibration_error(gone, risk),
        "count_coverage": _coverage(ahead, "orders", orders),
        "spend_coverage": _coverage(ahead, "margin", spend),
    }


def _coverage(ahead: pl.DataFrame, kind: str, actual: FloatArray) -> float:
    """Share of outcomes inside the 80 % interval."""
    low, high = numbers(ahead, f"{kind}_low"), numbers(ahead, f"{kind}_high")
    cent = 0.005
    return float(np.mean((actual >= low - cent) & (actual <= high + cent)))
