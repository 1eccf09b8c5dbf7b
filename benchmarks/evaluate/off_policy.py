"""What a policy is worth that was never run: estimates from another policy's log, beside the truth.

First on made-up shops whose every value is known: how far off each estimator is, and how often its 95 % interval holds the
truth, if customers come back and so decisions depend on each other. The reward models are learnt from the same logs, on
other customers: "right" learns a mean per situation and action, "blind" one per action, whatever the situation. Then on a
sample of the Open Bandit Dataset (Saito et al. 2021): two policies ran on the same shop in the same week, so that either log
can be asked about the other policy, whose own clicks are known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.evaluate import open_bandit
from benchmarks.evaluate.logged_bandit import BanditWorld, Drawn, make_world
from benchmarks.evaluate.table import Table, Target
from models.evaluation.metrics import FloatArray
from models.evaluation.off_policy import (
    IntervalParams,
    LoggedDecisions,
    Options,
    RewardEstimates,
    cross_fitted_rewards,
    estimate_policy,
    overlap_of,
    switch_threshold,
)
from models.evaluation.off_policy.rewards import Predict

N_LOGS, CUSTOMERS, RESAMPLES = 500, 400, 199
WORLDS = {"explored": 0.75, "hardly explored": 0.3}
"""How fast the logging policy's chance falls from one action to the next."""
WITH_MODEL = ("dm", "dr", "switch_dr")
BOUNDED = "switch_dr bounded"
LARGEST_MEAN = 1.2
"""As far as a model of these shops can be off, for the bounded Switch-DR: no mean reward exceeds it. Else the bound is the
range of single rewards."""
CONSISTENT = ("ips", "snips", "dr right", "dr blind")


def tables(data: Path) -> Iterator[Table]:
    """Two made-up shops, then the real logs and what they can decide."""
    for name, fall in WORLDS.items():
        yield _bandits(name, make_world(fall=fall))
    yield from open_bandit.tables(data)


def _bandits(name: str, world: BanditWorld) -> Table:
    truth = world.value(world.target)
    found = [_one_log(world, np.random.default_rng(seed)) for seed in range(N_LOGS)]
    estimates = pl.concat([frame for frame, _ in found])
    sizes = np.array([size for _, size in found])
    error = pl.col("value") - truth
    holds = (pl.col("^.*low$") <= truth) & (pl.col("^.*high$") >= truth)
    figures = (
        estimates.with_columns(holds.name.keep())
        .group_by("method", maintain_order=True)
        .agg(
            bias=error.mean(),
            rmse=error.pow(2).mean().sqrt(),
            width=pl.col("width").mean(),
            coverage=pl.col("low").mean(),
            bootstrap_coverage=pl.col("bootstrap_low").mean(),
            rows_alone_coverage=pl.col("alone_low").mean(),
        )
        .with_columns(
            bias_of_rmse=pl.col("bias") / pl.col("rmse"),
            rmse_of_ips=pl.col("rmse") / pl.col("rmse").first(),
            warned=sizes[:, 3].mean(),
        )
    )
    is_explored = name == "explored"
    return Table(
        name=f"made-up shop, {name}",
        title=f"a policy worth {truth:.4f}, judged from {N_LOGS} logs of one worth {world.value(world.logging):.4f}; of "
        f"{sizes[:, 0].mean():,.0f} decisions of {CUSTOMERS} customers, effectively {np.median(sizes[:, 1]):,.0f}; largest weight "
        f"{np.median(sizes[:, 2]):,.0f}; coverage of 95 % intervals by customer (linearised, bootstrap-t) and as if rows were "
        "independent; warned: share of the logs whose overlap brings a warning; bounded: the model taken to be off by at most "
        f"{LARGEST_MEAN}",
        figures=figures,
        params={"logs": N_LOGS, "customers": CUSTOMERS, "resamples": RESAMPLES, "fall": WORLDS[name]},
        targets=(
            *(Target(method, "coverage", 0.92, 0.98) for method in CONSISTENT if is_explored),
            *(Target(method, "bias_of_rmse", -0.15, 0.15) for method in CONSISTENT),
            *(Target(f"{BOUNDED} {model}", "rmse_of_ips", high=1.0) for model in ("right", "blind")),
            Target("ips", "warned", high=0.05) if is_explored else Target("ips", "warned", low=0.95),
        ),
    )


