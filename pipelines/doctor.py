"""What is installed, landed, trained and planned, and what to do where something is missing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sized
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version

from assets.audiences import documented_customers
from assets.dbt import EXECUTABLE
from assets.history import first_event_day
from assets.home import Home
from assets.landing.report import quarantined
from assets.mail_files import MailFolder
from assets.privacy.journal import Journal
from assets.registry import DamagedModelError, Registry
from assets.training import QUESTIONS
from models.policy.config import PolicyConfig
from pipelines.settings import Settings

MIN_FREE_GB = 2
TABLES = ("customers", "products", "contents", "events", "consents")


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Attributes:
        topic: what was looked at.
        is_ok: whether it is as it should be.
        found: what was found.
        remedy: what to do where it is not ok.
    """

    topic: str
    is_ok: bool
    found: str
    remedy: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at everything a plan needs, in the order in which it is needed."""
    home = settings.home
    return [
        *_environment(settings),
        *_messages(settings),
        *_landing(home),
        *_quarantine(home),
        *_models(home),
        *_plans(home),
        *_erasures(home),
    ]


def _environment(settings: Settings) -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("dagster", "dbt-core", "duckdb", "polars", "mlflow")
    )
    yield Finding("python", True, f"{python}; {packages}")
    yield Finding(
        "dbt", EXECUTABLE.exists(), str(EXECUTABLE), "install the project's environment again: make plan"
    )
    root = settings.home.root
    parent = next(p for p in (root, *root.parents) if p.exists())
    is_writable = os.access(parent, os.W_OK)
    yield Finding(
        "home",
        is_writable,
        f"{root} ({settings.name})",
        "choose a folder you may write to: SENDPLAN_HOME=...",
    )
    free = shutil.disk_usage(parent).free / 1e9
    yield Finding("disk", free >= MIN_FREE_GB, f"{free:.0f} GB free", f"free at least {MIN_FREE_GB} GB")


def _messages(settings: Settings) -> Iterator[Finding]:
    try:
        folder = MailFolder(settings.mail)
        catalogue = folder.catalogue()
        salt = folder.policy(date.min).salt
        own = folder.audiences(documented_customers()).audiences
        overrides, campaigns = folder.overrides().entries, folder.campaigns().entries
    except ValueError as error:
        yield Finding("messages", False, str(error), "mend the file named above")
    else:
        counts: dict[str, Sized] = {
            "messages": catalogue.messages,
            "offers": catalogue.offers,
            "own segments": own,
            "overrides": overrides,
            "campaigns": campaigns,
        }
        found = ", ".join(f"{len(entries)} {what}" for what, entries in counts.items())
        yield Finding("messages", True, found)
        # Whoever knows the salt and an id knows the coupons and who is in the control group.
        told = "as shipped: known to all; choose one in policy.yaml before the first mail goes out"
        yield Finding("salt", True, told if salt == PolicyConfig(date.min).salt else "this shop's own")


def _landing(home: Home) -> Iterator[Finding]:
    found = [table for table in TABLES if any(home.landing.glob(f"{table}*"))]
    missing = [table for table in ("customers", "events") if table not in found]
    yield Finding(
        "landing",
        not missing,
        f"{home.landing}: {', '.join(found) or 'empty'}",
        f"put {' and '.join(missing)} there, or make a sample with: sendplan simulate",
    )
    yield Finding(
        "consents",
        "consents" in found,
        "landed" if "consents" in found else "none: nobody can be mailed",
        "put consents.* there: customer_id, purpose (email_marketing), granted, occurred_at",
    )
    first = first_event_day(home)
    if first is not None:
        yield Finding("events", True, f"since {first}")


def _quarantine(home: Home) -> Iterator[Finding]:
    told = ", ".join(f"{n} of {table}" for table, n in quarantined(home).items())
    yield Finding("quarantine", True, f"{told}: reasons in {home.quarantine}" if told else "empty")


def _models(home: Home) -> Iterator[Finding]:
    if not home.registry_db.exists():
        yield Finding("models", False, "none", "train them with: sendplan train --as-of DATE")
        return
    registry = Registry(home.registry_db, home.artifacts)
    for question in QUESTIONS:
        topic = f"model {question}"
        champion = registry.champion(question, date.max)
        if champion is None:
            yield Finding(topic, False, "no champion", "train it with: sendplan train --as-of DATE")
            continue
        found = f"{champion.method}, trained for {champion.week}"
        try:
            registry.load(champion)
        except DamagedModelError as error:
            yield Finding(topic, False, f"{found}, cannot be loaded ({error.cause})", error.remedy)
        else:
            yield Finding(topic, True, found)


def _plans(home: Home) -> Iterator[Finding]:
    days = sorted(folder.name.partition("=")[2] for folder in home.plans.glob("plan_date=*"))
    found = f"{len(days)}, the last for {days[-1]}" if days else "none"
    yield Finding("plans", bool(days), found, "make one with: sendplan plan --date DATE")


def _erasures(home: Home) -> Iterator[Finding]:
    unfinished = Journal.unfinished(home)
    if not unfinished:
        done = len(list(home.erasures.glob("*.json")))
        yield Finding("erasures", True, f"{done}: proofs in {home.erasures}" if done else "none")
    for journal in unfinished:
        remedy = f"finish it with: sendplan forget {min(journal.person.ids)}"
        yield Finding(
            "erasures", False, f"one, begun at {journal.started_at:%Y-%m-%d %H:%M}, is not finished", remedy
        )
