"""Files that are no tables: JSON, pages, logs, and whatever else lies in a home.

A text is kept without him; a document that is his own, by its name or as a whole, is deleted. Bytes that are no text
can only be searched: he is named as left over, with what to do.
"""

from __future__ import annotations

import gzip
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from assets.privacy.change import Change, UnreadableError, replace_file
from assets.privacy.journal import Removed
from assets.privacy.traces import Traces

_TEXT_SAMPLE = 8192
_INDENTED = re.compile(r"\A\s*[\[{]\s*\n")


def look_at_json(path: Path, traces: Traces) -> Change:
    """Finds him in a JSON document: objects that are his go, in other texts he is erased."""
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return look_at_text(path, traces)
    if isinstance(document, dict) and traces.owns(document):
        return Change(Removed(rows=1, is_deleted=True), path.unlink)
    erased = traces.erase(document)
    if erased == document:
        return Change()
    indent = 1 if _INDENTED.match(text) else None
    content = json.dumps(erased, ensure_ascii=False, indent=indent)
    removed = Removed(values=max(_count(document) - _count(erased), 1))
    return _rewriting(path, removed, lambda: content)


def _count(value: Any) -> int:
    """How many texts and numbers stand in a document; what was replaced does not count."""
    if isinstance(value, dict):
        return sum(map(_count, value.values()))
    if isinstance(value, list):
        return sum(map(_count, value))
    return int(value is not None and "[erased]" not in str(value))


def look_at_text(path: Path, traces: Traces) -> Change:
    """Finds him in a text: lines are kept without him."""
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    erased = traces.erase_text(text)
    if erased == text:
        return Change()
    lines = sum(old != new for old, new in zip(text.split("\n"), erased.split("\n"), strict=True))
    return _rewriting(path, Removed(values=lines), lambda: erased)


def _rewriting(path: Path, removed: Removed, content: Callable[[], str]) -> Change:
    def write(aside: Path) -> None:
        aside.write_bytes(content().encode("utf-8", errors="surrogateescape"))

    return Change(removed, lambda: replace_file(path, write))


def look_at_bytes(path: Path, traces: Traces) -> Change:
    """Searches a binary file; what is compressed is unpacked.

    Raises:
        UnreadableError: he stands in it, or it cannot be searched.
    """
    try:
        for content in _contents(path):
            if traces.stands_in(content):
                raise UnreadableError(
                    "he stands in it, and it is no format from which a person can be taken; delete it, or make it "
                    "again without him (a model: train it again), and run again"
                )
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        raise UnreadableError(f"cannot be searched ({error}); delete it or mend it, and run again") from error
    return Change()


def _contents(path: Path) -> Iterator[bytes]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist())
        return
    content = path.read_bytes()
    yield gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content


def is_text(path: Path) -> bool:
    """Whether a file reads as text: no zero bytes at its beginning, and UTF-8 but for single bytes."""
    with path.open("rb") as file:
        sample = file.read(_TEXT_SAMPLE)
    if b"\x00" in sample or sample.startswith((b"\x1f\x8b", b"PK", b"\x80")):
        return False
    return (
        sample.decode("utf-8", errors="replace").count("\N{REPLACEMENT CHARACTER}") <= len(sample) // 50 + 1
    )
