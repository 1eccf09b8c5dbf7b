"""When people read: archetypes of reading over the week, learnt from when mails were sent, opened, and the shop visited.

A mail lies in the inbox and sinks. A person reads at hours of his own, and opens a mail at the first reading in which it
still shows. So an open in hour g speaks for reading in g, against the mails that lay there to be opened:

    exposure(g) = sum over lag d of mails sent(g - d) x shown(d)
    expected opens in hour g = level x reading(g) x exposure(g)
    chance of an open of a mail sent in h is proportional to   attention(h) = sum over lag d of reading(h + d) x shown(d)

with shown(d) = exp(-d / inbox_hours) + a floor. Reading is a mixture of archetypes with gamma-distributed levels (a
Gamma-Poisson mixture, fitted by EM as in Dempster, Laird and Rubin 1977); each archetype has hours of visiting as well. A
person's reading is his posterior mixture, then shrunk to it from his own opens.

Here: arrays in, arrays out, rows x 168 hours from Monday 00:00 local time. Not here: frames, the level of a customer, the
probability (`send_time`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from models.model import NotFittedError
from models.shrinkage import FloatArray

HOURS = 168
"""Hours of the week, 0 = Monday 00-01 local time."""


class Evidence(NamedTuple):
    """Counts by person and hour of the week.

    sent: mails sent in the hour. opened: of them opened within 24 hours. opens: opens by the hour in which they happened.
    visits: visits to the shop.
    """

    sent: FloatArray
    opened: FloatArray
    opens: FloatArray
    visits: FloatArray

    def rows(self, some: slice | NDArray[np.int64]) -> Evidence:
        """Some of the persons."""
        return Evidence(*(counts[some] for counts in self))


@dataclass(frozen=True)
class ReadingParams:
    """What the archetypes are made with.

    n_archetypes: how many. inbox_hours: how long a mail shows; of these the likeliest is taken. shown_floor: chance to be
    found later all the same, against the first hour.
    kernel_hours: standard deviation by which an hour's evidence spreads to its neighbours by clock; other_daytype: how
    much a weekday says of a weekend hour and the reverse.
    archetype_opens, archetype_visits: expected opens by hour, and visits in all, that the prior of an archetype is worth.
    own_opens: expected opens around an hour that a person's mixture is worth against his own. level_opens: shape of the
    gamma prior of levels.
    max_visits: more visits of one person count as so many.
    n_persons, n_persons_inbox: of more persons so many, evenly drawn, teach the archetypes, and choose inbox_hours.
    n_rounds: of EM.
    """

    n_archetypes: int = 12
    inbox_hours: tuple[float, ...] = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 24.0)
    shown_floor: float = 0.003
    kernel_hours: float = 1.0
    other_daytype: float = 0.4
    archetype_opens: float = 2.0
    archetype_visits: float = 20.0
    own_opens: float = 6.0
    level_opens: float = 2.0
    max_visits: float = 50.0
    n_persons: int = 20_000
    n_persons_inbox: int = 3_000
    n_rounds: int = 30


class _Counts(NamedTuple):
    """Evidence as the likelihood takes it: `opens` of a mail count once, `timeless` opens are known by send hour alone."""

    sent: FloatArray
    timeless: FloatArray
    opens: FloatArray
    visits: FloatArray
    n_opens: FloatArray


@dataclass
class Archetypes:
    """Archetypes of reading.

    Attributes:
        reading: archetypes x 168, rate of reading by hour; all have the same mean.
        visiting: archetypes x 168, share of visits by hour.
        weights: share of persons per archetype.
        inbox_hours: how long a mail shows.
    """

    params: ReadingParams = field(default_factory=ReadingParams)
    reading: FloatArray | None = None
    visiting: FloatArray | None = None
    weights: FloatArray | None = None
    inbox_hours: float = 4.0

    def fit(self, evidence: Evidence) -> Self:
        """Learn from persons; the order of the rows matters only to which of very many are taken."""
        known = _evenly(evidence, self.params.n_persons)
        if known.opens.any() or known.opened.any():
            few = _counts(_evenly(evidence, self.params.n_persons_inbox), self.params)
            likelihood = [self._learn(few, hours) for hours in self.params.inbox_hours]
            self.inbox_hours = self.params.inbox_hours[int(np.argmax(likelihood))]
        self._learn(_counts(known, self.params), self.inbox_hours)
        return self

    @property
    def common(self) -> FloatArray:
        """Attention of a person of whom nothing is known, by hour; mean 1."""
        reading, _, weights = self._fitted()
        return _scaled(weights @ ahead(reading, self._shown()))

    def attention(self, evidence: Evidence) -> FloatArray:
        """Relative chance that a mail sent in each hour is opened, persons x 168, mean 1 over the week."""
        reading, _, _ = self._fitted()
        counts, shown = _counts(evidence, self.params), self._shown()
        posterior, level, _ = self._posterior(counts, shown)
        own = posterior @ reading
        kernel = clock_kernel(self.params.kernel_hours, self.params.other_daytype)
        expected = own * behind(counts.sent, shown) * (posterior * level).sum(axis=1, keepdims=True)
        moments = _moments(counts.opens, counts.timeless, own, shown)
        prior = self.params.own_opens
        own = own * (moments @ kernel + prior) / (expected @ kernel + prior)
        return _scaled(ahead(own, shown))

    def _shown(self, inbox_hours: float | None = None) -> FloatArray:
        lag = np.arange(24)
        return np.exp(-lag / (inbox_hours or self.inbox_hours)) + self.params.shown_floor

    def _learn(self, counts: _Counts, inbox_hours: float) -> float:
        """EM from archetypes that each lean to another part of the day; the log-likelihood it comes to."""
        p = self.params
        shown = self._shown(inbox_hours)
        exposure = behind(counts.sent, shown)
        by_daytype, by_clock = (
            clock_kernel(p.kernel_hours, p.other_daytype),
            clock_kernel(p.kernel_hours, 1.0),
        )
        rate = max(counts.n_opens.sum(), 1.0) / max(exposure.sum(), 1.0)
        visits = counts.visits.sum(axis=0) @ by_clock + 1.0
        visits /= visits.sum()
        found = (counts.opens + counts.timeless).sum(axis=0) @ by_daytype
        prior = p.archetype_opens * by_daytype.sum(axis=0)
        base = visits * HOURS * rate if not counts.n_opens.any() else np.full(HOURS, rate)
        common = (found + prior * base) / (exposure.sum(axis=0) @ by_daytype + prior)
        common *= rate * HOURS / common.sum()
        lean = _leaning(common / common.sum() + visits, p.n_archetypes)
        self.reading = common * lean
        self.reading *= rate * HOURS / self.reading.sum(axis=1, keepdims=True)
        self.visiting = _shares(visits * lean)
        self.weights = np.full(p.n_archetypes, 1 / p.n_archetypes)
        likelihood = 0.0
        for _ in range(p.n_rounds):
            posterior, level, likelihood = self._posterior(counts, shown)
            self.weights = (posterior.sum(axis=0) + 1) / (posterior.sum() + p.n_archetypes)
            moments = _moments(posterior.T @ counts.opens, posterior.T @ counts.timeless, self.reading, shown)
            chances = (posterior * level).T @ exposure
            # Either rhythm of an archetype leans half on everybody's and half on its other rhythm.
            expected = 0.5 * common + 0.5 * rate * HOURS * self.visiting
            reading = (moments @ by_daytype + prior * expected) / (chances @ by_daytype + prior)
            reading *= rate * HOURS / reading.sum(axis=1, keepdims=True)
            visited = posterior.T @ counts.visits
            usual = 0.5 * visits + 0.5 * _shares(self.reading @ by_clock)
            smooth = visited.sum(axis=1, keepdims=True) * _shares(visited @ by_clock + 1e-9)
            self.visiting = _shares(smooth + p.archetype_visits * usual)
            self.reading = reading
        return likelihood + float((counts.opens * np.log(np.maximum(exposure, 1e-3))).sum())

    def _posterior(self, counts: _Counts, shown: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        """Persons x archetypes: chance, and the level a person has if he is of it; and the log-likelihood."""
        reading, visiting, weights = self._fitted()
        shape = self.params.level_opens
        attention = ahead(reading, shown)
        expected = shape + counts.sent @ attention.T
        n = shape + counts.n_opens[:, None]
        log_chance = (
            np.log(weights)
            + counts.opens @ np.log(reading).T
            + counts.timeless @ np.log(attention).T
            + counts.visits @ np.log(visiting).T
            - n * np.log(expected)
        )
        best = log_chance.max(axis=1, keepdims=True, initial=-np.inf)
        chance = np.exp(log_chance - best)
        total = chance.sum(axis=1, keepdims=True)
        return chance / total, n / expected, float((best + np.log(total)).sum())

    def _fitted(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        if self.reading is None or self.visiting is None or self.weights is None:
            raise NotFittedError("reading archetypes")
        return self.reading, self.visiting, self.weights


def ahead(reading: FloatArray, shown: FloatArray) -> FloatArray:
    """By send hour (last axis): reading in the hours after it, as far as the mail still shows."""
    return np.asarray(sum(share * np.roll(reading, -lag, axis=-1) for lag, share in enumerate(shown)))


def behind(sent: FloatArray, shown: FloatArray) -> FloatArray:
    """By hour (last axis): mails sent in the hours before it, as far as they still show."""
    return np.asarray(sum(share * np.roll(sent, lag, axis=-1) for lag, share in enumerate(shown)))


def _moments(opens: FloatArray, timeless: FloatArray, reading: FloatArray, shown: FloatArray) -> FloatArray:
    """Opens by hour; those known by send hour alone are spread over the hours in which they may have happened."""
    return np.asarray(opens + reading * behind(timeless / ahead(reading, shown), shown))


def clock_kernel(kernel_hours: float, other_daytype: float) -> FloatArray:
    """168 x 168: how much an hour's evidence counts for another, by clock time (circular) and type of day; 1 itself."""
    hour = np.arange(HOURS)
    clock, weekend = hour % 24, hour // 24 >= 5
    apart = np.abs(clock[:, None] - clock[None, :])
    near = np.exp(-0.5 * (np.minimum(apart, 24 - apart) / kernel_hours) ** 2)
    return np.asarray(near * np.where(weekend[:, None] == weekend[None, :], 1.0, other_daytype))


