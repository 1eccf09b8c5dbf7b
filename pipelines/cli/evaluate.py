"""The command that judges the models on public data: evaluate."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.output import JsonOption, print_json, progress, rows, stderr, stdout
from pipelines.settings import Settings

if TYPE_CHECKING:
    from benchmarks.evaluate.table import Table

DATA = Path("../shared/data")


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(evaluate)


def evaluate(
    trial: Annotated[
        list[str] | None, typer.Argument(help="Only these trials; default: all of them.")
    ] = None,
    data: Annotated[
        Path, typer.Option(envvar="SENDPLAN_DATA", help="The folder with the public datasets.")
    ] = DATA,
    report: Annotated[
        Path | None, typer.Option(help="A page of Markdown: the sections of these trials are renewed in it.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Judge every model beside its baselines on public data and simulated shops, from scratch; logged in MLflow."""
    from assets.registry import Registry
    from benchmarks.evaluate.log import log
    from benchmarks.evaluate.report import check, write
    from benchmarks.evaluate.trials import TRIALS, tables

    unknown = sorted(set(trial or ()) - set(TRIALS))
    if unknown:
        raise typer.BadParameter(f"there is no trial {', '.join(unknown)}; there are {', '.join(TRIALS)}")
    if report is not None:
        check(report)
    home = Settings.from_env().home
    registry = Registry(home.registry_db, home.artifacts)
    found: list[dict[str, Any]] = []
    for name in trial or TRIALS:
        start, done = time.monotonic(), []
        with progress(f"evaluate {name}", as_json):
            for table in tables(name, data):
                log(registry, name, table)
                done.append(table)
                found.append(
                    {
                        "trial": name,
                        "table": table.name,
                        "title": table.title,
                        "figures": table.figures.to_dicts(),
                        "targets": {str(t): table.is_met(t) for t in table.targets},
                    }
                )
                if not as_json:
                    _print(table)
        stderr.print(f"{name}: {time.monotonic() - start:.0f} s")
        if report is not None:
            write(report, {name: done})
    if as_json:
        print_json({"tables": found})


def _print(table: Table) -> None:
    from benchmarks.evaluate.table import said

    stdout.print(f"\n{table.name}: {table.title}", markup=False, highlight=False, soft_wrap=True)
    shown = table.shown()
    rows("", shown.columns, shown.rows())
    for target in table.targets:
        verdict = "met   " if table.is_met(target) else "MISSED"
        stdout.print(f"  {verdict} {target}, is {said(table.figure(target))}", markup=False, highlight=False)
