"""Who the simulated customers are: the landing table a shop would know, and the latent truth it would not.

Arrays run along customers, with one more row at the end for the anonymous visitor, reached by index -1.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shop import landing
from shop.catalogue import (
    BRAND_NAMES,
    CATEGORY_NAMES,
    CATEGORY_OF_SUBCATEGORY,
    CYCLE_DAYS,
    Catalogue,
    Floats,
    Ints,
)
from shop.config import ShopConfig
from shop.habits import reading_habits
from shop.landing import PURPOSES
from shop.places import (
    COMPANY_KINDS,
    COMPANY_SIZES,
    COMPANY_WORDS,
    FIRST_NAMES_FEMALE,
    FIRST_NAMES_MALE,
    JOB_ROLES,
    LAST_NAMES,
    PLACES,
)

LIFESTYLES: tuple[tuple[str, ...], ...] = (
    ("Running", "Tech", "Nutrition"),
    ("Cycling", "Nutrition", "Tech"),
    ("Yoga", "Skincare", "Home & Sleep"),
    ("Hiking", "Skincare"),
    ("Strength", "Nutrition", "Recovery"),
    ("Home & Sleep", "Skincare", "Intimate Health"),
    ("Swimming", "Running", "Recovery"),
)
SENSITIVE_SHYNESS = 1.3
SECOND_ACCOUNTS = 0.01
US_PER_HOUR = 3_600_000_000


@dataclass(frozen=True)
class People:
    """The population and its truth. One row per customer plus the visitor row; ``customers`` has customers only.

    place: position in PLACES. signed_up: microseconds since 1970 UTC.
    taste: customers x subcategories, log weight. brand_taste: x brands. utility: x products, log weight of being
    looked at. visit_rate: organic visits per day. cart_logit, buy_logit: of a visit, of a cart.
    dropout_rate: per day. price_sensitivity: 0-1. cycle_days: x subcategories, own days per pack, 0 = durable.
    engagement, fatigue, formality, emoji, question, personal, urgency: terms of the log odds of opening.
    reading: x 168 local hours of the week from Monday, sums to 1. attention: log relative chance that a mail sent
    in that hour is noticed. browsing: x 24 cumulative share of visits by local hour.
    scanner_disguise: 0-1, the lower the more a link scanner looks like a browser.
    """

    customers: pl.DataFrame
    initial_consents: pl.DataFrame
    place: Ints
    signed_up: Ints
    lifestyle: Ints
    taste: Floats
    brand_taste: Floats
    utility: Floats
    visit_rate: Floats
    cart_logit: Floats
    buy_logit: Floats
    dropout_rate: Floats
    price_sensitivity: Floats
    cycle_days: Floats
    engagement: Floats
    fatigue: Floats
    formality: Floats
    emoji: Floats
    question: Floats
    personal: Floats
    urgency: Floats
    reading: Floats
    attention: Floats
    browsing: Floats
    mobile_share: Floats
    remembered_share: Floats
    has_machine_opens: NDArray[np.bool_]
    has_link_scanner: NDArray[np.bool_]
    scanner_disguise: Floats
    is_bad_address: NDArray[np.bool_]
    mails_allowed: NDArray[np.bool_]
    anonymous_number: Ints

    @property
    def size(self) -> int:
        """Number of customers, without the visitor."""
        return self.customers.height

    def own_device(self, person: Ints, device: Ints) -> Ints:
        """Number of each person's desktop or mobile, see ``shop.visits``."""
        return self.anonymous_number[2 * (person % (self.size + 1)) + device]

    def utc_offset_us(self, day: date) -> Ints:
        """Offset of local time from UTC per row on a day, in microseconds."""
        noon = datetime.combine(day, time(12), tzinfo=UTC)
        offsets = [noon.astimezone(ZoneInfo(place.timezone)).utcoffset() or timedelta() for place in PLACES]
        return np.array([offset // timedelta(microseconds=1) for offset in offsets])[self.place]


def device_ids(numbers: Ints) -> pl.Series:
    """Numbers of devices as the shop's anonymous ids."""
    return pl.select(pl.format("d{}", pl.Series(numbers).cast(pl.String).str.zfill(7))).to_series()


def build_people(config: ShopConfig, catalogue: Catalogue) -> People:
    """Draw the population; the same configuration gives the same people."""
    rng = config.rng("people")
    size = config.customers + 1
    place = rng.choice(
        len(PLACES), size, p=np.array([p.share for p in PLACES]) / sum(p.share for p in PLACES)
    )
    signed_up = _sign_ups(config, size, rng)
    lifestyle = rng.integers(0, len(LIFESTYLES), size)
    taste = _tastes(lifestyle, rng)
    brand_taste = rng.normal(0.0, 0.8, (size, len(BRAND_NAMES)))
    price_sensitivity = rng.beta(1.6, 2.0, size)
    for truth in (taste, brand_taste, price_sensitivity):
        truth[-1] = truth[:-1].mean(axis=0)
    utility = (
        1.05 * taste[:, catalogue.subcategory]
        + 0.8 * brand_taste[:, catalogue.brand]
        + catalogue.popularity
        + (0.45 - 1.2 * price_sensitivity)[:, None] * catalogue.relative_price
    )
    reading, attention, browsing = reading_habits(size, rng)
    activity = rng.gamma(1.1, 1 / 1.1, size)
    cycles = CYCLE_DAYS.astype(np.float64) * np.exp(rng.normal(0.0, 0.35, (size, len(CYCLE_DAYS))))
    mails_allowed, consents = _consents(signed_up[:-1], rng)
    customers = _customers(config, place[:-1], signed_up[:-1], rng)
    people = People(
        customers=customers,
        initial_consents=consents.with_columns(
            customer_id=customers["customer_id"].gather(consents["customer_row"])
        ).select(landing.CONSENTS.keys()),
        place=place,
        signed_up=signed_up,
        lifestyle=lifestyle,
        taste=taste,
        brand_taste=brand_taste,
        utility=utility,
        visit_rate=0.042 * activity,
        cart_logit=rng.normal(-1.85, 0.55, size),
        buy_logit=rng.normal(-0.85, 0.5, size),
        dropout_rate=rng.gamma(1.2, 1 / 420 / 1.2, size),
        price_sensitivity=price_sensitivity,
        cycle_days=cycles,
        engagement=rng.normal(0.0, 0.85, size),
        fatigue=rng.lognormal(-1.6, 0.6, size),
        formality=rng.normal(0.0, 0.35, size),
        emoji=rng.normal(-0.1, 0.35, size),
        question=rng.normal(0.05, 0.2, size),
        personal=rng.normal(0.22, 0.25, size),
        urgency=rng.normal(0.0, 0.25, size),
        reading=reading,
        attention=attention,
        browsing=browsing,
        mobile_share=rng.beta(2.2, 1.4, size),
        remembered_share=rng.beta(8.0, 1.6, size),
        has_machine_opens=rng.random(size) < 0.30,
        has_link_scanner=rng.random(size) < 0.03,
        scanner_disguise=rng.random(size),
        is_bad_address=rng.random(size) < 0.008,
        mails_allowed=np.append(mails_allowed, False),
        anonymous_number=rng.permutation(2 * size),
    )
    return _with_second_accounts(people, config.rng("second accounts"))


_OWN_TO_AN_ACCOUNT = ("customers", "initial_consents", "signed_up", "mails_allowed", "anonymous_number")
_OWN_TO_A_PERSON = (
    *("first_name", "last_name", "locale", "timezone", "country", "region", "city", "birth_date", "gender"),
    *("company", "industry", "job_role", "company_size"),
)


def _with_second_accounts(people: People, rng: np.random.Generator) -> People:
    """Let one customer in a hundred be somebody who signed up before: the same person, habits and address, the address
    in other letter case; sign-up, consents and devices of their own."""
    pairs = rng.permutation(people.size)[: 2 * int(people.size * SECOND_ACCOUNTS)].reshape(-1, 2)
    later = people.signed_up[pairs].argmax(axis=1)
    at = np.arange(len(pairs))
    first, second = pairs[at, 1 - later], pairs[at, later]
    source = np.arange(people.size + 1)
    source[second] = first
    arrays: dict[str, Any] = {
        name: values[source]
        for name, values in vars(people).items()
        if isinstance(values, np.ndarray) and name not in _OWN_TO_AN_ACCOUNT
    }
    local, domain = (pl.col("email").str.split("@").list.get(part) for part in (0, 1))
    written = pl.concat_str(local.str.to_titlecase(), domain, separator="@")
    is_second = pl.Series(np.isin(np.arange(people.size), second))
    same = people.customers.select("email", *_OWN_TO_A_PERSON)[source[:-1]]
    customers = people.customers.with_columns(
        same.with_columns(pl.when(is_second).then(written).otherwise("email").alias("email")).get_columns()
    )
    return replace(people, customers=customers, **arrays)


def _sign_ups(config: ShopConfig, size: int, rng: np.random.Generator) -> Ints:
    """Microseconds of signing up: a fifth of the customers during the history, the others in the years before."""
    during = rng.random(size) < 0.2
    days = np.where(during, rng.uniform(0, config.days - 0.5, size), -rng.exponential(380.0, size) - 1)
    start = int(np.datetime64(config.start, "us").astype(np.int64))
    milliseconds = (days * 24 * US_PER_HOUR / 1_000).astype(np.int64)
    return start + milliseconds * 1_000


def _tastes(lifestyle: Ints, rng: np.random.Generator) -> Floats:
    liked = np.zeros((len(LIFESTYLES), len(CATEGORY_NAMES)))
    for row, categories in enumerate(LIFESTYLES):
        for rank, category in enumerate(categories):
            liked[row, CATEGORY_NAMES.index(category)] = 1.9 - 0.5 * rank
    by_category = liked[lifestyle] + rng.normal(0.0, 0.7, (len(lifestyle), len(CATEGORY_NAMES)))
    by_category[:, CATEGORY_NAMES.index("Intimate Health")] -= SENSITIVE_SHYNESS
    own = rng.normal(0.0, 0.6, (len(lifestyle), len(CATEGORY_OF_SUBCATEGORY)))
    return by_category[:, CATEGORY_OF_SUBCATEGORY] + own


def _consents(signed_up: Ints, rng: np.random.Generator) -> tuple[NDArray[np.bool_], pl.DataFrame]:
    """Consent given or refused at sign-up, for each purpose; rows with customer_row instead of customer_id."""
    size = len(signed_up)
    granted = rng.random((size, len(PURPOSES))) < np.array([0.88, 0.90, 0.93])
    frame = pl.DataFrame(
        {
            "customer_row": np.repeat(np.arange(size), len(PURPOSES)),
            "purpose": list(PURPOSES) * size,
            "granted": granted.ravel(),
            "occurred_at": np.repeat(signed_up, len(PURPOSES)),
            "source": ["signup_form"] * (size * len(PURPOSES)),
        }
    ).with_columns(pl.col("occurred_at").cast(landing.TIME))
    return granted[:, 0], frame


def _customers(config: ShopConfig, place: Ints, signed_up: Ints, rng: np.random.Generator) -> pl.DataFrame:
    size = len(place)
    gender = rng.choice(np.array(["female", "male", "non-binary"]), size, p=[0.53, 0.45, 0.02])
    female = (gender == "female") | ((gender == "non-binary") & (rng.random(size) < 0.5))
    first, last = _names(place, female, rng)
    ids = pl.Series([f"c{number:06d}" for number in range(1, size + 1)], dtype=pl.String)
    domain = rng.choice(np.array(["example.com", "example.org", "example.net", "mail.example"]), size)
    folds = {name: _ascii(name) for name in {*first, *last}}
    pick = rng.random((3, size))
    city_row = [int(share * len(PLACES[p].cities)) for share, p in zip(pick[0], place, strict=True)]
    cities = [PLACES[p].cities[row] for p, row in zip(place, city_row, strict=True)]
    age_days = np.clip(rng.normal(38, 12, size), 18, 82) * 365.25 + rng.integers(0, 365, size)
    birthdays = np.datetime64(config.start, "D") - age_days.astype(np.int64)
    business = rng.random(size) < 0.03
    kinds = list(COMPANY_KINDS)
    kind = rng.integers(0, len(kinds), size)
    word = rng.integers(0, len(COMPANY_WORDS), size)
    return pl.DataFrame(
        {
            "customer_id": ids,
            "email": [
                f"{folds[f]}.{folds[n]}{row}@{at}"
                for row, (f, n, at) in enumerate(zip(first, last, domain, strict=True), start=1)
            ],
            "first_name": first,
            "last_name": last,
            "locale": [PLACES[p].locale for p in place],
            "timezone": [PLACES[p].timezone for p in place],
            "country": [PLACES[p].country for p in place],
            "region": [region for _, region in cities],
            "city": [city for city, _ in cities],
            "signed_up_at": pl.Series(signed_up).cast(landing.TIME),
            "signup_source": rng.choice(
                np.array(["checkout", "newsletter_form", "app", "store", "social"]),
                size,
                p=[0.4, 0.25, 0.2, 0.1, 0.05],
            ),
            "birth_date": birthdays.astype("datetime64[D]"),
            "gender": gender,
            "company": [f"{COMPANY_WORDS[w]} {kinds[k]}" for w, k in zip(word, kind, strict=True)],
            "industry": [COMPANY_KINDS[kinds[k]] for k in kind],
            "job_role": rng.choice(np.array(JOB_ROLES), size),
            "company_size": rng.choice(np.array(COMPANY_SIZES), size),
        },
        schema_overrides=landing.CUSTOMERS,
    ).with_columns(
        pl.when(pl.Series(pick[1] < 0.92)).then("timezone").alias("timezone"),
        pl.when(pl.Series(pick[2] < 0.70)).then("birth_date").alias("birth_date"),
        pl.when(pl.Series(rng.random(size) < 0.80)).then("gender").alias("gender"),
        *(
            pl.when(pl.Series(business)).then(column).alias(column)
            for column in ("company", "industry", "job_role", "company_size")
        ),
    )


def _names(place: Ints, female: NDArray[np.bool_], rng: np.random.Generator) -> tuple[list[str], list[str]]:
    first = np.empty(len(place), dtype=object)
    last = np.empty(len(place), dtype=object)
    draws = rng.random((2, len(place)))
    for position, where in enumerate(PLACES):
        for is_female, names in ((True, FIRST_NAMES_FEMALE), (False, FIRST_NAMES_MALE)):
            rows = np.flatnonzero((place == position) & (female == is_female))
            given, family = np.array(names[where.names]), np.array(LAST_NAMES[where.names])
            first[rows] = given[(draws[0, rows] * len(given)).astype(int)]
            last[rows] = family[(draws[1, rows] * len(family)).astype(int)]
    return [str(name) for name in first], [str(name) for name in last]


def _ascii(name: str) -> str:
    folded = unicodedata.normalize("NFKD", name.replace("ß", "ss").replace("ı", "i")).encode(
        "ascii", "ignore"
    )
    return "".join(letter for letter in folded.decode().lower() if letter.isalnum())
