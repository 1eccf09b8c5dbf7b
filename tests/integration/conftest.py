"""The shop that the tests of the whole product share, planned once; and its copy, planned twice more."""

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from mail_folder import without_limit
from planned_shop import DAY, LATER, Shop, land_answers, simulated

QUERY = "select count(*), count(distinct plan_date || customer_id), count(explanation) from send_plan"


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The shop, trained and planned for `DAY`. Read-only; `shop.copy` gives one to change."""
    shop = simulated(tmp_path_factory.mktemp("shop"))
    shop.train_and_plan()
    return shop


@pytest.fixture(scope="session")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    """The definitions on a home folder in which nothing has been made."""
    shop = Shop.at(tmp_path_factory.mktemp("definitions"))
    without_limit(shop.mail)
    return shop.definitions()


@dataclass(frozen=True)
class Replanned:
    """A copy of the shop, planned by the command line for `LATER` and then, its files gone, for `DAY` again.

    Attributes:
        shop: the copy.
        code: exit code of either command.
        later: what the first printed, with --json.
        again: what the second printed.
        answers: what queries on marketing.duckdb returned while the first command ran.
        failures: the errors of such queries.
    """

    shop: Shop
    code: tuple[int, int]
    later: str
    again: str
    answers: list[tuple[int, int, int]]
    failures: list[str]


@pytest.fixture(scope="session")
def replanned(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Replanned:
    """Two commands in other processes, the first while somebody reads the marketer's database.

    Some mails of the first plan have been answered, which the plan of the same day must not know.
    """
    root = tmp_path_factory.mktemp("replanned")
    copy = shop.copy(root / "home")
    land_answers(copy)
    answers, failures = [], []
    first = copy.start(root / "first", "plan", "--date", LATER, "--json")
    for answer in _asked_while(first, copy.home.marketing):
        (failures if isinstance(answer, str) else answers).append(answer)
    copy.remove(DAY)
    second = copy.start(root / "second", "plan", "--date", DAY)
    code = (first.wait(), second.wait())
    return Replanned(
        shop=copy,
        code=code,
        later=(root / "first.out").read_text(),
        again=(root / "second.out").read_text(),
        answers=answers,
        failures=failures,
    )


def _asked_while(process: "subprocess.Popen[bytes]", database: Path) -> Iterator[tuple[int, int, int] | str]:
    """The answer to a query, or the error, twenty times a second until the process ends."""
    while process.poll() is None:
        try:
            with duckdb.connect(str(database), read_only=True) as connection:
                yield from connection.execute(QUERY).fetchall()
        except duckdb.Error as error:
            yield str(error)
        time.sleep(0.05)
