"""How a simulated customer answers a mail: bounces, human and machine opens, clicks, complaints, unsubscribes.

What the mail leads to in the shop is ``shop.browsing``; who is sent what is decided outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shop.catalogue import SHOP_URL, Catalogue, Floats, Ints
from shop.habits import draw_reading_delay, local_hour_of_week
from shop.landing import TIME
from shop.mails import MAX_CONTENTS, MAX_PRODUCTS, Mails
from shop.people import US_PER_HOUR, People, device_ids
from shop.state import State
from shop.visits import DESKTOP, MOBILE, NO_ITEM, Visits

FREE_SHIPPING_WORTH = 0.06
_SECOND = 1_000_000
_OPEN_INTERCEPT = -1.36
_CLICK_INTERCEPT = -3.05
_PRIVACY_PROXY = "Mozilla/5.0"
_LINK_SCANNER = "Mozilla/5.0 (compatible; MailScanner/3.1; +https://scanner.example/bot)"
_DISGUISED_SCANNER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/122.0 Safari/537.36"
_LATE_PREFETCH_SHARE = 0.25
_TYPICAL_PREFETCH_HOURS = 4.0
_DISGUISED_SHARE = 0.3
_SCANNED_LINKS = (2, 6)
_READERS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0 Mobile",
)
_MOBILE_READERS = (0, 3)


@dataclass(frozen=True)
class MailOutcome:
    """Answers to a batch of mails.

    events: landing columns (without event_id) and is_machine. visits: the shop visits that human clicks start.
    truth: one row per message with message_id, customer_id, send_at, p_open, p_click, p_leave (of the mail, not of the open;
    leaving is unsubscribing), opened_at, clicked_at (human, null if never), has_machine_open, unsubscribed_at.
    """

    events: pl.DataFrame
    visits: Visits
    truth: pl.DataFrame


def respond(
    sends: pl.DataFrame,
    people: People,
    catalogue: Catalogue,
    state: State,
    day: date,
    rng: np.random.Generator,
) -> MailOutcome:
    """Send a day's mails and draw all that comes back of them. Columns of ``sends``: SENDS. Updates ``state``."""
    mails = Mails.read(sends.sort("send_at", "customer_id", "message_id"), people, catalogue)
    person, size = mails.person, len(mails.person)
    offset = people.utc_offset_us(day)[person]
    hour = local_hour_of_week(mails.at, offset)
    pressure = state.mail_pressure[person] + _rank_within(person)
    relevance, is_hot = _relevance(mails, people, catalogue, state)
    is_formal = mails.frame["tone"].eq_missing("formal").to_numpy()
    tone = np.where(is_formal, 1.0, -1.0) * people.formality[person]
    worth = mails.frame["discount_rate"].fill_null(0.0).to_numpy() + FREE_SHIPPING_WORTH * mails.flag(
        "has_free_shipping"
    )
    wanted = people.price_sensitivity[person] * worth
    gone = np.where(state.is_gone[person], 1.6, 0.0)
    p_open = _chance(
        _OPEN_INTERCEPT
        + people.engagement[person]
        + 0.85 * np.clip(people.attention[person, hour], -2.5, 1.5)
        + 0.5 * tone
        + people.emoji[person] * mails.flag("has_emoji")
        + people.question[person] * mails.flag("is_question")
        + people.personal[person] * mails.flag("is_personal")
        + people.urgency[person] * mails.flag("is_urgent")
        + 2.0 * wanted
        + 0.3 * is_hot
        - people.fatigue[person] * pressure
        - gone
    )
    p_click = _chance(
        _CLICK_INTERCEPT + 0.6 * relevance + 0.35 * tone + 5.0 * wanted + 0.9 * is_hot - 0.4 * gone
    )
    p_leave = 0.012 * np.exp(0.9 * people.fatigue[person] * pressure - 0.4 * relevance + 0.3 * gone)

    is_bounced = people.is_bad_address[person] | (rng.random(size) < 0.003)
    delivered_at = mails.at + _seconds(rng.uniform(2, 45, size))
    opens = ~is_bounced & (rng.random(size) < p_open)
    opened_at = _reading_time(people, mails, hour=hour, offset=offset, delivered_at=delivered_at, rng=rng)
    clicks = opens & (rng.random(size) < p_click)
    clicked_at = opened_at + _seconds(5 + rng.exponential(45, size))
    leaves = opens & ~clicks & (rng.random(size) < p_leave)
    left_at = opened_at + _seconds(8 + rng.exponential(30, size))
    complains = opens & ~clicks & ~leaves & (rng.random(size) < 0.12 * p_leave)
    reader = rng.integers(0, len(_READERS), people.size + 1)[person]
    is_mobile = np.isin(reader, _MOBILE_READERS)
    handset = np.where(is_mobile, MOBILE, DESKTOP)

    machine_events, machine_opened = _machines(mails, people, catalogue, ~is_bounced, delivered_at, rng)
    visits, click_url = _visits(
        mails,
        np.flatnonzero(clicks),
        people,
        catalogue,
        clicked_at=clicked_at,
        worth=worth,
        device=handset,
        rng=rng,
    )
    label = mails.frame.select(
        pl.struct("message_key", "subject_variant").struct.json_encode().alias("properties")
    )["properties"]
    bounced, delivered, opened, clicked, left, complained = (
        np.flatnonzero(mask) for mask in (is_bounced, ~is_bounced, opens, clicks, leaves, complains)
    )
    agent = np.array(_READERS)[reader]
    device = np.where(is_mobile, "mobile", "desktop")
    everyone = np.arange(size)
    events = pl.concat(
        [
            mails.events("Email Sent", everyone, mails.at, properties=_sent_properties(mails.frame)),
            mails.events(
                "Email Bounced",
                bounced,
                delivered_at[bounced],
                properties=np.where(
                    people.is_bad_address[person[bounced]], '{"kind":"hard"}', '{"kind":"soft"}'
                ),
            ),
            mails.events(
                "Email Delivered", delivered, delivered_at[delivered], properties=label.gather(delivered)
            ),
            mails.events(
                "Email Opened",
                opened,
                opened_at[opened],
                user_agent=agent[opened],
                device=device[opened],
                properties=label.gather(opened),
            ),
            mails.events(
                "Email Link Clicked",
                clicked,
                clicked_at[clicked],
                anonymous_id=device_ids(people.own_device(person[clicked], handset[clicked])),
                user_agent=agent[clicked],
                device=device[clicked],
                url=click_url,
                properties=label.gather(clicked),
            ),
            mails.events("Unsubscribed", left, left_at[left], properties=label.gather(left)),
            mails.events(
                "Email Marked as Spam", complained, left_at[complained], properties=label.gather(complained)
            ),
            machine_events,
        ],
        how="diagonal_relaxed",
    ).with_columns(pl.col("is_machine").fill_null(False))

    np.add.at(state.mail_pressure, person, 1.0)
    state.nudge[person[opened]] = np.minimum(state.nudge[person[opened]] + 1.0, 2.0)
    state.unsubscribed_at[person[left]] = left_at[left]
    state.suppressed_at[person[complained]] = left_at[complained]
    hard = np.flatnonzero(is_bounced & people.is_bad_address[person])
    state.suppressed_at[person[hard]] = delivered_at[hard]
    truth = mails.frame.select(
        "message_id",
        "customer_id",
        "send_at",
        p_open=pl.Series(np.where(is_bounced, 0.0, p_open)),
        p_click=pl.Series(np.where(is_bounced, 0.0, p_open * p_click)),
        p_leave=pl.Series(np.where(is_bounced, 0.0, p_open * (1.0 - p_click) * np.minimum(p_leave, 1.0))),
        opened_at=_times(opened_at, opens),
        clicked_at=_times(clicked_at, clicks),
        has_machine_open=pl.Series(machine_opened),
        unsubscribed_at=_times(left_at, leaves),
    )
    return MailOutcome(events, visits, truth)


