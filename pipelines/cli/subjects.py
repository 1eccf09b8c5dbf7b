"""Commands for composed subjects: what the grammar makes, and what a person approves or rejects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.output import JsonOption, print_json, rows
from pipelines.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from mail.grammar import Composed, Verdict

subjects = typer.Typer(
    help="Subjects composed from grammar.yaml, used once a person has approved them.", no_args_is_help=True
)
Ids = Annotated[
    list[str], typer.Argument(metavar="ID...", help="Ids, as `sendplan subjects list` shows them.")
]
By = Annotated[str, typer.Option(help="Your name; it is kept with the decision.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(subjects, name="subjects")


@subjects.command("list")
def show(
    message: Annotated[str | None, typer.Option(help="Only those of one message.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List composed subjects: those decided on, and those that wait for a decision."""
    from mail.errors import nearest

    found = _composed(Settings.from_env().mail)
    known = sorted({s.message_key for s in found})
    if message is not None and message not in known:
        raise LookupError(f"nothing is composed for a message '{message}'; {nearest(message, known)}")
    found = [s for s in found if message in (None, s.message_key)]
    if as_json:
        print_json({"subjects": [{name: value(s) for name, value in _COLUMNS.items()} for s in found]})
    else:
        rows(
            "Composed subjects",
            list(_COLUMNS),
            [tuple(value(s) for value in _COLUMNS.values()) for s in found],
        )


@subjects.command()
def approve(ids: Ids, by: By, as_json: JsonOption = False) -> None:
    """Let plans use these subjects from the next one on."""
    _decide(ids, by, "approved", as_json)


@subjects.command()
def reject(ids: Ids, by: By, as_json: JsonOption = False) -> None:
    """Keep these subjects from plans; approved ones retire from the next plan on."""
    _decide(ids, by, "rejected", as_json)


_COLUMNS = {
    "message": lambda s: s.message_key,
    "id": lambda s: s.id,
    "state": lambda s: s.state,
    "template": lambda s: s.template,
    "by": lambda s: s.decision.by if s.decision else None,
    "decided_on": lambda s: s.decision.decided_on if s.decision else None,
}


def _composed(folder: Path) -> list[Composed]:
    from mail.catalogue import load_catalogue
    from mail.grammar import composed_subjects

    return composed_subjects(folder, load_catalogue(folder / "messages", folder / "offers.yaml").messages)


def _decide(ids: list[str], by: str, verdict: Verdict, as_json: bool) -> None:
    from assets.clock import Clock
    from assets.storage import replace_bytes
    from mail.grammar import APPROVALS, decided, decisions_text, load_decisions

    if not by.strip():
        raise typer.BadParameter("say who decides", param_hint="--by")
    folder = Settings.from_env().mail
    path = folder / APPROVALS
    decisions = decided(
        _composed(folder),
        load_decisions(path),
        ids,
        verdict=verdict,
        by=by.strip(),
        decided_on=Clock().now().date(),
    )
    replace_bytes(path, decisions_text(decisions).encode())
    if as_json:
        print_json({"verdict": verdict, "ids": ids, "file": path})
    else:
        typer.echo(f"{len(ids)} {verdict}; kept in {path}")
