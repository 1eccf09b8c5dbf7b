"""What a customer is worth: lifetime value.

Here: the learnt model, its named baselines, how it is judged. Not here: the baselines themselves
(`value_rules`), promotion (`evaluation.champion`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.boosting import BoostingParams, BoostingRows, Correction, Link, snapshots
from models.evaluation.champion import Criterion
from models.evaluation.intervals import Interval, Metric, bootstrap_interval
from models.evaluation.metrics import (
    normalised_gini,
    pearson_r,
    poisson_deviance,
    rmse,
    total_ratio,
    tweedie_deviance,
)
from models.evaluation.splits import time_split
from models.features import CUSTOMER_FEATURES, KEYS, LABELS, FeatureEncoder, FloatArray, numbers
from models.model import Explanation, require
from models.order_rates import HORIZON_DAYS, labelled
from models.value_rules import (
    BgNbdValue,
    BgNbdValueParams,
    MeanValue,
    RecentSpend,
    ValueEstimate,
    ValueEstimator,
)

FLOOR_ORDERS = 1e-3
FLOOR_MARGIN_SHARE = 0.01


def _log_level(label: FloatArray, offset: FloatArray) -> float:
    """Actual over predicted total, as a logarithm; one more event on both sides keeps it finite."""
    return float(np.log((label.sum() + 1.0) / (np.exp(offset).sum() + 1.0)))


ORDERS_LINK = Link("count:poisson", np.exp, poisson_deviance, _log_level)
MARGIN_LINK = Link("reg:tweedie", np.exp, tweedie_deviance, _log_level)


@dataclass(frozen=True)
class ValueParams:
    """The base's parameters and the correction's."""

    base: BgNbdValueParams = field(default_factory=BgNbdValueParams)
    boosting: BoostingParams = field(default_factory=BoostingParams)


class ValueModel(ValueEstimator):
    """BG/NBD value, corrected by XGBoost on everything known of the customer.

    Two corrections multiply the base: one of order days (Poisson), one of margin (Tweedie), both trained over
    each label's own horizon with the base of that horizon as offset. How many rounds, and what share of the
    correction is applied, is chosen on the newest labelled snapshot with the past as it stood then; with too
    few labels the base stands alone.
    """

    name = "value_model"
    features = tuple(dict.fromkeys((*CUSTOMER_FEATURES, *BgNbdValue.features)))

    def __init__(self, params: ValueParams | None = None) -> None:
        super().__init__()
        self.params = params or ValueParams()

    def _learn(self, frame: pl.DataFrame) -> None:
        split = time_split(frame)
        self._fit_parts(frame)
        if split is not None and split.n_labelled:
            then = ValueModel(self.params)
            then._fit_parts(split.train)
            past, later = labelled(split.train), split.holdout
            then.orders_correction.choose(then._orders_rows(past), then._orders_rows(later))
            then.margin_correction.choose(then._margin_rows(past), then._margin_rows(later))
            self.orders_correction.adopt(then.orders_correction)
            self.margin_correction.adopt(then.margin_correction)
        outcome = labelled(frame)
        self.orders_correction.fit(self._orders_rows(outcome))
        self.margin_correction.fit(self._margin_rows(outcome))

    def _fit_parts(self, frame: pl.DataFrame) -> None:
        """Everything but the trees."""
        self.base = BgNbdValue(self.params.base)
        self.base._learn(frame)
        self.encoder = FeatureEncoder(self.name).fit(frame)
        names = (*self.encoder.names, "base_orders_90d", "base_margin_per_order", "p_alive")
        self.orders_correction = Correction(ORDERS_LINK, names, self.params.boosting)
        self.margin_correction = Correction(MARGIN_LINK, names, self.params.boosting)
        self.currency_scale = self.base.mean_margin or 1.0

    def _estimate(self, frame: pl.DataFrame) -> ValueEstimate:
        matrix = self._matrix(frame)
        orders = self._base_orders(frame, HORIZON_DAYS) * np.exp(self.orders_correction.predict(matrix))
        margin = (
            self._base_orders(frame, HORIZON_DAYS)
            * self._base_margin(frame)
            * np.exp(self.margin_correction.predict(matrix))
        )
        if self.base.mean_margin == 0.0:
            margin = np.zeros(frame.height)
        return ValueEstimate(orders, margin, margin * self.base.growth(frame))

    def explain(self, frame: pl.DataFrame) -> Explanation | None:
        """What each input adds to the logarithm of the expected margin of 90 days."""
        base = self._base_orders(frame, HORIZON_DAYS) * self._base_margin(frame)
        return self.margin_correction.explain(self._matrix(frame), np.log(base))

    def _base_orders(self, frame: pl.DataFrame, days: float | FloatArray) -> FloatArray:
        floor = FLOOR_ORDERS * days / HORIZON_DAYS
        base: FloatArray = np.maximum(self.base.expected_orders(frame, days), floor)
        return base

    def _base_margin(self, frame: pl.DataFrame) -> FloatArray:
        floor = FLOOR_MARGIN_SHARE * self.currency_scale
        base: FloatArray = np.maximum(self.base.margin_per_order(frame), floor)
        return base

    def _orders_rows(self, frame: pl.DataFrame) -> BoostingRows:
        base = self._base_orders(frame, numbers(frame, "horizon_days"))
        return BoostingRows(self._matrix(frame), numbers(frame, "orders"), np.log(base), *snapshots(frame))

    def _margin_rows(self, frame: pl.DataFrame) -> BoostingRows:
        """In units of the shop's mean margin per order, so that regularisation means the same in every
        currency.
        """
        base = self._base_orders(frame, numbers(frame, "horizon_days")) * self._base_margin(frame)
        label = np.maximum(np.nan_to_num(numbers(frame, "margin")), 0.0)
        return BoostingRows(
            self._matrix(frame),
            label / self.currency_scale,
            np.log(base / self.currency_scale),
            *snapshots(frame),
        )

    def _matrix(self, frame: pl.DataFrame) -> NDArray[np.float32]:
        bought = numbers(frame, "n_order_days") > 0
        base = np.column_stack(
            [
                self.base.expected_orders(frame, HORIZON_DAYS),
                self.base.margin_per_order(frame),
                np.where(bought, self.base.rates.btyd.p_alive(frame), np.nan),
            ]
        )
        return np.hstack([self.encoder.transform(frame), base.astype(np.float32)])


BASELINES: Mapping[str, type[ValueEstimator]] = MappingProxyType(
    {estimator.name: estimator for estimator in (MeanValue, RecentSpend, BgNbdValue)}
)
CRITERION = Criterion("margin_gini", normalised_gini, higher_is_better=True, margin=0.005)

METRICS: Mapping[str, tuple[str, Metric]] = MappingProxyType(
    {
        "count_rmse": ("orders", rmse),
        "count_r": ("orders", pearson_r),
        "count_gini": ("orders", normalised_gini),
        "count_total_ratio": ("orders", total_ratio),
        "margin_rmse": ("margin", rmse),
        "margin_r": ("margin", pearson_r),
        "margin_gini": ("margin", normalised_gini),
        "margin_total_ratio": ("margin", total_ratio),
    }
)


@dataclass(frozen=True)
class ValueOutcome:
    """Holdout rows, in the order of the labels: what happened and what was predicted for that window."""

    orders: FloatArray
    margin: FloatArray
    predicted_orders: FloatArray
    predicted_margin: FloatArray

    def pair(self, kind: str) -> tuple[FloatArray, FloatArray]:
        """(actual, predicted) of 'orders' or 'margin'."""
        return (
            (self.orders, self.predicted_orders) if kind == "orders" else (self.margin, self.predicted_margin)
        )


def match_outcome(predictions: pl.DataFrame, labels: pl.DataFrame) -> ValueOutcome:
    """Join predictions to label_customer rows; 90-day figures are scaled to the labels' horizon.

    Raises ValueError if a labelled customer has no prediction.
    """
    require(labels, (*KEYS, *LABELS), "value evaluation")
    known = labelled(labels)
    joined = known.join(predictions, on=list(KEYS), how="left", maintain_order="left", validate="1:1")
    missing = joined.get_column("expected_orders_90d").null_count()
    if missing:
        raise ValueError(f"{missing} of {known.height} labelled customers have no value prediction")
    share = numbers(joined, "horizon_days") / HORIZON_DAYS
    return ValueOutcome(
        numbers(joined, "orders"),
        numbers(joined, "margin"),
        numbers(joined, "expected_orders_90d") * share,
        numbers(joined, "expected_margin_90d") * share,
    )


def evaluate_value(predictions: pl.DataFrame, labels: pl.DataFrame) -> dict[str, float]:
    """count_ and margin_ rmse, r (Pearson), gini (normalised), total_ratio (predicted over actual);
    n_customers.
    """
    outcome = match_outcome(predictions, labels)
    figures = {name: metric(*outcome.pair(kind)) for name, (kind, metric) in METRICS.items()}
    return figures | {"n_customers": float(len(outcome.orders))}


def value_intervals(
    predictions: pl.DataFrame,
    labels: pl.DataFrame,
    *,
    metrics: tuple[str, ...] = ("count_gini", "margin_gini"),
    n_resamples: int = 200,
    seed: int = 0,
) -> dict[str, Interval]:
    """Bootstrap intervals over customers of the named figures of `evaluate_value`."""
    outcome = match_outcome(predictions, labels)
    return {
        name: bootstrap_interval(
            METRICS[name][1], *outcome.pair(METRICS[name][0]), n_resamples=n_resamples, seed=seed
        )
        for name in metrics
    }
