"""What starts runs by itself: two calendars and new files in the landing folder."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context

from assets.clock import FixedClock
from assets.drift import CHECK_KEYS, PARTS, STATE, WATCHES, drift_checks, drift_result, unknown_result
from assets.home import Home
from assets.partitions import daily, weekly
from pipelines.schedules import daily_plan_schedule, weekly_training_schedule
from pipelines.sensors import drift_sensor, landing_sensor, training_sensor

NOW = datetime(2025, 7, 2, 15)


class Models:
    """A registry that knows of one thing: since when there are models."""

    def __init__(self, since: date = date.min) -> None:
        self.since = since

    def champion(self, question: str, as_of: date) -> str | None:
        return f"{question}@w{self.since}" if as_of >= self.since else None

    def at_week(self, question: str, week: date) -> str | None:
        return f"{question}@w{week}" if week == self.since else None


def tick(definitions: dg.Definitions, schedule: dg.ScheduleDefinition, at: datetime) -> dg.RunRequest:
    """The one run that a schedule asks for at a time, on a home with models."""
    context = dg.build_schedule_context(
        scheduled_execution_time=at.replace(tzinfo=UTC),
        repository_def=definitions.get_repository_def(),
        resources={"registry": Models()},
    )
    data = schedule.evaluate_tick(context)
    (request,) = data.run_requests or []
    return request


def test_the_daily_schedule_plans_the_day_that_has_just_begun(definitions: dg.Definitions) -> None:
    request = tick(definitions, daily_plan_schedule, datetime(2025, 7, 2, 0, 30))
    assert (request.partition_key, request.run_key) == ("2025-07-02", "2025-07-02")
    with partition_loading_context(datetime(2025, 7, 2, 0, 30, tzinfo=UTC)):
        assert daily.get_last_partition_key() == "2025-07-02"


def test_nothing_is_planned_before_anything_is_trained(definitions: dg.Definitions) -> None:
    context = dg.build_schedule_context(
        scheduled_execution_time=datetime(2025, 7, 2, 0, 30, tzinfo=UTC),
        repository_def=definitions.get_repository_def(),
        resources={"registry": Models(since=date(2025, 7, 7))},
    )
    data = daily_plan_schedule.evaluate_tick(context)
    assert not data.run_requests
    assert "run weekly_training, the plan follows it" in (data.skip_message or "")


def test_the_weekly_schedule_trains_for_the_week_that_has_just_begun(definitions: dg.Definitions) -> None:
    request = tick(definitions, weekly_training_schedule, datetime(2025, 6, 30, 0, 5))
    assert (request.partition_key, request.run_key) == ("2025-06-30", "2025-06-30")
    with partition_loading_context(datetime(2025, 6, 30, 0, 5, tzinfo=UTC)):
        assert weekly.get_last_partition_key() == "2025-06-30"


@pytest.mark.parametrize(
    ("schedule", "job"),
    [(daily_plan_schedule, "daily_plan"), (weekly_training_schedule, "weekly_training")],
)
def test_schedules_run_in_utc(schedule: dg.ScheduleDefinition, job: str) -> None:
    assert (schedule.job_name, schedule.execution_timezone) == (job, "UTC")


def test_models_are_trained_before_the_plan_of_their_day() -> None:
    minute, hour, _, _, weekday = weekly_training_schedule.cron_schedule.split()
    assert weekday == "1"
    plan_minute, plan_hour, *_ = daily_plan_schedule.cron_schedule.split()
    assert (int(hour), int(minute)) < (int(plan_hour), int(plan_minute))
    assert int(plan_hour) < 2


class Watch:
    """The landing sensor, looked at again and again as the daemon does."""

    def __init__(self, home: Home, definitions: dg.Definitions) -> None:
        self.home = home
        self.repository = definitions.get_repository_def()
        self.cursor: str | None = None
        self.models = Models()

    def look(self, at: datetime = NOW) -> list[dg.RunRequest]:
        """One tick; what it asks for. The cursor is carried on."""
        context = dg.build_sensor_context(
            cursor=self.cursor,
            resources={"home": self.home, "clock": FixedClock(at), "registry": self.models},
            repository_def=self.repository,
        )
        data = landing_sensor.evaluate_tick(context)
        self.cursor, self.said = data.cursor, data.skip_message
        return list(data.run_requests or [])


@pytest.fixture
def watch(tmp_path: Path, definitions: dg.Definitions) -> Watch:
    home = Home(tmp_path, tmp_path / "landing")
    home.landing.mkdir()
    return Watch(home, definitions)


def test_an_empty_landing_folder_starts_nothing(watch: Watch) -> None:
    assert watch.look() == watch.look() == []
    assert watch.said == f"{watch.home.landing} holds no files yet"


def test_a_landing_folder_that_is_not_there_starts_nothing(watch: Watch) -> None:
    watch.home.landing.rmdir()
    assert watch.look() == []


def test_new_files_start_one_run_once_they_are_quiet(watch: Watch) -> None:
    (watch.home.landing / "events.csv").write_text("event_id,event,occurred_at\n")
    assert watch.look() == []
    assert "waiting for it to be quiet" in (watch.said or "")
    (request,) = watch.look()
    assert (request.job_name, request.partition_key) == ("daily_plan", "2025-07-02")
    assert request.run_key is not None
    assert request.run_key.startswith("2025-07-02-")
    assert watch.look() == []
    assert watch.said == "nothing new in the landing folder"


def test_a_file_still_growing_is_waited_for(watch: Watch) -> None:
    file = watch.home.landing / "events.csv"
    for lines in range(1, 4):
        file.write_text("event_id,event,occurred_at\n" * lines)
        assert watch.look() == []
    assert len(watch.look()) == 1


def test_a_changed_file_starts_another_run(watch: Watch) -> None:
    file = watch.home.landing / "events.csv"
    file.write_text("one")
    watch.look()
    (first,) = watch.look()
    file.write_text("another")
    assert watch.look() == []
    (second,) = watch.look()
    assert first.run_key != second.run_key
    assert watch.look() == []


def test_hidden_files_are_no_news(watch: Watch) -> None:
    (watch.home.landing / ".events.csv.part").write_text("half")
    assert watch.look() == watch.look() == []


def test_without_models_training_comes_first(watch: Watch) -> None:
    watch.models = Models(since=date.max)
    (watch.home.landing / "events.csv").write_text("one")
    watch.look()
    (request,) = watch.look()
    assert (request.job_name, request.partition_key) == ("weekly_training", "2025-06-30")


def published(home: Home, day: str) -> None:
    folder = home.plans / f"plan_date={day}"
    folder.mkdir(parents=True)
    (folder / "send_plan.parquet").touch()


def test_a_published_plan_is_not_made_again_while_its_mails_go_out(watch: Watch) -> None:
    published(watch.home, "2025-07-02")
    (watch.home.landing / "events.csv").write_text("one")
    watch.look()
    (request,) = watch.look()
    assert (request.job_name, request.partition_key) == ("landing_check", None)


@pytest.mark.parametrize(
    ("week", "is_planned", "expected"),
    [("2025-06-30", False, "2025-07-02"), ("2025-06-30", True, None), ("2025-06-23", False, None)],
)
def test_the_plan_follows_the_training_of_its_week(
    tmp_path: Path, definitions: dg.Definitions, week: str, is_planned: bool, expected: str | None
) -> None:
    home = Home(tmp_path, tmp_path / "landing")
    if is_planned:
        published(home, "2025-07-02")
    with dg.instance_for_test() as instance:
        run = instance.create_run_for_job(
            definitions.resolve_job_def("weekly_training"), tags={"dagster/partition": week}
        )
        context = dg.build_run_status_sensor_context(
            sensor_name="training_sensor",
            dagster_event=dg.DagsterEvent("PIPELINE_SUCCESS", "weekly_training"),
            dagster_instance=instance,
            dagster_run=run,
            partition_key=week,
            resources={"home": home, "clock": FixedClock(NOW)},
        )
        asked = training_sensor(context)
    assert (asked.partition_key if isinstance(asked, dg.RunRequest) else None) == expected


LAST_WEEK, THIS_WEEK = date(2025, 6, 23), date(2025, 6, 30)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


def checked(
    instance: dg.DagsterInstance, day: date, psi: float, champion: str = "churn@w2025-06-23"
) -> dg.AssetCheckResult:
    """What a day's drift check says of one column, reported as a run of it would."""
    state = "alarm" if psi > 0.25 else "warn" if psi > 0.1 else "stable"
    comparison = pl.DataFrame({"column": ["n_orders"], "psi": [psi], "expected": [0.0], "state": [state]})
    return reported(instance, drift_result(comparison, day, champion))


