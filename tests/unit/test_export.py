"""The marketer's export: addresses join, and nothing in it runs."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from assets.home import Home
from assets.storage import replace_parquet
from pipelines.export import ExportError, export_plan

DAY = date(2025, 7, 5)
PLAN = pl.DataFrame(
    {
        "plan_date": [DAY, DAY],
        "customer_id": ["a", "b"],
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
    assert export_plan(home, DAY, tmp_path / "out" / "plan.csv") == 2
    rows = pl.read_csv(tmp_path / "out" / "plan.csv").to_dicts()
    assert [row["email"] for row in rows] == ["a@example.com", "b@example.com"]
    assert rows[0]["product_ids"] == "p1|p2"
    assert rows[0]["expected_margin"] == -0.5
    assert rows[1]["subject"] == '\'=HYPERLINK("x")'
    assert (rows[1]["first_name"], rows[1]["last_name"]) == ("'+1", "'@SUM(A1)")


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_other_formats_keep_values_as_they_are(home: Home, tmp_path: Path, suffix: str) -> None:
    to = tmp_path / f"plan.{suffix}"
    export_plan(home, DAY, to)
    frame = pl.read_parquet(to) if suffix == "parquet" else pl.read_ndjson(to)
    assert frame["subject"].to_list() == PLAN["subject"].to_list()
    assert frame["product_ids"].to_list() == [["p1", "p2"], []]


def test_an_unknown_format_and_a_missing_plan_are_explained(home: Home, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"let the name end in one of \.csv, \.parquet, \.jsonl"):
        export_plan(home, DAY, tmp_path / "plan.xls")
    with pytest.raises(ExportError, match="there is no plan for 2025-07-06.*sendplan plan --date 2025-07-06"):
        export_plan(home, date(2025, 7, 6), tmp_path / "plan.csv")
