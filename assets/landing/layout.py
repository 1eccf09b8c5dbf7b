"""Where the checked tables, the quarantine and the memory of earlier passes lie inside a home folder."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from assets.home import Home

NO_DAY = date.min
"""Stands for no day at all: the contract believes no time so early."""


def table_path(home: Home, table: str) -> Path:
    """The checked table of customers, products, contents or consents."""
    return home.raw / f"{table}.parquet"


def events_day_path(home: Home, day: date) -> Path:
    """The checked events of one UTC day."""
    return home.raw / "events" / f"day={day.isoformat()}" / "events.parquet"


def events_schema_path(home: Home) -> Path:
    """A day without rows, before any other: `events/day=*/events.parquet` can be read before the first event."""
    return events_day_path(home, NO_DAY)


def event_days_path(home: Home) -> Path:
    """`day`, `version` (hash of its file) and `n_events` of every day with events: what a reader has to read anew."""
    return home.raw / "event_days.parquet"


def days_on_disk(home: Home) -> set[date]:
    """The days that have a file with events."""
    folders = (home.raw / "events").glob("day=????-??-??/events.parquet")
    return {date.fromisoformat(path.parent.name.removeprefix("day=")) for path in folders} - {NO_DAY}


def events_glob(home: Home) -> str:
    """Matches all event files, and at least one."""
    return str(home.raw / "events" / "day=*" / "events.parquet")


def quarantine_path(home: Home, table: str) -> Path:
    """The quarantine of one table."""
    return home.quarantine / f"{table}.parquet"


def manifest_path(home: Home) -> Path:
    """What earlier passes know about each landing file."""
    return home.raw / "_manifest.json"


@dataclass(frozen=True)
class Checkpoint:
    """The checked rows of one landing file, stored by the hash of its content."""

    folder: Path
    sha256: str

    @classmethod
    def of(cls, home: Home, table: str, sha256: str) -> "Checkpoint":
        """The place for one file of one table."""
        return cls(home.raw / "_files" / table, sha256)

    @property
    def good(self) -> Path:
        """`row_number` and all columns of the contract."""
        return self.folder / f"{self.sha256}.good.parquet"

    @property
    def rejected(self) -> Path:
        """Quarantine records."""
        return self.folder / f"{self.sha256}.rejected.parquet"

    def exists(self) -> bool:
        """Whether both files are there."""
        return self.good.is_file() and self.rejected.is_file()
