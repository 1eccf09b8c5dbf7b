"""Churn and lifetime value against what is true of simulated customers: who has left, how often the others will order.

Each shop has a history of 270 days with the plain weekly mail, taken in and turned into features and labels by the
product's own pipeline. The methods learn from that alone and answer for the last day; then the shop lives on for 90 days.
True in the simulator: `is_gone`, the customer has left for good (he still comes at 3 % of his visits), and a rate of orders,
visits x chance of a cart x chance to buy it, at 3 % for those who have left. Chances of one visit are taken without what he
sees in it, so the rate ranks customers and is not a forecast.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from scipy.special import expit
from scipy.stats import spearmanr

from benchmarks.evaluate.simulated_shop import Played, play
from benchmarks.evaluate.table import Table, Target
from models import churn, value
from models.churn import ChurnModel
from models.churn_estimator import ChurnEstimator
from models.evaluation.metrics import auc, expected_calibration_error, log_loss, normalised_gini, total_ratio
from models.evaluation.splits import plan_snapshots
from models.features import join_labels
from models.value import ValueModel
from models.value_estimator import ValueEstimator
from shop.config import ShopConfig
from shop.world import World

CUSTOMERS = 2_500
SEEDS = (1, 2, 3)
HISTORY_DAYS, FUTURE_DAYS = 270, 90
VISITS_OF_WHO_LEFT = 0.03

CHURN: Mapping[str, Callable[[], ChurnEstimator]] = {**churn.BASELINES, ChurnModel.name: ChurnModel}
VALUE: Mapping[str, Callable[[], ValueEstimator]] = {**value.BASELINES, ValueModel.name: ValueModel}

Figures = dict[str, float]


def tables(data: Path) -> Iterator[Table]:
    """Churn and value of simulated customers, beside the rules; reads no data."""
    del data
    shops = [_shop(seed) for seed in SEEDS]
    yield Table(
        name="churn of simulated customers",
        title=f"chance of no order in {FUTURE_DAYS} days: auc, log loss and ece by what happened, left_auc by who had left "
        f"for good; mean of {len(SEEDS)} shops, lowest and highest auc",
        figures=_summary([shop.churn for shop in shops], "auc"),
        params=_params(shops),
        targets=(
            Target(ChurnModel.name, "auc_gain", low=0.0),
            Target(ChurnModel.name, "ece", high=0.05),
        ),
    )
    yield Table(
        name="value of simulated customers",
        title=f"expected orders and margin of {FUTURE_DAYS} days: rank correlation with the orders that came and with the "
        f"true rates, gini of margin, total said : total come; mean of {len(SEEDS)} shops, lowest and highest rank correlation",
        figures=_summary([shop.value for shop in shops], "orders_rank"),
        params=_params(shops),
        targets=(
            Target(ValueModel.name, "orders_rank_gain", low=0.0),
            Target(ValueModel.name, "orders_total", low=0.8, high=1.25),
        ),
    )


@dataclass(frozen=True)
class Judged:
    """One shop: method -> metric -> figure."""

    n_customers: int
    share_left: float
    share_silent: float
    churn: Mapping[str, Figures]
    value: Mapping[str, Figures]


def _shop(seed: int) -> Judged:
    config = ShopConfig(customers=CUSTOMERS, days=HISTORY_DAYS + FUTURE_DAYS, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        shop = play(config, Path(folder), World.broadcast_sends, days=HISTORY_DAYS)
        plan = plan_snapshots(shop.world.today, config.start)
        found = shop.tables(("feat_customer", "label_customer"), [*plan.dates, plan.as_of], plan.horizon_days)
    seen = found["feat_customer"].filter("has_behaviour", pl.col("first_seen_at").is_not_null())
    training = join_labels(seen, found["label_customer"])
    now = seen.filter(pl.col("as_of") == plan.as_of).sort("customer_id")
    truth = now.select("customer_id").join(_truth(shop), on="customer_id", how="left", maintain_order="left")
    silent = (truth["orders"] == 0).to_numpy().astype(np.float64)
    return Judged(
        now.height,
        float(truth["is_gone"].mean()),  # type: ignore[arg-type]
        float(silent.mean()),
        {
            name: _judge_churn(make().fit(training).predict(now, FUTURE_DAYS), truth, silent)
            for name, make in CHURN.items()
        },
        {name: _judge_value(make().fit(training).predict(now), truth) for name, make in VALUE.items()},
    )


def _truth(shop: Played) -> pl.DataFrame:
    """Per customer what is true on the last day of the history, and what the days after bring; plays them.

    Returns customer_id, is_gone, rate (of orders, up to a factor), orders (days with an order), margin.
    """
    world = shop.world
    people, known = world.people, slice(0, world.people.size)
    is_gone = world.state.is_gone[known].copy()
    rate = people.visit_rate * expit(people.cart_logit) * expit(people.buy_logit)
    lines = pl.concat(
        [
            world.step(world.broadcast_sends()).events.filter(pl.col("event") == "Order Completed")
            for _ in range(FUTURE_DAYS)
        ]
    ).join(world.catalogue.products.select("product_id", "cost"), on="product_id", how="left")
    margin = pl.col("quantity") * (pl.col("price") - pl.col("cost")) - pl.col("discount").fill_null(0)
    bought = lines.group_by("customer_id").agg(
        orders=pl.col("occurred_at").dt.date().n_unique().cast(pl.Float64), margin=margin.sum()
    )
    return (
        pl.DataFrame(
            {
                "customer_id": people.customers["customer_id"],
                "is_gone": is_gone,
                "rate": rate[known] * np.where(is_gone, VISITS_OF_WHO_LEFT, 1.0),
            }
        )
        .join(bought, on="customer_id", how="left", maintain_order="left")
        .with_columns(pl.col("orders", "margin").fill_null(0.0))
    )


def _judge_churn(answer: pl.DataFrame, truth: pl.DataFrame, silent: np.ndarray) -> Figures:
    risk = answer["churn_risk"].to_numpy()
    return {
        "auc": auc(silent, risk),
        "log_loss": log_loss(silent, risk),
        "ece": expected_calibration_error(silent, risk),
        "left_auc": auc(truth["is_gone"].to_numpy().astype(np.float64), risk),
    }


def _judge_value(answer: pl.DataFrame, truth: pl.DataFrame) -> Figures:
    orders, margin = answer["expected_orders_90d"].to_numpy(), answer["expected_margin_90d"].to_numpy()
    came = truth["orders"].to_numpy()
    return {
        "orders_rank": _rank_correlation(came, orders),
        "rate_rank": _rank_correlation(truth["rate"].to_numpy(), orders),
        "margin_rank": _rank_correlation(truth["margin"].to_numpy(), margin),
        "margin_gini": normalised_gini(truth["margin"].to_numpy(), margin),
        "orders_total": total_ratio(came, orders),
    }


def _rank_correlation(actual: np.ndarray, predicted: np.ndarray) -> float:
    """Spearman's; 0 for a constant prediction."""
    return float(spearmanr(actual, predicted).statistic) if np.ptp(predicted) else 0.0


def _summary(shops: list[Mapping[str, Figures]], deciding: str) -> pl.DataFrame:
    """Means over shops; lowest, highest and `<deciding>_gain` (mean difference to the best rule of each shop)."""
    methods = list(shops[0])
    ours, rules = methods[-1], methods[:-1]
    gain = float(np.mean([s[ours][deciding] - max(s[rule][deciding] for rule in rules) for s in shops]))
    return pl.DataFrame(
        [
            {
                "method": method,
                **{
                    metric: float(np.mean([shop[method][metric] for shop in shops]))
                    for metric in shops[0][method]
                },
                "lowest": min(shop[method][deciding] for shop in shops),
                "highest": max(shop[method][deciding] for shop in shops),
                f"{deciding}_gain": gain if method == ours else None,
            }
            for method in methods
        ]
    )


def _params(shops: list[Judged]) -> dict[str, object]:
    return {
        "seeds": SEEDS,
        "customers": [shop.n_customers for shop in shops],
        "share_left": [round(shop.share_left, 3) for shop in shops],
        "share_silent": [round(shop.share_silent, 3) for shop in shops],
    }
