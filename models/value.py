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

from models.boosting import BoostingParams, BoostingRows, Ensemble, equal_weights, mean_of, weigh
from models.btyd import BgNbd
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
from models.features import CUSTOMER_FEATURES, KEYS, LABELS, FloatArray, numbers
from models.link import Link
from models.model import Explanation, require
from models.order_rates import HORIZON_DAYS, OrderRates, PopulationCurve, judged_longest, labelled, newest
from models.portrait import FEATURES as PORTRAIT_FEATURES
from models.portrait import Painter
from models.value_estimator import Silence, ValueEstimator
from models.value_rules import BgNbdValue, BtydValueParams, MeanValue, ParetoNbdValue, RecentSpend
from models.value_spread import Outcome

FLOOR_ORDERS = 1e-3
FLOOR_MARGIN_SHARE = 0.01
CENT = 0.005


def _log_level(label: FloatArray, offset: FloatArray) -> float:
    """Actual over predicted total, as a logarithm; one more event on both sides keeps it finite."""
    return float(np.log((label.sum() + 1.0) / (np.exp(offset).sum() + 1.0)))


ORDERS, MARGIN = KINDS = ("orders", "margin")
LINKS: Mapping[str, Link] = MappingProxyType(
    {
        ORDERS: Link("count:poisson", np.log, np.exp, poisson_deviance, _log_level),
        MARGIN: Link("reg:tweedie", np.log, np.exp, tweedie_deviance, _log_level),
    }
)
FURTHER = ("bg_nbd_orders_90d", "pareto_nbd_orders_90d", "margin_per_order", "p_alive", "p_no_order_90d")
MAX_RATIO = 10.0


@dataclass(frozen=True)
class ValueParams:
    """The bases' parameters and the trees'."""

    base: BtydValueParams = field(default_factory=BtydValueParams)
    boosting: BoostingParams = field(default_factory=BoostingParams)


