"""Composed subjects: in good style, of known factors, and used once a person has approved them."""

import re
import shutil
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from command_line import Command
from hypothesis import given
from hypothesis import strategies as st

from mail.catalogue import FOLDER, Catalogue, load_catalogue
from mail.errors import MessageFileError
from mail.grammar import (
    APPROVALS,
    GRAMMAR,
    composed_subjects,
    decided,
    decisions_text,
    load_decisions,
    templates_of,
)
from mail.schema import Family
from mail.subjects import render_subjects
from mail.variables import SAMPLES
from mail.wording import MAX_CHARACTERS, faults_of, wording_of

MESSAGES = load_catalogue().messages


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shipped mail files, but for messages without composed subjects; to be changed."""
    (tmp_path / "mail" / "messages").mkdir(parents=True)
    composed = ("browse_abandoned", "cart_abandoned", "weekly_picks", "win_back")
    for name in (*(f"messages/{key}.yaml" for key in composed), "offers.yaml", GRAMMAR, APPROVALS):
        shutil.copy(FOLDER / name, tmp_path / "mail" / name)
    return tmp_path / "mail"


def loaded(folder: Path) -> Catalogue:
    return load_catalogue(folder / "messages", folder / "offers.yaml")


def mistake(folder: Path) -> str:
    with pytest.raises(MessageFileError) as caught:
        loaded(folder)
    return str(caught.value)


def test_shipped_composed_subjects_are_sound_and_approved_ones_are_sent(folder: Path) -> None:
    every = composed_subjects(folder, MESSAGES)
    assert len({(s.message_key, s.id) for s in every}) == len(every)
    assert all(faults_of(s.template) == [] for s in every)
    approved = [s for s in every if s.state == "approved"]
    assert {s.message_key for s in approved} == {
        "browse_abandoned",
        "cart_abandoned",
        "weekly_picks",
        "win_back",
    }
    frame = loaded(folder).frames()["message_variants"]
    sent = set(frame.select("message_key", "subject_variant").iter_rows())
    assert {(s.message_key, s.id) for s in approved} == {pair for pair in sent if pair[1].startswith("g_")}
    rows = pl.DataFrame(
        [{"message_key": s.message_key, "subject_variant": s.id, **SAMPLES[0]} for s in approved]
    )
    texts = render_subjects(rows, loaded(folder))["subject"]
    assert texts.is_not_null().all() and (texts.str.len_chars() <= MAX_CHARACTERS).all()
    waiting = pl.Series([s.message_key for s in every if s.state == "open"]).value_counts()
    assert (waiting["count"] <= 20).all()


parts = st.lists(st.sampled_from(["good things", "a look inside", "your week"]), min_size=1, unique=True)


@given(
    statements=parts,
    questions=parts,
    openers=st.sampled_from([[""], ["{{ first_name }}, "], ["", "{{ first_name }}, "]]),
    emoji=st.sampled_from([[""], ["🌿"], ["", "❤️", "✨"]]),
    seed=st.randoms(use_true_random=False),
)
def test_factors_of_a_composed_subject_are_those_of_its_parts(
    statements: list[str], questions: list[str], openers: list[str], emoji: list[str], seed: object
) -> None:
    asked = [f"{question}?" for question in questions]
    family = Family(statements=statements, questions=asked, openers=openers, emoji=emoji)
    found = set(templates_of(family))
    assert len(found) == (len(statements) + len(questions)) * len(openers) * len(emoji)
    for template in found:
        factors = wording_of(template)
        assert factors.is_question == any(q in template.lower() for q in asked)
        assert factors.has_emoji == any(mark in template for mark in emoji if mark)
        assert factors.is_personal == ("first_name" in template)
        assert not (factors.names_product or factors.names_brand or factors.names_offer or factors.is_urgent)
        assert template[0] == "{" or template[0].isupper()
    shuffled = sorted(statements, key=lambda _: seed.random())  # type: ignore[attr-defined]
    assert set(templates_of(family.model_copy(update={"statements": shuffled}))) == found


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("Hurry, {{ first_name }}", "'Hurry' is a word of spam"),
        ("Really?! Yes", "punctuation stands twice"),
        ("Still here...", "punctuation stands twice"),
        ("{{ product_name }} ?!", "punctuation stands twice"),
        ("A SALE for you", "'SALE' is shouted"),
        ("Good! Very good!", "more than one exclamation mark"),
        ("For you ✨🌿", "more than one emoji"),
        (
            "{{ first_name }}, the {{ product_name }} from {{ product_brand }} in {{ category }} is back in stock again",
            "phones show 60",
        ),
    ],
)
def test_faults_of_style_are_named(template: str, fault: str) -> None:
    assert any(fault in found for found in faults_of(template)), faults_of(template)


def test_factors_are_read_from_the_words() -> None:
    found = wording_of(
        "{{ city }}: the {{ product_name }} by {{ product_brand }}, with {{ offer_label }}, ends today ❤️"
    )
    assert found.is_personal and found.names_product and found.names_brand and found.names_offer
    assert found.is_urgent and found.has_emoji and not found.is_question and found.length == "long"
    assert not wording_of("Northway™ © 20°").has_emoji
    assert faults_of("All well 👩🏽‍🍳") == []
    assert [wording_of(text).length for text in ("Hello", "x" * 31, "x" * 46)] == ["short", "medium", "long"]


def test_a_file_may_say_what_words_cannot(folder: Path) -> None:
    path = folder / "messages" / "weekly_picks.yaml"
    told = path.read_text().replace("  - id: this_week\n", "  - id: this_week\n    is_urgent: true\n")
    path.write_text(told)
    row = (
        loaded(folder)
        .frames()["message_variants"]
        .filter(message_key="weekly_picks", subject_variant="this_week")
    )
    assert row["is_urgent"].to_list() == [True]


def test_a_person_approves_and_the_next_plan_has_it(folder: Path, sendplan: Command) -> None:
    def ids(state: str) -> list[str]:
        listed = sendplan(
            "subjects", "list", "--message", "win_back", "--json", SENDPLAN_MAIL=str(folder)
        ).json
        return [row["id"] for row in listed["subjects"] if row["state"] == state]

    def sent() -> set[str]:
        return {subject.id for subject in loaded(folder).messages["win_back"].subjects}

    first, second = ids("open")[:2]
    assert first not in sent()
    said = sendplan("subjects", "approve", first, second, "--by", "Ann", SENDPLAN_MAIL=str(folder))
    assert said.code == 0 and {first, second} <= sent()
    made = [made for made in load_decisions(folder / APPROVALS) if made.id == first]
    assert [(one.by, one.verdict) for one in made] == [("Ann", "approved")]
    assert sendplan("subjects", "reject", first, "--by", "Bob", SENDPLAN_MAIL=str(folder)).code == 0
    assert first not in sent() and second in sent()
    assert first in ids("rejected") and len(ids("open")) == 20
    wrong = sendplan("subjects", "list", "--message", "winback", SENDPLAN_MAIL=str(folder))
    assert wrong.code == 1 and "for a message 'winback'; did you mean 'win_back'?" in wrong.err
    unknown = sendplan("subjects", "approve", "g_nothing", "--by", "Ann", SENDPLAN_MAIL=str(folder))
    assert unknown.code == 1 and "there is no composed subject 'g_nothing'" in unknown.err


def test_an_approval_holds_for_the_words_it_was_given_for(folder: Path) -> None:
    part = "ready for something new?"
    grammar, approvals = folder / GRAMMAR, folder / APPROVALS
    before = {s.id for s in loaded(folder).messages["win_back"].subjects}
    grammar.write_text(grammar.read_text().replace(part, "ready for a change?"))
    after = {s.id for s in loaded(folder).messages["win_back"].subjects}
    assert len(before - after) == 1 and after < before
    text = approvals.read_text()
    approvals.write_text(text.replace("template: Ready for something new?", "template: Ready to spend?"))
    line = next(n for n, row in enumerate(text.splitlines(), 1) if part in row.lower())
    found = mistake(folder)
    assert "is not the one that was decided on; decide on it with sendplan subjects approve" in found
    assert abs(int(re.search(r"approvals\.yaml:(\d+): ", found)[1]) - line) <= 3  # type: ignore[index]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("  win_back:", "  winback:", "unknown message 'winback'; did you mean 'win_back'?"),
        ("{{ city }}: ", "{{ town }}: ", "the template names the unknown variable 'town'"),
        ("limit: 20", "limt: 20", "unknown field 'limt'; did you mean 'limit'?"),
    ],
)
def test_mistakes_in_the_grammar_are_named(folder: Path, old: str, new: str, expected: str) -> None:
    path = folder / GRAMMAR
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert expected in mistake(folder)


def test_a_folder_without_grammar_has_no_composed_subjects(folder: Path) -> None:
    (folder / GRAMMAR).unlink()
    assert not [s for m in loaded(folder).messages.values() for s in m.subjects if s.id.startswith("g_")]


def test_decisions_survive_being_written(folder: Path) -> None:
    made = load_decisions(folder / APPROVALS)
    assert decisions_text(made) == (folder / APPROVALS).read_text()
    every = composed_subjects(folder, MESSAGES)
    again = decided(every, made, [made[0].id], verdict="rejected", by="Ö: #1", decided_on=date(2026, 1, 2))
    (folder / APPROVALS).write_text(decisions_text(again))
    assert load_decisions(folder / APPROVALS) == again
