"""When people read: found from moments of opening, against the mails that lay there to be opened."""

import numpy as np
import pytest

from models.model import NotFittedError
from models.reading import HOURS, Archetypes, Evidence, ReadingParams, ahead, behind

CLOCK = np.arange(HOURS) % 24
INBOX_HOURS = 3.0


def rhythm(hour: int) -> np.ndarray:
    """Share of reading by hour of the week of somebody who reads about an hour of the day."""
    apart = np.abs(CLOCK - hour)
    near = np.exp(-0.5 * np.minimum(apart, 24 - apart) ** 2) + 0.01
    return near / near.sum()


def readers(
    n: int, *, sent_at: tuple[int, ...] = tuple(range(24)), n_sent: int = 60, seed: int = 1
) -> Evidence:
    """Even rows read at 8, odd ones at 20; mails at hours of the day drawn from `sent_at`; visits when they read."""
    generator = np.random.default_rng(seed)
    shown = np.exp(-np.arange(24) / INBOX_HOURS)
    sent, opened, opens, visits = (np.zeros((n, HOURS)) for _ in range(4))
    for row in range(n):
        reading = rhythm(8 if row % 2 == 0 else 20)
        chance = ahead(reading, shown)
        chance *= 0.25 / chance.mean()
        hours = generator.integers(0, 7, n_sent) * 24 + generator.choice(sent_at, n_sent)
        np.add.at(sent[row], hours, 1)
        for hour in hours[generator.random(n_sent) < chance[hours]]:
            opened[row, hour] += 1
            later = reading[(hour + np.arange(24)) % HOURS] * shown
            opens[row, (hour + generator.choice(24, p=later / later.sum())) % HOURS] += 1
        np.add.at(visits[row], generator.choice(HOURS, 5, p=reading), 1)
    return Evidence(sent, opened, opens, visits)


def best_clock(attention: np.ndarray) -> np.ndarray:
    return attention.reshape(-1, 7, 24).mean(axis=1).argmax(axis=1)


def test_everybody_is_reached_shortly_before_he_reads() -> None:
    evidence = readers(200)
    best = best_clock(Archetypes().fit(evidence).attention(evidence))
    assert np.mean(np.isin(best[0::2], (6, 7, 8))) > 0.95
    assert np.mean(np.isin(best[1::2], (18, 19, 20))) > 0.95


def test_how_long_a_mail_shows_is_found() -> None:
    assert Archetypes().fit(readers(300)).inbox_hours == INBOX_HOURS


def test_hours_of_opening_are_told_from_hours_of_sending() -> None:
    evidence = readers(300, sent_at=(9, 10, 17))
    attention = Archetypes().fit(evidence).attention(evidence)
    evening = attention[1::2].reshape(-1, 7, 24).mean(axis=(0, 1))
    assert 17 <= evening.argmax() <= 20
    morning = attention[0::2].reshape(-1, 7, 24).mean(axis=(0, 1))
    assert morning[7] > morning[10] > morning[17]


def test_without_moments_of_opening_the_hours_of_answered_mails_are_used() -> None:
    evidence = readers(200)
    timeless = evidence._replace(opens=np.zeros_like(evidence.opens), visits=np.zeros_like(evidence.visits))
    best = best_clock(Archetypes().fit(timeless).attention(timeless))
    assert np.mean(best[0::2] <= 12) > 0.9
    assert np.mean(best[1::2] >= 12) > 0.9


def test_visits_alone_say_when_a_stranger_reads() -> None:
    evidence = readers(200)
    model = Archetypes().fit(evidence)
    nothing = np.zeros((2, HOURS))
    visits = np.stack([10 * rhythm(8), 10 * rhythm(20)])
    assert best_clock(model.attention(Evidence(nothing, nothing, nothing, visits))) == pytest.approx(
        [7, 19], abs=1
    )


def test_who_is_unknown_is_like_everybody() -> None:
    model = Archetypes().fit(readers(100))
    nothing = Evidence(*(np.zeros((1, HOURS)) for _ in range(4)))
    np.testing.assert_allclose(model.attention(nothing)[0], model.common, rtol=1e-9)
    assert model.common.mean() == pytest.approx(1.0)


def test_a_device_that_opens_a_mail_a_thousand_times_is_one_open() -> None:
    evidence = readers(100)
    loud = evidence.opens.copy()
    loud[0] *= 1_000
    noisy = evidence._replace(opens=loud)
    quiet, heard = Archetypes().fit(evidence), Archetypes().fit(noisy)
    np.testing.assert_allclose(heard.common, quiet.common, rtol=1e-6)
    np.testing.assert_allclose(heard.attention(noisy)[0], quiet.attention(evidence)[0], rtol=1e-6)


def test_of_very_many_people_some_teach_and_the_answer_is_about_the_same() -> None:
    evidence = readers(300)
    few = Archetypes(ReadingParams(n_persons=150, n_persons_inbox=150)).fit(evidence)
    apart = best_clock(few.attention(evidence)) - best_clock(Archetypes().fit(evidence).attention(evidence))
    assert np.mean(np.abs(apart) <= 1) > 0.95


def test_it_can_learn_from_nothing_and_says_when_it_has_not_learnt() -> None:
    nothing = Evidence(*(np.zeros((0, HOURS)) for _ in range(4)))
    assert np.isfinite(Archetypes().fit(nothing).common).all()
    assert Archetypes().fit(nothing).attention(nothing).shape == (0, HOURS)
    with pytest.raises(NotFittedError, match="archetypes"):
        Archetypes().attention(nothing)


def test_a_mail_shows_in_the_hours_after_it_around_the_end_of_the_week() -> None:
    shown = np.array([1.0, 0.5])
    sent = np.zeros(HOURS)
    sent[HOURS - 1] = 2.0
    exposure = behind(sent, shown)
    assert exposure[HOURS - 1] == 2.0
    assert exposure[0] == 1.0
    reading = rhythm(8)
    assert (reading * exposure).sum() == pytest.approx((ahead(reading, shown) * sent).sum())
