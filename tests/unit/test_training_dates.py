"""Which past days a week's training looks at: none of their windows reaches past the week."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.dbt import build_args, snapshot_vars
from assets.history import NoHistoryError, first_event_day, require_history
from assets.home import Home
from assets.training import PURCHASE_DAYS, PURCHASE_STEP_DAYS, training_dates

WEEK = date(2025, 6, 30)


@given(st.integers(min_value=0, max_value=1500))
def test_no_window_reaches_past_the_week_or_before_the_data(days: int) -> None:
    first = WEEK - timedelta(days=days)
    dates = training_dates(WEEK, first)
    assert dates.all[-1] == WEEK
    assert all(first <= day for day in dates.all)
    assert all(day + timedelta(days=dates.customers.horizon_days) <= WEEK for day in dates.customers.dates)
    assert all(day + timedelta(days=PURCHASE_DAYS) <= WEEK for day in dates.products)


def test_purchase_windows_begin_in_even_steps_and_the_last_ends_at_the_week() -> None:
    products = training_dates(WEEK, date(2024, 1, 1)).products
    steps = {later - earlier for earlier, later in pairwise(products)}
    assert steps == {timedelta(days=PURCHASE_STEP_DAYS)}
    assert products[-1] + timedelta(days=PURCHASE_DAYS) == WEEK


def test_dbt_is_told_dates_in_order_and_where_labels_end(tmp_path) -> None:
    home = Home(tmp_path, tmp_path / "landing")
    variables = snapshot_vars(home, WEEK, [WEEK, date(2025, 5, 31)], 30)
    assert variables["as_of_dates"] == ["2025-05-31", "2025-06-30"]
    assert variables["labels_until"] == "2025-06-30"
    arguments = build_args(["tag:features", "tag:labels"], variables)
    assert arguments[:3] == ["build", "--select", "tag:features tag:labels"]
    assert "unit_test" in arguments


def test_a_day_before_all_data_names_the_first_day(tmp_path) -> None:
    home = Home(tmp_path, tmp_path / "landing")
    with pytest.raises(NoHistoryError, match="no event has been landed"):
        require_history(home, WEEK, "plan")
    for day in ("0001-01-01", "2025-06-30", "2025-07-01"):
        (home.raw / "events" / f"day={day}").mkdir(parents=True)
        (home.raw / "events" / f"day={day}" / "events.parquet").touch()
    assert first_event_day(home) == WEEK
    with pytest.raises(
        NoHistoryError, match="the first event is of 2025-06-30.*choose a day after 2025-06-30"
    ):
        require_history(home, WEEK, "plan 2025-06-30")
    assert require_history(home, date(2025, 7, 1), "plan") == WEEK
