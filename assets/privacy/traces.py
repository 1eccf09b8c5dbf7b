"""How a person shows in data: which rows are his, and where he stands in the texts of others' rows.

A row with a customer is that customer's. A row without one is his by address, device, message, order or event. In what
stays, his address, name and telling ids are replaced by `[erased]`, as whole words: `ann@x.org` is not in `joann@x.org`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote

from assets.privacy.person import LINKS, Person, normalised

ERASED = "[erased]"
RECORDS = ("raw",)
"""Columns of quarantine records that hold a whole row of a landing file as JSON."""

_CUSTOMER = ("customer_id", "customerid", "user_id", "userid", "person_id")
_ADDRESS = ("email", "email_address", "recipient")
_LINK_NAMES = {
    **{name: name for name in LINKS},
    "line_id": "event_id",
    "refund_id": "event_id",
    "unknown_id": "anonymous_id",
}
_FORMULA = re.compile(r"'(?=[=+\-@\t\r])")


def is_customer(column: str) -> bool:
    """Whether a column names a customer."""
    name = column.lower()
    return name in _CUSTOMER or name.endswith(("_customer_id", "_person_id"))


def is_address(column: str) -> bool:
    """Whether a column holds an e-mail address."""
    name = column.lower()
    return name in _ADDRESS or name.endswith(("_email", "_email_address"))


def link(column: str) -> str | None:
    """Which of a person's links a column holds: device, message, order or event."""
    return _LINK_NAMES.get(column.lower())


