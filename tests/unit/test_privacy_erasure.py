"""An erasure: nothing of him is left, others keep every value, a kill does no harm, and no import brings him back."""

import gzip
import json
import pickle
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from erasure_home import DAY, HIS, NOW, build
from polars.testing import assert_frame_equal

from assets.clock import FixedClock
from assets.home import Home
from assets.landing.ingest import ingest
from assets.privacy import erasure
from assets.privacy.exports import remember
from assets.privacy.fitted import MODEL_FILE
from assets.privacy.journal import Journal
from assets.privacy.suppression import Suppression
from assets.privacy.sweep import LAYERS

CLOCK = FixedClock(NOW)
EMPTY = {
    "training",
    "scores",
    "decisions",
    "outbox",
    "marketing.duckdb",
    "mlflow-artifacts",
    "mlflow.db",
    "dagster",
    "dbt",
}
"""Layers without a file in this home."""

STEPS = [
    "suppression",
    "journal",
    *(layer for layer in LAYERS if layer not in EMPTY),
    "verification",
    "proof",
]
SIGNS = (b"c-17,", b'"c-17"', b"joe@example.org", b"joe%40example.org", b"Joe Doe", b"c-18")


class _Trap:
    """Pickled, it makes a file when it is read."""

    def __init__(self, sign: Path) -> None:
        self.sign = sign

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.sign,)


class KilledError(BaseException):
    """Stands for a kill."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return build(tmp_path_factory.mktemp("template"))


@pytest.fixture
def home(template: Home, tmp_path: Path) -> Home:
    shutil.copytree(template.root, tmp_path / "home")
    return Home(tmp_path / "home", tmp_path / "home" / "landing")


@pytest.fixture(scope="module")
def finished(
    template: Home, tmp_path_factory: pytest.TempPathFactory
) -> tuple[erasure.Outcome, pl.DataFrame]:
    """What an erasure that nobody disturbed comes to, and the events that are left."""
    root = tmp_path_factory.mktemp("whole") / "home"
    shutil.copytree(template.root, root)
    whole = Home(root, root / "landing")
    outcome = forget(whole)
    ingest(whole, NOW)
    return outcome, raw_events(whole)


def forget(home: Home, customer_id: str = "c-17", stop_at: str | None = None) -> erasure.Outcome:
    def on_step(step: str) -> None:
        if step == stop_at:
            raise KilledError

    with erasure.held(home):
        return erasure.forget(home, erasure.subject(home, customer_id, NOW), CLOCK, on_step)


def texts_below(root: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file but the salt as text, tables unpacked."""
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        if path.suffix == ".parquet":
            yield path, pl.read_parquet(path, hive_partitioning=False).write_ndjson().encode()
        elif path.suffix == ".duckdb":
            with duckdb.connect(str(path), read_only=True) as connection:
                for (table,) in connection.execute("select table_name from duckdb_tables()").fetchall():
                    yield path, connection.sql(f"from {table}").pl().write_ndjson().encode()
            yield path, path.read_bytes()
        else:
            yield path, path.read_bytes()


def left_of_him(home: Home) -> list[tuple[str, bytes]]:
    found = []
    for path, content in texts_below(home.root):
        # The address of another ends like his.
        rest = content.replace(b"blowjoe@example.org", b"").lower()
        found += [(str(path), sign) for sign in SIGNS if sign.lower() in rest]
    return found


def raw_events(home: Home) -> pl.DataFrame:
    return pl.read_parquet(home.raw / "events/*/events.parquet", hive_partitioning=False)


