"""Commands by which people stay in charge: override; and what helps them to write their files: schema."""

from __future__ import annotations

import getpass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.output import JsonOption, facts, print_json, rows, stdout
from pipelines.settings import Settings, SettingsError, today

if TYPE_CHECKING:
    from mail.overrides import Override

Message = Annotated[str | None, typer.Option(help="Key of the message concerned.")]
Segment = Annotated[
    str | None, typer.Option(help="Key of a learnt or your own segment, or a life-cycle stage.")
]
Customer = Annotated[str | None, typer.Option(help="Id of a customer, as in customers.*.")]
From = Annotated[
    str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="First plan date; default: today.")
]
To = Annotated[
    str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="Last plan date; default: until removed.")
]
Who = Annotated[str | None, typer.Option(help="Whose decision it is; default: your login name.")]
Why = Annotated[str, typer.Option(help="Why, in a few words; plans give it as the reason.")]

override = typer.Typer(
    help="Hold mail, approve or replace a message: what you decide, the next plan follows.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    override.command()(hold)
    override.command()(approve)
    override.command()(replace)
    override.command("list")(list_overrides)
    override.command()(remove)
    app.add_typer(override, name="override")
    app.command()(schema)


def hold(
    why: Why,
    message: Message = None,
    segment: Segment = None,
    customer: Customer = None,
    everyone: Annotated[bool, typer.Option("--everyone", help="Hold all mail.")] = False,
    from_date: From = None,
    to_date: To = None,
    who: Who = None,
    as_json: JsonOption = False,
) -> None:
    """Let nothing go out: of a message, to a segment or customer, or of a message to them; or nothing at all."""
    scope = {"message": message, "segment": segment, "customer_id": customer, "everyone": everyone}
    _add("hold", scope, from_date, to_date, who, why, as_json)


def approve(
    message: Annotated[str, typer.Option(help="Key of the message, which has needs_approval: true.")],
    why: Why,
    segment: Segment = None,
    customer: Customer = None,
    from_date: From = None,
    to_date: To = None,
    who: Who = None,
    as_json: JsonOption = False,
) -> None:
    """Let a message go out that needs approval; to a segment or customer alone where one is named."""
    scope = {"message": message, "segment": segment, "customer_id": customer}
    _add("approve", scope, from_date, to_date, who, why, as_json)


def replace(
    by: Annotated[str, typer.Option("--by", help="Key of the message to be sent instead.")],
    why: Why,
    message: Message = None,
    segment: Segment = None,
    customer: Customer = None,
    from_date: From = None,
    to_date: To = None,
    who: Who = None,
    as_json: JsonOption = False,
) -> None:
    """Put a message in the place of another wherever that is due; or, where no message is named, choose it outright.

    Consent, caps, quiet hours and rests hold all the same, and it needs enough products.
    """
    scope = {"message": message, "segment": segment, "customer_id": customer, "replacement": by}
    _add("replace", scope, from_date, to_date, who, why, as_json)


def list_overrides(as_json: JsonOption = False) -> None:
    """Show all overrides and whether they are in force today."""
    from assets.mail_files import MailFolder

    entries = MailFolder(Settings.from_env().mail).overrides().entries
    if as_json:
        print_json({"overrides": [_as_json(entry) for entry in entries]})
        return
    header = ["id", "today", "kind", "scope", "instead", "from", "to", "who", "why"]
    body: list[tuple[object, ...]] = [
        (e.id, e.state(today()), e.kind, _scope(e), e.replacement, e.from_date, e.to_date, e.who, e.why)
        for e in entries
    ]
    rows("Overrides", header, body)


def remove(
    key: Annotated[str, typer.Argument(metavar="ID", help="The id, as `sendplan override list` shows it.")],
    as_json: JsonOption = False,
) -> None:
    """End an override. One that earlier plans have followed ends yesterday; one that none has is taken out of the file."""
    from assets.mail_files import MailFolder
    from pipelines.overrides import remove_override

    is_removed = remove_override(MailFolder(Settings.from_env().mail), key, today())
    if as_json:
        print_json({"id": key, "is_removed": is_removed})
    else:
        typer.echo(f"{key} is removed" if is_removed else f"{key} has ended; plans of before still follow it")


def schema(
    to: Annotated[Path, typer.Option(help="The folder to write to; made where it is not there.")],
    as_json: JsonOption = False,
) -> None:
    """Write the JSON Schema of the files in mail/, for editors that check and complete while you type."""
    from assets.storage import replace_bytes
    from mail.json_schemas import json_schemas

    if to.exists() and not to.is_dir():
        raise SettingsError(f"'{to}' is a file; name a folder")
    files = {name: to / name for name in json_schemas()}
    for name, text in json_schemas().items():
        replace_bytes(files[name], text.encode())
    if as_json:
        print_json({"files": list(files.values())})
    else:
        typer.echo(f"{len(files)} schemas written to {to}")


def _add(
    kind: str,
    scope: dict[str, Any],
    from_date: str | None,
    to_date: str | None,
    who: str | None,
    why: str,
    as_json: bool,
) -> None:
    from assets.clock import Clock
    from assets.mail_files import MailFolder
    from assets.privacy.erasure import held
    from pipelines.overrides import add_override

    settings = Settings.from_env()
    fields = {
        **{name: value for name, value in scope.items() if value is not None},
        "kind": kind,
        "from_date": _day(from_date) or today(),
        "to_date": _day(to_date),
        "who": who or getpass.getuser(),
        "why": why,
    }
    # No erasure while a file with ids is written: it would miss it.
    with held(settings.home, shared=True):
        entry = add_override(settings.home, MailFolder(settings.mail), fields, Clock().now())
    if as_json:
        print_json({"override": _as_json(entry), "file": settings.mail / "overrides.yaml"})
        return
    until = f"to {entry.to_date}" if entry.to_date else "until removed"
    facts(
        f"Override {entry.id}",
        {
            entry.kind: f"{_scope(entry)}{f', by {entry.replacement}' if entry.replacement else ''}",
            "plans": f"from {entry.from_date} {until}",
            "who, why": f"{entry.who}: {entry.why}",
        },
    )
    stdout.print("The next plan follows it; one made before does not.")


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SettingsError(
            f"'{text}' is not a date; write it as YYYY-MM-DD, for example 2025-07-05"
        ) from None


def _scope(entry: Override) -> str:
    named = {"message": entry.message, "segment": entry.segment, "customer": entry.customer_id}
    return ", ".join(f"{what} {key}" for what, key in named.items() if key) or "everyone"


def _as_json(entry: Override) -> dict[str, Any]:
    return {**entry.model_dump(mode="json"), "state": entry.state(today())}
