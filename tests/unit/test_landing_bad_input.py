"""Every kind of bad landing input: the message names the place and the remedy, and the good rows stay."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from assets.home import Home
from assets.landing.discovery import LandingError
from assets.landing.ingest import IngestReport, ingest

NOW = datetime(2025, 6, 1, 12)
CUSTOMERS = "customer_id,email\nc1,ann@example.org\nc2,bob@example.org\n"
EVENTS = "event_id,event,occurred_at,price\ne1,Page Viewed,2025-05-01T10:00:00Z,\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home whose landing folder holds two good customers and one good event."""
    landing = tmp_path / "landing"
    landing.mkdir()
    (landing / "customers.csv").write_text(CUSTOMERS)
    (landing / "events.csv").write_text(EVENTS)
    return Home(tmp_path / "home", landing)


def put(home: Home, path: str, content: str | bytes) -> None:
    location = home.landing / path
    location.parent.mkdir(parents=True, exist_ok=True)
    location.write_bytes(content if isinstance(content, bytes) else content.encode())


def kept(home: Home, table: str) -> pl.DataFrame:
    if table == "events":
        return pl.read_parquet(home.raw / "events" / "*" / "events.parquet", hive_partitioning=False)
    return pl.read_parquet(home.raw / f"{table}.parquet")


def quarantined(home: Home, table: str) -> list[dict]:
    return pl.read_parquet(home.quarantine / f"{table}.parquet").rows(named=True)


def the_one(home: Home, table: str) -> dict:
    (record,) = quarantined(home, table)
    return record


def assert_adds_up(report: IngestReport) -> None:
    for table in report.tables.values():
        assert (
            table.rows_read == table.rows_kept + table.duplicates + table.superseded + table.rows_quarantined
        )


def with_event(
    home: Home, line: str, header: str = "event_id,event,occurred_at,price,quantity,properties"
) -> dict:
    """Adds a file with one good event and `line`, and returns the only quarantine record."""
    good = "g1,Page Viewed,2025-05-02,,,"
    put(home, "events/more.csv", f"{header}\n{good}\n{line}\n")
    report = ingest(home, NOW)
    assert_adds_up(report)
    assert {"e1", "g1"} <= set(kept(home, "events")["event_id"])
    record = the_one(home, "events")
    assert (record["table"], record["file"], record["row_number"]) == ("events", "events/more.csv", 2)
    return record


def test_a_missing_landing_folder_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(
        LandingError, match=r"landing folder .*nowhere does not exist; create it .*sendplan simulate"
    ):
        ingest(Home(tmp_path, tmp_path / "nowhere"), NOW)


def test_an_empty_landing_folder_says_what_to_put_there(tmp_path: Path) -> None:
    with pytest.raises(
        LandingError, match=r"landing folder .* is empty; put customers\.\* and events\.\* there"
    ):
        ingest(Home(tmp_path / "home", tmp_path), NOW)


def test_a_landing_folder_without_events_names_what_it_ignored(home: Home) -> None:
    (home.landing / "events.csv").rename(home.landing / "event.csv")
    with pytest.raises(LandingError, match=r"has no events; .*event\.csv is ignored.*did you mean events\?"):
        ingest(home, NOW)


def test_a_failed_pass_leaves_the_raw_tables_as_they_were(home: Home) -> None:
    ingest(home, NOW)
    (home.landing / "customers.csv").unlink()
    with pytest.raises(LandingError):
        ingest(home, NOW)
    assert kept(home, "customers").height == 2


def test_a_missing_required_column_sets_the_file_apart(home: Home) -> None:
    put(home, "customers/more.csv", "customer_id,e-mail\nc9,eve@example.org\n")
    report = ingest(home, NOW)
    record = the_one(home, "customers")
    assert (record["kind"], record["row_number"], record["column"]) == ("file", None, "email")
    assert record["reason"] == (
        "required column 'email' is missing; rename 'e-mail' to 'email' and deliver the file again "
        "(found: customer_id, e-mail)"
    )
    assert report.tables["customers"].files_rejected == {"customers/more.csv": record["reason"]}
    assert kept(home, "customers")["customer_id"].to_list() == ["c1", "c2"]