def _rank_within(person: Ints) -> Ints:
    order = np.argsort(person, kind="stable")
    ordered = person[order]
    first = np.r_[True, ordered[1:] != ordered[:-1]] if len(person) else np.zeros(0, dtype=bool)
    starts = np.flatnonzero(first)
    rank = np.empty(len(person), dtype=np.int64)
    rank[order] = np.arange(len(person)) - np.repeat(starts, np.diff(np.append(starts, len(person))))
    return rank


def _relevance(
    mails: Mails, people: People, catalogue: Catalogue, state: State
) -> tuple[Floats, NDArray[np.float64]]:
    """(how well the mail's items meet the person, about 0 for a random product; 1 where it meets an open need)."""
    person, products = mails.person, mails.products
    shown = products != NO_ITEM
    rows = person[:, None]
    utility = (people.utility[rows, products] - state.utility_mean[rows]) / state.utility_spread[rows]
    shelf = catalogue.subcategory[products]
    interest = 0.35 * np.minimum(state.intent[rows, shelf], 3.0) + 0.25 * np.minimum(
        state.satiation[rows, shelf], 0
    )
    score = np.where(shown, np.clip(utility, -2.0, 3.0) + interest, 0.0)
    count = np.maximum(shown.sum(axis=1), 1)
    best = np.where(shown.any(axis=1), np.where(shown, score, -9.0).max(axis=1), 0.0)
    topic = people.taste[rows, state.shelf_of_category[catalogue.content_category[mails.contents]]]
    reading = np.where(mails.contents != NO_ITEM, topic, -9.0).max(axis=1)
    relevance = 0.5 * score.sum(axis=1) / count + 0.5 * best + 0.15 * np.clip(reading, 0.0, 2.0)
    is_cart = shown & (products == state.cart_product[rows])
    is_due = shown & (products == state.usual_product[rows, shelf]) & state.is_due[rows, shelf]
    return relevance, (is_cart | is_due).any(axis=1).astype(np.float64)


