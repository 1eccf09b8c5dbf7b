"""A run whose process is killed holds nothing up: the next one frees its pool slot and goes on."""

import os
import signal
import subprocess
import sys
import textwrap
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from assets.home import Home
from assets.partitions import daily
from pipelines.alive import bury_dead_runs, held_while_alive
from pipelines.instance import open_instance
from pipelines.runs import run_job

DAY = date(2025, 7, 5)
VICTIM = textwrap.dedent("""
    import os, signal, sys
    sys.path.insert(0, {tests!r})
    from test_killed_runs import run
    run({root!r}, lambda: os.kill(os.getpid(), signal.SIGKILL))
""")


def run(root: str, body) -> bool:
    """One run of a job whose only step is in pool duckdb."""

    @dg.asset(pool="duckdb", partitions_def=daily)
    def table() -> None:
        body()

    definitions = dg.Definitions(
        assets=[table], jobs=[dg.define_asset_job("job", selection=[table], partitions_def=daily)]
    )
    with open_instance(Home(Path(root), Path(root))) as instance:
        return run_job(definitions, instance, "job", DAY, lambda *_: None).success


def test_the_next_run_goes_on_and_the_dead_one_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", os.environ.get("DAGSTER_HOME", ""))
    code = VICTIM.format(tests=str(Path(__file__).parent), root=str(tmp_path))
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert run(str(tmp_path), lambda: None)
    with open_instance(Home(tmp_path, tmp_path)) as instance:
        statuses = sorted(record.dagster_run.status.value for record in instance.get_run_records())
    assert statuses == ["FAILURE", "SUCCESS"]


def test_a_living_run_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", os.environ.get("DAGSTER_HOME", ""))
    with open_instance(Home(tmp_path, tmp_path)) as instance:
        with held_while_alive(instance, "living"):
            assert bury_dead_runs(instance) == []
        assert bury_dead_runs(instance) == []
