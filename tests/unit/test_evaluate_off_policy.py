"""What the trial of off-policy estimates says of the made-up shops and of the real logs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks.evaluate.logged_bandit import make_world
from benchmarks.evaluate.open_bandit import (
    FILES,
    Verdict,
    in_words,
    item_rates,
    shown_shares,
    tables,
    verdict,
)
from models.evaluation.off_policy import LoggedDecisions, OffPolicyEstimate, estimate_policy, logged_decisions

DATA = Path(__file__).parents[3] / "shared" / "data"


def test_a_made_up_shop_earns_what_its_tables_say() -> None:
    world = replace(make_world(fall=0.6), stay=0.0, frailty=0.01)
    drawn = world.draw(np.random.default_rng(0), 20_000)
    assert drawn.reward.mean() == pytest.approx(world.value(world.logging), rel=0.02)
    taken = np.zeros(world.logging.shape)
    np.add.at(taken, (drawn.context, drawn.action), 1.0)
    assert taken / taken.sum(axis=1, keepdims=True) == pytest.approx(world.logging, abs=0.01)
    assert world.value(world.target) > world.value(world.logging)


def estimates_of(n: int) -> tuple[LoggedDecisions, tuple[OffPolicyEstimate, ...], OffPolicyEstimate]:
    """A model that is wrong, beside weights that are right, and the mean of the policy itself on as many decisions."""
    generator = np.random.default_rng(1)
    target = generator.choice([0.4, 0.6], n)
    log = logged_decisions(
        generator.random(n) < 0.2, np.full(n, 0.5), target, q_logged=np.full(n, 0.3), q_target=np.full(n, 0.3)
    )
    ones = np.ones(n)
    (observed,) = estimate_policy(logged_decisions(generator.random(n) < 0.2, ones, ones), estimators=["ips"])
    return log, estimate_policy(log, estimators=["dm", "dr"]), observed


def test_a_pair_is_decided_once_there_are_clicks_enough() -> None:
    few, many = (verdict(*estimates_of(n), clicks=n // 5) for n in (50, 5000))
    assert (few.pairs, few.decided) == (1, 0)
    assert few.clicks_needed is not None
    assert few.clicks_needed > few.clicks
    assert (many.decided, many.clicks_needed) == (1, None)
    assert many.half_width < many.largest_gap


@pytest.mark.parametrize(
    ("decided", "words"),
    [(0, "are too few to rank"), (1, "rank some estimators"), (3, "are enough to rank")],
)
def test_the_verdict_follows_the_counts(decided: int, words: str) -> None:
    found = Verdict(pairs=3, decided=decided, largest_gap=0.1, half_width=0.1, clicks=7, clicks_needed=None)
    said = in_words({"one": found}, {"random": 7, "bts": 9})
    assert f"7 and 9 clicks {words}" in said
    assert f"of 3 pairs of estimators, {decided} differ" in said


def test_shares_and_rates_are_of_what_was_shown() -> None:
    log = pl.DataFrame({"position": [1, 1, 2, 3], "item_id": [0, 5, 5, 33]})
    shares = shown_shares(log)
    assert (shares[0, 0], shares[0, 5], shares[1, 5], shares[2, 33]) == (0.5, 0.5, 1.0, 1.0)
    shown = np.repeat([0, 1], 500)
    rates = item_rates(shown[:, None], np.where(shown == 1, np.arange(1000) % 2, 0.0))(
        np.array([[0], [1], [2]])
    )
    assert rates[0] < rates[2] < rates[1]


@pytest.mark.skipif(
    not all((DATA / file).is_file() for file in FILES.values()), reason=f"{DATA} has no Open Bandit logs"
)
def test_the_real_logs_have_their_clicks_and_every_estimate_an_interval() -> None:
    estimates, ranking = tables(DATA)
    observed = estimates.figures["observed"].to_list()
    assert observed == pytest.approx([0.0069] * 5 + [0.0046] * 5)
    assert ranking.figures["clicks"].to_list() == [69, 46]
    assert (estimates.figures["value_low"] < estimates.figures["value_high"]).all()
    assert ranking.title.startswith("46 and 69 clicks")
