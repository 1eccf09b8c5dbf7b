"""What starts a run because something happened: new files in the landing folder, models newly trained, drift."""

import hashlib
from datetime import date, timedelta
from pathlib import Path

import dagster as dg

from assets.clock import Clock
from assets.drift import CHAMPION, CHECK_KEYS, DAY, STATE
from assets.home import Home
from assets.partitions import training_week
from assets.registry import Registry
from assets.training import QUESTIONS
from pipelines.jobs import daily_plan, landing_check, weekly_training

N_VERDICTS = 50
"""How many of a check's newest verdicts are looked at: days may be planned again."""


@dg.sensor(
    jobs=[landing_check, weekly_training, daily_plan],
    minimum_interval_seconds=60,
    description="When the landing folder has changed and is quiet: trains where no model is, plans today where no plan "
    "is, and else checks what has come in.",
)
def landing_sensor(
    context: dg.SensorEvaluationContext,
    home: dg.ResourceParam[Home],
    clock: dg.ResourceParam[Clock],
    registry: dg.ResourceParam[Registry],
) -> dg.SensorResult | dg.SkipReason:
    """One run per state of the landing folder.

    The cursor is `<last state seen>|<last state run>`. A state is run when two looks in a row find it, so that a file still
    being copied is not read half-way. A plan that is published is not made again: its first mails may have gone out.
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
    today = clock.now().date()
    job, key = "landing_check", None
    if any(registry.champion(question, today) is None for question in QUESTIONS):
        job, key = "weekly_training", training_week(today).isoformat()
    elif not _is_planned(home, today.isoformat()):
        job, key = "daily_plan", today.isoformat()
    request = dg.RunRequest(run_key=f"{today}-{state}", partition_key=key, job_name=job)
    return dg.SensorResult(run_requests=[request], cursor=f"{state}|{state}")


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[weekly_training],
    request_job=daily_plan,
    description="Plans today with the models just trained, where today has no plan yet.",
)
def training_sensor(
    context: dg.RunStatusSensorContext, home: dg.ResourceParam[Home], clock: dg.ResourceParam[Clock]
) -> dg.RunRequest | dg.SkipReason:
    """The plan follows the training of its week, however long that took."""
    today = clock.now().date().isoformat()
    if context.partition_key != training_week(clock.now().date()).isoformat():
        return dg.SkipReason("another week's models have been trained")
    if _is_planned(home, today):
        return dg.SkipReason(f"{today} is planned already")
    return dg.RunRequest(run_key=today, partition_key=today)


def _is_planned(home: Home, day: str) -> bool:
    return (home.plans / f"plan_date={day}" / "send_plan.parquet").exists()


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


@dg.sensor(
    job=weekly_training,
    minimum_interval_seconds=600,
    description="When the checks of two days in a row say that the shop is no longer the one the models learnt from: trains "
    "for this week, where this week has no models yet.",
)
def drift_sensor(
    context: dg.SensorEvaluationContext,
    clock: dg.ResourceParam[Clock],
    registry: dg.ResourceParam[Registry],
) -> dg.RunRequest | dg.SkipReason:
    """One run per week at most.

    Models of a week learn from everything before its Monday. Where this week has its models there is nothing newer
    to learn from until the next Monday, when training is due anyway: the sensor matters where training is paused,
    has failed, or is not weekly.
    """
    today = clock.now().date()
    week = training_week(today)
    drifted = drifted_questions(context.instance, today)
    if not drifted:
        return dg.SkipReason("no model has drifted on the two newest planned days in a row")
    named = ", ".join(drifted)
    if all(registry.at_week(question, week) is not None for question in QUESTIONS):
        return dg.SkipReason(
            f"{named} drifted, but the models of the week of {week} have learnt from everything before it; "
            f"there is more to learn from on {week + timedelta(days=7)}"
        )
    return dg.RunRequest(
        run_key=f"drift-{week}", partition_key=week.isoformat(), tags={"sendplan/drift": named}
    )


def drifted_questions(instance: dg.DagsterInstance, today: date) -> list[str]:
    """Score tables of which a drift check was in alarm yesterday and today, or on the two days before: the two newest days
    checked must follow one another, the newer one be no older than yesterday, and both be compared with one champion.
    """
    drifted = set()
    for key in CHECK_KEYS:
        states = _states_by_day(instance, key)
        newest = max((day for day in states if day <= today), default=None)
        if newest is None or newest < today - timedelta(days=1):
            continue
        now, before = states[newest], states.get(newest - timedelta(days=1))
        if now[0] == "alarm" and now == before:
            drifted.add(key.asset_key.to_user_string())
    return sorted(drifted)


def _states_by_day(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> dict[date, tuple[str, str]]:
    """The newest verdict of a drift check per plan date, as (state, champion)."""
    states: dict[date, tuple[str, str]] = {}
    for record in instance.event_log_storage.get_asset_check_execution_history(key, limit=N_VERDICTS):
        event = record.event.dagster_event if record.event else None
        if event is None or event.event_type != dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            continue
        said = event.asset_check_evaluation_data.metadata
        day = date.fromisoformat(str(said[DAY].value))
        states.setdefault(day, (str(said[STATE].value), str(said[CHAMPION].value)))
    return states
