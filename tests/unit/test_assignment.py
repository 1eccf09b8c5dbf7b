"""One option per customer or none, never over a limit, near the best there is."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from limited_options import KEYS, best_value, random_options, random_problem

from models.policy.assignment import assign
from models.policy.limits import Limit, Problem, read_options

SEEDS = st.integers(0, 10_000)
TIGHTNESS = st.sampled_from([0.05, 0.2, 0.4, 0.8, 1.5])


def offers(rows: list[tuple[str, str, float, float]], limits: list[Limit]) -> Problem:
    """Options as customer, offer, value and cost."""
    frame = pl.DataFrame(rows, schema=["customer_id", "offer_key", "value", "cost"], orient="row")
    return read_options(frame, limits, ["offer_key"])


def used(chosen: pl.DataFrame, limit: Limit) -> Decimal:
    """What the chosen options use of a limit, in decimals."""
    rows = chosen if limit.of is None else chosen.filter(pl.col(limit.of[0]) == limit.of[1])
    amounts = [1] * rows.height if limit.amount is None else rows.get_column(limit.amount).to_list()
    return sum((Decimal(str(amount)) for amount in amounts), Decimal())


@settings(max_examples=60)
@given(
    seed=SEEDS,
    n=st.integers(1, 60),
    tightness=TIGHTNESS,
    share=st.sampled_from([0.0, 0.7, 1.0]),
    ties=st.booleans(),
)
def test_no_limit_is_ever_broken(seed: int, n: int, tightness: float, share: float, ties: bool) -> None:
    problem = random_problem(n, seed, tightness=tightness, whole_values=ties)
    plan = assign(problem, share=share)
    for limit, row in zip(problem.limits, plan.resources.to_dicts(), strict=True):
        assert used(plan.chosen, limit) <= Decimal(str(limit.most))
        assert row["use"] <= limit.most * share + 1e-9
        assert row["use"] == pytest.approx(float(used(plan.chosen, limit)), abs=1e-6)
        assert row["price"] >= 0
    assert plan.chosen.get_column("customer_id").is_unique().all()
    assert (plan.chosen.get_column("value") >= 0).all()
    assert (
        plan.chosen.select("customer_id", *KEYS)
        .join(problem.options, on=["customer_id", *KEYS], how="anti")
        .is_empty()
    )
    assert plan.value == pytest.approx(plan.chosen.get_column("value").sum())


@settings(max_examples=40)
@given(seed=SEEDS, n=st.integers(1, 25), tightness=TIGHTNESS, ties=st.booleans())
def test_the_best_lies_between_value_and_bound(seed: int, n: int, tightness: float, ties: bool) -> None:
    problem = random_problem(n, seed, tightness=tightness, whole_values=ties)
    plan = assign(problem, tolerance=1e-9)
    best = best_value(problem)
    assert plan.value <= best + 1e-6
    assert plan.bound >= best - 1e-6
    # At most one customer per limit has a share of several options at the lowest bound; without these it is a choice.
    largest = max(float(problem.value.max(initial=0.0)), 0.0)
    assert plan.bound <= best + len(problem.limits) * largest + 1e-6


def test_the_choice_comes_near_the_best() -> None:
    shares = []
    for seed in range(24):
        problem = random_problem(40, seed, tightness=(0.1, 0.3, 0.6)[seed % 3], whole_values=seed % 4 == 0)
        shares.append(assign(problem).value / best_value(problem))
    assert np.mean(shares) > 0.995
    assert min(shares) > 0.95


def test_a_large_shop_has_a_small_gap() -> None:
    plan = assign(random_problem(4_000, 1, tightness=0.3))
    assert 0 <= plan.relative_gap < 1e-3
    assert plan.gap == plan.bound - plan.value
    assert plan.n_choices <= 60


def test_many_customers_are_priced_by_a_sample_first() -> None:
    problem = random_problem(20_000, 2, tightness=0.3, n_messages=2)
    plan = assign(problem)
    assert plan.relative_gap < 2e-4
    assert (plan.resources["use"] <= plan.resources["limit"]).all()


@settings(max_examples=25)
@given(
    seed=SEEDS, n=st.integers(2, 30), tightness=TIGHTNESS, which=st.integers(0, 7), more=st.floats(1.0, 3.0)
)
def test_more_of_a_resource_never_lowers_the_bound(
    seed: int, n: int, tightness: float, which: int, more: float
) -> None:
    options, limits = random_options(n, seed, tightness=tightness)
    larger = [
        replace(limit, most=limit.most * (more if i == which else 1.0)) for i, limit in enumerate(limits)
    ]
    few, many = (assign(read_options(options, given, KEYS), tolerance=1e-9) for given in (limits, larger))
    assert many.bound >= few.bound - 1e-6


@settings(max_examples=25)
@given(seed=SEEDS, n=st.integers(1, 40), tightness=TIGHTNESS, ties=st.booleans())
def test_the_order_of_rows_does_not_matter(seed: int, n: int, tightness: float, ties: bool) -> None:
    options, limits = random_options(n, seed, tightness=tightness, whole_values=ties)
    shuffled = options.sample(fraction=1.0, shuffle=True, seed=seed)
    one, other = (assign(read_options(frame, limits, KEYS)) for frame in (options, shuffled))
    assert one.chosen.equals(other.chosen)
    assert one.resources.equals(other.resources)
    assert (one.value, one.bound) == (other.value, other.bound)


@settings(max_examples=25)
@given(seed=SEEDS, n=st.integers(1, 30))
def test_what_is_not_scarce_costs_nothing(seed: int, n: int) -> None:
    options, limits = random_options(n, seed, tightness=0.3)
    plenty = [replace(limit, most=1e6) if limit.of != ("offer_key", "ten") else limit for limit in limits]
    prices = assign(read_options(options, plenty, KEYS)).resources
    assert (prices.filter(pl.col("limit") == 1e6)["price"] == 0).all()


def test_a_price_is_what_one_more_would_bring() -> None:
    rows = [(f"c{i}", "ten", float(10 - i), 1.0) for i in range(10)]
    plan = assign(offers(rows, [Limit("codes", 3)]), tolerance=1e-9)
    assert plan.chosen["customer_id"].to_list() == ["c0", "c1", "c2"]
    assert plan.value == 27.0
    assert plan.bound == pytest.approx(27.0)
    assert 7.0 - 1e-9 <= plan.prices[0] <= 8.0 + 1e-9
    assert plan.chosen["surplus"].to_list() == pytest.approx(
        (plan.chosen["value"] - plan.prices[0]).to_list()
    )


def test_the_scarce_goes_to_whom_the_next_best_costs_most() -> None:
    rows = [("a", "none", 9.0, 0.0), ("a", "ten", 10.0, 0.0), ("b", "none", 1.0, 0.0), ("b", "ten", 5.0, 0.0)]
    plan = assign(offers(rows, [Limit("codes of ten", 1, of=("offer_key", "ten"))]))
    assert plan.chosen.select("customer_id", "offer_key").rows() == [("a", "none"), ("b", "ten")]
    assert plan.value == 14.0


def test_without_limits_everyone_gets_his_best() -> None:
    options, _ = random_options(30, 4)
    plan = assign(read_options(options, [], KEYS))
    best = options.filter(pl.col("value") >= 0).group_by("customer_id").agg(pl.col("value").max())
    assert plan.value == plan.bound == pytest.approx(best["value"].sum())
    assert plan.relative_gap == 0
    assert plan.resources.is_empty()


def test_of_equals_the_first_by_id_and_key() -> None:
    rows = [(c, o, 1.0, 0.0) for c in ("b", "a", "c") for o in ("y", "x")]
    plan = assign(offers(rows, [Limit("mails", 2)]))
    assert plan.chosen.select("customer_id", "offer_key").rows() == [("a", "x"), ("b", "x")]


def test_nothing_of_negative_value_and_nothing_that_is_closed() -> None:
    rows = [("a", "none", -1.0, 0.0), ("a", "ten", 3.0, 1.0), ("b", "none", 0.0, 0.0), ("b", "ten", 3.0, 2.0)]
    plan = assign(offers(rows, [Limit("cost of ten", 0, "cost", ("offer_key", "ten"))]))
    assert plan.chosen.select("customer_id", "offer_key").rows() == [("b", "none")]
    assert plan.bound == 0
    assert plan.relative_gap == 0


def test_nobody_to_choose_for() -> None:
    options, limits = random_options(3, 1)
    plan = assign(read_options(options.clear(), limits, KEYS))
    assert plan.chosen.is_empty()
    assert plan.value == plan.bound == 0
    assert plan.resources["use"].to_list() == [0.0] * len(limits)


@pytest.mark.parametrize(
    ("cost", "budget", "n"),
    [(0.1, 0.3, 3), (0.07, 0.7, 10), (0.1, 0.29, 2), (0.1, 0.7, 7), (1 / 3, 1.0, 2), (1e-7, 5e-6, 5)],
)
def test_money_is_counted_in_millionths_rounded_up(cost: float, budget: float, n: int) -> None:
    rows = [(f"c{i:02d}", "ten", 1.0, cost) for i in range(20)]
    plan = assign(offers(rows, [Limit("cost", budget, "cost")]))
    assert plan.chosen.height == n
    assert plan.resources["use"][0] <= budget


def test_a_limit_on_part_of_a_mail_counts_whole_mails() -> None:
    rows = [(f"c{i}", "ten", 1.0, 0.0) for i in range(9)]
    assert assign(offers(rows, [Limit("mails", 3.9)])).chosen.height == 3
    assert assign(offers(rows, [Limit("mails", 10)]), share=0.29).chosen.height == 2
    assert assign(offers(rows, [Limit("mails", 10)]), share=0.3).chosen.height == 3


ROWS = [("a", "none", 1.0, 0.0), ("a", "ten", 2.0, 1.0)]


class TestWhatIsRefused:
    @pytest.mark.parametrize("most", [-1, float("nan"), float("inf"), 1e17])
    def test_a_limit_that_is_none(self, most: float) -> None:
        with pytest.raises(ValueError, match="the limit of codes is"):
            Limit("codes", most)

    def test_an_option_that_is_there_twice(self) -> None:
        with pytest.raises(ValueError, match=r"option \('a', 'ten'\) is there twice"):
            offers([*ROWS, ("a", "ten", 5.0, 1.0)], [])

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
    def test_a_value_that_is_no_number(self, value: float) -> None:
        with pytest.raises(ValueError, match="value is no number"):
            offers([("b", "none", value, 0.0)], [])

    @pytest.mark.parametrize("cost", [float("nan"), -1.0])
    def test_an_amount_that_is_no_number(self, cost: float) -> None:
        with pytest.raises(ValueError, match="what is used of money"):
            offers([("b", "ten", 1.0, cost)], [Limit("money", 1, "cost")])

    def test_a_column_that_is_missing_or_has_nulls(self) -> None:
        with pytest.raises(ValueError, match="no column price, which the limit of money names"):
            offers(ROWS, [Limit("money", 1, "price")])
        with pytest.raises(ValueError, match="no column message_key, which"):
            offers(ROWS, [Limit("sends", 1, of=("message_key", "welcome"))])
        with pytest.raises(ValueError, match="column value has nulls"):
            read_options(pl.DataFrame({"customer_id": ["a"], "value": [None]}), [], [])

    def test_a_resource_that_is_named_twice(self) -> None:
        with pytest.raises(ValueError, match="more than one limit of mails"):
            offers(ROWS, [Limit("mails", 1), Limit("mails", 2)])

    def test_a_share_that_is_none(self) -> None:
        with pytest.raises(ValueError, match=r"share is 1\.5"):
            assign(offers(ROWS, []), share=1.5)
