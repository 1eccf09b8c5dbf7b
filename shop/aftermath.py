"""What follows an order or a sign-up later: refunds, reviews, service contacts, changes of consent."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shop.catalogue import CATEGORY_NAMES, Catalogue, Floats, Ints
from shop.landing import CONSENTS, TIME
from shop.people import US_PER_HOUR, People
from shop.state import State

_DAY = 24 * US_PER_HOUR
_RETURNED_MORE = tuple(CATEGORY_NAMES.index(name) for name in ("Running", "Hiking", "Swimming"))
_TOPICS = np.array(["delivery", "damaged item", "invoice", "size advice", "account"])


def after_orders(
    lines: pl.DataFrame, catalogue: Catalogue, state: State, rng: np.random.Generator
) -> pl.DataFrame:
    """Refunds (5-25 days later), reviews (7-21) and complaints (1-10) that a day's order lines lead to.

    Complaints set the day on which the customer's mood falls in ``state``. Returns events without event_id.
    """
    size = lines.height
    product, at, person = lines["product"].to_numpy(), lines["at"].to_numpy(), lines["person"].to_numpy()
    often = np.isin(catalogue.category[product], _RETURNED_MORE)
    refunded = np.flatnonzero(rng.random(size) < np.where(often, 0.075, 0.025))
    reviewed = np.flatnonzero(rng.random(size) < 0.07)
    complained = np.flatnonzero(rng.random(size) < 0.022)
    rating = np.clip(np.rint(rng.normal(catalogue.quality[product[reviewed]], 0.9)), 1, 5).astype(np.int64)
    refund_at, review_at, contact_at = (
        at[rows] + _later(rng.uniform(low, high, len(rows)))
        for rows, low, high in ((refunded, 5, 25), (reviewed, 7, 21), (complained, 1, 10))
    )
    matter = np.where(rng.random(len(complained)) < 0.6, "delivery", "damaged item")
    annoyance = rng.uniform(0.35, 0.95, len(complained))
    state.shock_on[person[complained]] = contact_at // _DAY + date(1970, 1, 1).toordinal()
    order = ("customer_id", "order_id", "product_id")
    return pl.concat(
        [
            lines[refunded].select(*order, "quantity", "price", "discount", "coupon").with_columns(
                pl.lit("Order Refunded").alias("event"), pl.Series("occurred_at", refund_at).cast(TIME)
            ),
            lines[reviewed].select(*order, "device").with_columns(
                pl.lit("Review Submitted").alias("event"),
                pl.Series("occurred_at", review_at).cast(TIME),
                pl.Series("properties", [f'{{"rating":{stars}}}' for stars in rating], dtype=pl.String),
            ),
            lines[complained].select("customer_id", "order_id").with_columns(
                pl.lit("Support Contacted").alias("event"),
                pl.Series("occurred_at", contact_at).cast(TIME),
                _contact(matter, -annoyance, "email").alias("properties"),
            ),
        ],
        how="diagonal_relaxed",
    )  # fmt: skip


def small_talk(people: People, state: State, day_us: int, rng: np.random.Generator) -> pl.DataFrame:
    """Service contacts without an order on one day."""
    active = (people.signed_up[:-1] < day_us) & ~state.is_gone[:-1]
    rows = np.flatnonzero(active & (rng.random(people.size) < 0.0006))
    topic = _TOPICS[rng.integers(2, len(_TOPICS), len(rows))]
    at = day_us + _later(rng.random(len(rows)))
    sentiment = np.clip(rng.normal(0.1, 0.25, len(rows)), -1.0, 1.0)
    return pl.DataFrame(
        {
            "event": ["Support Contacted"] * len(rows),
            "occurred_at": pl.Series(at).cast(TIME),
            "customer_id": people.customers["customer_id"].gather(rows),
            "properties": _contact(topic, sentiment, "chat"),
        }
    )


def _contact(topic: NDArray[np.str_], sentiment: Floats, channel: str) -> pl.Series:
    """Properties of service contacts; ``sentiment`` from -1, furious, to 1, delighted."""
    return pl.Series(
        [
            f'{{"topic":"{about}","sentiment":{mood:.2f},"channel":"{channel}"}}'
            for about, mood in zip(topic, sentiment, strict=True)
        ],
        dtype=pl.String,
    )


def newcomers(people: People, day_us: int) -> pl.DataFrame:
    """Subscribed events of customers who sign up on one day and allow mail."""
    rows = np.flatnonzero(
        (people.signed_up[:-1] >= day_us)
        & (people.signed_up[:-1] < day_us + _DAY)
        & people.mails_allowed[:-1]
    )
    return pl.DataFrame(
        {
            "event": ["Subscribed"] * len(rows),
            "occurred_at": pl.Series(people.signed_up[rows]).cast(TIME),
            "customer_id": people.customers["customer_id"].gather(rows),
        },
        schema_overrides={"event": pl.String},
    )


def second_thoughts(people: People, day_us: int, rng: np.random.Generator) -> pl.DataFrame:
    """Profiling consents withdrawn in the preference centre on one day, as consent rows."""
    rows = np.flatnonzero((people.signed_up[:-1] < day_us) & (rng.random(people.size) < 0.0001))
    return _consents(people, rows, "profiling", day_us + _later(rng.random(len(rows))), "preference_centre")


def unsubscribed(events: pl.DataFrame) -> pl.DataFrame:
    """The consent rows that go with Unsubscribed events."""
    return events.filter(pl.col("event") == "Unsubscribed").select(
        "customer_id",
        pl.lit("email_marketing").alias("purpose"),
        pl.lit(False).alias("granted"),
        "occurred_at",
        pl.lit("unsubscribe_link").alias("source"),
    )


def _consents(people: People, rows: NDArray[np.int64], purpose: str, at: Ints, source: str) -> pl.DataFrame:
    size = len(rows)
    return pl.DataFrame(
        {
            "customer_id": people.customers["customer_id"].gather(rows),
            "purpose": [purpose] * size,
            "granted": [False] * size,
            "occurred_at": pl.Series(at).cast(TIME),
            "source": [source] * size,
        },
        schema_overrides=CONSENTS,
    )


def _later(days: Floats) -> Ints:
    """Microseconds, whole milliseconds."""
    return (days * _DAY / 1_000).astype(np.int64) * 1_000
