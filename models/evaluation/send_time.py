"""How good a send-time model is on sends after its training.

Here: the cut in time, the probability of each test send, the figures. Not here: general
metrics (`metrics`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from models.evaluation.metrics import auc, brier, log_loss
from models.model import require
from models.send_time import SENDS
from models.shrinkage import FloatArray


@dataclass(frozen=True)
class SendSplit:
    """Sends whose 24 hours had passed before `cut`, and the sends from `cut` on."""

    cut: datetime
    train: pl.DataFrame
    test: pl.DataFrame


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


def evaluate_send_time(predictions: pl.DataFrame, sends: pl.DataFrame) -> dict[str, float]:
    """log_loss, brier, auc, open_rate of the test sends.

    predictions: `SendTimeModel.predict` for the customers of `sends` (SENDS columns). What a chosen hour is worth is not
    said: observed hours follow the customers, and no reweighting of them is honest. A trial with hours drawn by lot
    says it (`benchmarks.evaluate.send_time`).
    """
    opened = sends["is_human_open_24h"].fill_null(False).to_numpy().astype(np.float64)
    p = send_probabilities(predictions, sends)
    return {
        "log_loss": log_loss(opened, p),
        "brier": brier(opened, p),
        "auc": auc(opened, p),
        "open_rate": float(opened.mean()) if len(opened) else float("nan"),
    }
