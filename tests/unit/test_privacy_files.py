"""Rewriting files without a person: what is not his keeps its bytes, its types and its place."""

import csv
import io
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.privacy.change import Change, UnreadableError
from assets.privacy.databases import look_at_duckdb, look_at_sqlite
from assets.privacy.documents import look_at_json
from assets.privacy.person import Person
from assets.privacy.records import look_at_csv, look_at_json_lines
from assets.privacy.tables import look_at_parquet
from assets.privacy.traces import Traces

JOE = Traces(
    Person(
        ids=frozenset({"c-17", "4711"}),
        emails=frozenset({"joé@example.org"}),
        telling=frozenset({"c-17"}),
        message_id=frozenset({"m1"}),
    )
)
cells = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=8)
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


def done(change: Change) -> tuple[int, int]:
    if change.is_needed:
        change.apply()
    return change.removed.rows, change.removed.values


def written(fields: list[str], end: str) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator=end).writerow(fields)
    return text.getvalue()


@shared
@given(
    rows=st.lists(st.tuples(st.sampled_from(["c-17", "4711", "c-2", "x"]), cells, cells), max_size=12),
    end=st.sampled_from(["\n", "\r\n"]),
    has_last_end=st.booleans(),
)
def test_other_records_of_a_csv_file_keep_their_bytes(
    tmp_path: Path, rows: list[tuple[str, str, str]], end: str, has_last_end: bool
) -> None:
    path = tmp_path / "t.csv"
    records = [written(list(row), end) for row in rows]
    header = f"customer_id,query,n{end}"
    text = header + "".join(records)
    text = text if has_last_end or not records else text.removesuffix(end)
    path.write_bytes(text.encode())
    mine = [row[0] in JOE.person.ids for row in rows]
    is_named = [JOE.erase_text(cell) != cell for row in rows for cell in row[1:]]
    done(look_at_csv(path, JOE))
    if not any(is_named):
        expected = header + "".join(record for record, his in zip(records, mine, strict=True) if not his)
        content = path.read_bytes().decode()
        assert content == expected or content + end == expected


@shared
@given(rows=st.lists(st.tuples(st.sampled_from(["c-17", "4711", "c-2"]), cells, st.booleans()), max_size=12))
def test_other_lines_of_json_keep_their_bytes(tmp_path: Path, rows: list[tuple[str, str, bool]]) -> None:
    path = tmp_path / "t.jsonl"
    lines = [
        json.dumps({"customer_id": who, "query": text}, ensure_ascii=ascii) + "\n"
        for who, text, ascii in rows
    ]
    path.write_bytes("".join(lines).encode())
    done(look_at_json_lines(path, JOE))
    if all(JOE.erase_text(text) == text for _, text, _ in rows):
        assert path.read_bytes().decode() == "".join(
            line for line, row in zip(lines, rows, strict=True) if row[0] not in JOE.person.ids
        )