def reported(instance: dg.DagsterInstance, result: dg.AssetCheckResult) -> dg.AssetCheckResult:
    """A result of churn's check, as a run of it would leave it behind."""
    key = next(k for k in CHECK_KEYS if k.asset_key == dg.AssetKey("score_churn"))
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=key.asset_key,
            check_name=key.name,
            passed=result.passed,
            severity=result.severity,
            metadata=result.metadata,
        )
    )
    return result


def drift_tick(
    instance: dg.DagsterInstance, definitions: dg.Definitions, trained: date
) -> dg.RunRequest | dg.SkipReason:
    context = dg.build_sensor_context(
        instance=instance,
        resources={"clock": FixedClock(NOW), "registry": Models(trained)},
        repository_def=definitions.get_repository_def(),
    )
    data = drift_sensor.evaluate_tick(context)
    (request,) = data.run_requests or [None]
    return request or dg.SkipReason(data.skip_message or "")


def test_drift_on_two_days_in_a_row_starts_training_of_the_newest_week_once(
    instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    for day in (1, 2):
        checked(instance, date(2025, 7, day), 0.6)
    first, second = (drift_tick(instance, definitions, LAST_WEEK) for _ in range(2))
    assert isinstance(first, dg.RunRequest)
    assert isinstance(second, dg.RunRequest)
    assert (first.partition_key, first.tags["sendplan/drift"]) == ("2025-06-30", "score_churn")
    assert first.run_key == second.run_key == "drift-2025-06-30"


def test_drift_starts_nothing_where_this_weeks_models_stand(
    instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    for day in (1, 2):
        checked(instance, date(2025, 7, day), 0.6)
    skipped = drift_tick(instance, definitions, THIS_WEEK)
    assert isinstance(skipped, dg.SkipReason)
    assert "there is more to learn from on 2025-07-07" in (skipped.skip_message or "")


@pytest.mark.parametrize(
    "verdicts",
    [
        {date(2025, 7, 2): 0.6},
        {date(2025, 7, 1): 0.2, date(2025, 7, 2): 0.6},
        {date(2025, 7, 1): 0.6, date(2025, 7, 2): 0.05},
        {date(2025, 6, 30): 0.6, date(2025, 7, 2): 0.6},
        {date(2025, 6, 27): 0.6, date(2025, 6, 28): 0.6},
        {},
    ],
    ids=["one day", "a warning before", "over again", "a day between", "long ago", "never checked"],
)
def test_less_than_two_newest_days_of_drift_start_nothing(
    instance: dg.DagsterInstance, definitions: dg.Definitions, verdicts: dict[date, float]
) -> None:
    for day, psi in verdicts.items():
        checked(instance, day, psi)
    assert isinstance(drift_tick(instance, definitions, LAST_WEEK), dg.SkipReason)


def test_a_new_champion_starts_counting_anew(
    instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    checked(instance, date(2025, 7, 1), 0.6, "churn@w2025-06-16")
    checked(instance, date(2025, 7, 2), 0.6, "churn@w2025-06-23")
    assert isinstance(drift_tick(instance, definitions, LAST_WEEK), dg.SkipReason)


@pytest.mark.parametrize(
    ("psi", "passed", "severity"), [(0.05, True, "WARN"), (0.15, False, "WARN"), (0.3, False, "ERROR")]
)
def test_a_drift_check_warns_before_it_fails(
    instance: dg.DagsterInstance, psi: float, passed: bool, severity: str
) -> None:
    result = checked(instance, date(2025, 7, 2), psi)
    assert (result.passed, result.severity.value) == (passed, severity)
    assert ("n_orders" in (result.description or "")) is not passed


class NoRegistry:
    """A registry whose database is gone."""

    def champion(self, question: str, as_of: date) -> str:
        raise OSError("no such file: mlflow.db\nand more")


@pytest.mark.parametrize("registry", [NoRegistry(), Models()], ids=["no registry", "no tables"])
def test_a_check_that_breaks_warns_and_its_run_goes_on(tmp_path: Path, registry: object) -> None:
    def scored(name: str) -> dg.AssetsDefinition:
        return dg.asset(name=name, partitions_def=daily)(lambda: None)

    run = dg.materialize(
        [*(scored(watch.asset) for watch in WATCHES), *drift_checks],
        partition_key="2025-07-02",
        resources={"home": Home(tmp_path, tmp_path / "landing"), "registry": registry},
    )
    said = run.get_asset_check_evaluations()
    assert run.success
    assert len(said) == len(WATCHES) * len(PARTS)
    for check in said:
        assert (check.passed, check.severity.value, check.metadata[STATE].value) == (False, "WARN", "unknown")
        assert "Error: " in (check.description or "")
        assert "and more" not in (check.description or "")


def test_what_could_not_be_told_starts_no_training(
    instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    for day in (1, 2):
        reported(instance, unknown_result(OSError("gone"), date(2025, 7, day), "churn@w2025-06-23"))
    assert isinstance(drift_tick(instance, definitions, LAST_WEEK), dg.SkipReason)
