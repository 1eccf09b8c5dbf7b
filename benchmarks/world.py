"""Raw tables of a large shop, made of random numbers in seconds: the size matters here, not the behaviour.

Customers differ in how active they are (a power law), sends come daily to a part of them, opens and clicks follow sends, a
fifth of the visits is anonymous until a log-in, one in a hundred is on a device that four people share, orders follow carts,
some are refunded.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb
import polars as pl

from assets.home import Home
from assets.landing.contract import CONSENTS, CONTENTS, CUSTOMERS, EVENTS, PRODUCTS, Table
from assets.landing.ingest import EVENT_DAYS
from assets.landing.layout import event_days_path, events_day_path, events_schema_path, table_path

N_PRODUCTS, N_CONTENTS = 5_000, 500
LAST_DAY = date(2025, 6, 30)

# Of every 1,000 events so many are of a kind.
SENT, DELIVERED, OPENED, CLICKED, BOUNCED, VISITED, ORDERED, REFUNDED = 340, 330, 75, 12, 3, 205, 30, 2


@dataclass(frozen=True)
class Size:
    """How large a shop is.

    Attributes:
        events: rows in all, to the nearest day's share below.
        customers: people.
        days: days over which the events are spread, the last one being `LAST_DAY`.
    """

    events: int
    customers: int
    days: int = 365

    def part(self, share: float) -> Size:
        """A shop of the same busyness with that share of the events and of the customers."""
        return Size(int(self.events * share), int(self.customers * share), self.days)

    @property
    def first_day(self) -> date:
        """The first day with events."""
        return LAST_DAY - timedelta(days=self.days - 1)


def write_raw(home: Home, size: Size) -> None:
    """Write all raw tables of a shop of this size into a home folder."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for table, sql in _DIMENSIONS.items():
            path = table_path(home, table.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            connection.execute(
                f"copy (select {_columns(table)} from ({sql.format(n=size.customers)}) order by all) to '{path}' (format parquet)"
            )
        schema = events_schema_path(home)
        schema.parent.mkdir(parents=True, exist_ok=True)
        pl.DataFrame(schema=EVENTS.schema).write_parquet(schema)
        days = [size.first_day + timedelta(days=number) for number in range(size.days)]
        _list_days(home, [_write_events(home, size, day, connection) for day in days])


def write_next_day(home: Home, size: Size) -> None:
    """Write the events of the day after `LAST_DAY`, as the raw assets would add them."""
    known = pl.read_parquet(event_days_path(home))
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        _list_days(home, [*known.rows(), _write_events(home, size, LAST_DAY + timedelta(days=1), connection)])


def _list_days(home: Home, days: list[tuple[date, str, int]]) -> None:
    pl.DataFrame(days, schema=EVENT_DAYS, orient="row").write_parquet(event_days_path(home))


def _write_events(
    home: Home, size: Size, day: date, connection: duckdb.DuckDBPyConnection
) -> tuple[date, str, int]:
    path = events_day_path(home, day)
    path.parent.mkdir(parents=True, exist_ok=True)
    per_day = size.events // size.days
    sql = _EVENTS.format(n=per_day, day=day, customers=size.customers, seed=day.toordinal())
    connection.execute(
        f"copy (select {_columns(EVENTS)} from ({sql}) order by occurred_at, event_id) to '{path}' (format parquet)"
    )
    with path.open("rb") as content:
        return day, hashlib.file_digest(content, "sha256").hexdigest(), per_day


def _columns(table: Table) -> str:
    types = {
        pl.String: "varchar",
        pl.Float64: "double",
        pl.Int64: "bigint",
        pl.Boolean: "boolean",
        pl.Date: "date",
    }
    return ", ".join(
        f"cast({c.name} as {types.get(type(c.dtype), 'timestamp')}) as {c.name}" for c in table.columns
    )


_DIMENSIONS = {
    CUSTOMERS: """
        select 'c' || i as customer_id, 'c' || i || '@example.org' as email, 'Ann' as first_name, 'Lee' as last_name, 'en-GB' as locale,
            case when i % 10 < 9 then ['Europe/London', 'Europe/Berlin', 'America/New_York', 'Asia/Tokyo'][1 + i % 4] end as timezone,
            ['GB', 'DE', 'US', 'JP'][1 + i % 4] as country, null as region, null as city,
            timestamp '2022-01-01' + to_seconds(hash(i) % 86400000) as signed_up_at, ['checkout', 'form', 'app'][1 + i % 3] as signup_source,
            date '1950-01-01' + cast(hash(i) % 20000 as integer) as birth_date, ['female', 'male'][1 + i % 2] as gender,
            null as company, null as industry, null as job_role, null as company_size
        from range({n}) as people (i)""",
    PRODUCTS: f"""
        select 'p' || i as product_id, 'Product ' || i as name, 'category ' || (i % 20) as category, 'shelf ' || (i % 100) as subcategory,
            'brand ' || (i % 50) as brand, 5 + hash(i) % 9500 / 100.0 as price, 2 + hash(i) % 3000 / 100.0 as cost, 'EUR' as currency,
            null as image_url, null as url, i % 25 > 0 as in_stock, i % 5 = 0 as is_consumable, i % 97 = 0 as is_sensitive,
            timestamp '2020-01-01' as released_at, null as updated_at
        from range({N_PRODUCTS}) as products (i)""",
    CONTENTS: f"""
        select 'a' || i as content_id, 'Article ' || i as title, 'article' as kind, null as summary, 'topic ' || (i % 30) as topics,
            null as url, null as image_url, timestamp '2024-01-01' + to_days(cast(i % 300 as integer)) as published_at, null as starts_at, null as city
        from range({N_CONTENTS}) as contents (i)""",
    CONSENTS: """
        select 'c' || i as customer_id, purpose, hash(i, purpose) % 100 < 93 as granted, timestamp '2022-01-01' as occurred_at, 'form' as source
        from range({n}) as people (i), (values ('email_marketing'), ('profiling')) as purposes (purpose)""",
}

# A customer's share of the events falls with his number, so that some are busy and most are not.
_EVENTS = f"""
    with numbered as (
        select i, cast(hash(i, {{seed}}, 1) >> 2 as bigint) as a, cast(hash(i, {{seed}}, 2) >> 2 as bigint) as b, cast(hash(i, {{seed}}, 3) >> 2 as bigint) as c
        from range({{n}}) as events (i)
    ),
    -- Five events in a row are one visit, by one person within minutes; e-mails stand alone, sent at one of the sender's hours.
    visited as (
        select *,
            a % 1000 as kind,
            (a % 1000) >= {SENT + DELIVERED + OPENED + CLICKED + BOUNCED} as is_visit,
            case when is_visit then hash(i // 24, {{seed}}, 5) else hash(i, {{seed}}, 5) end as who
        from numbered
    ),
    drawn as (
        select *,
            cast(floor({{customers}} * power((who % 1000000) / 1000000.0, 2)) as bigint) as number,
            'c' || number as person,
            case when who % 97 = 0 then 'household ' || (number // 4) else 'd' || number || '-' || (who % 2) end as device_id,
            case
                when is_visit then date '{{day}}' + interval (who % 84000) second + interval ((i % 24) * 20000 + a % 20000) millisecond
                when kind < {SENT} then date '{{day}}' + interval ([8, 10, 18][1 + c % 3]) hour + interval (a % 600000) millisecond
                when kind < {SENT + DELIVERED} then date '{{day}}' + interval ([8, 10, 18][1 + c % 3]) hour + interval (600000 + a % 60000) millisecond
                else date '{{day}}' + interval (a % 86400000) millisecond
            end as moment,
            'p' || (b % {N_PRODUCTS} * (c % 1000) // 1000) as product
        from visited
    ),
    -- Answers name the e-mail that went to the same person on an earlier day, or one that is not known.
    events as (
        select
            '{{day}}-' || i as event_id,
            case
                when kind < {SENT} then 'Email Sent'
                when kind < {SENT + DELIVERED} then 'Email Delivered'
                when kind < {SENT + DELIVERED + OPENED} then 'Email Opened'
                when kind < {SENT + DELIVERED + OPENED + CLICKED} then 'Email Link Clicked'
                when kind < {SENT + DELIVERED + OPENED + CLICKED + BOUNCED} then 'Email Bounced'
                when kind < {SENT + DELIVERED + OPENED + CLICKED + BOUNCED + VISITED} then
                    ['Page Viewed', 'Product Viewed', 'Product Viewed', 'Product Viewed', 'Products Searched', 'Content Viewed', 'Product Added', 'Product Viewed', 'Product Removed', 'Checkout Started'][1 + b % 10]
                when kind < {SENT + DELIVERED + OPENED + CLICKED + BOUNCED + VISITED + ORDERED} then 'Order Completed'
                when kind < {SENT + DELIVERED + OPENED + CLICKED + BOUNCED + VISITED + ORDERED + REFUNDED} then 'Order Refunded'
                when kind = 999 and b % 20 = 0 then 'Unsubscribed'
                else ['Support Contacted', 'Review Submitted'][1 + b % 2]
            end as event,
            person, device_id, product, moment, a, b, c, kind
        from drawn
    )
    select
        event_id,
        event,
        moment as occurred_at,
        case when event in ('Page Viewed', 'Product Viewed', 'Products Searched', 'Content Viewed', 'Product Added') and c % 5 = 0 then null else person end as customer_id,
        case when event like 'Email%' or event in ('Order Refunded', 'Support Contacted', 'Unsubscribed') then null else device_id end as anonymous_id,
        case when event in ('Product Viewed', 'Product Added', 'Product Removed', 'Order Completed', 'Order Refunded', 'Review Submitted') then product end as product_id,
        case when event = 'Content Viewed' then 'a' || (b % {N_CONTENTS}) end as content_id,
        case when event like 'Order%' then 'o-' || person || '-{{day}}' end as order_id,
        case when event like 'Order%' or event like 'Product A%' then 1 + b % 3 end as quantity,
        case when event like 'Order%' or event like 'Product%' then 5 + hash(product) % 9500 / 100.0 end as price,
        case when event = 'Order Completed' and c % 4 = 0 then 1.5 end as discount,
        case when event = 'Order Completed' and c % 8 = 0 then 'SAVE' end as coupon,
        case when event like 'Email%' or event = 'Unsubscribed' then
            'm-' || person || '-' || case when event in ('Email Sent', 'Email Delivered', 'Email Bounced') then date '{{day}}' else date '{{day}}' - cast(b % 3 as integer) end
        end as message_id,
        case when event = 'Email Link Clicked' then '/products/' || product end as url,
        case when event = 'Products Searched' then 'brand ' || (b % 50) end as query,
        case when event like 'Email%' then null else ['mobile', 'desktop'][1 + c % 2] end as device,
        case when event = 'Email Opened' then case when b % 3 = 0 then 'Mozilla/5.0' else 'Thunderbird' end end as user_agent,
        case
            when event = 'Email Sent' then '{{{{"message_key":"' || ['weekly_picks', 'win_back', 'welcome'][1 + b % 3] || '","subject_variant":"' || ['a', 'b'][1 + c % 2] || '","offer_key":"none"}}}}'
            when event = 'Email Bounced' then '{{{{"kind":"' || ['soft', 'hard'][1 + b % 2] || '"}}}}'
            when event = 'Review Submitted' then '{{{{"rating":' || (1 + b % 5) || '}}}}'
            when event = 'Support Contacted' then '{{{{"topic":"delivery"}}}}'
        end as properties
    from events
"""
