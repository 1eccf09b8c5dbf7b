"""Fitted models in the registry: those that keep something of single customers let go of him, and are pickled again."""

from __future__ import annotations

import pickle
from pathlib import Path

import cloudpickle

from assets.home import Home
from assets.privacy.change import Change, replace_file
from assets.privacy.documents import look_at_bytes
from assets.privacy.journal import Removed
from assets.privacy.traces import Traces
from models.model import NOBODY, RemembersCustomers

MODEL_FILE = "python_model.pkl"
"""What MLflow calls the file of a fitted model."""

EXAMPLES = ("input_example.json", "serving_input_example.json")
"""What MLflow calls the files of example rows. No model needs them to answer."""


def look_at_model(path: Path, traces: Traces) -> Change:
    """Finds him in a fitted model of the registry. The file is opened as scoring opens it: it is this home's own.

    Raises:
        UnreadableError: he stands in a model that cannot let go of him.
    """
    try:
        with path.open("rb") as file:
            logged = pickle.load(file)
        model = logged.model
    except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError, TypeError):
        # A model of older code: what it keeps can only be searched.
        return look_at_bytes(path, traces)
    if not isinstance(model, RemembersCustomers):
        return look_at_bytes(path, traces)
    known = model.customers() & traces.person.ids
    if not known:
        return Change()
    logged.model = model.without(known)
    content: bytes = cloudpickle.dumps(logged)
    return Change(Removed(rows=len(known)), lambda: replace_file(path, lambda aside: _write(aside, content)))


def drop_examples_of_people(home: Home) -> None:
    """Deletes examples logged with models whose rows are not made up: they were somebody's, and do not say whose."""
    for name in EXAMPLES:
        for path in home.artifacts.rglob(name):
            if NOBODY.encode() not in path.read_bytes():
                path.unlink()


def _write(aside: Path, content: bytes) -> None:
    aside.write_bytes(content)
