"""Frames between assets: one file per partition, whole or not at all, missing ones explained."""

from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from assets.partitions import daily
from pipelines.io import MissingTableError, ParquetIOManager

FRAME = pl.DataFrame({"customer_id": ["a", "b"], "tags": [["x"], []]})


def materialise(folder: Path, day: str, frame: pl.DataFrame | None = FRAME) -> dg.ExecuteInProcessResult:
    """Two assets, the second reading the first; with no frame the first is left out."""

    @dg.asset(partitions_def=daily, io_manager_key="io")
    def first() -> pl.DataFrame:
        assert frame is not None
        return frame

    @dg.asset(partitions_def=daily, ins={"first": dg.AssetIn(input_manager_key="io")}, io_manager_key="io")
    def second(first: pl.DataFrame) -> pl.DataFrame:
        return first

    resources = {"io": ParquetIOManager(lambda at: folder / at.isoformat())}
    selection = [second] if frame is None else [first, second]
    return dg.materialize([first, second], partition_key=day, resources=resources, selection=selection)


def test_a_frame_comes_back_as_it_went(tmp_path: Path) -> None:
    assert materialise(tmp_path, "2025-07-05").success
    assert_frame_equal(pl.read_parquet(tmp_path / "2025-07-05" / "second.parquet"), FRAME)


def test_the_same_frame_gives_the_same_bytes_and_leaves_nothing_behind(tmp_path: Path) -> None:
    contents = []
    for _ in range(2):
        materialise(tmp_path, "2025-07-05")
        contents.append((tmp_path / "2025-07-05" / "first.parquet").read_bytes())
    assert contents[0] == contents[1]
    assert sorted(p.name for p in (tmp_path / "2025-07-05").iterdir()) == ["first.parquet", "second.parquet"]


def test_a_missing_table_names_asset_day_and_remedy(tmp_path: Path) -> None:
    with pytest.raises(
        MissingTableError, match=r"'first' has not been made for 2025-07-05.*sendplan plan --date"
    ):
        materialise(tmp_path, date(2025, 7, 5).isoformat(), frame=None)
