"""Off-policy estimates on made-up shops of known values: bias and coverage are what theory says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.evaluate.logged_bandit import BanditWorld, make_world
from models.evaluation.off_policy import (
    ESTIMATORS,
    IntervalParams,
    LoggedDecisions,
    estimate_policy,
    logged_decisions,
    policy_differences,
)

N_REPEATS, CUSTOMERS = 300, 400
NOMINAL = (0.911, 0.989)
"""Coverage of 95 % in 300 repeats lies here in all but one of 500 tests; three standard errors of the count."""

WORLD = replace(make_world(fall=0.85), decisions=4.0)
TRUTH = WORLD.value(WORLD.target)
WRONG = np.broadcast_to(WORLD.mean.mean(axis=0), WORLD.mean.shape)
"""A model that does not see the situation."""
FLAT = np.full(WORLD.logging.shape, 1 / WORLD.logging.shape[1])
THRESHOLD = float(np.quantile(WORLD.target / WORLD.logging, 0.9))


class Repeated:
    """Estimates of many logs of one world."""

    def __init__(self, found: np.ndarray, truth: float, names: tuple[str, ...] = ESTIMATORS) -> None:
        self.values, low, high = (dict(zip(names, found[:, :, column].T, strict=True)) for column in range(3))
        self.covered = {name: float(((low[name] <= truth) & (truth <= high[name])).mean()) for name in names}
        self.bias = {name: float(self.values[name].mean()) - truth for name in names}
        self.error = {name: float(self.values[name].std()) / np.sqrt(len(found)) for name in names}

    def off(self, name: str) -> float:
        """Bias in Monte-Carlo standard errors."""
        return abs(self.bias[name]) / self.error[name]


def rows_alone(log: LoggedDecisions) -> LoggedDecisions:
    return replace(log, cluster=np.arange(len(log)))


def repeated(
    world: BanditWorld,
    expected: np.ndarray,
    *,
    propensity: np.ndarray | None = None,
    is_clustered: bool = True,
) -> Repeated:
    found = []
    for seed in range(N_REPEATS):
        log = world.log(
            world.draw(np.random.default_rng(seed), CUSTOMERS), expected=expected, propensity=propensity
        )
        log = log if is_clustered else rows_alone(log)
        found.append([(e.value, e.low, e.high) for e in estimate_policy(log, threshold=THRESHOLD)])
    return Repeated(np.array(found), world.value(world.target))


@pytest.fixture(scope="module")
def right_model() -> Repeated:
    return repeated(WORLD, WORLD.mean)


@pytest.fixture(scope="module")
def wrong_model() -> Repeated:
    return repeated(WORLD, WRONG)


@pytest.fixture(scope="module")
def wrong_chances() -> Repeated:
    return repeated(WORLD, WORLD.mean, propensity=FLAT)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_with_a_right_model_and_logged_chances_all_are_right(right_model: Repeated, name: str) -> None:
    assert right_model.off(name) < 3.5
    assert NOMINAL[0] <= right_model.covered[name] <= NOMINAL[1]


@pytest.mark.parametrize("name", ["ips", "snips", "dr"])
def test_a_wrong_model_harms_neither_weights_nor_the_doubly_robust(wrong_model: Repeated, name: str) -> None:
    assert wrong_model.off(name) < 3.5
    assert NOMINAL[0] <= wrong_model.covered[name] <= NOMINAL[1]


def test_a_wrong_model_misleads_the_direct_method_and_switch_stands_between(wrong_model: Repeated) -> None:
    assert wrong_model.off("dm") > 10
    assert wrong_model.covered["dm"] < 0.2
    assert abs(wrong_model.bias["dr"]) < abs(wrong_model.bias["switch_dr"]) < abs(wrong_model.bias["dm"])
    assert wrong_model.error["dm"] < wrong_model.error["switch_dr"] < wrong_model.error["dr"]


def test_wrong_chances_mislead_weights_and_not_the_doubly_robust(wrong_chances: Repeated) -> None:
    assert wrong_chances.off("ips") > 5
    assert wrong_chances.off("dr") < 3.5
    assert NOMINAL[0] <= wrong_chances.covered["dr"] <= NOMINAL[1]


def test_a_right_model_makes_the_doubly_robust_more_precise_than_weights(right_model: Repeated) -> None:
    assert right_model.error["dr"] < right_model.error["ips"]
    assert right_model.error["dm"] < right_model.error["dr"]


LOYAL = replace(WORLD, target=0.5 * WORLD.logging + 0.5 * WORLD.target, decisions=12.0)
"""Many decisions per customer, weights near 1: what customers share is most of the spread."""


def test_rows_of_a_customer_taken_for_independent_give_intervals_that_are_too_short() -> None:
    naive = repeated(LOYAL, LOYAL.mean, is_clustered=False)
    clustered = repeated(LOYAL, LOYAL.mean)
    for name in ("ips", "snips", "dr"):
        assert naive.covered[name] < 0.85
        assert NOMINAL[0] <= clustered.covered[name] <= NOMINAL[1]


def test_the_bootstrap_covers_few_customers_with_skewed_rewards() -> None:
    """40 customers, log-normal rewards: bootstrap-t is nearer to 95 % than the linearised interval."""
    truth = np.exp(0.5)
    found: dict[str, list[bool]] = {"linearised": [], "bootstrap": []}
    for seed in range(N_REPEATS):
        generator = np.random.default_rng(seed)
        log = logged_decisions(generator.lognormal(size=40), np.ones(40), np.ones(40))
        for how, params in (("linearised", IntervalParams()), ("bootstrap", IntervalParams(n_resamples=399))):
            (one,) = estimate_policy(log, estimators=["ips"], intervals=params)
            found[how].append(one.low <= truth <= one.high)
    linearised, bootstrap = (float(np.mean(covered)) for covered in found.values())
    assert linearised < bootstrap
    assert abs(bootstrap - 0.95) < abs(linearised - 0.95)


@pytest.mark.parametrize("n_resamples", [0, 199])
def test_the_difference_of_two_policies_is_covered(n_resamples: int) -> None:
    other = 0.7 * WORLD.target + 0.3 * WORLD.logging
    truth = TRUTH - WORLD.value(other)
    found, apart = [], []
    for seed in range(N_REPEATS):
        drawn = WORLD.draw(np.random.default_rng(seed), CUSTOMERS)
        first = WORLD.log(drawn, expected=WRONG)
        second = WORLD.log(drawn, expected=WRONG, target=other)
        differences = policy_differences(
            first,
            second,
            estimators=["ips", "snips", "dr"],
            intervals=IntervalParams(n_resamples=n_resamples),
        )
        found.append([(d.difference, d.low, d.high) for d in differences])
        if not n_resamples:
            alone = [estimate_policy(log, estimators=["dr"])[0].standard_error for log in (first, second)]
            apart.append(differences[-1].standard_error / np.hypot(*alone))
    names = ("ips", "snips", "dr")
    results = Repeated(np.array(found), truth, names)
    for name in names:
        assert results.off(name) < 3.5
        assert NOMINAL[0] <= results.covered[name] <= NOMINAL[1]
    assert all(share < 0.6 for share in apart)
