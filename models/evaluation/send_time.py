"""How good a send-time model is on sends after its training.

Here: the cut in time, the probability of each test send, the figures, the value of the chosen hours. Not here: general
metrics (`metrics`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.evaluation.metrics import auc, brier, log_loss
from models.model import require
from models.reading import HOURS
from models.send_time import SENDS
from models.shrinkage import FloatArray

LEAST_SHARE = 0.01
"""Clock hours that got a smaller share of the test sends than this cannot be judged and are not chosen."""


@dataclass(frozen=True)
class SendSplit:
    """Sends whose 24 hours had passed before `cut`, and the sends from `cut` on."""

    cut: datetime
    train: pl.DataFrame
    test: pl.DataFrame


def split_sends(sends: pl.DataFrame, test_days: int = 30) -> SendSplit | None:
    """`label_sends` cut at midnight `test_days` before the day of the newest send; None if either part is empty."""
    require(sends, SENDS, "send time: sends")
    newest = sends["sent_at"].max()
    if not isinstance(newest, datetime):
        return None
    return split_sends_at(
        sends,
        datetime(newest.year, newest.month, newest.day) - timedelta(days=test_days),  # noqa: DTZ001
    )


def split_sends_at(sends: pl.DataFrame, cut: datetime) -> SendSplit | None:
    """`label_sends` cut at a moment; None if either part is empty."""
    require(sends, SENDS, "send time: sends")
    train = sends.filter(pl.col("sent_at") + timedelta(hours=24) <= cut)
    test = sends.filter(pl.col("sent_at") >= cut)
    return SendSplit(cut, train, test) if train.height and test.height else None


def send_probabilities(predictions: pl.DataFrame, sends: pl.DataFrame) -> FloatArray:
    """p_open_by_hour of each send's customer at its hour, in the order of `sends`."""
    rows = sends.select("customer_id", "hour_of_week").join(
        predictions.select("customer_id", "p_open_by_hour"),
        on="customer_id",
        how="left",
        maintain_order="left",
    )
    missing = rows["p_open_by_hour"].null_count()
    if missing:
        raise ValueError(f"{missing} sends are to customers without a prediction; predict for all of them")
    p = rows.select(pl.col("p_open_by_hour").list.get(pl.col("hour_of_week").cast(pl.Int64))).to_series()
    return p.cast(pl.Float64).to_numpy()


def evaluate_send_time(
    predictions: pl.DataFrame, sends: pl.DataFrame, *, is_randomised: bool = False
) -> dict[str, float]:
    """log_loss, brier, auc of the test sends; and what choosing the hour is worth where that can be known.

    predictions: `SendTimeModel.predict` for the customers of `sends` (SENDS columns). With `is_randomised` (the clock
    hour was drawn independently of the customer): policy_open_rate, the open rate had every send gone out in the clock
    hour the model prefers on that day; policy_lift, that over the open rate as sent; policy_matches, the sends it rests
    on. Otherwise these are NaN: observed hours follow the customers, and no reweighting of them is honest.
    """
    opened = sends["is_human_open_24h"].fill_null(False).to_numpy().astype(np.float64)
    p = send_probabilities(predictions, sends)
    rate, matches = _policy_open_rate(predictions, sends, opened) if is_randomised else (float("nan"), 0)
    overall = float(opened.mean()) if len(opened) else float("nan")
    return {
        "log_loss": log_loss(opened, p),
        "brier": brier(opened, p),
        "auc": auc(opened, p),
        "open_rate": overall,
        "policy_open_rate": rate,
        "policy_lift": rate / overall if overall > 0 else float("nan"),
        "policy_matches": float(matches),
    }


def _policy_open_rate(
    predictions: pl.DataFrame, sends: pl.DataFrame, opened: FloatArray
) -> tuple[float, int]:
    """Self-normalised inverse propensity estimate; a policy indifferent between hours is spread evenly over them."""
    hour = sends["hour_of_week"].to_numpy().astype(np.int64)
    share = np.bincount(hour % 24, minlength=24) / max(len(hour), 1)
    curves = sends.select("customer_id").join(
        predictions.select("customer_id", "p_open_by_hour"),
        on="customer_id",
        how="left",
        maintain_order="left",
    )
    week = curves["p_open_by_hour"].cast(pl.Array(pl.Float64, HOURS)).to_numpy().reshape(-1, 7, 24)
    day = np.where(share >= LEAST_SHARE, week[np.arange(len(hour)), hour // 24], -np.inf)
    best: NDArray[np.bool_] = day == day.max(axis=1, keepdims=True)
    chosen = best[np.arange(len(hour)), hour % 24] / best.sum(axis=1)
    weight = np.divide(chosen, share[hour % 24], out=np.zeros(len(hour)), where=chosen > 0)
    if weight.sum() == 0:
        return float("nan"), 0
    return float((weight * opened).sum() / weight.sum()), int((chosen > 0).sum())
