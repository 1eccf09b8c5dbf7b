"""Erasure and access on a shop that was planned end to end, through the command line."""

import json
import pickle
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from command_line import Command
from planned_shop import DAY, NOW, Shop
from polars.testing import assert_frame_equal

from assets.privacy.fitted import MODEL_FILE
from models.model import RemembersCustomers
from pipelines.export import export_plan

LINKS = ("anonymous_id", "message_id", "order_id", "event_id")


@pytest.fixture(scope="module")
def copy(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The planned shop, to be changed."""
    return shop.copy(tmp_path_factory.mktemp("erased") / "home")


@pytest.fixture(scope="module")
def somebody(shop: Shop) -> dict[str, str]:
    """A customer with a mail planned for him and with many events; nobody else has his name."""
    people = pl.read_parquet(shop.home.landing / "customers.parquet")
    names = people.with_columns(name=pl.concat_str("first_name", "last_name", separator=" "))
    alone = names.filter(pl.col("name").is_not_null(), ~pl.col("name").is_duplicated())
    busy = events(shop).group_by("customer_id").len()
    sent = shop.plan().filter(action="send").select("customer_id")
    found = alone.join(sent, on="customer_id").join(busy, on="customer_id").sort("len", descending=True)
    return found.select("customer_id", "email", "name").row(0, named=True)


def events(shop: Shop) -> pl.DataFrame:
    return pl.read_parquet(shop.home.raw / "events/day=*/events.parquet", hive_partitioning=False)


def tables(root: Path) -> dict[str, pl.DataFrame]:
    """Every Parquet file below a folder."""
    files = sorted(root.rglob("*.parquet"))
    return {str(f.relative_to(root)): pl.read_parquet(f, hive_partitioning=False) for f in files}


def everything(root: Path) -> Iterator[tuple[str, str]]:
    """Every file below a folder, read as data where it has tables."""
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        if path.suffix == ".parquet":
            content = pl.read_parquet(path, hive_partitioning=False).write_ndjson()
        elif path.suffix == ".duckdb":
            with duckdb.connect(str(path), read_only=True) as connection:
                names = [
                    name
                    for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()
                ]
                content = "".join(connection.sql(f'from "{name}"').pl().write_ndjson() for name in names)
        elif path.suffix == ".db":
            with closing(sqlite3.connect(path)) as connection:
                content = "\n".join(connection.iterdump())
        else:
            content = path.read_bytes().decode("latin-1")
        yield str(path.relative_to(root)), content
        if path.suffix in (".duckdb", ".db"):
            yield f"{path.name}, its pages", path.read_bytes().decode("latin-1")


def his(frame: pl.DataFrame, customer: str, links: dict[str, list[str]]) -> pl.Series:
    """Rows with his id, and rows without a customer that only he can be behind."""
    if "customer_id" in frame.columns:
        own = pl.col("customer_id") == customer
        nobody = pl.col("customer_id").is_null()
    elif "raw" in frame.columns:
        own, nobody = pl.col("raw").str.contains(customer, literal=True), pl.lit(False)
    else:
        own, nobody = pl.lit(False), pl.lit(True)
    linked = [pl.col(name).is_in(values) for name, values in links.items() if name in frame.columns]
    mine = own.fill_null(False) | (nobody & pl.any_horizontal(pl.lit(False), *linked).fill_null(False))
    return frame.select(mine.alias("mine")).to_series()


def test_a_person_gets_all_that_is_held_about_him(
    sendplan: Command, shop: Shop, somebody: dict[str, str]
) -> None:
    customer = somebody["customer_id"]
    told = sendplan("subject-export", customer, home=shop.home.root)
    assert told.code == 0
    held = told.json
    assert held["profile"][0]["email"] == somebody["email"]
    assert len(held["site_events_and_orders"]) + len(held["messages_and_responses"]) >= (
        events(shop).filter(customer_id=customer).height
    )
    assert held["plans"][0]["explanation"] == shop.plan().filter(customer_id=customer)["explanation"][0]
    assert {"score_value", "score_churn", "score_recommendations"} <= set(held["scores"])
    assert "feat_customer" in held["derived_features"]
    assert held["erasure"]["is_erased"] is False
    assert {row["purpose"] for row in held["consents"]} == {"email_marketing", "profiling", "tracking"}


@pytest.mark.parametrize("command", [("subject-export",), ("forget", "--yes")])
def test_an_unknown_id_is_a_clear_error(sendplan: Command, shop: Shop, command: tuple[str, ...]) -> None:
    said = sendplan(*command, "nobody-1", home=shop.home.root)
    assert said.code == 1
    assert "nothing is held about customer 'nobody-1'" in said.err
    assert not (shop.home.privacy / "suppression.json").exists()


def test_an_erasure_is_asked_for_twice(sendplan: Command, shop: Shop) -> None:
    said = sendplan("forget", "c000001", home=shop.home.root)
    assert (said.code, said.out) == (2, "")
    assert "--yes" in said.err


def test_registered_models_hold_no_customer_but_those_that_can_let_go(shop: Shop) -> None:
    ids = pl.read_parquet(shop.home.landing / "customers.parquet")["customer_id"].to_list()
    files = sorted(path for path in shop.home.artifacts.rglob("*") if path.is_file())
    holding = [path for path in files if any(customer.encode() in path.read_bytes() for customer in ids)]
    for path in holding:
        assert path.name == MODEL_FILE
        model = pickle.loads(path.read_bytes()).model
        assert isinstance(model, RemembersCustomers)
        assert model.without(ids).customers() == frozenset()


def test_forget_leaves_nothing_of_him_and_everything_of_others(
    sendplan: Command, copy: Shop, somebody: dict[str, str], tmp_path: Path
) -> None:
    customer = somebody["customer_id"]
    home, export = copy.home, tmp_path / "plan.csv"
    assert sendplan("export", "--date", DAY, "--to", export, home=home.root).code == 0
    exported = export.read_text().splitlines()
    before = tables(home.root)
    every = events(copy)
    mine = every.filter(customer_id=customer)
    others = every.filter(pl.col("customer_id").is_not_null() & (pl.col("customer_id") != customer))
    links = {name: sorted(set(mine[name].drop_nulls()) - set(others[name].drop_nulls())) for name in LINKS}
    said = sendplan("forget", customer, "--yes", "--json", home=home.root)
    assert (said.code, said.json["left"], said.json["is_already_done"]) == (0, [], False)

    signs = [somebody["email"].lower(), somebody["name"].lower(), customer]
    found = [
        (name, sign) for name, content in everything(home.root) for sign in signs if sign in content.lower()
    ]
    assert found == []
    after = tables(home.root)
    assert set(after) == set(before)
    for name, frame in before.items():
        assert_frame_equal(after[name], frame.filter(~his(frame, customer, links)))
    assert export.read_text().splitlines() == [line for line in exported if customer not in line]
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        assert connection.execute("select count(*) from feat_customer").fetchone() is not None

    proof = json.loads(Path(said.json["proof"]).read_text())
    assert proof["is_complete"]
    assert sum(entry["rows"] for entry in proof["removed"]) == said.json["rows_removed"] > mine.height


def test_a_second_run_does_nothing(sendplan: Command, copy: Shop, somebody: dict[str, str]) -> None:
    """After the test above."""
    files = {path: path.stat().st_mtime_ns for path in copy.home.root.rglob("*.parquet")}
    said = sendplan("forget", somebody["customer_id"], "--yes", home=copy.home.root)
    assert said.code == 0
    assert f"{somebody['customer_id']} was erased at 20" in said.out
    assert {path: path.stat().st_mtime_ns for path in copy.home.root.rglob("*.parquet")} == files
    told = sendplan("subject-export", somebody["customer_id"], home=copy.home.root).json
    assert told["erasure"]["is_erased"] is True
    assert not any(told[section] for section in ("profile", "plans", "site_events_and_orders", "scores"))


def test_consent_withdrawn_a_minute_ago_stops_the_mail(shop: Shop, tmp_path: Path) -> None:
    copy = shop.copy(tmp_path / "home", "mlflow-artifacts", "training", "dagster", "dbt", "truth")
    sends = copy.plan().filter(action="send")["customer_id"]
    people = pl.read_parquet(copy.home.landing / "consents.parquet")
    first = export_plan(copy.home, DAY, tmp_path / "before.parquet", NOW)
    before = pl.read_parquet(tmp_path / "before.parquet")
    still = before.filter(action="send")["customer_id"]
    assert first.stopped == sends.len() - still.len()
    withdrawing = still[0]
    (copy.home.landing / "consents").mkdir()
    people.head(1).with_columns(
        customer_id=pl.lit(withdrawing),
        purpose=pl.lit("email_marketing"),
        granted=False,
        occurred_at=NOW - timedelta(minutes=1),
    ).write_parquet(copy.home.landing / "consents" / "new.parquet")
    second = export_plan(copy.home, DAY, tmp_path / "after.parquet", NOW)
    after = pl.read_parquet(tmp_path / "after.parquet")
    assert second.stopped == first.stopped + 1
    row = after.filter(customer_id=withdrawing).row(0, named=True)
    assert (row["action"], row["reason"], row["subject"], row["message_id"]) == (
        "hold",
        "no_consent",
        None,
        None,
    )
    assert row["explanation"] == "Has withdrawn consent to e-mail marketing, since 2025-06-30 23:59 UTC."
    is_other = pl.col("customer_id") != withdrawing
    assert_frame_equal(after.filter(is_other), before.filter(is_other))


def test_runs_leave_no_ids_in_the_logs(shop: Shop) -> None:
    ids = set(pl.read_parquet(shop.home.landing / "customers.parquet")["customer_id"])
    logs = [content for name, content in everything(shop.home.dagster) if name.endswith(".db")]
    logs += [content for _, content in everything(shop.home.dbt)]
    assert logs
    assert [customer for customer in sorted(ids) if any(customer in log for log in logs)] == []
