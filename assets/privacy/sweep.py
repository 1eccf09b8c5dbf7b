"""Every file that may hold a person, layer by layer, and the question whether one still does."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from assets.home import Home
from assets.landing.layout import manifest_path
from assets.landing.manifest import FileEntry, Manifest
from assets.privacy import databases, documents, exports, records, tables
from assets.privacy.change import ASIDE, Change, UnreadableError
from assets.privacy.fitted import MODEL_FILE, look_at_model
from assets.privacy.journal import Journal, Removed
from assets.privacy.quarantine import take_out_values
from assets.privacy.traces import Traces

LAYERS = (
    "landing",
    "raw",
    "quarantine",
    "warehouse.duckdb",
    "features",
    "training",
    "scores",
    "decisions",
    "plans",
    "outcomes",
    "outbox",
    "marketing.duckdb",
    "mlflow-artifacts",
    "mlflow.db",
    "dagster",
    "dbt",
    "everything else",
    "exports",
)
"""In the order in which they are swept: what others are made from first."""


@dataclass(frozen=True)
class Place:
    """Where he still is, or may be, and what to do."""

    path: str
    why: str


@dataclass(frozen=True)
class Found:
    """One file and the layer it belongs to."""

    layer: str
    path: Path
    label: str


def files(home: Home) -> dict[str, list[Found]]:
    """Every regular file of each layer. Links are not followed; other shops and the erasure's own notes are left out."""
    found: dict[str, list[Found]] = {layer: [] for layer in LAYERS}
    inside = home.landing.is_relative_to(home.root)
    for path in _walk(home.landing, (home.root,)):
        label = path.relative_to(home.root) if inside else path
        found["landing"].append(Found("landing", path, str(label)))
    for path in _walk(home.root, (home.landing, home.privacy, home.shops)):
        relative = path.relative_to(home.root)
        name = relative.parts[0].removesuffix(".wal").removesuffix("-wal").removesuffix("-shm")
        layer = name if name in LAYERS else "everything else"
        found[layer].append(Found(layer, path, str(relative)))
    known = {item.path for items in found.values() for item in items}
    for path in exports.remembered(home):
        if path.resolve() not in known:
            found["exports"].append(Found("exports", path, str(path)))
    return found


def _walk(root: Path, leave_out: tuple[Path, ...]) -> Iterator[Path]:
    for folder, names, members in os.walk(root):
        here = Path(folder)
        names[:] = sorted(name for name in names if here / name not in leave_out)
        for member in sorted(members):
            path = here / member
            if path.is_file() and not path.is_symlink():
                yield path


def look(found: Found, traces: Traces) -> Change:
    """What of him is in a file.

    Raises:
        UnreadableError: nobody can be told apart in it.
    """
    path = found.path
    owns = traces.owns_mail if found.layer == "outbox" else traces.owns_document
    if found.layer not in ("landing", "exports") and any(
        owns(Path(part).stem) for part in Path(found.label).parts
    ):
        return Change(Removed(rows=1, is_deleted=True), path.unlink)
    reader = _reader(found)
    if reader is None:
        return Change()
    try:
        return reader(path, traces)
    except (UnreadableError, PermissionError):
        raise
    except Exception as error:
        # Whatever a file holds, it must not keep others from being erased: it is named and left to a person.
        cause = f"{type(error).__name__}: {str(error).partition(chr(10))[0][:120]}"
        raise UnreadableError(f"not readable ({cause}); mend or delete it, and run again") from error


