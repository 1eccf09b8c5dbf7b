"""When the jobs run by themselves. Both calendars are in UTC, like every time in the tables."""

import dagster as dg

from assets.partitions import training_week
from assets.registry import Registry
from assets.training import QUESTIONS
from pipelines.jobs import daily_plan, weekly_training


@dg.schedule(
    job=daily_plan,
    cron_schedule="30 0 * * *",
    execution_timezone="UTC",
    description="Plans the day that has just begun; its sends start at 02:00 UTC.",
)
def daily_plan_schedule(
    context: dg.ScheduleEvaluationContext, registry: dg.ResourceParam[Registry]
) -> dg.RunRequest | dg.SkipReason:
    """One run per day: the partition of the tick's own date. On Mondays the plan follows the training, if that runs late."""
    day = context.scheduled_execution_time.date()
    untrained = [question for question in QUESTIONS if registry.champion(question, day) is None]
    if untrained:
        return dg.SkipReason(
            f"no model yet for {', '.join(untrained)}: run weekly_training, the plan follows it"
        )
    return dg.RunRequest(run_key=day.isoformat(), partition_key=day.isoformat())


@dg.schedule(
    job=weekly_training,
    cron_schedule="5 0 * * 1",
    execution_timezone="UTC",
    description="Trains on Mondays, before the plan of the day.",
)
def weekly_training_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """One run per week: the partition of the Monday of the tick."""
    week = training_week(context.scheduled_execution_time.date()).isoformat()
    return dg.RunRequest(run_key=week, partition_key=week)
