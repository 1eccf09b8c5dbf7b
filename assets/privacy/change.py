"""What looking at one file comes to: what of a person is in it, and the step that takes it out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assets.privacy.journal import Removed
from assets.privacy.traces import Traces

ASIDE = ".erasing"
"""Ends the name of a file under construction; one that a kill left behind is removed at the next start."""


class UnreadableError(ValueError):
    """A file in which nobody can be told apart; says why and what to do."""


def _nothing() -> None:
    """Nothing to take out."""


@dataclass(frozen=True)
class Change:
    """What is in a file, and how it gets out.

    Attributes:
        removed: rows and values that go; all zero where he is not in it.
        apply: takes them out in one step, so that a reader or a kill meets the old file or the new one.
    """

    removed: Removed = field(default_factory=Removed)
    apply: Callable[[], None] = _nothing

    @property
    def is_needed(self) -> bool:
        """Whether he is in it."""
        return bool(self.removed.rows or self.removed.values or self.removed.is_deleted)


@dataclass(frozen=True)
class Verdict:
    """Which of a table's candidate rows go, and which values of others change.

    Attributes:
        gone: positions of his rows, as the kind of table counts them.
        edits: column -> position -> new value.
    """

    gone: list[Any]
    edits: dict[str, dict[Any, Any]]

    @property
    def removed(self) -> Removed:
        """The counts."""
        return Removed(rows=len(self.gone), values=sum(map(len, self.edits.values())))


def judge(
    candidates: Iterable[tuple[Any, Mapping[str, Any]]], traces: Traces, are_the_shops: bool = True
) -> Verdict:
    """Decides on rows that may have to do with him, given with their positions.

    Where the rows are not the shop's, none is his by an id in it: their ids are others' than the shop's.
    """
    gone: list[Any] = []
    edits: dict[str, dict[Any, Any]] = {}
    for position, row in candidates:
        if are_the_shops and traces.owns(row):
            gone.append(position)
            continue
        for column, value in row.items():
            erased = traces.erase(value)
            if erased is not value and erased != value:
                edits.setdefault(column, {})[position] = erased
    return Verdict(gone, edits)


def replace_file(path: Path, write: Callable[[Path], None]) -> None:
    """Puts what `write` writes in the place of a file, in one step and with its access rights."""
    aside = path.with_name(f".{path.name}{ASIDE}")
    try:
        write(aside)
        shutil.copymode(path, aside)
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