def test_nothing_of_him_is_left_and_the_proof_names_nobody(home: Home) -> None:
    assert left_of_him(home)
    outcome = forget(home)
    assert outcome.left == ()
    assert left_of_him(home) == []
    assert outcome.proof is not None
    proof = json.loads(outcome.proof.read_text())
    assert proof["is_complete"]
    assert {entry["path"] for entry in proof["removed"]} >= {
        "landing/customers.csv",
        "landing/events/a.parquet",
        "landing/events/b.jsonl",
        "raw/customers.parquet",
        "quarantine/events.parquet",
        "warehouse.duckdb",
        f"plans/plan_date={DAY}/send_plan.parquet",
    }
    assert proof["rows_removed"] == outcome.rows == sum(entry["rows"] for entry in proof["removed"])
    assert Journal.unfinished(home) == []


def test_others_keep_every_value_in_their_order(home: Home) -> None:
    lines = (home.landing / "events" / "b.jsonl").read_text().splitlines(keepends=True)
    events, features = raw_events(home), home.features(DAY) / "feat_customer.parquet"
    table = pl.read_parquet(home.landing / "events" / "a.parquet")
    forget(home)
    assert (home.landing / "customers.csv").read_bytes() == (
        b'customer_id,email,first_name,last_name\r\nc-171,blowjoe@example.org,"Ann",Lee\r\nc-2,bob@example.org,Bob,Ray\r\n'
    )
    now = (home.landing / "events" / "b.jsonl").read_text().splitlines(keepends=True)
    ids = [json.loads(line)["event_id"] for line in now]
    assert ids == ["f1", "f2", "f3", "f4", "f5", "y"]
    unchanged = [line for line in lines if '"f4"' in line or '"y"' in line]
    assert [line for line in now if line in unchanged] == unchanged
    assert json.loads(now[0])["query"] == "mail [erased] now"
    assert json.loads(now[1])["url"] == "https://x.example/?to=[erased]&a=1"
    assert json.loads(json.loads(now[2])["properties"]) == {"friend": "[erased]", "n": 17}
    assert_frame_equal(
        pl.read_parquet(home.landing / "events" / "a.parquet"),
        table.filter(~pl.col("event_id").is_in(list(HIS))),
    )
    text = ("url", "query", "properties")
    assert_frame_equal(
        raw_events(home).drop(text), events.filter(~pl.col("event_id").is_in(list(HIS))).drop(text)
    )
    assert pl.read_parquet(features).rows() == [("c-2", 17)]
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        assert connection.execute("select n from v").fetchall() == [(1,)]
        assert connection.execute("from numbers").fetchall() == [(17, "c-171")]


def test_a_second_run_does_nothing_and_says_when_it_was_done(home: Home) -> None:
    forget(home)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path, _ in texts_below(home.root)}
    again = forget(home)
    assert (again.proof, again.erased_at) == (None, NOW)
    assert {
        path: (path.read_bytes(), path.stat().st_mtime_ns) for path, _ in texts_below(home.root)
    } == before


@pytest.mark.parametrize("step", STEPS)
def test_cut_short_before_any_step_the_same_call_finishes(
    home: Home, step: str, finished: tuple[erasure.Outcome, pl.DataFrame]
) -> None:
    with pytest.raises(KilledError):
        forget(home, stop_at=step)
    outcome, (expected, events) = forget(home), finished
    assert (outcome.left, left_of_him(home), Journal.unfinished(home)) == ((), [], [])
    assert (outcome.rows, outcome.values) == (expected.rows, expected.values)
    ingest(home, NOW)
    assert_frame_equal(raw_events(home), events)


