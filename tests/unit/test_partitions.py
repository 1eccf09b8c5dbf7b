"""The two calendars: a plan date's models are those of the Monday on or before it."""

from datetime import date, timedelta

import dagster as dg
import pytest

from assets.history import FIRST_DAY
from assets.partitions import daily, training_week, weekly


@pytest.mark.parametrize(
    ("day", "week"),
    [
        ("2025-06-30", "2025-06-30"),
        ("2025-07-05", "2025-06-30"),
        ("2025-07-06", "2025-06-30"),
        ("2024-03-01", "2024-02-26"),
    ],
)
def test_a_day_is_planned_with_the_models_of_its_monday(day: str, week: str) -> None:
    assert training_week(date.fromisoformat(day)).isoformat() == week
    upstream = dg.TimeWindowPartitionMapping().get_upstream_mapped_partitions_result_for_partitions(
        daily.subset_with_partition_keys([day]), daily, weekly
    )
    assert list(upstream.partitions_subset.get_partition_keys()) == [week]


def test_todays_keys_exist_today() -> None:
    now = date.today()
    assert daily.get_last_partition_key() >= (now - timedelta(days=1)).isoformat()
    assert weekly.get_first_partition_key() == FIRST_DAY.isoformat()
    assert FIRST_DAY.weekday() == 0
