"""What an erasure under way needs to be finished after a kill. It names the person, so it goes when the erasure is done."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, Field

from assets.home import Home
from assets.privacy.person import Person
from assets.privacy.suppression import SECRET
from assets.storage import replace_bytes


class Removed(BaseModel):
    """What was taken out of one file: whole rows, and single values that named him in rows of others."""

    rows: int = 0
    values: int = 0
    is_deleted: bool = False


class Journal(BaseModel):
    """An erasure under way.

    Attributes:
        person: whom it is about.
        started_at: when it began, naive UTC.
        removed: by path; written before a file is replaced, so that a kill loses no count.
        key: its file's name, which says nothing of the person.
    """

    person: Person
    started_at: datetime
    removed: dict[str, Removed] = Field(default_factory=dict)
    key: str = Field(default_factory=lambda: secrets.token_hex(8))

    @classmethod
    def unfinished(cls, home: Home) -> list[Journal]:
        """The erasures that are not finished, oldest first."""
        files = sorted(_folder(home).glob("*.json"))
        journals = [cls.model_validate_json(path.read_bytes()) for path in files]
        return sorted(journals, key=lambda journal: journal.started_at)

    @classmethod
    def of(cls, home: Home, ids: Collection[str]) -> Journal | None:
        """The unfinished erasure of a person with one of these ids."""
        return next((journal for journal in cls.unfinished(home) if journal.person.ids & set(ids)), None)

    def save(self, home: Home) -> None:
        """Store it, readable by the owner alone."""
        replace_bytes(self._path(home), self.model_dump_json().encode(), SECRET)

    def note(self, home: Home, path: str, removed: Removed) -> None:
        """Write down what is about to be taken out of a file.

        A file met a second time, after a kill, holds as much as before or nothing; the larger figure is right.
        """
        before = self.removed.get(path, Removed())
        self.removed[path] = Removed(
            rows=max(before.rows, removed.rows),
            values=max(before.values, removed.values),
            is_deleted=before.is_deleted or removed.is_deleted,
        )
        self.save(home)

    def discard(self, home: Home) -> None:
        """Forget it: the erasure is done."""
        self._path(home).unlink(missing_ok=True)

    def _path(self, home: Home) -> Path:
        return _folder(home) / f"{self.key}.json"


def _folder(home: Home) -> Path:
    return home.privacy / "unfinished"
