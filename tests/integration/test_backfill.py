"""Feature tables of many days are made in one run, and are those that a run for each day would have made."""

from datetime import timedelta
from pathlib import Path

import dagster as dg
import polars as pl
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG
from planned_shop import DAY, Shop
from polars.testing import assert_frame_equal

from pipelines.instance import open_instance

N_DAYS = 10


def test_days_are_made_in_one_run(shop: Shop, tmp_path: Path) -> None:
    copy = shop.copy(tmp_path / "home", "mlflow*", "plans", "decisions", "scores", "training")
    days = [DAY - timedelta(days=back) for back in range(N_DAYS)]
    copy.remove(DAY)
    job = copy.definitions().resolve_job_def("feature_backfill")
    with open_instance(copy.home) as instance:
        result = job.execute_in_process(
            instance=instance,
            tags={
                ASSET_PARTITION_RANGE_START_TAG: days[-1].isoformat(),
                ASSET_PARTITION_RANGE_END_TAG: days[0].isoformat(),
            },
        )
        made = instance.get_materialized_partitions(dg.AssetKey("feat_customer"))
    assert result.success
    assert {day.isoformat() for day in days} <= made
    assert {file.name for file in copy.home.features(days[-1]).iterdir()} == {
        file.name for file in shop.home.features(DAY).iterdir()
    }
    for file in shop.home.features(DAY).iterdir():
        assert_frame_equal(pl.read_parquet(copy.home.features(DAY) / file.name), pl.read_parquet(file))
    sizes = [pl.read_parquet(copy.home.features(day) / "feat_customer.parquet").height for day in days]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] > 0
