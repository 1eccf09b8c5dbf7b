"""A small home with one person in every kind of file, and others beside him whose data must stay."""

import json
from datetime import date, datetime
from pathlib import Path

import duckdb
import polars as pl

from assets.home import Home
from assets.landing.ingest import ingest
from assets.storage import replace_parquet

NOW = datetime(2025, 6, 1, 12)
DAY = date(2025, 6, 1)

EVENTS = [
    # Joe's own, two of them without his customer id, and one that is somebody's on a device they share.
    {"event_id": "e1", "event": "Page Viewed", "customer_id": "c-17", "anonymous_id": "joes-phone"},
    {"event_id": "e2", "event": "Page Viewed", "anonymous_id": "joes-phone"},
    {"event_id": "e3", "event": "Page Viewed", "customer_id": "c-17", "anonymous_id": "shared-tablet"},
    {"event_id": "e4", "event": "Page Viewed", "customer_id": "c-171", "anonymous_id": "shared-tablet"},
    {"event_id": "e5", "event": "Page Viewed", "anonymous_id": "shared-tablet"},
    {"event_id": "e6", "event": "Email Sent", "customer_id": "c-17", "message_id": "m-1"},
    {"event_id": "e7", "event": "Email Opened", "message_id": "m-1"},
    {
        "event_id": "e8",
        "event": "Order Completed",
        "customer_id": "c-17",
        "order_id": "o-1",
        "product_id": "p1",
    },
    {"event_id": "e9", "event": "Order Refunded", "order_id": "o-1", "product_id": "p1"},
    # Others', which speak of him.
    {
        "event_id": "f1",
        "event": "Products Searched",
        "customer_id": "c-171",
        "query": "mail Joe@Example.org now",
    },
    {
        "event_id": "f2",
        "event": "Page Viewed",
        "customer_id": "c-2",
        "url": "https://x.example/?to=joe%40example.org&a=1",
    },
    {
        "event_id": "f3",
        "event": "Page Viewed",
        "customer_id": "c-2",
        "properties": '{"friend": "c-17", "n": 17}',
    },
    {"event_id": "f4", "event": "Products Searched", "customer_id": "c-2", "query": "blowjoe@example.org"},
    {"event_id": "f5", "event": "Products Searched", "customer_id": "c-2", "query": "who is Joe Doe?"},
]
CUSTOMERS = [
    {"customer_id": "c-17", "email": "Joe@Example.org", "first_name": "Joe", "last_name": "Doe"},
    {"customer_id": "c-18", "email": " joe@example.ORG ", "first_name": "Joe", "last_name": "Doe"},
    {"customer_id": "c-171", "email": "blowjoe@example.org", "first_name": "Ann", "last_name": "Lee"},
    {"customer_id": "c-2", "email": "bob@example.org", "first_name": "Bob", "last_name": "Ray"},
]
HIS = {"e1", "e2", "e3", "e6", "e7", "e8", "e9"}


def events() -> pl.DataFrame:
    columns = ("event_id", "event", "customer_id", "anonymous_id", "message_id", "order_id", "product_id")
    schema = dict.fromkeys((*columns, "url", "query", "properties"), pl.String)
    return pl.DataFrame(EVENTS, schema=schema).with_columns(occurred_at=pl.lit(datetime(2025, 5, 1, 10)))


def build(root: Path) -> Home:
    """The home, with its landing folder taken in and what is made of it, in short."""
    home = Home(root, root / "landing")
    home.landing.mkdir(parents=True)
    (home.landing / "customers.csv").write_text(
        'customer_id,email,first_name,last_name\r\nc-17,Joe@Example.org,Joe,Doe\r\nc-18," joe@example.ORG ",Joe,Doe\r\n'
        'c-171,blowjoe@example.org,"Ann",Lee\r\nc-2,bob@example.org,Bob,Ray\r\n'
    )
    (home.landing / "events").mkdir()
    events().head(5).write_parquet(home.landing / "events" / "a.parquet")
    (home.landing / "events" / "b.jsonl").write_text(
        "".join(
            json.dumps({k: str(v) for k, v in row.items() if v is not None}) + "\n"
            for row in events().tail(9).iter_rows(named=True)
        )
        + '{"event_id": "x", "event": "Nothing", "occurred_at": "2025-05-01", "customer_id": "c-17"}\n'
        + '{"event_id": "y", "event": "Nothing", "occurred_at": "2025-05-01", "customer_id": "c-2"}\n'
    )
    (home.landing / "consents.csv").write_text(
        "customer_id,purpose,granted,occurred_at\nc-17,email_marketing,true,2025-01-01\nc-2,email_marketing,true,2025-01-01\n"
    )
    (home.landing / "products.csv").write_text("product_id,name,price\np1,Shoe,17\np2,Hat,17\n")
    ingest(home, NOW)
    plan = pl.DataFrame(
        {
            "plan_date": DAY,
            "customer_id": ["c-17", "c-2"],
            "message_id": ["m-9", "m-8"],
            "subject": ["Joe, look", "Bob, look"],
        }
    )
    replace_parquet(home.plan(DAY) / "send_plan.parquet", plan)
    replace_parquet(
        home.features(DAY) / "feat_customer.parquet", plan.select("customer_id", n_orders=pl.lit(17))
    )
    replace_parquet(home.outcomes(DAY) / "outcomes.parquet", plan.drop("subject"))
    with duckdb.connect(str(home.warehouse)) as connection:
        connection.execute("create table fct_events as select * from plan")
        connection.execute("create view v as select count(*) as n from fct_events")
        connection.execute("create table numbers as select 17 as n, 'c-171' as customer_id")
    return home
