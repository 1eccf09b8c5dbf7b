"""What became of a published plan, some days later, from landing folder to the marketer's database."""

from datetime import datetime, time, timedelta

import duckdb
import polars as pl
import pytest
from conftest import Replanned
from planned_shop import DAY, LATER, Shop, answered

from models.evaluation.incrementality import REPORT_SCHEMA
from models.outcomes import OUTCOME_COLUMNS, PLANNED

WINDOW_START = datetime.combine(DAY, time(2))
NOT_YET = datetime.combine(LATER, time())


@pytest.fixture(scope="module")
def told(replanned: Replanned) -> pl.DataFrame:
    return pl.read_parquet(replanned.shop.home.outcomes(LATER) / "outcomes.parquet", hive_partitioning=False)


def test_every_row_of_the_plan_has_its_outcome(shop: Shop, told: pl.DataFrame) -> None:
    assert told.schema == {name: column.dtype for name, column in OUTCOME_COLUMNS.items()}
    assert told.select(PLANNED).equals(shop.plan().select(PLANNED))
    assert set(told["as_of"]) == {LATER}
    assert not told["is_complete"].any()
    before = pl.read_parquet(shop.home.features(DAY) / "feat_customer.parquet")
    assert told["pre_orders"].sum() == before["n_orders_365d"].sum() > 0


def test_mails_that_were_answered_and_no_others_have_answers(shop: Shop, told: pl.DataFrame) -> None:
    sent = told.filter("is_sent")
    assert sent["message_id"].to_list() == answered(shop)["message_id"].to_list()
    assert sent["is_delivered"].all() and sent["is_human_open"].all() and not sent["is_human_click"].any()
    assert sent["n_attributed_orders"].to_list() == [1.0] * 3
    assert sent["attributed_revenue"].to_list() == [60.0] * 3
    assert (sent["day_orders"] >= 1).all()
    assert told.filter(~pl.col("is_sent"))["n_attributed_orders"].sum() == 0


def test_every_order_since_counts_whether_a_mail_was_sent_or_not(
    replanned: Replanned, told: pl.DataFrame
) -> None:
    home = replanned.shop.home
    events = pl.read_parquet(home.raw / "events" / "*" / "events.parquet", hive_partitioning=False)
    allowed = told.filter("has_behaviour")
    ordered = events.filter(
        pl.col("event") == "Order Completed",
        pl.col("occurred_at").is_between(WINDOW_START, NOT_YET, closed="left"),
    ).join(allowed, on="customer_id", how="semi")
    assert 0 < allowed.height < told.height
    assert told["n_orders"].sum() == ordered["order_id"].n_unique() > 5
    first_day = ordered.filter(pl.col("occurred_at") < WINDOW_START + timedelta(days=1))
    assert told["day_orders"].sum() == first_day["order_id"].n_unique() < told["n_orders"].sum()
    assert told.filter(action="hold")["n_orders"].sum() > 0


def test_a_plan_before_which_nothing_was_planned_has_nothing_to_tell(
    shop: Shop, replanned: Replanned
) -> None:
    first = pl.read_parquet(shop.home.outcomes(DAY) / "outcomes.parquet", hive_partitioning=False)
    assert first.is_empty()
    with duckdb.connect(str(replanned.shop.home.marketing), read_only=True) as connection:
        report = connection.table("outcomes_by").pl()
    assert report.columns == [*REPORT_SCHEMA, "plan_date"]