@pytest.mark.parametrize("content", [b"PAR1 this is not parquet PAR1", b"x"])
def test_an_unreadable_parquet_file_is_set_apart(home: Home, content: bytes) -> None:
    put(home, "events/broken.parquet", content)
    ingest(home, NOW)
    record = the_one(home, "events")
    assert (record["file"], record["kind"], record["rule"]) == (
        "events/broken.parquet",
        "file",
        "unreadable file",
    )
    assert "not readable as Parquet" in record["reason"]
    assert "deliver it again" in record["reason"]
    assert kept(home, "events")["event_id"].to_list() == ["e1"]


def test_a_truncated_parquet_file_is_set_apart_until_it_is_whole(home: Home) -> None:
    whole = home.landing / "events" / "day.parquet"
    whole.parent.mkdir()
    pl.DataFrame(
        {"event_id": ["e2"], "event": ["Page Viewed"], "occurred_at": [datetime(2025, 5, 3)]}
    ).write_parquet(whole)
    content = whole.read_bytes()
    whole.write_bytes(content[: len(content) // 2])
    assert list(ingest(home, NOW).tables["events"].files_rejected) == ["events/day.parquet"]
    whole.write_bytes(content)
    assert ingest(home, NOW).tables["events"].files_rejected == {}
    assert kept(home, "events")["event_id"].to_list() == ["e1", "e2"]


def test_an_unknown_event_name_gets_the_nearest_one_suggested(home: Home) -> None:
    record = with_event(home, "b1,Order Complete,2025-05-02,,,")
    assert record["reason"] == "event 'Order Complete' is not known; did you mean 'Order Completed'?"
    assert json.loads(record["raw"])["event_id"] == "b1"


def test_an_event_name_like_no_other_gets_the_list(home: Home) -> None:
    assert "use one of: Page Viewed, Product Viewed" in with_event(home, "b1,zzz,2025-05-02,,,")["reason"]


@pytest.mark.parametrize(
    ("time", "words"),
    [
        ("2025-06-03T00:00:00Z", "occurred_at '2025-06-03T00:00:00Z' lies in the future; correct the date"),
        ("1889-05-01", "occurred_at '1889-05-01' lies before 1990-01-01, which cannot be; correct the date"),
        (
            "01.05.2025",
            "occurred_at '01.05.2025' is not an ISO 8601 time; write it like 2025-03-01T08:15:00Z",
        ),
        ("2025-02-30", "is not an ISO 8601 time"),
        ("", "occurred_at is empty; every row of events needs one"),
    ],
)
def test_a_bad_time_is_explained(home: Home, time: str, words: str) -> None:
    record = with_event(home, f"b1,Page Viewed,{time},,,")
    assert record["column"] == "occurred_at"
    assert words in record["reason"]


def test_a_row_dated_in_the_future_is_taken_up_when_its_time_has_come(home: Home) -> None:
    with_event(home, "b1,Page Viewed,2025-06-10,,,")
    assert ingest(home, datetime(2025, 6, 8)).tables["events"].files_read == 0
    report = ingest(home, datetime(2025, 6, 9, 0, 0, 1)).tables["events"]
    assert report.quarantined == {}
    assert "b1" in kept(home, "events")["event_id"].to_list()


def test_going_back_in_time_puts_the_row_back_into_quarantine(home: Home) -> None:
    ingest(home, NOW)
    report = ingest(home, datetime(2025, 4, 1))
    assert report.tables["events"].quarantined == {"future date": 1}
    assert kept(home, "events").height == 0


@pytest.mark.parametrize(
    ("values", "column", "words"),
    [
        ("-3.5,,", "price", "price '-3.5' is less than 0; write 0 or more"),
        (",-1,", "quantity", "quantity '-1' is less than 0; write 0 or more"),
        ("abc,,", "price", "price 'abc' is not a number; write it like 12.50"),
        ("inf,,", "price", "price 'inf' is not a number"),
        (",1.5,", "quantity", "quantity '1.5' is not a whole number; write it like 3"),
        ("1e300,,", "price", "price '1e300' is more than 1,000,000,000, which cannot be; correct the number"),
        (",1000000001,", "quantity", "quantity '1000000001' is more than 1,000,000,000"),
    ],
)
def test_a_bad_amount_takes_the_row_out(home: Home, values: str, column: str, words: str) -> None:
    record = with_event(home, f"b1,Order Completed,2025-05-02,{values}")
    assert (record["kind"], record["column"]) == ("row", column)
    assert words in record["reason"]


def test_several_faults_of_one_row_make_one_record(home: Home) -> None:
    record = with_event(home, "b1,Nothing,2031-01-01,-1,,")
    assert [part.split(" ")[0] for part in record["reason"].split("; ") if "'" in part][:1] == ["event"]
    assert "lies in the future" in record["reason"]
    assert "less than 0" in record["reason"]


def test_a_bad_optional_value_is_set_apart_and_its_row_goes_on(home: Home) -> None:
    put(
        home,
        "customers.csv",
        "customer_id,email,timezone,country\nc1,ann@example.org,Europe/Zürich,CH\nc2,bob@example.org,Europe/Zurich,Swiss\n",
    )
    report = ingest(home, NOW)
    assert report.tables["customers"].repaired == {"unknown value": 1, "wrong form": 1}
    zone, country = quarantined(home, "customers")
    assert zone["kind"] == "value"
    assert zone["reason"] == "timezone 'Europe/Zürich' is not known; did you mean 'Europe/Zurich'?"
    assert json.loads(zone["raw"]) == {"timezone": "Europe/Zürich"}
    assert country["reason"] == "country 'Swiss' has not the expected form; write it like CH"
    assert kept(home, "customers").select("customer_id", "timezone", "country").rows() == [
        ("c1", None, "CH"),
        ("c2", "Europe/Zurich", None),
    ]


def test_a_bad_address_takes_the_customer_out(home: Home) -> None:
    put(home, "customers.csv", CUSTOMERS + "c3,nobody at example\n")
    ingest(home, NOW)
    reason = the_one(home, "customers")["reason"]
    assert reason == "email 'nobody at example' has not the expected form; write it like ann@example.org"


@pytest.mark.parametrize(
    "address",
    [
        "<a@b.org>",
        "a@b.org\x00",
        "a\x07@b.org",
        "a;b@c.org",
        "a b@c.org",
        "a\u00a0b@c.org",
        "a\u200bb@c.org",
        '"a"@c.org',
        "a,b@c.org",
        "a[1]@c.org",
        "a(b)@c.org",
        "a\\b@c.org",
        "mailto:a@c.org",
        "a@b@c.org",
        "a@localhost",
        "a@b..org",
        "a@.org",
        "a@b.org.",
        "@b.org",
    ],
)
def test_an_address_that_mail_cannot_go_to_is_refused(home: Home, address: str) -> None:
    line = json.dumps({"customer_id": "c9", "email": address})
    put(home, "customers/more.jsonl", line)
    ingest(home, NOW)
    assert (the_one(home, "customers")["column"], the_one(home, "customers")["rule"]) == (
        "email",
        "wrong form",
    )


@pytest.mark.parametrize(
    "address", ["o'brien@mail.example.org", "a.b+c_d%e@x-y.org", "jürg@bücher.ch", "用户@例子.公司"]
)
def test_a_usual_address_passes(home: Home, address: str) -> None:
    put(home, "customers/more.jsonl", json.dumps({"customer_id": "c9", "email": address}))
    ingest(home, NOW)
    assert kept(home, "customers")["email"].to_list()[-1] == address


def test_an_unknown_purpose_is_explained(home: Home) -> None:
    put(home, "consents.csv", "customer_id,purpose,granted,occurred_at\nc1,email,true,2025-01-01\n")
    ingest(home, NOW)
    assert "purpose 'email' is not known" in the_one(home, "consents")["reason"]


def test_broken_json_lines_are_set_apart_line_by_line(home: Home) -> None:
    lines = [
        '{"event_id": "j1", "event": "Page Viewed", "occurred_at": "2025-05-02", "price": 3}',
        '{"event_id": "j2", "event": "Page Vie',
        "",
        "[1, 2]",
        '{"event_id": "j3", "event": "Page Viewed", "occurred_at": "2025-05-02", "properties": {"a": [1]}}',
    ]
    put(home, "events/log.jsonl", "\n".join(lines))
    assert_adds_up(ingest(home, NOW))
    records = quarantined(home, "events")
    assert [record["row_number"] for record in records] == [2, 4]
    assert {record["reason"] for record in records} == {
        "the line is not a JSON object; write one complete {...} on each line"
    }
    assert json.loads(records[0]["raw"]) == {"line": lines[1]}
    rows = kept(home, "events").filter(pl.col("event_id") != "e1")
    assert rows.select("event_id", "price", "properties").rows() == [
        ("j1", 3.0, None),
        ("j3", None, '{"a":[1]}'),
    ]


def test_row_numbers_count_through_the_whole_file(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assets.landing.reading.json_lines._BLOCK_BYTES", 100)
    lines = [
        f'{{"event_id": "j{i}", "event": "Page Viewed", "occurred_at": "2025-05-02"}}' for i in range(10)
    ]
    lines[7] = "{"
    put(home, "events/log.jsonl", "\n".join(lines))
    report = ingest(home, NOW)
    assert report.tables["events"].rows_read == 11
    assert the_one(home, "events")["row_number"] == 8


def test_broken_json_in_a_cell_is_set_apart_alone(home: Home) -> None:
    record = with_event(home, 'b1,Page Viewed,2025-05-02,,,"{""a"": "')
    assert (record["kind"], record["rule"]) == ("value", "broken json")
    assert record["reason"].endswith('is not a JSON object; write it like {"key": "value"}')
    assert "b1" in kept(home, "events")["event_id"].to_list()


@pytest.mark.parametrize("extension", ["csv", "jsonl"])
def test_rows_in_a_wrong_encoding_are_set_apart_and_others_stay(home: Home, extension: str) -> None:
    rows = [("c1", "Zoë"), ("c2", "Max")]
    if extension == "csv":
        lines = ["customer_id,email,first_name", *(f"{i},{i}@example.org,{name}" for i, name in rows)]
    else:
        lines = [
            f'{{"customer_id": "{i}", "email": "{i}@example.org", "first_name": "{name}"}}'
            for i, name in rows
        ]
    (home.landing / "customers.csv").unlink()
    put(home, f"customers.{extension}", "\n".join(lines).encode("latin-1"))
    assert_adds_up(ingest(home, NOW))
    record = the_one(home, "customers")
    assert (record["row_number"], record["rule"]) == (1, "broken encoding")
    assert record["reason"] == "the row is not valid UTF-8; save the file as UTF-8 and deliver it again"
    assert "c1" in record["raw"]
    assert kept(home, "customers")["first_name"].to_list() == ["Max"]


def test_a_utf16_file_is_named_as_such(home: Home) -> None:
    put(home, "customers/excel.csv", CUSTOMERS.encode("utf-16"))
    ingest(home, NOW)
    assert the_one(home, "customers")["reason"] == "the file is UTF-16; save it as UTF-8 and deliver it again"


def test_csv_lines_that_do_not_fit_the_header_are_set_apart(home: Home) -> None:
    rows = ['c1,a@example.org,"Biel, Bienne"', "c2,b@example.org,Biel, Bienne", 'c3,"c@example.org']
    content = "\n".join(["customer_id,email,city", *rows, 'c4,d@example.org,"Wil', 'SG"', ""])
    put(home, "customers.csv", content)
    assert_adds_up(ingest(home, NOW))
    records = quarantined(home, "customers")
    assert [record["row_number"] for record in records] == [2, 3]
    assert "does not have the 3 fields of the header" in records[0]["reason"]
    assert kept(home, "customers")["city"].to_list() == ["Biel, Bienne", "Wil\nSG"]


@pytest.mark.parametrize(("separator", "words"), [(";", "semicolons"), ("\t", "tabs")])
def test_a_csv_that_is_not_comma_separated_is_named_as_such(home: Home, separator: str, words: str) -> None:
    lines = ["customer_id,email,city", 'c1,a@example.org,"Wil', "c2,b@example.org,Biel"]
    put(home, "customers/excel.csv", "\n".join(lines).replace(",", separator))
    put(home, "customers/commas.csv", f"customer_id{separator}email\nc1{separator}Biel, Bienne, Wil\n")
    ingest(home, NOW)
    assert [record["reason"] for record in quarantined(home, "customers")] == [
        f"the file must be comma-separated, not by {words}; save it so and deliver it again"
    ] * 2


@pytest.mark.parametrize("more", ["", "c2,b@example.org,x@example.org,Wil,SG,Uzwil\n"])
def test_a_repeated_csv_column_is_named_as_it_stands_in_the_file(home: Home, more: str) -> None:
    put(home, "customers.csv", f"customer_id,email,email,city\nc1,a@example.org,b@example.org,Wil\n{more}")
    report = ingest(home, NOW)
    assert report.tables["customers"].unknown_columns == ()
    warning = (
        "customers.csv: the column 'email' occurs more than once; the first one is read, take the others out"
    )
    assert warning in report.warnings
    assert warning in ingest(home, NOW).warnings
    assert kept(home, "customers")["email"].to_list() == ["a@example.org"]


@pytest.mark.parametrize(
    "row", ["c9,eve@example.org,Eve,Miller", "root:x:0:0:root:/root:/bin/bash", "c9;eve@example.org"]
)
def test_a_file_without_header_does_not_show_its_first_row(home: Home, row: str) -> None:
    put(home, "customers/more.csv", f"{row}\nc2,bob@example.org,Bob,Smith\n")
    ingest(home, NOW)
    reason = the_one(home, "customers")["reason"]
    assert "no header line?" in reason or "comma-separated" in reason
    assert not [word for word in ("eve", "Eve", "Miller", "root", "bin", "c9") if word in reason]


def test_a_link_out_of_the_landing_folder_is_not_followed(home: Home, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.csv").write_text(CUSTOMERS.replace("c1", "c7"))
    (home.landing / "customers").mkdir()
    (home.landing / "customers" / "away.csv").symlink_to(tmp_path / "elsewhere.csv")
    (home.landing / "customers" / "home.csv").symlink_to(home.landing / "customers.csv")
    report = ingest(home, NOW)
    assert (
        "customers/away.csv is ignored: it is a link to a place outside the landing folder; put the file itself there"
    ) in report.warnings
    assert report.tables["customers"].files == 2
    assert kept(home, "customers")["customer_id"].to_list() == ["c1", "c2"]


def test_a_parquet_row_that_is_not_utf8_is_set_apart_alone(home: Home) -> None:
    rows = pl.DataFrame(
        {
            "customer_id": [b"c8", b"\xff\xfe", b"c\xef\xbf\xbd", None],
            "email": [b"a@example.org", b"b@example.org", b"c@example.org", b"d@example.org"],
        }
    )
    (home.landing / "customers").mkdir()
    rows.write_parquet(home.landing / "customers" / "bytes.parquet")
    assert_adds_up(ingest(home, NOW))
    records = quarantined(home, "customers")
    assert [(r["row_number"], r["rule"]) for r in records] == [(2, "broken encoding"), (4, "missing value")]
    assert records[0]["reason"] == "the row is not valid UTF-8; save the file as UTF-8 and deliver it again"
    assert json.loads(records[0]["raw"])["email"] == "b@example.org"
    assert set(kept(home, "customers")["customer_id"]) == {"c1", "c2", "c8", "c\N{REPLACEMENT CHARACTER}"}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (timedelta(days=1), "the file holds values that cannot be converted"),
        ([b"\xff"], "the nested column 'customer_id' holds bytes"),
        ({"a": [b"\xff"]}, "the nested column 'customer_id' holds bytes"),
    ],
)
def test_a_parquet_file_whose_values_cannot_be_converted_does_not_stop_the_others(
    home: Home, value: object, words: str
) -> None:
    (home.landing / "customers").mkdir()
    odd = pl.DataFrame({"customer_id": [value], "email": ["z@example.org"]})
    odd.write_parquet(home.landing / "customers" / "odd.parquet")
    ingest(home, NOW)
    record = the_one(home, "customers")
    assert (record["kind"], record["file"]) == ("file", "customers/odd.parquet")
    assert words in record["reason"]
    assert kept(home, "customers").height == 2


def test_a_parquet_name_is_no_pattern(home: Home) -> None:
    (home.landing / "customers").mkdir()
    pl.DataFrame({"customer_id": ["c9"], "email": ["z@example.org"]}).write_parquet(
        home.landing / "customers" / "[a]*?.parquet"
    )
    assert ingest(home, NOW).tables["customers"].files_rejected == {}
    assert kept(home, "customers")["customer_id"].to_list() == ["c1", "c2", "c9"]


@pytest.mark.parametrize("pretty", [None, 1])
def test_a_json_array_is_named_as_such(home: Home, pretty: int | None) -> None:
    people = [
        {"customer_id": "c8", "email": "a@example.org"},
        {"customer_id": "c9", "email": "b@example.org"},
    ]
    put(home, "customers/array.jsonl", f"\n {json.dumps(people, indent=pretty)}\n")
    ingest(home, NOW)
    assert the_one(home, "customers")["reason"] == (
        "the file is not JSON lines: one object per line, not an array; write it so and deliver it again"
    )


def test_ids_are_plain_values(home: Home) -> None:
    numbers = ["12.0", "13", '"14.0"', "1.5", '"{3F25-04E0}"']
    bad = ['["a"]', '{"a": 1}', "[]", "{}"]
    lines = [
        f'{{"customer_id": {value}, "email": "p{i}@example.org"}}' for i, value in enumerate(numbers + bad)
    ]
    (home.landing / "customers.csv").unlink()
    put(home, "customers.jsonl", "\n".join(lines))
    assert_adds_up(ingest(home, NOW))
    assert kept(home, "customers")["customer_id"].to_list() == ["1.5", "12", "13", "14.0", "{3F25-04E0}"]
    records = quarantined(home, "customers")
    assert [record["row_number"] for record in records] == [6, 7, 8, 9]
    assert {(record["kind"], record["rule"]) for record in records} == {("row", "wrong form")}


def test_a_list_as_the_id_of_something_concerned_is_set_apart_alone(home: Home) -> None:
    put(
        home,
        "events/log.jsonl",
        '{"event_id": "j1", "event": "Product Viewed", "occurred_at": "2025-05-02", "product_id": ["p1", "p2"]}',
    )
    ingest(home, NOW)
    assert (the_one(home, "events")["kind"], the_one(home, "events")["column"]) == ("value", "product_id")
    assert kept(home, "events").filter(pl.col("event_id") == "j1")["product_id"].to_list() == [None]


def test_of_two_events_with_one_id_the_earlier_stays(home: Home) -> None:
    put(home, "events/a.csv", "event_id,event,occurred_at\ne1,Email Opened,2025-04-30\n")
    assert_adds_up(ingest(home, NOW))
    record = the_one(home, "events")
    assert (record["file"], record["row_number"], record["rule"]) == ("events.csv", 1, "duplicate id")
    assert record["reason"].startswith("event_id 'e1' is also that of events/a.csv row 1")
    assert kept(home, "events").select("event_id", "event").rows() == [("e1", "Email Opened")]


def test_of_two_rows_with_one_id_in_a_file_the_last_stays(home: Home) -> None:
    put(home, "customers.csv", CUSTOMERS + "c1,new@example.org\n")
    assert_adds_up(ingest(home, NOW))
    record = the_one(home, "customers")
    assert (record["row_number"], record["rule"]) == (1, "duplicate id")
    assert "customer_id 'c1' occurs again in row 3 of the same file, which is kept" in record["reason"]
    assert kept(home, "customers")["email"].to_list() == ["new@example.org", "bob@example.org"]


def test_of_two_rows_of_a_product_at_one_time_the_last_stays(home: Home) -> None:
    put(
        home,
        "products.csv",
        "product_id,name,updated_at\np1,Tent,\np1,Tent II,\np1,Tent III,2025-05-01\np1,Tent IV,2025-05-01T00:00Z\n",
    )
    assert_adds_up(ingest(home, NOW))
    assert kept(home, "products")["name"].to_list() == ["Tent II", "Tent IV"]
    reasons = pl.read_parquet(home.quarantine / "products.parquet").sort("row_number")["reason"].to_list()
    assert reasons[0].startswith("product_id 'p1' without updated_at occurs again in row 2 of the same file")
    assert reasons[1].startswith(
        "product_id 'p1' with updated_at '2025-05-01 00:00:00.000000' occurs again in row 4"
    )
    assert reasons[1].endswith("write one row per product_id and updated_at")


def test_a_product_row_of_tomorrow_or_of_no_time_is_not_taken_for_one_of_always(home: Home) -> None:
    put(
        home,
        "products.csv",
        "product_id,name,price,updated_at\np1,Tent,100,\np1,Tent,80,2099-01-01\np1,Tent,70,soon\n",
    )
    assert_adds_up(ingest(home, NOW))
    assert kept(home, "products").select("price", "updated_at").rows() == [(100.0, None)]
    quarantine = pl.read_parquet(home.quarantine / "products.parquet").sort("row_number")
    assert quarantine.select("row_number", "kind", "rule").rows() == [
        (2, "row", "future date"),
        (3, "row", "not a time"),
    ]


def test_a_file_without_read_access_is_set_apart_until_it_is_given(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(home, "events/secret.csv", EVENTS.replace("e1", "e2"))
    real_open = Path.open
    real_read = Path.read_bytes

    def refuse(self: Path, *args: object, **kwargs: object) -> object:
        if self.name == "secret.csv":
            raise PermissionError(13, "Permission denied")
        return real_open(self, *args, **kwargs)

    def refuse_bytes(self: Path) -> bytes:
        if self.name == "secret.csv":
            raise PermissionError(13, "Permission denied")
        return real_read(self)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        patch.setattr(Path, "read_bytes", refuse_bytes)
        ingest(home, NOW)
        assert the_one(home, "events")["reason"] == (
            "the file cannot be opened (Permission denied); give read access to it"
        )
    ingest(home, NOW)
    assert kept(home, "events")["event_id"].to_list() == ["e1", "e2"]


def test_unknown_files_and_columns_are_named(home: Home) -> None:
    put(home, "notes.txt", "hello")
    put(home, "events/log.xlsx", "hello")
    put(home, "events/quiet.jsonl", "")
    put(home, "customers.csv", "customer_id,email,shoe_size\nc1,a@example.org,43\n")
    report = ingest(home, NOW)
    assert report.tables["customers"].unknown_columns == ("shoe_size",)
    text = "\n".join(report.warnings)
    assert "events/log.xlsx is ignored: '.xlsx' is not read; use .parquet, .csv or .jsonl" in text
    assert "events/quiet.jsonl is ignored: the file is empty" in text
    assert "notes.txt is ignored: there is no table 'notes'" in text
    assert "products is absent" in text
