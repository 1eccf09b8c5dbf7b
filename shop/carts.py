"""What is put in the cart in a visit, under which offer, and whether it is bought."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shop.baskets import MORE_OF_OTHERS, MORE_OF_PACKS, MOST_MORE, REGRETS, TEMPTED, expected_margin
from shop.catalogue import COMPANIONS, CYCLE_DAYS, Catalogue, Floats, Ints
from shop.looking import MAX_VIEWS, Views
from shop.people import US_PER_HOUR, People
from shop.state import State
from shop.visits import NO_ITEM, Visits

SALES: tuple[tuple[tuple[int, int], tuple[int, int], str, float], ...] = (
    ((1, 10), (1, 22), "NEWYEAR15", 0.15),
    ((4, 10), (4, 21), "SPRING15", 0.15),
    ((6, 20), (7, 6), "SUMMER20", 0.20),
    ((9, 5), (9, 14), "AUTUMN10", 0.10),
    ((11, 21), (12, 1), "BLACK20", 0.20),
)
WELCOME_COUPON, WELCOME_RATE, WELCOME_DAYS = "HELLO10", 0.10, 30


def sale_on(day: date) -> tuple[str | None, float]:
    """The shop-wide sale of a day as (coupon, rate); (None, 0) on ordinary days."""
    for first, last, coupon, rate in SALES:
        if first <= (day.month, day.day) <= last:
            return coupon, rate
    return None, 0.0


@dataclass(frozen=True)
class Carts:
    """What is put in carts. visit, product, place, quantity, is_removed run along cart lines; extra_*: products that
    were found next to one in the cart; is_filled, main (the first product), buys, checks_out run along visits, as does
    p_order: the chance, given what was looked at, that an order came of the visit; order_margin: what its goods would
    leave on average, given the products found (`shop.baskets`)."""

    visit: Ints
    product: Ints
    place: Ints
    quantity: Ints
    is_removed: NDArray[np.bool_]
    extra_visit: Ints
    extra_product: Ints
    is_filled: NDArray[np.bool_]
    main: Ints
    buys: NDArray[np.bool_]
    checks_out: NDArray[np.bool_]
    p_order: Floats
    order_margin: Floats


def with_coupons(visits: Visits, people: People, state: State, day: date, rng: np.random.Generator) -> Visits:
    """Give people without a mail offer the sale coupon, or the welcome coupon on their first order, if they use it."""
    size = len(visits)
    person = visits.person
    sale, sale_rate = sale_on(day)
    uses = rng.random((2, size)) < 0.25 + 0.7 * people.price_sensitivity[person]
    free = (visits.worth == 0) & (person >= 0)
    is_new = (state.orders[person] == 0) & (
        visits.at - people.signed_up[person] < WELCOME_DAYS * 24 * US_PER_HOUR
    )
    on_sale = free & uses[0] & (sale is not None)
    welcome = free & ~on_sale & is_new & uses[1]
    rate = np.where(on_sale, sale_rate, np.where(welcome, WELCOME_RATE, visits.discount_rate))
    coupon = pl.select(
        pl.when(pl.Series(on_sale))
        .then(pl.lit(sale, dtype=pl.String))
        .when(pl.Series(welcome))
        .then(pl.lit(WELCOME_COUPON))
        .otherwise(visits.coupon)
        .alias("coupon")
    ).to_series()
    return Visits(
        person,
        visits.at,
        visits.product,
        visits.content,
        rate,
        np.maximum(visits.worth, rate),
        coupon,
        visits.has_free_shipping,
        visits.message_id,
        visits.device,
    )


def fill_carts(
    visits: Visits,
    views: Views,
    is_known: NDArray[np.bool_],
    people: People,
    catalogue: Catalogue,
    *,
    state: State,
    day: date,
    rng: np.random.Generator,
) -> Carts:
    """Who puts what in the cart, and who buys: by need, interest, saving and mood; only what is in stock."""
    size, person, shelf = len(visits), visits.person, views.shelf
    has_need = state.is_due[person, shelf] & (views.count > 0)
    saved = np.where(is_known, people.price_sensitivity[person] * visits.worth, 0.0)
    cut = people.price_sensitivity[person] * catalogue.price_cut[views.first]
    interest = np.minimum(state.intent[person, shelf], 3.0)
    cart_chance = _chance(
        people.cart_logit[person]
        + 0.22 * views.count
        + 1.3 * has_need
        + 0.30 * interest
        + 0.25 * np.minimum(state.satiation[person, shelf], 0.0)
        + 0.5 * visits.from_mail
        + 0.8 * (views.first == state.cart_product[person])
        + 4.0 * saved
        + 3.0 * cut
        + state.mood[person]
    )
    buy_chance = _chance(
        people.buy_logit[person]
        + 0.7 * has_need
        + 0.15 * interest
        + 0.35 * visits.from_mail
        + 4.0 * saved
        + 3.0 * cut
        + state.mood[person]
    )
    is_filled = (views.count > 0) & (rng.random(size) < cart_chance)
    wanted = np.minimum(views.count, 1 + rng.poisson(0.45, size))
    is_found = (views.place >= (views.count - wanted)[views.visit]) & catalogue.on_sale(day)[views.product]
    finds = np.bincount(views.visit[is_found], minlength=size) > 0
    found_visit, found_product, _ = _distinct(
        views.visit[is_found], views.product[is_found], views.place[is_found]
    )
    is_added = is_found & is_filled[views.visit]
    is_filled &= finds
    visit, product, place = views.visit[is_added], views.product[is_added], views.place[is_added]
    main = np.full(size, NO_ITEM)
    main[visit[::-1]] = product[::-1]
    tempted = np.flatnonzero(is_filled & (rng.random(size) < TEMPTED))
    companion = catalogue.companions[main[tempted], rng.integers(0, COMPANIONS, len(tempted))]
    is_offered = catalogue.on_sale(day)[companion]
    tempted, companion = tempted[is_offered], companion[is_offered]
    last_place = np.full(len(companion), MAX_VIEWS)
    visit, product, place = _distinct(
        np.append(visit, tempted), np.append(product, companion), np.append(place, last_place)
    )
    regrets = (np.bincount(visit, minlength=size) > 1) & (rng.random(size) < REGRETS)
    is_last = np.r_[visit[1:] != visit[:-1], True] if len(visit) else np.zeros(0, dtype=bool)
    buys = is_filled & is_known & (rng.random(size) < buy_chance)
    return Carts(
        visit=visit,
        product=product,
        place=place,
        quantity=_quantities(catalogue.subcategory[product], rng),
        is_removed=is_last & regrets[visit],
        extra_visit=tempted,
        extra_product=companion,
        is_filled=is_filled,
        main=main,
        buys=buys,
        checks_out=buys | (is_filled & is_known & (rng.random(size) < 0.30)),
        p_order=np.where(finds & is_known, cart_chance * buy_chance, 0.0),
        order_margin=expected_margin(visits.discount_rate, found_visit, found_product, catalogue, day),
    )


def _distinct(visit: Ints, product: Ints, place: Ints) -> tuple[Ints, Ints, Ints]:
    """Each product once per visit, at its first place; ordered by visit and place."""
    order = np.lexsort((place, product, visit))
    visit, product, place = visit[order], product[order], place[order]
    fresh = (
        np.r_[True, (visit[1:] != visit[:-1]) | (product[1:] != product[:-1])] if len(visit) else visit > 0
    )
    visit, product, place = visit[fresh], product[fresh], place[fresh]
    order = np.lexsort((place, visit))
    return visit[order], product[order], place[order]


def _quantities(shelf: Ints, rng: np.random.Generator) -> Ints:
    more = rng.poisson(np.where(CYCLE_DAYS[shelf] > 0, MORE_OF_PACKS, MORE_OF_OTHERS))
    quantity: Ints = 1 + np.minimum(more, MOST_MORE)
    return quantity


def _chance(log_odds: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-log_odds))
