"""Fitted models in the registry: those that keep something of single customers let go of him, and are pickled again."""

from __future__ import annotations

import pickle
from pathlib import Path

from assets.privacy.change import Change, replace_file
from assets.privacy.documents import look_at_bytes
from assets.privacy.journal import Removed
from assets.privacy.traces import Traces
from assets.registry import fitted_model, repickled
from models.model import RemembersCustomers


def look_at_model(path: Path, traces: Traces) -> Change:
    """Finds him in a fitted model of the registry. The file is opened as scoring opens it: it is this home's own.

    Raises:
        UnreadableError: he stands in a model that cannot let go of him.
    """
    try:
        model = fitted_model(path)
    except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError, TypeError):
        # A model of older code: what it keeps can only be searched.
        return look_at_bytes(path, traces)
    if not isinstance(model, RemembersCustomers):
        return look_at_bytes(path, traces)
    known = model.customers() & traces.person.ids
    if not known:
        return Change()
    content = repickled(model.without(known))
    return Change(Removed(rows=len(known)), lambda: replace_file(path, lambda aside: _write(aside, content)))


def _write(aside: Path, content: bytes) -> None:
    aside.write_bytes(content)
