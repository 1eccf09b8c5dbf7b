"""What can be said of a subject line without sending it: the factors the plan learns by, and faults of style.

Here: pure functions of the template's text. Not here: whether a template is sound (templates), how the factors answer
(`models.bandit`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from mail.templates import compiled, variables_of
from mail.variables import SAMPLES, VARIABLES

MAX_CHARACTERS = 60
"""More are not seen on most phones; filled in with `mail.variables.SAMPLES`."""
SHORT_CHARACTERS, MEDIUM_CHARACTERS = 30, 45

_URGENT = re.compile(
    r"\b(today|tonight|tomorrow|hurry|quick(ly)?|last (chance|days?|hours?|call)|act now|only (now|today)|"
    r"ends?|ending|expires?|expiring|don.t (miss|wait)|before (it|they)|while (it|they|stocks?)|running out)\b",
    re.IGNORECASE,
)
_SPAM = re.compile(
    r"\b(free!|act now|last chance|hurry|urgent|winner|you.ve won|guaranteed?|100 ?%|cash|buy now|order now|"
    r"limited time|risk.?free|no obligation|miracle|cheap(est)?|double your|click here|what are you waiting for)\b",
    re.IGNORECASE,
)
_REPEATED = re.compile(r"[!?.,;:]\s*[!?]|[!?,;:]{2}|\.\.")
_SHOUTED = re.compile(r"\b[A-Z]{4,}\b")
_PLACEHOLDER = re.compile(r"\{\{.*?\}\}|\{%.*?%\}")
_JOINER, _EMOJI_STYLE = "\u200d", "\ufe0f"
_SKIN = range(0x1F3FB, 0x1F400)


@dataclass(frozen=True)
class Wording:
    """Factors of a subject line.

    Attributes:
        has_emoji: a pictogram anywhere in it.
        is_question: it asks, whatever stands behind the question mark.
        is_urgent: it says that time is short (English words; `mail.schema.Variant.is_urgent` says it in others).
        is_personal: it names the recipient or his city.
        names_product, names_brand, names_offer: it names the product, its brand, the offer.
        length: short (up to 30 characters, filled in with a sample), medium (up to 45) or long.
    """

    has_emoji: bool
    is_question: bool
    is_urgent: bool
    is_personal: bool
    names_product: bool
    names_brand: bool
    names_offer: bool
    length: str


_NAMED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "is_personal": frozenset({"first_name", "city"}),
        "names_product": frozenset({"product_name"}),
        "names_brand": frozenset({"product_brand"}),
        "names_offer": frozenset({"offer_label"}),
    }
)


@cache
def wording_of(template: str) -> Wording:
    """Factors of a sound template.

    Raises:
        ValueError: what `mail.templates` says of a template that is none.
    """
    names = variables_of(template, VARIABLES)
    text = _filled(template)
    fixed = _PLACEHOLDER.sub(" ", template)
    return Wording(
        has_emoji=bool(_emoji_in(text)),
        is_question="?" in fixed,
        is_urgent=bool(_URGENT.search(fixed)),
        length=_length_band(len(text)),
        **{factor: bool(names & named) for factor, named in _NAMED.items()},
    )


def faults_of(template: str) -> list[str]:
    """What is wrong with the style of a sound template: what spam filters and readers take amiss; empty if nothing."""
    texts = [compiled(template).render(sample) for sample in SAMPLES]
    fixed = _PLACEHOLDER.sub("x", template)
    longest = max(map(len, texts))
    found = []
    if longest > MAX_CHARACTERS:
        found.append(f"{longest} characters long; phones show {MAX_CHARACTERS}")
    if word := _SPAM.search(fixed):
        found.append(f"'{word.group()}' is a word of spam")
    if any(_REPEATED.search(text) for text in texts):
        found.append("punctuation stands twice")
    if fixed.count("!") > 1:
        found.append("more than one exclamation mark")
    if word := _SHOUTED.search(fixed):
        found.append(f"'{word.group()}' is shouted")
    if any(len(_emoji_in(text)) > 1 for text in texts):
        found.append("more than one emoji")
    return found


def _filled(template: str) -> str:
    return compiled(template).render(SAMPLES[0]).strip()


def _length_band(characters: int) -> str:
    if characters <= SHORT_CHARACTERS:
        return "short"
    return "medium" if characters <= MEDIUM_CHARACTERS else "long"


def _emoji_in(text: str) -> list[str]:
    """Pictograms of a text; what is joined to the one before, or gives it a colour, belongs to it."""
    found = []
    is_joined = False
    for character in text:
        if character == _EMOJI_STYLE or ord(character) in _SKIN:
            continue
        if _is_pictogram(character) and not is_joined:
            found.append(character)
        is_joined = character == _JOINER
    return found


def _is_pictogram(character: str) -> bool:
    return unicodedata.category(character) == "So" and character not in "©®™°№℠℗"
