"""The benchmark of choices under limits says what is so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.plan_inputs import N_MESSAGES, OFFERS, plan_config, plan_inputs
from benchmarks.policy import choose, greedy_by_value, highs
from benchmarks.policy_instance import KEYS, make_instance
from models.policy.assignment import assign
from models.policy.decide import decide_with_options
from models.policy.limits import read_options


def test_the_bound_is_that_of_the_exact_solver_and_greedy_is_no_better() -> None:
    instance = make_instance(300)
    problem = read_options(instance.options, instance.limits, KEYS)
    plan = assign(problem, tolerance=1e-9)
    assert plan.bound == pytest.approx(highs(problem), rel=1e-6)
    assert greedy_by_value(problem) <= plan.value


def test_an_instance_is_equally_scarce_at_any_size() -> None:
    for n in (300, 1_200):
        figures = choose(make_instance(n))
        assert 0 <= figures["relative gap"] < 0.01
        assert figures["chosen"] == pytest.approx(0.45 * n, abs=3)
        assert figures["scarce resources"] >= 6
    assert make_instance(50).options.equals(make_instance(50).options)


def test_the_whole_plan_is_made_of_as_many_options_as_it_says() -> None:
    inputs, config = plan_inputs(400), plan_config(400)
    decision = decide_with_options(inputs, replace(config, mails_per_day=None, mails_per_hour=None))
    most = N_MESSAGES * (1 + len(OFFERS))
    per_customer = decision.options.group_by("customer_id").len()["len"]
    assert per_customer.max() == most and per_customer.median() > most / 2
    assert decide_with_options(inputs, config).plan.filter(action="send").height <= 160
