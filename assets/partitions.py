"""The two calendars of the graph. A partition's key is the day for which something is known, not on which it ran.

Daily `D`: everything computed from events before D 00:00 UTC. Weekly `W` (Mondays): models trained on events
before W 00:00 UTC, used for the plans of W to W + 6. `end_offset=1` makes today's key exist today.
"""

from datetime import date, timedelta

import dagster as dg

from assets.history import FIRST_DAY

daily = dg.DailyPartitionsDefinition(start_date=FIRST_DAY.isoformat(), end_offset=1)
weekly = dg.WeeklyPartitionsDefinition(start_date=FIRST_DAY.isoformat(), day_offset=1, end_offset=1)

one_day_per_run = dg.BackfillPolicy.multi_run(max_partitions_per_run=1)
"""A backfill makes one run per day; the tag `sendplan/one_at_a_time` makes them follow one another."""

a_month_per_run = dg.BackfillPolicy.multi_run(max_partitions_per_run=31)
"""Feature tables do not depend on one another: the dates of a backfill share one run and one pass over the facts."""


def training_week(day: date) -> date:
    """The Monday on or before `day`: the key of the models that plan it."""
    return day - timedelta(days=day.weekday())
