"""The warehouse follows the days: built day by day, with late, repeated, corrected and withdrawn events, it holds what a
full refresh holds, row for row.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
from dbt_harness import Dbt, read_features
from polars.testing import assert_frame_equal

from assets.home import Home
from assets.landing.ingest import ingest
from assets.landing.layout import events_glob
from shop.config import ShopConfig
from shop.simulate import simulate

START, HISTORY, DAYS = date(2025, 1, 6), 40, 30
LATE_SHARE, MAX_DAYS_LATE, REPEATED_SHARE = 0.02, 3, 0.01
END = START + timedelta(days=HISTORY + DAYS)
NOW = datetime(2025, 6, 1)
BROKEN_ON, WITHDRAWN_ON, CORRECTED_ON, REGRETTED_ON = 8, 15, 20, 25
"""Days (of `DAYS`) on which a run breaks half-way, a delivered file is taken back, an event is delivered otherwise, and a
file is taken back after the run that took it in has broken: its days are not there any more.
"""

WORK_TABLES = {"int_changed_days", "int_changed_messages"}
"""What a run notes for itself."""


@dataclass(frozen=True)
class Followed:
    """A warehouse built day by day, and one of the same raw tables built at once.

    Attributes:
        daily: the first.
        fresh: the second.
        touched: per day, how many days the run changed.
        raw: the raw tables in the end.
    """

    daily: Dbt
    fresh: Dbt
    touched: list[int]
    raw: Path


def deliveries(events: pl.DataFrame) -> dict[int, pl.DataFrame]:
    """The events in the files in which they arrive: 0 holds the history, 1 to `DAYS` a day's, some late, some again."""
    rng = np.random.default_rng(5)
    day = (events["occurred_at"].dt.date() - START).dt.total_days().to_numpy()
    lateness = np.where(
        rng.random(events.height) < LATE_SHARE, rng.integers(1, MAX_DAYS_LATE + 1, events.height), 0
    )
    arrives = np.clip(day + lateness - HISTORY + 1, 0, DAYS)
    again = np.where(rng.random(events.height) < REPEATED_SHARE, np.minimum(arrives + 1, DAYS), -1)
    return {
        number: pl.concat(
            [events.filter(pl.Series(arrives == number)), events.filter(pl.Series(again == number))]
        )
        for number in range(DAYS + 1)
    }


def corrected(event: pl.DataFrame) -> pl.DataFrame:
    """The same events by their ids, two days earlier: the earlier one counts, so that they leave their day."""
    return event.with_columns(pl.col("occurred_at") - timedelta(days=2))


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Followed:
    root = tmp_path_factory.mktemp("incremental")
    config = ShopConfig(customers=150, days=HISTORY + DAYS, seed=3, start=START)
    simulate(config, root / "all", root / "truth")
    files = deliveries(pl.read_parquet(root / "all" / "events" / "*.parquet", hive_partitioning=False))
    home = Home(root / "home", root / "landing")
    (home.landing / "events").mkdir(parents=True)
    for table in ("customers", "products", "contents", "consents"):
        (home.landing / f"{table}.parquet").write_bytes((root / "all" / f"{table}.parquet").read_bytes())
    daily, touched = Dbt(root / "daily", home.raw), []
    daily.root.mkdir()
    variables = daily.variables(root / "features", [END])
    for number, file in files.items():
        if number == WITHDRAWN_ON:
            (home.landing / "events" / f"{number - 5:02}.parquet").unlink()
        again = [corrected(files[number - 4].head(40))] if number == CORRECTED_ON else []
        pl.concat([file, *again]).write_parquet(home.landing / "events" / f"{number:02}.parquet")
        regretted = home.landing / "events" / "regretted.parquet"
        if number == REGRETTED_ON:
            file.with_columns(
                pl.format("regretted-{}", "event_id").alias("event_id"),
                pl.col("occurred_at") - timedelta(days=HISTORY + DAYS),
            ).write_parquet(regretted)
        ingest(home, NOW)
        if number in (BROKEN_ON, REGRETTED_ON):
            # As if the process had been killed when the e-mail events were in place and nothing after them was.
            half = ("int_changed_days", "int_changed_messages", "int_email_events", "int_site_events")
            daily.must_here("run", "--select", *half, variables=variables)
        if number == REGRETTED_ON:
            regretted.unlink()
            ingest(home, NOW)
        daily.must_here("run", "--select", "tag:warehouse", variables=variables)
        touched.append(rows(daily, "int_changed_days").height)
    fresh = Dbt(root / "fresh", home.raw)
    fresh.root.mkdir()
    fresh.must("run", "--select", "tag:warehouse", variables=variables)
    return Followed(daily, fresh, touched, home.raw)


def rows(dbt: Dbt, table: str) -> pl.DataFrame:
    """A table in one order."""
    with duckdb.connect(str(dbt.warehouse), read_only=True) as warehouse:
        return warehouse.sql(f"select * from {table} order by all").pl()


def tables(dbt: Dbt) -> set[str]:
    """Every table and view that is no note of a run."""
    with duckdb.connect(str(dbt.warehouse), read_only=True) as warehouse:
        names = warehouse.sql("select table_name from information_schema.tables where table_schema = 'main'")
        return {name for (name,) in names.fetchall()} - WORK_TABLES


def test_day_by_day_equals_a_full_refresh_row_for_row(followed: Followed) -> None:
    names = tables(followed.daily)
    assert names == tables(followed.fresh)
    assert len(names) > 30
    for name in sorted(names):
        assert_frame_equal(rows(followed.daily, name), rows(followed.fresh, name), check_exact=True)


def test_every_delivered_event_is_in_the_warehouse_once(followed: Followed) -> None:
    raw = pl.scan_parquet(events_glob(Home(followed.raw.parent, followed.raw)), hive_partitioning=False)
    sent = raw.filter(pl.col("event") == "Email Sent").select("event_id").collect()
    facts = rows(followed.daily, "int_email_events").filter(pl.col("kind") == "sent")
    assert facts["event_id"].is_unique().all()
    assert set(facts["event_id"]) == set(sent["event_id"])


def test_a_run_touches_its_day_and_the_re_opened_ones(followed: Followed) -> None:
    history, *days = followed.touched
    assert history >= HISTORY
    special = {WITHDRAWN_ON, CORRECTED_ON, REGRETTED_ON}
    ordinary = [n for number, n in enumerate(days, start=1) if number not in special]
    assert max(ordinary) <= 1 + MAX_DAYS_LATE + 1
    assert min(ordinary) >= 1


def test_nothing_new_is_nothing_done(followed: Followed) -> None:
    before = rows(followed.daily, "fct_messages")
    followed.daily.must(
        "run",
        "--select",
        "tag:warehouse",
        variables=followed.daily.variables(followed.daily.root / "f", [END]),
    )
    assert rows(followed.daily, "int_changed_days").height == 0
    assert_frame_equal(rows(followed.daily, "fct_messages"), before, check_exact=True)


def test_features_are_the_same_from_both(followed: Followed) -> None:
    folders = [dbt.root / "features" for dbt in (followed.daily, followed.fresh)]
    for dbt, folder in zip((followed.daily, followed.fresh), folders, strict=True):
        dbt.must("run", "--select", "tag:features", variables=dbt.variables(folder, [END]))
    daily, fresh = (read_features(folder) for folder in folders)
    assert set(daily) == set(fresh)
    for name, table in daily.items():
        assert_frame_equal(table, fresh[name], check_exact=True)
