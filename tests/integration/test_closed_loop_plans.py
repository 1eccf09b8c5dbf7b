"""The closed loop runs the product without Dagster's engine and, on most days, without dbt: it must decide the same."""

from pathlib import Path

import polars as pl
from conftest import Replanned
from planned_shop import DAY, LATER, NOW, Shop
from polars.testing import assert_frame_equal

from benchmarks.closed_loop.pipeline import Pipeline
from benchmarks.closed_loop.script import DayScript


def test_the_loop_plans_what_the_jobs_plan(shop: Shop, replanned: Replanned, tmp_path: Path) -> None:
    copy = replanned.shop.copy(tmp_path / "home", "dagster")
    for day in (DAY, LATER):
        copy.remove(day)
    pipeline = Pipeline(copy.home, copy.mail)
    assert_frame_equal(mailed(pipeline.plan(DAY, NOW)), mailed(shop.plan()))
    assert DayScript.kept(copy.home.dbt / "features.script.json") is not None
    assert_frame_equal(mailed(pipeline.plan(LATER, NOW)), mailed(replanned.shop.plan(LATER)))


def mailed(plan: pl.DataFrame) -> pl.DataFrame:
    """Who is mailed, with all that is decided, and who would be but for the control group."""
    rows = plan.filter(pl.col("action") != "hold")
    assert rows.height > 0
    return rows
