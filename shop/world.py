"""The simulated shop as it lives: one call per UTC day, mails in, events out.

The weekly broadcast and writing files are elsewhere; a policy under test hands in its own mails.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np
import polars as pl

from shop.aftermath import after_orders, newcomers, second_thoughts, small_talk, unsubscribed
from shop.broadcast import broadcast_sends
from shop.browsing import browse
from shop.carts import sale_on
from shop.catalogue import build_catalogue
from shop.config import ShopConfig
from shop.landing import CONSENTS, EVENTS
from shop.mailing import respond
from shop.mails import SENDS
from shop.people import US_PER_HOUR, build_people
from shop.price_tags import PriceTags
from shop.state import State
from shop.visits import Visits

_DAY = 24 * US_PER_HOUR
_LOOKS_BEFORE_SIGNING_UP_DAYS = 7
_WEEKDAY_DEMAND = (1.02, 0.95, 0.92, 0.94, 0.95, 1.06, 1.16)
_MONTH_DEMAND = (1.12, 0.92, 0.96, 1.03, 1.06, 1.04, 0.98, 0.92, 0.96, 0.98, 1.18, 1.22)
_VISITORS_PER_CUSTOMER = 0.010


@dataclass(frozen=True)
class DayOutcome:
    """What one UTC day brought.

    events: the landing table of the day, in order of time. consents: rows to append. messages: the truth about the
    mails sent that day, see ``shop.mailing.MailOutcome``. machine_events: ids of events made by machines.
    orders: order_id, message_id of the mail whose click led to the order, or null. chances: of an order, by visit, see
    ``shop.browsing.Browsing``.
    """

    day: date
    events: pl.DataFrame
    consents: pl.DataFrame
    messages: pl.DataFrame
    machine_events: pl.Series
    orders: pl.DataFrame
    chances: pl.DataFrame


class World:
    """A shop with customers. ``step`` plays one day; random streams belong to days, so 120 days and then 60 more
    equal 180 days.

    Attributes: config, people, state, today (the next day to be played), catalogue (as it is today).
    """

    def __init__(self, config: ShopConfig) -> None:
        self.config = config
        self._first_catalogue = build_catalogue(config)
        self._tags = PriceTags.at_opening(self._first_catalogue, config.start, config.rng("price tags"))
        self.people = build_people(config, self._first_catalogue)
        self.state = State.first_day(self.people, self._first_catalogue)
        self._open_day(config.start)
        self._events_to_come = pl.DataFrame(schema={**EVENTS, "is_machine": pl.Boolean})
        self._consents_to_come = self.people.initial_consents
        self._mails_to_come = pl.DataFrame(schema=SENDS)
        self._visits_to_come = Visits.organic(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))

    @property
    def products(self) -> pl.DataFrame:
        """The landing table of products: prices and stock as they were until yesterday, one row for each change."""
        return self._tags.history(self._first_catalogue, until=self.today)

    def broadcast_sends(self) -> pl.DataFrame:
        """Today's share of the plain weekly mail; columns SENDS."""
        return broadcast_sends(self.config, self.people, self.catalogue, self.state, self.today)

    def step(self, sends: pl.DataFrame | None = None) -> DayOutcome:
        """Play today and go on to tomorrow.

        sends: mails to send (columns ``shop.mails.SENDS``, null or absent content allowed by their meaning);
        ``send_at`` may lie after today, the mail then waits. Mails to people who may not be mailed at that moment are
        sent all the same: keeping consent is the sender's duty. Raises ValueError for a send_at before today or a
        customer who does not exist.
        """
        day, day_us = self.today, int(np.datetime64(self.today, "us").astype(np.int64))
        begins = datetime.combine(day, time())
        self.state.begin_day(day, self.people, self.config.rng("night", day))
        mails = self._due_mails(sends, begins)
        answer = respond(
            mails, self.people, self.catalogue, state=self.state, day=day, rng=self.config.rng("mail", day)
        )
        waiting = self._visits_to_come + answer.visits
        is_due = waiting.at < day_us + _DAY
        self._visits_to_come = waiting[~is_due]
        rng = self.config.rng("visits", day)
        visits = self._organic_visits(day, day_us, rng) + waiting[is_due]
        browsing = browse(visits, self.people, self.catalogue, state=self.state, day=day, rng=rng)
        later = self.config.rng("aftermath", day)
        aftermath = after_orders(browsing.lines, self.catalogue, self.state, later)
        talk = small_talk(self.people, self.state, day_us, later)
        thoughts = second_thoughts(self.people, day_us, later)
        self._events_to_come = pl.concat(
            [
                self._events_to_come,
                *(
                    _completed(part)
                    for part in (
                        answer.events,
                        browsing.events,
                        aftermath,
                        talk,
                        newcomers(self.people, day_us),
                    )
                ),
            ]
        )
        self._consents_to_come = pl.concat(
            [self._consents_to_come, unsubscribed(answer.events), thoughts.select(CONSENTS.keys())]
        )
        self._open_day(day + timedelta(days=1))
        events, machine = self._release_events(day)
        return DayOutcome(
            day=day,
            events=events,
            consents=self._release_consents(),
            messages=answer.truth,
            machine_events=machine,
            orders=browsing.lines.select("order_id", "message_id").unique(maintain_order=True),
            chances=browsing.chances,
        )

    def chances_of(self, sends: pl.DataFrame) -> pl.DataFrame:
        """The truth about mails if they were sent today, see ``shop.mailing.MailOutcome.truth``; nothing comes of asking."""
        state, day = deepcopy(self.state), self.today
        state.begin_day(day, self.people, self.config.rng("night", day))
        rng = self.config.rng("mail", day)
        return respond(sends, self.people, self.catalogue, state=state, day=day, rng=rng).truth

    def _open_day(self, day: date) -> None:
        self.today = day
        self._tags.begin_day(day, self._first_catalogue, self.config.rng("price tags", day))
        self.catalogue = self._tags.shown_in(self._first_catalogue)

    def _due_mails(self, sends: pl.DataFrame | None, begins: datetime) -> pl.DataFrame:
        waiting = self._mails_to_come
        if sends is not None and sends.height:
            early = sends.filter(pl.col("send_at") < begins)
            if early.height:
                first = early["send_at"].min()
                raise ValueError(
                    f"{early.height} mails have a send_at before {begins} (first: {first!s}); it is past."
                )
            waiting = pl.concat(
                [waiting, sends.select(pl.col(name).cast(kind) for name, kind in SENDS.items())]
            )
        is_due = pl.col("send_at") < begins + timedelta(days=1)
        self._mails_to_come = waiting.filter(~is_due)
        return waiting.filter(is_due)

    def _organic_visits(self, day: date, day_us: int, rng: np.random.Generator) -> Visits:
        """Visits people make by themselves, at local hours of their own, and those of strangers."""
        people, state = self.people, self.state
        sale = 0.9 * people.price_sensitivity if sale_on(day)[0] else 0.0
        looks_around = people.signed_up < day_us + _LOOKS_BEFORE_SIGNING_UP_DAYS * _DAY
        rate = (
            people.visit_rate
            * looks_around
            * np.where(state.is_gone, 0.03, 1.0)
            * _WEEKDAY_DEMAND[day.weekday()]
            * _MONTH_DEMAND[day.month - 1]
            * (1.0 + 0.35 * state.nudge + 0.2 * np.minimum(state.intent.sum(axis=1), 6.0))
            * (1.0 + 1.2 * state.is_due.any(axis=1))
            * (1.0 + sale)
        )
        rate[-1] = _VISITORS_PER_CUSTOMER * people.size
        count = rng.poisson(rate)
        person = np.repeat(np.arange(people.size + 1), count)
        aim = rng.random(len(person))
        hour = np.minimum((people.browsing[person] <= aim[:, None]).sum(axis=1), 23)
        local = hour * US_PER_HOUR + rng.integers(0, 3_600_000, len(person)) * 1_000
        at = day_us + (local - people.utc_offset_us(day)[person]) % _DAY
        return Visits.organic(np.where(person == people.size, -1, person), at)

    def _release_events(self, day: date) -> tuple[pl.DataFrame, pl.Series]:
        is_past = pl.col("occurred_at") < datetime.combine(self.today, time())
        past = self._events_to_come.filter(is_past).sort("occurred_at", maintain_order=True)
        self._events_to_come = self._events_to_come.filter(~is_past)
        past = past.with_columns(
            pl.format(
                "e{}-{}", pl.lit(f"{day:%Y%m%d}"), pl.int_range(1, pl.len() + 1).cast(pl.String).str.zfill(6)
            ).alias("event_id")
        )
        return past.select(EVENTS.keys()), past.filter("is_machine")["event_id"]

    def _release_consents(self) -> pl.DataFrame:
        is_past = pl.col("occurred_at") < datetime.combine(self.today, time())
        past = self._consents_to_come.filter(is_past).sort("occurred_at", maintain_order=True)
        self._consents_to_come = self._consents_to_come.filter(~is_past)
        return past


def _completed(events: pl.DataFrame) -> pl.DataFrame:
    """All landing columns and is_machine, null where the part has none."""
    kinds = {**EVENTS, "is_machine": pl.Boolean}
    return events.select(
        pl.col(name).cast(kind) if name in events.columns else pl.lit(None, dtype=kind).alias(name)
        for name, kind in kinds.items()
    ).with_columns(pl.col("is_machine").fill_null(False))
