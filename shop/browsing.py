"""What happens in a visit: pages, searches, products and articles looked at, carts, check-outs, orders.

Who visits and when is decided in ``shop.world``; what follows an order days later is ``shop.aftermath``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shop.carts import Carts, fill_carts, with_coupons
from shop.catalogue import (
    BRAND_NAMES,
    CATEGORY_NAMES,
    CATEGORY_OF_SUBCATEGORY,
    CYCLE_DAYS,
    SHOP_URL,
    SUBCATEGORY_NAMES,
    Catalogue,
    Ints,
)
from shop.landing import TIME
from shop.looking import MAX_VIEWS, Views, draw, look
from shop.people import People, device_ids
from shop.state import State
from shop.visits import DESKTOP, MOBILE, NO_ITEM, Visits

SHIPPING_FEE = 4.95

# Places in the order of a visit; a view and its add take two.
_HOME, _SEARCH, _FIRST_VIEW = 0, 1, 2
_CONTENT = _FIRST_VIEW + 2 * (MAX_VIEWS + 2)
_REMOVE, _CHECKOUT, _ORDER = _CONTENT + 1, _CONTENT + 2, _CONTENT + 3

_BRAND_WORDS = np.array([*(f"{brand.lower()} " for brand in BRAND_NAMES), ""])
_SHELF_WORDS = np.array([name.lower() for name in SUBCATEGORY_NAMES])


@dataclass(frozen=True)
class Browsing:
    """Outcome of a day's visits. events: landing columns without event_id.

    lines: order lines with person, product, at (microseconds), order_id, quantity, price, discount, device. chances: the
    truth about every visit in which something was looked at: message_id of the mail that brought it (or null),
    has_free_shipping, p_order (chance of an order, given what was looked at), order_margin (what its goods would leave on
    average, see `shop.baskets`), is_order.
    """

    events: pl.DataFrame
    lines: pl.DataFrame
    chances: pl.DataFrame


def browse(
    visits: Visits,
    people: People,
    catalogue: Catalogue,
    *,
    state: State,
    day: date,
    rng: np.random.Generator,
) -> Browsing:
    """Play a day's visits and update ``state`` with what people saw, left in the cart and bought."""
    visits = with_coupons(visits, people, state=state, day=day, rng=rng)
    size = len(visits)
    person = visits.person
    is_known = (person >= 0) & (people.signed_up[person] <= visits.at)
    views = look(visits, people, catalogue, state=state, day=day, rng=rng)
    carts = fill_carts(visits, views, is_known, people, catalogue, state=state, day=day, rng=rng)
    order_ids = pl.Series([None] * size, dtype=pl.String).scatter(
        np.flatnonzero(carts.buys),
        [f"o{day:%Y%m%d}{number:05d}" for number in range(1, int(carts.buys.sum()) + 1)],
    )
    steps = pl.concat(
        [
            *_orienting(visits, views, people, catalogue, day=day, rng=rng),
            _steps(
                "Product Viewed",
                np.append(views.visit, carts.extra_visit),
                _FIRST_VIEW + 2 * np.append(views.place, np.full(len(carts.extra_visit), MAX_VIEWS)),
                product=np.append(views.product, carts.extra_product),
            ),
            *_buying(visits, carts, catalogue),
        ],
        how="diagonal",
    )
    remembered = rng.random(size) < people.remembered_share[person]
    is_open = ~visits.from_mail & ~(is_known & remembered)
    events, lines = _as_events(
        _timed(steps, visits.at, rng),
        visits,
        people,
        catalogue,
        is_known=is_known,
        is_open=is_open,
        order_ids=order_ids,
        day=day,
        rng=rng,
    )
    baskets = np.flatnonzero(carts.is_filled & is_known)
    seen = (person[np.append(views.visit, carts.extra_visit)], np.append(views.product, carts.extra_product))
    left = (person[baskets], carts.main[baskets])
    _remember(state, people, catalogue, seen=seen, left=left, lines=lines, day=day, rng=rng)
    return Browsing(events, lines, _chances(visits, views, carts))


def _chances(visits: Visits, views: Views, carts: Carts) -> pl.DataFrame:
    looked = views.count > 0
    return pl.DataFrame(
        {
            "message_id": visits.message_id,
            "has_free_shipping": visits.has_free_shipping,
            "p_order": carts.p_order,
            "order_margin": carts.order_margin,
            "is_order": carts.buys,
        }
    ).filter(pl.Series(looked))


