"""Who has been erased, as salted hashes: enough to recognise him in a new import, too little to name him.

Each home has a random salt of its own, so that hashes of two homes cannot be compared.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import polars as pl

from assets.home import Home
from assets.landing.reading import ROW
from assets.privacy.person import Person, normalised
from assets.storage import replace_bytes

SECRET = 0o600
"""Access rights: the owner alone."""

COLUMNS: Mapping[str, str] = {
    "customer_id": "ids",
    "email": "emails",
    "anonymous_id": "anonymous_id",
    "message_id": "message_id",
    "order_id": "order_id",
}
"""Columns by which a row is recognised, and the person's values in them."""

_NAMING = ("customer_id", "email")
_LINKING = ("anonymous_id", "message_id", "order_id")


@dataclass(frozen=True)
class Suppression:
    """The erased people of a home.

    Attributes:
        salt: the home's; empty where nobody has been erased.
        hashes: column name -> hashes of suppressed values.
        erased_at: hash of a customer id -> when he was erased.
    """

    salt: bytes = b""
    hashes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    erased_at: Mapping[str, datetime] = field(default_factory=dict)

    @classmethod
    def load(cls, home: Home) -> Suppression:
        """The suppression of a home; an empty one where nobody has been erased."""
        path = _list_path(home)
        if not path.exists():
            return cls()
        stored = json.loads(path.read_bytes())
        hashes = {column: frozenset(values) for column, values in stored["hashes"].items()}
        times = {key: datetime.fromisoformat(at) for key, at in stored["erased_at"].items()}
        return cls(_salt_path(home).read_bytes(), hashes, times)

    def adding(self, person: Person, now: datetime) -> Suppression:
        """The same with a person more; the time of one who is in it already stays."""
        more = {
            column: self.hashes.get(column, frozenset())
            | {self.hash(column, value) for value in getattr(person, values)}
            for column, values in COLUMNS.items()
        }
        times = {self.hash("customer_id", customer): now for customer in person.ids}
        return Suppression(self.salt, more, {**times, **self.erased_at})

    def ids_by_address(self, rows: pl.DataFrame) -> tuple[str, ...]:
        """The hashed customer ids of rows with an erased person's address."""
        if not {"customer_id", "email"} <= set(rows.columns):
            return ()
        his = rows.filter(pl.col("email").is_in(self._suppressed(rows["email"], "email")))
        return tuple(
            sorted({self.hash("customer_id", customer) for customer in his["customer_id"].drop_nulls()})
        )

    def knows(self, ids: Collection[str]) -> bool:
        """Whether all of these hashed customer ids are suppressed."""
        return set(ids) <= self.hashes.get("customer_id", frozenset())

    def with_ids(self, ids: Collection[str], now: datetime) -> Suppression:
        """The same with the ids, hashed, under which an erased person has been landed again."""
        more = {**self.hashes, "customer_id": self.hashes.get("customer_id", frozenset()) | set(ids)}
        return Suppression(self.salt, more, {**dict.fromkeys(ids, now), **self.erased_at})

    def save(self, home: Home) -> None:
        """Store it, readable by the owner alone."""
        stored = {
            "hashes": {column: sorted(values) for column, values in sorted(self.hashes.items())},
            "erased_at": {key: at.isoformat() for key, at in sorted(self.erased_at.items())},
        }
        replace_bytes(_list_path(home), json.dumps(stored, indent=1).encode(), SECRET)

    def hash(self, column: str, value: str) -> str:
        """HMAC-SHA256 of a value of a column, 128 bits of it."""
        text = normalised(value) if column == "email" else value
        return hmac.digest(self.salt, f"{column}\0{text}".encode(), "sha256").hex()[:32]

    def when(self, customer_id: str) -> datetime | None:
        """When a customer was erased; None if he was not."""
        return self.erased_at.get(self.hash("customer_id", customer_id)) if self.salt else None

    def is_his(self, rows: pl.DataFrame) -> pl.Series:
        """Which rows, in columns of the landing contract, are of an erased person.

        Customer id and address decide; device, message and order do so only where a row has no customer.
        """
        named = [pl.col(c).is_in(self._suppressed(rows[c], c)) for c in _NAMING if c in rows.columns]
        nobody = rows.filter(pl.col("customer_id").is_null()) if "customer_id" in rows.columns else rows
        linked = [pl.col(c).is_in(self._suppressed(nobody[c], c)) for c in _LINKING if c in rows.columns]
        is_nobody = pl.col("customer_id").is_null() if "customer_id" in rows.columns else pl.lit(True)
        his = pl.any_horizontal(pl.lit(False), *named) | (
            is_nobody & pl.any_horizontal(pl.lit(False), *linked)
        )
        return rows.with_columns(his.fill_null(False).alias("\x00his"))["\x00his"]

    def is_told_of(self, record: str | None) -> bool:
        """Whether a quarantine record (JSON of a row, or of a broken line) is of an erased person."""
        row = _json_object(record)
        if set(row) == {"line"}:
            words = [word for word in re.split(r"[\s,;|:\"'{}\[\]]+", str(row["line"])) if word]
            return any(self.hash(c, word) in self.hashes.get(c, ()) for word in words for c in _NAMING)
        named = list(self._found(row, _NAMING))
        if any(named) or row.get("customer_id") is not None:
            return any(named)
        return any(self._found(row, _LINKING))

    def _found(self, row: Mapping[str, object], columns: Collection[str]) -> Iterator[bool]:
        for column in columns:
            value = row.get(column)
            if value is not None:
                yield self.hash(column, str(value).strip()) in self.hashes.get(column, ())

    def _suppressed(self, values: pl.Series, column: str) -> list[str]:
        known = self.hashes.get(column)
        if not known:
            return []
        form = values.str.strip_chars().str.to_lowercase() if column == "email" else values
        hit = [value for value in form.drop_nulls().unique() if self.hash(column, value) in known]
        if column != "email":
            return hit
        return values.filter(form.is_in(hit)).unique().to_list()


def without_erased(
    good: pl.DataFrame, rejected: pl.DataFrame, suppression: Suppression
) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """Good rows and quarantine records of a landing file without those of erased people, and how many rows went."""
    if not suppression.hashes:
        return good, rejected, 0
    is_his = suppression.is_his(good)
    gone = good.filter(is_his)[ROW]
    told = pl.Series([suppression.is_told_of(raw) for raw in rejected["raw"]], dtype=pl.Boolean)
    lost = rejected.filter(told & (pl.Series(rejected["kind"]) != "value"))
    stays = ~told & ~rejected[ROW].is_in(gone.implode()).fill_null(False)
    return good.filter(~is_his), rejected.filter(stays), gone.len() + lost[ROW].n_unique()


def prepared(home: Home) -> Suppression:
    """The suppression of a home, which gets a salt if it has none."""
    path = _salt_path(home)
    if not path.exists():
        replace_bytes(path, secrets.token_bytes(32), SECRET)
        path.parent.chmod(0o700)
    loaded = Suppression.load(home)
    return loaded if loaded.salt else Suppression(path.read_bytes())


def _salt_path(home: Home) -> Path:
    return home.privacy / "salt"


def _list_path(home: Home) -> Path:
    return home.privacy / "suppression.json"


def _json_object(text: str | None) -> dict[str, object]:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
