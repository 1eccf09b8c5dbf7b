"""Expected rewards of every option and of nothing, for the estimators that lean on a model.

Shallow boosted trees on what the plan knew: they need no scaling, and take what is missing as it is. The doubly robust
estimates are right in the mean whatever the trees miss, so they are kept small.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray
from xgboost import XGBRegressor

from models.evaluation.off_policy import Options, RewardEstimates, cross_fitted_rewards, from_sklearn
from models.evaluation.plan_policy.log import PlanLog

OF_CUSTOMER = (
    *("days_since_last_order", "n_orders", "n_sent_7d", "lifetime_value", "churn_risk"),
    *("price_sensitivity", "order_value", "margin_per_order"),
)
OF_OPTION = (
    *("priority", "n_products", "p_open", "p_click", "p_purchase", "unsubscribe_risk", "offer_cost"),
    "net_value",
)
"""What is known of a message and offer; missing where nothing is sent, as are the codes of both."""
CODES = ("message_key", "offer_key")
N_FOLDS = 5


def expected_rewards(log: PlanLog) -> RewardEstimates | None:
    """Out-of-fold expected rewards: all options in their order, then nothing for each decision.

    None with fewer than two folds' worth of customers, of whom nothing can be learnt for others.
    """
    n, n_options = len(log), log.options.height
    if log.customers.n_unique() < 2 * N_FOLDS:
        return None
    features = _features(log)
    done = np.where(log.done >= 0, log.done, n_options + np.arange(n))
    learn = from_sklearn(
        lambda: XGBRegressor(
            n_estimators=80,
            learning_rate=0.1,
            max_depth=4,
            min_child_weight=50,
            reg_lambda=10.0,
            max_bin=64,
            tree_method="hist",
            # The order in which sums are made, and so their last digits, depends on the number of threads.
            n_jobs=1,
            random_state=0,
        )
    )
    return cross_fitted_rewards(
        learn,
        features[done],
        log.reward,
        cluster=log.customers,
        options=Options(features, np.concatenate([log.decision, np.arange(n)])),
        n_folds=N_FOLDS,
    )


def _features(log: PlanLog) -> NDArray[np.float32]:
    """Options, then one row of nothing per decision: codes of message, offer and stage; figures; whether anything is sent;
    the day."""
    first_day = log.days.min()
    codes = [pl.col(name).rank("dense") for name in (*CODES, "lifecycle_stage")]
    every = log.options.select(
        *codes,
        *OF_CUSTOMER,
        *OF_OPTION,
        is_sent=pl.lit(1.0),
        day=(pl.col("plan_date") - first_day).dt.total_days(),
    ).cast(pl.Float32)
    starts = np.flatnonzero(np.diff(log.decision, prepend=-1))
    held = every[starts].with_columns(
        pl.lit(None, dtype=pl.Float32).alias(name) for name in (*CODES, *OF_OPTION)
    )
    return np.ascontiguousarray(
        pl.concat([every, held.with_columns(is_sent=pl.lit(0.0, dtype=pl.Float32))])
        .fill_null(float("nan"))
        .to_numpy()
    )
