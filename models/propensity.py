"""Will the customer buy from a category or subcategory within two weeks: purchase propensity.

Here: the learnt model, its named baselines, how it is judged, scoring in parts. Not here: the baselines themselves
(`propensity_rules`), the features (`shelves`), promotion (`evaluation.champion`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit

from models.btyd import BtydParams
from models.correction import Correction, CorrectionParams, CorrectionRows
from models.evaluation.champion import Criterion
from models.evaluation.metrics import auc, expected_calibration_error, log_loss
from models.features import KEYS, FloatArray
from models.link import CHANCE
from models.model import Explanation, Model, require
from models.propensity_rules import (
    HORIZON_DAYS,
    LABEL,
    AffinityRule,
    CategoryRate,
    LastCategory,
    PropensityEstimator,
    bought,
    labelled,
)
from models.shelves import CUSTOMER_COLUMNS, LEVELS, OWN, POPULARITY, SHELF, SUBCATEGORY, shelf_frame
from models.shrinkage import logit

BEHAVIOUR = tuple(column for column in CUSTOMER_COLUMNS if column not in (*KEYS, "has_behaviour"))
BASE = "base_log_odds"
CUSTOMERS_PER_PART = 10_000


@dataclass(frozen=True)
class PropensityParams:
    """Parameters of the customers' order rates and of the correction."""

    btyd: BtydParams = field(default_factory=BtydParams)
    boosting: CorrectionParams = field(
        default_factory=lambda: CorrectionParams(
            max_depth=5, learning_rate=0.1, min_child_weight=20.0, rounds=60, max_rounds=150, weight=0.75
        )
    )


class CategoryPropensity(PropensityEstimator):
    """The affinity rule, corrected by XGBoost on everything known of the customer, the shelf and the two together.

    The correction is of the log-odds. Its rounds and the share of it that is applied are chosen on the newest labelled
    snapshot with the past as it stood then; with too few labels the rule stands alone.
    """

    name = "category_propensity"
    features = tuple(dict.fromkeys((*AffinityRule.features, *BEHAVIOUR, *OWN, *POPULARITY)))

    def __init__(self, params: PropensityParams | None = None) -> None:
        super().__init__()
        self.params = params or PropensityParams()

    def _learn(self, frame: pl.DataFrame) -> None:
        known = labelled(frame)
        later = known.filter(pl.col("as_of") == pl.col("as_of").max())
        ended = pl.col("as_of") + pl.duration(days=HORIZON_DAYS) <= pl.lit(later["as_of"].max(), pl.Date)
        past = known.filter(ended) if later.height else known
        self._fit_rule(frame)
        if past.height and later.height:
            then = CategoryPropensity(self.params)
            then._fit_rule(past)
            then.correction.choose(then._rows(past), then._rows(later))
            self.correction.adopt(then.correction)
        rows = self._rows(known)
        self.correction.fit(rows)
        self.usual_base = float(rows.offset.mean()) if known.height else 0.0

    def explain(self, frame: pl.DataFrame) -> Explanation | None:
        """Of the log-odds: what each input adds to the correction, and the base its distance from the usual one; None
        without trees.
        """
        require(frame, (*KEYS, *self.features), self.name)
        matrix, base = self._inputs(frame)
        added = self.correction.contributions(matrix)
        if added is None:
            return None
        names = self.correction.feature_names
        added[:, names.index(BASE)] += base - self.usual_base
        return Explanation(names, matrix.astype(np.float64), added)

    def _fit_rule(self, frame: pl.DataFrame) -> None:
        self.rule = AffinityRule(self.params.btyd)
        self.rule._learn(frame)
        names = (
            BASE,
            "p_order_14d",
            "prior_share",
            "is_subcategory",
            *BEHAVIOUR,
            *OWN,
            *POPULARITY,
        )
        self.correction = Correction(CHANCE, names, self.params.boosting)

    def _probability(self, frame: pl.DataFrame) -> FloatArray:
        matrix, offset = self._inputs(frame)
        p: FloatArray = expit(offset + self.correction.predict(matrix))
        return p

    def _rows(self, frame: pl.DataFrame) -> CorrectionRows:
        matrix, offset = self._inputs(frame)
        number = frame.get_column("as_of").rank("dense").to_numpy().astype(np.intp)
        first, last = frame["as_of"].min(), frame["as_of"].max()
        days = pl.Series([first, last], dtype=pl.Date).diff().dt.total_days()[1] or 0
        return CorrectionRows(matrix, bought(frame), offset, number, float(days) + HORIZON_DAYS)

    def _inputs(self, frame: pl.DataFrame) -> tuple[NDArray[np.float32], FloatArray]:
        base = logit(self.rule._probability(frame))
        columns = (
            frame.select(pl.col("prior_share", *BEHAVIOUR, *OWN, *POPULARITY).cast(pl.Float32))
            .with_columns(pl.all().fill_null(float("nan")))
            .to_numpy()
        )
        is_subcategory = (frame["level"] == SUBCATEGORY).fill_null(False).cast(pl.Float32).to_numpy()
        added = np.column_stack([base, self.rule.p_order(frame)]).astype(np.float32)
        return np.column_stack([added, columns[:, :1], is_subcategory, columns[:, 1:]]).astype(
            np.float32
        ), base


