"""Writing a frame so that a reader never meets half of it."""

import os
from pathlib import Path

import polars as pl


def write_parquet(frame: pl.DataFrame, path: Path) -> None:
    """Write `frame` beside `path` and rename it into place; the same frame gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    frame.write_parquet(aside, compression="zstd", statistics=True)
    aside.replace(path)
