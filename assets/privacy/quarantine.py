"""Single values of his in quarantine: a record of a bad value has no id, only the file and the row it stood in.

Taken out before anything else, while the stored rows of the file still say which rows are his.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from assets.home import Home
from assets.landing.layout import Checkpoint, manifest_path, quarantine_path
from assets.landing.manifest import Manifest
from assets.landing.merging import FILE
from assets.landing.reading import ROW
from assets.privacy.journal import Journal, Removed
from assets.privacy.tables import his_positions
from assets.privacy.traces import Traces
from assets.storage import replace_parquet


def take_out_values(home: Home, traces: Traces, journal: Journal) -> None:
    """Removes quarantine records that stand beside a row of his. Run again, it finds none."""
    for table, state in Manifest.load(manifest_path(home)).tables.items():
        rows = [pl.DataFrame(schema={FILE: pl.String, ROW: pl.Int64})]
        for path, entry in state.files.items():
            checkpoint = Checkpoint.of(home, table, entry.sha256)
            if not checkpoint.exists():
                continue
            numbers = pl.read_parquet(checkpoint.good, columns=[ROW], glob=False)
            mine = numbers[his_positions(checkpoint.good, traces)]
            rows.append(mine.select(pl.lit(path).alias(FILE), ROW))
            _without(home, checkpoint.rejected, mine, [ROW], journal)
        _without(home, quarantine_path(home, table), pl.concat(rows), [FILE, ROW], journal)


def _without(home: Home, path: Path, rows: pl.DataFrame, key: list[str], journal: Journal) -> None:
    if rows.is_empty() or not path.exists():
        return
    records = pl.read_parquet(path, glob=False)
    kept = records.join(rows, on=key, how="anti", maintain_order="left")
    if kept.height < records.height:
        label = str(path.relative_to(home.root))
        journal.note(home, f"{label} (values)", Removed(rows=records.height - kept.height))
        replace_parquet(path, kept)
