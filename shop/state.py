"""What changes in the simulated customers from day to day. Rows run along People, the visitor last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from shop.catalogue import CATEGORY_NAMES, CATEGORY_OF_SUBCATEGORY, Catalogue, Floats, Ints
from shop.people import People
from shop.visits import NO_ITEM

NEVER = np.iinfo(np.int64).max
CART_LIFE_DAYS = 14


@dataclass
class State:
    """Moving parts of the customers.

    intent: x subcategories, live interest from recent views. satiation: x subcategories, log-odds lost after buying
    a durable, back to 0 with time. due_on, usual_product: x subcategories, the day a consumable runs out and what was
    bought last. is_due: today. cart_product, cart_on: what was left in the cart and when. mail_pressure: mails
    lately, decayed. nudge: mails opened lately, decayed. mood: log odds lost after a bad service contact, which
    comes on shock_on. is_gone, gone_on: dropped out. orders: so far. unsubscribed_at, suppressed_at: microseconds.
    """

    intent: Floats
    satiation: Floats
    due_on: Ints
    usual_product: Ints
    is_due: NDArray[np.bool_]
    cart_product: Ints
    cart_on: Ints
    mail_pressure: Floats
    nudge: Floats
    mood: Floats
    shock_on: Ints
    is_gone: NDArray[np.bool_]
    gone_on: Ints
    orders: Ints
    unsubscribed_at: Ints
    suppressed_at: Ints
    utility_mean: Floats
    utility_spread: Floats
    shelf_of_category: Ints

    @classmethod
    def first_day(cls, people: People, catalogue: Catalogue) -> State:
        """Everybody as on the first day: no interest, empty carts, nobody gone."""
        size, shelves = people.taste.shape
        return cls(
            intent=np.zeros((size, shelves)),
            satiation=np.zeros((size, shelves)),
            due_on=np.full((size, shelves), NEVER),
            usual_product=np.full((size, shelves), NO_ITEM - 1),
            is_due=np.zeros((size, shelves), dtype=bool),
            cart_product=np.full(size, NO_ITEM - 1),
            cart_on=np.zeros(size, dtype=np.int64),
            mail_pressure=np.zeros(size),
            nudge=np.zeros(size),
            mood=np.zeros(size),
            shock_on=np.full(size, NEVER),
            is_gone=np.zeros(size, dtype=bool),
            gone_on=np.full(size, NEVER),
            orders=np.zeros(size, dtype=np.int64),
            unsubscribed_at=np.full(size, NEVER),
            suppressed_at=np.full(size, NEVER),
            utility_mean=people.utility.mean(axis=1),
            utility_spread=people.utility.std(axis=1),
            shelf_of_category=np.array(
                [int(np.argmax(row == CATEGORY_OF_SUBCATEGORY)) for row in range(len(CATEGORY_NAMES))]
            ),
        )

    def begin_day(self, day: date, people: People, rng: np.random.Generator) -> None:
        """Let a night pass: interest fades, pressure eases, packs run out, some people leave for good."""
        today = day.toordinal()
        self.intent *= 0.80
        self.satiation *= 0.985
        self.mail_pressure *= 0.85
        self.nudge *= 0.70
        self.mood *= 0.95
        self.mood[self.shock_on == today] = -1.2
        self.is_due = self.due_on <= today
        stale = self.cart_on < today - CART_LIFE_DAYS
        self.cart_product[stale] = NO_ITEM - 1
        leaving = (rng.random(len(self.is_gone)) < people.dropout_rate) & ~self.is_gone
        leaving[-1] = False
        self.is_gone |= leaving
        self.gone_on[leaving] = today

    def may_mail(self, people: People, at: Ints) -> NDArray[np.bool_]:
        """Who has signed up, consented, and neither unsubscribed nor been suppressed, at an instant per row."""
        return (
            people.mails_allowed
            & (people.signed_up < at)
            & (self.unsubscribed_at > at)
            & (self.suppressed_at > at)
        )
