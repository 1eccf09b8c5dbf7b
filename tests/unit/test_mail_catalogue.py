"""A mistake in a message, offer or policy file names file, line and remedy; the shipped files have none."""

import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import polars as pl
import pytest
import yaml

from mail.catalogue import MESSAGES, OFFERS, POLICY, load_catalogue, load_policy
from mail.errors import MessageFileError
from mail.schema import EXPLANATION_FACTS, TriggerKey
from mail.variables import VARIABLES
from mail.wording import Wording, faults_of
from models.policy import explain, variants
from models.policy.inputs import WORDING

WEEKLY = (MESSAGES / "weekly_picks.yaml").read_text(encoding="utf-8")


def folder(tmp_path: Path, text: str | bytes, name: str = "weekly_picks.yaml") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return tmp_path


def mistake(tmp_path: Path, text: str | bytes, name: str = "weekly_picks.yaml") -> str:
    with pytest.raises(MessageFileError) as caught:
        load_catalogue(folder(tmp_path, text, name))
    return str(caught.value)


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def test_the_shipped_messages_cover_every_trigger_and_one_weekly_mail() -> None:
    messages = load_catalogue().messages
    assert set(messages) == {*get_args(TriggerKey), "weekly_picks"}
    assert {key: message.trigger for key, message in messages.items() if key != "weekly_picks"} == {
        key: key for key in messages if key != "weekly_picks"
    }
    assert messages["weekly_picks"].trigger is None


def test_the_shipped_messages_go_before_each_other_in_the_order_meant() -> None:
    messages = load_catalogue().messages
    order = [
        "bad_service",
        "checkout_abandoned",
        "cart_abandoned",
        "replenishment",
        "repeated_views",
        "product_comparison",
        "browse_abandoned",
        "post_purchase_thanks",
        "nth_order",
        "win_back",
        "weekly_picks",
    ]
    priorities = [messages[key].priority for key in order]
    assert priorities == sorted(priorities, reverse=True) and len(set(priorities)) == len(priorities)


def test_one_order_brings_each_mail_after_it_once() -> None:
    project = yaml.safe_load((MESSAGES.parents[1] / "dbt_project" / "dbt_project.yml").read_text("utf-8"))
    messages = load_catalogue().messages
    ends = 0
    for key in ("post_purchase_thanks", "post_purchase_tips", "nth_order", "review_request", "cross_sell"):
        start, end = (project["vars"][f"trigger_{key}_{edge}_days"] for edge in ("from", "to"))
        assert ends <= start < end
        assert messages[key].cool_down_days >= end - start
        ends = end


def test_what_shows_products_or_gives_something_is_promotion(tmp_path: Path) -> None:
    text = WEEKLY.replace("uses_profile: false", "uses_profile: false\nis_promotional: false")
    assert (
        "weekly_picks.yaml:11: a message that shows products or carries an offer is promotional"
        in mistake(tmp_path, text)
    )


def test_the_shipped_copy_is_no_spam_and_fits_an_inbox() -> None:
    for message in load_catalogue().messages.values():
        assert [(s.template, faults_of(s.template)) for s in message.subjects if faults_of(s.template)] == []
        for wording in message.preheaders:
            assert [fault for fault in faults_of(wording.template) if "characters" not in fault] == []
            assert len(re.sub(r"\{\{.*?\}\}", "Anna", wording.template)) <= 80


def test_frames_carry_what_each_subject_needs() -> None:
    frames = load_catalogue().frames()
    needs = frames["message_variants"].filter(message_key="cart_abandoned", subject_variant="still_thinking")
    assert needs["needs"].to_list() == [["first_name", "product_name"]]
    tones = frames["message_tones"].filter(message_key="weekly_picks")
    assert tones.filter(lifecycle_stage="at_risk")["tone"].to_list() == ["brief", "warm"]
    assert tones.filter(lifecycle_stage="active")["tone"].to_list() == ["friendly", "warm"]
    assert frames["message_tones"].filter(message_key="welcome", lifecycle_stage="new").height == 1
    assert frames["offers"].filter(pl.col("offer_key") == "none").height == 1


def test_policy_and_mail_agree_on_variables_and_facts() -> None:
    assert tuple(VARIABLES) == variants.VARIABLES
    assert tuple(EXPLANATION_FACTS) == explain.FACTS
    assert [field.name for field in fields(Wording)] == list(WORDING)
    assert set(explain._facts()) == set(explain.FACTS)


