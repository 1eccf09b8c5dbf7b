"""The catalogue of the simulated shop: products and contents as landing tables, with their hidden truth as arrays."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shop import landing
from shop.articles import ARTICLES
from shop.config import ShopConfig
from shop.goods import BRANDS, FLAVOURS, GOES_WITH, MODELS, SCENTS, SUBCATEGORIES, Subcategory

SHOP_URL = "https://shop.example"
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BRAND_NAMES: tuple[str, ...] = tuple(sorted({brand for brands in BRANDS.values() for brand in brands}))
CATEGORY_NAMES: tuple[str, ...] = tuple(BRANDS)
SUBCATEGORY_NAMES: tuple[str, ...] = tuple(shelf.name for shelf in SUBCATEGORIES)
CATEGORY_OF_SUBCATEGORY: Ints = np.array([CATEGORY_NAMES.index(shelf.category) for shelf in SUBCATEGORIES])
CYCLE_DAYS: Ints = np.array([shelf.cycle_days for shelf in SUBCATEGORIES])
COMPANIONS = 3


@dataclass(frozen=True)
class Catalogue:
    """Products and contents on one day. ``products`` and ``contents`` follow the landing contract, with the products as
    they were before the first day; arrays run along their rows.

    subcategory, brand, category: positions in SUBCATEGORY_NAMES, BRAND_NAMES, CATEGORY_NAMES.
    price, in_stock: on the day. usual_price: outside price cuts. popularity: log weight. quality: mean rating, 1-5.
    companions: products x 3 bought together with it. relative_price: log price within the subcategory before the first
    day, standardised. released: ordinal of the release day. peak_month: of the subcategory, 0 for none.
    content_category: main category of a content.
    """

    products: pl.DataFrame
    contents: pl.DataFrame
    subcategory: Ints
    category: Ints
    brand: Ints
    price: Floats
    usual_price: Floats
    relative_price: Floats
    popularity: Floats
    quality: Floats
    companions: Ints
    released: Ints
    in_stock: NDArray[np.bool_]
    is_sensitive: NDArray[np.bool_]
    content_category: Ints
    content_published: Ints

    def is_released(self, day: date) -> NDArray[np.bool_]:
        """Which products have come on sale by a day, whether or not they are in stock."""
        return self.released <= day.toordinal()

    def on_sale(self, day: date) -> NDArray[np.bool_]:
        """Which products can be bought on a day."""
        return self.in_stock & self.is_released(day)

    @property
    def price_cut(self) -> Floats:
        """How far the price is below the usual one, as a log ratio; 0 without a cut."""
        return np.log(self.usual_price / self.price)

    def season(self, day: date) -> Floats:
        """Log demand per subcategory on a day: a yearly wave around the peak month."""
        peaks = np.array([shelf.peak_month for shelf in SUBCATEGORIES])
        phase = 2 * math.pi * (day.timetuple().tm_yday / 365.25 - (peaks - 0.5) / 12)
        return np.where(peaks > 0, 0.55 * np.cos(phase), 0.0)


def build_catalogue(config: ShopConfig) -> Catalogue:
    """Draw the shop's catalogue; the same seed and start give the same catalogue."""
    rng = config.rng("catalogue")
    tiers = dict(zip(BRAND_NAMES, rng.normal(0.0, 0.5, len(BRAND_NAMES)), strict=True))
    rows = [row for shelf in SUBCATEGORIES for row in _shelf(shelf, tiers, rng)]
    size = len(rows)
    names = [row[0] for row in rows]
    brands = [row[1] for row in rows]
    price = np.array([row[2] for row in rows])
    subcategory = np.array([row[3] for row in rows])
    shelves = [SUBCATEGORIES[position] for position in subcategory]
    age_days = np.where(
        rng.random(size) < 0.12, -rng.integers(0, max(config.days, 1), size), rng.integers(30, 1_400, size)
    )
    released = config.start.toordinal() - age_days
    ids = [f"p{number:04d}" for number in range(1, size + 1)]
    in_stock = rng.random(size) < 0.96
    products = pl.DataFrame(
        {
            "product_id": ids,
            "name": names,
            "category": [shelf.category for shelf in shelves],
            "subcategory": [shelf.name for shelf in shelves],
            "brand": brands,
            "price": price,
            "cost": np.round(price * rng.uniform(0.42, 0.64, size), 2),
            "currency": ["EUR"] * size,
            "image_url": [f"{SHOP_URL}/images/{product}.jpg" for product in ids],
            "url": [
                f"{SHOP_URL}/products/{product}-{_slug(name)}"
                for product, name in zip(ids, names, strict=True)
            ],
            "in_stock": in_stock,
            "is_consumable": [shelf.cycle_days > 0 for shelf in shelves],
            "is_sensitive": [shelf.is_sensitive for shelf in shelves],
            "released_at": [datetime.combine(date.fromordinal(int(day)), time(6)) for day in released],
            "updated_at": [None] * size,
        },
        schema=landing.PRODUCTS,
    )
    contents, content_category = _contents(config, rng)
    return Catalogue(
        products=products,
        contents=contents,
        subcategory=subcategory,
        category=CATEGORY_OF_SUBCATEGORY[subcategory],
        brand=np.array([BRAND_NAMES.index(brand) for brand in brands]),
        price=price,
        usual_price=price,
        relative_price=_standardised_within(np.log(price), subcategory),
        popularity=rng.normal(0.0, 0.7, size),
        quality=np.clip(rng.normal(4.2, 0.4, size), 2.5, 4.9),
        companions=_companions(subcategory, price, rng),
        released=released,
        in_stock=in_stock,
        is_sensitive=np.array([shelf.is_sensitive for shelf in shelves]),
        content_category=content_category,
        content_published=contents["published_at"].dt.epoch("d").to_numpy().astype(np.int64)
        + date(1970, 1, 1).toordinal(),
    )


