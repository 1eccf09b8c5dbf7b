"""Marketers' own segments: who is in them, and what a marketer reads when a condition is wrong."""

from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

from assets.audiences import documented_customers
from mail.errors import MessageFileError
from mail.segments import SEGMENTS, load_audiences

CUSTOMERS = pl.DataFrame(
    {
        "customer_id": ["ann", "bob", "cat"],
        "as_of": [date(2025, 7, 1)] * 3,
        "n_orders": [3, 0, 1],
        "country": ["DE", "FR", None],
        "last_order_at": [datetime(2025, 3, 1), None, datetime(2025, 6, 30)],
        "top_categories": [["Home", "Toys"], [], ["Toys"]],
    },
    schema_overrides={"n_orders": pl.Int32},
)


def write(folder: Path, *conditions: str) -> Path:
    path = folder / "segments.yaml"
    lines = ["segments:"]
    for number, condition in enumerate(conditions):
        lines += [f"  - key: s{number}", f"    name: Segment {number}", f"    condition: {condition!r}"]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("condition", "members"),
    [
        ("n_orders >= 1", ["ann", "cat"]),
        ("country in (''DE'', ''FR'') and n_orders between 0 and 2", ["bob"]),
        ("last_order_at < as_of - interval 90 days", ["ann"]),
        ("list_contains(top_categories, ''Toys'')", ["ann", "cat"]),
        ("country is null or lower(country) like ''f%''", ["bob", "cat"]),
        ("not (n_orders > 0) -- nobody yet", ["bob"]),
        ("case when n_orders = 0 then true else false end", ["bob"]),
    ],
)
def test_a_condition_says_who_is_in(tmp_path: Path, condition: str, members: list[str]) -> None:
    path = tmp_path / "segments.yaml"
    path.write_text(f"segments:\n  - key: own\n    name: Own\n    condition: '{condition}'\n")
    found = load_audiences(CUSTOMERS, path).members(CUSTOMERS)
    assert found["customer_id"].to_list() == members
    assert set(found["segment_key"]) == {"own"}


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("n_order >= 1", "unknown column 'n_order'; did you mean 'n_orders'?"),
        ("n_orders", "not true or false; compare it"),
        ("n_orders >", "no SQL expression"),
        ("n_orders > 'x y'", "does not fit the columns"),
        ("country > 3", "does not fit the columns"),
        ("cast(country as integer) > 3", "write try_cast"),
        ("n_orders > 0) from customer union select (true", "more than one expression"),
        ("true; drop table customer; select true", "no SQL expression"),
        ("n_orders = (select 1)", "leave the subquery out"),
        ("exists (select * from read_csv('/etc/passwd'))", "leave the subquery out"),
        ("row_number() over () = 1", "leave the window function out"),
        ("random() < 0.5", "the function 'random' is not allowed"),
        ("current_date > as_of", "current_date"),
        ("read_text('/etc/passwd') is not null", "the function 'read_text' is not allowed"),
        ("getenv('HOME') = 'x'", "the function 'getenv' is not allowed"),
        ("count(*) > 1", "'count_star' is not allowed"),
        ("n_orders = ?", "there are no parameters"),
        ("country in (49, 43)", "does not fit the columns"),
        ("customer_id in (1, 2)", "does not fit the columns"),
        ("(country || '')::int > 3", "does not fit the columns"),
        ("n_orders * 1000000000 > 5", "calculate with smaller numbers"),
        ("as_of + to_years(n_orders * 100000000) > as_of", "calculate with smaller numbers"),
        ("- " * 900 + "n_orders > 0", "nested too deeply; write it flatter"),
        ("- " * 120 + "n_orders > 0", "nested too deeply; write it flatter"),
        ("not " * 400 + "true", "nested too deeply; write it flatter"),
        ("-(" * 600 + "1" + ")" * 600 + " = 1", "nested too deeply; write it flatter"),
    ],
)
def test_a_wrong_condition_names_file_line_and_remedy(tmp_path: Path, condition: str, said: str) -> None:
    path = write(tmp_path, "n_orders > 0", condition)
    with pytest.raises(MessageFileError) as raised:
        load_audiences(CUSTOMERS, path)
    assert str(raised.value).startswith(f"{path}:7: 's1': ")
    assert said in str(raised.value)
    assert "; " in str(raised.value)


