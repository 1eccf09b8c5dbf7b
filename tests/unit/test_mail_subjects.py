"""What stands in the inbox: filled, clean, safe, and never asking for what is not known."""

from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_world import CATALOGUE, DAY, eligible_world

from mail.catalogue import Catalogue
from mail.schema import Variant
from mail.subjects import MAX_PREHEADER, MAX_SUBJECT, RenderError, one_line, render_subjects
from mail.variables import VARIABLES, clean_name, clean_product_name, personal_flags, with_variables
from models.policy import PolicyConfig, decide

TYPES = {
    name: pl.Int64 if name in ("n_products", "n_orders", "days_since_last_order") else pl.String
    for name in VARIABLES
}


def sends(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(
        [{**dict.fromkeys(VARIABLES), "n_products": 3, **row} for row in rows],
        schema={"message_key": pl.String, "subject_variant": pl.String, **TYPES},
    )


def mail(message: str, variant: str, **values: Any) -> dict[str, Any]:
    return {"message_key": message, "subject_variant": variant, **values}


def with_subject(template: str) -> Catalogue:
    weekly = CATALOGUE.messages["weekly_picks"]
    changed = weekly.model_copy(update={"subjects": [Variant(id="only", template=template)]})
    return Catalogue({"weekly_picks": changed}, CATALOGUE.offers)


def test_subjects_are_filled_and_rows_keep_their_order() -> None:
    frame = sends(
        mail("weekly_picks", "this_week"),
        mail("cart_abandoned", "still_thinking", first_name="Anna", product_name="Aero runner"),
        mail("weekly_picks", "this_week", n_products=2),
        mail("cart_abandoned", "still_thinking", first_name="Ben", product_name="Aero runner"),
    )
    rendered = render_subjects(frame, CATALOGUE)
    assert rendered["subject"].to_list() == [
        "3 picks for this week",
        "Still thinking about the Aero runner, Anna?",
        "2 picks for this week",
        "Still thinking about the Aero runner, Ben?",
    ]
    assert rendered.drop("subject", "preheader").equals(frame)


def test_the_first_preheader_that_can_be_filled_is_used() -> None:
    frame = sends(
        mail("cart_abandoned", "picked_up", first_name="Anna", offer_label="free shipping"),
        mail("cart_abandoned", "picked_up", first_name="Anna"),
        mail("cart_abandoned", "picked_up"),
    )
    assert render_subjects(frame, CATALOGUE)["preheader"].to_list() == [
        "Your cart is saved, and free shipping is on us if you would like it.",
        "Your cart is saved, Anna. Any questions? Just reply.",
        "Your cart is saved. Any questions? Just reply.",
    ]


def test_nothing_to_render() -> None:
    rendered = render_subjects(sends(), CATALOGUE)
    assert rendered.height == 0 and rendered.schema["subject"] == pl.String


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (
            mail("weekly_picks", "picked_for_name"),
            "message 'weekly_picks', subject 'picked_for_name': no value for first_name",
        ),
        (mail("spring_sale", "a"), "the message 'spring_sale', which no message file has"),
        (mail("weekly_picks", "gone"), "the subject 'gone', which weekly_picks.yaml does not have"),
    ],
)
def test_what_cannot_be_rendered_names_message_and_variant(row: dict[str, Any], text: str) -> None:
    with pytest.raises(RenderError, match=text):
        render_subjects(sends(row), CATALOGUE)


@pytest.mark.parametrize(
    "template", ["{{ n_products / 0 }}", "{{ n_products.__class__.__mro__ }}", "{{ n_products.upper() }}"]
)
def test_a_template_that_fails_or_reaches_out_of_the_sandbox_is_named(template: str) -> None:
    with pytest.raises(RenderError, match="message 'weekly_picks', subject 'only': "):
        render_subjects(sends(mail("weekly_picks", "only")), with_subject(template))


def test_a_value_is_never_run_as_a_template_nor_escaped() -> None:
    frame = sends(mail("weekly_picks", "top_pick", product_name="{{ 7 * 7 }} Salt & Pepper"))
    assert render_subjects(frame, CATALOGUE)["subject"].to_list() == [
        "{{ 7 * 7 }} Salt & Pepper and 2 more picked for you"
    ]


