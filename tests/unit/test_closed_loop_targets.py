"""Other policies asked in the product's situations: their choices are options, their truth is the shop's."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from logged_plan import ARMS, logged_days
from polars.testing import assert_frame_equal

from assets.home import Home
from benchmarks.closed_loop import targets
from benchmarks.closed_loop.judged import judged
from shop.config import ShopConfig
from shop.world import World

TUESDAY = date(2025, 3, 4)
CONFIG = ShopConfig(customers=250, days=24, seed=3)


def test_asking_for_chances_tells_the_truth_and_changes_nothing() -> None:
    world, other = World(CONFIG), World(CONFIG)
    for _ in range(3):
        world.step(world.broadcast_sends())
        other.step(other.broadcast_sends())
    sends = world.broadcast_sends()
    asked = world.chances_of(sends)
    assert asked.height > 3
    assert_frame_equal(asked, world.chances_of(sends))
    played, alike = world.step(sends), other.step(sends)
    assert_frame_equal(asked, played.messages)
    assert_frame_equal(played.events, alike.events)


def test_targets_choose_among_the_options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    options = pl.DataFrame(
        {
            "customer_id": ["a", "a", "a", "b", "c", "c", "d"],
            "message_key": [*["weekly_picks"] * 3, "cart_abandoned", "win_back", "win_back", "weekly_picks"],
            "offer_key": [
                "free_shipping",
                "none",
                "percent_10",
                "none",
                "none",
                "percent_10",
                "free_shipping",
            ],
        }
    )
    mails = pl.DataFrame(
        {
            "customer_id": ["a", "b", "c", "e"],
            "message_key": ["newsletter", "browse_abandoned", "win_back", "newsletter"],
            "offer_key": ["none", "none", "percent_10", "none"],
        }
    )
    monkeypatch.setattr(targets.RulePolicy, "mails", lambda self, world, day: mails)
    world = World(CONFIG)
    assert targets.broadcast(world, TUESDAY, options, tmp_path).rows() == [("a", "weekly_picks", "none")]
    assert targets.broadcast(world, date(2025, 3, 5), options, tmp_path).is_empty()
    ruled = targets.rules(world, TUESDAY, options, tmp_path).select(targets.OPTION)
    assert sorted(ruled.rows()) == [("a", "weekly_picks", "none"), ("c", "win_back", "percent_10")]


def test_the_log_is_judged_beside_the_truth(tmp_path: Path) -> None:
    options, outcomes = logged_days(600, 4)
    home = Home(tmp_path / "home", tmp_path / "landing")
    for (day,), rows in options.group_by("plan_date"):
        home.decisions(day).mkdir(parents=True)  # type: ignore[arg-type]
        rows.write_parquet(home.decisions(day) / "plan_options.parquet")  # type: ignore[arg-type]
    told = home.outcomes(outcomes["plan_date"].max())  # type: ignore[arg-type]
    told.mkdir(parents=True)
    outcomes.write_parquet(told / "outcomes.parquet")
    message, offer = ARMS[1]
    chosen = options.filter(message_key=message, offer_key=offer)
    for target in targets.TARGETS:
        folder = tmp_path / "targets" / target
        folder.mkdir(parents=True)
        for (day,), rows in chosen.group_by("plan_date"):
            kept = rows.select(targets.OPTION).with_columns(opens=0.3, clicks=0.6)
            kept.write_parquet(folder / f"{day}.parquet")
    found = judged(tmp_path)
    assert found["decisions"].to_list() == [2400] * 4
    opens, clicks = (found.filter(reward=reward) for reward in ("opens", "clicks"))
    assert opens["truth"].to_list() == pytest.approx([0.3, 0.3]) and opens["is_covered"].all()
    # Clicks come with a chance of 0.1, so that a truth of 0.6 is none.
    assert clicks["truth"].to_list() == pytest.approx([0.6, 0.6]) and not clicks["is_covered"].any()
