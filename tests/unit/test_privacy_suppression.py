"""Who was erased is known again, and nobody else; what is stored names nobody."""

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.home import Home
from assets.landing.checking import REJECTED
from assets.landing.contract import EVENTS
from assets.landing.reading import ROW
from assets.privacy.person import Person
from assets.privacy.suppression import Suppression, prepared, without_erased

NOW = datetime(2025, 6, 1)
JOE = Person(
    ids=frozenset({"c1"}),
    emails=frozenset({"joe@example.org"}),
    anonymous_id=frozenset({"a1"}),
    message_id=frozenset({"m1"}),
    order_id=frozenset({"o1"}),
)


@pytest.fixture
def suppression(tmp_path: Path) -> Suppression:
    home = Home(tmp_path, tmp_path / "landing")
    prepared(home).adding(JOE, NOW).save(home)
    return Suppression.load(home)


def events(**columns: list[object]) -> pl.DataFrame:
    return pl.DataFrame(columns, schema_overrides=dict(EVENTS.schema))


def test_a_customer_decides_and_where_there_is_none_what_leads_to_one(suppression: Suppression) -> None:
    rows = events(
        customer_id=["c1", "c2", None, None, None, None],
        anonymous_id=[None, "a1", "a1", None, None, "a2"],
        message_id=[None, None, None, "m1", None, None],
        order_id=[None, None, None, None, "o1", None],
    )
    assert suppression.is_his(rows).to_list() == [True, False, True, True, True, False]


def test_an_address_is_known_in_any_spelling_under_any_id(suppression: Suppression) -> None:
    rows = events(customer_id=["c9", "c8"], email=[" JOE@Example.org", "ajoe@example.org"])
    assert suppression.is_his(rows).to_list() == [True, False]


def test_tables_without_people_keep_all_rows(suppression: Suppression) -> None:
    assert suppression.is_his(pl.DataFrame({"product_id": ["c1", "a1"]})).to_list() == [False, False]
    assert suppression.is_his(pl.DataFrame(schema=EVENTS.schema)).to_list() == []


def test_quarantine_records_are_told_by_what_they_hold(suppression: Suppression) -> None:
    assert suppression.is_told_of('{"customer_id": "c1", "price": -1}')
    assert suppression.is_told_of('{"customer_id": null, "message_id": "m1"}')
    assert suppression.is_told_of('{"line": "x,c1,open"}')
    assert not suppression.is_told_of('{"customer_id": "c2", "message_id": "m1"}')
    assert not suppression.is_told_of('{"product_id": "c1"}')
    assert not suppression.is_told_of("[1]")
    assert not suppression.is_told_of(None)


def test_rows_records_and_values_of_his_are_counted_once(suppression: Suppression) -> None:
    good = pl.DataFrame({ROW: [1, 2], "customer_id": ["c1", "c2"]})
    rejected = pl.DataFrame(
        [
            {ROW: 1, "kind": "value", "raw": '{"birth_date": "x"}'},
            {ROW: 2, "kind": "value", "raw": '{"birth_date": "y"}'},
            {ROW: 3, "kind": "row", "raw": '{"customer_id": "c1"}'},
            {ROW: None, "kind": "file", "raw": None},
        ],
        schema=REJECTED,
    )
    kept, records, n = without_erased(good, rejected, suppression)
    assert kept["customer_id"].to_list() == ["c2"]
    assert records[ROW].to_list() == [2, None]
    assert n == 2


def test_without_erasures_nothing_is_touched(tmp_path: Path) -> None:
    good = pl.DataFrame({ROW: [1], "customer_id": ["c1"]})
    rejected = pl.DataFrame(schema=REJECTED)
    nobody = Suppression.load(Home(tmp_path, tmp_path / "landing"))
    assert without_erased(good, rejected, nobody) == (good, rejected, 0)


def test_the_first_time_of_an_erasure_stays(suppression: Suppression) -> None:
    again = suppression.adding(JOE, datetime(2026, 1, 1))
    assert (again.when("c1"), again.when("c2")) == (NOW, None)


@given(st.text(min_size=1, max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_strangers_are_never_taken_for_him(suppression: Suppression, customer: str) -> None:
    rows = events(customer_id=[customer], email=[f"{customer}@example.net"])
    assert suppression.is_his(rows).to_list() == [customer == "c1"]
