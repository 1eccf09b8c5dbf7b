"""The raw assets inside Dagster: what they materialise, show and refuse."""

from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from assets.clock import FixedClock
from assets.home import Home
from assets.landing.contract import TABLES
from assets.raw import raw_key, raw_tables, unique_ids

NOW = datetime(2025, 6, 1, 12)
NEWEST = datetime(2025, 5, 30)
EVENTS = "event_id,event,occurred_at\n" + "".join(f"e{i},Page Viewed,2025-05-{i:02}\n" for i in range(1, 31))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home whose landing folder holds one customer and thirty events."""
    home = Home(tmp_path / "home", tmp_path / "landing")
    home.landing.mkdir()
    (home.landing / "customers.csv").write_text("customer_id,email\nc1,ann@example.org\n")
    (home.landing / "events.csv").write_text(EVENTS)
    return home


@dg.asset(deps=[raw_key("events")])
def after_raw() -> None:
    """Stands for everything that is made from the raw tables."""


def materialize(home: Home, *, raise_on_error: bool = True) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [raw_tables, after_raw],
        resources={"home": home, "clock": FixedClock(NOW)},
        raise_on_error=raise_on_error,
    )


def metadata_of(result: dg.ExecuteInProcessResult, table: str) -> dict:
    (event,) = [e for e in result.get_asset_materialization_events() if e.asset_key == raw_key(table)]
    return {key: value.value for key, value in event.materialization.metadata.items()}


def checks_of(result: dg.ExecuteInProcessResult, name: str) -> dict[str, dg.AssetCheckEvaluation]:
    return {
        evaluation.asset_key.to_user_string(): evaluation
        for evaluation in result.get_asset_check_evaluations()
        if evaluation.check_name == name
    }


def test_good_input_passes_all_checks_and_shows_its_counts(home: Home) -> None:
    result = materialize(home)
    assert all(check.passed for check in result.get_asset_check_evaluations())
    assert len(result.get_asset_check_evaluations()) == 2 * len(TABLES) + 1
    shown = metadata_of(result, "events")
    assert (shown["dagster/row_count"], shown["files_read"], shown["first_occurred_at"]) == (
        30,
        1,
        "2025-05-01T00:00:00",
    )
    assert len(shown["days_written"]) == 30
    assert "| occurred_at | 30" in " ".join(shown["preview"].split())
    assert "products is absent" in " ".join(shown["warnings"])
    assert metadata_of(materialize(home), "events")["files_read"] == 0


def test_the_preview_shows_no_personal_data(home: Home) -> None:
    shown = metadata_of(materialize(home), "customers")
    assert "| email | 1 | 1.0 |" in " ".join(shown["preview"].split())
    assert "c1" not in shown["preview"]
    assert "ann" not in shown["preview"]


def test_every_asset_carries_the_contract_as_its_column_schema() -> None:
    for name, table in TABLES.items():
        schema = raw_tables.metadata_by_key[raw_key(name)]["dagster/column_schema"]
        assert [column.name for column in schema.columns] == list(table.names)
        assert all(column.description for column in schema.columns)


@pytest.mark.parametrize(("days_later", "passed"), [(3, True), (3.1, False), (0, True)])
def test_events_that_no_longer_arrive_warn_and_stop_nothing(
    home: Home, days_later: float, passed: bool
) -> None:
    result = dg.materialize(
        [raw_tables, after_raw],
        resources={"home": home, "clock": FixedClock(NEWEST + timedelta(days=days_later))},
    )
    check = checks_of(result, "events_are_fresh")["raw_events"]
    assert (check.passed, check.severity) == (passed, dg.AssetCheckSeverity.WARN)
    assert passed or "of 2025-05-30 00:00 UTC, 3.1 days ago, more than the 3 allowed" in (
        check.description or ""
    )
    assert dg.AssetKey("after_raw") in {e.asset_key for e in result.get_asset_materialization_events()}


def test_how_long_a_silence_is_borne_is_configuration(home: Home) -> None:
    result = dg.materialize(
        [raw_tables],
        resources={"home": home, "clock": FixedClock(NEWEST + timedelta(days=20))},
        run_config={"ops": {"raw": {"config": {"max_silent_days": 30}}}},
    )
    assert checks_of(result, "events_are_fresh")["raw_events"].passed


def test_a_few_bad_rows_warn_and_the_run_goes_on(home: Home) -> None:
    (home.landing / "events.csv").write_text(EVENTS + "b1,Nothing,2025-05-01\n")
    result = materialize(home)
    check = checks_of(result, "within_contract")["raw_events"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.description == "1 rows and 0 single values are in quarantine; see quarantine/events.parquet"
    assert "unknown value" in metadata_of(result, "events")["quarantine"]
    assert dg.AssetKey("after_raw") in {e.asset_key for e in result.get_asset_materialization_events()}


def test_a_few_bad_rows_of_a_small_file_stop_nothing(home: Home) -> None:
    (home.landing / "events.csv").write_text(
        EVENTS + "".join(f"b{i},Nothing,2025-05-01\n" for i in range(20))
    )
    check = checks_of(materialize(home), "within_contract")["raw_events"]
    assert check.severity == dg.AssetCheckSeverity.WARN


def test_many_bad_rows_stop_the_run(home: Home) -> None:
    (home.landing / "events.csv").write_text(
        EVENTS + "".join(f"b{i},Nothing,2025-05-01\n" for i in range(30))
    )
    result = materialize(home, raise_on_error=False)
    check = checks_of(result, "within_contract")["raw_events"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "30 of 60 rows are in quarantine, more than the 5% allowed" in (check.description or "")
    assert dg.AssetKey("after_raw") not in {e.asset_key for e in result.get_asset_materialization_events()}


def test_an_unusable_file_stops_the_run_and_is_named(home: Home) -> None:
    (home.landing / "events").mkdir()
    (home.landing / "events" / "broken.parquet").write_bytes(b"no parquet")
    result = materialize(home, raise_on_error=False)
    check = checks_of(result, "within_contract")["raw_events"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert (check.description or "").startswith("events/broken.parquet: the file is not readable as Parquet")
    assert not result.success


def test_repeated_rows_in_a_raw_table_are_an_error(home: Home) -> None:
    twice = pl.LazyFrame({"product_id": ["p1", "p1"], "updated_at": [None, None]})
    check = unique_ids(TABLES["products"], twice)
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert check.description == "1 rows repeat the product_id, updated_at"


def test_an_empty_landing_folder_fails_with_the_remedy(home: Home) -> None:
    for path in home.landing.iterdir():
        path.unlink()
    result = materialize(home, raise_on_error=False)
    (failure,) = [event for event in result.all_node_events if event.is_step_failure]
    assert "is empty; put customers.* and events.* there" in str(failure.event_specific_data)
