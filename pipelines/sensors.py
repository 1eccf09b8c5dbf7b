"""What starts a run because something happened: new files in the landing folder."""

import hashlib
from pathlib import Path

import dagster as dg

from assets.clock import Clock
from assets.home import Home
from pipelines.jobs import daily_plan


@dg.sensor(
    job=daily_plan,
    minimum_interval_seconds=60,
    description="Plans today again when the landing folder has changed and has been quiet since the last look.",
)
def landing_sensor(
    context: dg.SensorEvaluationContext, home: dg.ResourceParam[Home], clock: dg.ResourceParam[Clock]
) -> dg.SensorResult | dg.SkipReason:
    """One run per state of the landing folder.

    The cursor is `<last state seen>|<last state run>`. A state is run when two looks in a row find it, so that
    a file still being copied is not read half-way.
    """
    seen, _, done = (context.cursor or "|").partition("|")
    state = landing_state(home.landing)
    if state is None:
        return dg.SkipReason(f"{home.landing} holds no files yet")
    if state == done:
        return dg.SkipReason("nothing new in the landing folder")
    if state != seen:
        return dg.SensorResult(
            skip_reason="the landing folder has changed; waiting for it to be quiet", cursor=f"{state}|{done}"
        )
    day = clock.now().date().isoformat()
    return dg.SensorResult(
        run_requests=[dg.RunRequest(run_key=f"{day}-{state}", partition_key=day)], cursor=f"{state}|{state}"
    )


def landing_state(landing: Path) -> str | None:
    """A short name for what lies in the folder (paths, sizes, times of change), or None where there is nothing."""
    files = sorted(p for p in landing.rglob("*") if p.is_file() and not p.name.startswith("."))
    if not files:
        return None
    digest = hashlib.sha256()
    for file in files:
        status = file.stat()
        digest.update(f"{file.relative_to(landing)}|{status.st_size}|{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
