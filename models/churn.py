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
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit
from threadpoolctl import threadpool_limits

from models.boosting import BoostingParams, BoostingRows, Correction, Link, snapshots
from models.btyd import BgNbdParams
from models.churn_rules import BaseRate, BgNbdChurn, ChurnEstimator, RecencyRule, churned
from models.evaluation.champion import Criterion
from models.evaluation.intervals import Interval, Metric, bootstrap_interval
from models.evaluation.metrics import auc, brier, expected_calibration_error, log_loss
from models.evaluation.splits import time_split
from models.features import CUSTOMER_FEATURES, KEYS, LABELS, FeatureEncoder, FloatArray, numbers
from models.model import Explanation, require
from models.order_rates import FEATURES as RATE_FEATURES
from models.order_rates import HORIZON_DAYS, OrderRates, labelled

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


def _logit_level(outcome: FloatArray, log_odds: FloatArray) -> float:
    """What to add to the log-odds so that the mean risk is the observed share."""
    low, high = -10.0, 10.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if expit(log_odds + middle).sum() < outcome.sum() else (low, middle)
    return 0.5 * (low + high)


RISK_LINK = Link("binary:logistic", expit, log_loss, _logit_level)


@dataclass(frozen=True)
class ChurnParams:
    """The base's parameters, the correction's, and how strongly calibration is held to the identity."""

    btyd: BgNbdParams = field(default_factory=BgNbdParams)
    boosting: BoostingParams = field(default_factory=BoostingParams)
    calibration_prior: float = 20.0


class ChurnModel(ChurnEstimator):
    """BG/NBD's chance of silence, corrected by XGBoost on everything known of the customer, then calibrated.

    The correction is of the log-odds, trained over each label's own horizon with the base of that horizon as
    offset, and applied to the base of the horizon asked for. Rounds, the share of the correction applied, and the
    calibration (Platt's slope of the log-odds) are chosen on the newest labelled snapshot with the past as it
    stood then; with too few labels the base stands alone.
    """

    name = "churn_model"
    features = tuple(dict.fromkeys((*CUSTOMER_FEATURES, *RATE_FEATURES)))

    def __init__(self, params: ChurnParams | None = None) -> None:
        super().__init__()
        self.params = params or ChurnParams()

    def _learn(self, frame: pl.DataFrame) -> None:
        split = time_split(frame)
        self._fit_parts(frame)
        if split is not None and split.n_labelled:
            then = ChurnModel(self.params)
            then._fit_parts(split.train)
            later = then._rows(split.holdout)
            log_odds = then.correction.choose(then._rows(labelled(split.train)), later)
            self.correction.adopt(then.correction)
            self.pivot = float(log_odds.mean())
            self.slope = _platt(log_odds, later.label, self.params.calibration_prior)
        self.correction.fit(self._rows(labelled(frame)))

    def _fit_parts(self, frame: pl.DataFrame) -> None:
        """Everything but the trees and the calibration."""
        self.rates = OrderRates(self.params.btyd).fit(frame)
        self.encoder = FeatureEncoder(self.name).fit(frame)
        names = (*self.encoder.names, "base_p_no_order_90d", "p_alive")
        self.correction = Correction(RISK_LINK, names, self.params.boosting)
        self.slope, self.pivot = 1.0, 0.0

    def _risk(self, frame: pl.DataFrame, days: float) -> FloatArray:
        log_odds = self._base_log_odds(frame, days) + self.correction.predict(self._matrix(frame))
        risk: FloatArray = expit(self.pivot + self.slope * (log_odds - self.pivot))
        return risk

    def explain(self, frame: pl.DataFrame) -> Explanation | None:
        """What each input adds to the log-odds of no order in 90 days, before calibration."""
        return self.correction.explain(self._matrix(frame), self._base_log_odds(frame, HORIZON_DAYS))

    def _base_log_odds(self, frame: pl.DataFrame, days: float | FloatArray) -> FloatArray:
        risk = np.clip(self.rates.p_no_order(frame, days), BASE_BOUND, 1.0 - BASE_BOUND)
        log_odds: FloatArray = logit(risk)
        return log_odds

    def _rows(self, frame: pl.DataFrame) -> BoostingRows:
        offset = self._base_log_odds(frame, numbers(frame, "horizon_days"))
        return BoostingRows(self._matrix(frame), churned(frame), offset, *snapshots(frame))

    def _matrix(self, frame: pl.DataFrame) -> NDArray[np.float32]:
        bought = numbers(frame, "n_order_days") > 0
        base = np.column_stack(
            [
                self.rates.p_no_order(frame, HORIZON_DAYS),
                np.where(bought, self.rates.btyd.p_alive(frame), np.nan),
            ]
        )
        return np.hstack([self.encoder.transform(frame), base.astype(np.float32)])


BASELINES: Mapping[str, type[ChurnEstimator]] = MappingProxyType(
    {estimator.name: estimator for estimator in (BaseRate, RecencyRule, BgNbdChurn)}
)
CRITERION = Criterion("log_loss", log_loss, higher_is_better=False, margin=0.002)

METRICS: Mapping[str, Metric] = MappingProxyType(
    {"auc": auc, "log_loss": log_loss, "brier": brier, "ece": expected_calibration_error}
)


def match_outcome(predictions: pl.DataFrame, labels: pl.DataFrame) -> tuple[FloatArray, FloatArray]:
    """(churned, churn_risk) of the labelled customers, in the order of the labels.

    The predictions must be of the labels' horizon: `model.predict(frame, horizon_days=...)`. Raises ValueError if a
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
            f"churn was predicted for {predicted} days and is judged on {asked}: "
            f"call predict(frame, horizon_days={asked})"
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
