"""Commands for the rights of the people in the data: forget, subject-export."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.output import JsonOption, Landing, facts, print_json, progress, rows, stdout
from pipelines.settings import Settings

if TYPE_CHECKING:
    from assets.privacy.erasure import Outcome
    from assets.privacy.person import Person

Customer = Annotated[str, typer.Argument(metavar="CUSTOMER_ID", help="The id as it stands in customers.*.")]
NAMED_AT_MOST = 30


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(forget)
    app.command("subject-export")(subject_export)


def forget(
    customer_id: Customer,
    landing: Landing = None,
    as_json: JsonOption = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before erasing.")] = False,
) -> None:
    """Erase a person from landing files and everything made of them, for good; writes a proof that names nobody."""
    from assets.clock import Clock
    from assets.privacy import erasure
    from assets.privacy.sweep import LAYERS
    from pipelines.alive import no_run_at_work
    from pipelines.instance import open_instance

    settings = Settings.from_env(landing=landing)
    home, clock = settings.home, Clock()
    if not yes and (as_json or not sys.stdin.isatty()):
        raise typer.BadParameter("an erasure cannot be undone; add --yes where nobody can be asked")
    if not home.landing.is_dir() and not home.raw.is_dir():
        raise erasure.UnknownPersonError(
            f"there is nothing in {home.landing} and {home.root}; check SENDPLAN_HOME and --landing"
        )
    with ExitStack() as stack:
        stack.enter_context(erasure.held(home))
        if home.dagster.exists():
            stack.enter_context(no_run_at_work(stack.enter_context(open_instance(home))))
        with progress("search", as_json):
            person = erasure.subject(home, customer_id, clock.now())
        if not yes:
            typer.confirm(f"{_whom(person, customer_id)} Erase for good?", abort=True, err=True)
        steps = ["suppression", "journal", *LAYERS, "verification", "proof"]
        with progress("erase", as_json) as advance:
            outcome = erasure.forget(
                home, person, clock, lambda step: advance(step, steps.index(step) / len(steps))
            )
    if as_json:
        print_json(_as_json(outcome, customer_id))
    else:
        _report(outcome, customer_id)
    raise typer.Exit(1 if outcome.left else 0)


def subject_export(
    customer_id: Customer,
    to: Annotated[Path | None, typer.Option(help="The file to write; default: standard output.")] = None,
    landing: Landing = None,
) -> None:
    """All data held about a person, as one JSON document he can be given."""
    from assets.clock import Clock
    from assets.privacy.erasure import held
    from assets.privacy.exports import remember
    from assets.privacy.subject import held_about
    from assets.privacy.suppression import SECRET
    from assets.storage import replace_bytes
    from pipelines.destination import require_destination

    settings = Settings.from_env(landing=landing)
    if to is not None:
        require_destination(settings.home, to)
    document = held_about(settings.home, customer_id, Clock().now())
    text = json.dumps(document, indent=1, ensure_ascii=False, default=_plain)
    if to is None:
        typer.echo(text)
        return
    with held(settings.home, shared=True):
        # Before it is written: an erasure must find every file that may hold somebody.
        remember(settings.home, to)
        replace_bytes(to, text.encode(), SECRET)
    typer.echo(f"written to {to}")


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _whom(person: Person, customer_id: str) -> str:
    others = sorted(person.ids - {customer_id})
    also = f", with the same e-mail address also {', '.join(others)}" if others else ""
    return f"Customer {customer_id}{also}."


def _as_json(outcome: Outcome, customer_id: str) -> dict[str, object]:
    return {
        "customer_id": customer_id,
        "same_person": sorted(outcome.person.ids - {customer_id}),
        "erased_at": outcome.erased_at.isoformat(),
        "is_already_done": outcome.proof is None,
        "rows_removed": outcome.rows,
        "values_erased": outcome.values,
        "proof": outcome.proof,
        "left": [{"path": place.path, "why": place.why} for place in outcome.left],
    }


def _report(outcome: Outcome, customer_id: str) -> None:
    if outcome.proof is None:
        stdout.print(
            f"{customer_id} was erased at {outcome.erased_at:%Y-%m-%d %H:%M} UTC; nothing is left to do"
        )
        return
    facts(
        f"Erased: {_whom(outcome.person, customer_id)}",
        {
            "rows removed": outcome.rows,
            "values erased in rows of others": outcome.values,
            "proof": outcome.proof,
            "verification": "nothing is left" if not outcome.left else f"{len(outcome.left)} places are left",
        },
    )
    if outcome.left:
        shown = outcome.left[:NAMED_AT_MOST]
        rows("Left", ["where", "why, and what to do"], [(place.path, place.why) for place in shown])
