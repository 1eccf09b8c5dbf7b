"""What the plan's own log says of the other policies, beside the shop's truth."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl

from assets.home import Home
from benchmarks.closed_loop.targets import OPTION, TARGETS
from models.evaluation.plan_policy import Policy
from pipelines.policies import NamedPolicy, evaluate

REWARDS = ("opens", "clicks")
"""Rewards of which the shop tells the true chance for every mail."""


def judged(place: Path) -> pl.DataFrame:
    """A played run of the product: each target's value by its log, and in truth.

    Args:
        place: folder of the run, see `run`.

    Returns: target, reward, decisions, ess, truth (mean chance per decision), value, low, high (DR, 95 %), is_covered.
    """
    home = Home(place / "home", place / "landing")
    choices = {target: _choices(place / "targets" / target) for target in TARGETS}
    return pl.DataFrame(
        [_judged(home, target, made, reward) for target, made in choices.items() for reward in REWARDS]
    )


def _judged(home: Home, target: str, choices: pl.DataFrame, reward: str) -> dict[str, object]:
    found = evaluate(home, NamedPolicy(target, _policy(choices)), reward, None, None)
    decisions = pl.DataFrame({"customer_id": found.log.customers, "plan_date": found.log.days})
    true = decisions.join(choices, on=["customer_id", "plan_date"], how="left")[reward].fill_null(0.0).mean()
    estimate = found.judgement.estimates.filter(estimator="dr").row(0, named=True)
    return {
        "target": target,
        "reward": reward,
        "decisions": decisions.height,
        "ess": found.judgement.overlap.ess,
        "truth": true,
        **{name: estimate[name] for name in ("value", "low", "high")},
        "is_covered": estimate["low"] <= true <= estimate["high"],
    }


def _choices(folder: Path) -> pl.DataFrame:
    """plan_date and what was kept of each day."""
    return pl.concat(
        [
            pl.read_parquet(file).with_columns(plan_date=pl.lit(date.fromisoformat(file.stem)))
            for file in sorted(folder.glob("*.parquet"))
        ]
    )


def _policy(choices: pl.DataFrame) -> Policy:
    def policy(options: pl.DataFrame) -> pl.DataFrame:
        keys = [*OPTION, "plan_date"]
        chosen = choices.select(*keys, probability=pl.lit(1.0))
        return options.join(chosen, on=keys, how="left", maintain_order="left").with_columns(
            pl.col("probability").fill_null(0.0)
        )

    return policy
