"""The other policies asked in the product's own situations: what they would have sent, and what the shop says of it.

Off-policy evaluation estimates from the product's log what another policy would have come to in the situations that the
product met. Here is what it would have come to: its choice among each day's options, made a mail as the product makes mails,
and the true chances of that mail. Not here: the estimates (`models.evaluation`), the comparison (`benchmarks.evaluate`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import polars as pl

from benchmarks.closed_loop.broadcast import WEEKDAY
from benchmarks.closed_loop.rules import RulePolicy
from benchmarks.closed_loop.sends import sends_of_plan
from models.policy.offers import NO_OFFER
from shop.world import World

if TYPE_CHECKING:
    from benchmarks.closed_loop.pipeline import Pipeline

WEEKLY = "weekly_picks"
OPTION = ("customer_id", "message_key", "offer_key")

Target = Callable[[World, date, pl.DataFrame, Path], pl.DataFrame]
"""World, day, options, landing folder -> rows of the options, one per customer at most; no row: nothing."""


def broadcast(world: World, day: date, options: pl.DataFrame, landing: Path) -> pl.DataFrame:
    """The weekly mail without an offer, to all on one weekday."""
    return options.filter(
        pl.col("message_key") == WEEKLY,
        pl.col("offer_key") == NO_OFFER,
        pl.lit(day.weekday() == WEEKDAY),
    )


def rules(world: World, day: date, options: pl.DataFrame, landing: Path) -> pl.DataFrame:
    """What the rule set would send, where that message may be sent; its offer where it may be given, else none."""
    wanted = (
        RulePolicy(landing)
        .mails(world, day)
        .select(
            "customer_id",
            message_key=pl.col("message_key").replace("newsletter", WEEKLY),
            wanted_offer="offer_key",
        )
    )
    return (
        options.join(wanted, on=["customer_id", "message_key"])
        .filter(pl.col("offer_key").is_in([NO_OFFER]) | (pl.col("offer_key") == pl.col("wanted_offer")))
        .sort("customer_id", (pl.col("offer_key") == NO_OFFER))
        .unique("customer_id", keep="first", maintain_order=True)
    )


TARGETS: Mapping[str, Target] = MappingProxyType({"broadcast": broadcast, "rules": rules})


def record(place: Path, world: World, pipeline: Pipeline, day: date, offers: pl.DataFrame) -> None:
    """Keep what each target would have sent on the day that the pipeline has just planned.

    `place`/targets/<target>/<day>.parquet: customer_id, message_key, offer_key, opens, clicks: true chances of the mail.
    """
    for name, target in TARGETS.items():
        choices = target(world, day, pipeline.options, pipeline.home.landing).select(OPTION)
        sends = sends_of_plan(pipeline.plan_of(day, choices), world.people.customers, offers)
        true = world.chances_of(sends).select("customer_id", opens="p_open", clicks="p_click")
        file = place / "targets" / name / f"{day}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        choices.join(true, on="customer_id", maintain_order="left").write_parquet(file)
