"""Tickets: whatever their holders draw, no limit is broken, and every chance is as logged."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from limited_options import KEYS, random_options, random_problem

from models.policy.assignment import assign
from models.policy.limits import Limit, Problem, read_options
from models.policy.sampling import systematic
from models.policy.tickets import Tickets, hand_out, tickets

SEEDS = st.integers(0, 10_000)
TIGHTNESS = st.sampled_from([0.05, 0.2, 0.4, 0.8, 1.5, 10.0])
RESERVES = st.sampled_from([0.0, 0.1, 0.3, 1.0])


def given_out(problem: Problem, reserve: float) -> Tickets:
    """By lots drawn with NumPy."""
    rng = np.random.default_rng(1)
    lots = rng.random((problem.n_customers, len(problem.limits)))
    return hand_out(
        problem,
        assign(problem, share=1.0 - reserve),
        reserve=reserve,
        lots=lots,
        starts=rng.random(len(problem.limits)),
    )


def worst_use(opened: pl.DataFrame, limit: Limit) -> Decimal:
    """Use of a limit if everyone took, of his open options, the one that uses most of it."""
    rows = opened.filter("is_open")
    rows = rows if limit.of is None else rows.filter(pl.col(limit.of[0]) == limit.of[1])
    amount = pl.lit(1.0) if limit.amount is None else pl.col(limit.amount)
    worst = rows.group_by("customer_id").agg(amount.max().alias("amount")).get_column("amount")
    return sum((Decimal(str(used)) for used in worst), Decimal())


@settings(max_examples=60)
@given(seed=SEEDS, n=st.integers(1, 40), tightness=TIGHTNESS, reserve=RESERVES)
def test_whatever_holders_draw_no_limit_is_broken(
    seed: int, n: int, tightness: float, reserve: float
) -> None:
    problem = random_problem(n, seed, tightness=tightness)
    given = given_out(problem, reserve)
    for limit, row in zip(problem.limits, given.use.to_dicts(), strict=True):
        assert worst_use(given.options, limit) <= Decimal(str(limit.most))
        assert float(worst_use(given.options, limit)) <= row["at_most"] + 1e-9
        assert row["at_most"] <= limit.most
    assert given.options.height == problem.options.height


@settings(max_examples=40)
@given(seed=SEEDS, n=st.integers(1, 40), tightness=TIGHTNESS, reserve=RESERVES)
def test_the_plan_stays_open_for_certain(seed: int, n: int, tightness: float, reserve: float) -> None:
    problem = random_problem(n, seed, tightness=tightness)
    plan = assign(problem, share=1.0 - reserve)
    options = given_out(problem, reserve).options
    planned = options.filter("is_planned")
    assert planned.drop("is_open", "is_planned", "propensity_ticket").equals(plan.chosen.drop("surplus"))
    assert planned["is_open"].all()
    assert (planned["propensity_ticket"] == 1.0).all()
    opened = options.filter("is_open")["propensity_ticket"]
    assert ((opened > 0) & (opened <= 1)).all()
    assert options.filter(~pl.col("is_open"))["propensity_ticket"].is_null().all()


@settings(max_examples=10)
@given(seed=SEEDS, n=st.integers(1, 30), reserve=RESERVES)
def test_the_order_of_rows_does_not_matter(seed: int, n: int, reserve: float) -> None:
    options, limits = random_options(n, seed, tightness=0.2)
    shuffled = options.sample(fraction=1.0, shuffle=True, seed=seed)
    problems = [read_options(frame, limits, KEYS) for frame in (options, shuffled)]
    one, other = (tickets(p, assign(p, share=1.0 - reserve), reserve=reserve, seed="s") for p in problems)
    assert one.options.equals(other.options)
    assert one.kinds.equals(other.kinds)


def test_counts_are_exact_and_all_is_given_away() -> None:
    frame = pl.DataFrame(
        {
            "customer_id": [f"c{i:02d}" for i in range(50)],
            "offer_key": "ten",
            "value": [float(i) for i in range(50)],
        }
    )
    problem = read_options(frame, [Limit("codes", 20, of=("offer_key", "ten"))], ["offer_key"])
    given = given_out(problem, 0.25)
    assert given.kinds.row(0, named=True) == {
        "kind": "codes", "n_wanting": 50, "n_certain": 15, "n_lottery": 5, "chance": 5 / 35,
    }  # fmt: skip
    certain = given.options.filter(pl.col("propensity_ticket") == 1.0)["customer_id"].to_list()
    assert certain == [f"c{i}" for i in range(35, 50)]
    assert given.options["is_open"].sum() == 20
    assert given.use["at_most"].to_list() == [20.0]


def test_where_there_is_enough_all_get_one_for_certain() -> None:
    problem = random_problem(30, 3, tightness=50.0)
    given = given_out(problem, 0.5)
    assert given.options["is_open"].all()
    assert (given.options["propensity_ticket"] == 1.0).all()
    assert given.kinds["chance"].is_null().all()


def test_money_in_the_lottery_is_counted_at_the_most_it_may_come_to() -> None:
    rows = [(f"c{i}", m, "ten", 1.0, cost) for i in range(8) for m, cost in (("m0", 1.0 + i), ("m1", 0.5))]
    frame = pl.DataFrame(rows, schema=["customer_id", *KEYS, "value", "cost"], orient="row")
    problem = read_options(frame, [Limit("money", 17.0, "cost")], KEYS)
    given = given_out(problem, 1.0)
    # 8 + 7 fit into 17, 8 + 7 + 6 do not: two are drawn.
    assert given.kinds.select("n_certain", "n_lottery", "chance").row(0) == (0, 2, 0.25)


def test_who_has_no_ticket_for_a_mail_is_not_drawn_for_a_code() -> None:
    problem = random_problem(60, 8, tightness=0.3)
    given = given_out(problem, 0.2)
    mails, *others = given.kinds.to_dicts()
    assert mails["kind"] == "mails"
    assert all(kind["n_wanting"] <= mails["n_certain"] + mails["n_lottery"] for kind in others)


def test_inverse_chances_weight_without_bias() -> None:
    # Two lotteries, the second among those whom the first left in; then every holder takes one of his open options.
    problem = random_problem(14, 21, tightness=0.35, n_messages=1)
    plan = assign(problem, share=0.5)
    n_draws = 1_000
    rng = np.random.default_rng(5)
    weight = np.zeros((n_draws, problem.options.height))
    for draw in range(n_draws):
        lots, starts = rng.random((problem.n_customers, 4)), rng.random(4)
        options = hand_out(problem, plan, reserve=0.5, lots=lots, starts=starts).options
        is_open = options["is_open"].to_numpy()
        n_open = np.bincount(problem.owner, weights=is_open)
        ahead = np.cumsum(is_open) - is_open
        place = ahead - ahead[problem.starts][problem.owner]
        taken = is_open & (place == np.floor(rng.random(problem.n_customers) * n_open)[problem.owner])
        chance = options["propensity_ticket"].fill_null(1.0).to_numpy() / np.maximum(n_open, 1)[problem.owner]
        weight[draw] = taken / chance
    possible = weight.any(axis=0)
    assert possible.sum() > 20
    error = weight[:, possible].std(axis=0) / np.sqrt(n_draws)
    assert (np.abs(weight[:, possible].mean(axis=0) - 1.0) <= 4.5 * error + 1e-9).all()


def test_lottery_frequencies_in_100_000_draws() -> None:
    rng = np.random.default_rng(9)
    n_draws, n_others, n_tickets = 100_000, 17, 3
    holds = systematic(rng.random((n_draws, n_others)), n_tickets, rng.random(n_draws))
    # Holders take the limited option with chance 0.7: never more than there are tickets, each as often as is logged.
    takes = holds & (rng.random(holds.shape) < 0.7)
    chance = 0.7 * n_tickets / n_others
    assert takes.sum(axis=1).max() <= n_tickets
    assert np.abs(takes.mean(axis=0) - chance).max() < 4.5 * np.sqrt(chance * (1 - chance) / n_draws)


def test_another_day_draws_others() -> None:
    problem = random_problem(60, 2, tightness=0.1)
    plan = assign(problem, share=0.5)
    one, same, other = (tickets(problem, plan, reserve=0.5, seed=seed).options for seed in ("a", "a", "b"))
    assert one.equals(same)
    assert not one["is_open"].equals(other["is_open"])


def test_what_is_refused() -> None:
    problem = random_problem(5, 1)
    plan = assign(problem)
    with pytest.raises(ValueError, match=r"reserve is 1\.2"):
        tickets(problem, plan, reserve=1.2, seed="s")
    other = random_problem(5, 1, n_messages=2)
    with pytest.raises(ValueError, match="the plan is about"):
        tickets(other, plan, reserve=0.1, seed="s")


def test_nobody_to_give_tickets_to() -> None:
    options, limits = random_options(3, 1)
    given = given_out(read_options(options.clear(), limits, KEYS), 0.1)
    assert given.options.is_empty()
    assert given.kinds["n_wanting"].to_list() == [0] * 6
