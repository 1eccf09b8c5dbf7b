"""What a marketer reads when a file is wrong: file, line, what is wrong, what to do.

Here: the error and the YAML reader.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

Location = tuple[int | str, ...]
ModelT = TypeVar("ModelT", bound=BaseModel)

MAX_DEPTH = 20
"""Most lists and mappings inside one another; the deepest field of these files is at 4."""


class MessageFileError(ValueError):
    """A message, offer or policy file is wrong. The text has one line per problem: `<file>:<line>: <what>;
    <remedy>`."""


_Parser: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where it is there, ten times as fast."""


class _Loader(yaml.SafeLoader):
    """A safe loader that names the place of a value that cannot be, such as the date 2020-99-99."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError) as error:
            raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from error


@dataclass(frozen=True)
class Document:
    """A YAML file: its path, its content, and the line of every key and item."""

    path: Path
    content: Any
    lines: dict[Location, int]

    def line(self, location: Location) -> int:
        """Line of the innermost known part of a location, from 1."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)

    def problem(self, location: Location, text: str) -> str:
        """`<file>:<line>: <text>`"""
        return f"{self.path}:{self.line(location)}: {text}"


def nearest(word: str, known: Sequence[str]) -> str:
    """' did you mean ...?' or the list of what is known."""
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known)}"


def read_yaml(path: Path) -> Document:
    """Reads one YAML mapping.

    Raises:
        MessageFileError: a file that cannot be read, is no YAML or no mapping, has a key twice, or uses what
            these files do not need and what can hang a reader: aliases, tags, deep nesting.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise MessageFileError(f"{path}: the file does not exist; restore it from the repository") from error
    except OSError as error:
        raise MessageFileError(
            f"{path}: cannot be read: {error.strerror}; put a readable file in its place"
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise MessageFileError(f"{path}:{line}: the file is not UTF-8; save it as UTF-8") from error
    try:
        _refuse_tricks(path, text)
        root = yaml.compose(text, Loader=_Parser)
        if not isinstance(root, yaml.MappingNode):
            raise MessageFileError(f"{path}:1: expected 'field: value' lines; the file has none")
        lines: dict[Location, int] = {(): 1}
        repeated = _locate(root, (), lines)
        if repeated:
            raise MessageFileError("\n".join(f"{path}:{line}: {what}" for line, what in repeated))
        return Document(path, _Loader("").construct_document(root), lines)
    except yaml.MarkedYAMLError as fault:
        told = _in_plain_words(text, fault)
        mark = told.problem_mark or told.context_mark
        line = mark.line + 1 if mark else 1
        raise MessageFileError(
            f"{path}:{line}: not valid YAML: {told.problem or told.context}; check indentation, and put text that "
            "contains ': ', '#' or '{' in double quotes"
        ) from fault
    except yaml.YAMLError as fault:
        raise MessageFileError(f"{path}:1: not valid YAML: {fault}") from fault


def _in_plain_words(text: str, fault: yaml.MarkedYAMLError) -> yaml.MarkedYAMLError:
    """The same fault as the slower parser tells it, which knows its line better."""
    try:
        yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as told:
        return told
    return fault


def _refuse_tricks(path: Path, text: str) -> None:
    """Refuses, before anything is built, what makes a short file endless or deep."""
    depth = 0
    for event in yaml.parse(text, Loader=_Parser):
        at = f"{path}:{event.start_mark.line + 1 if event.start_mark else 1}: "
        if getattr(event, "anchor", None) is not None:
            raise MessageFileError(
                f"{at}aliases (&, *) are not allowed; write the value out, and put text that starts with '&' or "
                "'*' in double quotes"
            )
        if getattr(event, "tag", None) is not None:
            raise MessageFileError(
                f"{at}not valid YAML: tags (!) are not allowed; remove it, and put text that starts with '!' in "
                "double quotes"
            )
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise MessageFileError(f"{at}more than {MAX_DEPTH} levels inside one another; write it flatter")


def _locate(node: yaml.Node, at: Location, lines: dict[Location, int]) -> list[tuple[int, str]]:
    """Writes the line of every part below a node into `lines`; returns keys that stand twice."""
    repeated: list[tuple[int, str]] = []
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in seen:
                repeated.append(
                    (line, f"'{name}' is already given in line {seen[name]}; keep one of the two")
                )
            seen[name] = line
            lines[(*at, name)] = line
            repeated += _locate(value, (*at, name), lines)
    elif isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            lines[(*at, position)] = item.start_mark.line + 1
            repeated += _locate(item, (*at, position), lines)
    return repeated


def validated(document: Document, model: type[ModelT]) -> ModelT:
    """The document's content as a pydantic model.

    Raises:
        MessageFileError: with one line for every problem found.
    """
    try:
        return model.model_validate(document.content)
    except ValidationError as error:
        problems = [_problem(document, model, dict(details)) for details in error.errors()]
        raise MessageFileError("\n".join(problems)) from error


def repeated(
    document: Document, under: str, field: str, values: Iterable[str]
) -> Iterator[tuple[Location, str]]:
    """Place and text of every item of the list `under` whose `field` an earlier one has."""
    first: dict[str, int] = {}
    for position, value in enumerate(values):
        if value in first:
            line = document.line((under, first[value], field))
            yield (position, field), f"the {field} '{value}' is already given in line {line}; choose another"
        first.setdefault(value, position)


def refuse(document: Document, under: str, mistakes: Iterable[tuple[Location, str]]) -> None:
    """Raises MessageFileError with one line for each mistake: its place below the key `under`, and what is wrong."""
    if problems := [document.problem((under, *at), text) for at, text in mistakes]:
        raise MessageFileError("\n".join(problems))


def _problem(document: Document, model: type[BaseModel], details: dict[str, Any]) -> str:
    """One pydantic error in words."""
    location: Location = details["loc"]
    name = ".".join(str(part) for part in location)
    match details["type"]:
        case "extra_forbidden":
            fields = list(_model_at(model, location[:-1]).model_fields)
            text = f"unknown field '{location[-1]}'; {nearest(str(location[-1]), fields)}"
        case "missing":
            text = f"the field '{name}' is missing; add it"
        case "literal_error":
            known = [part.strip(" '") for part in details["ctx"]["expected"].replace(" or ", ", ").split(",")]
            text = f"'{name}' is '{details['input']}'; {nearest(str(details['input']), known)}"
        case "value_error":
            text = f"'{name}': {details['ctx']['error']}" if name else str(details["ctx"]["error"])
        case _:
            text = f"'{name}' is {details['input']!r}: {details['msg']}; correct the value"
    return document.problem(location, text)


def _model_at(model: type[BaseModel], location: Location) -> type[BaseModel]:
    """The model that a location inside a model's content belongs to."""
    for part in location:
        if isinstance(part, int) or part not in model.model_fields:
            continue
        annotation = model.model_fields[part].annotation
        for inner in (annotation, *get_args(annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                model = inner
    return model
