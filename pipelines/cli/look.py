"""Commands that look at what is there: export, lookalikes, ui, doctor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.output import JsonOption, Landing, facts, print_json, rows, stdout
from pipelines.settings import PROJECT, Settings, plan_day, today


class Page(StrEnum):
    """The pages that can be opened."""

    dagster = "dagster"
    mlflow = "mlflow"


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(export)
    app.command()(lookalikes)
    app.command()(ui)
    app.command()(doctor)


def export(
    day: Annotated[str, typer.Option("--date", metavar="YYYY-MM-DD", help="The planned day.")],
    to: Annotated[Path, typer.Option(help="The file to write: .csv, .parquet or .jsonl.")],
    landing: Landing = None,
    as_json: JsonOption = False,
) -> None:
    """Write a day's plan with e-mail addresses and names, for people who send or check it.

    Who has withdrawn since the plan was made is held back.
    """
    from assets.clock import Clock
    from assets.privacy.erasure import held
    from pipelines.export import export_plan

    settings, planned = Settings.from_env(landing=landing), plan_day(day, today())
    # No erasure while a file with names is written: it would miss it.
    with held(settings.home, shared=True):
        written = export_plan(settings.home, planned, to, Clock().now())
    if as_json:
        print_json({"rows": written.rows, "stopped": written.stopped, "to": to})
    else:
        typer.echo(f"{written.rows} rows written to {to}")
        if written.stopped:
            stdout.print(
                f"{written.stopped} sends are held back: withdrawn, complained or bounced since the plan was made"
            )


def lookalikes(
    segment: Annotated[str, typer.Argument(help="Key of a learnt or your own segment, as in segments.yaml.")],
    day: Annotated[str, typer.Option("--date", metavar="YYYY-MM-DD", help="The planned day.")],
    n: Annotated[int, typer.Option("--n", min=1, help="How many at most.")] = 500,
    to: Annotated[Path | None, typer.Option(help="A file to write them to: .csv or .parquet.")] = None,
    landing: Landing = None,
    as_json: JsonOption = False,
) -> None:
    """Find the customers most like those in a segment who are not in it.

    This is no mailing list: it holds those too who have not agreed to mail, see consent_status. Who may be mailed, a plan
    says.
    """
    from assets.privacy.erasure import held
    from pipelines.destination import require_destination
    from pipelines.lookalikes import SUFFIXES, find_lookalikes, write_lookalikes

    settings, planned = Settings.from_env(landing=landing), plan_day(day, today())
    if to is not None:
        require_destination(settings.home, to, SUFFIXES)
    # No erasure while a file with ids is written: it would miss it.
    with held(settings.home, shared=True):
        found = find_lookalikes(settings.home, planned, segment, n)
        if to is not None:
            write_lookalikes(settings.home, found, to)
    if as_json:
        print_json({"segment": segment, "lookalikes": found.to_dicts(), "to": to})
    elif to is not None:
        typer.echo(f"{found.height} customers written to {to}")
    else:
        rows(f"Most like {segment}", found.columns, found.rows())


def ui(
    page: Annotated[Page, typer.Argument(help="Which page.")],
    port: Annotated[int | None, typer.Option(help="Default: 3000 for Dagster, 5000 for MLflow.")] = None,
    landing: Landing = None,
) -> None:
    """Serve Dagster's or MLflow's pages for this home folder until stopped."""
    from pipelines.instance import prepare_instance

    settings = Settings.from_env(landing=landing)
    home, scripts = settings.home, Path(sys.executable).parent
    if page is Page.dagster:
        prepare_instance(home)
        command: list[str | Path] = [
            scripts / "dagster",
            "dev",
            "--workspace",
            PROJECT / "workspace.yaml",
            "--port",
            str(port or 3000),
        ]
    else:
        command = [
            *(scripts / "mlflow", "server", "--backend-store-uri", f"sqlite:///{home.registry_db}"),
            *("--serve-artifacts", "--artifacts-destination", home.artifacts, "--port", str(port or 5000)),
        ]
    # Libraries note beta parameters at every start of every process.
    environment = {
        **os.environ,
        "SENDPLAN_HOME": str(home.root),
        "SENDPLAN_LANDING": str(home.landing),
        "SENDPLAN_MAIL": str(settings.mail),
        "PYTHONWARNINGS": "ignore",
    }
    # A group of its own, ended as a whole: the servers start further processes, which would outlive them.
    server = subprocess.Popen(command, cwd=PROJECT, env=environment, start_new_session=True)

    def stop(signum: int, _: object) -> None:
        os.killpg(server.pid, signum)

    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, stop)
    raise typer.Exit(server.wait())


def doctor(landing: Landing = None, as_json: JsonOption = False) -> None:
    """Check what is installed, landed, trained and planned; says what to do about each thing that is wrong."""
    from pipelines.doctor import examine

    findings = examine(Settings.from_env(landing=landing))
    if as_json:
        print_json({f.topic: {"ok": f.is_ok, "found": f.found, "remedy": f.remedy} for f in findings})
    else:
        marks = {True: "ok", False: "look"}
        facts(
            "Sendplan",
            {
                f"{marks[f.is_ok]:4} {f.topic}": f.found + ("" if f.is_ok else f" - {f.remedy}")
                for f in findings
            },
        )
    raise typer.Exit(0 if all(f.is_ok for f in findings) else 1)
