"""The proof of an erasure: when, what was removed where, and whether anything is left. It names nobody."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from assets.home import Home
from assets.privacy.journal import Journal
from assets.privacy.suppression import COLUMNS, Suppression
from assets.privacy.sweep import Place
from assets.privacy.traces import Traces
from assets.storage import replace_bytes

NO_NAME = "full name: others bear it too, or it is a word or sign of the shop's own"


def write_proof(
    home: Home, journal: Journal, suppression: Suppression, left: Sequence[Place], finished_at: datetime
) -> Path:
    """Write `erasures/<date>-<short hash>.json`; the same erasure, finished after a kill, has the same file."""
    person, traces = journal.person, Traces(journal.person)
    removed = [
        {"path": traces.erase_text(path), **counts.model_dump()}
        for path, counts in sorted(journal.removed.items())
    ]
    proof = {
        "started_at": journal.started_at.isoformat(),
        "finished_at": finished_at.isoformat(),
        "is_complete": not left,
        "customer_ids": len(person.ids),
        "suppressed": {column: len(getattr(person, values)) for column, values in COLUMNS.items()},
        "rows_removed": sum(counts.rows for counts in journal.removed.values()),
        "values_erased": sum(counts.values for counts in journal.removed.values()),
        "removed": removed,
        "searched_for": [
            "customer id",
            "e-mail address",
            *(["full name"] if person.names else []),
            "devices, messages, orders and events that are his alone",
        ],
        "not_searched_for": [NO_NAME] if person.namesakes else [],
        "left": [{"path": traces.erase_text(place.path), "why": place.why} for place in left],
    }
    name = f"{journal.started_at:%Y-%m-%d}-{suppression.hash('customer_id', min(person.ids))[:12]}.json"
    path = home.erasures / name
    replace_bytes(path, json.dumps(proof, indent=1).encode())
    return path