def test_an_unknown_field_names_the_nearest(tmp_path: Path) -> None:
    text = WEEKLY.replace("priority:", "prioritty:")
    at = f"{tmp_path / 'weekly_picks.yaml'}:{line_of(text, 'prioritty')}: "
    assert at + "unknown field 'prioritty'; did you mean 'priority'?" in mistake(tmp_path, text)
    assert "the field 'priority' is missing; add it" in mistake(tmp_path, text)


def test_an_unknown_field_inside_a_variant_names_the_fields_of_a_variant(tmp_path: Path) -> None:
    text = WEEKLY.replace('    template: "{{ n_products }} picks for this week"', '    templat: "x"')
    found = mistake(tmp_path, text)
    assert (
        f"weekly_picks.yaml:{line_of(text, 'templat:')}: unknown field 'templat'; did you mean 'template'?"
        in found
    )


def test_a_template_with_an_unknown_variable_names_it_and_all_that_are_allowed(tmp_path: Path) -> None:
    text = WEEKLY.replace(
        "{{ first_name }}, {{ n_products }} picks", "{{ firstname }}, {{ n_products }} picks"
    )
    found = mistake(tmp_path, text)
    assert f"weekly_picks.yaml:{line_of(text, 'firstname')}: " in found
    assert "names the unknown variable 'firstname'; did you mean 'first_name'?" in found
    assert ", ".join(sorted(VARIABLES)) in found


def test_a_preheader_and_an_explanation_are_checked_too(tmp_path: Path) -> None:
    text = WEEKLY.replace("{{ content_title }}", "{{ artcle }}").replace("{sources}", "{sauces}", 1)
    found = mistake(tmp_path, text)
    assert f":{line_of(text, 'artcle')}: the template names the unknown variable 'artcle'" in found
    assert (
        f":{line_of(text, 'sauces')}: the explanation names the unknown fact 'sauces'; did you mean 'sources'?"
        in found
    )


def test_an_unknown_trigger_names_the_nearest(tmp_path: Path) -> None:
    text = WEEKLY.replace("trigger: null", "trigger: cart_abandonned")
    found = mistake(tmp_path, text)
    assert (
        f":{line_of(text, 'trigger:')}: 'trigger' is 'cart_abandonned'; did you mean 'cart_abandoned'?"
        in found
    )


def test_a_field_given_twice_names_both_lines(tmp_path: Path) -> None:
    text = WEEKLY + "name: Again\n"
    found = mistake(tmp_path, text)
    again, first = len(text.splitlines()), line_of(text, "name:")
    assert f":{again}: 'name' is already given in line {first}; keep one of the two" in found


def test_broken_yaml_names_the_line(tmp_path: Path) -> None:
    text = WEEKLY.replace("name: Weekly picks", "name: Weekly: picks: [")
    assert f":{line_of(text, 'Weekly: picks')}: not valid YAML: " in mistake(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ":1: expected 'field: value' lines; the file has none"),
        ("- a\n- b\n", ":1: expected 'field: value' lines; the file has none"),
        ("name: caf\xe9\n".encode("latin-1"), ":1: the file is not UTF-8; save it as UTF-8"),
        ("key: !!python/object:os.system x\n", "weekly_picks.yaml:1: not valid YAML: "),
    ],
)
def test_what_is_no_message_file_at_all(tmp_path: Path, text: str | bytes, expected: str) -> None:
    assert expected in mistake(tmp_path, text)


