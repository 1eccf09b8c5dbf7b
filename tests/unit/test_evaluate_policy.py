"""`sendplan evaluate policy`: a file or a name, what is printed and logged, and how mistakes in a file are told."""

from datetime import timedelta
from pathlib import Path

import mlflow
import polars as pl
import pytest
from command_line import Command
from logged_plan import FIRST_DAY, logged_days

from assets.home import Home
from assets.storage import replace_parquet

MINE = """
from __future__ import annotations
from dataclasses import dataclass
import polars as pl

@dataclass(frozen=True)
class Rule:
    stage: str

def policy(options: pl.DataFrame) -> pl.DataFrame:
    fits = (pl.col("message_key") == "cart_abandoned") & (pl.col("lifecycle_stage") == Rule("new").stage)
    return options.with_columns(probability=pl.when(fits).then(1.0).otherwise(0.0))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home that tests read alone, but for the runs logged there."""
    return build(tmp_path_factory.mktemp("planned"))


def build(root: Path) -> Home:
    """Two planned days; an early table of outcomes knows the first, a later one both."""
    home = Home(root, root / "landing")
    options, outcomes = logged_days(300, 2)
    for (day,), rows in options.group_by("plan_date"):
        replace_parquet(home.decisions(day) / "plan_options.parquet", rows)
    early = outcomes.filter(plan_date=FIRST_DAY).with_columns(margin=0.0, is_complete=False)
    replace_parquet(home.outcomes(FIRST_DAY + timedelta(days=2)) / "outcomes.parquet", early)
    replace_parquet(home.outcomes(FIRST_DAY + timedelta(days=9)) / "outcomes.parquet", outcomes)
    return home


def test_a_file_is_judged_beside_the_plan_and_logged(sendplan: Command, home: Home, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(MINE)
    said = sendplan("evaluate", "policy", file, "--json", home=home.root).json
    assert (said["policy"], said["days"], said["first_day"]) == ("mine.py", 2, str(FIRST_DAY))
    assert [row["estimator"] for row in said["estimates"]] == ["ips", "snips", "dm", "dr", "switch_dr"]
    snips = said["estimates"][1]
    assert snips["low"] < 1.6 < snips["high"]
    assert said["nothing_share"] == pytest.approx(0.5)
    assert list(tmp_path.glob("__pycache__")) == []

    mlflow.set_tracking_uri(f"sqlite:///{home.registry_db}")
    run = mlflow.get_run(said["run_id"])
    assert mlflow.get_experiment(run.info.experiment_id).name == "policy_evaluation"
    assert run.data.params["policy_hash"] == said["policy_hash"]
    assert run.data.params["first_day"] == str(FIRST_DAY)
    assert run.data.metrics["value/snips"] == snips["value"]
    assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/mine.py") == MINE


def test_a_name_a_reward_and_dates_are_enough(sendplan: Command, home: Home) -> None:
    said = sendplan("evaluate", "policy", "nothing", "--reward", "clicks", "--to", FIRST_DAY, home=home.root)
    assert said.code == 0
    assert "nothing: clicks per decision, with 95 % intervals" in said.out
    assert "0.0000 (0.0000 to 0.0000)" in said.out
    assert f"300 decisions of 300 customers, {FIRST_DAY} to {FIRST_DAY}" in said.out
    assert "dm: this is the reward model's opinion" in said.err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def policy(options:\n", "mine.py:1: this is no Python"),
        ("import polars as pl\nnumber = 1 / 0\n", "mine.py:2: ZeroDivisionError: division by zero"),
        ("rule = 1\n", "mine.py: there is no function policy; write: def policy("),
        ("def policy(options):\n    return options['prize']\n", "mine.py:2: ColumnNotFoundError"),
        (
            "def policy(options):\n    return options\n",
            f"mine.py: {FIRST_DAY}: the policy's frame lacks the column(s) prob",
        ),
        (
            None,
            "mine.py; name a Python file with a function policy(options), or one of logged, greedy, nothing",
        ),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_place(
    sendplan: Command, home: Home, tmp_path: Path, text: str | None, told: str
) -> None:
    if text is not None:
        (tmp_path / "mine.py").write_text(text)
    said = sendplan("evaluate", "policy", tmp_path / "mine.py", home=home.root)
    assert said.code == 1
    assert told in said.err
    assert "Traceback" not in said.err


def test_without_options_or_outcomes_the_remedy_is_told(sendplan: Command, tmp_path: Path) -> None:
    home = build(tmp_path)
    said = sendplan("evaluate", "policy", "greedy", "--from", "2025-05-01", home=home.root)
    assert said.code == 1
    assert f"there are options of {FIRST_DAY} to {FIRST_DAY + timedelta(days=1)}" in said.err
    for file in home.root.glob("outcomes/*/*"):
        pl.read_parquet(file).clear().write_parquet(file)
    said = sendplan("evaluate", "policy", "greedy", home=home.root)
    assert said.code == 1
    assert "there are no outcomes of" in said.err
