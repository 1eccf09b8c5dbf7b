"""Reading messages/*.yaml, offers.yaml and policy.yaml, with every mistake named by file and line.

Here: reading, checks across files, the frames the policy reads. Not here: fields (schema), composed subjects (grammar),
rendering (subjects).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import get_args

import polars as pl

from mail.errors import Document, Location, MessageFileError, nearest, read_yaml, validated
from mail.grammar import approved_subjects
from mail.schema import EXPLANATION_FACTS, LAYOUTS, Message, Offer, OfferFile, PolicyFile, Stage, Variant
from mail.templates import facts_of, try_out, variables_of
from mail.variables import SAMPLES, VARIABLES
from mail.wording import Wording, wording_of

FOLDER = Path(__file__).parent
MESSAGES = FOLDER / "messages"
OFFERS = FOLDER / "offers.yaml"
POLICY = FOLDER / "policy.yaml"

NO_OFFER = "none"
ALWAYS_KNOWN = frozenset({"n_products"})

_FACTORS = tuple(field.name for field in fields(Wording))


@dataclass(frozen=True)
class Catalogue:
    """All messages and offers, by key, in the order of their keys."""

    messages: dict[str, Message]
    offers: dict[str, Offer]

    def frames(self) -> dict[str, pl.DataFrame]:
        """The catalogue as the frames of `models.policy.PlanInputs`: messages, message_variants,
        message_layouts,
        message_tones, offers."""
        messages = self.messages.values()
        return {
            "messages": pl.DataFrame(
                [
                    {
                        "message_key": message.key,
                        "name": message.name,
                        "trigger_key": message.trigger,
                        "audience": message.audience,
                        "priority": message.priority,
                        "cool_down_days": message.cool_down_days,
                        "expected_lift": message.expected_lift,
                        "uses_profile": message.uses_profile,
                        "kind": message.kind,
                        "max_per_day": message.max_per_day,
                        "is_promotional": message.is_promotional,
                        "needs_approval": message.needs_approval,
                        "control_share": message.control_share,
                        "min_products": message.needs.min_products,
                        "max_products": message.max_products,
                        "needs_context_product": message.needs.context_product,
                        "product_sources": message.product_sources,
                        "allowed_offers": message.allowed_offers,
                        "explanations": message.explanations,
                    }
                    for message in messages
                ],
                schema={
                    "message_key": pl.String,
                    "name": pl.String,
                    "trigger_key": pl.String,
                    "audience": pl.List(pl.String),
                    "priority": pl.Int64,
                    "cool_down_days": pl.Int64,
                    "expected_lift": pl.Float64,
                    "uses_profile": pl.Boolean,
                    "kind": pl.String,
                    "max_per_day": pl.Int64,
                    "is_promotional": pl.Boolean,
                    "needs_approval": pl.Boolean,
                    "control_share": pl.Float64,
                    "min_products": pl.Int64,
                    "max_products": pl.Int64,
                    "needs_context_product": pl.Boolean,
                    "product_sources": pl.List(pl.String),
                    "allowed_offers": pl.List(pl.String),
                    "explanations": pl.List(pl.String),
                },
            ),
            "message_variants": pl.DataFrame(
                [
                    {
                        "message_key": message.key,
                        "subject_variant": subject.id,
                        "needs": sorted(variables_of(subject.template, VARIABLES)),
                        **asdict(_wording(subject)),
                    }
                    for message in messages
                    for subject in message.subjects
                ],
                schema={
                    "message_key": pl.String,
                    "subject_variant": pl.String,
                    "needs": pl.List(pl.String),
                    **{name: pl.String if name == "length" else pl.Boolean for name in _FACTORS},
                },
            ),
            "message_layouts": pl.DataFrame(
                [
                    (message.key, position, layout, *LAYOUTS[layout])
                    for message in messages
                    for position, layout in enumerate(message.layouts)
                ],
                schema={
                    "message_key": pl.String,
                    "position": pl.Int64,
                    "layout": pl.String,
                    "min_products": pl.Int64,
                    "has_article": pl.Boolean,
                },
                orient="row",
            ),
            "message_tones": pl.DataFrame(
                [
                    (message.key, stage, tone)
                    for message in messages
                    for stage in get_args(Stage)
                    for tone in message.tones.get(stage, message.tones["default"])
                ],
                schema={"message_key": pl.String, "lifecycle_stage": pl.String, "tone": pl.String},
                orient="row",
            ),
            "offers": pl.DataFrame(
                [offer.model_dump(exclude={"kind"}) for offer in self.offers.values()],
                schema={
                    "key": pl.String,
                    "label": pl.String,
                    "level": pl.Int64,
                    "fixed_cost": pl.Float64,
                    "percent": pl.Float64,
                    "min_price_sensitivity": pl.Float64,
                    "floor_margin": pl.Float64,
                    "max_per_day": pl.Int64,
                    "cost_per_day": pl.Float64,
                    "coupon_prefix": pl.String,
                },
            ).rename({"key": "offer_key"}),
        }


def load_catalogue(messages: Path = MESSAGES, offers: Path = OFFERS) -> Catalogue:
    """Reads every `*.yaml` of a folder and the offers; approved subjects of grammar.yaml beside the folder, if there is one,
    follow a message's own.

    Raises:
        MessageFileError: with one line for each mistake, as `<file>:<line>: <what is wrong>; <what to do>`.
    """
    by_offer = _load_offers(offers)
    paths = sorted(messages.glob("*.yaml"))
    if not paths:
        raise MessageFileError(f"{messages}: no message files (*.yaml) here; add at least one")
    by_key: dict[str, Message] = {}
    problems: list[str] = []
    for path in paths:
        try:
            document = read_yaml(path)
            message = validated(document, Message)
        except MessageFileError as error:
            problems.append(str(error))
            continue
        problems += _check_message(document, message, by_offer)
        if message.key in by_key:
            problems.append(
                document.problem(("key",), f"another file has the key '{message.key}'; give this one its own")
            )
        by_key[message.key] = message
    if problems:
        raise MessageFileError("\n".join(problems))
    for key, approved in approved_subjects(messages.parent, by_key).items():
        every = [*by_key[key].subjects, *approved]
        by_key[key] = by_key[key].model_copy(update={"subjects": every})
    return Catalogue(dict(sorted(by_key.items())), by_offer)


def load_policy(path: Path = POLICY) -> PolicyFile:
    """Reads policy.yaml.

    Raises:
        MessageFileError: as `load_catalogue`.
    """
    return validated(read_yaml(path), PolicyFile)


def _wording(subject: Variant) -> Wording:
    """Factors of a subject, by its words unless its file says otherwise."""
    found = wording_of(subject.template)
    return found if subject.is_urgent is None else replace(found, is_urgent=subject.is_urgent)


def _load_offers(path: Path) -> dict[str, Offer]:
    document = read_yaml(path)
    offers = validated(document, OfferFile).offers
    by_key: dict[str, Offer] = {}
    problems: list[str] = []
    for position, offer in enumerate(offers):
        at: Location = ("offers", position, "key")
        if offer.key in by_key:
            problems.append(
                document.problem(at, f"the offer '{offer.key}' is already given; give this one its own key")
            )
        if offer.key != NO_OFFER and not offer.label.strip():
            problems.append(document.problem(at, f"the offer '{offer.key}' has no label; say what is given"))
        by_key[offer.key] = offer
    nothing = by_key.get(NO_OFFER)
    if nothing is None or nothing.level or nothing.fixed_cost or nothing.percent or nothing.coupon_prefix:
        problems.append(
            document.problem(
                ("offers",), f"there must be an offer '{NO_OFFER}' of level 0 without cost or coupon; add it"
            )
        )
    if problems:
        raise MessageFileError("\n".join(problems))
    return dict(sorted(by_key.items()))


def _check_message(document: Document, message: Message, offers: dict[str, Offer]) -> list[str]:
    return [document.problem(location, text) for location, text in _mistakes(document, message, offers)]


def _mistakes(
    document: Document, message: Message, offers: dict[str, Offer]
) -> Iterator[tuple[Location, str]]:
    """What fields alone cannot tell: each mistake with its place."""
    if message.key != document.path.stem:
        yield ("key",), f"the key is '{message.key}' but the file is {document.path.name}; make them the same"
    if "default" not in message.tones:
        yield ("tones",), "'tones' has no 'default'; add one"
    for stage, tones in message.tones.items():
        if len(set(tones)) < len(tones):
            yield ("tones", stage), f"the tones of '{stage}' name one twice; name each once"
    for position, offer in enumerate(message.allowed_offers):
        if offer not in offers:
            yield ("allowed_offers", position), f"unknown offer '{offer}'; {nearest(offer, list(offers))}"
    yield from _contents(message)
    fewest, has_article = LAYOUTS[message.layouts[-1]]
    if has_article or fewest > message.needs.min_products:
        yield (
            ("layouts", len(message.layouts) - 1),
            f"the last layout must fit {message.needs.min_products} product(s) and no article; add 'hero' or 'text'",
        )
    subjects = yield from _wordings("subjects", message.subjects)
    if subjects and not any(needs <= ALWAYS_KNOWN for needs in subjects):
        yield (
            ("subjects",),
            "every subject names a variable that may be missing; add one that names none but n_products",
        )
    preheaders = yield from _wordings("preheaders", message.preheaders)
    if preheaders and not preheaders[-1] <= ALWAYS_KNOWN:
        yield (
            ("preheaders", len(message.preheaders) - 1),
            "the last preheader is for everyone; let it name no variable but n_products",
        )
    facts: list[frozenset[str]] = []
    for position, sentence in enumerate(message.explanations):
        try:
            facts.append(facts_of(sentence, EXPLANATION_FACTS))
        except ValueError as error:
            yield ("explanations", position), str(error)
    if facts and not facts[-1] <= ALWAYS_KNOWN:
        yield (
            ("explanations", len(message.explanations) - 1),
            "the last explanation is for everyone; let it name no fact but n_products",
        )


def _contents(message: Message) -> Iterator[tuple[Location, str]]:
    """Mistakes in what a message needs and shows."""
    if message.needs.min_products > message.max_products:
        yield ("max_products",), "'max_products' is less than 'needs.min_products'; raise it"
    if message.needs.context_product and message.trigger is None:
        yield (
            ("needs", "context_product"),
            "a message without trigger has no context product; set it to false",
        )
    if not message.is_promotional and (message.max_products or message.allowed_offers):
        yield (
            ("is_promotional",),
            "a message that shows products or carries an offer is promotional; set it to true or show nothing",
        )


def _wordings(
    field: str, variants: list[Variant]
) -> Generator[tuple[Location, str], None, list[frozenset[str]]]:
    """Yields mistakes in templates and ids; returns what each sound template needs."""
    needs: list[frozenset[str]] = []
    seen: set[str] = set()
    for position, variant in enumerate(variants):
        if variant.id in seen:
            yield (
                (field, position, "id"),
                f"the id '{variant.id}' is already used in {field}; give this one its own",
            )
        seen.add(variant.id)
        try:
            names = variables_of(variant.template, VARIABLES)
            try_out(variant.template, SAMPLES)
        except ValueError as error:
            yield (field, position, "template"), str(error)
        else:
            needs.append(names)
    return needs
