"""Files for people are written anywhere but over what a home is made of."""

import os
from pathlib import Path

import pytest
from command_line import Command
from erasure_home import build

from assets.home import Home
from assets.privacy.exports import remember
from pipelines.destination import DestinationError, require_destination
from pipelines.shops import claim


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "data", tmp_path / "data" / "landing")
    for folder in (home.landing, home.plans, home.artifacts, home.root / "truth", home.root / "sent"):
        folder.mkdir(parents=True)
    for file in (home.landing / "customers.csv", home.root / "truth" / "seen.csv", home.marketing):
        file.touch()
    claim(home)
    return home


@pytest.mark.parametrize(
    "to", ["plan.csv", "data/plan.csv", "data/sent/plan.csv", "data/landing/../plan.csv"]
)
def test_new_files_and_earlier_exports_may_be_written(home: Home, tmp_path: Path, to: str) -> None:
    require_destination(home, tmp_path / to)
    remember(home, tmp_path / to)
    (tmp_path / to).touch()
    require_destination(home, tmp_path / to)


@pytest.mark.parametrize(
    ("to", "why"),
    [
        ("data/landing/customers.csv", "is the landing folder, .* name a file elsewhere"),
        ("data/landing/new.csv", "is the landing folder"),
        ("data/sent/../landing/new.csv", "is the landing folder"),
        ("link/new.csv", "is the landing folder"),
        ("link.csv", "is the landing folder"),
        (
            "data/plans/send_plan.parquet",
            "data/plans holds what Sendplan itself relies on; name a file elsewhere",
        ),
        ("data/mlflow-artifacts/python_model.pkl", "holds what Sendplan itself relies on"),
        ("data/warehouse.duckdb", "holds what Sendplan itself relies on"),
        ("data/marketing.duckdb", "holds what Sendplan itself relies on"),
        ("data/privacy", "is a folder; name a file in it"),
        ("data/shop.json", "is there already and was not exported from here; name a new file"),
        ("data/truth/seen.csv", "is there already and was not exported from here"),
        ("data", "is a folder; name a file in it, for example .*data/export.json"),
        ("pipe", "is no regular file"),
        ("nowhere/plan.csv", "there is no folder .*nowhere; make it"),
    ],
)
def test_nothing_else_is_written_over(home: Home, tmp_path: Path, to: str, why: str) -> None:
    (tmp_path / "link").symlink_to(home.landing)
    (tmp_path / "link.csv").symlink_to(home.landing / "customers.csv")
    home.privacy.mkdir(exist_ok=True)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DestinationError, match=why):
        require_destination(home, tmp_path / to)


def test_a_folder_without_the_right_to_write_is_named(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The superuser may write anywhere, so the answer of the system is made up."""
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(DestinationError, match=f"no right to write in {tmp_path}; give it"):
        require_destination(home, tmp_path / "plan.csv")


def test_a_home_inside_the_landing_folder_is_no_landing(tmp_path: Path) -> None:
    home = Home(tmp_path / "all" / "home", tmp_path / "all")
    home.root.mkdir(parents=True)
    require_destination(home, home.root / "plan.csv")
    with pytest.raises(DestinationError, match="is the landing folder"):
        require_destination(home, tmp_path / "all" / "plan.csv")


def test_the_shop_whose_home_another_lies_in_is_guarded_too(home: Home, tmp_path: Path) -> None:
    other = Home(home.shops / "other-1a2b3c", tmp_path / "other")
    other.root.mkdir(parents=True)
    for to in (home.plans / "plan.csv", home.landing / "plan.csv"):
        with pytest.raises(DestinationError):
            require_destination(other, to)
    require_destination(other, other.root / "plan.csv")
    require_destination(other, home.root / "plan.csv")


@pytest.mark.parametrize(
    "command",
    [
        ("subject-export", "c-17"),
        ("export", "--date", "2025-06-01"),
        ("lookalikes", "learnt_1", "--date", "2025-06-01"),
    ],
)
def test_every_command_that_writes_a_file_asks(
    sendplan: Command, tmp_path: Path, command: tuple[str, ...]
) -> None:
    home = build(tmp_path / "home")
    customers = home.landing / "customers.csv"
    before = customers.read_bytes()
    said = sendplan(*command, "--to", customers, home=home.root)
    assert (said.code, said.out) == (2, "")
    assert "is the landing folder" in said.err
    assert customers.read_bytes() == before
