"""Which products are looked at in a visit: by taste, season, live interest and open needs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from shop.catalogue import Catalogue, Floats, Ints
from shop.people import People
from shop.state import State
from shop.visits import NO_ITEM, Visits

DUE_PULL = 3.6
CART_PULL = 2.6
SAME_SHELF_PULL = 2.2
OUT_OF_STOCK_PUSH = 3.0
PRICE_CUT_PULL = 3.0
MAX_VIEWS = 12


@dataclass(frozen=True)
class Views:
    """Products looked at. visit, product, place run along views; first, shelf, count along visits."""

    visit: Ints
    product: Ints
    place: Ints
    first: Ints
    shelf: Ints
    count: Ints


def look(
    visits: Visits, people: People, catalogue: Catalogue, *, state: State, day: date, rng: np.random.Generator
) -> Views:
    """First a product by taste and need, then mostly others of its subcategory."""
    size = len(visits)
    appeal = _appeal(visits, people, catalogue, state, day)
    weight = np.exp(appeal - appeal.max(axis=1, keepdims=True))
    drawn = draw(np.cumsum(weight, axis=1), np.arange(size), rng)
    first = np.where(visits.product != NO_ITEM, visits.product, drawn)
    shelf = catalogue.subcategory[first]
    is_bounce = rng.random(size) < np.where(visits.from_mail, 0.04, 0.18)
    count = np.where(is_bounce, 0, np.minimum(1 + rng.poisson(1.7, size), MAX_VIEWS))
    count = np.where(visits.product != NO_ITEM, np.maximum(count, 1), count)
    count = np.where(visits.content != NO_ITEM, np.minimum(count, 2), count)
    weight *= np.where(catalogue.subcategory == shelf[:, None], np.exp(SAME_SHELF_PULL), 1.0)
    visit = np.repeat(np.arange(size), count)
    place = np.arange(len(visit)) - np.repeat(np.cumsum(count) - count, count)
    product = np.where(place == 0, first[visit], draw(np.cumsum(weight, axis=1), visit, rng))
    return Views(visit, product, place, first, shelf, count)


def _appeal(visits: Visits, people: People, catalogue: Catalogue, state: State, day: date) -> Floats:
    """Log weight of each product in each visit: taste, season, live interest, open needs, the cart left behind, price
    cuts; what is out of stock is found by few."""
    person = visits.person
    by_shelf = catalogue.season(day) + 0.5 * np.minimum(state.intent[person], 3.0) + state.satiation[person]
    appeal = people.utility[person] + by_shelf[:, catalogue.subcategory]
    visit, shelf = np.nonzero(state.is_due[person])
    appeal[visit, state.usual_product[person[visit], shelf]] += DUE_PULL
    left = np.flatnonzero(state.cart_product[person] >= 0)
    appeal[left, state.cart_product[person[left]]] += CART_PULL
    appeal += PRICE_CUT_PULL * people.price_sensitivity[person][:, None] * catalogue.price_cut
    appeal[:, ~catalogue.in_stock] -= OUT_OF_STOCK_PUSH
    appeal[:, ~catalogue.is_released(day)] = -np.inf
    return appeal


def draw(cumulated: Floats, rows: Ints, rng: np.random.Generator) -> Ints:
    """One position per entry of ``rows``, drawn from the cumulated weights of that row."""
    aim = rng.random(len(rows)) * cumulated[rows, -1]
    drawn: Ints = np.minimum((cumulated[rows] <= aim[:, None]).sum(axis=1), cumulated.shape[1] - 1)
    return drawn
