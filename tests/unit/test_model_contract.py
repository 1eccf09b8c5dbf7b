"""One contract for every model: whoever predicts must keep it.

To add a model, append a `Case` to `CASES`: how to make it, what to fit it on, what to ask it.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

import content_tables
import numpy as np
import polars as pl
import pytest
from customer_frames import World
from polars.testing import assert_frame_equal
from repurchase_tables import repurchases
from shelf_tables import Shelves, products
from test_model_recommend import EARLIER, RECOMMENDERS, missing_purchases, two_tastes

from models import churn, contents, lookalikes, propensity, replenishment, send_time, value
from models.lessons import contents as read_next
from models.lessons import hours, offers
from models.lessons import products as recommended
from models.lessons.propensity import propensity_frame
from models.model import Explains, MissingFeatureError, NotFittedError, require
from models.recommend.served import ServedRecommender
from models.response import ResponseModel
from models.segments import CustomerSegments
from models.shelves import shelf_frame

AS_OF = date(2025, 9, 1)


@dataclass(frozen=True)
class Case:
    """A model and its frames.

    Attributes:
        key: one prediction's identity.
        category: a column that may bring new levels, None where it reads no category.
        unknowable: answers that may be null.
        question: where another question has a method of the same name.
        taught: columns that training needs, where they are not the features.
        answers: (asked) -> the keys of the answers, in their order; by default one answer per row.
        is_alone: an answer rests on its own row alone, not on what all others did.
        learns: `predict` needs `fit`.
    """

    name: str
    make: Callable[[], Any]
    training: Callable[[], pl.DataFrame]
    asked: Callable[[], pl.DataFrame]
    key: tuple[str, ...]
    category: str | None
    unknowable: tuple[str, ...] = ()
    question: str = ""
    taught: tuple[str, ...] = ()
    answers: Callable[[pl.DataFrame], pl.DataFrame] | None = None
    is_alone: bool = True
    learns: bool = True

    @property
    def label(self) -> str:
        """Unique among all models."""
        return f"{self.question}_{self.name}" if self.question else self.name

    def expected(self, asked: pl.DataFrame) -> pl.DataFrame:
        """The keys of the answers to these rows."""
        return self.answers(asked) if self.answers else asked.select(self.key)


@cache
def _customers() -> pl.DataFrame:
    return World(250, seed=3).training(AS_OF, n_snapshots=6)


@cache
def _customers_now() -> pl.DataFrame:
    return World(250, seed=3).features(AS_OF)


@cache
def _message_history() -> pl.DataFrame:
    """Two messages to every customer; how many were opened and clicked follows from his number."""
    number = pl.int_range(pl.len())
    return (
        _customers_now()
        .select("customer_id")
        .join(pl.DataFrame({"message_key": ["weekly", "welcome"]}), how="cross")
        .with_columns(
            n_sent=10 + number % 7,
            n_human_opens=number % 5,
            n_clicks=number % 2,
            n_orders=(number % 11 == 0).cast(pl.Int64),
            n_click_orders=(number % 22 == 11).cast(pl.Int64),
            n_unsubscribes=(number % 37 == 0).cast(pl.Int64),
            n_complaints=pl.lit(0),
        )
    )


@cache
def _shelves() -> pl.DataFrame:
    return propensity_frame(*Shelves(250).tables([AS_OF - timedelta(days=30 * n) for n in (4, 3, 2, 1, 0)]))


@cache
def _shelves_now() -> pl.DataFrame:
    shop = Shelves(250)
    return shelf_frame(shop.customers(AS_OF), shop.interactions(AS_OF), products(AS_OF))


@cache
def _repurchases() -> pl.DataFrame:
    return repurchases(AS_OF)


@cache
def _likeness() -> pl.DataFrame:
    customers = _customers_now()
    drawn = customers.select(
        "customer_id",
        kind=pl.lit("category"),
        value=pl.when(pl.int_range(pl.len()) % 3 == 0).then(pl.lit("Home")).otherwise(pl.lit("Toys")),
        share=pl.lit(1.0),
    )
    return lookalikes.lookalike_frame(customers, drawn, customers["customer_id"].gather_every(3))


@cache
def _randomised_sends() -> pl.DataFrame:
    """Eight sends to every customer, every other one without an offer; offers are ordered from more often."""
    number = pl.int_range(pl.len())
    return (
        _customers_now()
        .join(pl.DataFrame({"week": range(8)}), how="cross")
        .with_columns(
            message_key=pl.lit("weekly"),
            offer_key=pl.when(number % 2 == 0)
            .then(pl.lit("none"))
            .when(number % 4 == 1)
            .then(pl.lit("percent_10"))
            .otherwise(pl.lit("percent_20")),
            propensity=pl.when(number % 2 == 0).then(0.5).otherwise(0.25),
        )
        .with_columns(
            is_ordered=(number % 7 == 0) | ((pl.col("offer_key") != "none") & (number % 5 == 1)),
            is_redeemed=(pl.col("offer_key") != "none") & (number % 5 == 1),
            revenue_total=pl.col("margin_total") * 2.5,
        )
    )


@cache
def _offers_asked() -> pl.DataFrame:
    offer_keys = pl.DataFrame({"offer_key": ["none", "percent_10", "percent_20", "never_sent"]})
    return (
        _customers_now()
        .join(offer_keys, how="cross")
        .with_columns(revenue_total=pl.col("margin_total") * 2.5, percent=10.0, fixed_cost=0.0)
    )


@cache
def _sends() -> pl.DataFrame:
    """label_sends: ten mails to each of 40 customers, over the hours of the week; a customer has his hour of opening."""
    number = np.arange(400)
    customer, hour = number % 40, number * 37 % 168
    return pl.DataFrame(
        {
            "customer_id": [f"c{i:05d}" for i in customer],
            "hour_of_week": hour,
            "is_human_open_24h": (hour % 24 == customer % 24) | (number % 7 == 0),
            "sent_at": [datetime(2025, 8, 1) + timedelta(hours=int(i)) for i in number],
        }
    )


@cache
def _hours_asked() -> pl.DataFrame:
    """The send-hour profile of those who were sent to, and of five who were not."""
    everyone = pl.DataFrame({"customer_id": [f"c{i:05d}" for i in range(45)]})
    return send_time.send_hour_profile(everyone, send_time.hours_from_sends(_sends()))


@dataclass
class Recommends:
    """A recommender as the registry keeps it: fitted on `label_purchases` after an earlier date, served at a newer one."""

    recommender: Any
    served: Any = None

    def __post_init__(self) -> None:
        self.served = self._serving(self.recommender)
        self.name, self.features, self.params = self.served.name, self.served.features, self.served.params

    def fit(self, frame: pl.DataFrame) -> Recommends:
        require(frame, ("customer_id", "product_id", "as_of"), self.name)
        self.served = self._serving(self.recommender.fit([two_tastes(EARLIER)], frame))
        return self

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        assert self.served is not None
        return self.served.predict(frame)

    @staticmethod
    def _serving(recommender: Any) -> ServedRecommender:
        return ServedRecommender(recommender, two_tastes().products, two_tastes().pairs)


class RecommendsContents(Recommends):
    """The same of contents: fitted on `label_contents`."""

    def fit(self, frame: pl.DataFrame) -> RecommendsContents:
        require(frame, ("customer_id", "content_id", "as_of"), self.name)
        earlier = content_tables.two_tastes(content_tables.EARLIER)
        self.served = self._serving(self.recommender.fit([earlier], frame))
        return self

    @staticmethod
    def _serving(recommender: Any) -> contents.ServedContents:
        return contents.ServedContents(recommender, content_tables.two_tastes().contents)


def _five(asked: pl.DataFrame) -> pl.DataFrame:
    """Five ranks for every customer who is asked about."""
    return _lists(asked).filter(pl.col("rank") <= 5)


def _lists(asked: pl.DataFrame) -> pl.DataFrame:
    """Ten ranks for every customer who is asked about."""
    ranks = pl.DataFrame({"rank": range(1, 11)}, schema={"rank": pl.Int32})
    return asked.select("customer_id").unique().sort("customer_id").join(ranks, how="cross")


CUSTOMER_MODELS = (
    *value.BASELINES.values(),
    value.ValueModel,
    *churn.BASELINES.values(),
    churn.ChurnModel,
)
CASES = [
    Case(
        model.name,
        model,
        _customers,
        _customers_now,
        ("customer_id", "as_of"),
        "lifecycle_stage",
        unknowable=("expected_next_order_days", "reactivation_chance"),
    )
    for model in CUSTOMER_MODELS
]
CASES.append(
    Case(
        "response",
        ResponseModel,
        _message_history,
        _message_history,
        ("customer_id", "message_key"),
        "message_key",
    )
)

CASES += [
    Case(
        model.name,
        model,
        _shelves,
        _shelves_now,
        ("customer_id", "as_of", "level", "category", "shelf"),
        "shelf",
    )
    for model in (*propensity.BASELINES.values(), propensity.CategoryPropensity)
]

CASES.append(
    Case("k_means", CustomerSegments, _customers, _customers_now, ("customer_id", "as_of"), "country")
)

CASES += [
    Case(model.name, model, _repurchases, _repurchases, ("customer_id", "product_id", "as_of"), "product_id")
    for model in replenishment.METHODS.values()
]
CASES += [
    Case(model.name, model, _likeness, _likeness, ("customer_id", "as_of"), "country")
    for model in (lookalikes.NearestCentroid, lookalikes.MembershipModel)
]
CASES += [
    Case(name, make, _randomised_sends, _offers_asked, ("customer_id", "offer_key"), "offer_key")
    for name, make in offers.METHODS.items()
]
CASES += [
    Case(
        name, make, _sends, _hours_asked, ("customer_id",), None, question="send_time", taught=send_time.SENDS
    )
    for name, make in hours.METHODS.items()
]
CASES += [
    Case(
        recommender.name,
        lambda recommender=recommender: Recommends(replace(recommender)),
        lambda: missing_purchases(EARLIER),
        lambda: two_tastes().interactions,
        ("customer_id", "rank"),
        "product_id",
        question="recommendations",
        taught=("customer_id", "product_id", "as_of"),
        answers=_lists,
        is_alone=False,
        learns=recommender.name == "ranker",
    )
    for recommender in RECOMMENDERS
]

CASES += [
    Case(
        name,
        lambda make=make: RecommendsContents(make()),
        content_tables.next_reads,
        lambda: content_tables.two_tastes().reads,
        ("customer_id", "rank"),
        "content_id",
        question="content_recommendations",
        taught=("customer_id", "content_id", "as_of"),
        answers=_five,
        is_alone=False,
        learns=name == "content_ranker",
    )
    for name, make in read_next.METHODS.items()
]

every_model = pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)


@cache
def _fitted(case: Case) -> Any:
    return case.make().fit(case.training())


def registered(case: Case) -> Any:
    """The fitted model as the registry keeps it."""
    model = _fitted(case)
    return model.served if isinstance(model, Recommends) else model


def _finite(answers: pl.DataFrame) -> bool:
    """Is every number known of the answers finite, those in lists too?"""
    numbers = [
        column.explode() if column.dtype == pl.List(pl.Float32) else column
        for column in answers
        if column.dtype in (pl.Float32, pl.Float64, pl.List(pl.Float32))
    ]
    return all(column.drop_nulls().is_finite().all() for column in numbers)


def test_names_are_unique() -> None:
    names = [case.label for case in CASES]
    assert len(set(names)) == len(names)


def test_every_recommender_of_the_contest_is_here() -> None:
    assert {case.name for case in CASES if case.question == "recommendations"} == set(recommended.METHODS)


@every_model
def test_it_has_a_name_features_and_frozen_params(case: Case) -> None:
    model = case.make()
    assert model.name == case.name
    assert model.features
    assert is_dataclass(model.params)
    if fields(model.params):
        with pytest.raises(AttributeError):
            setattr(model.params, fields(model.params)[0].name, 1)


@every_model
def test_fit_returns_the_model_itself(case: Case) -> None:
    model = case.make()
    assert model.fit(case.training()) is model


@every_model
def test_every_row_gets_finite_numbers_in_the_order_asked(case: Case) -> None:
    asked = case.asked().sample(fraction=1.0, shuffle=True, seed=5)
    result = _fitted(case).predict(asked)
    assert_frame_equal(result.select(case.key), case.expected(asked))
    assert result.drop(case.unknowable, strict=False).null_count().sum_horizontal().item() == 0
    assert _finite(result)


@every_model
def test_a_rows_answer_does_not_depend_on_the_other_rows(case: Case) -> None:
    if not case.is_alone:
        pytest.skip("it answers from what everybody did")
    asked = case.asked()
    assert_frame_equal(_fitted(case).predict(asked).tail(7), _fitted(case).predict(asked.tail(7)))


@every_model
def test_an_empty_frame_gives_an_empty_result_of_the_same_columns(case: Case) -> None:
    asked = case.asked()
    empty = _fitted(case).predict(asked.clear())
    assert empty.is_empty()
    assert empty.schema == _fitted(case).predict(asked).schema


@every_model
def test_one_row_is_answered(case: Case) -> None:
    one = case.asked().head(1)
    assert_frame_equal(_fitted(case).predict(one).select(case.key), case.expected(one))


@every_model
def test_customers_it_has_never_met_are_answered(case: Case) -> None:
    strangers = case.asked().with_columns(pl.format("stranger-{}", "customer_id").alias("customer_id"))
    result = _fitted(case).predict(strangers)
    assert_frame_equal(result.select(case.key), case.expected(strangers))
    assert result.drop(case.unknowable, strict=False).null_count().sum_horizontal().item() == 0


@every_model
def test_it_can_be_fitted_on_nothing_and_answers_on_its_priors(case: Case) -> None:
    result = case.make().fit(case.training().clear()).predict(case.asked())
    assert_frame_equal(result.select(case.key), case.expected(case.asked()))
    assert _finite(result)


@every_model
def test_a_constant_feature_is_no_obstacle(case: Case) -> None:
    training, asked = case.training(), case.asked()
    features = case.make().features

    def constant(frame: pl.DataFrame) -> pl.DataFrame:
        """The last three counts the same for everybody: 1, or those of the first row where they are counted by hour."""
        types = {f: frame.schema[f] for f in features if f in frame.columns}
        counts = [f for f, kind in types.items() if kind.is_numeric() or kind.is_nested()][-3:]
        return frame.with_columns(
            pl.col(f).first() if types[f].is_nested() else pl.lit(1).cast(types[f]).alias(f) for f in counts
        )

    result = case.make().fit(constant(training)).predict(constant(asked))
    assert_frame_equal(result.select(case.key), case.expected(asked))
    assert _finite(result)


@every_model
def test_an_explanation_has_a_row_per_row_and_a_number_per_input(case: Case) -> None:
    model = _fitted(case)
    if not isinstance(model, Explains):
        pytest.skip("a rule explains itself")
    explanation = model.explain(case.asked())
    if explanation is None:
        pytest.skip("too few labels for trees")
    shape = (case.asked().height, len(explanation.inputs))
    assert explanation.values.shape == explanation.contributions.shape == shape
    assert np.isfinite(explanation.contributions).all()


@every_model
def test_each_missing_feature_is_named_with_the_model(case: Case) -> None:
    for feature in case.make().features:
        with pytest.raises(MissingFeatureError) as raised:
            _fitted(case).predict(case.asked().drop(feature))
        assert case.name in str(raised.value)
        assert feature in str(raised.value)


@every_model
def test_a_missing_feature_is_noticed_in_training_too(case: Case) -> None:
    feature = (case.taught or case.make().features)[0]
    with pytest.raises(MissingFeatureError, match=feature):
        case.make().fit(case.training().drop(feature))


@every_model
def test_predict_before_fit_says_so(case: Case) -> None:
    if not case.learns:
        pytest.skip("it looks its answers up")
    with pytest.raises(NotFittedError, match=case.name):
        case.make().predict(case.asked())


@every_model
def test_columns_it_does_not_need_change_nothing(case: Case) -> None:
    protected = case.asked().with_columns(gender=pl.lit("f"), birth_date=pl.lit(date(1990, 1, 1)))
    assert_frame_equal(_fitted(case).predict(protected), _fitted(case).predict(case.asked()))


@every_model
def test_the_same_training_gives_the_same_numbers(case: Case) -> None:
    again = case.make().fit(case.training()).predict(case.asked())
    assert_frame_equal(again, _fitted(case).predict(case.asked()), check_exact=True)


@every_model
def test_it_survives_pickling_whole(case: Case) -> None:
    copy = pickle.loads(pickle.dumps(_fitted(case)))
    assert_frame_equal(copy.predict(case.asked()), _fitted(case).predict(case.asked()), check_exact=True)


@every_model
def test_unknown_and_missing_categories_are_answered(case: Case) -> None:
    if case.category is None:
        pytest.skip("it reads no category")
    for level in ("never seen before", None):
        asked = case.asked().with_columns(pl.lit(level, dtype=pl.String).alias(case.category))
        assert _fitted(case).predict(asked).height == case.expected(asked).height


@every_model
def test_it_is_silent(case: Case, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        case.make().fit(case.training()).predict(case.asked())
    assert capfd.readouterr() == ("", "")


@every_model
def test_neither_frame_is_changed(case: Case) -> None:
    training, asked = case.training().clone(), case.asked().clone()
    case.make().fit(training).predict(asked)
    assert_frame_equal(training, case.training())
    assert_frame_equal(asked, case.asked())
