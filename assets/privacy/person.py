"""Who a person is: every id under which the shop knows him, and what else is his alone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import polars as pl
from pydantic import BaseModel, ConfigDict

from assets.home import Home
from assets.landing.contract import CONTENTS, EVENT_NAMES, PRODUCTS, TABLES
from assets.landing.landed import landed
from models.policy import REASONS
from models.policy.segments import HIGH, LOW, MEDIUM

LINKS = ("anonymous_id", "message_id", "order_id", "event_id")
"""Columns of events that lead to a person where the customer is not named."""

BANDS = (HIGH, MEDIUM, LOW)
SYNTAX = frozenset(':{}[]"')
"""Characters that hold YAML and JSON together; a name with one is looked for in no text, where it might be no name."""
MOST_IDS = 20
"""More customers than this with one address are not one person: the address is a placeholder."""


class SharedAddressError(ValueError):
    """Too many customers share an e-mail address to be one person."""


class Person(BaseModel):
    """A person with everything that leads to him.

    Attributes:
        ids: customer ids: the one asked for, and every one with the same normalised e-mail.
        emails: normalised addresses, of any time.
        names: full names that no other customer has, that are no word of the shop's own, and hold no SYNTAX; lower case.
        namesakes: whether a name was left out of `names`.
        anonymous_id, message_id, order_id, event_id: his alone; a shared device is not in it.
        telling: ids that stand for him in any text; others (numbers, plain words, ids of products) only where a
            column or key says customer.
        lookalikes: other customers' ids that contain one of his.
    """

    model_config = ConfigDict(frozen=True)

    ids: frozenset[str]
    emails: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    namesakes: bool = False
    anonymous_id: frozenset[str] = frozenset()
    message_id: frozenset[str] = frozenset()
    order_id: frozenset[str] = frozenset()
    event_id: frozenset[str] = frozenset()
    telling: frozenset[str] = frozenset()
    lookalikes: frozenset[str] = frozenset()

    def joined(self, later: Person) -> Person:
        """The same with what a later look found; which ids are telling was decided by the look that knew them first."""
        telling = self.telling | (later.telling - self.ids)
        merged = {name: getattr(self, name) | getattr(later, name) for name in Person.model_fields}
        return Person(**{**merged, "telling": telling})

    @property
    def is_described(self) -> bool:
        """Whether anything but the id is known."""
        return bool(self.emails or self.anonymous_id or self.message_id or self.order_id or self.event_id)


def normalised(email: str) -> str:
    """The form in which two spellings of an address are one: lower case, without surrounding blanks."""
    return email.strip().lower()


def find(home: Home, customer_id: str, now: datetime) -> Person:
    """The person behind an id, from landing files and raw tables; an unknown id gives a person with that id alone.

    Raises:
        SharedAddressError: more than `MOST_IDS` customers are linked by their addresses.
    """
    customers = landed(home, "customers", now).select(
        "customer_id", "first_name", "last_name", email=pl.col("email").str.strip_chars().str.to_lowercase()
    )
    ids, emails = _same_person(customers, customer_id)
    mine = customers.filter(pl.col("customer_id").is_in(sorted(ids))).collect()
    full = pl.concat_str("first_name", "last_name", separator=" ").str.to_lowercase()
    names = frozenset(mine.select(full.drop_nulls()).to_series())
    telling_names = frozenset(
        name
        for name in names
        if set(name).isdisjoint(SYNTAX)
        and not _is_namesake(customers, full, name, ids)
        and not _is_vocabulary(home, name, now)
    )
    others = customers.select("customer_id").filter(~pl.col("customer_id").is_in(sorted(ids)))
    lookalikes = others.filter(pl.col("customer_id").str.contains_any(sorted(ids))).unique().collect()
    return Person(
        ids=ids,
        emails=emails,
        names=telling_names,
        namesakes=telling_names != names,
        telling=frozenset(i for i in ids if _is_telling(i) and not _is_vocabulary(home, i.lower(), now)),
        lookalikes=frozenset(lookalikes.to_series()),
        **_links(home, ids, now),
    )


def _same_person(customers: pl.LazyFrame, customer_id: str) -> tuple[frozenset[str], frozenset[str]]:
    """All ids and addresses that lead to each other."""
    ids, emails = {customer_id}, set[str]()
    while True:
        his = pl.col("customer_id").is_in(sorted(ids)) | pl.col("email").is_in(sorted(emails))
        found = customers.filter(his).select("customer_id", "email").unique().collect()
        more_ids, more_emails = set(found["customer_id"]), set(found["email"].drop_nulls())
        if more_ids <= ids and more_emails <= emails:
            return frozenset(ids), frozenset(emails)
        ids |= more_ids
        emails |= more_emails
        if len(ids) > MOST_IDS:
            raise SharedAddressError(
                f"{len(ids)} customers share an e-mail address with '{customer_id}', more than the {MOST_IDS} that one "
                "person may have: is it a placeholder? Give them addresses of their own in the landing files, "
                "then run again"
            )


def _links(home: Home, ids: Iterable[str], now: datetime) -> dict[str, frozenset[str]]:
    """Devices, messages, orders and events that occur with him and with nobody else."""
    his = pl.col("customer_id").is_in(sorted(ids))
    events = landed(home, "events", now).select("customer_id", *LINKS)
    plans = [pl.scan_parquet(path, glob=False) for path in sorted(home.plans.glob("*/send_plan.parquet"))]
    planned = [plan.select("customer_id", "message_id") for plan in plans]
    every = pl.concat([events, *planned], how="diagonal")
    found = every.filter(his).collect()
    links = {}
    for name in LINKS:
        values = found[name].drop_nulls().unique()
        known = pl.col("customer_id").is_not_null()
        shared = (
            every.filter(pl.col(name).is_in(values.implode()), known & ~his).select(name).unique().collect()
        )
        links[name] = frozenset(values) - frozenset(shared[name])
    return links


def _is_namesake(customers: pl.LazyFrame, full: pl.Expr, name: str, ids: Iterable[str]) -> bool:
    same = customers.filter(full == name, ~pl.col("customer_id").is_in(sorted(ids)))
    return bool(same.select(pl.len()).collect().item())


def _is_telling(customer_id: str) -> bool:
    """Whether an id can be recognised in any text: letters and digits together, not a word, not a number."""
    has_letter, has_digit = (
        any(map(test, customer_id)) for test in (str.isalpha, lambda character: str(character).isdigit())
    )
    return has_letter and has_digit and len(customer_id) >= 4


def _is_vocabulary(home: Home, text: str, now: datetime) -> bool:
    """Whether a text is also the shop's: part of an event, a column or a value the contract allows, of the plan, or of the
    catalogue. Whoever calls himself so must not take it out of everybody's rows."""
    columns = (name for table in TABLES.values() for name in (table.name, *table.names))
    values = (value for table in TABLES.values() for column in table.columns for value in column.allowed)
    if any(text in word.lower() for word in (*EVENT_NAMES, *columns, *values, *REASONS, *BANDS)):
        return True
    for table in (PRODUCTS, CONTENTS):
        words = [name for name in table.names if table.schema[name] == pl.String]
        stands = pl.any_horizontal(pl.col(words).str.to_lowercase().str.contains(text, literal=True))
        if landed(home, table.name, now).filter(stands).select(pl.len()).collect().item():
            return True
    return False