def _reading_time(
    people: People, mails: Mails, *, hour: Ints, offset: Ints, delivered_at: Ints, rng: np.random.Generator
) -> Ints:
    delay = draw_reading_delay(people.reading[mails.person], hour, rng)
    local_hour_start = (mails.at + offset) // US_PER_HOUR * US_PER_HOUR - offset
    minute = _seconds(rng.uniform(0, 3_600, len(hour)))
    earliest = delivered_at + _seconds(15 + rng.exponential(400, len(hour)))
    at: Ints = np.maximum(local_hour_start + delay * US_PER_HOUR + minute, earliest)
    return at


def _machines(
    mails: Mails,
    people: People,
    catalogue: Catalogue,
    is_delivered: NDArray[np.bool_],
    delivered_at: Ints,
    rng: np.random.Generator,
) -> tuple[pl.DataFrame, NDArray[np.bool_]]:
    """Opens by privacy proxies and scanners, clicks by scanners.

    A proxy fetches pictures within seconds of delivery, or hours later when the device is next charged; its agent is
    bare. A scanner opens within seconds and clicks at once; some scanners look like browsers, open within two seconds
    and click several links in the same second.
    """
    size = len(mails.person)
    proxied = is_delivered & people.has_machine_opens[mails.person] & (rng.random(size) < 0.85)
    scanned = is_delivered & people.has_link_scanner[mails.person] & (rng.random(size) < 0.8)
    looks_human = scanned & (people.scanner_disguise[mails.person] < _DISGUISED_SHARE)
    soon = rng.uniform(0.5, 40, size)
    late = 3_600 * rng.exponential(_TYPICAL_PREFETCH_HOURS, size) + soon
    is_late = proxied & ~scanned & (rng.random(size) < _LATE_PREFETCH_SHARE)
    at_once = rng.uniform(0.2, 1.9, size)
    opened_at = delivered_at + _seconds(np.where(is_late, late, np.where(looks_human, at_once, soon)))
    agent = np.where(looks_human, _DISGUISED_SCANNER, np.where(scanned, _LINK_SCANNER, _PRIVACY_PROXY))
    opens = np.flatnonzero(proxied | scanned)
    links = np.where(looks_human, rng.integers(*_SCANNED_LINKS, size), 1)
    clicking = np.flatnonzero(scanned & (looks_human | (rng.random(size) < 0.5)))
    clicks = np.repeat(clicking, links[clicking])
    nth = np.arange(len(clicks)) - np.repeat(np.cumsum(links[clicking]) - links[clicking], links[clicking])
    clicked_at = opened_at[clicks] + np.where(looks_human[clicks], 120_000 * (nth + 1), _SECOND)
    label = mails.frame.select(
        pl.struct("message_key", "subject_variant").struct.json_encode().alias("properties")
    )["properties"]
    events = pl.concat(
        [
            mails.events(
                "Email Opened",
                opens,
                opened_at[opens],
                user_agent=agent[opens],
                properties=label.gather(opens),
            ),
            mails.events(
                "Email Link Clicked",
                clicks,
                clicked_at,
                user_agent=agent[clicks],
                url=_scanned_urls(mails, catalogue, clicks, nth),
                properties=label.gather(clicks),
            ),
        ],
        how="diagonal_relaxed",
    ).with_columns(is_machine=pl.lit(True))
    return events, proxied | scanned


