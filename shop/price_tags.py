"""Prices and stock of the simulated shop as they change from day to day, and their history as a landing table.

A change takes effect at 00:00 UTC of its day. What people make of it is ``shop.looking`` and ``shop.carts``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime, time

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shop import landing
from shop.catalogue import Catalogue, Floats, Ints

NEVER = np.iinfo(np.int64).max
_DROPS_PER_DAY = 0.0022
_DROP_DEPTH = (0.10, 0.30)
_DROP_DAYS = (10, 36)
_RISES_PER_DAY = 0.0006
_RISE = (0.03, 0.12)
_OUTAGES_PER_DAY = 0.0030
_TYPICAL_OUTAGE_DAYS = 8.0
_NEVER_BACK = 0.3
_FIRST_OUTAGE_DAYS = (5, 120)
_SMALLEST_COIN = 0.05


@dataclass
class PriceTags:
    """What the price tags and shelves say today, and every change so far.

    Arrays run along the products. price: now. usual_price: outside price cuts. in_stock: now. cut_until, back_on:
    ordinal of the day on which a price cut or an outage ends, NEVER for none. changes: (ordinal of the day, positions
    of the products changed, their price, their stock), oldest first.
    """

    price: Floats
    usual_price: Floats
    in_stock: NDArray[np.bool_]
    cut_until: Ints
    back_on: Ints
    changes: list[tuple[int, Ints, Floats, NDArray[np.bool_]]] = field(default_factory=list)

    @classmethod
    def at_opening(cls, catalogue: Catalogue, day: date, rng: np.random.Generator) -> PriceTags:
        """The catalogue as it is before the first day; most products out of stock then come back some day."""
        size = len(catalogue.price)
        out_for = rng.integers(*_FIRST_OUTAGE_DAYS, size)
        is_lost = rng.random(size) < _NEVER_BACK
        return cls(
            price=catalogue.price.copy(),
            usual_price=catalogue.price.copy(),
            in_stock=catalogue.in_stock.copy(),
            cut_until=np.full(size, NEVER),
            back_on=np.where(catalogue.in_stock | is_lost, NEVER, day.toordinal() + out_for),
        )

    def begin_day(self, day: date, catalogue: Catalogue, rng: np.random.Generator) -> None:
        """Change tags and shelves at midnight: cuts begin and end, prices rise, products run out and come back."""
        today = day.toordinal()
        size = len(self.price)
        chance, share, lasts = rng.random((3, size)), rng.random((2, size)), rng.random((2, size))
        outage_spread = rng.normal(0.0, 0.8, size)
        is_on_sale = catalogue.released < today
        price, in_stock = self.price.copy(), self.in_stock.copy()

        ends = self.cut_until <= today
        self.cut_until[ends] = NEVER
        price[ends] = self.usual_price[ends]
        is_calm = is_on_sale & (self.cut_until == NEVER) & ~ends
        cuts = is_calm & (chance[0] < _DROPS_PER_DAY)
        depth = _DROP_DEPTH[0] + share[0] * (_DROP_DEPTH[1] - _DROP_DEPTH[0])
        price[cuts] = _rounded(self.usual_price * (1 - depth))[cuts]
        self.cut_until[cuts] = (today + _DROP_DAYS[0] + lasts[0] * (_DROP_DAYS[1] - _DROP_DAYS[0]))[
            cuts
        ].astype(np.int64)
        rises = is_calm & ~cuts & (chance[1] < _RISES_PER_DAY)
        self.usual_price[rises] = _rounded(
            self.usual_price * (1 + _RISE[0] + share[1] * (_RISE[1] - _RISE[0]))
        )[rises]
        price[rises] = self.usual_price[rises]

        back = self.back_on <= today
        in_stock[back], self.back_on[back] = True, NEVER
        runs_out = is_on_sale & in_stock & ~back & (chance[2] < _OUTAGES_PER_DAY)
        in_stock[runs_out] = False
        out_for = np.clip(np.rint(_TYPICAL_OUTAGE_DAYS * np.exp(outage_spread)), 2, 45).astype(np.int64)
        self.back_on[runs_out] = today + out_for[runs_out]

        changed = np.flatnonzero((price != self.price) | (in_stock != self.in_stock))
        self.price, self.in_stock = price, in_stock
        if len(changed):
            self.changes.append((today, changed, price[changed], in_stock[changed]))

    def shown_in(self, catalogue: Catalogue) -> Catalogue:
        """The catalogue with today's prices and stock."""
        return replace(catalogue, price=self.price, usual_price=self.usual_price, in_stock=self.in_stock)

    def history(self, catalogue: Catalogue, until: date) -> pl.DataFrame:
        """The landing table: a first row per product, true since always, and one row for each change before ``until``."""
        changes = [change for change in self.changes if change[0] < until.toordinal()]
        days = np.concatenate(
            [np.zeros(0, dtype=np.int64), *(np.full(len(rows), day) for day, rows, _, _ in changes)]
        )
        rows = np.concatenate([np.zeros(0, dtype=np.int64), *(rows for _, rows, _, _ in changes)])
        changed = catalogue.products[rows].with_columns(
            price=pl.Series(np.concatenate([np.zeros(0), *(price for _, _, price, _ in changes)])),
            in_stock=pl.Series(
                np.concatenate([np.zeros(0, dtype=bool), *(stock for _, _, _, stock in changes)])
            ),
            updated_at=pl.Series(
                [datetime.combine(date.fromordinal(int(day)), time()) for day in days], dtype=landing.TIME
            ),
        )
        return pl.concat([catalogue.products, changed]).sort("product_id", "updated_at")


def _rounded(price: Floats) -> Floats:
    return np.round(np.round(price / _SMALLEST_COIN) * _SMALLEST_COIN, 2)
