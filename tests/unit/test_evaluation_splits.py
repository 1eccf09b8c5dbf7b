"""No label reaches past the day it may be known on."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
from customer_frames import World
from hypothesis import given
from hypothesis import strategies as st

from models.evaluation.splits import plan_snapshots, time_split

AS_OF = date(2025, 6, 1)


def test_a_year_of_history_gives_90_day_windows() -> None:
    plan = plan_snapshots(AS_OF, AS_OF - timedelta(days=730))
    assert plan.horizon_days == 90
    assert len(plan.dates) == 6
    assert plan.holdout == AS_OF - timedelta(days=90)


def test_a_young_shop_gets_a_shorter_horizon_and_a_new_one_none() -> None:
    assert plan_snapshots(AS_OF, AS_OF - timedelta(days=180)).horizon_days == 60
    assert plan_snapshots(AS_OF, AS_OF - timedelta(days=45)).horizon_days == 14
    new = plan_snapshots(AS_OF, AS_OF - timedelta(days=5))
    assert new.dates == ()
    assert new.holdout is None


@given(st.integers(0, 1500), st.integers(1, 9), st.integers(1, 60))
def test_windows_end_in_time_and_learning_ends_before_the_holdout(days: int, n: int, step: int) -> None:
    first_day = AS_OF - timedelta(days=days)
    plan = plan_snapshots(AS_OF, first_day, n_snapshots=n, step_days=step)
    window = timedelta(days=plan.horizon_days)
    assert list(plan.dates) == sorted(set(plan.dates))
    if plan.holdout is None:
        return
    assert len(plan.dates) >= 2
    assert plan.holdout + window <= AS_OF
    assert all(day + window <= plan.holdout for day in plan.dates[:-1])
    assert all(day >= first_day + window for day in plan.dates)


def test_the_split_knows_only_what_was_known_then() -> None:
    frame = World(200).training(AS_OF, n_snapshots=7)
    split = time_split(frame)
    assert split is not None
    assert split.holdout_as_of == AS_OF - timedelta(days=90)
    assert split.holdout["as_of"].unique().to_list() == [split.holdout_as_of]
    assert split.holdout["orders"].null_count() == 0
    known = split.train.filter(pl.col("orders").is_not_null())
    assert 0 < known.height == split.n_labelled
    assert known["as_of"].max() <= split.holdout_as_of - timedelta(days=90)
    then = split.train.filter(pl.col("as_of") == split.holdout_as_of)
    assert then.height == split.holdout.height
    assert then["margin"].null_count() == then.height
    assert split.train["as_of"].max() == split.holdout_as_of


def test_without_labels_there_is_no_split() -> None:
    assert time_split(World(50).training(AS_OF, n_snapshots=0)) is None
