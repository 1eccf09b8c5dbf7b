"""How much of the answers to a mail has come by a given age: young sends count by that share alone.

Here: the distribution of delays and the exposure it gives. Not here: rates of answers (`posterior`). That feedback which is
still to come must not count as a refusal: Joulani, Gyorgy and Szepesvari 2013, "Online learning under delayed feedback";
Chapelle 2014, "Modeling delayed feedback in display advertising".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from models.model import require
from models.shrinkage import FloatArray


@dataclass(frozen=True)
class DelayCurve:
    """Share of the answers within `window_hours` that have come by an age: a step at each of `hours`, up to `shares`."""

    hours: FloatArray
    shares: FloatArray
    window_hours: float

    @classmethod
    def fit(
        cls,
        delay_hours: ArrayLike,
        age_hours: ArrayLike,
        *,
        counts: ArrayLike | None = None,
        window_hours: float,
        prior_answers: int = 20,
        prior_half_life_hours: float = 8.0,
    ) -> DelayCurve:
        """The curve of answers seen so far, of sends old and young.

        A young send shows quick answers alone, so plain quantiles of all delays would be too short. The product-limit
        estimate for delays that are seen only if shorter than the send's age corrects that (Lynden-Bell 1971; in
        reversed time it is Kaplan and Meier's, as Lagakos, Barraj and De Gruttola 1988 show): of the answers with
        delay <= h whose send is at least h old, the share that came at h exactly.

        Args:
            delay_hours: per answered send, from the send to its answer; those after the window are left out.
            age_hours: per answered send, from the send to now; at least the delay.
            counts: how many answered sends have this delay and age; one each if not given.
            window_hours: an answer after it is none.
            prior_answers, prior_half_life_hours: so many answers of an exponential distribution, cut at the window, are
                added, so that a shop without old sends has a curve.

        Raises:
            ValueError: on lengths that differ, or delays that are negative, missing or longer than the age.
        """
        delay, age = (np.asarray(hours, dtype=np.float64) for hours in (delay_hours, age_hours))
        times = np.ones(delay.shape) if counts is None else np.asarray(counts, dtype=np.float64)
        if not delay.shape == age.shape == times.shape or delay.ndim != 1:
            raise ValueError("delays, ages and counts must be one-dimensional and of one length")
        if not window_hours > 0 or prior_answers < 1 or not prior_half_life_hours > 0:
            raise ValueError("window_hours, prior_answers and prior_half_life_hours must be above 0")
        wrong = ~((delay >= 0) & (delay <= age))
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            raise ValueError(
                f"{int(wrong.sum())} delays are negative, missing or longer than the send's age; "
                f"the first is {delay[first]} hours at an age of {age[first]}"
            )
        is_answer = (delay <= window_hours) & (times > 0)
        prior = _exponential(prior_answers, prior_half_life_hours, window_hours)
        came = np.append(delay[is_answer], prior)
        seen_until = np.append(np.minimum(age[is_answer], window_hours), np.full(prior_answers, window_hours))
        times = np.append(times[is_answer], np.ones(prior_answers))
        hours, place = np.unique(came, return_inverse=True)
        n_came = np.bincount(place, times)
        by_age = np.argsort(seen_until, kind="stable")
        younger = np.append(0.0, np.cumsum(times[by_age]))
        n_younger = younger[np.searchsorted(seen_until[by_age], hours, side="left")]
        at_risk = np.cumsum(n_came) - n_younger
        not_later = np.cumprod((1.0 - n_came / at_risk)[::-1])[::-1]
        return cls(hours, np.append(not_later[1:], 1.0), float(window_hours))

    def share_by(self, age_hours: ArrayLike) -> FloatArray:
        """Share of the answers that have come by each age, 0 to 1; 1 from the window's end on."""
        age = np.asarray(age_hours, dtype=np.float64)
        if np.isnan(age).any():
            raise ValueError("an age is missing; every send has one")
        steps = np.append(0.0, self.shares)
        share = steps[np.searchsorted(self.hours, age, side="right")]
        return np.asarray(np.where(age >= self.window_hours, 1.0, share), dtype=np.float64)


def with_exposure(history: pl.DataFrame, curve: DelayCurve) -> pl.DataFrame:
    """Adds n_effective: sends that count, given how much of their answers has come.

    history: age_hours (of the sends of a row; hours or days are fine enough), n_sent. Of n sends of rate p with share f
    of the answers in, n f p answers are expected by now: as many as n f sends have in the end.
    """
    require(history, ("age_hours", "n_sent"), "exposure")
    share = curve.share_by(history["age_hours"].cast(pl.Float64).to_numpy())
    return history.with_columns(n_effective=pl.col("n_sent") * pl.Series(share, dtype=pl.Float64))


def _exponential(n: int, half_life: float, window: float) -> FloatArray:
    """Evenly spaced quantiles of an exponential distribution cut at the window."""
    chance = (np.arange(n) + 0.5) / n
    whole = -np.expm1(-np.log(2.0) * window / half_life)
    return np.asarray(-np.log1p(-chance * whole) * half_life / np.log(2.0), dtype=np.float64)
