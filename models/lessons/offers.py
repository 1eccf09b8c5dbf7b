"""The lesson on what offers bring."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from models.evaluation.champion import Criterion
from models.evaluation.contest import Answer
from models.evaluation.plots import comparison_plot
from models.evaluation.uplift import effect_table, rank_gain, robust_scores
from models.lessons.lesson import N_EXAMPLE_ROWS, Lesson, anonymous, decide_and_fit
from models.offers import trials
from models.offers.learners import TLearner
from models.offers.regression import FloatArray, Logistic, Scale
from models.offers.response import (
    DiscountShareOffers,
    DRLearnerOffers,
    OfferModel,
    OfferResponse,
    PooledOffers,
    TLearnerOffers,
    XLearnerOffers,
)

CRITERION = Criterion("rank_gain", rank_gain, higher_is_better=True, margin=0.0002)
"""Orders per send won by sending offers to the best first (`models.evaluation.uplift.rank_gain`)."""

HELD_OUT = 0.3
MIN_SENDS = 50

METHODS: Mapping[str, Callable[[], OfferModel]] = MappingProxyType(
    {
        method.name: method
        for method in (
            PooledOffers,
            DiscountShareOffers,
            TLearnerOffers,
            XLearnerOffers,
            DRLearnerOffers,
            OfferResponse,
        )
    }
)
"""Every way of telling what an offer brings, simplest first."""


def learn_offer_response(sends: pl.DataFrame, features: pl.DataFrame, champion: str | None) -> Lesson:
    """The effect of offers.

    Args:
        sends: `label_offers`; the newest as_of is the training date.
        features: `feat_customer` of the same date and of earlier ones.
        champion: the method in office.
    """
    rows = trials.with_features(sends, features)
    answers = {method: Answer(np.empty(0), {}) for method in METHODS}
    outcome: FloatArray = np.empty(0)
    groups = None
    parts = split_sends(rows)
    figures: dict[str, Figure] = {}
    if parts is not None:
        train, test = parts
        asked, outcome = held_out_scores(train, test)
        if len(outcome):
            groups = asked["customer_id"].rank("dense").cast(pl.Int64).to_numpy()
            for method, make in METHODS.items():
                predicted = make().fit(train).predict(asked)["uplift_order"].to_numpy()
                answers[method] = Answer(predicted, _figures(outcome, predicted))
    verdict, fitted = decide_and_fit(
        answers, outcome, CRITERION, champion, lambda method: METHODS[method]().fit(rows), groups
    )
    if len(outcome):
        deciding = {method: answer.metrics[CRITERION.name] for method, answer in answers.items()}
        figures["comparison.png"] = comparison_plot(deciding, CRITERION.name, verdict.winner)
    newest = (
        features.filter(pl.col("as_of") == pl.col("as_of").max()).sort("customer_id").head(N_EXAMPLE_ROWS)
    )
    example = anonymous(_priced(newest.select("customer_id", *trials.FEATURES), "percent_10"))
    return Lesson(verdict, answers, fitted, example, figures)


def split_sends(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame] | None:
    """Sends before and after a moment at which the windows of the earlier ones are over; None if there are too few.

    The later part holds the last HELD_OUT of the days from the first send to the last.
    """
    first, last = rows["sent_at"].min(), rows["sent_at"].max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        return None
    cut = last - HELD_OUT * (last - first)
    window = timedelta(days=int(rows["horizon_days"][0]))
    train = rows.filter(pl.col("sent_at") + window <= cut)
    test = rows.filter(pl.col("sent_at") > cut)
    return None if min(train.height, test.height) < MIN_SENDS else (train, test)


def held_out_scores(train: pl.DataFrame, test: pl.DataFrame) -> tuple[pl.DataFrame, FloatArray]:
    """Every later send with every offer of both parts: what to ask the models, and the doubly robust score of the effect.

    The expected outcomes behind the scores were learnt on the earlier sends.
    """
    names = [name for name in trials.levels(train, MIN_SENDS) if name in trials.levels(test, MIN_SENDS)]
    average = trials.average_discount_share(train)
    before, after = trials.matrix_of(train, average), trials.matrix_of(test, average)
    scale = Scale().fit(before)
    asked, scores = [], []
    for name in names:
        learnt = trials.trial(train, name, scale(before), _ordered(train))
        seen = trials.trial(test, name, scale(after), _ordered(test))
        expected = TLearner(Logistic).fit(learnt)
        scores.append(
            robust_scores(
                seen.outcome,
                seen.treated,
                seen.weight,
                if_treated=expected.treated.predict(seen.matrix),
                if_untreated=expected.untreated.predict(seen.matrix),
            )
        )
        asked.append(_priced(trials.compared(test, name), name))
    if not asked:
        return _priced(test.clear(), ""), np.empty(0)
    return pl.concat(asked), np.concatenate(scores)


def _ordered(rows: pl.DataFrame) -> FloatArray:
    return rows["is_ordered"].to_numpy().astype(np.float64)


def _priced(customers: pl.DataFrame, offer: str) -> pl.DataFrame:
    """Customers asked about one offer that costs nothing: effects on orders do not depend on it."""
    return customers.with_columns(offer_key=pl.lit(offer), percent=pl.lit(0.0), fixed_cost=pl.lit(0.0))


def _figures(scores: FloatArray, predicted: FloatArray) -> dict[str, float]:
    """rank_gain; predicted and actual mean effect; mean gap between both over tenths of the prediction."""
    table = effect_table(scores, predicted)
    return {
        CRITERION.name: rank_gain(scores, predicted),
        "mean_predicted": float(predicted.mean()),
        "mean_actual": float(scores.mean()),
        "gap_by_tenth": float((table["predicted"] - table["actual"]).abs().mean()),  # type: ignore[arg-type]
    }
