"""The list of look-alikes as a file: nothing in it runs, consent is told, and a segment without profiles has none."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from test_model_lookalikes import affinity
from test_model_segments import people

from assets.home import Home
from assets.storage import replace_parquet
from pipelines.lookalikes import LookalikeError, find_lookalikes, write_lookalikes

DAY = date(2025, 7, 5)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Customers whose ids look like formulas; visitors do not allow profiling, every second regular is in learnt_1."""
    home = Home(tmp_path, tmp_path / "landing")
    customers = people(40).with_columns(
        customer_id="=" + pl.col("customer_id"), has_behaviour=pl.col("kind") != "visitor"
    )
    segments = pl.concat(
        [
            customers.filter(~pl.col("has_behaviour")).select("customer_id", segment_key=pl.lit("learnt_0")),
            customers.filter(kind="regular")
            .gather_every(2)
            .select("customer_id", segment_key=pl.lit("learnt_1")),
        ]
    )
    replace_parquet(home.scores(DAY) / "score_segments.parquet", segments)
    replace_parquet(home.features(DAY) / "feat_customer.parquet", customers)
    replace_parquet(home.features(DAY) / "feat_affinity.parquet", affinity(customers))
    replace_parquet(
        home.features(DAY) / "feat_eligibility.parquet",
        customers.select("customer_id", consent_status=pl.lit("withdrawn")),
    )
    return home


def test_the_list_tells_consent_and_holds_no_formula(home: Home, tmp_path: Path) -> None:
    found = find_lookalikes(home, DAY, "learnt_1", 10)
    assert found.columns == ["customer_id", "similarity", "rank", "consent_status"]
    assert found["customer_id"].str.starts_with("=").all()
    assert set(found["consent_status"]) == {"withdrawn"}
    write_lookalikes(home, found, tmp_path / "like.csv")
    written = pl.read_csv(tmp_path / "like.csv")
    assert written["customer_id"].to_list() == [f"'{customer}" for customer in found["customer_id"]]
    write_lookalikes(home, found, tmp_path / "like.parquet")
    assert pl.read_parquet(tmp_path / "like.parquet")["customer_id"].equals(found["customer_id"])


def test_who_does_not_allow_profiling_has_no_lookalikes(home: Home) -> None:
    with pytest.raises(LookalikeError, match=r"'learnt_0'.*do not allow profiling; name another segment"):
        find_lookalikes(home, DAY, "learnt_0", 10)
