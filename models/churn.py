"""Will the customer order again: churn.

Here: the learnt model, its named baselines, how it is judged. Not here: the baselines themselves
(`churn_rules`), promotion (`evaluation.champion`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import polars as pl
from scipy.optimize import minimize
from scipy.special import expit, logit
from threadpoolctl import threadpool_limits

from models.boosting import BoostingParams, BoostingRows, Ensemble, equal_weights, mean_of, weigh
from models.btyd import BgNbd, BtydParams
from models.churn_estimator import SHARED_FEATURES, ChurnEstimator, SurvivalCurve
from models.churn_reasons import by_topic
from models.churn_rules import BaseRate, BgNbdChurn, ParetoNbdChurn, RecencyRule, churned
from models.evaluation.champion import Criterion
from models.evaluation.intervals import Interval, Metric, bootstrap_interval
from models.evaluation.metrics import auc, brier, expected_calibration_error, log_loss
from models.evaluation.splits import time_split
from models.features import CUSTOMER_FEATURES, KEYS, LABELS, FloatArray, numbers
from models.link import CHANCE, log_odds_level
from models.model import Explanation, require
from models.order_rates import HORIZON_DAYS, OrderRates, judged_longest, labelled, newest
from models.pareto_nbd import ParetoNbd
from models.portrait import FEATURES as PORTRAIT_FEATURES
from models.portrait import Painter

BASE_BOUND = 0.002


def _platt(log_odds: FloatArray, outcome: FloatArray, prior: float) -> float:
    """The slope that maximises the likelihood of `intercept + slope * log_odds`, under a normal prior of
    weight `prior` around slope 1 and intercept 0.

    Source: Platt (1999), "Probabilistic Outputs for Support Vector Machines".
    """

    def loss(line: FloatArray) -> tuple[float, FloatArray]:
        z = line[1] + line[0] * log_odds
        error = expit(z) - outcome
        value = float(np.sum(np.logaddexp(0.0, z) - outcome * z))
        off = line - np.array([1.0, 0.0])
        gradient = np.array([error @ log_odds, error.sum()]) + prior * off
        return value + 0.5 * prior * float(off @ off), gradient

    with threadpool_limits(limits=1):
        found = minimize(
            loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0.1, 10.0), (-10.0, 10.0)]
        )
    return float(found.x[0])


FURTHER = ("bg_nbd_p_no_order_90d", "pareto_nbd_p_no_order_90d", "p_alive")


@dataclass(frozen=True)
class ChurnParams:
    """The bases' parameters, the trees', and how strongly calibration is held to the identity."""

    btyd: BtydParams = field(default_factory=BtydParams)
    boosting: BoostingParams = field(default_factory=lambda: BoostingParams(min_child_weight=20.0))
    calibration_prior: float = 20.0


class ChurnModel(ChurnEstimator):
    """The weighted mean of the chances of silence by BG/NBD, Pareto/NBD, and XGBoost on top of it and alone; calibrated.

    The trees are of log-odds, learnt over each label's own horizon, and stand on Pareto/NBD's log-odds of the horizon
    asked for. The weights and the calibration (Platt's slope of the log-odds) are chosen on the newest labelled snapshot
    with the past as it stood then; where that past has no labels the weights are equal. With too few labels the two
    bases stand alone.
    """

    name = "churn_model"
    features = tuple(dict.fromkeys((*CUSTOMER_FEATURES, *PORTRAIT_FEATURES, *SHARED_FEATURES)))

    def __init__(self, params: ChurnParams | None = None) -> None:
        super().__init__()
        self.params = params or ChurnParams()
        self.weights: dict[str, float] = {}

    def _learn(self, frame: pl.DataFrame) -> None:
        self._fit_members(frame)
        split = time_split(judged_longest(frame))
        if split is None or not split.n_labelled:
            return
        then = ChurnModel(self.params)
        then._fit_members(split.train)
        held, outcome = split.holdout, churned(split.holdout)
        members = then._members(held, numbers(held, "horizon_days"))
        if then.trees.is_active:
            then.weights = weigh(members, outcome, CHANCE, self.params.boosting)
            then._keep_share(newest(split.train))
            if self.trees.is_active:
                self.weights = then.weights
                self._keep_share(newest(frame))
        log_odds = then.shift + _log_odds(mean_of(members, then.weights, CHANCE))
        self.pivot = float(log_odds.mean())
        levelled = log_odds + log_odds_level(outcome, log_odds)
        self.slope = _platt(levelled, outcome, self.params.calibration_prior)

    def _fit_members(self, frame: pl.DataFrame) -> None:
        """Everything but the choice of weights and the calibration."""
        self.bg_nbd = OrderRates(BgNbd(self.params.btyd)).fit(frame)
        self.pareto_nbd = OrderRates(ParetoNbd(self.params.btyd)).fit(frame)
        now = newest(frame)
        self.average = SurvivalCurve(lambda days: self.pareto_nbd.p_no_order(now, days))
        self.painter = Painter(self.name, FURTHER).fit(frame, self._further(frame))
        known = labelled(frame)
        base = _log_odds(self.pareto_nbd.p_no_order(known, numbers(known, "horizon_days")))
        rows = BoostingRows(self.painter.of_then(known, self._further(known)), churned(known), base)
        self.trees = Ensemble(CHANCE, self.painter.names, self.params.boosting).fit(rows)
        self.weights = equal_weights((BgNbd.name, ParetoNbd.name, *self.trees.members))
        self.slope, self.pivot = 1.0, 0.0
        self._keep_share(now)

    def _keep_share(self, now: pl.DataFrame) -> None:
        """Trees tell who is at risk, not how many: set the shift at which the shop's mean risk is Pareto/NBD's."""
        members = self._members(now, HORIZON_DAYS)
        log_odds = _log_odds(mean_of(members, self.weights, CHANCE))
        self.shift = log_odds_level(members[ParetoNbd.name], log_odds) if len(log_odds) else 0.0

    def _risk(self, frame: pl.DataFrame, days: float | FloatArray) -> FloatArray:
        log_odds = self.shift + _log_odds(mean_of(self._members(frame, days), self.weights, CHANCE))
        risk: FloatArray = expit(self.pivot + self.slope * (log_odds - self.pivot))
        return risk

    def _reasons(self, frame: pl.DataFrame) -> dict[str, FloatArray]:
        if not self.trees.is_active:
            return super()._reasons(frame)
        portrait = self.painter.of_now(frame, self._further(frame))
        return by_topic(self.trees.contributions(portrait), self.painter.names)

    def explain(self, frame: pl.DataFrame) -> Explanation | None:
        """What each input adds to the log-odds of no order by the trees alone, before calibration."""
        return self.trees.explain(self.painter.of_now(frame, self._further(frame)))

    def _members(self, frame: pl.DataFrame, days: float | FloatArray) -> dict[str, FloatArray]:
        """P(no order) by each member."""
        portrait = self.painter.of_now(frame, self._further(frame))
        pareto_nbd = self.pareto_nbd.p_no_order(frame, days)
        bases = {BgNbd.name: self.bg_nbd.p_no_order(frame, days), ParetoNbd.name: pareto_nbd}
        return {
            **{name: np.clip(risk, BASE_BOUND, 1.0 - BASE_BOUND) for name, risk in bases.items()},
            **self.trees.estimates(portrait, _log_odds(pareto_nbd), _log_odds(self.average(days))),
        }

    def _further(self, frame: pl.DataFrame) -> FloatArray:
        """The columns FURTHER."""
        bought = numbers(frame, "n_order_days") > 0
        return np.column_stack(
            [
                self.bg_nbd.p_no_order(frame, HORIZON_DAYS),
                self.pareto_nbd.p_no_order(frame, HORIZON_DAYS),
                np.where(bought, self.pareto_nbd.btyd.p_alive(frame), np.nan),
            ]
        )


def _log_odds(risk: FloatArray) -> FloatArray:
    log_odds: FloatArray = logit(np.clip(risk, BASE_BOUND, 1.0 - BASE_BOUND))
    return log_odds


BASELINES: Mapping[str, type[ChurnEstimator]] = MappingProxyType(
    {estimator.name: estimator for estimator in (BaseRate, RecencyRule, BgNbdChurn, ParetoNbdChurn)}
)
CRITERION = Criterion("log_loss", log_loss, higher_is_better=False, margin=0.002)

METRICS: Mapping[str, Metric] = MappingProxyType(
    {"auc": auc, "log_loss": log_loss, "brier": brier, "ece": expected_calibration_error}
)


def match_outcome(predictions: pl.DataFrame, labels: pl.DataFrame) -> tuple[FloatArray, FloatArray]:
    """(churned, churn_risk) of the labelled customers, in the order of the labels.

    The predictions must be of the labels' horizon: `model.predict(frame, horizon_days)`. Raises ValueError if a
    labelled customer has no prediction, or one of another horizon.
    """
    require(labels, (*KEYS, *LABELS), "churn evaluation")
    known = labelled(labels)
    joined = known.join(
        predictions, on=list(KEYS), how="left", suffix="_predicted", maintain_order="left", validate="1:1"
    )
    missing = joined.get_column("churn_risk").null_count()
    if missing:
        raise ValueError(f"{missing} of {known.height} labelled customers have no churn prediction")
    other = joined.filter(pl.col("horizon_days") != pl.col("horizon_days_predicted"))
    if other.height:
        asked, predicted = other.row(0, named=True)["horizon_days"], other["horizon_days_predicted"][0]
        raise ValueError(
            f"churn was predicted for {predicted} days and is judged on {asked}: call predict(frame, {asked})"
        )
    return churned(joined), numbers(joined, "churn_risk")


def evaluate_churn(predictions: pl.DataFrame, labels: pl.DataFrame) -> dict[str, float]:
    """auc, log_loss (nats), brier, ece (10 bins), n_customers, share_churned."""
    outcome, risk = match_outcome(predictions, labels)
    figures = {name: metric(outcome, risk) for name, metric in METRICS.items()}
    share = float(outcome.mean()) if len(outcome) else float("nan")
    return figures | {"n_customers": float(len(outcome)), "share_churned": share}


def churn_intervals(
    predictions: pl.DataFrame,
    labels: pl.DataFrame,
    *,
    metrics: tuple[str, ...] = ("auc", "log_loss"),
    n_resamples: int = 200,
    seed: int = 0,
) -> dict[str, Interval]:
    """Bootstrap intervals over customers of the named figures of `evaluate_churn`."""
    outcome, risk = match_outcome(predictions, labels)
    return {
        name: bootstrap_interval(METRICS[name], outcome, risk, n_resamples=n_resamples, seed=seed)
        for name in metrics
    }