def _shelf(
    shelf: Subcategory, tiers: dict[str, float], rng: np.random.Generator
) -> list[tuple[str, str, float, int]]:
    """Products of one subcategory as (name, brand, price, subcategory position)."""
    brands = BRANDS[shelf.category]
    words = (
        FLAVOURS
        if shelf.category == "Nutrition" and shelf.name != "Vitamins"
        else SCENTS
        if shelf.cycle_days
        else MODELS
    )
    models = rng.choice(len(words), size=shelf.products, replace=shelf.products > len(words))
    position = SUBCATEGORY_NAMES.index(shelf.name)
    rows = []
    for number in range(shelf.products):
        brand = brands[int(rng.integers(len(brands)))]
        level = 1 / (1 + math.exp(-(rng.normal(0.0, 1.0) + tiers[brand])))
        price = math.floor(shelf.low + (shelf.high - shelf.low) * level) + float(
            rng.choice([0.0, 0.5, 0.95, 0.95])
        )
        rows.append((f"{brand} {words[models[number]]} {shelf.noun}", brand, price, position))
    return rows


def _companions(subcategory: Ints, price: Floats, rng: np.random.Generator) -> Ints:
    """Three products that go with each product: from subcategories that complete it, near its price rank."""
    rank = np.zeros(len(price))
    for position in range(len(SUBCATEGORIES)):
        members = np.flatnonzero(subcategory == position)
        rank[members] = np.argsort(np.argsort(price[members])) / max(len(members) - 1, 1)
    companions = np.zeros((len(price), COMPANIONS), dtype=np.int64)
    for product, position in enumerate(subcategory):
        partners = GOES_WITH[SUBCATEGORY_NAMES[position]]
        for slot in range(COMPANIONS):
            shelf = SUBCATEGORY_NAMES.index(partners[slot % len(partners)])
            members = np.flatnonzero(subcategory == shelf)
            distance = np.abs(rank[members] - rank[product]) + rng.gumbel(0.0, 0.08, len(members))
            companions[product, slot] = members[
                np.argsort(distance)[min(slot // len(partners), len(members) - 1)]
            ]
    return companions


def _contents(config: ShopConfig, rng: np.random.Generator) -> tuple[pl.DataFrame, Ints]:
    size = len(ARTICLES)
    published = [
        config.starts_at + timedelta(days=int(days), hours=7)
        for days in np.where(
            rng.random(size) < 0.3, rng.integers(0, config.days, size), -rng.integers(10, 500, size)
        )
    ]
    lead = rng.integers(10, 40, size)
    ids = [f"a{number:03d}" for number in range(1, size + 1)]
    frame = pl.DataFrame(
        {
            "content_id": ids,
            "title": [title for title, _, _, _ in ARTICLES],
            "kind": [kind for _, kind, _, _ in ARTICLES],
            "summary": [f"{title}. A {kind} on {topics[0].lower()}." for title, kind, topics, _ in ARTICLES],
            "topics": [[topic.lower() for topic in topics] for _, _, topics, _ in ARTICLES],
            "url": [
                f"{SHOP_URL}/magazine/{content}-{_slug(row[0])}"
                for content, row in zip(ids, ARTICLES, strict=True)
            ],
            "image_url": [f"{SHOP_URL}/images/{content}.jpg" for content in ids],
            "published_at": published,
            "starts_at": [
                published[row] + timedelta(days=int(lead[row]), hours=10)
                if kind in ("webinar", "event")
                else None
                for row, (_, kind, _, _) in enumerate(ARTICLES)
            ],
            "city": [city for _, _, _, city in ARTICLES],
        },
        schema=landing.CONTENTS,
    )
    return frame, np.array([CATEGORY_NAMES.index(topics[0]) for _, _, topics, _ in ARTICLES])


def _standardised_within(values: Floats, groups: Ints) -> Floats:
    count = np.bincount(groups)[groups]
    centred = values - (np.bincount(groups, values) / np.bincount(groups))[groups]
    spread = np.sqrt(np.bincount(groups, centred**2)[groups] / count)
    return centred / np.maximum(spread, 1e-9)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
