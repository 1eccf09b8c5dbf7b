"""One pass over the landing folder: what it makes, what it leaves alone, and that nothing is lost on the way."""

import json
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from random import Random

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.home import Home
from assets.landing.contract import EVENT_NAMES, TABLES, TIMEZONES
from assets.landing.ingest import ingest
from assets.landing.layout import events_glob, table_path
from assets.landing.report import IngestReport

NOW = datetime(2025, 6, 1, 12)
MAY = [datetime(2025, 5, day, 10, 30) for day in range(1, 11)]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with one customer and ten events, one on each of the first ten days of May."""
    home = Home(tmp_path / "home", tmp_path / "landing")
    put(home, "customers.parquet", pl.DataFrame({"customer_id": ["c1"], "email": ["ann@example.org"]}))
    put(home, "events/first.parquet", events([f"e{i}" for i in range(10)], MAY))
    return home


def events(ids: list[str], times: list[datetime], **columns: object) -> pl.DataFrame:
    return pl.DataFrame({"event_id": ids, "event": "Page Viewed", "occurred_at": times, **columns})


def put(home: Home, path: str, frame: pl.DataFrame) -> None:
    location = home.landing / path
    location.parent.mkdir(parents=True, exist_ok=True)
    write = {".parquet": frame.write_parquet, ".csv": frame.write_csv, ".jsonl": frame.write_ndjson}[
        location.suffix
    ]
    write(location)


def day_file(home: Home, day: date) -> Path:
    return home.raw / "events" / f"day={day}" / "events.parquet"


def stored(home: Home) -> dict[str, bytes]:
    """Every file that a reader of raw/ and quarantine/ may see."""
    tables = [*home.raw.glob("*.parquet"), *home.raw.glob("events/*/*"), *home.quarantine.glob("*")]
    return {str(path.relative_to(home.root)): path.read_bytes() for path in tables}


def assert_adds_up(report: IngestReport) -> None:
    for table in report.tables.values():
        assert (
            table.rows_read == table.rows_kept + table.duplicates + table.superseded + table.rows_quarantined
        )


def test_every_table_has_all_contract_columns_and_types(home: Home) -> None:
    ingest(home, NOW)
    for name, table in TABLES.items():
        path = day_file(home, date(2025, 5, 1)) if name == "events" else table_path(home, name)
        assert pl.read_parquet_schema(path) == table.schema


def test_events_lie_in_the_file_of_their_utc_day(home: Home) -> None:
    ingest(home, NOW)
    assert pl.read_parquet(day_file(home, date(2025, 5, 3)))["event_id"].to_list() == ["e2"]


def test_duckdb_reads_the_events_even_when_there_are_none(home: Home) -> None:
    put(
        home, "events/first.parquet", events([], []).cast({"event_id": pl.String, "occurred_at": pl.Datetime})
    )
    ingest(home, NOW)
    for pattern in (events_glob(home), str(home.raw / "events" / "**" / "*.parquet")):
        relation = duckdb.sql(f"select * from read_parquet('{pattern}', hive_partitioning=false)")
        assert relation.columns == list(TABLES["events"].names)
        assert relation.fetchall() == []


def test_the_three_formats_give_the_same_bytes(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "event_id": ["e1", "e2"],
            "event": ["Order Completed", "Page Viewed"],
            "occurred_at": ["2025-05-01T10:00:00.250+02:00", "2025-05-02 23:59:59"],
            "customer_id": ["c1", None],
            "quantity": [2, None],
            "price": [9.5, None],
            "properties": ['{"a": "ü"}', None],
        }
    )
    people = pl.DataFrame({"customer_id": ["c1"], "email": ["a@example.org"], "birth_date": ["1990-05-17"]})
    goods = pl.DataFrame(
        {"product_id": ["1"], "name": ["Shoe, red"], "in_stock": [True], "released_at": ["2020-01-01"]}
    )
    outcomes = []
    for extension in ("parquet", "csv", "jsonl"):
        home = Home(tmp_path / f"{extension}_home", tmp_path / extension)
        put(home, f"events.{extension}", frame)
        put(home, f"customers.{extension}", people)
        put(home, f"products.{extension}", goods)
        report = ingest(home, NOW)
        assert sum(table.rows_quarantined + table.values_repaired for table in report.tables.values()) == 0
        outcomes.append(stored(home))
    assert outcomes[0] == outcomes[1] == outcomes[2]
    (row,) = pl.read_parquet(day_file(home, date(2025, 5, 1))).rows(named=True)
    assert (row["occurred_at"], row["quantity"], row["price"]) == (
        datetime(2025, 5, 1, 8, 0, 0, 250_000),
        2,
        9.5,
    )
    assert pl.read_parquet(table_path(home, "customers"))["birth_date"].item() == date(1990, 5, 17)
    assert pl.read_parquet(table_path(home, "products"))["in_stock"].item() is True


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-05-01", datetime(2025, 5, 1)),
        ("2025-05-01T10:00", datetime(2025, 5, 1, 10)),
        ("2025-05-01 10:00:05", datetime(2025, 5, 1, 10, 0, 5)),
        ("2025-05-01T10:00:05.123456789Z", datetime(2025, 5, 1, 10, 0, 5, 123_456)),
        ("2025-05-01T00:30:00+02:00", datetime(2025, 4, 30, 22, 30)),
        ("2025-05-01T10:00:00-0530", datetime(2025, 5, 1, 15, 30)),
    ],
)
def test_iso_times_are_read_as_utc(home: Home, text: str, expected: datetime) -> None:
    put(home, "events/first.csv", events(["x"], [expected]).with_columns(occurred_at=pl.lit(text)))
    (home.landing / "events" / "first.parquet").unlink()
    ingest(home, NOW)
    assert pl.read_parquet(events_glob(home), hive_partitioning=False)["occurred_at"].to_list() == [expected]


def test_parquet_types_of_other_tools_are_understood(home: Home) -> None:
    zoned = (
        pl.Series([datetime(2025, 5, 1, 12)]).dt.replace_time_zone("Europe/Zurich").dt.cast_time_unit("ns")
    )
    frame = pl.DataFrame(
        {
            "event_id": [17],
            "event": pl.Series(["Order Completed"], dtype=pl.Categorical),
            "occurred_at": zoned,
            "customer_id": [12346.0],
            "quantity": [3.0],
            "price": pl.Series(["2.50"]).str.to_decimal(scale=2),
            "discount": [float("nan")],
            "product_id": [" "],
            "properties": [{"a": [1]}],
        }
    )
    put(home, "events/first.parquet", frame)
    assert ingest(home, NOW).tables["events"].rows_quarantined == 0
    (row,) = pl.read_parquet(day_file(home, date(2025, 5, 1))).rows(named=True)
    assert (row["event_id"], row["customer_id"], row["product_id"]) == ("17", "12346", None)
    assert row["occurred_at"] == datetime(2025, 5, 1, 10)
    assert (row["quantity"], row["price"], row["discount"], row["properties"]) == (3, 2.5, None, '{"a":[1]}')


def test_the_same_landing_folder_twice_touches_nothing(home: Home) -> None:
    ingest(home, NOW)
    before = {path: path.stat().st_mtime_ns for path in home.root.rglob("*") if path.is_file()}
    report = ingest(home, NOW)
    assert report.tables["events"].files_read == 0
    assert report.tables["events"].days_written == ()
    assert report.tables["events"].rows_kept == 10
    assert {path: path.stat().st_mtime_ns for path in home.root.rglob("*") if path.is_file()} == before


def test_a_copy_of_a_file_changes_nothing_but_the_count_of_duplicates(home: Home) -> None:
    ingest(home, NOW)
    before = stored(home)
    (home.landing / "events" / "copy.parquet").write_bytes(
        (home.landing / "events" / "first.parquet").read_bytes()
    )
    report = ingest(home, NOW)
    assert (report.tables["events"].duplicates, report.tables["events"].days_written) == (10, ())
    assert stored(home) == before


def test_a_late_event_reopens_its_day_and_no_other(home: Home) -> None:
    ingest(home, NOW)
    before = {path: path.stat().st_mtime_ns for path in home.raw.glob("events/*/*")}
    put(home, "events/late.parquet", events(["late", "new"], [datetime(2025, 5, 4), datetime(2025, 5, 30)]))
    report = ingest(home, NOW).tables["events"]
    assert report.files_read == 1
    assert report.days_written == (date(2025, 5, 4), date(2025, 5, 30))
    assert report.days_reopened == (date(2025, 5, 4),)
    assert (report.first_occurred_at, report.last_occurred_at) == (MAY[0], datetime(2025, 5, 30))
    changed = {path for path, time in before.items() if path.stat().st_mtime_ns != time}
    assert changed == {day_file(home, date(2025, 5, 4))}


def test_rows_of_a_removed_file_disappear_with_their_days(home: Home) -> None:
    ingest(home, NOW)
    before = stored(home)
    put(home, "events/more.csv", events(["m1", "e3"], [datetime(2025, 5, 20), datetime(2025, 4, 1)]))
    ingest(home, NOW)
    assert not day_file(home, date(2025, 5, 4)).exists()
    (home.landing / "events" / "more.csv").unlink()
    ingest(home, NOW)
    assert stored(home) == before
    assert len(list((home.raw / "_files" / "events").iterdir())) == 2


def test_an_id_that_also_occurs_on_an_untouched_day_stays_decided(home: Home) -> None:
    put(home, "events/a.csv", events(["e9"], [datetime(2025, 4, 1)]))
    ingest(home, NOW)
    put(home, "events/z.csv", events(["other"], [MAY[9]]))
    ingest(home, NOW)
    assert pl.read_parquet(day_file(home, MAY[9].date()))["event_id"].to_list() == ["other"]


def test_a_newer_snapshot_replaces_the_older(home: Home) -> None:
    put(home, "products/2025-05-01.csv", pl.DataFrame({"product_id": ["p1", "p2"], "name": ["old", "only"]}))
    put(home, "products/2025-05-02.csv", pl.DataFrame({"product_id": ["p1"], "name": ["new"]}))
    report = ingest(home, NOW)
    assert_adds_up(report)
    assert (report.tables["products"].superseded, report.tables["products"].rows_quarantined) == (1, 0)
    rows = pl.read_parquet(table_path(home, "products")).select("product_id", "name").rows()
    assert rows == [("p1", "new"), ("p2", "only")]


def test_rows_of_one_product_at_different_times_are_its_history(home: Home) -> None:
    put(
        home,
        "products/2025-05-01.csv",
        pl.DataFrame(
            {
                "product_id": ["p1", "p1", "p1", "p2"],
                "name": "Tent",
                "price": [100.0, 80.0, 90.0, 5.0],
                "updated_at": [None, "2025-05-10T02:00:00+02:00", "2025-05-03", None],
            }
        ),
    )
    put(
        home,
        "products/2025-05-02.csv",
        pl.DataFrame(
            {
                "product_id": ["p1", "p1"],
                "name": "Tent",
                "price": [120.0, 85.0],
                "updated_at": [None, "2025-05-10"],
            }
        ),
    )
    report = ingest(home, NOW)
    assert_adds_up(report)
    assert (report.tables["products"].superseded, report.tables["products"].rows_kept) == (2, 4)
    rows = pl.read_parquet(table_path(home, "products")).select("product_id", "updated_at", "price").rows()
    assert rows == [
        ("p1", None, 120.0),
        ("p1", datetime(2025, 5, 3), 90.0),
        ("p1", datetime(2025, 5, 10), 85.0),
        ("p2", None, 5.0),
    ]


def test_consents_keep_every_distinct_statement(home: Home) -> None:
    statement = {"customer_id": "c1", "purpose": "profiling", "granted": True, "occurred_at": "2025-01-01"}
    put(home, "consents.jsonl", pl.DataFrame([statement, statement, {**statement, "granted": False}]))
    report = ingest(home, NOW)
    assert_adds_up(report)
    assert (report.tables["consents"].duplicates, report.tables["consents"].rows_kept) == (1, 2)
    assert report.tables["consents"].last_occurred_at == datetime(2025, 1, 1)


def test_names_of_files_may_be_in_any_case_and_hidden_ones_are_passed_over(home: Home) -> None:
    put(home, "Products.csv", pl.DataFrame({"product_id": ["p1"], "name": ["a"]}))
    (home.landing / "Products.csv").rename(home.landing / "Products.CSV")
    put(home, "events/day=2025-05-11/part-0.parquet", events(["n1"], [datetime(2025, 5, 11)]))
    put(home, "events/_temporary/part-1.parquet", events(["n2"], [datetime(2025, 5, 11)]))
    (home.landing / "events" / "upload.csv.part").write_text("half")
    report = ingest(home, NOW)
    assert report.tables["products"].rows_kept == 1
    assert report.tables["events"].rows_kept == 11
    assert not any("part" in warning for warning in report.warnings)


@pytest.mark.parametrize(
    "victim", ["customers", "day", "quarantine", "checkpoint", "manifest", "schema", "versions"]
)
def test_a_lost_output_is_made_again(home: Home, victim: str) -> None:
    ingest(home, NOW)
    before = stored(home)
    paths = {
        "customers": table_path(home, "customers"),
        "day": day_file(home, MAY[0].date()),
        "quarantine": home.quarantine / "events.parquet",
        "checkpoint": next((home.raw / "_files" / "events").iterdir()),
        "manifest": home.raw / "_manifest.json",
        "schema": home.raw / "events" / "day=0001-01-01" / "events.parquet",
        "versions": home.raw / "event_days.parquet",
    }
    paths[victim].unlink()
    ingest(home, NOW)
    assert stored(home) == before


def test_a_damaged_manifest_costs_a_new_reading_and_nothing_else(home: Home) -> None:
    ingest(home, NOW)
    before = stored(home)
    (home.raw / "_manifest.json").write_text('{"tables": ')
    (home.raw / "events" / "day=2024-01-01").mkdir()
    (home.raw / "events" / "day=2024-01-01" / "events.parquet").write_bytes(
        day_file(home, MAY[0].date()).read_bytes()
    )
    ingest(home, NOW)
    assert stored(home) == before


@pytest.mark.parametrize("step", ["_write_quarantine", "replace_parquet"])
@pytest.mark.parametrize("is_withdrawn", [False, True])
def test_a_pass_cut_short_is_completed_by_the_next(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: str, is_withdrawn: bool
) -> None:
    ingest(home, NOW)
    put(home, "events/more.csv", events(["m1", "m2"], [datetime(2025, 5, 20), datetime(2025, 5, 3)]))
    with monkeypatch.context() as patch:

        def fail(*_: object) -> None:
            raise OSError("no space left on device")

        patch.setattr(f"assets.landing.ingest.{step}", fail)
        with pytest.raises(OSError, match="no space"):
            ingest(home, NOW)
    if is_withdrawn:
        (home.landing / "events" / "more.csv").unlink()
    assert ingest(home, NOW).tables["events"].rows_kept == (10 if is_withdrawn else 12)
    afresh = Home(tmp_path / "afresh", home.landing)
    ingest(afresh, NOW)
    assert stored(home) == stored(afresh)


def test_landing_is_never_written(home: Home) -> None:
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in home.landing.rglob("*.parquet")}
    ingest(home, NOW)
    after = {
        path: (path.stat().st_mtime_ns, path.read_bytes())
        for path in home.landing.rglob("*")
        if path.is_file()
    }
    assert after == before


def test_damaged_bytes_anywhere_in_a_parquet_file_never_stop_the_pass(home: Home) -> None:
    whole = bytearray((home.landing / "events" / "first.parquet").read_bytes())
    for position in range(0, len(whole), len(whole) // 40):
        damaged = bytes(whole[:position]) + bytes([whole[position] ^ 0xFF]) + bytes(whole[position + 1 :])
        (home.landing / "events" / "second.parquet").write_bytes(damaged)
        assert_adds_up(ingest(home, NOW))


_COLUMNS = {
    "products": ["product_id", "name", "price", "updated_at"],
    "customers": ["customer_id", "email", "timezone", "city"],
    "events": ["event_id", "event", "occurred_at", "query", "price", "properties"],
}
_TEXT = st.sampled_from(["", "a", "b", "x,y", 'q"q', "ü", "line\nbreak"])
_EVENT = st.fixed_dictionaries(
    {
        "event_id": st.sampled_from(["e1", "e2", "e3", "e4", ""]),
        "event": st.sampled_from([*EVENT_NAMES[:3], "Nothing"]),
        "occurred_at": st.sampled_from(
            [
                "2025-05-01T10:00:00Z",
                "2025-05-01T12:00:00+02:00",
                "2025-05-02",
                "2031-01-01",
                "1900-01-01",
                "soon",
            ]
        ),
        "query": _TEXT,
        "price": st.sampled_from(["", "1", "1.0", "-1", "x"]),
        "properties": st.sampled_from(["", '{"a": 1}', "{"]),
    }
)
_PRODUCT = st.fixed_dictionaries(
    {
        "product_id": st.sampled_from(["p1", "p2", ""]),
        "name": st.sampled_from(["Tent", "Mat"]),
        "price": st.sampled_from(["", "1", "2", "x"]),
        "updated_at": st.sampled_from(
            ["", "", "2025-03-01", "2025-03-01T00:00Z", "2025-04-01", "soon", "2099-01-01"]
        ),
    }
)
_CUSTOMER = st.fixed_dictionaries(
    {
        "customer_id": st.sampled_from(["c1", "c2", "c3", ""]),
        "email": st.sampled_from(["a@example.org", "b@example.org", "nobody"]),
        "timezone": st.sampled_from(["", TIMEZONES[0], "Mars/Olympus"]),
        "city": _TEXT,
    }
)


@st.composite
def _worlds(draw: st.DrawFn) -> tuple[list, list, list[int], list[int], str, str]:
    people, happenings = draw(st.lists(_CUSTOMER, max_size=12)), draw(st.lists(_EVENT, max_size=20))
    cuts = [sorted(draw(st.sets(st.integers(0, len(rows)), max_size=3))) for rows in (people, happenings)]
    extensions = st.sampled_from(["csv", "jsonl", "parquet"])
    return people, happenings, *cuts, draw(extensions), draw(extensions)


def _land(home: Home, table: str, rows: list[dict], cuts: list[int], extension: str) -> None:
    bounds = [0, *cuts, len(rows)]
    for number, (start, end) in enumerate(pairwise(bounds)):
        frame = pl.DataFrame(rows[start:end], schema=dict.fromkeys(_COLUMNS[table], pl.String))
        put(home, f"{table}/{number}.{extension}", frame)
    (home.landing / table / "empty.csv").write_text(",".join(_COLUMNS[table]) + "\n")


@settings(max_examples=25)
@given(world=_worlds())
def test_rows_are_the_same_however_they_are_spread_over_files(
    world: tuple[list, list, list[int], list[int], str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    people, happenings, people_cuts, event_cuts, one_extension, many_extension = world
    folder = tmp_path_factory.mktemp("world")
    whole, parts = Home(folder / "whole", folder / "one"), Home(folder / "parts", folder / "many")
    _land(whole, "customers", people, [], one_extension)
    _land(whole, "events", list(reversed(happenings)), [], one_extension)
    _land(parts, "customers", people, people_cuts, many_extension)
    _land(parts, "events", happenings, event_cuts, many_extension)
    for home in (whole, parts):
        report = ingest(home, NOW)
        assert_adds_up(report)
        assert report.tables["customers"].rows_read == len(people)
        assert report.tables["events"].rows_read == len(happenings)
        before = stored(home)
        ingest(home, NOW)
        assert stored(home) == before
    raw_of_whole = {path: content for path, content in stored(whole).items() if path.startswith("raw")}
    assert raw_of_whole == {
        path: content for path, content in stored(parts).items() if path.startswith("raw")
    }


@settings(max_examples=25)
@given(rows=st.lists(_PRODUCT, max_size=12), cut=st.integers(0, 12))
def test_of_each_product_and_time_the_last_row_stays_and_all_rows_are_accounted_for(
    rows: list[dict], cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("products")
    home = Home(folder / "home", folder / "landing")
    _land(home, "customers", [], [], "csv")
    _land(home, "events", [], [], "csv")
    _land(home, "products", rows, [min(cut, len(rows))], "jsonl")
    assert_adds_up(ingest(home, NOW))
    expected = {
        (row["product_id"], row["updated_at"][:10] or None): row["price"] or None
        for row in rows
        if row["product_id"] and row["price"] != "x" and row["updated_at"] not in ("soon", "2099-01-01")
    }
    raw = pl.read_parquet(table_path(home, "products"))
    times = raw["updated_at"].dt.strftime("%Y-%m-%d")
    kept = dict(zip(zip(raw["product_id"], times, strict=True), raw["price"], strict=True))
    assert kept == {key: price and float(price) for key, price in expected.items()}
    assert raw.select("product_id", "updated_at").equals(
        raw.select("product_id", "updated_at").sort("product_id", "updated_at")
    )


@settings(max_examples=25)
@given(
    batches=st.lists(st.lists(_EVENT, max_size=6), min_size=1, max_size=4),
    order=st.randoms(use_true_random=False),
)
def test_the_order_of_arrival_does_not_matter(
    batches: list[list[dict]], order: Random, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("arrivals")
    step_by_step, at_once = Home(folder / "a", folder / "a_landing"), Home(folder / "b", folder / "b_landing")
    for home in (step_by_step, at_once):
        _land(home, "customers", [], [], "csv")
        _land(home, "events", [], [], "csv")
    arrivals = list(enumerate(batches))
    order.shuffle(arrivals)
    for number, batch in arrivals:
        frame = pl.DataFrame(batch, schema=dict.fromkeys(_COLUMNS["events"], pl.String))
        put(step_by_step, f"events/batch{number}.parquet", frame)
        put(at_once, f"events/batch{number}.parquet", frame)
        ingest(step_by_step, NOW)
    ingest(at_once, NOW)
    assert stored(step_by_step) == stored(at_once)


def test_the_quarantine_names_row_and_value(home: Home) -> None:
    put(home, "events/bad.csv", events(["b1"], MAY[:1], price=[-2.0]))
    ingest(home, NOW)
    (record,) = pl.read_parquet(home.quarantine / "events.parquet").rows(named=True)
    assert {key: record[key] for key in ("table", "file", "row_number", "kind", "column", "rule")} == {
        "table": "events",
        "file": "events/bad.csv",
        "row_number": 1,
        "kind": "row",
        "column": "price",
        "rule": "negative number",
    }
    assert json.loads(record["raw"])["price"] == "-2.0"
