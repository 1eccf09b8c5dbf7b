"""Where exports were written, so that an erasure finds them. Paths alone; a file that was moved is not found."""

from __future__ import annotations

import json
from pathlib import Path

from assets.home import Home
from assets.privacy.suppression import SECRET
from assets.storage import replace_bytes


def remember(home: Home, file: Path) -> None:
    """Note that a file with names and addresses was written; paths whose file is gone are dropped."""
    paths = {str(path) for path in remembered(home)} | {str(file.absolute())}
    replace_bytes(_path(home), json.dumps(sorted(paths), indent=1).encode(), SECRET)


def forget_gone(home: Home) -> None:
    """Drop the paths of files that are not there any more: a name of a file may name a person."""
    if _path(home).exists():
        replace_bytes(
            _path(home), json.dumps([str(path) for path in remembered(home)], indent=1).encode(), SECRET
        )


def remembered(home: Home) -> list[Path]:
    """Exports that are still where they were written, in the order of their paths."""
    path = _path(home)
    known = [Path(text) for text in json.loads(path.read_bytes())] if path.exists() else []
    return [file for file in known if file.is_file() and not file.is_symlink()]


def _path(home: Home) -> Path:
    return home.privacy / "exports.json"
