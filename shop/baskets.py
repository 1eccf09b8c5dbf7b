"""What an order leaves before it is drawn: the expected margin of a visit's basket, given what was found."""

from __future__ import annotations

from datetime import date

import numpy as np
from scipy.special import pdtrc

from shop.catalogue import CYCLE_DAYS, Catalogue, Floats, Ints

MORE_OF_PACKS, MORE_OF_OTHERS, MOST_MORE = 0.35, 0.04, 4
"""Units beyond the first: Poisson, cut off."""
TEMPTED, REGRETS = 0.42, 0.12
"""Shares of carts: into which a companion of the first product comes; of two products or more, with the last put back."""


def _expected_units(mean: float) -> float:
    return float(1.0 + pdtrc(np.arange(MOST_MORE), mean).sum())


def expected_margin(
    discount_rate: Floats, visit: Ints, product: Ints, catalogue: Catalogue, day: date
) -> Floats:
    """Mean margin of the goods of an order, for each visit: price less discount and cost, shipping apart.

    0 where nothing was found. What is still open is whether a companion comes along, whether the last product is put back,
    and how many units.

    Args:
        discount_rate: of each visit.
        visit, product: what was found, each product once per visit, sorted by visit and place.
    """
    on_sale = catalogue.on_sale(day)
    cost = catalogue.products["cost"].to_numpy()
    units = np.where(
        CYCLE_DAYS[catalogue.subcategory] > 0, _expected_units(MORE_OF_PACKS), _expected_units(MORE_OF_OTHERS)
    )

    def margin(rate: Floats, of: Ints) -> Floats:
        gained: Floats = (catalogue.price[of] * (1.0 - rate) - cost[of]) * units[of]
        return gained

    size = len(discount_rate)
    each = margin(discount_rate[visit], product)
    n_found = np.bincount(visit, minlength=size)
    goods = np.bincount(visit, weights=each, minlength=size)
    first, last = np.zeros(size, dtype=np.int64), np.zeros(size)
    first[visit[::-1]] = product[::-1]
    last[visit] = each
    put_back = REGRETS * np.where(n_found > 1, last, 0.0)
    companion = catalogue.companions[first]
    n_products = len(catalogue.price)
    is_there = np.isin(np.arange(size)[:, None] * n_products + companion, visit * n_products + product)
    comes = on_sale[companion] & ~is_there
    added = np.where(comes, (1.0 - REGRETS) * margin(discount_rate[:, None], companion), -put_back[:, None])
    tempted = TEMPTED * added.mean(axis=1) - (1.0 - TEMPTED) * put_back
    return np.where(n_found > 0, goods + tempted, 0.0)