def test_killed_for_real_it_is_finished_by_the_next_run(home: Home, tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom datetime import datetime\n"
        "from assets.clock import FixedClock\nfrom assets.home import Home\nfrom assets.privacy import change, erasure\n"
        "root = Path(sys.argv[1]); home = Home(root, root / 'landing')\n"
        "def half(path, write):\n    path.with_name(f'.{path.name}.erasing').write_text('c-17,')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "from assets.privacy import tables\ntables.replace_file = half\n"
        f"with erasure.held(home):\n    person = erasure.subject(home, 'c-17', datetime{NOW.timetuple()[:6]})\n"
        f"    erasure.forget(home, person, FixedClock(datetime{NOW.timetuple()[:6]}))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, home.root], check=False, capture_output=True, text=True
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert (home.landing / "events" / ".a.parquet.erasing").exists()
    assert len(Journal.unfinished(home)) == 1
    assert forget(home).left == ()
    assert left_of_him(home) == []
    assert not list(home.root.rglob(".*.erasing"))


def test_no_import_brings_him_back(home: Home, tmp_path: Path) -> None:
    original = {path.name: path.read_bytes() for path in home.landing.rglob("*") if path.is_file()}
    forget(home)
    for name, content in original.items():
        folder = home.landing / "events" if name in ("a.parquet", "b.jsonl") else home.landing
        (folder / name).write_bytes(content)
    new = '{"customer_id": "c-900", "email": "JOE@example.org"}\n{"customer_id": "c-901", "email": "new@example.org"}\n'
    (home.landing / "customers").mkdir()
    (home.landing / "customers" / "new.jsonl").write_text(new)
    report = ingest(home, NOW)
    customers = pl.read_parquet(home.raw / "customers.parquet")["customer_id"].to_list()
    assert customers == ["c-171", "c-2", "c-901"]
    assert set(raw_events(home)["event_id"]) == {"e4", "e5", "f1", "f2", "f3", "f4", "f5"}
    erased = {name: table.erased for name, table in report.tables.items()}
    assert erased == {"customers": 3, "products": 0, "contents": 0, "events": len(HIS) + 1, "consents": 1}
    for table in report.tables.values():
        assert table.rows_read == (
            table.rows_kept + table.duplicates + table.superseded + table.rows_quarantined + table.erased
        )
    stored = [content for path, content in texts_below(home.raw) if path.suffix == ".parquet"]
    assert not any(b'"c-17"' in content or b"c-900" in content for content in stored)


def test_the_id_under_which_he_is_landed_again_is_his_in_every_table(home: Home) -> None:
    """Also in files taken in before the address told whose it is, and for the erasure that follows."""
    forget(home)
    event = {"event": "Page Viewed", "occurred_at": "2025-05-02", "customer_id": "c-900"}
    (home.landing / "events" / "new.jsonl").write_text(json.dumps({"event_id": "n1", **event}) + "\n")
    ingest(home, NOW)
    assert "n1" in set(raw_events(home)["event_id"])
    (home.landing / "customers").mkdir()
    (home.landing / "customers" / "a.csv").write_text("customer_id,email\nc-900,other@example.org\n")
    ingest(home, NOW)
    (home.landing / "customers" / "new.csv").write_text("customer_id,email\nc-900,JOE@example.org\n")
    told = {"event_id": "n2", **event, "customer_id": "c-2", "query": "joe@example.org or c-900"}
    (home.landing / "events" / "later.jsonl").write_text(
        json.dumps({"event_id": "n3", **event}) + "\n" + json.dumps(told) + "\n"
    )
    report = ingest(home, NOW)
    assert set(raw_events(home)["event_id"]) & {"n1", "n2", "n3"} == {"n2"}
    assert report.tables["events"].erased == 2
    assert "c-900" not in pl.read_parquet(home.raw / "customers.parquet")["customer_id"]
    assert ingest(home, NOW).tables["events"].files_read == 0
    assert forget(home, "c-900").left == ()
    assert left_of_him(home) == []
    assert not any(b"c-900" in content for _, content in texts_below(home.root))


def test_landed_again_he_is_taken_out_again(home: Home) -> None:
    original = (home.landing / "customers.csv").read_bytes()
    forget(home)
    (home.landing / "customers.csv").write_bytes(original)
    assert forget(home).rows > 0
    assert left_of_him(home) == []


def test_numbers_as_ids_leave_other_numbers_alone(home: Home) -> None:
    pl.DataFrame({"customer_id": [17, 12], "email": ["n@example.org", "m@example.org"]}).write_parquet(
        home.landing / "customers.parquet"
    )
    more = pl.DataFrame(
        {
            "event_id": ["n1", "n2"],
            "event": "Order Completed",
            "occurred_at": datetime(2025, 5, 2),
            "customer_id": [17.0, 12.0],
            "product_id": ["17", "17"],
            "order_id": ["17", "18"],
            "quantity": [17, 17],
            "price": [1.0, 17.0],
        }
    )
    more.write_parquet(home.landing / "events" / "n.parquet")
    ingest(home, NOW)
    before = raw_events(home)
    assert forget(home, "17").left == ()
    assert_frame_equal(raw_events(home), before.filter(pl.col("event_id") != "n1"))
    stays = pl.read_parquet(home.landing / "events" / "n.parquet")
    assert_frame_equal(stays, more.filter(pl.col("event_id") == "n2"))
    assert pl.read_parquet(home.landing / "customers.parquet")["customer_id"].to_list() == [12]
    assert (home.landing / "products.csv").read_text() == "product_id,name,price\np1,Shoe,17\np2,Hat,17\n"


def test_exports_and_whatever_else_lies_in_the_home_is_swept(home: Home, tmp_path: Path) -> None:
    export = tmp_path / "elsewhere" / "plan.csv"
    export.parent.mkdir()
    export.write_text('customer_id,email\nc-17,Joe@Example.org\n"c-2",bob@example.org\n')
    remember(home, export)
    outbox = home.root / "outbox"
    (outbox / "2025").mkdir(parents=True)
    (outbox / "c-17.html").write_text("<p>Hello</p>")
    (outbox / "2025" / "m-9.json").write_text('{"to": "x"}')
    (outbox / "log.txt").write_text("sent to joe@example.org\nsent to bob@example.org\n")
    (outbox / "queue.json").write_text('{"mails": [{"customer_id": "c-17"}, {"customer_id": "c-2"}]}')
    with closing(sqlite3.connect(home.root / "dagster.db")) as connection:
        connection.execute("create table events (id integer primary key, body text)")
        body = '{"md": "| customer_id | n |\\n| c-17 | 3 |"}'
        connection.executemany("insert into events (body) values (?)", [(body,), ("c-171",)])
        connection.commit()
    assert forget(home).left == ()
    assert export.read_text() == 'customer_id,email\n"c-2",bob@example.org\n'
    assert sorted(path.name for path in outbox.rglob("*") if path.is_file()) == ["log.txt", "queue.json"]
    assert (outbox / "log.txt").read_text() == "sent to [erased]\nsent to bob@example.org\n"
    assert json.loads((outbox / "queue.json").read_text()) == {"mails": [{"customer_id": "c-2"}]}
    with closing(sqlite3.connect(home.root / "dagster.db")) as connection:
        assert [row[0] for row in connection.execute("select body from events")][1] == "c-171"
    assert left_of_him(home) == []


def test_what_cannot_be_read_is_named_and_the_journal_stays(home: Home) -> None:
    broken = home.landing / "events" / "broken.parquet"
    broken.write_bytes(b"PAR1 cut short")
    (home.root / "old.gz").write_bytes(gzip.compress(b"joe@example.org"))
    (home.root / "model.bin").write_bytes(b"\x80\x00" + pickle.dumps({"who": "c-17"}))
    outcome = forget(home)
    assert {place.path for place in outcome.left} == {"landing/events/broken.parquet", "old.gz", "model.bin"}
    assert all("run again" in place.why for place in outcome.left)
    assert outcome.proof is not None
    assert not json.loads(outcome.proof.read_text())["is_complete"]
    for path in (broken, home.root / "old.gz", home.root / "model.bin"):
        path.unlink()
    assert forget(home).left == ()
    assert Journal.unfinished(home) == []


@pytest.mark.parametrize("where", ["landing", "home", "export"])
def test_no_file_from_elsewhere_is_run_because_it_is_called_like_a_model(
    home: Home, tmp_path: Path, where: str
) -> None:
    folder = {"landing": home.landing / "events", "home": home.root, "export": tmp_path / "out"}[where]
    folder.mkdir(exist_ok=True)
    trap = folder / MODEL_FILE
    trap.write_bytes(pickle.dumps({"who": "c-17", "then": _Trap(tmp_path / "was-run")}))
    remember(home, trap)
    (left,) = forget(home).left
    assert Path(left.path).name == MODEL_FILE
    assert "delete it" in left.why
    assert not (tmp_path / "was-run").exists()


def test_links_are_never_followed_out_of_the_landing_folder(home: Home, tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text("customer_id,email\nc-17,joe@example.org\n")
    (home.landing / "customers").mkdir()
    (home.landing / "customers" / "link.csv").symlink_to(outside)
    (home.landing / "customers" / "folder").symlink_to(tmp_path)
    forget(home)
    assert outside.read_text() == "customer_id,email\nc-17,joe@example.org\n"


def test_the_same_id_of_another_shop_is_another_person(home: Home) -> None:
    other = build(home.shops / "other-1a2b3c")
    assert forget(home).left == ()
    assert "c-17" in pl.read_parquet(other.raw / "customers.parquet")["customer_id"]


def test_a_bad_value_of_his_in_quarantine_goes_though_it_has_no_id(home: Home) -> None:
    (home.landing / "customers").mkdir()
    (home.landing / "customers" / "bad.csv").write_text(
        "customer_id,email,birth_date\nc-2,bob@example.org,1.2.80\nc-17,joe@example.org,31.12.1979\n"
    )
    ingest(home, NOW)
    assert b"31.12.1979" in b"".join(content for _, content in texts_below(home.quarantine))
    forget(home)
    stored = b"".join(content for _, content in texts_below(home.root))
    assert b"31.12.1979" not in stored
    assert b"1.2.80" in b"".join(content for _, content in texts_below(home.quarantine))


def test_two_erasures_do_not_meet(home: Home) -> None:
    with (
        erasure.held(home),
        pytest.raises(erasure.ErasureBusyError, match="in use by an erasure"),
        erasure.held(home),
    ):
        pass
    with erasure.held(home, shared=True), erasure.held(home, shared=True):
        pass


def test_an_erasure_that_waits_for_mending_keeps_no_other_from_its_end(home: Home) -> None:
    with pytest.raises(KilledError):
        forget(home, stop_at="raw")
    assert forget(home, "c-2").left == ()
    assert [journal.person.ids for journal in Journal.unfinished(home)] == [{"c-17", "c-18"}]
    assert forget(home, "c-17").left == ()
    assert left_of_him(home) == []


def test_an_unknown_id_is_said_to_be_unknown_and_changes_nothing(home: Home) -> None:
    before = dict(texts_below(home.root))
    with pytest.raises(erasure.UnknownPersonError, match="nothing is held about customer 'nobody'"):
        forget(home, "nobody")
    with pytest.raises(erasure.UnknownPersonError, match="nothing is held about customer ' '"):
        forget(home, " ")
    after = {path: content for path, content in texts_below(home.root) if path.parent != home.privacy}
    assert after == before


def test_what_is_kept_is_salted_and_for_its_owner_alone(home: Home, tmp_path: Path) -> None:
    forget(home)
    other = build(tmp_path / "other")
    forget(other)
    kept = [path for path in home.privacy.rglob("*") if path.is_file() and path.name != "lock"]
    assert {path.name for path in kept} == {"salt", "suppression.json"}
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    assert not Suppression.load(home).hashes["email"] & Suppression.load(other).hashes["email"]


def test_access_rights_of_landing_files_stay(home: Home) -> None:
    (home.landing / "customers.csv").chmod(0o640)
    forget(home)
    assert (home.landing / "customers.csv").stat().st_mode & 0o777 == 0o640
