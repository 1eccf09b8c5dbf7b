"""Parquet between Dagster assets: one file per asset and partition, in the folder of its layer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl

from assets.storage import replace_parquet


class MissingTableError(FileNotFoundError):
    """An upstream table has not been made for this partition."""


class ParquetIOManager(dg.IOManager):
    """Frames as `<folder of the partition>/<asset name>.parquet`.

    Args:
        folder: the folder for a day, for example `Home.scores`.
    """

    def __init__(self, folder: Callable[[date], Path]) -> None:
        self._folder = folder

    def handle_output(self, context: dg.OutputContext, obj: pl.DataFrame) -> None:
        """Write the frame; a reader sees the old file or the new one, never a part."""
        path = self._path(context)
        replace_parquet(path, obj)
        context.add_output_metadata({"path": dg.MetadataValue.path(path), "dagster/row_count": obj.height})

    def load_input(self, context: dg.InputContext) -> pl.DataFrame:
        """Read the upstream frame of the same day.

        Raises:
            MissingTableError: it has not been made yet; the message names the asset, the day and the remedy.
        """
        path = self._path(context)
        if not path.exists():
            raise MissingTableError(
                f"{path} is missing: asset '{_name(context)}' has not been made for {context.asset_partition_key}; "
                f"materialise it first, or run `sendplan plan --date {context.asset_partition_key}`"
            )
        return pl.read_parquet(path)

    def _path(self, context: dg.OutputContext | dg.InputContext) -> Path:
        return self._folder(date.fromisoformat(context.asset_partition_key)) / f"{_name(context)}.parquet"


def _name(context: dg.OutputContext | dg.InputContext) -> str:
    return context.asset_key.path[-1]