def test_a_value_cannot_add_a_header() -> None:
    frame = sends(
        mail("weekly_picks", "top_pick", product_name="Mug\r\nBcc: all@example.com\x00\u2028\u202ex")
    )
    subject = render_subjects(frame, CATALOGUE)["subject"][0]
    assert subject == "Mug Bcc: all@example.com x and 2 more picked for you"


@settings(max_examples=80)
@given(st.text(max_size=200), st.sampled_from([MAX_SUBJECT, MAX_PREHEADER]))
def test_a_line_is_one_line_of_limited_length(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert line == line.strip()
    assert len(line.splitlines()) <= 1
    assert not any(ord(character) < 32 or ord(character) == 127 for character in line)
    assert one_line(line, limit) == line


def test_a_long_subject_is_cut_at_a_word() -> None:
    line = one_line("A word " * 30, MAX_SUBJECT)
    assert line.endswith("word…") and len(line) <= MAX_SUBJECT


def test_emoji_survive() -> None:
    assert one_line("Happy birthday 🎂 👩‍🍳", MAX_SUBJECT) == "Happy birthday 🎂 👩‍🍳"


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("ANNA", "Anna"),
        ("anna", "Anna"),
        (" jean-pierre ", "Jean-Pierre"),
        ("O'BRIEN", "O'Brien"),
        ("McKay", "McKay"),
        ("MÜLLER", "Müller"),
        ("Anna\r\nBcc: x", None),
        ("李", "李"),
        ("", None),
        ("   ", None),
        (None, None),
        ("n/a", None),
        ("NULL", None),
        ("test", None),
        ("Anna123", None),
        ("win@spam.example", None),
        ("Visit www.spam", None),
        ("spam.example", None),
        ("J. R.", "J. R."),
        ("-", None),
        ("x" * 25, None),
        ("<b>Anna</b>", None),
    ],
)
def test_names(raw: str | None, clean: str | None) -> None:
    assert pl.select(clean_name(pl.lit(raw, dtype=pl.String))).item() == clean


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("WHITE HANGING HEART T-LIGHT HOLDER", "White hanging heart t-light holder"),
        ("Aero runner 2", "Aero runner 2"),
        ("LED", "LED"),
        ("Mug\n\tblue", "Mug blue"),
        (" ", None),
        (
            "A very long product name that goes on and on beyond reason",
            "A very long product name that goes on and on",
        ),
        ("x" * 60, "x" * 48),
        ("-" * 60, None),
        ("- " * 30 + "mug", "mug"),
    ],
)
def test_product_names(raw: str, clean: str | None) -> None:
    assert pl.select(clean_product_name(pl.lit(raw))).item() == clean


def test_a_whole_plan_is_rendered_with_what_the_policy_knew() -> None:
    inputs = eligible_world(600)
    ids = inputs.feat_customer["customer_id"]
    names = ["ANNA", None, "", "Ben", "n/a", "42"]
    customers = pl.DataFrame(
        {
            "customer_id": ids,
            "first_name": [names[i % len(names)] for i in range(len(ids))],
            "city": [("leeds", None)[i % 2] for i in range(len(ids))],
        }
    )
    plan = decide(replace(inputs, personal=personal_flags(customers)), PolicyConfig(DAY)).filter(
        action="send"
    )
    values = with_variables(
        plan,
        customers=customers,
        products=inputs.feat_product,
        contents=pl.DataFrame({"content_id": ["a1"], "title": ["Your first ten kilometres"]}),
        offers=CATALOGUE.frames()["offers"],
    )
    rendered = render_subjects(values, CATALOGUE)
    assert rendered.height == plan.height
    assert rendered["subject"].str.len_chars().is_between(1, MAX_SUBJECT).all()
    assert rendered["preheader"].str.len_chars().is_between(1, MAX_PREHEADER).all()
    assert not rendered["subject"].str.contains("None|ANNA|42,|n/a").any()
    assert rendered["subject"].str.contains("Anna").any()
    assert rendered["preheader"].str.contains("Your first ten kilometres").any()


def test_personal_flags_carry_no_names() -> None:
    customers = pl.DataFrame(
        {"customer_id": ["b", "a"], "first_name": ["Anna", " "], "city": [None, "Leeds"]}
    )
    assert personal_flags(customers).rows() == [("a", False, True), ("b", True, False)]