@pytest.mark.parametrize(
    ("old", "new", "at", "expected"),
    [
        (
            "key: weekly_picks",
            "key: weekly",
            "key: weekly",
            "the key is 'weekly' but the file is weekly_picks.yaml",
        ),
        (
            "[free_shipping]",
            "[free_shiping]",
            "free_shiping",
            "unknown offer 'free_shiping'; did you mean 'free_shipping'?",
        ),
        (
            "[grid_article, grid]",
            "[grid_article]",
            "grid_article",
            "the last layout must fit 2 product(s) and no article",
        ),
        (
            "max_products: 4",
            "max_products: 1",
            "max_products: 1",
            "'max_products' is less than 'needs.min_products'",
        ),
        ("  default: [friendly, warm]\n", "", "tones:", "'tones' has no 'default'; add one"),
        ("[friendly, warm]", "[warm, warm]", "warm, warm", "the tones of 'default' name one twice"),
        ("[brief, warm]", "breef", "breef", "'tones.at_risk.0' is 'breef'; did you mean 'brief'?"),
        ("id: top_pick", "id: this_week", "id: this_week", "the id 'this_week' is already used in subjects"),
        ("priority: 20", "priority: high", "priority:", "'priority' is 'high': "),
        ("priority: 20", "priority: 500", "priority:", "'priority' is 500: "),
        ("at_risk]", "at risk]", "audience:", "'audience.4' is 'at risk'; did you mean 'at_risk'?"),
        (
            '"{{ n_products }} picks for this week"',
            '"{{ city }} picks"',
            "subjects:",
            "every subject names a variable",
        ),
        (
            '"Chosen for you, once a week."',
            '"For {{ city }}"',
            "id: plain",
            "the last preheader is for everyone",
        ),
        (
            '"Weekly picks: {n_products}"',
            '"For {category}"',
            "For {category}",
            "the last explanation is for everyone",
        ),
        ("{{ product_name }} and", "{{ product_name and", "{{ product_name and", "is not valid: "),
    ],
)
def test_mistakes_across_fields(tmp_path: Path, old: str, new: str, at: str, expected: str) -> None:
    assert old in WEEKLY
    text = WEEKLY.replace(old, new)
    found = mistake(tmp_path, text)
    assert expected in found
    lines = [int(number) for number in re.findall(r"weekly_picks\.yaml:(\d+): ", found)]
    assert any(at in text.splitlines()[number - 1] for number in lines), found


def test_every_file_is_checked_before_the_error_is_raised(tmp_path: Path) -> None:
    folder(tmp_path, WEEKLY.replace("priority:", "prioritty:"))
    found = mistake(tmp_path, "key: [", "other.yaml")
    assert "other.yaml:1: not valid YAML" in found and "weekly_picks.yaml:" in found


def test_two_files_with_one_key(tmp_path: Path) -> None:
    folder(tmp_path, WEEKLY)
    assert "another file has the key 'weekly_picks'" in mistake(tmp_path, WEEKLY, "zweiter.yaml")


def test_an_empty_folder_and_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MessageFileError, match="no message files"):
        load_catalogue(tmp_path)
    with pytest.raises(MessageFileError, match=r"absent\.yaml: the file does not exist"):
        load_policy(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("key: percent_10", "key: free_shipping", "the offer 'free_shipping' is already given"),
        ("key: none", "key: nothing", "there must be an offer 'none' of level 0"),
        ("label: 10 % off", 'label: ""', "the offer 'percent_10' has no label"),
        (
            "min_price_sensitivity: 0.35",
            "min_price_sensitivity: 70",
            "'offers.3.min_price_sensitivity' is 70: ",
        ),
        (
            "floor_margin: 0.10",
            "floor_marge: 0.10",
            "unknown field 'floor_marge'; did you mean 'floor_margin'?",
        ),
        ("kind: percent", "kind: precent", "'offers.2.kind' is 'precent'; did you mean 'percent'?"),
    ],
)
def test_mistakes_in_offers(tmp_path: Path, old: str, new: str, expected: str) -> None:
    path = tmp_path / "offers.yaml"
    text = OFFERS.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(MessageFileError) as caught:
        load_catalogue(offers=path)
    assert expected in str(caught.value)
    assert re.search(r"offers\.yaml:\d+: ", str(caught.value))


def test_the_shipped_policy_file_holds_the_defaults() -> None:
    policy = load_policy()
    assert (policy.caps.per_day, policy.caps.per_7_days) == (1, 3)
    assert (policy.quiet_hours.start, policy.quiet_hours.end) == ("21:00", "07:00")
    assert policy.control_share == 0.05


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('start: "21:00"', "start: 21:00", "'quiet_hours.start' is 1260: "),
        ('start: "21:00"', 'start: "21:10"', "'quiet_hours.start' is '21:10': "),
        ("control_share: 0.05", "control_share: 5", "'control_share' is 5: "),
        ("per_7_days: 3", "per_week: 3", "unknown field 'per_week'; "),
        (
            "  send_time: 0.05",
            "  send_time: 1.0",
            "policy.yaml:49: 'exploration.likely_send_time': send_time and ",
        ),
        ("salt: sendplan", "", "the field 'salt' is missing; add it"),
    ],
)
def test_mistakes_in_the_policy_file(tmp_path: Path, old: str, new: str, expected: str) -> None:
    path = tmp_path / "policy.yaml"
    text = POLICY.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(MessageFileError) as caught:
        load_policy(path)
    assert expected in str(caught.value)