def _scanned_urls(mails: Mails, catalogue: Catalogue, rows: Ints, nth: Ints) -> pl.Series:
    """The links of a mail from its top: the shop, then its products; the shop again where there are no more."""
    product = np.where(nth > 0, mails.products[rows, np.maximum(nth - 1, 0)], NO_ITEM)
    pages = catalogue.products["url"].gather(np.maximum(product, 0))
    return pl.select(
        pl.when(pl.Series(product != NO_ITEM)).then(pages).otherwise(pl.lit(f"{SHOP_URL}/")).alias("url")
    ).to_series()


def _visits(
    mails: Mails,
    rows: Ints,
    people: People,
    catalogue: Catalogue,
    *,
    clicked_at: Ints,
    worth: Floats,
    device: Ints,
    rng: np.random.Generator,
) -> tuple[Visits, pl.Series]:
    """The visits that clicks start, and the addresses clicked."""
    person = mails.person[rows]
    products, contents = mails.products[rows], mails.contents[rows]
    appeal = np.where(products != NO_ITEM, people.utility[person[:, None], products], -np.inf)
    pull = np.where(contents != NO_ITEM, 0.0, -np.inf)
    choice = np.hstack([appeal, pull]) + rng.gumbel(size=(len(rows), MAX_PRODUCTS + MAX_CONTENTS))
    chosen = choice.argmax(axis=1) if len(rows) else np.zeros(0, dtype=np.int64)
    nothing = np.isneginf(choice).all(axis=1)
    at = np.arange(len(rows))
    is_product = (chosen < MAX_PRODUCTS) & ~nothing
    is_content = (chosen >= MAX_PRODUCTS) & ~nothing
    product = np.where(is_product, products[at, np.minimum(chosen, MAX_PRODUCTS - 1)], NO_ITEM)
    content = np.where(is_content, contents[at, np.maximum(chosen - MAX_PRODUCTS, 0)], NO_ITEM)
    frame = mails.frame[rows]
    url = (
        pl.DataFrame({"p": product, "c": content})
        .select(
            pl.when(pl.col("p") >= 0)
            .then(catalogue.products["url"].gather(np.maximum(product, 0)))
            .when(pl.col("c") >= 0)
            .then(catalogue.contents["url"].gather(np.maximum(content, 0)))
            .otherwise(pl.lit(f"{SHOP_URL}/"))
            .alias("url")
        )
        .to_series()
    )
    visits = Visits(
        person=person,
        at=clicked_at[rows] + 2 * _SECOND,
        product=product,
        content=content,
        discount_rate=frame["discount_rate"].fill_null(0.0).to_numpy(),
        worth=worth[rows],
        coupon=frame["coupon"],
        has_free_shipping=frame["has_free_shipping"].fill_null(False).to_numpy(),
        message_id=frame["message_id"],
        device=device[rows],
    )
    return visits, url


def _sent_properties(frame: pl.DataFrame) -> pl.Series:
    columns = (
        "message_key",
        "subject_variant",
        "tone",
        "offer_key",
        "discount_rate",
        "coupon",
        "wave",
        "propensity",
        "propensity_offer",
    )
    return frame.select(
        pl.struct(*columns, "product_ids", "content_ids").struct.json_encode().alias("properties")
    )["properties"]


def _chance(log_odds: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-log_odds))


def _seconds(seconds: Floats) -> Ints:
    """Microseconds, whole milliseconds."""
    microseconds: Ints = (seconds * 1_000).astype(np.int64) * 1_000
    return microseconds


def _times(at: Ints, known: NDArray[np.bool_]) -> pl.Expr:
    return pl.when(pl.Series(known)).then(pl.Series(at).cast(TIME))
