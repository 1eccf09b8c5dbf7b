"""overrides.yaml and campaigns.yaml: what is wrong is named; what the command changes is all that changes."""

import json
import threading
from datetime import date, datetime
from pathlib import Path

import pytest
from command_line import Command
from erasure_home import NOW, build
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.home import Home
from assets.mail_files import MailFolder
from assets.privacy.exports import remembered
from assets.privacy.person import Person
from assets.privacy.traces import Traces
from mail.campaigns import load_campaigns
from mail.catalogue import FOLDER
from mail.errors import MessageFileError, read_yaml, validated
from mail.json_schemas import json_schemas
from mail.overrides import Override, OverrideFile, load_overrides, with_entry, without_entry
from pipelines.overrides import OverrideError, add_override, remove_override

PATH = Path("overrides.yaml")
TEXTS = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=20).filter(
    str.strip
)
ENTRIES = st.builds(
    Override,
    id=st.from_regex(r"[a-z][a-z0-9_-]{0,5}", fullmatch=True),
    kind=st.just("hold"),
    customer_id=TEXTS | st.sampled_from(["00123", "1e5", "null", "no", "2025-01-01"]),
    from_date=st.dates(date(2020, 1, 1)),
    who=TEXTS,
    when=st.datetimes(datetime(2020, 1, 1)).map(lambda at: at.replace(microsecond=0)),
    why=TEXTS,
)
STARTS = st.sampled_from(
    ["", "# top\n", "overrides: []  # none yet\n# end", "overrides:\n", "# a\noverrides:\n# b\n# c\n"]
)


@settings(max_examples=60)
@given(start=STARTS, entries=st.lists(ENTRIES, max_size=5, unique_by=lambda e: e.id), data=st.data())
def test_adding_and_removing_changes_nothing_else(
    start: str, entries: list[Override], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text, kept = start, []
    for entry in entries:
        text = with_entry(PATH, text, entry)
        kept.append(entry)
        text += f"  # after {entry.id}\n" if data.draw(st.booleans()) else ""
        if data.draw(st.booleans()):
            gone = data.draw(st.sampled_from(kept))
            before = [line for line in text.splitlines() if line.strip().startswith("#")]
            text = without_entry(PATH, text, gone.id)
            kept.remove(gone)
            assert [line for line in text.splitlines() if line.strip().startswith("#")] == before
    if entries:
        path = tmp_path_factory.mktemp("mail") / "overrides.yaml"
        path.write_text(text, encoding="utf-8")
        assert validated(read_yaml(path), OverrideFile).overrides == kept


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"message": "weekly_pick"}, "2: unknown message 'weekly_pick'; did you mean 'weekly_picks'?"),
        ({"segment": "lapse"}, "unknown segment 'lapse'; did you mean 'lapsed'?"),
        ({"kind": "holt"}, "'overrides.0.kind' is 'holt'; did you mean 'hold'?"),
        ({"customer_id": "00123"}, "put the id in double quotes"),
        ({"customer_id": "null"}, "it names nobody (left empty, or erased); remove the entry"),
        ({"message": ""}, "it does not say whom or what it concerns"),
        ({"everyone": "true"}, "'everyone' is for holding all mail"),
        ({"to_date": "2025-06-01"}, "before it begins; set 'to_date' to a later day"),
        ({"kind": "replace"}, "it does not say what is sent instead"),
        ({"replacement": "welcome"}, "to hold needs no 'replacement'"),
        ({"whyy": "x"}, "unknown field 'whyy'; did you mean 'why'?"),
        ({"why": '"a\\nb"'}, "no line breaks"),
    ],
)
def test_a_mistake_names_its_line(tmp_path: Path, change: dict[str, str], said: str) -> None:
    fields = {
        "message": "weekly_picks",
        "id": "a",
        "kind": "hold",
        "from_date": "2025-07-01",
        "who": "Ann",
        "when": "2025-07-01 10:00:00",
        "why": "stock",
        **change,
    }
    lines = [f"{name}: {value}" for name, value in fields.items() if value]
    path = tmp_path / "overrides.yaml"
    path.write_text("overrides:\n  - " + "\n    ".join(lines) + "\n")
    with pytest.raises(MessageFileError) as caught:
        load_overrides(path, ["weekly_picks", "welcome"], ["lapsed", "own"])
    assert str(path) in str(caught.value) and said in str(caught.value)


