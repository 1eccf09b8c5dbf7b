"""Another policy judged on the plan's log: known values, the hold arm, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logged_plan import ARMS, EXPLORED, FIRST_DAY, NET_VALUE, logged_days, true_value

from models.evaluation.plan_policy import (
    NAMED,
    PlanLog,
    PlanLogError,
    Policy,
    PolicyError,
    judge,
    plan_log,
    policy_chances,
)

BEST = NET_VALUE.argmax(axis=1)
KEY = ["customer_id", "message_key", "offer_key"]


def plan_chances() -> np.ndarray:
    chances = np.full((2, 3), EXPLORED / 3)
    chances[[0, 1], BEST] += 1 - EXPLORED
    return chances


def carts_of_the_new(options: pl.DataFrame) -> pl.DataFrame:
    """Three in four new customers are reminded of their cart, nobody gets anything else."""
    reminded = (pl.col("message_key") == "cart_abandoned") & (pl.col("lifecycle_stage") == "new")
    return options.filter(reminded).select(*KEY, probability=pl.lit(0.75))


POLICIES: dict[str, tuple[Policy, np.ndarray]] = {
    "logged": (NAMED["logged"], plan_chances()),
    "greedy": (NAMED["greedy"], np.eye(3)[BEST]),
    "nothing": (NAMED["nothing"], np.zeros((2, 3))),
    "carts of the new": (carts_of_the_new, np.array([[0.75, 0, 0], [0, 0, 0]])),
}


@pytest.fixture(scope="module")
def log() -> PlanLog:
    return plan_log(*logged_days(800, 4, seed=3))


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_earns_what_is_known_of_it(log: PlanLog, name: str) -> None:
    policy, chances = POLICIES[name]
    truth, plan = true_value(chances), true_value(plan_chances())
    found = judge(log, policy)
    for row in found.estimates.iter_rows(named=True):
        if row["estimator"] != "dm":
            assert 0 < row["standard_error"] < 0.1
            assert row["value"] == pytest.approx(truth, abs=3.5 * row["standard_error"])
            assert row["logged_value"] == pytest.approx(plan, abs=0.15)
            assert row["difference"] == pytest.approx(row["value"] - row["logged_value"])
            assert row["difference_low"] <= row["difference"] <= row["difference_high"]
    assert found.nothing_share == pytest.approx((1 - chances.sum(axis=1)).mean())
    assert found.overlap.mean_weight == pytest.approx(1, abs=0.1)


def test_sending_nothing_earns_what_the_control_group_did(log: PlanLog) -> None:
    _, outcomes = logged_days(800, 4, seed=3)
    control = outcomes.filter(action="control")["margin"].mean()
    (snips,) = judge(log, NAMED["nothing"]).estimates.filter(estimator="snips")["value"]
    assert snips == pytest.approx(control, abs=0.02)
    with pytest.raises(PolicyError, match=r"sends nothing in 8 decisions of 2025-03-04 \(1 such day\(s\)\)"):
        judge(plan_log(*logged_days(8, 1, control_share=0.0)), NAMED["nothing"])
    assert judge(plan_log(*logged_days(8, 1, control_share=0.0)), NAMED["greedy"]).estimates.height == 2


def test_where_caps_hold_back_the_mailed_alone_the_values_hold_and_it_is_said() -> None:
    options, outcomes = logged_days(800, 6, seed=5)
    rng = np.random.default_rng(0)
    is_capped = pl.Series(rng.random(outcomes.height) < 0.6) & ~outcomes["is_control"]
    capped = outcomes.filter(is_capped).select("plan_date", "customer_id")
    log = plan_log(
        options.join(capped, on=["plan_date", "customer_id"], how="anti"),
        outcomes.with_columns(action=pl.when(is_capped).then(pl.lit("hold")).otherwise("action")),
    )
    found = judge(log, NAMED["nothing"])
    truth = true_value(np.zeros((2, 3)))
    for name in ("ips", "snips", "dr"):
        (row,) = found.estimates.filter(estimator=name).iter_rows(named=True)
        assert row["value"] == pytest.approx(truth, abs=3.5 * row["standard_error"])
    assert "the control group makes up" in found.warnings[0]
    assert not any("control group makes up" in said for said in judge(log, NAMED["greedy"]).warnings)


def test_days_that_are_not_over_and_people_who_may_not_be_looked_at_are_left_out() -> None:
    options, outcomes = logged_days(40, 3)
    last = outcomes["plan_date"] == outcomes["plan_date"].max()
    outcomes = outcomes.with_columns(
        is_complete=~last, has_behaviour=pl.col("customer_id") != "c00003", is_human_open=None
    ).with_columns(margin=pl.when("has_behaviour").then("margin"))
    log = plan_log(options, outcomes)
    assert len(log) == 2 * 39
    assert (log.n_unobserved, log.left_out) == (2, (outcomes["plan_date"].max(),))
    assert plan_log(options, outcomes, "opens").reward.sum() == 0
    with pytest.raises(PlanLogError, match="no day with options and complete outcomes"):
        plan_log(options, outcomes.with_columns(is_complete=False))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda o, u: (o.drop("net_value"), u), r"the options lack the column\(s\) net_value"),
        (lambda o, u: (o, u.drop("margin")), r"the outcomes lack the column\(s\) margin"),
        (lambda o, u: (o, u.vstack(u.head(1))), "the outcomes have 2 rows that share their key, the first"),
        (lambda o, u: (o.vstack(o.head(2)), u), "the options have 4 rows that share their key"),
        (lambda o, u: (o.filter(pl.col("customer_id") != "c00001"), u), "c00001 .* has no options"),
        (lambda o, u: (o, u.filter(pl.col("customer_id") != "c00001")), "c00001 .* no outcome"),
        (lambda o, u: (o, u.with_columns(pl.col("propensity_offer") / 2)), "or with another chance"),
        (lambda o, u: (o, u.with_columns(offer_key=pl.lit("gift"))), "got what is not among its options"),
        (
            lambda o, u: (o, u.with_columns(action=pl.lit("hold"))),
            "left without a mail though it is none",
        ),
        (lambda o, u: (o, u.with_columns(margin=None)), "has no margin"),
        (lambda o, u: (o.with_columns(pl.col("propensity") * 2), u), "do not sum to 1"),
    ],
)
def test_tables_that_do_not_belong_together_are_refused(
    change: Callable[[pl.DataFrame, pl.DataFrame], tuple[pl.DataFrame, pl.DataFrame]], said: str
) -> None:
    with pytest.raises(PlanLogError, match=said):
        plan_log(*change(*logged_days(20, 1)))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda o: o.lazy(), r"returned a LazyFrame, not a polars.DataFrame; add .collect\(\)"),
        (lambda o: 1, "returned a int, not a polars.DataFrame"),
        (lambda o: o, r"lacks the column\(s\) probability"),
        (lambda o: o.with_columns(probability=pl.lit("1")), "probability is String"),
        (
            lambda o: o.with_columns(pl.lit(1).alias("offer_key"), probability=0.1),
            "offer_key is Int32, not text",
        ),
        (lambda o: o.with_columns(probability=-0.1), "of customer c00000 has the probability -0.1"),
        (lambda o: o.with_columns(probability=float("nan")), "has the probability nan"),
        (lambda o: o.with_columns(probability=None), "probability is Null"),
        (lambda o: o.with_columns(probability=0.4), r"c00000 sum to 1.2 \(10 of 10 customers"),
        (lambda o: o.vstack(o.head(1)).with_columns(probability=0.1), "stands there more than once"),
        (
            lambda o: o.with_columns(offer_key=pl.lit("gift"), probability=0.1).unique(KEY),
            "gift .* not among the options",
        ),
    ],
)
def test_an_answer_that_cannot_be_is_refused_with_the_day(
    answer: Callable[[pl.DataFrame], object], said: str
) -> None:
    with pytest.raises(PolicyError, match=f"^{FIRST_DAY}: .*{said}"):
        policy_chances(answer, plan_log(*logged_days(10, 2)))  # type: ignore[arg-type]


def test_a_policy_that_does_nothing_of_what_was_done_is_refused() -> None:
    options, outcomes = logged_days(6, 1, control_share=0.0)
    undone = options.join(outcomes, on=KEY, how="anti").unique("customer_id").select(*KEY, probability=1.0)
    with pytest.raises(PolicyError, match="nothing that the policy does was done in any of the 6 decisions"):
        judge(plan_log(options, outcomes), lambda _: undone)


@settings(max_examples=40)
@given(
    weights=st.lists(st.floats(0, 1), min_size=30, max_size=30),
    total=st.sampled_from([0.0, 0.5, 1.0]),
    seed=st.integers(0, 100),
)
def test_every_answer_within_the_rules_is_taken_as_it_is(
    weights: list[float], total: float, seed: int
) -> None:
    log = plan_log(*logged_days(10, 1, control_share=0.5, seed=7))
    given_to = np.array(weights).reshape(10, 3)
    sums = given_to.sum(axis=1, keepdims=True)
    chances = total * np.divide(given_to, sums, out=np.zeros_like(given_to), where=sums > 0)

    def answer(options: pl.DataFrame) -> pl.DataFrame:
        return options.with_columns(probability=pl.Series(chances.ravel())).sample(
            fraction=1, shuffle=True, seed=seed
        )

    chance, nothing = policy_chances(answer, log)
    assert chance == pytest.approx(chances.ravel())
    assert nothing == pytest.approx(1 - chances.sum(axis=1))
    assert (nothing[chances.sum(axis=1) > 0.99] == 0).all()


def test_the_policy_is_asked_one_day_at_a_time_about_every_arm() -> None:
    asked = []

    def policy(options: pl.DataFrame) -> pl.DataFrame:
        asked.append((options["plan_date"].n_unique(), options.select(KEY[1:]).unique().height))
        return NAMED["logged"](options)

    policy_chances(policy, plan_log(*logged_days(10, 3)))
    assert asked == [(1, len(ARMS))] * 3


def test_the_example_of_the_page_is_a_policy(log: PlanLog) -> None:
    page = (Path(__file__).parents[2] / "docs" / "policies.md").read_text()
    written: dict[str, Policy] = {}
    exec(page.partition("```python\n")[2].partition("```")[0], written)
    chance, nothing = policy_chances(written["policy"], log)
    assert chance == pytest.approx(policy_chances(NAMED["greedy"], log)[0])
    assert not nothing.any()
