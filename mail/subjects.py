"""Subject and preheader of every mail, rendered once per distinct wording and values.

Not here: which variant is used.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

import polars as pl

from mail.catalogue import Catalogue
from mail.schema import Variant
from mail.templates import RENDER_FAILURES, compiled, variables_of
from mail.variables import VARIABLES

MAX_SUBJECT = 78
MAX_PREHEADER = 120

_NOT_PRINTED = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"})
_JOINERS = frozenset("\u200d")
_SPACES = re.compile(r"\s+")


class RenderError(ValueError):
    """A wording could not be filled; the text names message and variant."""


def one_line(text: str, limit: int) -> str:
    """Text safe for a mail header: no control characters or line breaks, single spaces, cut at a word with
    an ellipsis."""
    kept = "".join(c if unicodedata.category(c) not in _NOT_PRINTED or c in _JOINERS else " " for c in text)
    line = _SPACES.sub(" ", kept).strip()
    if len(line) <= limit:
        return line
    cut = line[: limit - 1]
    head, space, _ = cut.rpartition(" ")
    return (head if space and len(head) > limit // 2 else cut).rstrip(" ,;:-–") + "…"


def render_subjects(sends: pl.DataFrame, catalogue: Catalogue) -> pl.DataFrame:
    """Adds subject and preheader.

    The preheader is the message's first whose variables are all known.

    Args:
        sends: message_key, subject_variant and a column for each of `VARIABLES` (see
            `variables.with_variables`).
        catalogue: where the wordings stand.

    Raises:
        RenderError: an unknown message or variant, a missing value, a template that fails on a value.
    """
    sends = sends.with_row_index("_row")
    parts = []
    for (key, variant_id), rows in sends.group_by("message_key", "subject_variant", maintain_order=True):
        message = catalogue.messages.get(str(key))
        if message is None:
            raise RenderError(f"the plan has the message '{key}', which no message file has")
        subject = next((variant for variant in message.subjects if variant.id == variant_id), None)
        if subject is None:
            raise RenderError(f"the plan has the subject '{variant_id}', which {key}.yaml does not have")
        subjects = _rendered(rows, subject, "subject", str(key), MAX_SUBJECT)
        preheaders = [
            _rendered(part, variant, "preheader", str(key), MAX_PREHEADER)
            for variant, part in _by_preheader(rows, message.preheaders)
        ]
        parts.append(subjects.join(pl.concat(preheaders), on="_row"))
    empty = pl.DataFrame(schema={"_row": pl.UInt32, "subject": pl.String, "preheader": pl.String})
    return sends.join(pl.concat([empty, *parts]), on="_row", how="left").sort("_row").drop("_row")


def _by_preheader(rows: pl.DataFrame, variants: list[Variant]) -> Iterator[tuple[Variant, pl.DataFrame]]:
    """Each variant with the rows for which it is the first that can be filled."""
    for variant in variants:
        needs = sorted(variables_of(variant.template, VARIABLES))
        fits = pl.all_horizontal(pl.lit(True), *(pl.col(name).is_not_null() for name in needs))
        yield variant, rows.filter(fits)
        rows = rows.filter(~fits)


def _rendered(rows: pl.DataFrame, variant: Variant, column: str, message: str, limit: int) -> pl.DataFrame:
    """_row and the text, rendered once for each distinct set of the values the variant names."""
    try:
        template = compiled(variant.template)
        names = sorted(variables_of(variant.template, VARIABLES))
    except ValueError as error:
        raise RenderError(f"message '{message}', {column} '{variant.id}': {error}") from error
    if not names:
        return rows.select("_row", pl.lit(one_line(template.render(), limit)).alias(column))
    distinct = rows.select(names).unique(maintain_order=True)
    texts = []
    for values in distinct.iter_rows(named=True):
        missing = [name for name in names if values[name] is None]
        if missing:
            raise RenderError(
                f"message '{message}', {column} '{variant.id}': no value for {', '.join(missing)}; "
                "the plan chose a wording that this recipient's data cannot fill"
            )
        try:
            texts.append(one_line(template.render(values), limit))
        except RENDER_FAILURES as error:
            raise RenderError(
                f"message '{message}', {column} '{variant.id}': {error}; correct the template"
            ) from error
    rendered = distinct.with_columns(pl.Series(column, texts, dtype=pl.String))
    return rows.select("_row", *names).join(rendered, on=names, how="left").select("_row", column)
