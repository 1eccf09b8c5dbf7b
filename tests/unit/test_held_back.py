"""Members of the control group rest from what was held back from them, as others do from what they got."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
from policy_world import world

from assets.held_back import HELD_BACK_DAYS, held_back
from assets.home import Home
from assets.storage import replace_parquet
from models.policy.config import PolicyConfig
from models.policy.decide import decide
from models.policy.inputs import PlanInputs

DAY = date(2025, 6, 2)
CONFIG = PolicyConfig(DAY, control_share=0.4)


def publish(home: Home, day: date, plan: pl.DataFrame) -> None:
    replace_parquet(home.plan(day) / "send_plan.parquet", plan.with_columns(plan_date=pl.lit(day)))


def test_whoever_is_left_alone_is_due_as_seldom_as_whoever_is_mailed(tmp_path: Path) -> None:
    home = Home(tmp_path, tmp_path / "landing")
    inputs: PlanInputs = world(600)
    plan = decide(inputs, CONFIG)
    control, sent = (plan.filter(action=action).height for action in ("control", "send"))
    assert control > 50
    assert plan.filter(action="control")["control_message_key"].null_count() == 0
    assert (
        plan.filter(pl.col("action") != "control")["control_message_key"].null_count()
        == plan.height - control
    )
    publish(home, DAY - timedelta(days=1), plan)
    resting = held_back(home, CONFIG)
    assert resting["customer_id"].to_list() == plan.filter(action="control")["customer_id"].to_list()
    assert set(resting["send_at"]) == {datetime(2025, 6, 1, 2)}
    mails = plan.filter(action="send").select(
        "customer_id", "message_key", send_at=pl.col("send_at") - timedelta(days=1)
    )
    again = decide(replace(inputs, pending_sends=pl.concat([mails, resting])), CONFIG)
    capped = again.filter(reason="frequency_cap")
    due = plan.filter(pl.col("action").is_in(["send", "control"]))
    assert capped.join(due, on="customer_id", how="semi").height == due.height == control + sent
    told = capped.join(plan.filter(action="control"), on="customer_id", how="semi")["explanation"]
    assert told.str.starts_with(
        "In the control group, where what is held back counts as sent: Already got"
    ).all()


def test_only_members_of_today_rest_and_only_for_a_month(tmp_path: Path) -> None:
    home = Home(tmp_path, tmp_path / "landing")
    plan = decide(world(300), CONFIG)
    assert held_back(home, CONFIG).is_empty()
    publish(home, DAY, plan)
    publish(home, DAY - timedelta(days=HELD_BACK_DAYS + 1), plan)
    publish(home, DAY - timedelta(days=2), plan.drop("control_message_key"))
    assert held_back(home, CONFIG).is_empty()
    publish(home, DAY - timedelta(days=HELD_BACK_DAYS), plan)
    everyone = set(held_back(home, CONFIG)["customer_id"])
    fewer = set(held_back(home, PolicyConfig(DAY, control_share=0.1))["customer_id"])
    assert fewer < everyone == set(plan.filter(action="control")["customer_id"])