BASELINES: Mapping[str, type[PropensityEstimator]] = MappingProxyType(
    {estimator.name: estimator for estimator in (CategoryRate, LastCategory, AffinityRule)}
)
CRITERION = Criterion("log_loss", log_loss, higher_is_better=False, margin=0.0003)


def match_outcome(predictions: pl.DataFrame, labels: pl.DataFrame) -> tuple[FloatArray, FloatArray]:
    """(bought, p_purchase_14d) of the labelled rows, in their order.

    Raises ValueError if a labelled row has no prediction.
    """
    require(labels, (*KEYS, *SHELF, LABEL), "propensity evaluation")
    known = labelled(labels).select(*KEYS, *SHELF, LABEL)
    joined = known.join(predictions, on=[*KEYS, *SHELF], how="left", maintain_order="left", validate="1:1")
    missing = joined.get_column("p_purchase_14d").null_count()
    if missing:
        raise ValueError(f"{missing} of {known.height} labelled rows have no prediction")
    return bought(joined), joined.get_column("p_purchase_14d").to_numpy()


def evaluate_propensity(predictions: pl.DataFrame, labels: pl.DataFrame) -> dict[str, float]:
    """log_loss over all rows, then per level: auc, log_loss (nats), ece (10 bins), share_bought."""
    outcome, p = match_outcome(predictions, labels)
    level = labelled(labels).get_column("level")
    figures = {CRITERION.name: log_loss(outcome, p)}
    for name in LEVELS:
        inside = (level == name).to_numpy()
        y, q = outcome[inside], p[inside]
        figures |= {
            f"auc_{name}": auc(y, q),
            f"log_loss_{name}": log_loss(y, q),
            f"ece_{name}": expected_calibration_error(y, q),
            f"share_bought_{name}": float(y.mean()) if len(y) else float("nan"),
        }
    return figures


def score_customers(
    model: Model, customers: pl.DataFrame, interactions: pl.DataFrame, products: pl.DataFrame
) -> pl.DataFrame:
    """A fitted model's answers for one snapshot, in parts that fit in memory whatever the number of customers.

    Returns customer_id, category, subcategory (null for the category as a whole), p_purchase_14d, basis, sorted.
    """
    parts = [
        model.predict(shelf_frame(part, interactions.join(part, on="customer_id", how="semi"), products))
        for part in _parts(customers.sort("customer_id"))
    ]
    is_subcategory = pl.col("level") == SUBCATEGORY
    return (
        pl.concat(parts)
        .select(
            "customer_id",
            "category",
            pl.when(is_subcategory).then(pl.col("shelf")).alias("subcategory"),
            "p_purchase_14d",
            "basis",
        )
        .sort("customer_id", "category", "subcategory", nulls_last=False)
    )


def _parts(customers: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Slices of the customers, at least one."""
    yield from customers.iter_slices(CUSTOMERS_PER_PART) if customers.height else [customers]