def _orienting(
    visits: Visits,
    views: Views,
    people: People,
    catalogue: Catalogue,
    *,
    day: date,
    rng: np.random.Generator,
) -> list[pl.DataFrame]:
    """Home pages, searches and articles."""
    chooses = visits.product == NO_ITEM
    homes = np.flatnonzero(chooses & (visits.content == NO_ITEM))
    is_search = rng.random(len(visits)) < np.where(visits.from_mail, 0.05, 0.28)
    searches = np.flatnonzero((views.count > 0) & is_search & chooses)
    brand = np.where(rng.random(len(searches)) < 0.3, catalogue.brand[views.first[searches]], NO_ITEM)
    reads, content = _reads(visits, people, catalogue, day, rng)
    return [
        _steps("Page Viewed", homes, _HOME, url=[f"{SHOP_URL}/"] * len(homes)),
        _steps(
            "Products Searched",
            searches,
            _SEARCH,
            query=np.char.add(_BRAND_WORDS[brand], _SHELF_WORDS[views.shelf[searches]]),
        ),
        _steps("Content Viewed", reads, _CONTENT, content=content),
    ]


def _buying(visits: Visits, carts: Carts, catalogue: Catalogue) -> list[pl.DataFrame]:
    """Adding, removing, checking out, ordering."""
    is_ordered = ~carts.is_removed & carts.buys[carts.visit]
    discount = np.round(
        catalogue.price[carts.product] * carts.quantity * visits.discount_rate[carts.visit], 2
    )
    return [
        _steps(
            "Product Added",
            carts.visit,
            _FIRST_VIEW + 2 * carts.place + 1,
            product=carts.product,
            quantity=carts.quantity,
        ),
        _steps(
            "Product Removed",
            carts.visit[carts.is_removed],
            _REMOVE,
            product=carts.product[carts.is_removed],
            quantity=carts.quantity[carts.is_removed],
        ),
        _steps("Checkout Started", np.flatnonzero(carts.checks_out), _CHECKOUT),
        _steps(
            "Order Completed",
            carts.visit[is_ordered],
            _ORDER,
            product=carts.product[is_ordered],
            quantity=carts.quantity[is_ordered],
            discount=discount[is_ordered],
        ),
    ]


