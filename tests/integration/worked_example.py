"""The worked example: a runner who looked at a pair of shoes on Monday evening, laid into the landing folder of a shop.

What the shop has learnt by then is laid in too: which subject is opened, what is bought with the shoes, when he reads.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from models.policy import PolicyConfig, draws
from models.policy.control import in_control
from shop.landing import CONSENTS, CONTENTS, CUSTOMERS, EVENTS, PRODUCTS

NAME, BRAND, ZONE = "Sam", "Strideline", "Europe/London"
SHOES, SOCKS, TRACKER = "run-shoes", "run-socks", "run-tracker"
BEGINNERS, MARATHON = ("run-first-steps", "run-couch-to-5k"), "run-first-marathon"
MINUTE = time(8, 15)
_LANDED = datetime(2025, 1, 7)
_READER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0 Safari/537.36"
_N_ANSWERS = 60


def runner(day: date) -> str:
    """The id of a customer who on this day explores neither hour nor offer nor message; his minute is the quarter past."""
    config = PolicyConfig(day)
    ids = pl.Series([f"runner{n:05d}" for n in range(5_000)])
    lots = draws.uniforms(
        ids,
        seed=config.seed,
        streams=["u_minute", "u_explore", "u_hour", "u_offer", "u_message", "u_variant"],
    )
    fit = lots.select(
        ((pl.col("u_minute") * 60).floor() == MINUTE.minute)
        & (pl.col("u_explore") > 0.5)
        & pl.min_horizontal("u_hour", "u_offer", "u_message", "u_variant").is_between(0.3, 0.7)
    ).to_series()
    fit &= ~in_control(ids, salt=config.salt, share=0.5)
    return str(ids.filter(fit)[0])


def lay_in(landing: Path, day: date) -> None:
    """Add the runner, his shop window, his past and what others did to the landing folder, all of it before `day`."""
    sam = runner(day)
    others = pl.read_parquet(landing / "customers.parquet").filter(pl.col("signed_up_at") < _LANDED)[
        "customer_id"
    ]
    _append(landing, "customers", CUSTOMERS, [_person(sam)])
    _append(landing, "products", PRODUCTS, list(_products()))
    _append(landing, "contents", CONTENTS, list(_contents()))
    consents = [
        {"customer_id": sam, "purpose": purpose, "granted": True, "occurred_at": _LANDED, "source": "sign-up"}
        for purpose in ("email_marketing", "profiling", "tracking")
    ]
    _append(landing, "consents", CONSENTS, consents)
    story = _Story(count(1))
    events = [
        *_past_of(sam, day, story),
        *_monday_evening(sam, day, story),
        *_answers(others.sort().to_list(), story),
    ]
    frame = pl.DataFrame(events, schema=EVENTS, infer_schema_length=None)
    frame.write_parquet(landing / "events" / "worked_example.parquet")


@dataclass(frozen=True)
class _Story:
    """Events with ids of their own."""

    numbers: Iterator[int]

    def tell(self, event: str, customer: str, at: datetime, **columns: object) -> dict[str, object]:
        return {
            "event_id": f"story-{next(self.numbers)}",
            "event": event,
            "customer_id": customer,
            "occurred_at": at,
            **columns,
        }

    def mail(
        self,
        customer: str,
        at: datetime,
        message: str,
        variant: str,
        opened: timedelta | None,
        clicked: bool = False,
    ) -> Iterator[dict[str, object]]:
        named = f"story-{message}-{variant}-{customer}-{at:%Y%m%d%H}"
        properties = json.dumps(
            {"message_key": message, "subject_variant": variant, "tone": "friendly", "offer_key": "none"}
        )
        yield self.tell("Email Sent", customer, at, message_id=named, properties=properties)
        yield self.tell("Email Delivered", customer, at + timedelta(seconds=20), message_id=named)
        if opened is not None:
            yield self.tell("Email Opened", customer, at + opened, message_id=named, user_agent=_READER)
        if opened is not None and clicked:
            yield self.tell(
                "Email Link Clicked",
                customer,
                at + opened + timedelta(minutes=1),
                message_id=named,
                user_agent=_READER,
            )

    def order(
        self, customer: str, at: datetime, products: dict[str, float], off: float = 0.0
    ) -> Iterator[dict[str, object]]:
        order_id = f"story-{customer}-{at:%Y%m%d%H%M}"
        for product, price in products.items():
            yield self.tell(
                "Order Completed",
                customer,
                at,
                order_id=order_id,
                product_id=product,
                quantity=1,
                price=price,
                discount=off * price,
            )


def _person(sam: str) -> dict[str, object]:
    return {
        "customer_id": sam,
        "email": "sam@example.com",
        "first_name": NAME,
        "last_name": "Field",
        "locale": "en-GB",
        "timezone": ZONE,
        "country": "GB",
        "city": "Leeds",
        "signed_up_at": _LANDED,
    }


def _products() -> Iterator[dict[str, object]]:
    for product_id, name, subcategory, price in (
        (SHOES, f"{BRAND} Road Runners", "Running Shoes", 95.0),
        (SOCKS, f"{BRAND} Cushion Socks", "Running Socks", 14.0),
        (TRACKER, f"{BRAND} Pace Tracker", "Running Gadgets", 49.0),
    ):
        yield {
            "product_id": product_id,
            "name": name,
            "category": "Running",
            "subcategory": subcategory,
            "brand": BRAND,
            "price": price,
            "cost": price * 0.4,
            "currency": "EUR",
            "url": f"https://shop.example/{product_id}",
            "in_stock": True,
            "is_consumable": False,
            "is_sensitive": False,
            "released_at": _LANDED - timedelta(days=300),
        }


def _contents() -> Iterator[dict[str, object]]:
    titles = (
        "Your first steps as a runner",
        "From the couch to five kilometres",
        "Training for a first marathon",
    )
    for content_id, title in zip((*BEGINNERS, MARATHON), titles, strict=True):
        yield {
            "content_id": content_id,
            "title": title,
            "kind": "article",
            "summary": f"{title}: a plan for beginners.",
            "topics": ["Road Running"],
            "url": f"https://shop.example/read/{content_id}",
            "published_at": _LANDED - timedelta(days=5),
        }


def _past_of(sam: str, day: date, story: _Story) -> Iterator[dict[str, object]]:
    """He reads what comes on Tuesdays at eight, within two hours, and no other mail; buys at a discount; reads."""
    zone = ZoneInfo(ZONE)
    for week in range(2, 16):
        tuesday = day - timedelta(weeks=week)
        for wait, clock in ((0, time(8)), (1, time(12)), (2, time(18)), (4, time(15))):
            local = datetime.combine(tuesday + timedelta(days=wait), clock, zone)
            at = local.astimezone(ZoneInfo("UTC")).replace(tzinfo=None)
            opened = timedelta(minutes=125 if week % 3 == 0 else 65) if wait == 0 else None
            yield from story.mail(sam, at, "weekly_broadcast", "plain", opened)
    for nth in range(5):
        at = datetime.combine(day, time(19)) - timedelta(days=21 + 14 * nth)
        yield from story.order(sam, at, {SOCKS: 14.0}, off=0.1 if nth < 3 else 0.0)
    for nth, content_id in enumerate(BEGINNERS * 2):
        at = datetime.combine(day, time(20)) - timedelta(days=6 + 3 * nth)
        yield story.tell("Content Viewed", sam, at, content_id=content_id)


def _monday_evening(sam: str, day: date, story: _Story) -> Iterator[dict[str, object]]:
    for minute in (0, 9):
        at = datetime.combine(day, time(19, 30)) - timedelta(days=1) + timedelta(minutes=minute)
        yield story.tell("Product Viewed", sam, at, product_id=SHOES, price=95.0)


def _answers(others: list[str], story: _Story) -> Iterator[dict[str, object]]:
    """One subject of the message was opened by nearly all, and many bought; the others were not. Readers went on reading."""
    variants = ("still_thinking", "worth_another_look", "closer_look", "in_category", "ideas")
    for nth, customer in enumerate(others[: _N_ANSWERS * len(variants)]):
        variant = variants[nth % len(variants)]
        at = _LANDED + timedelta(days=20 + nth % 40, hours=9)
        likes = variant == "still_thinking"
        opened = timedelta(minutes=25) if likes or nth % 15 == 0 else None
        yield from story.mail(customer, at, "browse_abandoned", variant, opened, clicked=likes)
        if likes:
            companion = SOCKS if nth % 2 else TRACKER
            yield from story.order(
                customer, at + timedelta(minutes=40), {SHOES: 95.0, companion: 14.0 if nth % 2 else 49.0}
            )
            for wait, content_id in enumerate((BEGINNERS[nth % 2], MARATHON)):
                yield story.tell(
                    "Content Viewed", customer, at + timedelta(days=wait + 1), content_id=content_id
                )


def _append(landing: Path, table: str, schema: dict[str, object], rows: list[dict[str, object]]) -> None:
    file = landing / f"{table}.parquet"
    known = pl.read_parquet(file)
    added = pl.DataFrame(rows, schema=schema, infer_schema_length=None)
    pl.concat(
        [known, added.select(pl.col(name).cast(kind) for name, kind in known.schema.items())]
    ).write_parquet(file)