def test_an_address_is_found_however_json_spells_it(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(
        '{"customer_id": "c-2",  "query": "to JOÉ@example.org"}\n'
        '{"customer_id": "c-2", "query": "to jo\\u00e9\\u0040example.org"}\n'
    )
    assert done(look_at_json_lines(path, JOE)) == (0, 2)
    first, second = path.read_text().splitlines()
    assert first == '{"customer_id": "c-2",  "query": "to [erased]"}'
    assert json.loads(second) == {"customer_id": "c-2", "query": "to [erased]"}


def test_of_a_list_in_one_line_only_his_items_go(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('[{"customer_id": "c-17"}, {"customer_id": "c-2", "friends": {"c-17": 1}}]\n')
    assert done(look_at_json_lines(path, JOE)) == (0, 1)
    assert json.loads(path.read_text()) == [{"customer_id": "c-2", "friends": {"[erased]": 1}}]


def test_a_number_is_an_id_in_its_column_alone(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("customer_id,price\n4711,1\n12,4711\n")
    (tmp_path / "b.jsonl").write_text('{"customer_id": 4711}\n{"customer_id": 12, "price": 4711}\n')
    assert done(look_at_csv(tmp_path / "a.csv", JOE)) == (1, 0)
    assert done(look_at_json_lines(tmp_path / "b.jsonl", JOE)) == (1, 0)
    assert (tmp_path / "a.csv").read_text() == "customer_id,price\n12,4711\n"
    assert (tmp_path / "b.jsonl").read_text() == '{"customer_id": 12, "price": 4711}\n'


@pytest.mark.parametrize(
    ("content", "left"),
    [
        (b"customer_id;q\nc-17;a\nc-2;b\n", b"customer_id;q\nc-2;b\n"),
        (b"customer_id,q\nc-17,caf\xe9\nc-2,caf\xe9\n", b"customer_id,q\nc-2,caf\xe9\n"),
        (b'customer_id,q\nc-17,"open\nc-2,b,too,many\n4711,x,y,z\n', b"customer_id,q\nc-2,b,too,many\n"),
        (b"customer_id,q,r\nc-17\nc-2\n", b"customer_id,q,r\nc-2\n"),
        (b'q,customer_id\n"two\nlines",c-17\n"two\nlines",c-2\n', b'q,customer_id\n"two\nlines",c-2\n'),
        (b"\xef\xbb\xbfcustomer_id,q\nc-17,a\n", b"\xef\xbb\xbfcustomer_id,q\n"),
        (
            "\ufeffcustomer_id,q\nc-17,a\nc-2,b\n".encode("utf-16-le"),
            "\ufeffcustomer_id,q\nc-2,b\n".encode("utf-16-le"),
        ),
        (b"message_id,customer_id\nm1,\nm1,c-2\n", b"message_id,customer_id\nm1,c-2\n"),
        (b"c-17,joe\n4711,a\nc-2,b\n47110,c\n", b"c-2,b\n47110,c\n"),
        ("c-2,ask joé@example.org\nc-3, JOÉ@example.org \n".encode(), b"c-2,ask [erased]\n"),
        ("note,n\nask joé@example.org,4711\n".encode(), b"note,n\nask [erased],4711\n"),
    ],
)
def test_damaged_and_foreign_csv_files(tmp_path: Path, content: bytes, left: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    done(look_at_csv(path, JOE))
    assert path.read_bytes() == left


def test_a_parquet_file_keeps_its_schema_its_groups_and_the_order_of_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    n = 10
    table = pa.table(
        {
            "customer_id": pa.array(
                ["c-17" if i % 3 == 0 else f"c-{i}" for i in range(n)]
            ).dictionary_encode(),
            "at": pa.array([datetime(2025, 1, 1, tzinfo=UTC)] * n, pa.timestamp("ms", "Europe/Berlin")),
            "price": pa.array([Decimal("1.50")] * n, pa.decimal128(9, 2)),
            "tags": pa.array([["a", "joé@example.org"] if i == 4 else ["b"] for i in range(n)]),
            "struct": pa.array([{"k": i} for i in range(n)]),
            "n": pa.array(range(n), pa.int8()),
        }
    ).replace_schema_metadata({"made": "elsewhere"})
    pq.write_table(table, path, row_group_size=4, compression="snappy")
    schema = pq.read_schema(path)
    assert done(look_at_parquet(path, JOE)) == (4, 1)
    now = pq.read_table(path)
    assert now.schema.equals(schema, check_metadata=True)
    assert pq.ParquetFile(path).metadata.num_row_groups == 3
    stays = [i for i in range(n) if i % 3]
    expected = table.take(stays)
    for name in ("customer_id", "at", "price", "struct", "n"):
        assert now.column(name).to_pylist() == expected.column(name).to_pylist()
    assert now.column("tags").to_pylist() == [["a", "[erased]"] if i == 4 else ["b"] for i in stays]
    assert not look_at_parquet(path, JOE).is_needed


def test_ids_as_numbers_in_a_parquet_file(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"customer_id": [4711.0, None, 1.0], "price": [1, 4711, 4711]}), path)
    assert done(look_at_parquet(path, JOE)) == (1, 0)
    assert pq.read_table(path).to_pydict() == {"customer_id": [None, 1.0], "price": [4711, 4711]}


def test_a_duckdb_file_is_built_anew_without_him(tmp_path: Path) -> None:
    path = tmp_path / "shop's.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute('create schema "odd one"')
        connection.execute(
            "create table \"odd one\".\"t;\" as select * from (values ('c-17', 'a', 1), ('c-2', 'see c-17', 4711), "
            "('4711', 'b', 2), (null, 'c', 4711)) v(customer_id, \"free text\", n)"
        )
        connection.execute('create view v as select n from "odd one"."t;"')
        connection.execute(
            "create table tags as select 'c-2' as customer_id, ['x', 'joé@example.org'] as tags"
        )
    before = path.stat().st_mode
    assert done(look_at_duckdb(path, JOE)) == (2, 2)
    with duckdb.connect(str(path), read_only=True) as connection:
        rows = connection.execute('from "odd one"."t;"').fetchall()
        assert rows == [("c-2", "see [erased]", 4711), (None, "c", 4711)]
        assert connection.execute("from v").fetchall() == [(4711,), (4711,)]
        assert connection.execute("from tags").fetchall() == [("c-2", ["x", "[erased]"])]
    content = path.read_bytes()
    assert b"c-17" not in content
    assert "joé".encode() not in content
    assert (path.stat().st_mode, list(tmp_path.iterdir())) == (before, [path])


def test_an_sqlite_file_keeps_no_page_of_his(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("create table t (key text primary key, body text, blob blob) without rowid")
        connection.execute("create table r (customer_id text, body text, n integer)")
        connection.executemany("insert into r values (?, ?, ?)", [("c-17", "x", 1), ("c-2", "by c-17", 4711)])
        connection.execute("insert into t values ('k', 'mail joé@example.org', ?)", (b"\xff c-17",))
        connection.commit()
    assert done(look_at_sqlite(path, JOE)) == (1, 3)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("select * from r").fetchall() == [("c-2", "by [erased]", 4711)]
        assert connection.execute("select * from t").fetchall() == [("k", "mail [erased]", b"\xff [erased]")]
    assert all(b"c-17" not in file.read_bytes() for file in tmp_path.iterdir())


def test_a_json_document_of_his_is_deleted_and_others_lose_him(tmp_path: Path) -> None:
    (tmp_path / "his.json").write_text('{"customer_id": "c-17", "a": 1}')
    (tmp_path / "list.json").write_text('[{"customer_id": "c-17"}, {"customer_id": "c-2", "note": "c-17"}]')
    for name in ("his.json", "list.json"):
        done(look_at_json(tmp_path / name, JOE))
    assert not (tmp_path / "his.json").exists()
    assert json.loads((tmp_path / "list.json").read_text()) == [{"customer_id": "c-2", "note": "[erased]"}]


@pytest.mark.parametrize(
    ("look", "name"), [(look_at_parquet, "a.parquet"), (look_at_duckdb, "a.duckdb"), (look_at_sqlite, "a.db")]
)
def test_a_broken_file_says_what_to_do(tmp_path: Path, look: object, name: str) -> None:
    (tmp_path / name).write_bytes(b"PAR1SQLite format DUCK" * 9)
    assert callable(look)
    with pytest.raises(UnreadableError, match="not readable as"):
        look(tmp_path / name, JOE)
