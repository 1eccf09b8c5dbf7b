"""Which outcomes a report is made from: of each plan day the latest complete ones, of the newest days."""

from datetime import date, timedelta
from pathlib import Path

import polars as pl

from assets.home import Home
from assets.outcomes import OUTCOMES, REPORT_DAYS, newest_complete
from assets.storage import replace_parquet

DAY = date(2025, 6, 30)


def told(as_of: date) -> pl.DataFrame:
    """Outcomes of one customer: plans of the 13 days before, complete where a week has passed."""
    ages = list(range(13, 0, -1))
    return pl.DataFrame(
        {
            "plan_date": [as_of - timedelta(days=age) for age in ages],
            "is_complete": [age >= 7 for age in ages],
            "as_of": as_of,
        }
    )


def chosen(home: Home, runs: list[date]) -> pl.DataFrame:
    for run in runs:
        replace_parquet(home.outcomes(run) / f"{OUTCOMES}.parquet", told(run))
    return pl.concat(newest_complete(home, DAY, told(DAY)))


def test_each_plan_day_is_told_once_by_the_latest_run(tmp_path: Path) -> None:
    home = Home(tmp_path, tmp_path / "landing")
    runs = [DAY + timedelta(days=days) for days in range(-45, 3)]
    found = chosen(home, runs).sort("plan_date", descending=True)
    newest = DAY - timedelta(days=7)
    assert found["plan_date"].to_list() == [newest - timedelta(days=n) for n in range(REPORT_DAYS)]
    assert found["as_of"].max() == DAY
    later = found.select(pl.col("as_of") - pl.col("plan_date")).to_series().dt.total_days()
    assert later.to_list() == [7, 8, 9, 10, 11, 12, 13, *[13] * (REPORT_DAYS - 7)]


def test_days_without_a_run_leave_no_gap_that_a_later_run_can_fill(tmp_path: Path) -> None:
    home = Home(tmp_path, tmp_path / "landing")
    found = chosen(home, [DAY - timedelta(days=days) for days in (6, 12)])
    assert sorted(found["plan_date"]) == [DAY - timedelta(days=days) for days in range(25, 6, -1)]
