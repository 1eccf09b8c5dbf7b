"""What people decide over the policy's head: overrides.yaml, and changing it without losing a comment.

Here: the entries, their checks, a text with one more or one less. Not here: what an override does (models/policy/overrides),
writing files (pipelines/overrides).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Literal
from unicodedata import category

import polars as pl
import yaml
from pydantic import AfterValidator, Field, StringConstraints, field_validator

from mail.errors import Document, Location, MessageFileError, nearest, read_yaml, refuse, repeated, validated
from mail.schema import Key, Strict
from mail.segments import BREAKS, LEARNT

HEADER = """\
# What people have decided over the policy's head, see docs/send-plan.md. Written by hand or by `sendplan override`, which
# leaves every comment where it is.
"""


def _one_line(text: str) -> str:
    if any(category(character) in BREAKS for character in text):
        raise ValueError("no line breaks or control characters here; write it on one line")
    if not text.strip():
        raise ValueError("it is empty; say it in a few words")
    return text


Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
CustomerId = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
"""Without surrounding blanks, as landed ids are."""


class _Quoted(str):
    """Text that is written in double quotes."""


class _Dumper(yaml.SafeDumper):
    """Writes customers' ids in quotes, so that one of whom only '[erased]' is left is still a text."""


_Dumper.add_representer(
    _Quoted, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


class Override(Strict):
    """One decision of a person. Its scope is all that is named: a message, a segment, a customer, or several together.

    Attributes:
        id: name in plans; given by the command where it is not written by hand.
        kind: hold (nothing of the scope goes out), approve (a message that needs approval may go out), replace (another
            message in the place of one, or for a customer or segment outright).
        message: key of the message concerned; needed to approve.
        segment: key of a marketer's or learnt segment, or a life-cycle stage.
        customer_id: a customer.
        everyone: true to hold all mail.
        replacement: key of the message to be sent instead; for replace alone.
        from_date, to_date: first and last plan date; without a last one it lasts until it is removed.
        who: whose decision it is, as plans name him.
        when: when it was made (UTC).
        why: in a few words, as plans give it.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=40)]
    kind: Literal["hold", "approve", "replace"]
    message: Key | None = None
    segment: Key | None = None
    customer_id: CustomerId | None = None
    everyone: bool = False
    replacement: Key | None = None
    from_date: date
    to_date: date | None = None
    who: Line
    when: datetime
    why: Line

    @field_validator("customer_id", mode="before")
    @classmethod
    def _is_text(cls, value: object) -> object:
        """Never guessed at, as without the id the scope would be everyone else's: a number may be another one than was
        written (00123), and nothing may be all that an erasure left of an id without quotes.
        """
        if isinstance(value, int | float):
            raise ValueError("what looks like a number is read as another one; put the id in double quotes")
        if not isinstance(value, str):
            raise ValueError("it names nobody (left empty, or erased); remove the entry, or this line of it")
        return value

    @field_validator("when")
    @classmethod
    def _in_utc(cls, moment: datetime) -> datetime:
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment

    def state(self, day: date) -> Literal["coming", "in force", "over"]:
        """What it is on a plan date."""
        if day < self.from_date:
            return "coming"
        return "over" if self.to_date is not None and day > self.to_date else "in force"


class OverrideFile(Strict):
    """overrides.yaml"""

    overrides: list[Override]

    @field_validator("overrides", mode="before")
    @classmethod
    def _none_is_empty(cls, value: object) -> object:
        return [] if value is None else value


@dataclass(frozen=True)
class Overrides:
    """The overrides of a file, in its order, each known to fit the messages and segments there are."""

    entries: tuple[Override, ...]

    def frame(self) -> pl.DataFrame:
        """As the input `overrides` of `models.policy.PlanInputs`."""
        return pl.DataFrame(
            [
                (
                    *(e.id, e.kind, e.message, e.segment, e.customer_id, e.replacement),
                    *(e.from_date, e.to_date, e.who, e.when, e.why),
                )
                for e in self.entries
            ],
            schema={
                **dict.fromkeys(("override_id", "kind", "message_key", "segment_key"), pl.String),
                **dict.fromkeys(("customer_id", "replacement_key"), pl.String),
                **dict.fromkeys(("from_date", "to_date"), pl.Date),
                "who": pl.String,
                "made_at": pl.Datetime("us"),
                "why": pl.String,
            },
            orient="row",
        )


def load_overrides(path: Path, messages: Sequence[str], segments: Sequence[str]) -> Overrides:
    """Reads overrides.yaml; a folder without it has none.

    Args:
        path: the file.
        messages: keys of all messages.
        segments: keys of marketers' segments and life-cycle stages; learnt ones are known by how they begin.

    Raises:
        MessageFileError: with one line for each mistake, as `<file>:<line>: <what is wrong>; <what to do>`.
    """
    if not path.exists():
        return Overrides(())
    document = read_yaml(path)
    entries = validated(document, OverrideFile).overrides
    refuse(document, "overrides", _mistakes(document, entries, messages, segments))
    return Overrides(tuple(entries))


def _mistakes(
    document: Document, entries: list[Override], messages: Sequence[str], segments: Sequence[str]
) -> Iterator[tuple[Location, str]]:
    yield from repeated(document, "overrides", "id", (entry.id for entry in entries))
    for position, entry in enumerate(entries):
        for field, text in entry_mistakes(entry, messages, segments):
            yield (position, field), text


def entry_mistakes(
    entry: Override, messages: Sequence[str], segments: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """What is wrong with an entry beyond its single fields: the field, and what to do."""
    for field in ("message", "replacement"):
        key = getattr(entry, field)
        if key is not None and key not in messages:
            yield field, f"unknown message '{key}'; {nearest(key, list(messages))}"
    if entry.segment and entry.segment not in segments and not entry.segment.startswith(LEARNT):
        yield "segment", f"unknown segment '{entry.segment}'; {nearest(entry.segment, list(segments))}"
    if entry.to_date is not None and entry.to_date < entry.from_date:
        yield "to_date", f"it ends on {entry.to_date}, before it begins; set 'to_date' to a later day"
    has_scope = any((entry.message, entry.segment, entry.customer_id))
    if entry.everyone and (has_scope or entry.kind != "hold"):
        yield "everyone", "'everyone' is for holding all mail; leave it, or everything else of the scope, out"
    elif entry.kind == "approve" and entry.message is None:
        yield "kind", "an approval is of a message; name it in 'message'"
    elif not has_scope and not entry.everyone:
        remedy = "name a message, segment or customer_id" + (
            ", or everyone: true" if entry.kind == "hold" else ""
        )
        yield "kind", f"it does not say whom or what it concerns; {remedy}"
    if entry.kind == "replace" and entry.replacement is None:
        yield "kind", "it does not say what is sent instead; name a message in 'replacement'"
    if entry.kind != "replace" and entry.replacement is not None:
        yield "replacement", f"to {entry.kind} needs no 'replacement'; leave it out"
    if entry.replacement is not None and entry.replacement == entry.message:
        yield "replacement", "it replaces a message by itself; name another"


def with_entry(path: Path, text: str, entry: Override) -> str:
    """The text of overrides.yaml with one more entry at its end; everything else as it was.

    Raises:
        MessageFileError: the list is written in a way to which nothing can be added safely.
    """
    fields = entry.model_dump(exclude_defaults=True)
    if entry.customer_id is not None:
        fields["customer_id"] = _Quoted(entry.customer_id)
    block = yaml.dump([fields], Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
    found = _list_of(text)
    if found is None:
        changed = f"{text.rstrip() or HEADER.rstrip()}\n\noverrides:\n{_indented(block, 2)}"
    else:
        key, value = found
        items = value.value if isinstance(value, yaml.SequenceNode) else []
        if items:
            at = _line_end(text, _content_end(text, items[-1]))
            changed = _inserted(text, at, _indented(block, value.start_mark.column))
        else:
            emptied = f"{text[: key.end_mark.index]}:{text[value.end_mark.index :].removeprefix(':')}"
            changed = _inserted(emptied, _line_end(emptied, key.end_mark.index), _indented(block, 2))
    return _checked(path, text, changed, lambda before: [*before, entry])


def without_entry(path: Path, text: str, key: str) -> str:
    """The text of overrides.yaml without the entry of this id; everything else as it was.

    Raises:
        MessageFileError: no entry has the id, or the list is written in a way from which nothing can be taken safely.
    """
    _, value = _list_of(text) or (None, None)
    items = value.value if isinstance(value, yaml.SequenceNode) else []
    names = [str((yaml.safe_load(yaml.serialize(item)) or {}).get("id")) for item in items]
    if key not in names:
        raise MessageFileError(
            f"{path}: no override has the id '{key}'; {nearest(key, names) if names else 'there are none'}"
        )
    item = items[names.index(key)]
    start = text.rfind("\n", 0, item.start_mark.index) + 1
    changed = text[:start] + text[_line_end(text, _content_end(text, item)) :]
    return _checked(path, text, changed, lambda before: [one for one in before if one.id != key])


def _checked(
    path: Path, before: str, after: str, expected: Callable[[list[Override]], list[Override]]
) -> str:
    """The changed text, if it says what was meant and nothing else."""
    try:
        old = OverrideFile.model_validate(yaml.safe_load(before) or {"overrides": []}).overrides
        new = OverrideFile.model_validate(yaml.safe_load(after)).overrides
        is_sound = new == expected(old)
    except (yaml.YAMLError, ValueError):
        is_sound = False
    if not is_sound:
        raise MessageFileError(
            f"{path}:1: the list is not written one entry below the other, '- id: ...'; change it by hand"
        )
    return after


def _list_of(text: str) -> tuple[yaml.Node, yaml.Node] | None:
    """The nodes of the key `overrides` and its value."""
    root = yaml.compose(text, Loader=yaml.SafeLoader) if text.strip() else None
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    return next(((key, value) for key, value in pairs if key.value == "overrides"), None)


def _content_end(text: str, node: yaml.Node) -> int:
    """Where the last letter of a node stands; a node's own end mark may lie beyond comments that follow."""
    if isinstance(node, yaml.ScalarNode):
        start, end = node.start_mark.index, node.end_mark.index
        return start + len(text[start:end].rstrip())
    pairs = node.value if isinstance(node, yaml.MappingNode) else [(item,) for item in node.value]
    ends = [_content_end(text, part) for pair in pairs for part in pair]
    return max(ends, default=node.end_mark.index)


def _line_end(text: str, index: int) -> int:
    """The beginning of the next line."""
    found = text.find("\n", index)
    return len(text) if found < 0 else found + 1


def _inserted(text: str, at: int, block: str) -> str:
    before = text[:at] if not text[:at] or text[:at].endswith("\n") else text[:at] + "\n"
    return before + block + text[at:]


def _indented(block: str, by: int) -> str:
    return re.sub(r"(?m)^(?=.)", " " * by, block)
