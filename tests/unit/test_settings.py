"""Settings come from the environment once, and say what is wrong with it."""

from datetime import date
from pathlib import Path

import pytest

from pipelines.settings import Settings, SettingsError, plan_day

TODAY = date(2025, 7, 5)


def test_defaults_put_everything_below_one_folder(tmp_path: Path) -> None:
    settings = Settings.from_env({"SENDPLAN_HOME": str(tmp_path)})
    assert settings.name == "local"
    assert settings.home.landing == tmp_path / "landing"
    assert settings.home.warehouse.parent == tmp_path


def test_landing_of_the_command_line_wins(tmp_path: Path) -> None:
    env = {"SENDPLAN_HOME": str(tmp_path), "SENDPLAN_LANDING": "/elsewhere"}
    assert Settings.from_env(env, landing=tmp_path / "mine").home.landing == tmp_path / "mine"


def test_an_unknown_environment_names_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="SENDPLAN_ENV is 'prod'.*local, test, production"):
        Settings.from_env({"SENDPLAN_ENV": "prod"})


def test_a_mail_folder_without_messages_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"has no folder messages/; point it at"):
        Settings.from_env({"SENDPLAN_MAIL": str(tmp_path)})


@pytest.mark.parametrize(
    ("text", "message"),
    [("tomorrow", "'tomorrow' is not a date; write it as YYYY-MM-DD"), ("2025-07-06", "lies in the future")],
)
def test_a_day_that_cannot_be_planned_is_explained(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        plan_day(text, TODAY)