def _one_log(world: BanditWorld, generator: np.random.Generator) -> tuple[pl.DataFrame, tuple[float, ...]]:
    """A row per method with value, ends of its intervals and width; decisions, effective ones, largest weight, warned."""
    drawn = world.draw(generator, CUSTOMERS)
    bare = world.log(drawn)
    parts = [_estimates(bare, "")]
    for model, is_blind in (("right", False), ("blind", True)):
        expected = _expected(world, drawn, is_blind=is_blind)
        log = replace(
            bare, q_logged=expected.logged, q_target=expected.under(world.target[drawn.context].ravel())
        )
        parts.append(_estimates(log, f" {model}"))
    seen = overlap_of(bare)
    return pl.concat(parts), (len(bare), seen.ess, seen.largest_weight, bool(seen.warnings))


def _estimates(log: LoggedDecisions, model: str) -> pl.DataFrame:
    names = WITH_MODEL if log.has_model else ("ips", "snips")
    found = [_intervals(log, names, None)]
    labels = [f"{name}{model}" for name in names]
    if log.has_model:
        found.append(_intervals(log, ("switch_dr",), switch_threshold(log, reward_range=LARGEST_MEAN)))
        labels.append(f"{BOUNDED}{model}")
    return pl.concat(found).with_columns(method=pl.Series(labels))


def _intervals(log: LoggedDecisions, names: tuple[str, ...], threshold: float | None) -> pl.DataFrame:
    if threshold is None and "switch_dr" in names:
        threshold = switch_threshold(log)
    alone = replace(log, cluster=np.arange(len(log)))
    plain, drawn, naive = (
        estimate_policy(one, estimators=names, threshold=threshold, intervals=params)
        for one, params in (
            (log, IntervalParams()),
            (log, IntervalParams(n_resamples=RESAMPLES)),
            (alone, IntervalParams()),
        )
    )
    return pl.DataFrame(
        {
            "value": [e.value for e in plain],
            "width": [e.high - e.low for e in plain],
            "low": [e.low for e in plain],
            "high": [e.high for e in plain],
            "bootstrap_low": [e.low for e in drawn],
            "bootstrap_high": [e.high for e in drawn],
            "alone_low": [e.low for e in naive],
            "alone_high": [e.high for e in naive],
        }
    )


def _expected(world: BanditWorld, drawn: Drawn, *, is_blind: bool) -> RewardEstimates:
    """Mean rewards of other customers, with one decision's worth of the common mean, by situation and action or by action."""
    n_contexts, n_actions = world.mean.shape

    def cell(features: FloatArray) -> FloatArray:
        return features[:, 1] if is_blind else features[:, 0] * n_actions + features[:, 1]

    def learn(features: FloatArray, reward: FloatArray) -> Predict:
        n_cells = n_contexts * n_actions
        number = cell(features)
        total = np.bincount(number, weights=reward, minlength=n_cells) + reward.mean()
        means = total / (np.bincount(number, minlength=n_cells) + 1)
        return lambda asked: means[cell(asked)]

    n = len(drawn.action)
    options = np.column_stack([np.repeat(drawn.context, n_actions), np.tile(np.arange(n_actions), n)])
    return cross_fitted_rewards(
        learn,
        np.column_stack([drawn.context, drawn.action]),
        drawn.reward,
        cluster=drawn.customer,
        options=Options(options, np.repeat(np.arange(n), n_actions)),
    )