def _reader(found: Found) -> Callable[[Path, Traces], Change] | None:
    """How a file is read: by what it begins with, else by its ending; None where it is empty.

    To open a model is to run what it holds: only those of the registry are opened, whatever others are called.
    """
    path = found.path
    with path.open("rb") as file:
        head = file.read(16)
    suffix = path.suffix.lower()
    readers = (
        (head.startswith(b"PAR1") or suffix == ".parquet", tables.look_at_parquet),
        (head[8:12] == b"DUCK" or suffix == ".duckdb", databases.look_at_duckdb),
        (head == b"SQLite format 3\x00", databases.look_at_sqlite),
        (suffix in (".csv", ".tsv"), records.look_at_csv),
        (suffix in (".jsonl", ".ndjson"), records.look_at_json_lines),
        (found.layer == "mlflow-artifacts" and path.name == MODEL_FILE, look_at_model),
        (not documents.is_text(path), documents.look_at_bytes),
        (suffix == ".json", documents.look_at_json),
        (True, documents.look_at_text),
    )
    return next(reader for fits, reader in readers if fits) if head else None


def sweep(home: Home, traces: Traces, journal: Journal, on_layer: Callable[[str], None]) -> None:
    """Take him out of every file of every layer. Cut short and run again, it goes on; where he is not, nothing is written.

    `on_layer` is told of each layer before it is swept. What cannot be read or written is left to `places`.
    """
    _clear_away_leftovers(home)
    take_out_values(home, traces, journal)
    for layer in LAYERS:
        on_layer(layer)
        for found in files(home)[layer]:
            try:
                change = look(found, traces)
                if change.is_needed:
                    journal.note(home, found.label, change.removed)
                    change.apply()
            except (UnreadableError, OSError):
                continue
        if layer == "landing":
            _read_again(home, journal)


def places(home: Home, traces: Traces, on_layer: Callable[[str], None] = lambda _: None) -> list[Place]:
    """Where he still is, or cannot be told apart; empty when he is gone."""
    left = []
    for layer, members in files(home).items():
        on_layer(layer)
        for found in members:
            try:
                change = look(found, traces)
            except UnreadableError as error:
                left.append(Place(found.label, str(error)))
                continue
            except PermissionError as error:
                left.append(Place(found.label, f"{error.strerror}; give access to it, and run again"))
                continue
            if change.is_needed:
                count = f"{change.removed.rows} rows and {change.removed.values} values"
                left.append(
                    Place(found.label, f"still holds {count}; give write access to it, and run again")
                )
            elif layer in ("landing", "exports") and traces.owns_document(found.path.stem):
                left.append(Place(found.label, "its name names him; rename or delete it, and run again"))
    return left


def _clear_away_leftovers(home: Home) -> None:
    """Removes half-written files of killed processes: nobody reads them, and they may hold him."""
    for folder, names, members in os.walk(home.root):
        here = Path(folder)
        names[:] = [name for name in names if here / name not in (home.shops, home.landing)]
        for name in names:
            if name.startswith(".") and name.endswith(ASIDE):
                shutil.rmtree(here / name)
        for member in members:
            is_ours = member.endswith((ASIDE, ".tmp")) or member.startswith(f".{home.marketing.name}.")
            if member.startswith(".") and is_ours:
                (here / member).unlink()
    for path in home.landing.rglob(f".*{ASIDE}"):
        path.unlink()
    for path in exports.remembered(home):
        path.with_name(f".{path.name}{ASIDE}").unlink(missing_ok=True)


def _read_again(home: Home, journal: Journal) -> None:
    """Takes changed landing files out of the memory of earlier passes, so that the next one reads them again."""
    path = manifest_path(home)
    if not path.exists():
        return
    inside = home.landing.is_relative_to(home.root)
    prefix = home.landing.relative_to(home.root) if inside else home.landing
    changed = {
        Path(label).relative_to(prefix).as_posix()
        for label in journal.removed
        if Path(label).is_relative_to(prefix)
    }
    manifest = Manifest.load(path)
    states = {
        name: state.model_copy(
            update={"files": {f: _unread(e) if f in changed else e for f, e in state.files.items()}}
        )
        for name, state in manifest.tables.items()
    }
    Manifest(tables=states).save(path)


def _unread(entry: FileEntry) -> FileEntry:
    """The entry of a file that is to be read again; what days it had is kept, so that they are made again too."""
    return entry.model_copy(update={"sha256": "", "mtime_ns": 0})