def _reads(
    visits: Visits, people: People, catalogue: Catalogue, day: date, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Visits in which an article is read, and which: by the person's taste for its topic."""
    rows = np.flatnonzero((rng.random(len(visits)) < 0.16) | (visits.content != NO_ITEM))
    taste = people.taste[visits.person[rows]]
    by_category = np.column_stack(
        [
            taste[:, category == CATEGORY_OF_SUBCATEGORY].mean(axis=1)
            for category in range(len(CATEGORY_NAMES))
        ]
    )
    weight = np.exp(1.3 * by_category[:, catalogue.content_category])
    weight[:, catalogue.content_published > day.toordinal()] = 0.0
    drawn = draw(np.cumsum(weight, axis=1), np.arange(len(rows)), rng)
    return rows, np.where(visits.content[rows] != NO_ITEM, visits.content[rows], drawn)


def _steps(
    event: str,
    visit: Ints,
    place: Ints | int,
    *,
    product: Ints | None = None,
    content: Ints | None = None,
    **columns: Any,
) -> pl.DataFrame:
    """Things done in visits, not yet timed; ``place`` orders them within a visit."""
    none = np.full(len(visit), NO_ITEM)
    return pl.DataFrame(
        {
            "visit": visit,
            "place": np.broadcast_to(np.asarray(place), len(visit)),
            "product": none if product is None else product,
            "content": none if content is None else content,
        }
    ).with_columns(
        pl.lit(event).alias("event"), *(pl.Series(name, values) for name, values in columns.items())
    )


def _timed(steps: pl.DataFrame, starts_at: Ints, rng: np.random.Generator) -> pl.DataFrame:
    """Order the steps of each visit and let time pass between them; lines of one order share their instant."""
    steps = steps.sort("visit", "place", maintain_order=True)
    visit, place = steps["visit"].to_numpy(), steps["place"].to_numpy()
    opens = np.r_[True, visit[1:] != visit[:-1]] if len(visit) else visit > 0
    same_order = np.r_[False, (place[1:] == _ORDER) & (place[:-1] == _ORDER)][: len(visit)] & ~opens
    gap = (rng.exponential(38_000, len(visit)) + 2_000).astype(np.int64)
    gap[opens | same_order] = 0
    passed = np.cumsum(gap)
    first = np.flatnonzero(opens)
    passed -= np.repeat(passed[first], np.diff(np.append(first, len(visit))))
    return steps.with_columns(at=pl.Series(starts_at[visit] + passed * 1_000))


def _as_events(
    steps: pl.DataFrame,
    visits: Visits,
    people: People,
    catalogue: Catalogue,
    *,
    is_known: NDArray[np.bool_],
    is_open: NDArray[np.bool_],
    order_ids: pl.Series,
    day: date,
    rng: np.random.Generator,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Steps as landing events and order lines. ``is_open``: visits in which nobody has logged in before check-out."""
    size = len(visits)
    fee = np.where(visits.has_free_shipping, 0.0, SHIPPING_FEE)
    drawn = np.where(rng.random(size) < people.mobile_share[visits.person], MOBILE, DESKTOP)
    device = np.where(visits.device == NO_ITEM, drawn, visits.device)
    own = people.own_device(visits.person, device)
    strangers = day.toordinal() * 10_000_000 + np.arange(size)
    number = np.where(visits.person >= 0, own, strangers)
    by_visit = pl.DataFrame(
        {
            "customer_id": people.customers["customer_id"].gather(np.maximum(visits.person, 0)),
            "anonymous_id": device_ids(number),
            "device": np.where(device == MOBILE, "mobile", "desktop"),
            "coupon": visits.coupon,
            "order_id": order_ids,
            "message_id": visits.message_id,
            "person": visits.person,
            "is_known": is_known,
            "is_open": is_open,
            "properties": pl.Series(fee).cast(pl.String),
        }
    )[steps["visit"].to_numpy()]
    product, content = steps["product"].to_numpy(), steps["content"].to_numpy()
    is_order = pl.col("event") == "Order Completed"
    has_product, has_content = pl.col("product") >= 0, pl.col("content") >= 0
    item, piece = np.maximum(product, 0), np.maximum(content, 0)
    frame = pl.concat([steps, by_visit], how="horizontal").with_columns(
        pl.when(pl.col("is_known") & (~pl.col("is_open") | (pl.col("place") >= _CHECKOUT)))
        .then("customer_id")
        .alias("customer_id"),
        pl.when(has_product).then(catalogue.products["product_id"].gather(item)).alias("product_id"),
        pl.when(has_content).then(catalogue.contents["content_id"].gather(piece)).alias("content_id"),
        pl.when(has_product).then(pl.Series(catalogue.price[item])).alias("price"),
        pl.when(has_product)
        .then(catalogue.products["url"].gather(item))
        .when(has_content)
        .then(catalogue.contents["url"].gather(piece))
        .otherwise("url")
        .alias("url"),
        pl.when(is_order).then("order_id").alias("order_id"),
        pl.when(is_order).then("coupon").alias("coupon"),
        pl.when(is_order)
        .then(pl.concat_str(pl.lit('{"order_shipping":'), "properties", pl.lit("}")))
        .alias("properties"),
        pl.col("at").cast(TIME).alias("occurred_at"),
    )
    lines = frame.filter(is_order).select(
        "person", "product", "at", "order_id", "quantity", "price", "discount", "device", "message_id", "customer_id",
        "product_id", "coupon",
    )  # fmt: skip
    events = frame.select(
        *("event", "occurred_at", "customer_id", "anonymous_id", "product_id", "content_id", "order_id"),
        *("quantity", "price", "discount", "coupon", "url", "query", "device", "properties"),
    )
    return events, lines


def _remember(
    state: State,
    people: People,
    catalogue: Catalogue,
    *,
    seen: tuple[Ints, Ints],
    left: tuple[Ints, Ints],
    lines: pl.DataFrame,
    day: date,
    rng: np.random.Generator,
) -> None:
    """Update interest, carts and stocks. seen: (person, product) viewed; left: (person, product) put in a cart."""
    today = day.toordinal()
    person, product = seen
    np.add.at(state.intent, (person, catalogue.subcategory[product]), 1.0)
    np.minimum(state.intent, 6.0, out=state.intent)
    person, product = left
    state.cart_product[person], state.cart_on[person] = product, today
    buyer, bought = lines["person"].to_numpy(), lines["product"].to_numpy()
    shelf, quantity = catalogue.subcategory[bought], lines["quantity"].to_numpy()
    state.cart_product[buyer] = NO_ITEM - 1
    np.add.at(state.orders, lines.unique("order_id", maintain_order=True)["person"].to_numpy(), 1)
    state.intent[buyer, shelf] = 0.0
    lasts = people.cycle_days[buyer, shelf] * quantity * np.exp(rng.normal(0.0, 0.12, len(buyer)))
    is_pack = CYCLE_DAYS[shelf] > 0
    packs = np.flatnonzero(is_pack)
    state.due_on[buyer[packs], shelf[packs]] = today + np.maximum(lasts[packs].astype(np.int64), 3)
    state.usual_product[buyer[packs], shelf[packs]] = bought[packs]
    state.satiation[buyer[~is_pack], shelf[~is_pack]] = -2.5
    state.intent[-1] = 0.0
    state.cart_product[-1] = NO_ITEM - 1
