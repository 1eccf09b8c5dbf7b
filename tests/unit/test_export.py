"""The marketer's export: addresses join, and nothing in it runs."""

from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

from assets.home import Home
from assets.privacy.exports import remembered
from assets.storage import replace_parquet
from pipelines.destination import DestinationError
from pipelines.export import Exported, ExportError, export_plan

DAY = date(2025, 7, 5)
NOW = datetime(2025, 7, 5, 1)
PLAN = pl.DataFrame(
    {
        "plan_date": [DAY, DAY],
        "customer_id": ["a", "b"],
        "action": ["send", "send"],
        "reason": ["life_cycle", "trigger"],
        "explanation": ["Due.", "Left a cart."],
        "message_id": ["m-a", "m-b"],
        "subject": ["Hello", '=HYPERLINK("x")'],
        "product_ids": [["p1", "p2"], []],
        "expected_margin": [-0.5, 1.0],
    }
)
CUSTOMERS = pl.DataFrame(
    {
        "customer_id": ["a", "b", "not planned"],
        "email": ["a@example.com", "b@example.com", "c@example.com"],
        "first_name": ["Ann", "+1", "Cy"],
        "last_name": [None, "@SUM(A1)", "Dee"],
    }
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path, tmp_path / "landing")
    replace_parquet(home.plan(DAY) / "send_plan.parquet", PLAN)
    replace_parquet(home.raw / "customers.parquet", CUSTOMERS)
    return home


def test_csv_has_addresses_joined_lists_and_no_formulas(home: Home, tmp_path: Path) -> None:
    assert export_plan(home, DAY, tmp_path / "plan.csv", NOW).rows == 2
    rows = pl.read_csv(tmp_path / "plan.csv").to_dicts()
    assert [row["email"] for row in rows] == ["a@example.com", "b@example.com"]
    assert rows[0]["product_ids"] == "p1|p2"
    assert rows[0]["expected_margin"] == -0.5
    assert rows[1]["subject"] == '\'=HYPERLINK("x")'
    assert (rows[1]["first_name"], rows[1]["last_name"]) == ("'+1", "'@SUM(A1)")


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_other_formats_keep_values_as_they_are(home: Home, tmp_path: Path, suffix: str) -> None:
    to = tmp_path / f"plan.{suffix}"
    export_plan(home, DAY, to, NOW)
    frame = pl.read_parquet(to) if suffix == "parquet" else pl.read_ndjson(to)
    assert frame["subject"].to_list() == PLAN["subject"].to_list()
    assert frame["product_ids"].to_list() == [["p1", "p2"], []]


def test_an_unknown_format_and_a_missing_plan_are_explained(home: Home, tmp_path: Path) -> None:
    with pytest.raises(DestinationError, match=r"let the name end in one of \.csv, \.parquet, \.jsonl"):
        export_plan(home, DAY, tmp_path / "plan.xls", NOW)
    with pytest.raises(ExportError, match="there is no plan for 2025-07-06.*sendplan plan --date 2025-07-06"):
        export_plan(home, date(2025, 7, 6), tmp_path / "plan.csv", NOW)


def test_an_export_is_remembered_while_it_is_there(home: Home, tmp_path: Path) -> None:
    export_plan(home, DAY, tmp_path / "plan.csv", NOW)
    assert remembered(home) == [tmp_path / "plan.csv"]
    (tmp_path / "plan.csv").unlink()
    assert remembered(home) == []


def test_whoever_withdrew_after_the_plan_was_made_is_held_back(home: Home, tmp_path: Path) -> None:
    withdrawal = {"customer_id": "b", "purpose": "email_marketing", "granted": False, "occurred_at": NOW}
    replace_parquet(home.landing / "consents.parquet", pl.DataFrame([withdrawal]))
    replace_parquet(home.landing / "customers.parquet", CUSTOMERS)
    event = {"event_id": "e", "event": "Page Viewed", "occurred_at": NOW}
    replace_parquet(home.landing / "events.parquet", pl.DataFrame([event]))
    assert export_plan(home, DAY, tmp_path / "plan.parquet", NOW) == Exported(rows=2, stopped=1)
    rows = pl.read_parquet(tmp_path / "plan.parquet").to_dicts()
    assert [(row["action"], row["reason"]) for row in rows] == [
        ("send", "life_cycle"),
        ("hold", "no_consent"),
    ]
    assert (rows[1]["subject"], rows[1]["message_id"], rows[1]["product_ids"]) == (None, None, None)
    assert not (home.raw / "consents.parquet").exists()
