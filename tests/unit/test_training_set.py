"""What models are taught: nothing of anybody who refuses profiling by the week of the training."""

from datetime import date
from pathlib import Path

import polars as pl

from assets.training import TrainingSet

BEFORE, WEEK = date(2025, 3, 31), date(2025, 4, 28)


def written(folder: Path) -> TrainingSet:
    customers = pl.DataFrame(
        {
            "customer_id": ["ann", "ann", "bob", "bob"],
            "as_of": [BEFORE, WEEK] * 2,
            "has_behaviour": [True, True, True, False],
        }
    )
    labels = pl.DataFrame({"customer_id": ["ann", "bob"], "as_of": [BEFORE, BEFORE], "orders": [1, 2]})
    products = pl.DataFrame({"product_id": ["p1"], "as_of": [WEEK]})
    for name, frame in (
        ("feat_customer", customers),
        ("label_customer", labels),
        ("feat_product", products),
    ):
        frame.write_parquet(folder / f"{name}.parquet")
    return TrainingSet(folder)


def test_who_refuses_now_is_in_no_snapshot_and_no_label_of_the_past(tmp_path: Path) -> None:
    tables = written(tmp_path)
    assert tables["label_customer"]["customer_id"].to_list() == ["ann"]
    assert tables["feat_product"]["product_id"].to_list() == ["p1"]


def test_the_newest_snapshot_says_that_he_refuses(tmp_path: Path) -> None:
    seen = written(tmp_path)["feat_customer"]
    assert seen.filter(customer_id="bob").rows() == [("bob", WEEK, False)]
    assert seen.filter(customer_id="ann").height == 2


def test_a_withdrawal_makes_another_fingerprint(tmp_path: Path) -> None:
    files = written(tmp_path).files(["label_sends"])
    assert [file.name for file in files] == ["label_sends.parquet", "feat_customer.parquet"]