def test_a_campaign_with_mistakes_names_each(tmp_path: Path) -> None:
    path = tmp_path / "campaigns.yaml"
    path.write_text(
        "campaigns:\n  - key: spring\n    name: Spring\n    message: welcom\n    segments: [lapsed, vipp]\n"
        "    from_date: 2025-03-01\n    to_date: 2025-02-01\n"
        "  - key: summer\n    name: Summer\n    message: welcome\n    segments: [lapsed]\n"
        "    from_date: 2025-06-01\n    to_date: 2025-06-04\n    waves: [0.5, 0.2, 0.2]\n    days_between_waves: 2\n"
    )
    with pytest.raises(MessageFileError) as caught:
        load_campaigns(path, ["welcome"], ["lapsed", "vip"])
    assert str(caught.value).splitlines() == [
        f"{path}:4: unknown message 'welcom'; did you mean 'welcome'?",
        f"{path}:5: unknown segment 'vipp'; did you mean 'vip'?",
        f"{path}:7: it ends on 2025-02-01, before it begins; set a later day",
        f"{path}:14: the shares of the waves sum to 0.9; make it 1",
        f"{path}:13: the last wave begins on 2025-06-05, after the end; set a later day or fewer waves",
    ]


def copied(tmp_path: Path) -> MailFolder:
    folder = tmp_path / "mail"
    (folder / "messages").mkdir(parents=True)
    for file in (*FOLDER.glob("*.yaml"), *FOLDER.glob("messages/*.yaml")):
        (folder / file.relative_to(FOLDER)).write_bytes(file.read_bytes())
    return MailFolder(folder)


def test_several_at_once_lose_no_override_and_a_named_customer_is_found_by_an_erasure(tmp_path: Path) -> None:
    folder, home = copied(tmp_path), Home(tmp_path / "home", tmp_path / "landing")
    now = datetime(2025, 7, 4, 10)

    def add(number: int) -> None:
        fields = {"kind": "hold", "customer_id": f"c{number}", "from_date": date(2025, 7, 1)}
        add_override(home, folder, {**fields, "who": "Ann", "why": "stock"}, now)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = folder.overrides().entries
    assert {e.customer_id for e in entries} == {"c0", "c1", "c2", "c3"} and len({e.id for e in entries}) == 4
    assert remembered(home) == [folder.overrides_file]
    text = folder.overrides_file.read_text(encoding="utf-8")
    erased = Traces(Person(ids=frozenset({"c2"}), telling=frozenset({"c2"}))).erase_text(text)
    folder.overrides_file.write_text(erased, encoding="utf-8")
    assert {e.customer_id for e in folder.overrides().entries} == {"c0", "c1", "[erased]", "c3"}
    assert remove_override(folder, entries[0].id, date(2025, 7, 1))
    assert not remove_override(folder, entries[1].id, date(2025, 7, 3))
    left = {e.id: e for e in folder.overrides().entries}
    assert entries[0].id not in left and left[entries[1].id].to_date == date(2025, 7, 2)


def test_the_command_adds_lists_and_removes(sendplan: Command, tmp_path: Path) -> None:
    folder = str(copied(tmp_path).path)
    arguments = ("hold", "--segment", "lapsed", "--why", "stock is being counted", "--who", "Ann", "--json")
    made = sendplan("override", *arguments, SENDPLAN_MAIL=folder).json["override"]
    listed = sendplan("override", "list", "--json", SENDPLAN_MAIL=folder).json["overrides"]
    assert listed == [made] and (made["who"], made["state"]) == ("Ann", "in force")
    wrong = sendplan("override", "approve", "--message", "welcom", "--why", "ok", SENDPLAN_MAIL=folder)
    assert wrong.code == 1 and "unknown message 'welcom'; did you mean 'welcome'?" in wrong.err
    assert sendplan("override", "remove", made["id"], SENDPLAN_MAIL=folder).code == 0
    assert sendplan("override", "list", "--json", SENDPLAN_MAIL=folder).json == {"overrides": []}


def test_the_published_schemas_are_those_of_the_code(sendplan: Command, tmp_path: Path) -> None:
    published = Path(__file__).parents[2] / "docs" / "schema"
    assert {file.name: file.read_text() for file in published.glob("*.json")} == json_schemas()
    assert sendplan("schema", "--to", tmp_path / "schema").code == 0
    written = json.loads((tmp_path / "schema" / "message.schema.json").read_text())
    assert {"key", "subjects", "needs_approval", "control_share"} <= set(written["properties"])


def test_a_hold_of_a_customer_whom_the_shop_does_not_have_is_refused(tmp_path: Path) -> None:
    folder, home = copied(tmp_path), build(tmp_path / "home")

    def hold(customer_id: str) -> Override:
        fields = {"kind": "hold", "customer_id": customer_id, "from_date": date(2025, 7, 1)}
        return add_override(home, folder, {**fields, "who": "Ann", "why": "letter"}, NOW)

    with pytest.raises(OverrideError, match="no customer has the id 'C-17'"):
        hold("C-17")
    assert hold(" c-17 ").customer_id == "c-17"
    assert [entry.customer_id for entry in folder.overrides().entries] == ["c-17"]
