"""Hand-made customers in whose lives everything happens that a feature, trigger or label speaks of.

A simulated shop of some hundred customers leaves columns empty: nobody has a birthday, complains or buys the same thing
three times. `add_stories` puts one small story for each of them into the raw tables, once for each of the given dates.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path

import polars as pl
from dbt_harness import read_events, write_events

PRODUCTS = ("tent", "stove", "lamp", "soap", "wax", "boots", "kayak-0", "kayak-1")
"""The tent goes with stove and lamp, soap and wax are used up, boots are looked at, each kayak was out of stock once."""

Row = dict[str, object]


def add_stories(raw: Path, dates: list[date]) -> None:
    """Add the stories to the raw tables in `raw`: customers, products, consents and events."""
    customers, events, versions, consents = [], [], [], []
    for number, day in enumerate(dates):
        midnight = datetime.combine(day, time())
        for name, happened in _stories(number):
            customer = f"{name}-{number}"
            customers.append({"customer_id": customer, **_person(name, number, day)})
            for days_before, event, columns in happened:
                at = midnight - timedelta(days=days_before)
                known_by = {} if "anonymous_id" in columns else {"customer_id": customer}
                events.append({"event": event, "occurred_at": at, **known_by, **columns})
        consents += [
            {
                "customer_id": f"leaves-{number}",
                "purpose": "email_marketing",
                "granted": granted,
                "days": days,
            }
            for granted, days in ((True, 30), (False, 3 + number))
        ]
        for consent in consents[-2:]:
            consent["occurred_at"] = midnight - timedelta(days=consent.pop("days"))
        versions += [
            {
                "product_id": f"kayak-{number}",
                "in_stock": in_stock,
                "updated_at": midnight - timedelta(days=days),
            }
            for in_stock, days in ((True, 200), (False, 20 + number), (True, 3))
        ]
    undated = [{"product_id": name, "in_stock": True, "updated_at": None} for name in PRODUCTS[:6]]
    named = [{**_product(row["product_id"]), **row} for row in [*undated, *versions]]
    _append(raw / "customers.parquet", customers)
    _append(raw / "products.parquet", named)
    _append(raw / "consents.parquet", consents)
    before = read_events(raw)
    numbered = [{"event_id": f"story-{number}", "quantity": 1.0, **row} for number, row in enumerate(events)]
    write_events(raw, pl.concat([before, _rows(numbered, before.schema)]))


def _person(name: str, number: int, day: date) -> Row:
    """A year or two a member, but for the one whose anniversary it is; with two whose mailbox is one, and one without."""
    years = day.year - 1 - number
    signed_up = day.replace(year=years) + timedelta(days=1 if name == "anniversary" else -40)
    email = {"no-mailbox": "", "twin": f"elder-{number}@example.org"}.get(
        name, f"{name}-{number}@example.org"
    )
    birth = date(1990 - number, day.month, day.day) + timedelta(days=number if name == "birthday" else 100)
    return {
        "email": email,
        "signed_up_at": datetime.combine(signed_up, time(8)),
        "birth_date": birth,
        "timezone": "Europe/Berlin",
        "country": "DE",
    }


def _product(name: object) -> Row:
    return {
        "name": str(name).title(),
        "category": "Outdoor",
        "brand": "Alp",
        "price": 20.0 + len(str(name)),
        "cost": 8.0,
        "is_consumable": name in ("soap", "wax"),
    }


def _stories(number: int) -> Iterator[tuple[str, list[tuple[float, str, Row]]]]:
    """Name and events, each so many days before the date; `number` makes the dates differ."""
    yield "birthday", []
    yield "anniversary", []
    yield "no-mailbox", []
    yield "elder", []
    yield "twin", []
    yield "leaves", [*_mail("leaves", number, 9), (8.5, "Unsubscribed", {"message_id": f"leaves-{number}"})]
    yield (
        "complains",
        [
            *_mail("complains", number, 9),
            (8.5, "Email Marked as Spam", {"message_id": f"complains-{number}"}),
        ],
    )
    yield (
        "bounces",
        [
            (9, "Email Sent", _sent("bounces", number)),
            (9, "Email Bounced", {"message_id": f"bounces-{number}"}),
        ],
    )
    yield (
        "uses-offer",
        [*_mail("uses-offer", number, 8), (6, *_order("boots", "offer", number, coupon="SPRING"))],
    )
    yield (
        "angry",
        [
            (
                1 + number,
                "Support Contacted",
                {"properties": '{"topic":"delivery","sentiment":"very_negative"}'},
            )
        ],
    )
    yield (
        "reviews",
        [(9, "Review Submitted", {"product_id": "boots", "properties": f'{{"rating":{4 + number}}}'})],
    )
    yield (
        "disappointed",
        [(2, "Review Submitted", {"product_id": "boots", "properties": '{"rating":1}'})],
    )
    yield "silent", [(90 + number, *_order("boots", "silent", number))]
    yield (
        "second",
        [(at, *_order("lamp", f"second-{at}", number)) for at in (10, 20, 25, 35, 40)[: 2 + 3 * number]],
    )
    yield (
        "refunded",
        [
            (50, *_order("boots", "refunded", number)),
            (30, "Order Refunded", {"order_id": f"refunded-{number}", "product_id": "boots", "price": 5.0}),
        ],
    )
    yield (
        "baskets",
        [
            (70 - at, *_order(product, f"basket-{at}", number))
            for at in range(7 + number)
            for product in ("tent", "stove" if at < 4 + number else "lamp")
        ],
    )
    yield "tent-alone", [(30 + number, *_order("tent", "tent-alone", number))]
    yield (
        "washes",
        [
            (at, *_order(("soap", "wax")[number], f"soap-{at}", number))
            for at in (45 + number, 30 + number, 15)
        ],
    )
    yield "washes-too", [(at, *_order("soap", f"soap-too-{at}", number)) for at in (31, 15)]
    yield (
        "checkout",
        [
            (0.3, "Product Added", {"product_id": "boots", "price": 25.0}),
            (0.2 + 0.01 * number, "Checkout Started", {}),
        ],
    )
    yield (
        "returns",
        [
            (at, "Product Viewed", {"product_id": ("boots", "stove")[number]})
            for at in (7, 5, 3, 1, 0.5)[: 4 + number]
        ],
    )
    yield "waits", [(at, "Product Viewed", {"product_id": f"kayak-{number}"}) for at in (16, 15)]
    yield "reads", [(at, "Products Searched", {"query": "boots"}) for at in (6, 5)]


def _mail(name: str, number: int, days_before: float) -> list[tuple[float, str, Row]]:
    """A mail with an offer that a person opens and clicks in."""
    message = {"message_id": f"{name}-{number}"}
    return [
        (days_before, "Email Sent", _sent(name, number)),
        (days_before, "Email Delivered", message),
        (days_before - 0.1, "Email Opened", {**message, "user_agent": "Thunderbird", "device": "desktop"}),
        (days_before - 0.2, "Email Link Clicked", {**message, "url": "/boots"}),
    ]


def _sent(name: str, number: int) -> Row:
    variant = "ab"[number % 2]
    properties = f'{{"message_key":"news","subject_variant":"{variant}","offer_key":"percent_10"}}'
    return {"message_id": f"{name}-{number}", "properties": properties, "coupon": "SPRING"}


def _order(product: str, order: str, number: int, **columns: object) -> tuple[str, Row]:
    return (
        "Order Completed",
        {"order_id": f"{order}-{number}", "product_id": product, "price": 20.0 + number, **columns},
    )


def _append(file: Path, rows: list[Row]) -> None:
    before = pl.read_parquet(file)
    pl.concat([before, _rows(rows, before.schema)]).write_parquet(file)


def _rows(rows: list[Row], schema: pl.Schema) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)
