"""Visits to the simulated shop as arrays, before anybody has looked at anything."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shop.catalogue import Floats, Ints

NO_ITEM = -1
DESKTOP, MOBILE = 0, 1


@dataclass(frozen=True)
class Visits:
    """One row per visit.

    person: row in People, -1 for a visitor nobody knows. at: start, microseconds since 1970 UTC. product, content:
    what the visit starts with, NO_ITEM if the person chooses. discount_rate, coupon, has_free_shipping: the offer the
    person holds; worth: its value as a share of the basket. message_id: the mail that brought the person, or null.
    device: DESKTOP or MOBILE, NO_ITEM if it is not settled yet.
    """

    person: Ints
    at: Ints
    product: Ints
    content: Ints
    discount_rate: Floats
    worth: Floats
    coupon: pl.Series
    has_free_shipping: NDArray[np.bool_]
    message_id: pl.Series
    device: Ints

    @classmethod
    def organic(cls, person: Ints, at: Ints) -> Visits:
        """Visits of people who come by themselves, without an offer."""
        size = len(person)
        return cls(
            person=person,
            at=at,
            product=np.full(size, NO_ITEM),
            content=np.full(size, NO_ITEM),
            discount_rate=np.zeros(size),
            worth=np.zeros(size),
            coupon=pl.Series([None] * size, dtype=pl.String),
            has_free_shipping=np.zeros(size, dtype=bool),
            message_id=pl.Series([None] * size, dtype=pl.String),
            device=np.full(size, NO_ITEM),
        )

    @property
    def from_mail(self) -> NDArray[np.bool_]:
        """Whether a mail brought the person."""
        return self.message_id.is_not_null().to_numpy()

    def __len__(self) -> int:
        return len(self.person)

    def __getitem__(self, rows: Ints | NDArray[np.bool_]) -> Visits:
        index = np.flatnonzero(rows) if rows.dtype == bool else rows
        return Visits(
            self.person[index],
            self.at[index],
            self.product[index],
            self.content[index],
            self.discount_rate[index],
            self.worth[index],
            self.coupon.gather(index),
            self.has_free_shipping[index],
            self.message_id.gather(index),
            self.device[index],
        )

    def __add__(self, other: Visits) -> Visits:
        return Visits(
            np.append(self.person, other.person),
            np.append(self.at, other.at),
            np.append(self.product, other.product),
            np.append(self.content, other.content),
            np.append(self.discount_rate, other.discount_rate),
            np.append(self.worth, other.worth),
            pl.concat([self.coupon, other.coupon]),
            np.append(self.has_free_shipping, other.has_free_shipping),
            pl.concat([self.message_id, other.message_id]),
            np.append(self.device, other.device),
        )