class Traces:
    """A person, ready to be looked for."""

    def __init__(self, person: Person) -> None:
        self.person = person

    @cached_property
    def words(self) -> list[str]:
        """What stands for him in any text, lower case."""
        emails = self.person.emails
        encoded = {quote(email, safe="").lower() for email in emails}
        return sorted(emails | encoded | {i.lower() for i in self.person.telling} | self.person.names)

    @cached_property
    def hints(self) -> list[str]:
        """Without one of these no row can be his: `words`, his other ids, and all that leads to him."""
        leads = (getattr(self.person, name) for name in LINKS)
        return sorted(
            {*self.words, *(i.lower() for i in self.person.ids), *(v.lower() for vs in leads for v in vs)}
        )

    def owns(self, row: Mapping[str, Any]) -> bool:
        """Whether a row, as column -> value, is his."""
        for column in RECORDS:
            if "rule" in row and row.get(column) is not None and self._owns_record(str(row[column])):
                return True
        customers = [
            text for column, value in row.items() if is_customer(column) and (text := as_text(value))
        ]
        if customers:
            return any(customer in self.person.ids for customer in customers)
        addresses = [text for column, value in row.items() if is_address(column) and (text := as_text(value))]
        if addresses:
            return any(normalised(address) in self.person.emails for address in addresses)
        return any(
            (name := link(column)) is not None and as_text(value) in getattr(self.person, name)
            for column, value in row.items()
        )

    def owns_cells(self, cells: Iterable[str]) -> bool:
        """Whether a row without column names is his: one of its cells is his id or address, as a whole."""
        return any(
            as_text(cell) in self.person.ids or normalised(cell) in self.person.emails for cell in cells
        )

    def owns_line(self, line: str) -> bool:
        """Whether he stands in a line that is no row: in a word of it, or as one of its cells."""
        if self.erase_text(line) != line:
            return True
        cells = {cell.strip() for cell in re.split(r"[,;\t|\"'{}:\[\]\r\n]+", line)}
        return bool(cells & self.person.ids)

    def owns_document(self, name: str) -> bool:
        """Whether a file name says that the file is his: his id or address is the name or a word of it."""
        return self.erase_text(name) != name

    def owns_mail(self, name: str) -> bool:
        """Whether a file of the outbox, by its name, is a mail to him."""
        return name in self.person.message_id or self.owns_document(name)

    def erase(self, value: Any) -> Any:
        """A value of another's row in which he does not stand any more; the same object where he did not."""
        if isinstance(value, str):
            return self.erase_text(value)
        if isinstance(value, Mapping):
            if self.owns(value):
                return None
            changed = {self.erase(key): self.erase(inner) for key, inner in value.items()}
            return changed if changed != value else value
        if isinstance(value, list | tuple):
            kept = [self.erase(v) for v in value if not (isinstance(v, Mapping) and self.owns(v))]
            return kept if kept != list(value) else value
        if isinstance(value, bytes):
            text = value.decode("utf-8", errors="surrogateescape")
            erased = self.erase_text(text)
            return value if erased == text else erased.encode("utf-8", errors="surrogateescape")
        return value

    def erase_text(self, text: str) -> str:
        """A text without his address, name and telling ids; other ids only where a key or a heading says customer."""
        if not self._may_stand_in(text):
            return text
        for pattern in self._patterns:
            text = pattern.sub(self._replace, text)
        text = self._keyed.sub(_without_value, text)
        return self._erase_table_rows(text)

    def stands_in(self, content: bytes) -> bool:
        """Whether his address or a telling id stands in bytes of any format."""
        text = content.decode("latin-1")
        low = text.lower()
        words = [*self.person.emails, *self.person.telling]
        if not any(word.lower().encode().decode("latin-1") in low for word in words):
            return False
        return self._patterns_of_bytes.search(text) is not None

    @cached_property
    def _patterns_of_bytes(self) -> re.Pattern[str]:
        words = [word.encode().decode("latin-1") for word in (*self.person.emails, *self.person.telling)]
        return re.compile(rf"(?<![A-Za-z0-9.+-])(?:{_either(words)})(?![A-Za-z0-9-])", re.IGNORECASE)

    def _may_stand_in(self, text: str) -> bool:
        low = text.lower()
        return any(hint in low for hint in self._textual)

    @cached_property
    def _textual(self) -> list[str]:
        return sorted({*self.words, *(i.lower() for i in self.person.ids)})

    @cached_property
    def _patterns(self) -> list[re.Pattern[str]]:
        patterns = []
        emails = {e for email in self.person.emails for e in (email, quote(email, safe=""))}
        if emails:
            # An address goes on to the left with what may stand in one, but an escape such as %3D ends before it.
            before = r"(?:(?<![\w.+%-])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrt]))"
            patterns.append(re.compile(rf"{before}(?:{_either(emails)})(?![\w-]|\.\w)", re.IGNORECASE))
        if self.person.telling:
            patterns.append(re.compile(rf"(?<![A-Za-z0-9])(?:{_either(self.person.telling)})(?![A-Za-z0-9])"))
        if self.person.names:
            patterns.append(re.compile(rf"(?<!\w)(?:{_either(self.person.names)})(?!\w)", re.IGNORECASE))
        return patterns

    def _replace(self, found: re.Match[str]) -> str:
        """Another customer's id may contain one of his."""
        for other in self.person.lookalikes:
            offset = other.find(found[0])
            if offset >= 0 and found.string.startswith(other, max(found.start() - offset, 0)):
                return found[0]
        return ERASED

    @cached_property
    def _keyed(self) -> re.Pattern[str]:
        """`customer_id: 12346` as it stands in JSON, in a query string or in JSON within JSON."""
        own = _either(self.person.ids)
        key = r"(?:customer_?id|user_?id|person_?id)"
        return re.compile(rf"({key}\\*[\"']?\s*[:=]\s*)(\\*[\"']?)(?:{own})(?![\w.-])", re.IGNORECASE)

    def _erase_table_rows(self, text: str) -> str:
        """A Markdown table with a column customer_id, as it stands in logs: cells of his rows are emptied."""
        if "|" not in text or "customer_id" not in text:
            return text
        parts = re.split(r"(\\+n|\n)", text)
        position: int | None = None
        for index, line in enumerate(parts):
            cells = line.split("|")
            if len(cells) < 3:
                if index % 2 == 0:
                    position = None
                continue
            headings = [cell.strip() for cell in cells]
            if "customer_id" in headings:
                position = headings.index("customer_id")
            elif (
                position is not None
                and position < len(cells)
                and headings[position] in {*self.person.ids, ERASED}
            ):
                parts[index] = "|".join([cells[0], *[f" {ERASED} "] * (len(cells) - 2), cells[-1]])
        return "".join(parts)

    def _owns_record(self, record: str) -> bool:
        try:
            row = json.loads(record)
        except ValueError:
            return self.owns_line(record)
        if not isinstance(row, dict):
            return False
        return self.owns_line(str(row["line"])) if set(row) == {"line"} else self.owns(row)


def as_text(value: Any) -> str | None:
    """An id as text: 12346.0 is 12346, blanks are nothing, the apostrophe of a spreadsheet's text is no part of it."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, float):
        return str(int(value)) if value == value // 1 else str(value)
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    text = _FORMULA.sub("", str(value).strip(), count=1) if str(value).startswith("'") else str(value).strip()
    return text or None


def _without_value(found: re.Match[str]) -> str:
    """The key stays; a bare JSON value becomes null, as a word without quotes would break the JSON."""
    is_bare = not found[2] and found[1].rstrip().endswith(":")
    return f"{found[1]}{found[2]}{'null' if is_bare else ERASED}"


def _either(values: Iterable[str]) -> str:
    return "|".join(re.escape(value) for value in sorted(values, key=lambda v: (-len(v), v)))
