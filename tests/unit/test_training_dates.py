"""Which past days a week's training looks at: none of their windows reaches past the week."""

from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from content_tables import next_reads, two_tastes
from hypothesis import given
from hypothesis import strategies as st

from assets import training
from assets.dbt import build_args, snapshot_vars
from assets.history import NoHistoryError, first_event_day, require_history
from assets.home import Home
from assets.training import (
    CONTENT_TABLES,
    PRODUCT_TABLES,
    PURCHASE_DAYS,
    PURCHASE_STEP_DAYS,
    TrainingSet,
    purchase_windows,
    training_dates,
)

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


@pytest.mark.parametrize(
    ("lesson", "build", "learn", "tables", "label"),
    [
        (
            "_recommendations",
            "snapshots_by_date",
            "learn_recommendations",
            PRODUCT_TABLES,
            "label_purchases",
        ),
        ("_contents", "content_snapshots", "learn_contents", CONTENT_TABLES, "label_contents"),
    ],
)
def test_recommendations_look_at_now_and_the_dates_of_their_windows_alone(
    lesson: str,
    build: str,
    learn: str,
    tables: tuple[str, ...],
    label: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dates, windows = training_dates(WEEK, date(2023, 1, 1)).all, purchase_windows(WEEK)
    assert len(dates) > len(windows) + 1
    for name, days in (*((name, dates) for name in tables), (label, windows)):
        pl.DataFrame({"as_of": days}).write_parquet(tmp_path / f"{name}.parquet")

    def days_of(*frames: pl.DataFrame) -> tuple[list[date], ...]:
        return tuple(frame["as_of"].to_list() for frame in frames)

    def learnt(snapshots: Any, *_: Any) -> Any:
        return snapshots

    monkeypatch.setattr(training, build, days_of)
    monkeypatch.setattr(training, learn, learnt)
    seen = getattr(training, lesson)(TrainingSet(tmp_path), None)
    assert seen == ([*windows, WEEK],) * len(tables)


def test_a_shop_without_contents_has_its_lesson_all_the_same(tmp_path: Path) -> None:
    shop = two_tastes(WEEK)
    tables = (shop.reads, shop.contents.clear(), shop.interactions, shop.products, next_reads(WEEK).clear())
    for name, frame in zip((*CONTENT_TABLES, "label_contents"), tables, strict=True):
        frame.write_parquet(tmp_path / f"{name}.parquet")
    pl.DataFrame({"customer_id": ["c00"], "as_of": [WEEK], "has_behaviour": [True]}).write_parquet(
        tmp_path / "feat_customer.parquet"
    )
    lesson = training._contents(TrainingSet(tmp_path), None)
    assert lesson.winner.predict(shop.reads).is_empty()
