"""Running a job to its end in this process, and what went wrong in words a person can use."""

from __future__ import annotations

import os
import re
import sys
import uuid
import warnings
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, redirect_stderr
from datetime import date
from pathlib import Path

import dagster as dg

from pipelines.alive import bury_dead_runs, held_while_alive, refuse_during_erasure
from pipelines.failures import RunFailedError

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

OnStep = Callable[[str, int, int], None]
"""Called with the name of the step at work, the number of steps done, and of all steps."""


def run_job(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    job: str,
    day: date | None,
    on_step: OnStep,
    done: AbstractSet[str] = frozenset(),
) -> dg.ExecuteInProcessResult:
    """Run one partition of a job and wait for it.

    Args:
        definitions: see `pipelines.definitions.build_defs`.
        instance: where the run is recorded.
        job: its name.
        day: the partition; None for a job without.
        on_step: told of every step.
        done: asset groups to leave out, because a run just before this one has made them.

    Raises:
        RunFailedError: a step failed or a blocking check did not pass.
        RunInProgressError: a person is being erased.
    """
    resolved = definitions.resolve_job_def(job)
    run_id = str(uuid.uuid4())
    graph = resolved.asset_layer.asset_graph
    keys = [
        key for key in resolved.asset_layer.executable_asset_keys if graph.get(key).group_name not in done
    ]
    steps = {graph.assets_def_for_key(key).op.name for key in keys}
    instance.add_event_listener(run_id, _follow(on_step, total=len(steps)))
    bury_dead_runs(instance)
    with held_while_alive(instance, run_id), _silent():
        refuse_during_erasure(instance)
        result = resolved.execute_in_process(
            partition_key=day.isoformat() if day else None,
            instance=instance,
            raise_on_error=False,
            run_config=QUIET,
            run_id=run_id,
            asset_selection=keys if done else None,
        )
    if not result.success:
        causes = "\n".join(_causes(result))
        raise RunFailedError(
            causes or f"run {run_id} of {job} failed; its log is in the UI: `sendplan ui dagster`"
        )
    return result


@contextmanager
def _silent() -> Iterator[None]:
    """Nothing is printed from here: dbt and libraries talk while they work. What matters is in the run's own log."""
    sys.stdout.flush()
    terminal = os.dup(1)
    with warnings.catch_warnings(), Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
        warnings.simplefilter("ignore")
        os.dup2(nowhere.fileno(), 1)
        try:
            yield
        finally:
            sys.stdout.flush()
            os.dup2(terminal, 1)
            os.close(terminal)


def _follow(on_step: OnStep, total: int) -> Callable[[dg.EventLogEntry], None]:
    done = 0

    def follow(entry: dg.EventLogEntry) -> None:
        nonlocal done
        event = entry.dagster_event
        if event is None or event.step_key is None:
            return
        if event.is_step_start:
            on_step(event.step_key, done, total)
        elif event.is_step_success:
            done += 1
            on_step(event.step_key, done, total)

    return follow


def _causes(result: dg.ExecuteInProcessResult) -> Iterator[str]:
    """One line per failed blocking check and per failed step, the innermost error first."""
    for event in result.all_events:
        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if not check.passed and check.blocking and check.severity == dg.AssetCheckSeverity.ERROR:
                yield f"{check.asset_key.to_user_string()}: check '{check.check_name}' failed: {check.description or ''}"
        elif event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            if error is not None and error.cls_name != "DagsterAssetCheckFailedError":
                # The message starts with the error's module and class, which tell a user nothing.
                text = re.sub(rf"^[\w.]*{error.cls_name}: ", "", error.message.strip())
                yield f"{event.step_key}: {text}"
