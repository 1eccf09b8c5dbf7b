"""One seed and one policy, day by day, kept on disk so that it can be stopped and taken up again.

    python -m benchmarks.closed_loop.run FOLDER --seed 101 --policy sendplan

FOLDER/seed-101/history is the shop before the trial, the same for every policy; FOLDER/seed-101/<policy>/days.jsonl holds a
row of figures per day played, mails/ what came of every mail; FOLDER/results/seed-101-<policy>.json is written when the last day is played.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from assets.home import Home
from benchmarks.closed_loop.broadcast import weekly_mail
from benchmarks.closed_loop.figures import day_figures, mail_figures
from benchmarks.closed_loop.landing import land
from benchmarks.closed_loop.rules import RulePolicy
from benchmarks.closed_loop.sends import sends_of_plan
from mail.catalogue import FOLDER as MAIL
from shop.config import ShopConfig
from shop.world import World

POLICIES = ("broadcast", "rules", "sendplan")
HISTORY_DAYS = 120
OUTCOME_DAYS = 7
"""Days between two looks at what came of plans; each look tells of two weeks."""

Decide = Callable[[World, date], pl.DataFrame]


@dataclass(frozen=True)
class Loop:
    """What is played. customers: of the shop. days: of the trial, after HISTORY_DAYS days of broadcast. weeks_per_training: of
    the product's models; its schedule trains weekly, which would take half as long again."""

    customers: int = 5_000
    days: int = 56
    weeks_per_training: int = 4

    def config(self, seed: int) -> ShopConfig:
        """The shop of a seed: who has signed up by the last day of the trial is a customer."""
        return ShopConfig(customers=self.customers, days=HISTORY_DAYS + self.days, seed=seed)


def play(
    folder: Path, loop: Loop, seed: int, policy: str, until: float | None = None
) -> dict[str, Any] | None:
    """Play what is left of a seed and policy.

    Args:
        folder: where everything is kept.
        until: a moment of `time.monotonic()` after which no further day is begun.

    Returns: the sums over all days, or None where days are left. Raises ValueError where another loop was played there.
    """
    result = folder / "results" / f"seed-{seed}-{policy}.json"
    if result.is_file():
        record = json.loads(result.read_text())
        _check_loop(result, record["loop"], loop)
        figures: dict[str, Any] = record["figures"]
        return figures
    root = folder / f"seed-{seed}"
    history = make_history(root / "history", loop.config(seed))
    place = root / policy
    if not place.exists():
        _copy(history, place, loop)
    _check_loop(place, json.loads((place / "loop.json").read_text()), loop)
    world, rows = _state(place)
    decide = _policy(policy, place, loop)
    while len(rows) < loop.days:
        if until is not None and time.monotonic() > until:
            return None
        began = time.monotonic(), time.process_time()
        day = world.today
        sends = decide(world, day)
        decided = time.monotonic(), time.process_time()
        outcome = world.step(sends)
        land(place / "landing", world, outcome)
        figures = day_figures(world, outcome, sends)
        (place / "mails").mkdir(exist_ok=True)
        mail_figures(outcome, sends).write_parquet(place / "mails" / f"{day}.parquet")
        costs = {
            "decide_seconds": decided[0] - began[0],
            "decide_cpu_seconds": decided[1] - began[1],
        }
        rows.append({"day": f"{day}", **figures, **costs})
        _keep(place, world, rows)
    sums = pl.DataFrame(rows).drop("day").sum().row(0, named=True)
    result.parent.mkdir(parents=True, exist_ok=True)
    record = {"seed": seed, "policy": policy, "loop": asdict(loop), "figures": sums, "days": rows}
    _replace(result, json.dumps(record, indent=1).encode())
    return sums


def _check_loop(where: Path, played: dict[str, int], loop: Loop) -> None:
    if played != asdict(loop):
        raise ValueError(f"{where} was played as {played}, not as {asdict(loop)}; name another folder")


def make_history(place: Path, config: ShopConfig) -> Path:
    """The shop with its weekly broadcast before the trial: `landing/` and the world as it stands."""
    if (place / "world.pkl").is_file():
        return place
    shutil.rmtree(place, ignore_errors=True)
    world = World(config)
    for _ in range(HISTORY_DAYS):
        outcome = world.step(world.broadcast_sends())
        land(place / "landing", world, outcome)
    _keep(place, world, [])
    return place


def _policy(policy: str, place: Path, loop: Loop) -> Decide:
    if policy == "broadcast":
        return weekly_mail
    if policy == "rules":
        return RulePolicy(place / "landing").mails
    from benchmarks.closed_loop.pipeline import Pipeline  # noqa: PLC0415 - brings Dagster and MLflow
    from benchmarks.closed_loop.targets import record  # noqa: PLC0415

    pipeline = Pipeline(Home(place / "home", place / "landing"), MAIL, loop.weeks_per_training)
    offers = pipeline.folder.catalogue().frames()["offers"]

    def planned(world: World, day: date) -> pl.DataFrame:
        plan = pipeline.plan(day)
        record(place, world, pipeline, day, offers)
        played = (day - world.config.start).days - HISTORY_DAYS
        if played and (played % OUTCOME_DAYS == 0 or played == loop.days - 1):
            pipeline.tell_outcomes(day)
        return sends_of_plan(plan, world.people.customers, offers)

    return planned


def _copy(history: Path, place: Path, loop: Loop) -> None:
    """The history again, its files linked: they are never changed, only replaced."""
    aside = place.with_name(f".{place.name}")
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(history, aside, copy_function=os.link)
    (aside / "loop.json").write_text(json.dumps(asdict(loop)))
    aside.rename(place)


def _state(place: Path) -> tuple[World, list[dict[str, Any]]]:
    with (place / "world.pkl").open("rb") as file:
        world, rows = pickle.load(file)
    return world, rows


def _keep(place: Path, world: World, rows: list[dict[str, Any]]) -> None:
    _replace(place / "world.pkl", pickle.dumps((world, rows)))
    _replace(place / "days.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())


def _replace(path: Path, content: bytes) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_bytes(content)
    aside.replace(path)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--policy", choices=POLICIES, required=True)
    parser.add_argument("--customers", type=int, default=Loop.customers)
    parser.add_argument("--days", type=int, default=Loop.days)
    parser.add_argument("--weeks-per-training", type=int, default=Loop.weeks_per_training)
    parser.add_argument("--minutes", type=float, help="begin no further day after so many")
    asked = parser.parse_args()
    until = None if asked.minutes is None else time.monotonic() + 60 * asked.minutes
    loop = Loop(asked.customers, asked.days, asked.weeks_per_training)
    sums = play(asked.folder.resolve(), loop, asked.seed, asked.policy, until)
    print(json.dumps(sums))


if __name__ == "__main__":
    main()