@pytest.mark.parametrize(
    ("condition", "members"),
    [
        ("n_orders * 100000000 >= n_orders", ["bob", "cat"]),
        ("not (n_orders * 100000000 > n_orders)", ["bob"]),
        ("case when n_orders = 12 then true else (country || '')::int = 49 end", ["dan"]),
    ],
)
def test_who_cannot_be_asked_is_not_in(tmp_path: Path, condition: str, members: list[str]) -> None:
    customers = CUSTOMERS.vstack(
        CUSTOMERS.head(1).with_columns(customer_id=pl.lit("dan"), country=pl.lit("49"))
    ).with_columns(n_orders=pl.Series([300, 0, 1, 500], dtype=pl.Int32))
    found = load_audiences(CUSTOMERS, write(tmp_path, condition)).members(customers)
    assert found["customer_id"].to_list() == members


def test_a_failure_on_a_days_customers_names_the_place_and_none_of_their_values(tmp_path: Path) -> None:
    path = write(tmp_path, "true", "n_orders > 2")
    own = load_audiences(CUSTOMERS, path)
    odd = CUSTOMERS.with_columns(n_orders=pl.col("customer_id"))
    with pytest.raises(MessageFileError) as raised:
        own.members(odd)
    assert str(raised.value).startswith(f"{path}:7: 's1': the condition does not fit the customers")
    assert raised.value.__suppress_context__
    assert not any(customer in str(raised.value) for customer in CUSTOMERS["customer_id"])


def test_every_documented_column_has_a_plausible_value_to_try_a_condition_on(tmp_path: Path) -> None:
    customers = documented_customers()
    conditions = [f"{column} is null" for column in customers.columns]
    assert load_audiences(customers, write(tmp_path, *conditions)).members(customers).is_empty()
    path = write(
        tmp_path, *(f"case when {column} is not null then 'x'::int = 1 end" for column in customers.columns)
    )
    with pytest.raises(MessageFileError) as raised:
        load_audiences(customers, path)
    assert len(str(raised.value).splitlines()) == len(conditions)


def test_a_long_condition_may_be_long_where_it_is_flat(tmp_path: Path) -> None:
    condition = " or ".join(f"n_orders = {number}" for number in range(100))
    found = load_audiences(CUSTOMERS, write(tmp_path, condition)).members(CUSTOMERS)
    assert found.height == CUSTOMERS.height


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ("key: s0", "key: learnt_0"),
            ":2: 'segments.0.key': 'learnt_0' begins as the keys of learnt segments do",
        ),
        (("name: Segment 0", 'name: "Best\\nof all"'), ":3: 'segments.0.name': a name has no line breaks"),
        (("name: Segment 0", 'name: "Best\\x1b[31m"'), "write it on one line"),
        (("name: Segment 0", 'name: "Best\\u2028"'), "write it on one line"),
    ],
)
def test_keys_of_learnt_segments_and_names_of_several_lines_are_refused(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    path = write(tmp_path, "n_orders > 0")
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(MessageFileError) as raised:
        load_audiences(CUSTOMERS, path)
    assert f"{path}:" in str(raised.value)
    assert said in str(raised.value)


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "n_ordrs > 0 and contry = 'DE'", "now() > as_of")
    with pytest.raises(MessageFileError) as raised:
        load_audiences(CUSTOMERS, path)
    assert len(str(raised.value).splitlines()) == 3


def test_a_key_stands_once(tmp_path: Path) -> None:
    path = write(tmp_path, "n_orders > 0", "n_orders > 1")
    path.write_text(path.read_text().replace("key: s1", "key: s0"))
    with pytest.raises(MessageFileError, match="already given in line 2"):
        load_audiences(CUSTOMERS, path)


def test_a_folder_without_segments_has_none(tmp_path: Path) -> None:
    assert load_audiences(CUSTOMERS, tmp_path / "segments.yaml").members(CUSTOMERS).is_empty()


def test_an_unknown_field_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "n_orders > 0")
    path.write_text(path.read_text().replace("condition:", "conditon:"))
    with pytest.raises(MessageFileError, match="did you mean 'condition'"):
        load_audiences(CUSTOMERS, path)


def test_the_segments_that_come_with_sendplan_fit_the_documented_columns() -> None:
    assert len(load_audiences(documented_customers(), SEGMENTS).audiences) >= 3
