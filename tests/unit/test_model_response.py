"""Rates of answers to messages: known answers, and what shrinkage must always do."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.model import MissingFeatureError, NotFittedError
from models.response import HISTORY, ResponseModel
from models.shrinkage import prior_strength, shrink

RATES = ["p_open", "p_click", "p_purchase", "unsubscribe_risk"]


def make_history(*rows: tuple[str, str, int, int], **counts: int) -> pl.DataFrame:
    """feat_message_history from (customer, message, sent, opens); other counts the same for every row."""
    return pl.DataFrame(
        {
            "customer_id": [row[0] for row in rows],
            "message_key": [row[1] for row in rows],
            "n_sent": [row[2] for row in rows],
            "n_human_opens": [row[3] for row in rows],
        },
        schema={
            "customer_id": pl.String,
            "message_key": pl.String,
            "n_sent": pl.Int32,
            "n_human_opens": pl.Int32,
        },
    ).with_columns(pl.lit(counts.get(count, 0), pl.Int32).alias(count) for count in HISTORY[4:])


def asked(*rows: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(
        {"customer_id": [row[0] for row in rows], "message_key": [row[1] for row in rows]},
        schema={"customer_id": pl.String, "message_key": pl.String},
    )


def crowd(
    n: int = 400, sent: int = 20, rate: float = 0.25, message: str = "weekly"
) -> list[tuple[str, str, int, int]]:
    """Customers who all open the same share of what they get."""
    return [(f"x{number}", message, sent, round(sent * rate)) for number in range(n)]


def test_a_stranger_has_the_rate_of_the_message() -> None:
    model = ResponseModel().fit(make_history(*crowd(rate=0.25), *crowd(rate=0.5, message="welcome")))
    result = model.predict(asked(("stranger", "weekly"), ("stranger", "welcome"), ("stranger", "brand_new")))
    assert result["p_open"].to_list() == pytest.approx([0.25, 0.5, 0.375], abs=0.01)
    assert result["basis"].to_list() == [
        "all customers' answers to this message",
        "all customers' answers to this message",
        "all customers' answers to all messages",
    ]


def test_a_known_customer_stands_between_his_own_rate_and_the_crowds() -> None:
    model = ResponseModel().fit(make_history(*crowd(), ("keen", "weekly", 20, 18), ("cold", "weekly", 20, 0)))
    keen, cold = model.predict(asked(("keen", "weekly"), ("cold", "weekly")))["p_open"]
    assert 0.25 < keen < 0.9
    assert 0.0 < cold < 0.25


def test_what_a_customer_does_with_one_message_says_something_of_another() -> None:
    spread = [(f"y{n}", "weekly", 20, 16 if n % 4 == 0 else 2) for n in range(400)]
    model = ResponseModel().fit(make_history(*spread, *crowd(message="cart")))
    result = model.predict(asked(("y0", "cart"), ("y1", "cart"), ("y0", "never_sent")))
    keen, cold, unseen = result["p_open"]
    assert keen > 0.4
    assert cold < 0.2
    assert unseen > 0.4
    assert result["basis"].to_list()[::2] == [
        "own answers to other messages",
        "own answers to other messages; message never sent",
    ]


def test_a_shop_that_never_sent_has_no_rates_and_says_so() -> None:
    for history in (make_history(), make_history(("ann", "weekly", 0, 0))):
        result = ResponseModel().fit(history).predict(asked(("ann", "weekly")))
        assert result.select(RATES).row(0) == (None,) * 4
        assert result["basis"].to_list() == ["no e-mail history"]
        assert result.select(RATES).dtypes == [pl.Float64] * 4


def test_leaving_is_unsubscribing_or_complaining_and_counts_once_per_send() -> None:
    one = ResponseModel().fit(make_history(("a", "m", 50, 9), n_unsubscribes=1))
    both = ResponseModel().fit(make_history(("a", "m", 50, 9), n_unsubscribes=1, n_complaints=1))
    many = ResponseModel().fit(make_history(("a", "m", 2, 1), n_unsubscribes=9, n_complaints=9))
    question = asked(("a", "m"))
    risks = [model.predict(question)["unsubscribe_risk"].item() for model in (one, both, many)]
    assert 0 < risks[0] < risks[1] < 1
    assert 0 < risks[2] < 1


def test_a_few_sends_of_a_new_shop_do_not_make_a_rate() -> None:
    result = (
        ResponseModel()
        .fit(make_history(("a", "m", 3, 3), n_clicks=3, n_click_orders=3))
        .predict(asked(("b", "m")))
    )
    assert 0.2 < result["p_open"].item() < 0.3
    assert result["p_purchase"].item() < 0.06


def test_orders_that_nobody_clicked_for_are_not_the_mails() -> None:
    opened = make_history(*crowd(message="thanks"), *crowd(message="weekly"))
    of_weekly = pl.col("message_key") == "weekly"
    clicked = opened.with_columns(
        n_clicks=pl.when(of_weekly).then(2).otherwise(0),
        n_click_orders=pl.when(of_weekly).then(1).otherwise(5),
    )
    result = ResponseModel().fit(clicked).predict(asked(("x1", "weekly"), ("x1", "thanks")))
    assert result["p_open"].to_list() == pytest.approx([0.25, 0.25], abs=0.01)
    assert result["p_click"].to_list() == pytest.approx([0.1, 0.0], abs=0.01)
    assert result["p_purchase"].to_list() == pytest.approx([0.05, 0.0], abs=0.01)


def test_who_opens_more_is_expected_to_click_more() -> None:
    spread = [(f"y{n}", "weekly", 20, 16 if n % 4 == 0 else 2) for n in range(400)]
    clicks = make_history(*spread).with_columns(n_clicks=pl.col("n_human_opens") // 8)
    result = ResponseModel().fit(clicks).predict(asked(("y0", "weekly"), ("y1", "weekly"), ("y0", "new")))
    keen, cold, unseen = result["p_click"]
    assert keen > 3 * cold and unseen > 3 * cold
    assert (result["p_click"] < result["p_open"]).all()


def test_the_order_asked_is_kept_and_the_answer_is_the_rows_own() -> None:
    model = ResponseModel().fit(make_history(*crowd(), ("keen", "weekly", 20, 18)))
    question = asked(("x3", "weekly"), ("keen", "weekly"), ("a", "b"), ("keen", "other"))
    result = model.predict(question)
    assert result.select("customer_id", "message_key").equals(question)
    assert model.predict(question.reverse()).equals(result.reverse())
    assert model.predict(question.clear()).schema == result.schema


@pytest.mark.parametrize("column", HISTORY)
def test_a_missing_count_is_named(column: str) -> None:
    with pytest.raises(MissingFeatureError, match=column):
        ResponseModel().fit(make_history(("a", "m", 3, 3)).drop(column))


def test_an_unfitted_model_says_so() -> None:
    with pytest.raises(NotFittedError, match="response"):
        ResponseModel().predict(asked(("a", "m")))


def test_the_prior_of_a_known_beta_population_is_found() -> None:
    generator = np.random.default_rng(3)
    trials = generator.integers(5, 60, 20_000)
    successes = generator.binomial(trials, generator.beta(0.2 * 12, 0.8 * 12, 20_000))
    assert prior_strength(successes, trials, low=1, high=1000) == pytest.approx(12, rel=0.05)


@pytest.mark.parametrize(
    ("successes", "trials"), [([], []), ([1], [3]), ([0, 0], [5, 5]), ([5, 5], [5, 5]), ([1, 1], [4, 4])]
)
def test_members_that_do_not_differ_are_shrunk_all_the_way(successes: list[int], trials: list[int]) -> None:
    assert prior_strength(successes, trials, low=2, high=500) == 500


def test_members_that_differ_entirely_keep_their_own_rates() -> None:
    assert prior_strength([0, 20, 0, 20], [20] * 4, low=2, high=500) == 2


counts = st.integers(0, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts, st.floats(0.01, 0.99), st.floats(1, 500))
def test_a_shrunk_rate_lies_between_own_rate_and_prior(
    count: tuple[int, int], mean: float, strength: float
) -> None:
    successes, trials = count
    rate = float(shrink(successes, trials, mean, strength))
    own = successes / trials if trials else mean
    assert min(own, mean) - 1e-6 <= rate <= max(own, mean) + 1e-6
    assert 0 < rate < 1


@given(
    counts.filter(lambda count: count[1] > 0), st.floats(0.01, 0.99), st.floats(1, 500), st.integers(2, 10)
)
def test_more_of_the_same_evidence_moves_closer_to_it(
    count: tuple[int, int], mean: float, strength: float, times: int
) -> None:
    successes, trials = count
    own = successes / trials
    less = float(shrink(successes, trials, mean, strength))
    more = float(shrink(successes * times, trials * times, mean, strength))
    assert abs(more - own) <= abs(less - own) + 1e-9


@given(st.lists(counts, min_size=1, max_size=12), st.data())
def test_every_rate_is_a_probability_between_the_customers_own_and_the_messages(
    answers: list[tuple[int, int]], data: Any
) -> None:
    rows = [(f"c{n}", "weekly", sent, opens) for n, (opens, sent) in enumerate(answers)]
    model = ResponseModel().fit(make_history(*rows))
    result = model.predict(asked(*((f"c{n}", "weekly") for n in range(len(rows))), ("stranger", "weekly")))
    if not sum(sent for _, sent in answers):
        assert result["p_open"].null_count() == result.height
        return
    values = result.select(RATES).to_numpy()
    assert ((values > 0) & (values < 1)).all()
    message = result["p_open"][-1]
    chosen = data.draw(st.integers(0, len(rows) - 1))
    opens, sent = answers[chosen]
    own = opens / sent if sent else message
    assert min(own, message) - 1e-6 <= result["p_open"][chosen] <= max(own, message) + 1e-6


def test_a_message_never_sent_is_expected_to_do_what_the_marketer_expects() -> None:
    history = make_history(*crowd(), n_clicks=1).with_columns(
        n_click_orders=(pl.int_range(pl.len()) % 10 == 0).cast(pl.Int32)
    )
    lifts = pl.DataFrame({"message_key": ["cart", "plain"], "expected_lift": [4.0, 1.0]})
    model = ResponseModel().fit(history, lifts)
    cart, plain, unlisted = model.predict(asked(("b", "cart"), ("b", "plain"), ("b", "other")))["p_purchase"]
    assert plain == unlisted
    assert cart == pytest.approx(4 * plain, rel=0.01)
    answered = ResponseModel().fit(
        pl.concat([history, make_history(*crowd(n=2000, message="cart"), n_clicks=1)]), lifts
    )
    assert answered.predict(asked(("b", "cart")))["p_purchase"].item() < 0.1 * plain


def test_who_buys_at_every_visit_is_expected_to_buy_after_a_click() -> None:
    visits = pl.DataFrame(
        {
            "customer_id": ["buyer", "looker", "absent", *(f"x{n}" for n in range(400))],
            "n_sessions_90d": [30, 30, None, *([20] * 400)],
            "n_orders_90d": [15, 0, None, *(2 * (n % 2) for n in range(400))],
        }
    )
    model = ResponseModel().fit(make_history(*crowd(), n_clicks=2, n_click_orders=1), customers=visits)
    result = model.predict(
        asked(("buyer", "weekly"), ("looker", "weekly"), ("absent", "weekly"), ("z", "weekly"))
    )
    buyer, looker, absent, unknown = result["p_purchase"]
    assert looker < absent < buyer
    assert absent == pytest.approx(unknown, rel=0.05)
    assert result["p_click"].n_unique() == 1


def test_the_lift_of_what_was_sent_is_no_lift_of_what_was_not() -> None:
    sent = [(f"x{n}", "weekly", 2, 2) for n in range(2000)] + [(f"x{n}", "cart", 2, 2) for n in range(2000)]
    is_cart = pl.col("message_key") == "cart"
    nth = pl.int_range(pl.len()).over("message_key")
    history = make_history(*sent).with_columns(
        n_clicks=(nth % pl.when(is_cart).then(4).otherwise(16) == 0).cast(pl.Int32),
        n_click_orders=(nth % pl.when(is_cart).then(8).otherwise(64) == 0).cast(pl.Int32),
    )
    lifts = pl.DataFrame(
        {"message_key": ["weekly", "cart", "plain", "browse"], "expected_lift": [1.0, 8.0, 1.0, 4.0]}
    )
    model = ResponseModel().fit(history, lifts)
    weekly, cart, plain, browse = model.predict(asked(*(("z", key) for key in lifts["message_key"])))[
        "p_purchase"
    ]
    assert plain == pytest.approx(weekly, rel=0.3)
    assert plain < browse < cart
    assert cart == pytest.approx(8 * weekly, rel=0.2)


def test_orders_expected_of_who_clicked_add_up_to_those_there_were() -> None:
    rng = np.random.default_rng(8)
    n = 4_000
    is_buyer = np.arange(n) % 4 == 0
    rate = np.where(is_buyer, 0.30, 0.02)
    sessions = rng.poisson(20, n)
    clicks = rng.binomial(10, np.where(is_buyer, 0.24, 0.02))
    ids = [f"x{i}" for i in range(n)]
    history = pl.DataFrame(
        {
            "customer_id": ids,
            "message_key": "weekly",
            "n_sent": 10,
            "n_human_opens": 10,
            "n_clicks": clicks,
            "n_click_orders": rng.binomial(clicks, rate),
            "n_unsubscribes": 0,
            "n_complaints": 0,
        }
    )
    visits = pl.DataFrame(
        {"customer_id": ids, "n_sessions_90d": sessions, "n_orders_90d": rng.binomial(sessions, rate)}
    )
    model = ResponseModel().fit(history, customers=visits)
    found = model.predict(asked(*((one, "weekly") for one in ids)))
    per_click = (found["p_purchase"] / found["p_click"]).to_numpy()
    assert np.average(per_click, weights=clicks) == pytest.approx(
        history["n_click_orders"].sum() / clicks.sum(), rel=0.08
    )
    assert per_click[is_buyer].mean() == pytest.approx(0.30, rel=0.15)
    assert per_click[~is_buyer].mean() < 0.06
