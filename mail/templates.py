"""One-line Jinja2 templates: checked when read, harmless when filled.

Not here: which values they are filled with.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from string import Formatter
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError

from mail.errors import nearest

MAX_TEMPLATE = 500
"""Most characters of a template; a subject is cut at 78 anyway."""

FILTERS = (
    "abs",
    "capitalize",
    "d",
    "default",
    "first",
    "float",
    "int",
    "last",
    "length",
    "lower",
    "string",
    "title",
    "trim",
    "truncate",
    "upper",
)
"""Filters whose result is never longer than what goes in."""

TESTS = ("==", "!=", "<", "<=", ">", ">=", "defined", "eq", "ge", "gt", "in", "le", "lt", "ne", "none")
"""Tests behind `is` that compute nothing; 'even' is not among them, as it would run '%9d' % 2 on a text."""

RENDER_FAILURES = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AssertionError)
"""What filling a sound template with unfit values raises; AssertionError is how 'truncate' refuses."""

_ALLOWED_NODES = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.If,
    nodes.Name,
    nodes.Const,
    nodes.List,
    nodes.Tuple,
    nodes.CondExpr,
    nodes.Filter,
    nodes.Test,
    nodes.Keyword,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Add,
    nodes.Sub,
    nodes.Div,
    nodes.FloorDiv,
    nodes.Neg,
    nodes.Pos,
    nodes.Concat,
)


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox without the operators that make much out of little."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        raise SecurityError(f"the operator '{operator}' is not allowed")


# Subjects are plain text: nothing is escaped, and values are never compiled as templates. Jinja2 folds
# some constants while it compiles, whatever `optimized` says: `_check` comes before that.
ENVIRONMENT = _Environment(undefined=StrictUndefined, autoescape=False, optimized=False)
ENVIRONMENT.globals.clear()
ENVIRONMENT.filters = {name: ENVIRONMENT.filters[name] for name in FILTERS}
ENVIRONMENT.tests = {name: ENVIRONMENT.tests[name] for name in TESTS}


def variables_of(source: str, known: Collection[str]) -> frozenset[str]:
    """Names a template needs.

    Raises:
        ValueError: a template that is no Jinja2, spans lines, is too long, does more than fill in (see
            `compiled`), or names a variable that is not `known`.
    """
    with _refusals(source):
        names = frozenset(meta.find_undeclared_variables(_parsed(source)))
    unknown = sorted(names - frozenset(known))
    if unknown:
        raise ValueError(
            f"the template names the unknown variable '{unknown[0]}'; {nearest(unknown[0], sorted(known))} "
            f"(allowed: {', '.join(sorted(known))})"
        )
    return names


def compiled(source: str) -> Template:
    """A template, ready to render.

    Raises:
        ValueError: a template that is no Jinja2 or does more than fill in: only variables, `FILTERS`, if/else
            and plain expressions are allowed, so that no template can run for long.
    """
    with _refusals(source):
        return ENVIRONMENT.from_string(_parsed(source))


def try_out(source: str, samples: Iterable[Mapping[str, str | int]]) -> None:
    """Renders a template with each of the samples.

    Raises:
        ValueError: a template that fails on a sample or says nothing.
    """
    template = compiled(source)
    for sample in samples:
        try:
            text = template.render(sample)
        except RENDER_FAILURES as error:
            raise ValueError(
                f"the template '{source}' fails when filled with {_named(source, sample)}: {error}; correct what "
                "stands in its braces"
            ) from error
        if not text.strip():
            raise ValueError(
                f"the template '{source}' is blank when filled with {_named(source, sample)}; add words for that "
                "case"
            )


def _named(source: str, sample: Mapping[str, str | int]) -> str:
    """The part of a sample that a template uses, in words."""
    names = sorted(variables_of(source, sample))
    return ", ".join(f"{name} = {sample[name]!r}" for name in names) or "any values"


def _parsed(source: str) -> nodes.Template:
    """The tree of a template that only fills in."""
    if "\n" in source.strip():
        raise ValueError("a subject or preheader is one line; join the lines")
    if len(source) > MAX_TEMPLATE:
        raise ValueError(f"the template has {len(source)} characters; shorten it to {MAX_TEMPLATE} at most")
    tree = ENVIRONMENT.parse(source)
    _check(source, tree)
    return tree


def _check(source: str, tree: nodes.Template) -> None:
    """Refuses what a wording does not need, before it is compiled."""
    for node in tree.find_all(nodes.Node):
        if isinstance(node, nodes.Filter):
            _check_name(source, "filter", node.name, FILTERS)
        if isinstance(node, nodes.Test):
            _check_name(source, "test", node.name, TESTS)
        if type(node) not in _ALLOWED_NODES:
            raise ValueError(
                f"the template '{source}' uses {_in_words(node)}, which is not allowed; use only variables, "
                "filters, if/else and plain expressions such as {{ n_products - 1 }}"
            )


def _check_name(source: str, what: str, name: str, allowed: Sequence[str]) -> None:
    if name not in allowed:
        raise ValueError(
            f"the template '{source}' uses the {what} '{name}', which is not allowed; {nearest(name, allowed)}"
        )


def _in_words(node: nodes.Node) -> str:
    match node:
        case nodes.Call():
            return "a call '(...)'"
        case nodes.Getattr() | nodes.Getitem():
            return "a part of a value ('.name' or '[...]')"
        case nodes.BinExpr():
            return f"the operator '{node.operator}'"
        case _:
            return f"'{type(node).__name__.lower()}'"


@contextmanager
def _refusals(source: str) -> Iterator[None]:
    """Turns what reading or compiling a template raises into a ValueError with a remedy."""
    try:
        yield
    except TemplateError as error:
        raise ValueError(
            f"the template '{source}' is not valid: {error}; compare it with {{{{ first_name }}}}"
        ) from error
    except (RecursionError, MemoryError, SyntaxError) as error:
        raise ValueError("the template has too many parts inside one another; simplify it") from error


def facts_of(source: str, known: Collection[str]) -> frozenset[str]:
    """Names in braces of an explanation.

    Raises:
        ValueError: braces that do not match, a name that is not `known`, or a format behind a name.
    """
    try:
        fields = [field for field in Formatter().parse(source) if field[1] is not None]
    except ValueError as error:
        raise ValueError(
            f"the explanation '{source}' is not valid: {error}; write facts as {{product_name}}"
        ) from error
    names = frozenset(name for _, name, _, _ in fields if name is not None)
    formatted = next((name for _, name, spec, conversion in fields if spec or conversion), None)
    if formatted is not None:
        raise ValueError(
            f"the explanation '{source}' formats the fact '{formatted}'; write it as {{{formatted}}}, without "
            "':' or '!'"
        )
    unknown = sorted(names - frozenset(known))
    if unknown:
        raise ValueError(
            f"the explanation names the unknown fact '{unknown[0]}'; {nearest(unknown[0], sorted(known))} "
            f"(allowed: {', '.join(sorted(known))})"
        )
    return names
