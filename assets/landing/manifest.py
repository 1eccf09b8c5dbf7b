"""What earlier passes know about each landing file, so that only new and changed files are read."""

from datetime import date, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assets.landing.contract import CONTRACT_VERSION
from assets.landing.report import TableReport
from assets.storage import replace_bytes


class FileEntry(BaseModel):
    """One landing file as it was last read.

    Attributes:
        sha256: of its content.
        size, mtime_ns: while both are the same, the content is taken to be the same.
        rows_read: rows found in it.
        rows_good: rows that keep the contract.
        rows_erased: rows of people who have been erased; they are stored nowhere.
        erased_ids: salted hashes of the customer ids beside an erased person's address.
        days: UTC days of its good rows, for events.
        rejection: why no row of it can be used, or None.
        unknown_columns: columns the contract does not know.
        repeated_columns: columns that occur several times.
        holds_from, holds_until: the range of `now` within which it need not be checked again.
    """

    model_config = ConfigDict(frozen=True)

    sha256: str
    size: int
    mtime_ns: int
    rows_read: int = 0
    rows_good: int = 0
    rows_erased: int = 0
    erased_ids: tuple[str, ...] = ()
    days: tuple[date, ...] = ()
    rejection: str | None = None
    unknown_columns: tuple[str, ...] = ()
    repeated_columns: tuple[str, ...] = ()
    holds_from: datetime | None = None
    holds_until: datetime | None = None

    def holds_at(self, now: datetime) -> bool:
        """Whether checking the same content at `now` gives the same answer."""
        is_late_enough = self.holds_from is None or now >= self.holds_from
        return is_late_enough and (self.holds_until is None or now < self.holds_until)


class TableState(BaseModel):
    """One table after a pass.

    Attributes:
        files: entry of each file by its path in the landing folder.
        days: event days that have a file in `raw/`.
        contested_days: event days on which an id occurs that also occurs on another day.
        report: what the last pass that changed something said.
    """

    model_config = ConfigDict(frozen=True)

    files: dict[str, FileEntry] = Field(default_factory=dict)
    days: tuple[date, ...] = ()
    contested_days: tuple[date, ...] = ()
    report: TableReport | None = None


class Manifest(BaseModel):
    """All tables after a pass; absent while a pass is under way, so that one cut short is done again."""

    model_config = ConfigDict(frozen=True)

    contract_version: str = CONTRACT_VERSION
    tables: dict[str, TableState] = Field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "Manifest":
        """The stored manifest; an empty one where there is none, it is damaged, or the contract has changed."""
        try:
            manifest = cls.model_validate_json(path.read_bytes())
        except (FileNotFoundError, ValidationError):
            return cls()
        return manifest if manifest.contract_version == CONTRACT_VERSION else cls()

    def save(self, path: Path) -> None:
        """Stores the manifest in one step."""
        replace_bytes(path, self.model_dump_json(indent=1).encode())
