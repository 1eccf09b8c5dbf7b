"""Who becomes champion, and who stays."""

import numpy as np
import pytest

from models.evaluation.champion import Criterion
from models.evaluation.contest import Answer, hold_contest
from models.evaluation.metrics import rmse

CRITERION = Criterion("rmse", rmse, higher_is_better=False, margin=0.05)
RNG = np.random.default_rng(0)
OUTCOME = RNG.normal(size=400)


def answer(noise: float) -> Answer:
    return Answer(OUTCOME + RNG.normal(scale=noise, size=len(OUTCOME)), {})


ANSWERS = {"rule": answer(1.0), "good": answer(0.2), "twin": answer(0.21)}


def test_without_a_champion_the_best_wins_and_the_next_is_runner_up() -> None:
    verdict = hold_contest(ANSWERS, OUTCOME, CRITERION, None)
    assert (verdict.winner, verdict.runner_up) == ("good", "twin")
    assert "first champion" in verdict.reason


def test_a_champion_stays_when_the_best_rival_is_not_better_by_the_margin() -> None:
    verdict = hold_contest(ANSWERS, OUTCOME, CRITERION, "twin")
    assert (verdict.winner, verdict.runner_up) == ("twin", "good")
    assert "does not replace twin" in verdict.reason


def test_a_champion_goes_when_clearly_beaten() -> None:
    verdict = hold_contest(ANSWERS, OUTCOME, CRITERION, "rule")
    assert verdict.winner == "good"
    assert "good replaces rule" in verdict.reason


def test_a_method_that_no_longer_exists_is_no_champion() -> None:
    assert hold_contest(ANSWERS, OUTCOME, CRITERION, "gone").winner == "good"


def test_where_nothing_can_be_judged_the_learnt_model_comes_last_and_wins() -> None:
    nothing = {name: Answer(np.empty(0), {}) for name in ("rule", "model")}
    verdict = hold_contest(nothing, np.empty(0), CRITERION, None)
    assert verdict.winner == "model"
    assert "cannot be known" in verdict.reason


@pytest.mark.parametrize("champion", [None, "only"])
def test_a_single_method_wins_alone(champion: str | None) -> None:
    verdict = hold_contest({"only": answer(1.0)}, OUTCOME, CRITERION, champion)
    assert (verdict.winner, verdict.runner_up) == ("only", None)
