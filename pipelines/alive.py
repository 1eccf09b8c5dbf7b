"""Runs whose process died. A killed process says nothing, and Dagster would keep its run and its pool slots for ever.

A run of the command line holds a lock on a file of its own while it lives; the system lets go of it when the process ends,
however it ends. A file that nobody holds is a run that died.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

SUFFIX = ".run"
ERASURE = "erasure"
"""Stands in the place of a run id while a person is erased."""

AT_WORK = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


class RunInProgressError(RuntimeError):
    """Something was asked for that must not happen while a run is at work."""


@contextmanager
def held_while_alive(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Mark a run as living for as long as this block, or this process, lasts."""
    path = _folder(instance) / f"{run_id}{SUFFIX}"
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".new")
    with aside.open("w") as file:
        # Named only when locked, so that nobody finds it free before.
        fcntl.flock(file, fcntl.LOCK_EX)
        aside.rename(path)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def bury_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Report runs whose process has died as failed, and free what they held.

    Returns:
        Their run ids.
    """
    dead = [path for path in sorted(_folder(instance).glob(f"*{SUFFIX}")) if _is_free(path)]
    for path in dead:
        run = instance.get_run_by_id(path.stem)
        if run is not None and not run.is_finished:
            instance.report_run_failed(run, "its process was killed; running again finishes the work")
        instance.event_log_storage.free_concurrency_slots_for_run(path.stem)
        path.unlink(missing_ok=True)
    return [path.stem for path in dead]


@contextmanager
def no_run_at_work(instance: dg.DagsterInstance) -> Iterator[None]:
    """Keep runs of the command line from starting in this block.

    Raises:
        RunInProgressError: a run is at work already; runs whose process died do not count.
    """
    bury_dead_runs(instance)
    with held_while_alive(instance, ERASURE):
        marks = sorted(_folder(instance).glob(f"*{SUFFIX}"))
        living = [path.stem for path in marks if path.stem != ERASURE and not _is_free(path)]
        living += [run.run_id for run in instance.get_runs(dg.RunsFilter(statuses=AT_WORK), limit=1)]
        if living:
            raise RunInProgressError(
                f"run {living[0]} is at work; wait until it has ended, or terminate it in `sendplan ui dagster`"
            )
        yield


def refuse_during_erasure(instance: dg.DagsterInstance) -> None:
    """Raises `RunInProgressError` while a person is being erased: a run would read what is about to go."""
    mark = _folder(instance) / f"{ERASURE}{SUFFIX}"
    if mark.exists() and not _is_free(mark):
        raise RunInProgressError("a person is being erased; wait until `sendplan forget` has ended")


def _is_free(path: Path) -> bool:
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):
        return False
    return True


def _folder(instance: dg.DagsterInstance) -> Path:
    return Path(instance.root_directory) / "alive"
