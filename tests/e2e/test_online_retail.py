"""The main job on real input: two years of a gift wholesaler's invoices, from the file to an exported plan."""

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mail.schema import LAYOUTS

SENDPLAN = Path(sys.executable).parent / "sendplan"
FILE = Path(__file__).parents[2].parent / "shared" / "data" / "online_retail_II.parquet"
DAY = "2011-11-10"

pytestmark = pytest.mark.skipif(
    not FILE.exists(), reason=f"Online Retail II is not at {FILE}; see tests/e2e/test_online_retail.py"
)


def sendplan(home: Path, *arguments: object) -> dict[str, Any]:
    """Run a command in a process of its own; what it reports with --json."""
    done = subprocess.run(
        [SENDPLAN, *map(str, arguments), "--json"],
        env={**os.environ, "SENDPLAN_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def known_customers() -> set[str]:
    """Customers with an invoice before the day, read from the file itself."""
    invoices = pl.scan_parquet(FILE).filter(pl.col("InvoiceDate") < datetime.fromisoformat(DAY))
    ids = invoices.select(pl.col("Customer ID").drop_nulls().cast(pl.Int64).unique()).collect()
    return {str(customer) for customer in ids.to_series()}


def test_from_the_file_to_the_exported_plan(tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    sendplan(tmp_path, "import", "online-retail", FILE, "--landing", landing)
    made = sendplan(tmp_path, "plan", "--date", DAY, "--landing", landing)
    plan = pl.read_parquet(made["plan"])
    sends = plan.filter(action="send")

    known = known_customers()
    assert made["rows"] == plan.height == len(known)
    assert set(plan["customer_id"]) == known
    assert plan["explanation"].null_count() == 0

    assert sends.height == made["actions"]["send"] >= 1000
    assert sends["subject"].str.len_chars().min() > 5
    assert not sends["subject"].str.contains(r"[{}]|None|null").any()
    readable = sends["explanation"].str.contains(r"^[A-Z][^{}]+; \w+day \d\d:\d\d.+\.$")
    assert readable.all(), sends.filter(~readable)["explanation"].head(5).to_list()
    needed = sends["layout"].replace_strict({layout: least for layout, (least, _) in LAYOUTS.items()})
    assert (sends["product_ids"].list.len() >= needed).all()

    shown = sends.select("customer_id", "product_ids", "product_scores", "product_sources").explode(
        "product_ids", "product_scores", "product_sources"
    )
    recommended = shown.filter(~pl.col("product_sources").is_in(["context", "goes_with"]))
    assert recommended.height > 3 * 1000
    falls = recommended.group_by("customer_id").agg(
        (pl.col("product_scores").diff().drop_nulls() <= 0).all().alias("falls")
    )
    assert falls["falls"].all()
    assert recommended["product_scores"].n_unique() > 100

    file = tmp_path / "plan.csv"
    assert sendplan(tmp_path, "export", "--date", DAY, "--to", file)["rows"] == plan.height
    exported = pl.read_csv(file, infer_schema_length=None)
    assert exported["customer_id"].cast(pl.String).to_list() == plan["customer_id"].to_list()
    assert exported["email"].str.ends_with("online-retail.invalid").all()
