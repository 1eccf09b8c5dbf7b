"""Mails go out in the reader's best hour and never in his quiet hours, whatever his clock does."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.policy import PolicyConfig
from models.policy.timezones import with_zone
from models.policy.timing import allowed_slots, choose_send_time, hour_chances
from models.shrinkage import logit

ZONES = [
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/St_Johns",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "America/Havana",
    "America/Santiago",
    "Africa/Cairo",
    "Asia/Beirut",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "UTC",
]


def config(day: date, **settings: object) -> PolicyConfig:
    return PolicyConfig(day, **{"explore_send_time": 0.0, "sample_send_time": 0.0, **settings})


def readers(zone: str, chances: list[float] | None, n: int = 1, *, explore: float = 0.99) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "customer_id": [f"c{i:04d}" for i in range(n)],
            "timezone": [zone] * n,
            "p_open_by_hour": pl.Series([chances] * n, dtype=pl.List(pl.Float32)),
            "n_sends": [20] * n,
            "u_explore": [explore] * n,
            "u_hour": [(i + 0.5) / n for i in range(n)],
            "u_minute": [(i * 7 % n + 0.5) / n for i in range(n)],
        }
    )


def peak(hour_of_week: int) -> list[float]:
    return [1.0 if hour == hour_of_week else 0.1 for hour in range(168)]


def sent(zone: str, day: date, chances: list[float] | None, n: int = 60, **settings: object) -> pl.DataFrame:
    rules = config(day, **settings)
    return choose_send_time(readers(zone, chances, n), allowed_slots([zone], rules), rules)


def test_the_usual_hour_on_the_readers_own_clock() -> None:
    tuesday_8 = 1 * 24 + 8
    plan = sent("America/New_York", date(2025, 3, 4), peak(tuesday_8))
    assert plan["send_at_local"].dt.date().unique().to_list() == [date(2025, 3, 4)]
    assert plan["send_at_local"].dt.hour().unique().to_list() == [8]
    assert plan["send_at"].dt.hour().unique().to_list() == [13]
    assert plan["send_at"].dt.minute().n_unique() == 60
    assert plan["propensity_send_time"].unique().to_list() == [1.0]


def test_quiet_hours_beat_the_favourite_hour() -> None:
    plan = sent("Europe/Berlin", date(2025, 3, 4), peak(1 * 24 + 23))
    assert plan["send_at_local"].dt.hour().unique().to_list() == [7]  # all allowed hours tie: the earliest


def test_the_spring_gap_and_the_autumn_fold() -> None:
    open_at_night = {"quiet_start": time(0), "quiet_end": time(0), "window_start": time(0)}
    gap = allowed_slots(["Europe/Berlin"], config(date(2025, 3, 30), **open_at_night))
    fold = allowed_slots(["Europe/Berlin"], config(date(2025, 10, 26), **open_at_night))
    sunday_2 = 6 * 24 + 2
    assert (gap["hour_of_week"] == sunday_2).sum() == 0
    assert (fold["hour_of_week"] == sunday_2).sum() == 8
    in_fold = sent("Europe/Berlin", date(2025, 10, 26), peak(sunday_2), n=120, **open_at_night)
    assert in_fold["send_at"].n_unique() == 120
    assert in_fold["send_at_local"].n_unique() == 60
    assert in_fold["send_at_local"].dt.hour().unique().to_list() == [2]


def test_zones_off_by_half_an_hour_start_at_seven_sharp() -> None:
    slots = allowed_slots(["Asia/Kolkata", "Asia/Kathmandu"], config(date(2025, 3, 4), window_start=time(0)))
    first = slots.group_by("timezone").agg(pl.col("slot").min()).sort("timezone")["slot"].to_list()
    assert first == [
        datetime.combine(date(2025, 3, 4), time(1, 15)),
        datetime.combine(date(2025, 3, 4), time(1, 30)),
    ]


@settings(max_examples=60)
@given(
    zone=st.sampled_from(ZONES),
    day=st.dates(date(2005, 1, 1), date(2035, 12, 31)),
    start=st.integers(0, 95),
    length=st.integers(1, 80),
    window=st.integers(0, 95),
    explore=st.sampled_from([0.0, 1.0]),
    hour=st.integers(0, 167),
)
def test_never_in_quiet_hours(
    zone: str, day: date, start: int, length: int, window: int, explore: float, hour: int
) -> None:
    def clock(quarter: int) -> time:
        return time(quarter % 96 // 4, quarter % 4 * 15)

    rules = PolicyConfig(
        day,
        quiet_start=clock(start),
        quiet_end=clock(start + length),
        window_start=clock(window),
        explore_send_time=explore,
        sample_send_time=0.0,
    )
    plan = choose_send_time(readers(zone, peak(hour), 20, explore=0.5), allowed_slots([zone], rules), rules)
    opening, closing = rules.window
    assert plan.height == 20
    for send_at, local in plan.select("send_at", "send_at_local").iter_rows():
        there = send_at.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        assert local == there
        assert opening <= send_at < closing
        quiet_for = (there.hour * 60 + there.minute - start * 15) % 1440
        assert quiet_for >= length * 15


def test_exploration_is_even_over_the_allowed_hours() -> None:
    rules = config(date(2025, 3, 4), explore_send_time=0.4)
    slots = allowed_slots(["UTC"], rules)
    best = 1 * 24 + 9
    tried = choose_send_time(readers("UTC", peak(best), 14_000, explore=0.1), slots, rules)
    counts = tried["send_at_local"].dt.hour().value_counts()
    assert counts.height == 14 and counts["count"].unique().to_list() == [1000]
    chance = tried.select("is_best_time", "propensity_send_time").unique().sort("is_best_time")
    assert chance["propensity_send_time"].to_list() == pytest.approx([0.4 / 14, 0.6 + 0.4 / 14])


def test_an_unknown_zone_falls_back_to_country_then_utc() -> None:
    frame = pl.DataFrame(
        {
            "timezone": ["Asia/Tokyo", "Mars/Olympus", None, "", None],
            "country": ["DE", "DE", "IN", "XX", None],
        }
    )
    zoned = with_zone(frame)
    assert zoned["timezone"].to_list() == ["Asia/Tokyo", "Europe/Berlin", "Asia/Kolkata", "UTC", "UTC"]
    assert zoned["timezone_basis"].to_list() == ["own", "country", "country", "utc", "utc"]


def test_a_list_of_the_wrong_length_is_named() -> None:
    rules = config(date(2025, 3, 4))
    with pytest.raises(ValueError, match="p_open_by_hour must hold 168"):
        choose_send_time(readers("UTC", [0.1] * 24), allowed_slots(["UTC"], rules), rules)


def test_unknown_chances_send_in_the_first_allowed_hour() -> None:
    plan = sent("Europe/London", date(2025, 3, 4), None)
    assert plan["send_at_local"].dt.hour().unique().to_list() == [7]
    assert plan["is_flat_time"].all()


def test_a_believed_best_hour_is_chosen_as_often_as_its_noise_makes_it_the_best() -> None:
    p_open, n_sends = np.array([[0.30, 0.27, 0.18]]), np.array([40.0])
    found = hour_chances(p_open, n_sends, 20.0)[0]
    error = 1 / np.sqrt(20.0 + 40.0 * p_open.mean())
    noise = np.random.default_rng(5).gumbel(0.0, error * np.sqrt(6) / np.pi, (200_000, 3))
    best = (logit(p_open) + noise).argmax(axis=1)
    assert found == pytest.approx(np.bincount(best, minlength=3) / len(best), abs=0.004)
    assert found.sum() == pytest.approx(1.0)
    assert hour_chances(p_open, np.array([4000.0]), 20.0)[0, 0] > found[0]


def test_hours_are_drawn_as_often_as_their_logged_chance_says() -> None:
    chances = [0.1 + 0.02 * (hour % 24) for hour in range(168)]
    rules = config(date(2025, 3, 4), explore_send_time=0.2, sample_send_time=0.5, hour_opens=10.0)
    n = 200
    people = readers("UTC", chances, n).drop("customer_id", "u_explore")
    lots = pl.DataFrame({"u_explore": [(i + 0.5) / n for i in range(n)]})
    every = people.join(lots, how="cross").with_columns(
        customer_id=pl.int_range(pl.len()).cast(pl.String).str.zfill(6)
    )
    plan = choose_send_time(every, allowed_slots(["UTC"], rules), rules)
    by_hour = plan.group_by(pl.col("send_at_local").dt.hour().alias("hour")).agg(
        share=pl.len() / plan.height, chance=pl.col("propensity_send_time").first()
    )
    assert by_hour["share"].to_list() == pytest.approx(by_hour["chance"].to_list(), abs=2e-3)
    assert by_hour["chance"].sum() == pytest.approx(1.0)
    assert plan.filter("is_best_time")["send_at_local"].dt.hour().unique().to_list() == [20]


def test_quiet_all_day_leaves_no_slot() -> None:
    rules = config(date(2025, 3, 4), quiet_start=time(7, 15), quiet_end=time(7, 0))
    assert allowed_slots(["UTC"], rules)["slot"].to_list() == [
        datetime.combine(date(2025, 3, 4), time(7)) + timedelta(0)
    ]


@pytest.mark.parametrize(
    ("setting", "value", "text"),
    [
        ("quiet_start", time(21, 10), "quiet_start is 21:10:00; it must be a multiple of 15 minutes"),
        ("control_share", 1.5, "control_share is 1.5; it is a share"),
        ("max_sends_per_day", -1, "max_sends_per_day is -1"),
    ],
)
def test_settings_out_of_their_limits_are_named(setting: str, value: object, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        PolicyConfig(date(2025, 3, 4), **{setting: value})
