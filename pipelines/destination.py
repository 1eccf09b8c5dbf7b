"""Where a file for people may be written: anywhere but over what a home is made of."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from assets.home import Home
from assets.privacy.exports import remembered
from assets.privacy.sweep import LAYERS
from pipelines.settings import SettingsError
from pipelines.shops import remembered_landing


class DestinationError(SettingsError):
    """The file cannot be written there; says why and what to do."""


def require_destination(home: Home, to: Path, suffixes: Sequence[str] = ()) -> None:
    """Whether `to` may be written: a new file, or one that may be replaced, whose name ends in one of `suffixes`, if any.

    In a home, at its top or in a folder that is not Sendplan's own, only new files and earlier exports are.

    Raises:
        DestinationError: it may not.
    """
    if suffixes and to.suffix not in suffixes:
        raise DestinationError(f"cannot write to '{to}'; let the name end in one of {', '.join(suffixes)}")
    if to.is_dir():
        raise DestinationError(
            f"'{to}' is a folder; name a file in it, for example {to}/export{next(iter(suffixes), '.json')}"
        )
    if to.exists() and not to.is_file():
        raise DestinationError(f"cannot write to '{to}': it is no regular file; name another file")
    if not to.parent.is_dir():
        raise DestinationError(
            f"cannot write to '{to}': there is no folder {to.parent}; make it, or name a file elsewhere"
        )
    if not os.access(to.parent, os.W_OK | os.X_OK):
        raise DestinationError(
            f"cannot write to '{to}': no right to write in {to.parent}; give it, or name a file elsewhere"
        )
    # A link is replaced by the file, but for a reader it is what it points to.
    for target in {to.parent.resolve() / to.name, to.resolve()}:
        _require_not_ours(home, to, target)


def _require_not_ours(home: Home, to: Path, target: Path) -> None:
    for ours in _homes(home):
        root, landing = ours.root.resolve(), ours.landing.resolve()
        is_in_home = target.is_relative_to(root)
        if target.is_relative_to(landing) and not (is_in_home and root.is_relative_to(landing)):
            raise DestinationError(
                f"cannot write to '{to}': {landing} is the landing folder, where the shop's own data arrives; name a file "
                "elsewhere"
            )
        if is_in_home:
            _require_free(ours, to, target)
            return


def _require_free(home: Home, to: Path, target: Path) -> None:
    folder = home.root.resolve() / target.relative_to(home.root.resolve()).parts[0]
    own = {*LAYERS, *(path.name for path in (home.privacy, home.erasures, home.shops))}
    if folder.name in own - {"everything else", "exports"}:
        raise DestinationError(
            f"cannot write to '{to}': {folder} holds what Sendplan itself relies on; name a file elsewhere"
        )
    if target.exists() and target not in {path.resolve() for path in remembered(home)}:
        raise DestinationError(
            f"cannot write to '{to}': the file is there already and was not exported from here; name a new file"
        )


def _homes(home: Home) -> Iterator[Home]:
    """The home, and the one that it lies in where it is of a second shop."""
    yield home
    outer = home.root.parent.parent
    landing = remembered_landing(outer)
    if landing is not None and Home(outer, landing).shops == home.root.parent:
        yield Home(outer, landing)
