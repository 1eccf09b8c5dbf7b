"""Trials as a page of Markdown: what `sendplan evaluate --report FILE` writes.

A page keeps the sections of the trials that were not run, so that one trial can be repeated alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path

from assets.storage import replace_bytes
from benchmarks.evaluate.table import Table, said
from benchmarks.evaluate.trials import BY_NAME_ALONE, TRIALS

HEADING = "\n## "
TITLE = "# How good the models are"
INTRODUCTION = f"""{TITLE}

Every model beside its baselines, on public data and on simulated shops whose truth is known; the simplest method comes first. This page is written by

    sendplan evaluate --report docs/models.md --data DATA

and `sendplan evaluate TRIAL --report docs/models.md` renews the section of one trial. Whatever was aimed at stands under its table, met or
missed. A 95 % interval stands in brackets.

How the models work, what was learnt and where they end: [value](models/value.md), [churn](models/churn.md),
[recommendations](models/recommendations.md), [contents](models/contents.md), [send time](models/send_time.md), [offers](models/offers.md), [purchase
propensity](models/propensity.md), [segments, look-alikes, replenishment](models/segments.md), [life after training](models/life.md).
"""

DECISIONS_TITLE = "# How good the decisions are"
DECISIONS_INTRODUCTION = f"""{DECISIONS_TITLE}

What comes of the plan where the truth is known. This page is written by

    sendplan evaluate closed_loop --data FOLDER --report docs/decisions-evaluated.md

What has been played stays in FOLDER/closed_loop, so that a run can be stopped and taken up again. Whatever was aimed at stands under its
table, met or missed. A 95 % interval stands in brackets.
"""


class ForeignPageError(ValueError):
    """The page to be written is not one of figures."""


def introduction(trials: Iterable[str]) -> str:
    """Title and introduction of the page on which these trials stand."""
    return DECISIONS_INTRODUCTION if set(trials) <= set(BY_NAME_ALONE) else INTRODUCTION


def check(page: Path, trials: Iterable[str] = TRIALS) -> None:
    """Raises ForeignPageError, before a trial is run, where a page cannot be written or would be lost."""
    title = introduction(trials).split("\n", 1)[0]
    if not page.parent.is_dir():
        raise ForeignPageError(f"{page}: there is no folder {page.parent}; make it, or name another file")
    if page.is_dir():
        raise ForeignPageError(f"{page} is a folder; name a file in it")
    if page.exists() and not page.read_bytes().startswith(title.encode()):
        raise ForeignPageError(f"{page} is not the page '{title}' and would be lost; name another file")


def write(page: Path, found: Mapping[str, Sequence[Table]]) -> None:
    """Put the tables of the trials that were run (by trial) into the page; the file is made where it is missing."""
    sections = dict(_sections(page)) | {trial: section(trial, tables) for trial, tables in found.items()}
    known = [trial for trial in TRIALS if trial in sections]
    others = [name for name in sections if name not in TRIALS]
    content = "".join([introduction(found), *(sections[name] for name in (*known, *others))])
    replace_bytes(page, content.encode())


def section(trial: str, tables: Sequence[Table]) -> str:
    """A heading, what the trial's module says of itself, and its tables."""
    about = (import_module(f"benchmarks.evaluate.{trial}").__doc__ or "").strip()
    return "\n".join([f"{HEADING}{trial}", "", about, *map(_table, tables)]) + "\n"


def _sections(page: Path) -> list[tuple[str, str]]:
    """Name and text of each section of a page."""
    text = page.read_text("utf-8") if page.exists() else ""
    starts = [at for at in range(len(text)) if text.startswith(HEADING, at)]
    parts = [text[start:end] for start, end in pairwise([*starts, len(text)])]
    return [(part[len(HEADING) :].split("\n", 1)[0], part) for part in parts]


def _table(table: Table) -> str:
    shown = table.shown()
    rows = [shown.columns, ["---"] * shown.width, *shown.rows()]
    lines = ["", f"**{table.name}** {table.title}", "", *(f"| {' | '.join(row)} |" for row in rows)]
    lines += [""] * bool(table.targets)
    lines += [
        f"- {'met' if table.is_met(target) else '**missed**'}: {target}, is {said(table.figure(target))}"
        for target in table.targets
    ]
    return "\n".join(lines)
