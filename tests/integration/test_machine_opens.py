"""Opens and clicks by mail programs and scanners are told from a person's, held against the simulator's truth."""

from dataclasses import dataclass
from datetime import date

import duckdb
import polars as pl
import pytest
from dbt_harness import Dbt, simulated_raw

END = date(2025, 3, 7)
MIN_PRECISION, MIN_RECALL = 0.95, 0.90


@dataclass(frozen=True)
class Told:
    """What the warehouse says (`said`) beside what is so (`is_so`).

    Attributes:
        responses: opens and clicks, by `kind`.
        messages: mails, by whether a machine opened them.
    """

    responses: pl.DataFrame
    messages: pl.DataFrame


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    root = tmp_path_factory.mktemp("machine_opens")
    dbt = Dbt(root, simulated_raw(root, customers=800, days=60, end=END))
    dbt.must("run", "--select", "+fct_messages", variables=dbt.variables(root / "features", [END]))
    with duckdb.connect(str(dbt.warehouse), read_only=True) as warehouse:
        responses = warehouse.sql(
            "select event_id, message_id, kind, is_machine as said from fct_message_responses "
            "where kind in ('open', 'click')"
        ).pl()
        messages = warehouse.sql("select message_id, has_machine_open as said from fct_messages").pl()
    by_machine = pl.read_parquet(root / "truth" / "machine_events.parquet")["event_id"].implode()
    truth = pl.read_parquet(root / "truth" / "messages.parquet")
    return Told(
        responses.with_columns(is_so=pl.col("event_id").is_in(by_machine)),
        messages.join(truth.select("message_id", is_so="has_machine_open"), on="message_id"),
    )


@pytest.mark.parametrize("kind", ["open", "click"])
def test_what_machines_did_is_told_from_what_people_did(told: Told, kind: str) -> None:
    _assert_told(told.responses.filter(kind=kind))


def test_mails_that_a_machine_opened_are_marked(told: Told) -> None:
    _assert_told(told.messages)


def test_a_machine_does_not_hide_the_person_who_reads_the_same_mail(told: Told) -> None:
    both = told.responses.filter(kind="open").group_by("message_id").agg(pl.col("is_so", "said"))
    both = both.filter(pl.col("is_so").list.any(), ~pl.col("is_so").list.all())
    assert both.height > 50
    assert (~both["said"].list.all()).mean() > MIN_RECALL


def _assert_told(rows: pl.DataFrame) -> None:
    assert rows["is_so"].sum() > 100
    assert (~rows["is_so"]).sum() > 100
    right = (rows["said"] & rows["is_so"]).sum()
    assert right / rows["said"].sum() >= MIN_PRECISION
    assert right / rows["is_so"].sum() >= MIN_RECALL
