"""One-line Jinja2 templates: checked when read, harmless when filled.

Not here: which values they are filled with.
"""

from __future__ import annotations

from collections.abc import Collection
from string import Formatter

from jinja2 import StrictUndefined, Template, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from mail.errors import nearest

# Subjects are plain text: nothing is escaped, and values are never compiled as templates.
ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
ENVIRONMENT.globals.clear()


def variables_of(source: str, known: Collection[str]) -> frozenset[str]:
    """Names a template needs.

    Raises:
        ValueError: a template that is no Jinja2, spans lines, or names a variable that is not `known`.
    """
    if "\n" in source.strip():
        raise ValueError("a subject or preheader is one line; join the lines")
    try:
        names = frozenset(meta.find_undeclared_variables(ENVIRONMENT.parse(source)))
        ENVIRONMENT.from_string(source)
    except TemplateError as error:
        raise ValueError(
            f"the template '{source}' is not valid: {error}; compare it with {{{{ first_name }}}}"
        ) from error
    unknown = sorted(names - frozenset(known))
    if unknown:
        raise ValueError(
            f"the template names the unknown variable '{unknown[0]}'; {nearest(unknown[0], sorted(known))} "
            f"(allowed: {', '.join(sorted(known))})"
        )
    return names


def compiled(source: str) -> Template:
    """A checked template, ready to render."""
    return ENVIRONMENT.from_string(source)


def facts_of(source: str, known: Collection[str]) -> frozenset[str]:
    """Names in braces of an explanation.

    Raises:
        ValueError: braces that do not match, or a name that is not `known`.
    """
    try:
        names = frozenset(name for _, name, _, _ in Formatter().parse(source) if name is not None)
    except ValueError as error:
        raise ValueError(
            f"the explanation '{source}' is not valid: {error}; write facts as {{product_name}}"
        ) from error
    unknown = sorted(names - frozenset(known))
    if unknown:
        raise ValueError(
            f"the explanation names the unknown fact '{unknown[0]}'; {nearest(unknown[0], sorted(known))} "
            f"(allowed: {', '.join(sorted(known))})"
        )
    return names
