"""A template that could run for long, or fail on a recipient, is refused when it is read."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2.sandbox import SecurityError

from mail.catalogue import MESSAGES, load_catalogue
from mail.errors import MessageFileError
from mail.schema import EXPLANATION_FACTS
from mail.templates import ENVIRONMENT, FILTERS, compiled, facts_of, try_out, variables_of
from mail.variables import SAMPLES, VARIABLES

WEEKLY = (MESSAGES / "weekly_picks.yaml").read_text(encoding="utf-8")
THIS_WEEK = '"{{ n_products }} picks for this week"'


def refusal(template: str) -> str:
    with pytest.raises(ValueError) as caught:
        variables_of(template, VARIABLES)
        try_out(template, SAMPLES)
    return str(caught.value)


def test_the_samples_have_a_value_for_every_variable() -> None:
    assert all(tuple(sample) == tuple(VARIABLES) for sample in SAMPLES)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ 'a' * 10**9 }}", "uses the operator '*'"),
        ("{{ 9 ** n_products ** 99 }}", "uses the operator '**'"),
        ("{{ '%999999999d' % n_products }}", "uses the operator '%'"),
        ("{% for a in first_name %}{% for b in first_name %}x{% endfor %}{% endfor %}", "uses 'for'"),
        ("{% macro m() %}x{% endmacro %}", "uses 'macro'"),
        ("{% include 'x' %}", "uses 'include'"),
        ("{% import 'x' as y %}", "uses 'import'"),
        ("{% set x = 1 %}x", "uses 'assign'"),
        ("{% block x %}x{% endblock %}", "uses 'block'"),
        ("{{ first_name.center(10) }}", "uses a call '(...)'"),
        ("{{ first_name.__class__ }}", "uses a part of a value"),
        ("{{ first_name|center(999999999) }}", "uses the filter 'center', which is not allowed"),
        ("{{ first_name|uper }}", "uses the filter 'uper', which is not allowed; did you mean 'upper'?"),
        ("{% if '%999999999d' is even %}x{% endif %}", "uses the test 'even', which is not allowed"),
        ("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "the template has 6007 characters; shorten it"),
        ("{{ " + "(" * 245 + "1" + ")" * 245 + " }}", "too many parts inside one another; simplify it"),
        ("{{ " + "-" * 240 + "n_products }}", "too many parts inside one another; simplify it"),
    ],
)
def test_a_template_that_could_run_for_long_is_refused_at_once(template: str, expected: str) -> None:
    assert expected in refusal(template)


def test_the_sandbox_refuses_the_operators_as_well() -> None:
    with pytest.raises(SecurityError, match="'\\*' is not allowed"):
        ENVIRONMENT.from_string("{{ 'a' * 999999999 }}").render()


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ n_products / 0 }}", "fails when filled with n_products = 4: division by zero"),
        ("{{ 7 // days_since_last_order }}", "fails when filled with days_since_last_order = 0: "),
        ("{{ first_name + 1 }}", "fails when filled with first_name = 'Anna': "),
        ("{{ n_products|length }}", "fails when filled with n_products = 4: "),
        ("{{ first_name|truncate(1) }}", "fails when filled with first_name = 'Anna': "),
        ("  ", "is blank when filled with any values; add words"),
        ("{% if n_products > 1 %}Picks{% endif %}", "is blank when filled with n_products = 1; add words"),
    ],
)
def test_a_template_that_fails_or_is_blank_is_refused(template: str, expected: str) -> None:
    assert expected in refusal(template)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ product_name }} and {{ n_products - 1 }} more", "Aero runner and 3 more"),
        ("{% if n_products > 1 %}Picks{% else %}A pick{% endif %} for you", "Picks for you"),
        ("{{ 'Running' if category == 'running shoes' else category|title }}", "Running"),
        ("{{ city|upper ~ '!' }}", "LEEDS!"),
        (
            "{% if city in ['Leeds', 'York'] and city is defined %}Up north{% else %}Hello{% endif %}",
            "Up north",
        ),
    ],
)
def test_variables_filters_conditions_and_plain_expressions_work(template: str, text: str) -> None:
    variables_of(template, VARIABLES)
    try_out(template, SAMPLES)
    assert compiled(template).render(SAMPLES[0]) == text


@settings(max_examples=60)
@given(st.lists(st.sampled_from(FILTERS), max_size=6), st.sampled_from(sorted(VARIABLES)))
def test_no_chain_of_filters_makes_a_text_longer_than_a_number_in_words(chain: list[str], name: str) -> None:
    template = "|".join([name, *chain]).join(["{{ ", " }}"])
    try:
        try_out(template, SAMPLES)
    except ValueError:
        return
    assert len(compiled(template).render(SAMPLES[0])) <= len(str(SAMPLES[0][name])) + 2


@pytest.mark.parametrize(
    "template", ["{{ 'a' * 10**9 }}", "{{ n_products / 0 }}", "{{ n_products.x }}", "{{ n_products|uper }}"]
)
def test_a_faulty_template_in_a_file_is_named_by_file_and_line(tmp_path: Path, template: str) -> None:
    assert THIS_WEEK in WEEKLY
    text = WEEKLY.replace(THIS_WEEK, f'"{template}"')
    path = tmp_path / "weekly_picks.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MessageFileError) as caught:
        load_catalogue(tmp_path)
    line = next(number for number, line in enumerate(text.splitlines(), 1) if template in line)
    assert re.search(rf"{re.escape(str(path))}:{line}: the template .*; ", str(caught.value))


@pytest.mark.parametrize("fact", ["{trigger_age:>999}", "{trigger_age!r}", "{trigger_age:{n_products}}"])
def test_an_explanation_takes_facts_as_they_are(fact: str) -> None:
    with pytest.raises(ValueError, match="formats the fact 'trigger_age'; write it as {trigger_age}"):
        facts_of(f"Left {fact}", EXPLANATION_FACTS)
