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
from models.evaluation.drift import Reference
from models.evaluation.importance import permutation_importance, sample_rows
from models.evaluation.plots import effect_plot, gain_plot
from models.evaluation.uplift import effect_table, rank_gain, robust_scores
from models.features import FloatArray
from models.lessons.lesson import (
    N_EXAMPLE_ROWS,
    N_IMPORTANCE_ROWS,
    About,
    Lesson,
    comparison_figure,
    decide_and_fit,
    importance_files,
    made_up,
)
from models.offers import trials
from models.offers.learners import TLearner
from models.offers.regression import Logistic, Scale
from models.offers.response import (
    DiscountShareOffers,
    DRLearnerOffers,
    OfferModel,
    OfferResponse,
    PooledOffers,
    TLearnerOffers,
    XLearnerOffers,
)
from models.order_rates import newest

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


ABOUT = About(
    "What does an offer change? Orders and margin that a mail wins by carrying it, per customer; who is price-sensitive.",
    "judging what offers bring, and whom to offer them to; no plan is decided on it yet.",
    (
        "prices for a person: an offer is a gift on top of the price everybody sees",
        "offers that were never sent by lot: of these nothing is known, and the column basis says so",
    ),
    (
        "Effects are small beside chance: averages are shrunk to zero, and differences between customers to none.",
        "Orders within a week of the mail alone; an order brought forward counts as won.",
    ),
)


def learn_offer_response(sends: pl.DataFrame, features: pl.DataFrame, champion: str | None) -> Lesson:
    """The effect of offers.

    Args:
        sends: `label_offers`; the newest as_of is the training date.
        features: `feat_customer` of those seen by then, at the same date and earlier ones.
        champion: the method in office.
    """
    rows = trials.with_features(sends, features)
    answers = {method: Answer(np.empty(0), {}) for method in METHODS}
    outcome: FloatArray = np.empty(0)
    judged: dict[str, OfferModel] = {}
    groups = None
    parts = split_sends(rows)
    if parts is not None:
        train, test = parts
        asked, outcome = held_out_scores(train, test)
        if len(outcome):
            groups = asked["customer_id"].rank("dense").cast(pl.Int64).to_numpy()
            for method, make in METHODS.items():
                judged[method] = make().fit(train)
                predicted = judged[method].predict(asked)["uplift_order"].to_numpy()
                answers[method] = Answer(predicted, _figures(outcome, predicted))
    verdict, fitted = decide_and_fit(
        answers, outcome, CRITERION, champion, lambda method: METHODS[method]().fit(rows), groups
    )
    figures: dict[str, Figure] = {}
    tables = {"training_data.csv": _training_data(rows, parts)}
    if len(outcome):
        predicted_by = {method: answer.predicted for method, answer in answers.items()}
        figures |= comparison_figure(verdict, answers, "orders per send won by offering to the best first")
        figures["calibration.png"] = effect_plot(predicted_by, outcome, "Orders won per send, later sends")
        figures["gain.png"] = gain_plot(predicted_by, outcome, "Orders won by offering to the best first")
        tables["calibration.csv"] = effect_table(outcome, predicted_by[verdict.winner])
        drawn, counted = importance_files(
            _importance(judged[verdict.winner], asked, outcome), verdict.winner, CRITERION
        )
        figures, tables = {**figures, **drawn}, {**tables, **counted}
    now = newest(features)
    before = newest(features.filter(pl.col("as_of") < pl.col("as_of").max()))
    example = _priced(made_up(now.sort("customer_id"), N_EXAMPLE_ROWS), "percent_10")
    winner = fitted[verdict.winner]
    references = {
        "features": Reference.of(now.select(trials.FEATURES), before.select(trials.FEATURES)),
        "scores": Reference.of(
            *(sensitivity_of(winner.predict(_priced(part, trials.NO_OFFER))) for part in (now, before))
        ),
    }
    columns = ("customer_id", *trials.FEATURES, "offer_key", "percent", "fixed_cost")
    return Lesson(verdict, answers, fitted, example.select(columns), figures, tables, ABOUT, references)


def sensitivity_of(scores: pl.DataFrame) -> pl.DataFrame:
    """sensitivity_rank, once per customer: what drift is looked for in. It ranks customers by the effects of all offers;
    the effects themselves change whenever the shop's list of offers does.
    """
    return scores.unique("customer_id", keep="first", maintain_order=True).select("sensitivity_rank")


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


def _importance(model: OfferModel, asked: pl.DataFrame, scores: FloatArray) -> pl.DataFrame:
    """Permutation importance of what is known of a customer, on a sample of the later sends."""
    sample = sample_rows(asked.with_columns(score=scores), N_IMPORTANCE_ROWS)
    effect = sample["score"].to_numpy()

    def judge(copies: pl.DataFrame, n_copies: int) -> FloatArray:
        predicted = model.predict(copies)["uplift_order"].to_numpy().reshape(n_copies, -1)
        return np.array([CRITERION.metric(effect, row) for row in predicted])

    return permutation_importance(sample, trials.FEATURES, judge, CRITERION)


def _training_data(rows: pl.DataFrame, parts: tuple[pl.DataFrame, pl.DataFrame] | None) -> pl.DataFrame:
    """role, offer_key, sends, customers, ordered (share), first_sent, last_sent: the sends before the holdout and in it."""
    is_held = pl.lit(False) if parts is None else pl.col("sent_at") >= pl.lit(parts[1]["sent_at"].min())
    role = pl.when(is_held).then(pl.lit("holdout, then learnt from")).otherwise(pl.lit("learnt from"))
    return (
        rows.group_by("offer_key", role=role)
        .agg(
            sends=pl.len(),
            customers=pl.col("customer_id").n_unique(),
            ordered=pl.col("is_ordered").mean(),
            first_sent=pl.col("sent_at").min().dt.date(),
            last_sent=pl.col("sent_at").max().dt.date(),
        )
        .select("role", pl.exclude("role"))
        .sort(["role", "offer_key"], descending=[True, False])
    )


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
