"""forget and subject-export as commands: what they refuse, what they say, and what runs beside them."""

import json
from pathlib import Path

import polars as pl
import pytest
from command_line import Command
from erasure_home import build

from assets.home import Home
from assets.privacy.journal import Journal
from assets.privacy.person import Person
from pipelines.alive import RunInProgressError, held_while_alive, no_run_at_work, refuse_during_erasure
from pipelines.instance import open_instance


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return build(tmp_path / "home")


def test_forget_reports_as_json_whom_and_what(sendplan: Command, home: Home) -> None:
    said = sendplan("forget", "c-17", "--yes", "--json", home=home.root)
    assert said.code == 0
    assert (said.json["same_person"], said.json["left"], said.json["is_already_done"]) == (
        ["c-18"],
        [],
        False,
    )
    again = sendplan("forget", "c-17", "--yes", "--json", home=home.root)
    assert (again.code, again.json["is_already_done"], again.json["rows_removed"]) == (0, True, 0)
    assert again.json["erased_at"] == said.json["erased_at"]


def test_forget_says_who_is_meant_and_names_what_is_left(sendplan: Command, home: Home) -> None:
    (home.landing / "events" / "cut.parquet").write_bytes(b"PAR1")
    said = sendplan("forget", "c-17", "--yes", home=home.root)
    assert said.code == 1
    assert "Customer c-17, with the same e-mail address also c-18." in said.out
    assert "landing/events/cut.parquet" in said.out
    assert "deliver it again, or delete it, and run again" in said.out
    assert sendplan("doctor", "--json", home=home.root).json["erasures"]["remedy"] == (
        "finish it with: sendplan forget c-17"
    )


def test_nothing_is_erased_unasked(sendplan: Command, home: Home) -> None:
    for more in ((), ("--json",)):
        said = sendplan("forget", "c-17", *more, home=home.root)
        assert (said.code, said.out) == (2, "")
        assert "add --yes" in said.err
    assert "c-17" in pl.read_parquet(home.raw / "customers.parquet")["customer_id"]


def test_forget_waits_for_no_run_and_no_run_starts_beside_it(sendplan: Command, home: Home) -> None:
    with open_instance(home) as instance:
        with held_while_alive(instance, "at-work"):
            said = sendplan("forget", "c-17", "--yes", home=home.root)
            assert said.code == 1
            assert "run at-work is at work; wait until it has ended" in said.err
        refuse_during_erasure(instance)
        with no_run_at_work(instance), pytest.raises(RunInProgressError, match="a person is being erased"):
            refuse_during_erasure(instance)
    assert Journal.unfinished(home) == []
    assert sendplan("forget", "c-17", "--yes", home=home.root).code == 0


def test_an_unfinished_erasure_of_another_stops_none(sendplan: Command, home: Home) -> None:
    Journal(person=Person(ids=frozenset({"c-2"})), started_at="2025-06-01T12:00:00").save(home)
    assert sendplan("forget", "c-17", "--yes", home=home.root).code == 0
    (waiting,) = Journal.unfinished(home)
    assert waiting.person.ids == {"c-2"}
    assert "sendplan forget c-2" in sendplan("doctor", home=home.root).out
    assert sendplan("forget", "c-2", "--yes", home=home.root).code == 0
    assert Journal.unfinished(home) == []


def test_an_empty_home_holds_nobody(sendplan: Command, tmp_path: Path) -> None:
    said = sendplan("forget", "c-17", "--yes", home=tmp_path / "nothing")
    assert said.code == 1
    assert "check SENDPLAN_HOME and --landing" in said.err


def test_subject_export_gives_all_that_is_held(sendplan: Command, home: Home, tmp_path: Path) -> None:
    file = tmp_path / "joe.json"
    assert sendplan("subject-export", "c-17", "--to", file, home=home.root).code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    held = json.loads(file.read_text())
    assert [row["email"] for row in held["profile"]] == ["Joe@Example.org", "joe@example.ORG"]
    events = held["site_events_and_orders"] + held["messages_and_responses"]
    assert {row["event_id"] for row in events} == {"e1", "e2", "e3", "e6", "e7", "e8", "e9"}
    assert [row["subject"] for row in held["plans"]] == ["Joe, look"]
    assert [row["rule"] for row in held["rows_that_broke_the_contract"]] == ["unknown value"]
    assert sendplan("forget", "c-17", "--yes", home=home.root).code == 0
    assert not file.exists()
