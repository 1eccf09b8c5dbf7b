"""Bad input as the user of `sendplan plan` meets it: one clear message with the place and the remedy, nothing lost.

What breaks a file stops the plan; what breaks a row goes to the quarantine and the plan goes on. Each kind of broken row
is in the landing folder of the shared shop. The contract's own messages are tested in `tests/unit`.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from command_line import Command, Said
from planned_shop import DAY, Shop

from pipelines.instance import open_instance
from pipelines.settings import PROJECT


@pytest.fixture
def copied(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A copy in which dbt cannot be started: what is wrong has to be found before."""

    def refuse(*_: object) -> None:
        raise RuntimeError("dbt was started")

    monkeypatch.setattr("assets.dbt.Dbt.run", refuse)
    monkeypatch.setattr("assets.dbt.Dbt.stream", refuse)
    return shop.copy(tmp_path / "copy", "warehouse*", "mlflow-artifacts", "truth")


Plan = Callable[..., Said]


@pytest.fixture
def plan(sendplan: Command, copied: Shop) -> Plan:
    """`plan(day, **variables)` on the copy."""
    return lambda day=DAY, **variables: sendplan("plan", "--date", day, home=copied.home.root, **variables)


def assert_failed(said: Said, *parts: str, lines: int = 1) -> None:
    """Failed with a message of so many lines that has all parts, and nothing that only a programmer can read."""
    assert (said.code, said.out) == (1, "")
    assert [part for part in parts if part not in said.err] == [], said.err
    assert len(said.err.strip().splitlines()) == lines, said.err
    assert "Traceback" not in said.err
    assert "Error:" not in said.err, said.err


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_broken_rows_are_set_apart_with_place_and_remedy(shop: Shop) -> None:
    quarantine = pl.read_parquet(shop.home.quarantine / "events.parquet").sort("file", "row_number")
    told = {
        (row["file"], row["row_number"]): row["reason"]
        for row in quarantine.iter_rows(named=True)
        if row["kind"] == "row"
    }
    assert (
        told[("events/bad.csv", 2)] == "event 'Order Complete' is not known; did you mean 'Order Completed'?"
    )
    assert "lies in the future" in told[("events/bad.csv", 3)]
    assert "before 1990-01-01" in told[("events/bad.csv", 4)]
    assert "less than 0" in told[("events/bad.csv", 5)]
    assert "good-2" in told[("events/bad.csv", 7)]
    assert "write one complete {...} on each line" in told[("events/bad.jsonl", 2)]
    assert "not valid UTF-8; save the file as UTF-8" in told[("events/bad_encoding.csv", 2)]
    assert len(told) == 7


def test_the_good_rows_among_them_are_kept(shop: Shop) -> None:
    events = pl.read_parquet(shop.home.raw / "events" / "*" / "events.parquet", hive_partitioning=False)
    ids = events["event_id"]
    assert ids.filter(ids.str.starts_with("good-")).sort().to_list() == [f"good-{n}" for n in range(1, 6)]
    assert ids.filter(ids.str.starts_with("bad-")).is_empty()
    assert events.filter(event_id="good-2")["customer_id"].to_list() == ["c000001"]


def test_broken_rows_are_counted_where_the_run_is_looked_at(shop: Shop) -> None:
    with open_instance(shop.home) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("raw_events"))
    assert event is not None
    assert event.asset_materialization is not None
    shown = {name: value.value for name, value in event.asset_materialization.metadata.items()}
    assert shown["rows_quarantined"] == 7
    assert shown["rows_read"] == shown["dagster/row_count"] + shown["duplicates"] + 7
    assert "events/bad.csv" in str(shown["quarantine"])


def test_unusable_files_stop_the_plan_and_are_all_named(plan: Plan, copied: Shop) -> None:
    events, raw = copied.home.landing / "events", copied.home.raw / "events"
    (events / "no_time.csv").write_text("event_id,event,occured_at\ne1,Page Viewed,2025-03-01\n")
    (events / "torn.parquet").write_bytes(b"PAR1 and then nothing")
    (events / "wide.csv").write_bytes("event_id,event,occurred_at\n".encode("utf-16"))
    landed, kept = contents(copied.home.landing), contents(raw)
    assert_failed(
        plan(),
        "events/no_time.csv: required column 'occurred_at' is missing; rename 'occured_at' to 'occurred_at'",
        "events/torn.parquet: the file is not readable as Parquet",
        "events/wide.csv: the file is UTF-16; save it as UTF-8 and deliver it again",
    )
    assert contents(copied.home.landing) == landed
    assert contents(raw) == kept


def test_too_many_broken_rows_stop_the_plan(plan: Plan, copied: Shop) -> None:
    rows = "".join(f"c{n},nobody at example\n" for n in range(40))
    (copied.home.landing / "customers").mkdir()
    (copied.home.landing / "customers" / "more.csv").write_text(f"customer_id,email\n{rows}")
    assert_failed(
        plan(), "40 of 341 rows are in quarantine, more than the 5% allowed", "quarantine/customers.parquet"
    )
    assert pl.read_parquet(copied.home.raw / "customers.parquet").height == 301


def test_an_empty_landing_folder_stops_the_plan(plan: Plan, copied: Shop) -> None:
    shutil.rmtree(copied.home.landing)
    copied.home.landing.mkdir()
    kept = contents(copied.home.raw)
    assert_failed(
        plan(),
        f"landing folder {copied.home.landing} is empty; put customers.* and events.* there",
        "or run `sendplan simulate`",
    )
    assert contents(copied.home.raw) == kept


def test_a_landing_folder_that_is_not_there_stops_the_plan(plan: Plan, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    assert_failed(plan(SENDPLAN_LANDING=str(nowhere)), f"landing folder {nowhere} does not exist; create it")


@pytest.mark.parametrize("day", ["1999-01-01", "2025-01-06"])
def test_a_day_before_all_data_stops_the_plan(plan: Plan, day: str) -> None:
    assert_failed(plan(day), "the first event is of 2025-01-06", "choose a day after 2025-01-06")


def mail_folder(tmp_path: Path, message: str, old: str, new: str) -> Path:
    """The shop's mail folder with one mistake in one message."""
    folder = tmp_path / "mail"
    shutil.copytree(PROJECT / "mail", folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    file = folder / "messages" / message
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))
    return folder


def test_an_unknown_field_in_a_message_stops_the_plan(plan: Plan, tmp_path: Path) -> None:
    folder = mail_folder(tmp_path, "win_back.yaml", "cool_down_days:", "cooldown_days:")
    said = plan(SENDPLAN_MAIL=str(folder))
    assert_failed(
        said, "win_back.yaml:8: unknown field 'cooldown_days'; did you mean 'cool_down_days'?", lines=2
    )
    assert "the field 'cool_down_days' is missing; add it" in said.err


def test_an_unknown_variable_in_a_template_stops_the_plan(plan: Plan, tmp_path: Path) -> None:
    folder = mail_folder(
        tmp_path, "win_back.yaml", "been a while, {{ first_name }}", "been a while, {{ firstname }}"
    )
    assert_failed(
        plan(SENDPLAN_MAIL=str(folder)), "win_back.yaml:23:", "'firstname'", "did you mean 'first_name'?"
    )


def test_a_mail_folder_without_messages_ends_with_2(plan: Plan, tmp_path: Path) -> None:
    said = plan(SENDPLAN_MAIL=str(tmp_path))
    assert said.code == 2
    assert "has no folder messages/; point it at a folder with messages/" in said.err
