"""The environment, read once: which home folder, which landing folder, how large the machine's share is.

Nothing else in the project reads environment variables, but for those that dbt and Dagster read themselves
(`SENDPLAN_WAREHOUSE` and its like in `assets.dbt.environment`, `DAGSTER_HOME`), which are set from here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from assets.clock import Clock
from assets.history import FIRST_DAY
from assets.home import Home
from pipelines.shops import home_of_shop, remembered_landing

PROJECT = Path(__file__).parent.parent
DBT_PROJECT = PROJECT / "dbt_project"


UNFIT = "'\"*?[]{}"
"""Characters that mean something else in SQL or in a file pattern."""


class SettingsError(ValueError):
    """An environment variable is wrong; the message names it, its value and the remedy."""


@dataclass(frozen=True)
class Environment:
    """What differs between places where Sendplan runs.

    Attributes:
        executor: "in_process" runs a job's steps one after the other in one process, which saves the imports
            of each step (some 10 s on two cores); "multiprocess" runs independent steps side by side.
        duckdb_memory: DuckDB's memory limit, in its own notation.
        duckdb_threads: threads of dbt and DuckDB.
    """

    executor: Literal["in_process", "multiprocess"]
    duckdb_memory: str
    duckdb_threads: int


ENVIRONMENTS: Mapping[str, Environment] = {
    "local": Environment(executor="in_process", duckdb_memory="1GB", duckdb_threads=2),
    "test": Environment(executor="in_process", duckdb_memory="1GB", duckdb_threads=2),
    "production": Environment(executor="multiprocess", duckdb_memory="8GB", duckdb_threads=4),
}


@dataclass(frozen=True)
class Settings:
    """The settings of one process.

    Attributes:
        name: the environment's name, a key of `ENVIRONMENTS`.
        environment: what it stands for.
        home: the folders.
        mail: the folder with `messages/`, `offers.yaml` and `policy.yaml`.
    """

    name: str
    environment: Environment
    home: Home
    mail: Path

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None, landing: Path | None = None) -> Settings:
        """Read the settings.

        Args:
            env: the variables; `os.environ` when absent. Read are `SENDPLAN_ENV` (default local), `SENDPLAN_HOME`
                (default ./data), `SENDPLAN_LANDING` (default: the one the home belongs to, else HOME/landing) and
                `SENDPLAN_MAIL` (default mail/).
            landing: the landing folder, over that of the environment.

        Raises:
            SettingsError: an unknown environment, or a mail folder that is not there.
        """
        env = os.environ if env is None else env
        name = env.get("SENDPLAN_ENV", "local")
        if name not in ENVIRONMENTS:
            raise SettingsError(
                f"SENDPLAN_ENV is '{name}', which is no environment; set it to one of: {', '.join(ENVIRONMENTS)}"
            )
        home_text = env.get("SENDPLAN_HOME", "data")
        if any(character in home_text for character in UNFIT):
            raise SettingsError(
                f"SENDPLAN_HOME is '{home_text}', and the paths below it stand in SQL and in file patterns; "
                f"choose a folder without any of {' '.join(UNFIT)}"
            )
        root = Path(home_text).expanduser().resolve()
        where = landing or env.get("SENDPLAN_LANDING") or remembered_landing(root) or root / "landing"
        mail = Path(env.get("SENDPLAN_MAIL", PROJECT / "mail")).expanduser().resolve()
        if not (mail / "messages").is_dir():
            raise SettingsError(
                f"SENDPLAN_MAIL is '{mail}', which has no folder messages/; point it at a folder with messages/, "
                "offers.yaml and policy.yaml, or unset it"
            )
        return cls(name, ENVIRONMENTS[name], home_of_shop(root, Path(where).expanduser().resolve()), mail)


def default_landing(env: Mapping[str, str] | None = None) -> Path:
    """The landing folder of the environment, whatever the home has been used with."""
    env = os.environ if env is None else env
    return Path(env.get("SENDPLAN_LANDING") or Path(env.get("SENDPLAN_HOME", "data")) / "landing")


def today() -> date:
    """The present day, UTC."""
    return Clock().now().date()


def plan_day(text: str, now: date) -> date:
    """A plan or training date from the command line.

    Raises:
        SettingsError: not a date of the form YYYY-MM-DD, or after today, for which nothing can be known yet.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise SettingsError(
            f"'{text}' is not a date; write it as YYYY-MM-DD, for example 2025-07-05"
        ) from None
    if day < FIRST_DAY:
        raise SettingsError(
            f"{day} lies before {FIRST_DAY}, the first day of the calendar; choose a later day"
        )
    if day > now:
        raise SettingsError(f"{day} lies in the future (today is {now}, UTC); choose {now} or an earlier day")
    return day
