"""The event log that keeps its connections: what it writes is what Dagster's own class reads, and it lets go of files."""

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from assets.home import Home
from pipelines.event_log import MAX_OPEN, OpenEventLog
from pipelines.instance import open_instance


@dg.asset(check_specs=[dg.AssetCheckSpec("has_rows", asset="numbers")])
def numbers() -> dg.MaterializeResult:
    """Some rows."""
    return dg.MaterializeResult(metadata={"rows": 3}, check_results=[dg.AssetCheckResult(passed=True)])


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home", tmp_path / "landing")


def test_a_run_is_read_by_dagsters_own_class(home: Home) -> None:
    with open_instance(home) as instance:
        assert isinstance(instance.event_log_storage, OpenEventLog)
        done = dg.materialize([numbers], instance=instance)
        ours = instance.all_logs(done.run_id)
        known = instance.get_latest_materialization_event(dg.AssetKey("numbers"))
    theirs = SqliteEventLogStorage(str(home.dagster / "history" / "runs"))
    assert known is not None and known.run_id == done.run_id
    assert len(ours) > 10
    assert [entry.message for entry in theirs.get_logs_for_run(done.run_id)] == [e.message for e in ours]


def test_another_instance_sees_each_event_as_soon_as_it_is_written(home: Home) -> None:
    with open_instance(home) as writer, open_instance(home) as reader:
        for _ in range(2):
            done = dg.materialize([numbers], instance=writer)
            assert reader.all_logs(done.run_id) == writer.all_logs(done.run_id)


def test_few_files_stay_open_and_none_after_the_end(home: Home) -> None:
    with open_instance(home) as instance:
        log = instance.event_log_storage
        assert isinstance(log, OpenEventLog)
        runs = [dg.materialize([numbers], instance=instance).run_id for _ in range(MAX_OPEN + 2)]
        assert len(log._engines) == MAX_OPEN
        assert {len(instance.all_logs(run)) for run in runs} == {len(instance.all_logs(runs[0]))}
        log.wipe()
        assert not instance.all_logs(runs[0])
    assert not log._engines
