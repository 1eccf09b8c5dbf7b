"""The feature table, and the same in plain pandas as the benchmark races against it, agree on every customer."""

from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from dbt_harness import Dbt, read_events, simulated_raw, write_events

from benchmarks.comparison import differences
from benchmarks.pandas_features import LEFT_OUT, feat_customer
from models.features import CUSTOMER_FEATURES

END, AS_OF = date(2025, 4, 10), date(2025, 3, 20)
SHARED_DEVICES, STAY_DAYS = 15, 4
HOLES = ("order_id", "product_id", "quantity", "price", "discount", "message_id", "customer_id", "device")


def untidy(events: pl.DataFrame) -> pl.DataFrame:
    """The same events with shared devices, moments that coincide, empty fields, and a stay over several midnights."""
    rng = np.random.default_rng(8)

    def some(share: float) -> pl.Series:
        return pl.Series(rng.random(events.height) < share)

    shared = pl.Series([f"shared-{n}" for n in rng.integers(0, SHARED_DEVICES, events.height)])
    known = pl.col("customer_id").is_not_null() & pl.col("anonymous_id").is_not_null()
    return pl.concat(
        [
            events.with_columns(
                pl.when(some(0.08) & pl.col("anonymous_id").is_not_null())
                .then(shared)
                .otherwise("anonymous_id")
                .alias("anonymous_id"),
                pl.when(some(0.3))
                .then(pl.col("occurred_at").dt.truncate("1m"))
                .otherwise("occurred_at")
                .alias("occurred_at"),
                *(pl.when(~some(0.03)).then(column).alias(column) for column in HOLES),
            ),
            stay(events.filter(known).head(1)),
        ]
    )


def stay(visit: pl.DataFrame) -> pl.DataFrame:
    """A tab that calls home every half an hour, for days: never a pause, but cut at the second midnight."""
    numbers = range(STAY_DAYS * 48)
    return pl.concat([visit] * len(numbers)).with_columns(
        event_id=pl.Series([f"stay-{n}" for n in numbers]),
        event=pl.lit("Page Viewed"),
        occurred_at=pl.Series([datetime(2025, 3, 8, 22) + timedelta(minutes=30 * n) for n in numbers]),
    )


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small shop whose events are untidy and go on after the plan date; of some customers there is no word of consent,
    others say yes and no at one moment.
    """
    raw = simulated_raw(tmp_path_factory.mktemp("shop"), customers=300, days=120, end=END)
    write_events(raw, untidy(read_events(raw)))
    consents = pl.read_parquet(raw / "consents.parquet")
    number = pl.col("customer_id").str.slice(-1).cast(pl.Int64)
    both = consents.filter(number == 1).with_columns(granted=~pl.col("granted"))
    pl.concat([consents.filter(number != 0), both]).write_parquet(raw / "consents.parquet")
    return raw


@pytest.fixture(scope="module")
def by_dbt(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    dbt = Dbt(tmp_path_factory.mktemp("dbt"), raw)
    folder = dbt.root / "features"
    dbt.must("run", "--select", "+feat_customer", variables=dbt.variables(folder, [AS_OF]))
    return pd.read_parquet(folder / "feat_customer.parquet")


@pytest.fixture(scope="module")
def by_pandas(raw: Path) -> pd.DataFrame:
    return feat_customer(raw, pd.Timestamp(AS_OF))


def test_pandas_and_dbt_compute_the_same_features(by_pandas: pd.DataFrame, by_dbt: pd.DataFrame) -> None:
    assert len(by_pandas) > 200
    assert differences(by_pandas, by_dbt, key="customer_id") == {}


def test_every_feature_a_model_learns_from_is_compared(by_pandas: pd.DataFrame, by_dbt: pd.DataFrame) -> None:
    assert set(by_dbt) == set(by_pandas) | set(LEFT_OUT)
    assert set(CUSTOMER_FEATURES) <= set(by_pandas)


def test_features_differ_from_customer_to_customer(by_pandas: pd.DataFrame) -> None:
    assert [name for name in CUSTOMER_FEATURES if by_pandas[name].nunique(dropna=False) == 1] == []


@pytest.mark.parametrize(
    ("column", "value"),
    [("n_orders", 99), ("revenue_total", 0.125), ("top_category", None), ("first_seen_at", pd.Timestamp(0))],
)
def test_a_difference_is_found(by_dbt: pd.DataFrame, column: str, value: object) -> None:
    changed = by_dbt.copy()
    changed.loc[changed["top_category"].first_valid_index(), column] = value
    assert differences(changed, by_dbt, key="customer_id") == {column: 1}


def test_a_missing_customer_is_an_error(by_dbt: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="1 in one alone"):
        differences(by_dbt.iloc[1:], by_dbt, key="customer_id")
