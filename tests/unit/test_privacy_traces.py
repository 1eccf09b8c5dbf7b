"""Who a person is, which rows are his, and where he stands in the texts of others."""

import json
from pathlib import Path

import polars as pl
import pytest
from erasure_home import HIS, NOW, build, events
from hypothesis import given
from hypothesis import strategies as st

from assets.home import Home
from assets.privacy.person import MOST_IDS, Person, SharedAddressError, find
from assets.privacy.traces import ERASED, Traces, as_text

JOE = Person(
    ids=frozenset({"c-17"}),
    emails=frozenset({"joe+x@example.org"}),
    names=frozenset({"joe doe"}),
    telling=frozenset({"c-17"}),
    lookalikes=frozenset({"c-17-b"}),
)
NUMBER = Person(ids=frozenset({"12346"}))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return build(tmp_path / "home")


def test_a_person_is_everyone_with_his_address_and_what_is_his_alone(home: Home) -> None:
    person = find(home, "c-17", NOW)
    assert person == find(home, "c-18", NOW)
    assert person.ids == {"c-17", "c-18"}
    assert person.emails == {"joe@example.org"}
    assert person.names == {"joe doe"}
    assert person.anonymous_id == {"joes-phone"}
    assert person.order_id == {"o-1"}
    assert person.message_id == {"m-1", "m-9"}
    assert person.lookalikes == {"c-171"}


def test_his_rows_are_told_from_those_of_others(home: Home) -> None:
    traces = Traces(find(home, "c-17", NOW))
    assert {row["event_id"] for row in events().iter_rows(named=True) if traces.owns(row)} == HIS


def test_what_has_been_landed_and_not_taken_in_counts_too(home: Home) -> None:
    (home.landing / "customers").mkdir()
    (home.landing / "customers" / "new.jsonl").write_text(
        '{"customer_id": "c-99", "email": "JOE@example.org"}\n'
    )
    assert "c-99" in find(home, "c-17", NOW).ids


def test_an_address_of_very_many_customers_is_no_person(home: Home) -> None:
    many = [{"customer_id": f"k{n}", "email": "none@example.org"} for n in range(MOST_IDS + 1)]
    pl.DataFrame(many).write_csv(home.landing / "customers.csv")
    with pytest.raises(SharedAddressError, match="21 customers share an e-mail address"):
        find(home, "k1", NOW)


def test_a_namesake_keeps_his_name(home: Home) -> None:
    with (home.landing / "customers.csv").open("a") as file:
        file.write("c-3,other@example.org,Joe,Doe\r\n")
    person = find(home, "c-17", NOW)
    assert (person.names, person.namesakes) == (frozenset(), True)


@pytest.mark.parametrize("name", ["Marked,as Spam", "Link,Clicked", "kind:,hold", "High,Value"])
def test_a_customer_called_like_part_of_the_contract_changes_nobody_elses_rows(home: Home, name: str) -> None:
    with (home.landing / "customers.csv").open("a") as file:
        file.write(f"c-66,odd@example.org,{name}\r\n")
    person = find(home, "c-66", NOW)
    assert person.names == frozenset()
    for text in ("Email Marked as Spam", "Email Link Clicked", "kind: hold", "loyal, high value"):
        assert Traces(person).erase_text(text) == text


@pytest.mark.parametrize("column", ["customer_id", "event", "email", "plan_date"])
def test_a_customer_called_like_a_column_is_told_by_columns_alone(home: Home, column: str) -> None:
    with (home.landing / "customers.csv").open("a") as file:
        file.write(f"{column},odd@example.org,Page,Viewed\r\n")
    person = find(home, column, NOW)
    assert (person.telling, person.names) == (frozenset(), frozenset())
    text = json.dumps({"event": "Page Viewed", "email": "x", "customer_id": "c-2"})
    assert Traces(person).erase_text(text) == text


@pytest.mark.parametrize(
    ("text", "erased"),
    [
        ("write to Joe+X@example.org.", f"write to {ERASED}."),
        ("to=joe%2Bx%40example.org&a=1", f"to={ERASED}&a=1"),
        ("mail%3Djoe%2Bx%40example.org", f"mail%3D{ERASED}"),
        ("ajoe+x@example.org joe+x@example.org.uk", None),
        ("weekly-2025w02-c-17", f"weekly-2025w02-{ERASED}"),
        ("/customers/c-17/orders", f"/customers/{ERASED}/orders"),
        ("c-171 xc-17 c-17-b", None),
        ("said JOE DOE, twice", f"said {ERASED}, twice"),
        ("joe doerr", None),
    ],
)
def test_he_is_erased_as_a_whole_word(text: str, erased: str | None) -> None:
    assert Traces(JOE).erase_text(text) == (text if erased is None else erased)


@pytest.mark.parametrize(
    ("text", "erased"),
    [
        ("12346 pieces at 12346", None),
        ('{"price": 12346, "customer_id": "12346"}', f'{{"price": 12346, "customer_id": "{ERASED}"}}'),
        ('{"customer_id": 12346}', '{"customer_id": null}'),
        ('{\\"customer_id\\": \\"12346\\"}', f'{{\\"customer_id\\": \\"{ERASED}\\"}}'),
        ("?customer_id=12346&n=2", f"?customer_id={ERASED}&n=2"),
        ("customer_id=123461", None),
        (
            "| customer_id | n |\\n| --- | --- |\\n| 12346 | 5 |\\n| 12347 | 12346 |",
            f"| customer_id | n |\\n| --- | --- |\\n| {ERASED} | {ERASED} |\\n| 12347 | 12346 |",
        ),
    ],
)
def test_a_number_is_he_only_where_something_says_customer(text: str, erased: str | None) -> None:
    assert Traces(NUMBER).erase_text(text) == (text if erased is None else erased)


def test_numbers_in_other_columns_are_not_he() -> None:
    traces = Traces(NUMBER)
    assert not traces.owns({"customer_id": "12347", "product_id": "12346", "price": 12346.0, "n": 12346})
    assert traces.owns({"customer_id": 12346.0})
    assert traces.owns({"customer_id": " 12346 "})


def test_a_spreadsheets_apostrophe_is_no_part_of_an_id() -> None:
    assert (as_text("'=1"), as_text("'a"), as_text(12.0), as_text("  ")) == ("=1", "'a", "12", None)


@pytest.mark.parametrize(
    "customer_id", ["../../etc/passwd1", "a' or '1'='1", "c*[1]?{2}", "%s{0}1a", 'x"1\\']
)
def test_ids_with_signs_of_paths_sql_and_patterns_are_plain_text(tmp_path: Path, customer_id: str) -> None:
    home = build(tmp_path / "home")
    pl.DataFrame(
        {"customer_id": [customer_id, "c-2"], "email": ["q@example.org", "bob@example.org"]}
    ).write_ndjson(home.landing / "customers.jsonl")
    (home.landing / "customers.csv").unlink()
    person = find(home, customer_id, NOW)
    assert person.emails == {"q@example.org"}
    assert Traces(person).erase_text(f"see {customer_id} there") == f"see {ERASED} there"


@given(st.text(max_size=60))
def test_texts_without_him_stay(text: str) -> None:
    if "c-17" not in text and "joe" not in text.lower():
        assert Traces(JOE).erase_text(text) == text


@given(st.text(max_size=40), st.text(max_size=40))
def test_erasing_twice_changes_nothing_more(before: str, after: str) -> None:
    once = Traces(JOE).erase_text(f"{before} c-17 joe+x@example.org {after}")
    assert "joe+x@" not in once
    assert Traces(JOE).erase_text(once) == once