class ValueModel(ValueEstimator):
    """The weighted mean of BG/NBD, Pareto/NBD, and XGBoost on top of Pareto/NBD and alone.

    Trees of order days (Poisson) and of margin (Tweedie) learn over each label's own horizon, and stand on what
    Pareto/NBD expects of the days that are asked for. The weights are chosen on the newest labelled snapshot with the
    past as it stood then, held to equal shares of the trees; where that past has no labels they are equal. With too few
    labels the two bases stand alone.
    """

    name = "value_model"
    features = tuple(dict.fromkeys((*CUSTOMER_FEATURES, *PORTRAIT_FEATURES, *ParetoNbdValue.features)))

    def __init__(self, params: ValueParams | None = None) -> None:
        super().__init__()
        self.params = params or ValueParams()

    def _learn(self, frame: pl.DataFrame) -> None:
        self._fit_members(frame)
        self._seen: Outcome | None = None
        split = time_split(judged_longest(frame))
        if split is None:
            return
        then = ValueModel(self.params)
        then._fit_members(split.train)
        held = split.holdout
        members = then._members(held, numbers(held, "horizon_days"))
        actual = {ORDERS: numbers(held, "orders"), MARGIN: then._margin_label(held)}
        for kind in KINDS:
            if then.trees[kind].is_active:
                weights = weigh(members[kind], actual[kind], LINKS[kind], self.params.boosting)
                then.weights[kind] = weights
                if self.trees[kind].is_active:
                    self.weights[kind] = weights
        then._keep_totals(newest(split.train))
        self._keep_totals(newest(frame))
        self._seen = Outcome.of(held, *then._blend(members))

    def _held_out(self, frame: pl.DataFrame) -> Outcome | None:
        return self._seen

    def _fit_members(self, frame: pl.DataFrame) -> None:
        """Everything but the choice of weights."""
        self.base = ParetoNbdValue(self.params.base)
        self.base._learn(frame)
        self.unit = self.base.spend.population_mean or 1.0
        self.bg_nbd = OrderRates(BgNbd(self.params.base.btyd)).fit(frame)
        now = newest(frame)
        self.averages = {kind: self._average_of(now, kind) for kind in KINDS}
        self.painter = Painter(self.name, FURTHER).fit(frame, self._further(frame))
        known = labelled(frame)
        portrait = self.painter.of_then(known, self._further(known))
        base = self._base(known, numbers(known, "horizon_days"))
        labels = {ORDERS: numbers(known, "orders"), MARGIN: self._margin_label(known)}
        self.trees = {
            kind: Ensemble(LINKS[kind], self.painter.names, self.params.boosting).fit(
                BoostingRows(portrait, labels[kind], np.log(base[kind]))
            )
            for kind in KINDS
        }
        bases = (BgNbd.name, self.base.btyd.name)
        self.weights = {kind: equal_weights((*bases, *self.trees[kind].members)) for kind in KINDS}
        self._keep_totals(now)

    def _average_of(self, now: pl.DataFrame, kind: str) -> PopulationCurve:
        return PopulationCurve.of(lambda days: self._base(now, days)[kind])

    def _expect(self, frame: pl.DataFrame, days: float | FloatArray) -> tuple[FloatArray, FloatArray]:
        return self._blend(self._members(frame, days))

    def _silence(self, frame: pl.DataFrame) -> Silence:
        """Pareto/NBD's, its hazard scaled to the orders that the whole model expects of 90 days."""
        if not frame.height:
            return lambda days: np.zeros(0)
        expected = self._expect(frame, HORIZON_DAYS)[0]
        ratio = np.clip(expected / self._base(frame, HORIZON_DAYS)[ORDERS], 1.0 / MAX_RATIO, MAX_RATIO)
        return lambda days: self.base.rates.p_no_order(frame, days) ** ratio

    def _blend(self, members: Mapping[str, Mapping[str, FloatArray]]) -> tuple[FloatArray, FloatArray]:
        orders, margin = (
            mean_of(members[kind], self.weights[kind], LINKS[kind]) * self.level[kind] for kind in KINDS
        )
        earns = self.base.spend.population_mean > 0
        return orders, margin * self.unit if earns else np.zeros(len(margin))

    def _keep_totals(self, now: pl.DataFrame) -> None:
        """A mean of logarithms is below the mean: set the level at which the shop's total is the members' mean total."""
        members = self._members(now, HORIZON_DAYS)
        self.level = {
            kind: _ratio(
                sum(float(members[kind][name].sum()) * weight for name, weight in self.weights[kind].items()),
                float(mean_of(members[kind], self.weights[kind], LINKS[kind]).sum()),
            )
            for kind in KINDS
        }

    def explain(self, frame: pl.DataFrame) -> Explanation | None:
        """What each input adds to the logarithm of the expected margin by the trees alone."""
        return self.trees[MARGIN].explain(self.painter.of_now(frame, self._further(frame)))

    def _members(self, frame: pl.DataFrame, days: float | FloatArray) -> dict[str, dict[str, FloatArray]]:
        """By kind and member: expected orders, and expected margin in units of the shop's mean margin per order."""
        portrait = self.painter.of_now(frame, self._further(frame))
        base = self._base(frame, days)
        bg_nbd = np.maximum(self.bg_nbd.expected_orders(frame, days), _floor(days))
        bases = {ORDERS: bg_nbd, MARGIN: bg_nbd * self._margin_per_order(frame)}
        return {
            kind: {
                BgNbd.name: bases[kind],
                self.base.btyd.name: base[kind],
                **self.trees[kind].estimates(portrait, np.log(base[kind]), np.log(self.averages[kind](days))),
            }
            for kind in KINDS
        }

    def _base(self, frame: pl.DataFrame, days: float | FloatArray) -> dict[str, FloatArray]:
        """Pareto/NBD's estimate by kind, above 0."""
        orders = np.maximum(self.base.rates.expected_orders(frame, days), _floor(days))
        return {ORDERS: orders, MARGIN: orders * self._margin_per_order(frame)}

    def _margin_per_order(self, frame: pl.DataFrame) -> FloatArray:
        """In units of the shop's mean, so that regularisation means the same in every currency."""
        per_order: FloatArray = np.maximum(self.base.margin_per_order(frame) / self.unit, FLOOR_MARGIN_SHARE)
        return per_order

    def _margin_label(self, frame: pl.DataFrame) -> FloatArray:
        label: FloatArray = np.maximum(np.nan_to_num(numbers(frame, "margin")), 0.0) / self.unit
        return label

    def _further(self, frame: pl.DataFrame) -> FloatArray:
        """The columns FURTHER."""
        bought = numbers(frame, "n_order_days") > 0
        return np.column_stack(
            [
                self.bg_nbd.expected_orders(frame, HORIZON_DAYS),
                self.base.rates.expected_orders(frame, HORIZON_DAYS),
                self.base.margin_per_order(frame) / self.unit,
                np.where(bought, self.base.rates.btyd.p_alive(frame), np.nan),
                self.base.rates.p_no_order(frame, HORIZON_DAYS),
            ]
        )


