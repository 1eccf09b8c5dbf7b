"""The evaluate command: what it prints, logs and says of missing data, with a trial made for the test."""

import json
from collections.abc import Iterator
from pathlib import Path

import mlflow
import polars as pl
import pytest
from command_line import Command

from benchmarks.evaluate import report, trials
from benchmarks.evaluate.table import Table, Target, data_file


def coins(data: Path) -> Iterator[Table]:
    tosses = len(data_file(data, "coins.txt").read_text())
    yield Table(
        "one_coin",
        "heads guessed after some tosses",
        pl.DataFrame({"method": ["always_heads", "oracle"], "hits": [0.5, 1.0], "brier": [0.25, None]}),
        {"tosses": tosses},
        (Target("oracle", "hits", low=0.9), Target("always_heads", "hits", low=0.6, high=0.7)),
    )


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(trials, "TRIALS", ("coins",))
    monkeypatch.setattr(trials, "tables", lambda _, data: coins(data))
    return "coins"


def test_a_table_and_what_was_missed_are_printed(sendplan: Command, trial: str, tmp_path: Path) -> None:
    (tmp_path / "coins.txt").write_text("hht")
    said = sendplan("evaluate", trial, "--data", tmp_path)
    assert said.code == 0
    assert "one_coin: heads guessed after some tosses" in said.out
    assert "met    oracle: hits >= 0.9" in said.out
    assert "MISSED always_heads: hits >= 0.6 and <= 0.7" in said.out


def test_each_table_is_a_run_with_every_method(sendplan: Command, trial: str, tmp_path: Path) -> None:
    (tmp_path / "coins.txt").write_text("hht")
    home = tmp_path / "home"
    said = sendplan("evaluate", "--data", tmp_path, "--json", home=home)
    (table,) = json.loads(said.out)["tables"]
    assert table["targets"] == {"oracle: hits >= 0.9": True, "always_heads: hits >= 0.6 and <= 0.7": False}
    mlflow.set_tracking_uri(f"sqlite:///{home}/mlflow.db")
    (run,) = mlflow.search_runs(experiment_names=[f"evaluate/{trial}"], output_format="list")
    assert run.data.metrics == {"hits/always_heads": 0.5, "hits/oracle": 1.0, "brier/always_heads": 0.25}
    assert run.data.params == {"tosses": "3"}
    assert run.data.tags["missed"] == "always_heads: hits >= 0.6 and <= 0.7"


def test_a_page_keeps_the_trials_that_were_not_run(tmp_path: Path) -> None:
    (tmp_path / "coins.txt").write_text("hht")
    page = tmp_path / "models.md"
    tables = list(coins(tmp_path))
    report.write(page, {"hillstrom": tables})
    report.write(page, {"cdnow": tables})
    report.write(page, {"cdnow": tables})
    text = page.read_text()
    assert [line for line in text.split("\n") if line.startswith("## ")] == ["## cdnow", "## hillstrom"]
    assert "| always_heads | 0.5000 | 0.2500 |" in text
    assert "| oracle | 1.0000 |  |" in text
    assert "- met: oracle: hits >= 0.9, is 1.0000" in text
    assert "- **missed**: always_heads: hits >= 0.6 and <= 0.7, is 0.5000" in text


def test_decisions_have_a_page_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "coins.txt").write_text("hht")
    page = tmp_path / "decisions.md"
    report.write(page, {"closed_loop": list(coins(tmp_path))})
    assert page.read_text().startswith("# How good the decisions are\n")
    report.check(page, ["closed_loop"])
    with pytest.raises(report.ForeignPageError, match="How good the models are"):
        report.check(page, ["cdnow"])


def test_the_command_writes_the_page(
    sendplan: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "coins.txt").write_text("hht")
    monkeypatch.setattr(trials, "tables", lambda _, data: coins(data))
    said = sendplan("evaluate", "cdnow", "--data", tmp_path, "--report", tmp_path / "models.md")
    assert said.code == 0
    assert "CDNOW: the published fits" in (tmp_path / "models.md").read_text()


@pytest.mark.parametrize("content", [None, "# Mine\n"])
def test_a_page_of_another_kind_is_not_overwritten(
    sendplan: Command, trial: str, tmp_path: Path, content: str | None
) -> None:
    page = tmp_path / "page.md"
    page.mkdir() if content is None else page.write_text(content)
    said = sendplan("evaluate", "--data", tmp_path, "--report", page)
    assert said.code == 1
    assert f"{page} is " in said.err
    assert content is None or page.read_text() == content


def test_absent_data_is_named_with_the_remedy(sendplan: Command, trial: str, tmp_path: Path) -> None:
    said = sendplan("evaluate", trial, "--data", tmp_path)
    assert said.code == 1
    assert (
        f"{tmp_path / 'coins.txt'} is not there; name the folder that holds coins.txt with --data" in said.err
    )


def test_an_interval_stands_behind_its_figure_and_many_metrics_are_rows() -> None:
    figures = pl.DataFrame(
        {"method": ["rule"], "hits": [0.5], "hits_low": [0.25], "hits_high": [0.75], "seconds": [1234.5]}
    )
    shown = Table("coin", "", figures).shown()
    assert shown.rows() == [("hits", "0.5000 (0.2500 to 0.7500)"), ("seconds", "1,234")]
    assert shown.columns == ["figure", "rule"]


def test_an_unknown_trial_is_a_mistake_in_the_command(sendplan: Command, trial: str) -> None:
    said = sendplan("evaluate", "dice")
    assert said.code == 2
    assert "there is no trial dice; there are coins" in said.err


def test_every_trial_is_a_module_with_tables() -> None:
    folder = Path(trials.__file__).parent
    for name in trials.TRIALS:
        assert "def tables(data: Path)" in (folder / f"{name}.py").read_text()
