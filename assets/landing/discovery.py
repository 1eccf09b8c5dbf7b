"""Which files of a landing folder belong to which table. Names are looked at here, contents are not."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

from assets.landing.contract import TABLES

EXTENSIONS = ("parquet", "csv", "jsonl")
_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".swp", "~")


class LandingError(ValueError):
    """A landing folder from which nothing can be made. Says what is wrong, where, and what to do."""


@dataclass(frozen=True)
class LandingFile:
    """One file of one table; `path` is relative to the landing folder, with forward slashes."""

    table: str
    path: str
    location: Path
    extension: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Discovery:
    """The files of each table in the order of their paths, and a sentence for everything left out."""

    files: dict[str, list[LandingFile]]
    warnings: tuple[str, ...]


def discover(landing: Path) -> Discovery:
    """Lists `<table>.<ext>` and `<table>/**/*.<ext>`; letter case of table and extension does not matter.

    Hidden and unfinished files (`.x`, `_x`, `x.tmp`, `x.part`, `x~`) are passed over in silence; empty files, links
    that lead out of the folder and files that belong to no table are named in the warnings, as are absent tables that
    may be absent.

    Raises:
        LandingError: the folder does not exist, or a table that must exist has no file.
    """
    if not landing.is_dir():
        raise LandingError(
            f"landing folder {landing} does not exist; create it and put customers.* and events.* there, "
            "or run `sendplan simulate`"
        )
    files: dict[str, list[LandingFile]] = {name: [] for name in TABLES}
    warnings = []
    inside = landing.resolve()
    for relative in sorted(_visible(landing), key=str):
        location = landing / relative
        if not location.resolve().is_relative_to(inside):
            warnings.append(
                f"{relative} is ignored: it is a link to a place outside the landing folder; put the file itself there"
            )
            continue
        found, complaint = _classify(relative, location)
        if found:
            files[found.table].append(found)
        if complaint:
            warnings.append(complaint)
    for name, table in TABLES.items():
        if files[name]:
            continue
        if table.required:
            raise LandingError(_nothing_of(name, landing, any(files.values()), warnings))
        warnings.append(f"{name} is absent: there is no {name}.* in {landing}; the raw table is empty")
    return Discovery(files, tuple(warnings))


def _visible(landing: Path) -> Iterator[PurePosixPath]:
    for location in landing.rglob("*"):
        relative = PurePosixPath(location.relative_to(landing).as_posix())
        hidden = any(part.startswith((".", "_")) for part in relative.parts)
        if not hidden and not relative.name.lower().endswith(_UNFINISHED) and location.is_file():
            yield relative


def _classify(relative: PurePosixPath, location: Path) -> tuple[LandingFile | None, str | None]:
    owner = relative.stem if len(relative.parts) == 1 else relative.parts[0]
    table, extension = owner.lower(), relative.suffix.lower().removeprefix(".")
    if table not in TABLES:
        close = get_close_matches(table, TABLES, n=1)
        guess = f" (did you mean {close[0]}?)" if close else ""
        return None, (
            f"{relative} is ignored: there is no table '{owner}'{guess}; "
            f"use <table>.<ext> or <table>/<any name>.<ext> with one of {', '.join(TABLES)}"
        )
    if extension not in EXTENSIONS:
        return None, f"{relative} is ignored: '.{extension}' is not read; use .parquet, .csv or .jsonl"
    status = location.stat()
    if status.st_size == 0:
        return None, f"{relative} is ignored: the file is empty; deliver it again if it should hold rows"
    file = LandingFile(table, str(relative), location, extension, status.st_size, status.st_mtime_ns)
    return file, None


def _nothing_of(table: str, landing: Path, has_files: bool, warnings: list[str]) -> str:
    if not has_files and not warnings:
        return (
            f"landing folder {landing} is empty; put customers.* and events.* there (.parquet, .csv or .jsonl), "
            "or run `sendplan simulate`"
        )
    ignored = "".join(f"; {warning}" for warning in warnings)
    return (
        f"landing folder {landing} has no {table}; put {table}.parquet, {table}.csv or {table}.jsonl there, "
        f"or run `sendplan simulate`{ignored}"
    )