def _ratio(total: float, other: float) -> float:
    return total / other if other > 0 else 1.0


def _floor(days: float | FloatArray) -> float | FloatArray:
    return FLOOR_ORDERS * days / HORIZON_DAYS


BASELINES: Mapping[str, type[ValueEstimator]] = MappingProxyType(
    {estimator.name: estimator for estimator in (MeanValue, RecentSpend, BgNbdValue, ParetoNbdValue)}
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
    """Holdout rows, in the order of the labels: what happened, what was predicted for that window,
    and how many of the outcomes lie within their 80 % intervals.
    """

    orders: FloatArray
    margin: FloatArray
    predicted_orders: FloatArray
    predicted_margin: FloatArray
    orders_coverage: float
    margin_coverage: float

    def pair(self, kind: str) -> tuple[FloatArray, FloatArray]:
        """(actual, predicted) of 'orders' or 'margin'."""
        return (
            (self.orders, self.predicted_orders) if kind == "orders" else (self.margin, self.predicted_margin)
        )


def match_outcome(forecasts: pl.DataFrame, labels: pl.DataFrame) -> ValueOutcome:
    """Join forecasts to label_customer rows.

    The forecasts must be of the labels' horizon: `model.forecast(frame, horizon_days)`. Raises ValueError if a labelled
    customer has no forecast, or one of another horizon.
    """
    require(labels, (*KEYS, *LABELS), "value evaluation")
    known = labelled(labels)
    joined = known.join(
        forecasts, on=list(KEYS), how="left", suffix="_forecast", maintain_order="left", validate="1:1"
    )
    missing = joined.get_column("expected_orders").null_count()
    if missing:
        raise ValueError(f"{missing} of {known.height} labelled customers have no value forecast")
    other = joined.filter(pl.col("horizon_days") != pl.col("horizon_days_forecast"))
    if other.height:
        asked, forecast = other.row(0, named=True)["horizon_days"], other["horizon_days_forecast"][0]
        raise ValueError(
            f"value was forecast for {forecast} days and is judged on {asked}: call forecast(frame, {asked})"
        )
    return ValueOutcome(
        numbers(joined, "orders"),
        numbers(joined, "margin"),
        numbers(joined, "expected_orders"),
        numbers(joined, "expected_margin"),
        _inside(joined, "orders"),
        _inside(joined, "margin"),
    )


def _inside(joined: pl.DataFrame, kind: str) -> float:
    """Share of outcomes within their interval; a cent and rounding are forgiven."""
    low, high, actual = (numbers(joined, column) for column in (f"{kind}_low", f"{kind}_high", kind))
    inside = (actual >= low - CENT) & (actual <= high + CENT)
    return float(inside.mean()) if len(inside) else float("nan")


def evaluate_value(forecasts: pl.DataFrame, labels: pl.DataFrame) -> dict[str, float]:
    """count_ and margin_ rmse, r (Pearson), gini (normalised), total_ratio (predicted over actual), coverage (of the
    80 % intervals); n_customers.
    """
    outcome = match_outcome(forecasts, labels)
    figures = {name: metric(*outcome.pair(kind)) for name, (kind, metric) in METRICS.items()}
    return figures | {
        "count_coverage": outcome.orders_coverage,
        "margin_coverage": outcome.margin_coverage,
        "n_customers": float(len(outcome.orders)),
    }


def value_intervals(
    forecasts: pl.DataFrame,
    labels: pl.DataFrame,
    *,
    metrics: tuple[str, ...] = ("count_gini", "margin_gini"),
    n_resamples: int = 200,
    seed: int = 0,
) -> dict[str, Interval]:
    """Bootstrap intervals over customers of the named figures of `evaluate_value`."""
    outcome = match_outcome(forecasts, labels)
    return {
        name: bootstrap_interval(
            METRICS[name][1], *outcome.pair(METRICS[name][0]), n_resamples=n_resamples, seed=seed
        )
        for name in metrics
    }