def _counts(evidence: Evidence, params: ReadingParams) -> _Counts:
    """Opens of one mail count as one: where there are more opens than mails opened, each counts less."""
    n_opened, n_moments = evidence.opened.sum(axis=1), evidence.opens.sum(axis=1)
    once = np.minimum(1.0, np.maximum(n_opened, 1.0) / np.maximum(n_moments, 1.0))
    timeless = np.clip(1.0 - n_moments / np.maximum(n_opened, 1.0), 0.0, 1.0)
    usual = np.minimum(1.0, params.max_visits / np.maximum(evidence.visits.sum(axis=1), 1.0))
    return _Counts(
        evidence.sent,
        timeless[:, None] * evidence.opened,
        once[:, None] * evidence.opens,
        usual[:, None] * evidence.visits,
        once * n_moments + timeless * n_opened,
    )


def _evenly(evidence: Evidence, n_persons: int) -> Evidence:
    """At most so many persons, evenly over the rows of those with any evidence."""
    known = np.flatnonzero(sum(counts.any(axis=1) for counts in evidence))
    if len(known) > n_persons:
        known = known[np.linspace(0, len(known) - 1, n_persons).astype(np.int64)]
    return evidence.rows(known)


def _leaning(activity: FloatArray, n_archetypes: int) -> FloatArray:
    """Archetypes x 168: factors that lean each archetype to a part of the day, the parts equally busy."""
    busy = np.cumsum(activity.reshape(7, 24).sum(axis=0))
    centre = np.searchsorted(busy / busy[-1], (np.arange(n_archetypes) + 0.5) / n_archetypes)
    apart = np.abs(np.arange(HOURS) % 24 - centre[:, None])
    return np.asarray(np.exp(1.5 * np.exp(-0.5 * (np.minimum(apart, 24 - apart) / 2.0) ** 2)))


def _shares(values: FloatArray) -> FloatArray:
    return np.asarray(values / values.sum(axis=-1, keepdims=True))


def _scaled(values: FloatArray) -> FloatArray:
    """Mean 1 over the hours."""
    return np.asarray(values / values.mean(axis=-1, keepdims=True))
