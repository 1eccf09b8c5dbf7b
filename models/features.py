"""Which columns of feat_customer a model may learn from, and how they become a matrix.

Here: the lists, the labels joined to them, the encoder fitted in training. Not here: how a feature is
computed (dbt). Protected attributes (gender, age, birth date, ...) are not in these lists and must never be:
they are for audits.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.model import NotFittedError, require

FloatArray = NDArray[np.float64]

KEYS = ("customer_id", "as_of")
LABELS = ("horizon_days", "orders", "revenue", "margin")

NUMERIC_FEATURES = (
    "tenure_days",
    "n_orders",
    "n_orders_30d",
    "n_orders_90d",
    "n_orders_365d",
    "n_order_days",
    "n_units",
    "revenue_total",
    "revenue_30d",
    "revenue_90d",
    "revenue_365d",
    "margin_total",
    "margin_365d",
    "avg_order_value",
    "days_since_first_order",
    "days_since_last_order",
    "repeat_days",
    "recency_days",
    "age_days",
    "mean_gap_days",
    "std_gap_days",
    "n_sessions_7d",
    "n_sessions_30d",
    "n_sessions_90d",
    "n_product_views_7d",
    "n_product_views_30d",
    "n_carts_30d",
    "n_searches_30d",
    "n_content_views_90d",
    "days_since_last_session",
    "n_emails_30d",
    "n_emails_90d",
    "n_human_opens_90d",
    "n_clicks_90d",
    "open_rate_90d",
    "click_rate_90d",
    "days_since_last_open",
    "days_since_last_click",
    "discount_share",
    "mean_discount_depth",
    "price_position",
    "n_refunds_365d",
    "refund_rate",
    "n_support_30d",
    "mean_rating",
    "mobile_share",
    "n_categories",
)
CATEGORICAL_FEATURES = ("country", "signup_source", "lifecycle_stage", "top_category")
CUSTOMER_FEATURES = (*NUMERIC_FEATURES, *CATEGORICAL_FEATURES)


def numbers(frame: pl.DataFrame, column: str) -> FloatArray:
    """A column as float64, null as NaN."""
    return frame.get_column(column).cast(pl.Float64).fill_null(float("nan")).to_numpy()


def join_labels(features: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """The training frame: feature rows of several snapshots, with labels where they are known, null
    elsewhere.

    `features` is feat_customer for several as_of; `labels` is label_customer, possibly of no rows. The newest
    snapshot normally has no labels yet: its rows say where the customers stand now.
    """
    require(features, KEYS, "training frame")
    require(labels, (*KEYS, *LABELS), "training frame")
    return features.join(
        labels.select(*KEYS, *LABELS), on=list(KEYS), how="left", maintain_order="left", validate="1:1"
    )


class FeatureEncoder:
    """Numbers as they are (null stays missing, as NaN) and one indicator per frequent category.

    Levels are learnt in `fit`: those with at least `min_rows` rows, the `max_levels` most frequent, ties by
    name. A level not seen in training, or null, has all indicators 0.
    """

    def __init__(self, model: str, min_rows: int = 20, max_levels: int = 15) -> None:
        self.model = model
        self.min_rows = min_rows
        self.max_levels = max_levels
        self.levels: dict[str, tuple[str, ...]] | None = None

    def fit(self, frame: pl.DataFrame) -> Self:
        """Learn the levels of each categorical column."""
        require(frame, CUSTOMER_FEATURES, self.model)
        self.levels = {column: self._frequent(frame.get_column(column)) for column in CATEGORICAL_FEATURES}
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The matrix's columns, in order."""
        if self.levels is None:
            raise NotFittedError(self.model)
        indicators = (f"{column}={level}" for column, levels in self.levels.items() for level in levels)
        return (*NUMERIC_FEATURES, *indicators)

    def transform(self, frame: pl.DataFrame) -> NDArray[np.float32]:
        """The matrix of shape (rows, len(names)), float32, in the frame's row order."""
        if self.levels is None:
            raise NotFittedError(self.model)
        require(frame, CUSTOMER_FEATURES, self.model)
        encoded = frame.select(
            *(pl.col(column).cast(pl.Float32).fill_null(float("nan")) for column in NUMERIC_FEATURES),
            *(
                pl.col(column)
                .cast(pl.String)
                .eq(level)
                .fill_null(False)
                .cast(pl.Float32)
                .alias(f"{column}={level}")
                for column, levels in self.levels.items()
                for level in levels
            ),
        )
        return encoded.to_numpy().astype(np.float32, copy=False)

    def _frequent(self, values: pl.Series) -> tuple[str, ...]:
        counts = (
            values.cast(pl.String)
            .drop_nulls()
            .alias("level")
            .to_frame()
            .group_by("level")
            .len("rows")
            .filter(pl.col("rows") >= self.min_rows)
            .sort(["rows", "level"], descending=[True, False])
            .head(self.max_levels)
        )
        return tuple(counts.get_column("level"))
