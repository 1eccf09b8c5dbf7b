"""When does a customer need a product again: due dates of what is used up or bought repeatedly.

Here: gaps between purchases shrunk from the shop to the product and the customer, two rules beside it, how they are judged.
Not here: the mail about it (`trigger_replenishment`), a customer's next order of anything (`value`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from scipy.stats import norm

from models.evaluation.metrics import auc, pearson_r
from models.features import FloatArray, numbers
from models.model import NoParams, NotFittedError, require

PAIR = ("customer_id", "product_id", "as_of")
FEATURES = (
    "n_gaps",
    "sum_log_gap_days",
    "sum_squared_log_gap_days",
    "last_gap_days",
    "last_purchased_at",
    "median_repurchase_days",
)
ANY_SHOP_GAP_DAYS = 45.0
"""What is believed of a product before any gap is known."""

MIN_VARIANCE = 0.01
MAX_GAP_DAYS = 3_650.0
HORIZON_DAYS, SOON_DAYS = 90, 14
HIT_DAYS = 7


class GapEstimator(ABC):
    """fit and predict of everything that answers "how many days does it last".

    `fit(frame)`: feat_repurchases of one snapshot. `predict(frame)`: customer_id, product_id, as_of, gap_days,
    due_on (last purchase and gap), expected_on (the same given that he has not bought it until as_of and does so within
    HORIZON_DAYS), due_score (0 to 1: the higher, the likelier within SOON_DAYS), basis; rows keep their order.
    """

    name: ClassVar[str]
    features: ClassVar[tuple[str, ...]] = FEATURES
    params: Any

    def __init__(self) -> None:
        self._is_fitted = False

    def fit(self, frame: pl.DataFrame) -> Self:
        """Learn the shop's, the products' and the customers' rhythms."""
        require(frame, (*PAIR, *self.features), self.name)
        self._learn(frame.sort(PAIR))
        self._is_fitted = True
        return self

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        """One due date per row."""
        require(frame, (*PAIR, *self.features), self.name)
        if not self._is_fitted:
            raise NotFittedError(self.name)
        gap = np.clip(self._gap(frame), 1.0, MAX_GAP_DAYS)
        silence = np.maximum(silence_days(frame), 0.0)
        waited, score = self._given_silence(frame, gap, silence)
        return frame.select(
            *PAIR,
            pl.Series("gap_days", gap, dtype=pl.Float64),
            due_on=_after(gap),
            expected_on=pl.max_horizontal(_after(waited), "as_of"),
            due_score=pl.Series(score, dtype=pl.Float64),
            basis=pl.when(pl.col("n_gaps") >= 3)
            .then(pl.lit("own gaps"))
            .when(pl.col("n_gaps") > 0)
            .then(pl.lit("own gaps and those of all buyers"))
            .when(pl.col("median_repurchase_days").is_not_null())
            .then(pl.lit("gaps of all buyers"))
            .otherwise(pl.lit("gaps of all products")),
        )

    def _given_silence(
        self, frame: pl.DataFrame, gap: FloatArray, silence: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """The gap held within HORIZON_DAYS after `silence`, and the score; rules know nothing of chances: the nearer to the
        middle of the next SOON_DAYS, the likelier."""
        score = 1.0 / (1.0 + np.abs(gap - silence - SOON_DAYS / 2.0))
        return np.clip(gap, silence, silence + HORIZON_DAYS), score

    @abstractmethod
    def _learn(self, frame: pl.DataFrame) -> None: ...

    @abstractmethod
    def _gap(self, frame: pl.DataFrame) -> FloatArray: ...


class ProductMedian(GapEstimator):
    """The product's median gap over all buyers, else the median of all products' own."""

    name = "product_median"

    def __init__(self) -> None:
        super().__init__()
        self.params = NoParams()

    def _learn(self, frame: pl.DataFrame) -> None:
        known = numbers(frame, "median_repurchase_days")
        known = known[np.isfinite(known)]
        self.typical = float(np.median(known)) if len(known) else ANY_SHOP_GAP_DAYS

    def _gap(self, frame: pl.DataFrame) -> FloatArray:
        return np.nan_to_num(numbers(frame, "median_repurchase_days"), nan=self.typical)


class AnyDay(ProductMedian):
    """No idea: the middle of the horizon for everyone. What a date has to beat to say anything of a pair."""

    name = "any_day"

    def _given_silence(
        self, frame: pl.DataFrame, gap: FloatArray, silence: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        return silence + HORIZON_DAYS / 2.0, np.full(len(gap), SOON_DAYS / HORIZON_DAYS)


class LastGap(ProductMedian):
    """The days between his last two purchases of it, else the product's median."""

    name = "last_gap"

    def _gap(self, frame: pl.DataFrame) -> FloatArray:
        last = numbers(frame, "last_gap_days")
        return np.where(np.isfinite(last), last, super()._gap(frame))


@dataclass(frozen=True)
class ShrunkGapParams:
    """How many gaps the next wider rhythm is worth: the shop's against a product's, a product's against a customer's pace.
    The weight of both against a pair's own gaps is found in the data, within `pair_bounds`."""

    product_strength: float = 5.0
    customer_strength: float = 5.0
    pair_bounds: tuple[float, float] = (0.5, 50.0)


class ShrunkGap(GapEstimator):
    """Log-normal gaps, by empirical Bayes: shop -> product -> times the customer's pace -> his own gaps of it.

    A product's mean log gap is shrunk to the shop's; a customer's mean difference to what his products take, his pace, to 0;
    a pair's own mean to the sum of both. The pair's strength is the variance within pairs over the variance between their
    means and expectations, by the method of moments. After each purchase a part of the pairs ends, estimated from gaps begun
    and ended by expectation and maximisation; the score, a chance here, knows of it. The gap is the median, exp of the mean;
    given silence it is the median of what is left of the distribution within the horizon.
    """

    name = "shrunk_gap"

    def __init__(self, params: ShrunkGapParams | None = None) -> None:
        super().__init__()
        self.params = params or ShrunkGapParams()

    def _learn(self, frame: pl.DataFrame) -> None:
        n, total = numbers(frame, "n_gaps"), numbers(frame, "sum_log_gap_days")
        squares = numbers(frame, "sum_squared_log_gap_days")
        self.shop = float((total.sum() + np.log(ANY_SHOP_GAP_DAYS)) / (n.sum() + 1.0))
        strength = self.params.product_strength
        rows = frame.select("customer_id", "product_id").with_columns(
            pl.Series("n", n), pl.Series("total", total)
        )
        self.products = (
            rows.group_by("product_id", maintain_order=True)
            .agg(pl.col("n", "total").sum())
            .select(
                "product_id",
                product=(pl.col("total") + strength * self.shop) / (pl.col("n") + strength),
            )
        )
        typical = self._product(frame)
        self.customers = (
            rows.with_columns(pl.Series("excess", total - n * typical))
            .group_by("customer_id", maintain_order=True)
            .agg(pl.col("n", "excess").sum())
            .select("customer_id", pace=pl.col("excess") / (pl.col("n") + self.params.customer_strength))
        )
        seen = n > 0
        expected = typical + self._pace(frame)
        own = np.where(seen, total / np.maximum(n, 1.0), 0.0)
        inside = float((squares - n * own**2)[seen].sum())
        freedom = float((n[seen] - 1.0).sum())
        self.within = max(inside / freedom if freedom > 0 else 1.0, MIN_VARIANCE)
        apart = float((n * (own - expected) ** 2)[seen].sum()) - self.within * float(seen.sum())
        between = max(apart / max(float(n.sum()), 1.0), 1e-9)
        self.strength = float(np.clip(self.within / between, *self.params.pair_bounds))
        before = _passed(np.maximum(silence_days(frame), 0.0), self._gap(frame), self._spread(frame))
        self.goes_on = 0.5
        for _ in range(50):
            stopped = (1.0 - self.goes_on) / (1.0 - self.goes_on * before)
            self.goes_on = float((n.sum() + 1.0) / (n.sum() + stopped.sum() + 2.0))

    def _gap(self, frame: pl.DataFrame) -> FloatArray:
        gap: FloatArray = np.exp(self._log_gap(frame))
        return gap

    def _given_silence(
        self, frame: pl.DataFrame, gap: FloatArray, silence: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """The median between silence and horizon, and the chance of SOON_DAYS against all that is left."""
        spread = self._spread(frame)
        before, soon, at_end = (
            _passed(silence + days, gap, spread) for days in (0.0, SOON_DAYS, HORIZON_DAYS)
        )
        middle = np.clip((before + at_end) / 2.0, 1e-9, 1.0 - 1e-9)
        median = np.exp(np.log(gap) + spread * norm.ppf(middle))
        still = self.goes_on
        score = still * (soon - before) / np.maximum(1.0 - still * before, 1e-9)
        return np.clip(median, silence, silence + HORIZON_DAYS), score

    def _spread(self, frame: pl.DataFrame) -> FloatArray:
        """Deviation of the next log gap: of gaps within a pair, and of its mean."""
        n = numbers(frame, "n_gaps")
        spread: FloatArray = np.sqrt(self.within * (1.0 + 1.0 / (n + self.strength)))
        return spread

    def _log_gap(self, frame: pl.DataFrame) -> FloatArray:
        expected = self._product(frame) + self._pace(frame)
        n, total = numbers(frame, "n_gaps"), numbers(frame, "sum_log_gap_days")
        mean: FloatArray = (total + self.strength * expected) / (n + self.strength)
        return mean

    def _product(self, frame: pl.DataFrame) -> FloatArray:
        found = frame.select("product_id").join(
            self.products, on="product_id", how="left", maintain_order="left"
        )
        return np.nan_to_num(numbers(found, "product"), nan=self.shop)

    def _pace(self, frame: pl.DataFrame) -> FloatArray:
        found = frame.select("customer_id").join(
            self.customers, on="customer_id", how="left", maintain_order="left"
        )
        return np.nan_to_num(numbers(found, "pace"))


METHODS: Mapping[str, type[GapEstimator]] = MappingProxyType(
    {method.name: method for method in (AnyDay, ProductMedian, LastGap, ShrunkGap)}
)


def evaluate_due_dates(predictions: pl.DataFrame, bought: pl.DataFrame) -> dict[str, float]:
    """Of pairs bought again within HORIZON_DAYS, by expected_on: mae_days, hit_7d (share within a week), bias_days
    (predicted after actual), r (of the days from as_of), n_bought. Of all pairs, by due_score: auc_14d (bought within
    SOON_DAYS), n_pairs.

    Args: predictions: of `predict`. bought: customer_id, product_id, bought_on: the next purchase within HORIZON_DAYS.
    """
    joined = predictions.join(bought, on=["customer_id", "product_id"], how="left")
    known = joined.filter(pl.col("bought_on").is_not_null())
    waits = known.select(
        (pl.col(column) - pl.col("as_of")).dt.total_days() for column in ("bought_on", "expected_on")
    )
    actual, expected = numbers(waits, "bought_on"), numbers(waits, "expected_on")
    error = expected - actual
    soon = (joined["bought_on"] < joined["as_of"].dt.offset_by(f"{SOON_DAYS}d")).fill_null(False)
    nothing = float("nan")
    return {
        "mae_days": float(np.abs(error).mean()) if len(error) else nothing,
        "hit_7d": float((np.abs(error) <= HIT_DAYS).mean()) if len(error) else nothing,
        "bias_days": float(error.mean()) if len(error) else nothing,
        "r": pearson_r(actual, expected),
        "auc_14d": auc(soon.cast(pl.Float64).to_numpy(), numbers(joined, "due_score")),
        "n_bought": float(len(error)),
        "n_pairs": float(joined.height),
    }


def silence_days(frame: pl.DataFrame) -> FloatArray:
    """Days from the last purchase to as_of."""
    now = pl.col("as_of").cast(pl.Datetime("us"))
    since = (now - pl.col("last_purchased_at").cast(pl.Datetime("us"))).dt.total_seconds()
    return numbers(frame.select(since=since / 86_400.0), "since")


def _passed(days: FloatArray, gap: FloatArray, spread: FloatArray) -> FloatArray:
    """Share of log-normal gaps of that median and deviation that are over after so many days."""
    share: FloatArray = norm.cdf((np.log(np.maximum(days, 1e-3)) - np.log(gap)) / spread)
    return share


def _after(gap: FloatArray) -> pl.Expr:
    """The date `gap` days after the last purchase."""
    seconds = pl.lit(pl.Series(np.round(gap * 86_400.0), dtype=pl.Float64).cast(pl.Int64))
    return (pl.col("last_purchased_at") + pl.duration(seconds=seconds)).cast(pl.Date)
