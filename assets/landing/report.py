"""What one pass over the landing folder did, table by table: the numbers that metadata and checks show."""

from datetime import date, datetime

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from assets.home import Home


class TableReport(BaseModel):
    """What became of one table.

    `rows_read` = `rows_kept` + `duplicates` + `superseded` + the sum of `quarantined`.

    Attributes:
        files: files of the table.
        files_read: files that were new or changed, and so were read in this pass.
        files_rejected: files of which no row can be used, with the reason.
        rows_read: rows found in all files.
        rows_kept: rows in `raw/`.
        duplicates: rows that repeat another one exactly.
        superseded: rows that a newer file replaces.
        erased: rows of people who have been erased, left out before anything is written.
        quarantined: rows in quarantine, by the rule they break.
        repaired: values in quarantine whose row went on without them, by rule.
        unknown_columns: columns the contract does not know, ignored.
        days_written: event days whose file was written in this pass.
        days_reopened: those of them that had been written before.
        first_occurred_at, last_occurred_at: span of the kept rows, UTC; None for tables without such a time.
    """

    model_config = ConfigDict(frozen=True)

    table: str
    files: int = 0
    files_read: int = 0
    files_rejected: dict[str, str] = Field(default_factory=dict)
    rows_read: int = 0
    rows_kept: int = 0
    duplicates: int = 0
    superseded: int = 0
    erased: int = 0
    quarantined: dict[str, int] = Field(default_factory=dict)
    repaired: dict[str, int] = Field(default_factory=dict)
    unknown_columns: tuple[str, ...] = ()
    days_written: tuple[date, ...] = ()
    days_reopened: tuple[date, ...] = ()
    first_occurred_at: datetime | None = None
    last_occurred_at: datetime | None = None

    @property
    def rows_quarantined(self) -> int:
        """Rows in quarantine."""
        return sum(self.quarantined.values())

    @property
    def values_repaired(self) -> int:
        """Values in quarantine whose row went on."""
        return sum(self.repaired.values())

    def unchanged(self) -> "TableReport":
        """The same table in a pass that found nothing new."""
        return self.model_copy(update={"files_read": 0, "days_written": (), "days_reopened": ()})


class IngestReport(BaseModel):
    """What one pass did; `warnings` are sentences about files left out, repeated columns and tables absent."""

    model_config = ConfigDict(frozen=True)

    tables: dict[str, TableReport]
    warnings: tuple[str, ...] = ()


def quarantined(home: Home) -> dict[str, int]:
    """Records in quarantine by table, tables without any left out."""
    files = sorted(home.quarantine.glob("*.parquet"))
    counts = {
        file.stem: pl.scan_parquet(file, glob=False).select(pl.len()).collect().item() for file in files
    }
    return {table: n for table, n in counts.items() if n}
