"""What a command says: tables and progress for people on standard error and output, JSON for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]

Landing = Annotated[
    Path | None,
    typer.Option(
        help="The landing folder; default: the one that SENDPLAN_HOME was first used with, else landing/ in it."
    ),
]

# Tables keep their width in a file or a pipe.
stdout = Console(width=None if sys.stdout.isatty() else 140)
# Bound to the stream of now, so that progress goes on where a run's own output is turned away.
stderr = Console(file=sys.stderr)


class Advance(Protocol):
    """Tells how far a piece of work has come."""

    def __call__(self, what: str, share: float) -> None:
        """`what` is being done; `share` (0 to 1) of the whole is done."""


@contextmanager
def progress(title: str, as_json: bool = False) -> Iterator[Advance]:
    """A progress bar on standard error that goes away when the work is done."""
    columns = (
        SpinnerColumn(),
        TextColumn("[bold]{task.fields[title]}[/]"),
        BarColumn(bar_width=30),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=stderr, transient=True, disable=as_json or not stderr.is_terminal) as bar:
        task = bar.add_task("", total=1.0, title=title)

        def advance(what: str, share: float) -> None:
            bar.update(task, description=what, completed=share)

        yield advance


def report_error(message: str) -> None:
    """Say on standard error what failed."""
    stderr.print(f"[bold red]error[/] {_plain(message)}", soft_wrap=True, highlight=False)


def report_warning(message: str) -> None:
    """Say on standard error what is not as it should be, but did not stop the command."""
    stderr.print(f"[bold yellow]warning[/] {_plain(message)}", soft_wrap=True, highlight=False)


def print_json(result: Mapping[str, Any]) -> None:
    """One JSON object on standard output; dates and paths as text."""
    typer.echo(json.dumps(result, default=str, indent=2))


def facts(title: str, rows: Mapping[str, object]) -> None:
    """A titled list of names and values."""
    table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(f"[dim]{name}[/]", _plain(str(value)))
    stdout.print(table)


def rows(title: str, header: list[str], body: list[tuple[object, ...]]) -> None:
    """A titled table."""
    table = Table(*header, title=title, title_justify="left", header_style="dim")
    for row in body:
        table.add_row(*(_plain("" if value is None else str(value)) for value in row))
    stdout.print(table)


def _plain(text: str) -> str:
    """Text in which rich sees no markup."""
    return text.replace("[", r"\[")
