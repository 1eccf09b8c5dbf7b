"""New subjects composed from the parts in grammar.yaml, and which of them people have approved.

Here: composing, the limit, the decisions in approvals.yaml. Not here: faults and factors of a line (wording), which
subject is sent (`models.policy.variants`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import chain, product
from pathlib import Path
from typing import Literal

import yaml

from mail.errors import MessageFileError, nearest, read_yaml, validated
from mail.schema import ApprovalFile, Decision, Family, GrammarFile, Variant
from mail.templates import try_out, variables_of
from mail.variables import SAMPLES, VARIABLES
from mail.wording import faults_of

GRAMMAR, APPROVALS = "grammar.yaml", "approvals.yaml"
"""Names of the two files beside the folder of messages; a folder without them has no composed subjects."""

Verdict = Literal["approved", "rejected"]

_HEADER = """\
# Who has approved or rejected which composed subject (grammar.yaml). Written by `sendplan subjects approve` and `reject`.
# A subject whose parts are changed in grammar.yaml is another one and needs an approval of its own.
"""
_DIGITS = 10


@dataclass(frozen=True)
class Composed:
    """A composed subject and what was decided about it, None if nothing yet.

    The id is made of the SHA-256 of the template, so that the same words have the same id in every order of the parts.
    """

    message_key: str
    template: str
    decision: Decision | None = None

    @property
    def hash(self) -> str:
        """SHA-256 of the template."""
        return hashlib.sha256(self.template.encode()).hexdigest()

    @property
    def id(self) -> str:
        """Name of the variant in plans and tests."""
        return f"g_{self.hash[:_DIGITS]}"

    @property
    def state(self) -> str:
        """open, approved or rejected."""
        return self.decision.verdict if self.decision else "open"


def templates_of(family: Family) -> Iterator[str]:
    """Every subject that the parts make, sound or not."""
    bodies = chain(
        ((body, closer) for body in family.statements for closer in family.closers),
        ((body, "") for body in family.questions),
    )
    for (body, closer), opener, emoji in product(bodies, family.openers, family.emoji):
        words = body if opener else body[:1].upper() + body[1:]
        yield f"{opener}{words}{closer}{' ' if emoji else ''}{emoji}"


def composed_subjects(folder: Path, messages: Collection[str]) -> list[Composed]:
    """Composed subjects of each message: all that were decided on, and the first `limit` others without faults.

    The order is that of the ids, which mixes the parts. Decisions about what the grammar no longer makes are left out.

    Args:
        folder: that of grammar.yaml and approvals.yaml; the latter may be missing.
        messages: keys of the messages that there are.

    Raises:
        MessageFileError: with one line for each mistake in either file.
    """
    families = _load_grammar(folder / GRAMMAR, messages)
    decisions = {(made.message, made.id): made for made in load_decisions(folder / APPROVALS)}
    found = []
    for message, family in sorted(families.items()):
        n_open = 0
        every = {
            subject.id: subject for subject in (Composed(message, text) for text in templates_of(family))
        }
        for key, subject in sorted(every.items()):
            decision = decisions.get((message, key))
            if decision:
                found.append(Composed(message, subject.template, decision))
            elif n_open < family.limit and not faults_of(subject.template):
                found.append(subject)
                n_open += 1
    return found


def approved_subjects(folder: Path, messages: Collection[str]) -> dict[str, list[Variant]]:
    """Approved subjects of each message, in the order of the file; none where there is no grammar.

    An approved subject that the grammar no longer makes has retired.

    Raises:
        MessageFileError: see `composed_subjects`.
    """
    if not (folder / GRAMMAR).exists():
        return {}
    found: dict[str, list[Variant]] = {}
    made = {key: set(templates_of(of)) for key, of in _load_grammar(folder / GRAMMAR, messages).items()}
    for one in load_decisions(folder / APPROVALS):
        if one.verdict == "approved" and one.template in made.get(one.message, ()):
            found.setdefault(one.message, []).append(Variant(id=one.id, template=one.template))
    return found


def load_decisions(path: Path) -> list[Decision]:
    """Reads approvals.yaml; none if it does not exist.

    Raises:
        MessageFileError: also for a template that is not the one the id and hash were made of, or decided on twice.
    """
    if not path.exists():
        return []
    document = read_yaml(path)
    decisions = validated(document, ApprovalFile).decisions
    problems = []
    seen: set[tuple[str, str]] = set()
    for position, made in enumerate(decisions):
        subject = Composed(made.message, made.template)
        if (subject.hash, subject.id) != (made.hash, made.id):
            problems.append(
                document.problem(
                    ("decisions", position),
                    f"the template of '{made.id}' is not the one that was decided on; decide on it with "
                    f"sendplan subjects {'approve' if made.verdict == 'approved' else 'reject'}",
                )
            )
        if (made.message, made.id) in seen:
            problems.append(document.problem(("decisions", position), f"'{made.id}' is decided on twice"))
        seen.add((made.message, made.id))
    if problems:
        raise MessageFileError("\n".join(problems))
    return decisions


def decided(
    subjects: Collection[Composed],
    earlier: Collection[Decision],
    ids: Collection[str],
    *,
    verdict: Verdict,
    by: str,
    decided_on: date,
) -> list[Decision]:
    """All decisions after another: `earlier` ones, those about `ids` replaced; by message and id.

    Raises:
        LookupError: an id that no composed subject has.
    """
    known = {subject.id for subject in subjects}
    if unknown := sorted(set(ids) - known):
        raise LookupError(f"there is no composed subject '{unknown[0]}'; see sendplan subjects list")
    made = {(decision.message, decision.id): decision for decision in earlier}
    for subject in subjects:
        if subject.id in ids:
            made[subject.message_key, subject.id] = Decision(
                message=subject.message_key,
                id=subject.id,
                hash=subject.hash,
                template=subject.template,
                verdict=verdict,
                by=by,
                decided_on=decided_on,
            )
    return [made[key] for key in sorted(made)]


def decisions_text(decisions: Collection[Decision]) -> str:
    """The text of approvals.yaml."""
    content = {"decisions": [decision.model_dump(mode="json") for decision in decisions]}
    return _HEADER + yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=120)


def _load_grammar(path: Path, messages: Collection[str]) -> dict[str, Family]:
    document = read_yaml(path)
    families = validated(document, GrammarFile).families
    problems = []
    for message, family in families.items():
        if message not in messages:
            problems.append(
                document.problem(
                    ("families", message),
                    f"unknown message '{message}'; {nearest(message, sorted(messages))}",
                )
            )
        if not (family.statements or family.questions):
            problems.append(
                document.problem(
                    ("families", message), f"'{message}' has no statements and no questions; add some"
                )
            )
        for field in ("openers", "statements", "questions", "closers", "emoji"):
            for position, part in enumerate(getattr(family, field)):
                try:
                    variables_of(part, VARIABLES)
                    if field in ("statements", "questions"):
                        try_out(part, SAMPLES)
                except ValueError as error:
                    problems.append(document.problem(("families", message, field, position), str(error)))
    if problems:
        raise MessageFileError("\n".join(problems))
    return families
