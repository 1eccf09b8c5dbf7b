"""The main job on real input: two years of a gift wholesaler's invoices, from the file to an exported plan.

Of every eighth customer, to spare time; the trial `speed` trains on all of them and scores them.
"""

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from mail_folder import without_limit

from mail.schema import LAYOUTS

SENDPLAN = Path(sys.executable).parent / "sendplan"
FILE = Path(__file__).parents[2].parent / "shared" / "data" / "online_retail_II.parquet"
DAY = "2011-11-10"
EVERY = 8

pytestmark = pytest.mark.skipif(
    not FILE.exists(), reason=f"Online Retail II is not at {FILE}; see tests/e2e/test_online_retail.py"
)


def sendplan(home: Path, *arguments: object) -> dict[str, Any]:
    """Run a command in a process of its own; what it reports with --json."""
    done = subprocess.run(
        [SENDPLAN, *map(str, arguments), "--json"],
        env={**os.environ, "SENDPLAN_HOME": str(home), "SENDPLAN_MAIL": str(home / "mail")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def some_customers(file: Path) -> set[str]:
    """Writes the invoices of some customers, and those of nobody in particular; customers with one before the day."""
    customer = pl.col("Customer ID").cast(pl.Int64)
    invoices = pl.read_parquet(FILE).filter(customer.is_null() | (customer % EVERY == 0))
    invoices.write_parquet(file)
    known = invoices.filter(pl.col("InvoiceDate") < datetime.fromisoformat(DAY)).select(
        customer.drop_nulls().unique()
    )
    return {str(number) for number in known.to_series()}


def test_from_the_file_to_the_exported_plan(tmp_path: Path) -> None:
    landing, file = tmp_path / "landing", tmp_path / "invoices.parquet"
    known = some_customers(file)
    without_limit(tmp_path / "mail")
    sendplan(tmp_path, "import", "online-retail", file, "--landing", landing)
    made = sendplan(tmp_path, "plan", "--date", DAY, "--landing", landing)
    plan = pl.read_parquet(made["plan"])
    sends = plan.filter(action="send")

    assert made["rows"] == plan.height == len(known)
    assert set(plan["customer_id"]) == known
    assert plan["explanation"].null_count() == 0

    assert sends.height == made["actions"]["send"] >= 1000 / EVERY
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
    assert recommended.height > 3 * 1000 / EVERY
    falls = recommended.group_by("customer_id").agg(
        (pl.col("product_scores").diff().drop_nulls() <= 0).all().alias("falls")
    )
    assert falls["falls"].all()
    assert recommended["product_scores"].n_unique() > 100

    exported_to = tmp_path / "plan.csv"
    assert sendplan(tmp_path, "export", "--date", DAY, "--to", exported_to)["rows"] == plan.height
    exported = pl.read_csv(exported_to, infer_schema_length=None)
    assert exported["customer_id"].cast(pl.String).to_list() == plan["customer_id"].to_list()
    assert exported["email"].str.ends_with("online-retail.invalid").all()
