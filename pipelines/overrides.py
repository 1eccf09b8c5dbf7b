"""Changing overrides.yaml for people: one entry more or less, checked, written in one step, never by two at once."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
from pydantic import ValidationError

from assets.home import Home
from assets.landing.landed import landed
from assets.mail_files import MailFolder
from assets.privacy.exports import remember
from assets.storage import replace_bytes
from mail.overrides import HEADER, Override, entry_mistakes, with_entry, without_entry

ID_LENGTH = 6
EMPTY = f"{HEADER}\noverrides: []\n"


class OverrideError(ValueError):
    """An override cannot be made or removed; the message says why and what to do."""


def add_override(home: Home, folder: MailFolder, fields: dict[str, Any], now: datetime) -> Override:
    """Write one more entry at the end of the folder's overrides.yaml, which is made where it is not there yet.

    Args:
        home: whose erasures are to find a customer named in it.
        folder: the marketer's files.
        fields: those of `mail.overrides.Override` but for id and when.
        now: when it is made, naive UTC.

    Raises:
        OverrideError: a field is wrong, or no customer has the id.
        mail.errors.MessageFileError: the file as it is has mistakes, or cannot be changed safely.
    """
    made_at = now.replace(microsecond=0)
    with _alone(folder):
        known = folder.overrides().entries
        entry = _entry({**fields, "when": made_at, "id": _new_id(fields, made_at, {e.id for e in known})})
        messages, segments = list(folder.catalogue().messages), folder.segment_keys()
        problems = [f"{field}: {text}" for field, text in entry_mistakes(entry, messages, segments)]
        if problems:
            raise OverrideError("; ".join(problems))
        if entry.customer_id is not None:
            _check_customer(home, entry.customer_id, now)
            # Before it is written: an erasure must find every file that may hold somebody.
            _write(folder, lambda text: text or EMPTY)
            remember(home, folder.overrides_file)
        _write(folder, lambda text: with_entry(folder.overrides_file, text, entry))
    return entry


def _check_customer(home: Home, customer_id: str, now: datetime) -> None:
    """A hold of an id that nobody has would hold nobody; where no customers have landed, nothing can be said."""
    customers = landed(home, "customers", now).select("customer_id")
    known = customers.select(pl.len(), is_there=(pl.col("customer_id") == customer_id).any()).collect().row(0)
    if known[0] and not known[1]:
        raise OverrideError(
            f"customer_id: no customer has the id '{customer_id}'; give it as the landing file customers does, "
            "capital letters included"
        )


def remove_override(folder: MailFolder, key: str, today: date) -> bool:
    """End an override: one that plans of earlier days followed ends yesterday, so that they can be made again as they were;
    one that none can have followed is taken out.

    Returns:
        Whether it was taken out.

    Raises:
        mail.errors.MessageFileError: there is none of this id, or the file cannot be changed safely.
    """
    path = folder.overrides_file
    with _alone(folder):
        entry = next((e for e in folder.overrides().entries if e.id == key), None)
        is_followed = entry is not None and entry.from_date < today
        if entry is not None and is_followed:
            if entry.state(today) == "over":
                raise OverrideError(
                    f"override '{key}' ended on {entry.to_date}; plans of before still follow it"
                )
            ended = entry.model_copy(update={"to_date": today - timedelta(days=1)})
            _write(folder, lambda text: with_entry(path, without_entry(path, text, key), ended))
        else:
            _write(folder, lambda text: without_entry(path, text, key))
    return not is_followed


def _entry(fields: dict[str, Any]) -> Override:
    try:
        return Override.model_validate(fields)
    except ValidationError as error:
        told = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise OverrideError("; ".join(told)) from error


def _new_id(fields: dict[str, Any], made_at: datetime, taken: set[str]) -> str:
    """A short id that no other entry has: the same decision at the same moment gets the same one."""
    text = repr(sorted((name, str(value)) for name, value in fields.items())) + made_at.isoformat()
    digest = hashlib.sha256(text.encode()).hexdigest()
    ids = (f"{fields['kind']}-{digest[i : i + ID_LENGTH]}" for i in range(len(digest) - ID_LENGTH))
    return next(one for one in ids if one not in taken)


def _write(folder: MailFolder, change: Callable[[str], str]) -> None:
    path = folder.overrides_file
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    replace_bytes(path, change(text).encode())


@contextmanager
def _alone(folder: MailFolder) -> Iterator[None]:
    """Waits until nobody else changes the folder's overrides. The lock is on the folder: no file is left behind."""
    descriptor = os.open(folder.path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
