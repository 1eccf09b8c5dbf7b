"""The plain weekly mail of the simulated shop: same content for everybody, subject, tone, offer and hour by lot.

Lots are drawn with known chances and written into the mail's properties, so that models can learn from them.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from shop.catalogue import CATEGORY_NAMES, Catalogue, Ints
from shop.config import ShopConfig
from shop.habits import HOURS
from shop.landing import TIME
from shop.mails import SENDS
from shop.people import US_PER_HOUR, People
from shop.state import State

MESSAGE_KEY = "weekly_broadcast"
BROADCAST_SHARE = 0.7
SUBJECTS: tuple[tuple[str, bool, bool, bool, bool], ...] = (
    ("plain", False, False, False, False),
    ("emoji", True, False, False, False),
    ("question", False, True, False, False),
    ("personal", False, False, True, False),
    ("urgent", False, False, False, True),
)
TONES = ("casual", "formal")
OFFERS: tuple[tuple[str, float, float, bool], ...] = (
    ("none", 0.76, 0.0, False),
    ("free_shipping", 0.08, 0.0, True),
    ("percent_10", 0.08, 0.10, False),
    ("percent_20", 0.08, 0.20, False),
)
PRODUCTS_SHOWN, CONTENTS_SHOWN = 6, 2


def broadcast_sends(
    config: ShopConfig, people: People, catalogue: Catalogue, state: State, day: date
) -> pl.DataFrame:
    """The weekly mails due on one day, to all whom the shop may mail at that moment. Columns: SENDS.

    Every lot is drawn per week and customer, so a day's mails do not depend on which days were run before.
    """
    monday = day - timedelta(days=day.weekday())
    rng = config.rng("broadcast", monday)
    size = people.size
    is_random = rng.random(size) >= BROADCAST_SHARE
    random_minute = rng.integers(0, HOURS * 60, size)
    subject = rng.integers(0, len(SUBJECTS), size)
    tone = rng.integers(0, len(TONES), size)
    offer = rng.choice(len(OFFERS), size, p=[share for _, share, _, _ in OFFERS])
    products, contents = _issue(catalogue, monday, rng)
    if config.send_time != "waves":
        is_random[:] = config.send_time == "random"
    fixed_minute = (24 * config.broadcast_weekday + config.broadcast_hour) * 60
    minute = np.where(is_random, random_minute, fixed_minute)
    at = int(np.datetime64(monday, "us").astype(np.int64)) + minute * (US_PER_HOUR // 60)
    may = state.may_mail(people, np.append(at, 0))[:-1]
    rows = np.flatnonzero(may & (minute // 1_440 == day.weekday()))
    subject, tone, offer = subject[rows], tone[rows], offer[rows]
    share = np.array([offer_share for _, offer_share, _, _ in OFFERS])[offer]
    year, week, _ = monday.isocalendar()
    ids = people.customers["customer_id"].gather(rows)
    codes = [
        None if key == "none" else f"{key.replace('_', '').upper()}-{year % 100}W{week:02d}"
        for key, *_ in OFFERS
    ]
    return (
        pl.DataFrame(
            {
                "customer_id": ids,
                "send_at": pl.Series(at[rows]).cast(TIME),
                "subject_variant": np.array([name for name, *_ in SUBJECTS])[subject],
                "tone": np.array(TONES)[tone],
                "has_emoji": np.array([flags[1] for flags in SUBJECTS])[subject],
                "is_question": np.array([flags[2] for flags in SUBJECTS])[subject],
                "is_personal": np.array([flags[3] for flags in SUBJECTS])[subject],
                "is_urgent": np.array([flags[4] for flags in SUBJECTS])[subject],
                "offer_key": np.array([key for key, *_ in OFFERS])[offer],
                "discount_rate": np.array([rate for _, _, rate, _ in OFFERS])[offer],
                "has_free_shipping": np.array([is_free for *_, is_free in OFFERS])[offer],
                "coupon": pl.Series(codes, dtype=pl.String).gather(offer),
                "wave": np.where(is_random[rows], "random_hour", "broadcast"),
                "propensity": share / (len(SUBJECTS) * len(TONES)),
                "propensity_offer": share,
            }
        )
        .with_columns(
            pl.format(
                "{}-{}w{}-{}", pl.lit(MESSAGE_KEY), pl.lit(str(year)), pl.lit(f"{week:02d}"), "customer_id"
            ).alias("message_id"),
            pl.lit(MESSAGE_KEY).alias("message_key"),
            pl.lit(catalogue.products["product_id"].gather(products).implode()).first().alias("product_ids"),
            pl.lit(catalogue.contents["content_id"].gather(contents).implode()).first().alias("content_ids"),
        )
        .select(SENDS.keys())
    )


def _issue(catalogue: Catalogue, monday: date, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """What a week's mail shows: popular and seasonal products of different shelves, recent articles."""
    heat = (
        catalogue.popularity
        + catalogue.season(monday)[catalogue.subcategory]
        + rng.gumbel(0, 0.6, len(catalogue.price))
    )
    heat[~catalogue.on_sale(monday) | catalogue.is_sensitive] = -np.inf
    order = np.argsort(-heat, kind="stable")
    _, first_of_shelf = np.unique(catalogue.subcategory[order], return_index=True)
    products = order[np.sort(first_of_shelf)[:PRODUCTS_SHOWN]]
    age = monday.toordinal() - catalogue.content_published
    is_fit = (age >= 0) & (catalogue.content_category != CATEGORY_NAMES.index("Intimate Health"))
    freshness = np.where(is_fit, -age / 200 + rng.gumbel(0, 1.0, len(age)), -np.inf)
    return products, np.argsort(-freshness, kind="stable")[:CONTENTS_SHOWN]
