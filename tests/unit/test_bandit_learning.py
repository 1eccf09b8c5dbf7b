"""What a bandit learns: true effects, faster than arm by arm, and neither pooled nor apart."""

from __future__ import annotations

import numpy as np
import polars as pl
from bandit_world import (
    FACTORS,
    SEGMENTS,
    Floats,
    answered,
    draw_effects,
    make_arms,
    params,
)

from models.bandit import FactorBandit


def lower_bound(gains: Floats) -> float:
    """Of the mean of independent gains: two standard errors below it."""
    return float(gains.mean() - 2 * gains.std(ddof=1) / np.sqrt(len(gains)))


def standardised_errors(seed: int) -> tuple[Floats, Floats]:
    """(true effect - posterior mean) / posterior sd of every level of every factor: of all segments, of one."""
    rng = np.random.default_rng(seed)
    cells = make_arms(40, rng).join(pl.DataFrame({"segment": SEGMENTS}), how="cross")
    log_odds = -1.3 + draw_effects(cells, [["subject"]], 0.2, rng)
    truth = []
    for factor in FACTORS:
        common = cells.select(effect=pl.Series(draw_effects(cells, [[factor]], 0.2, rng)))["effect"]
        changed = pl.Series(draw_effects(cells, [[factor, "segment"]], 0.1, rng))
        log_odds += (common + changed).to_numpy()
        levels = cells.select(
            pl.lit(factor).alias("factor"),
            pl.col(factor).cast(pl.String).alias("level"),
            pl.col("segment").alias("segment_level"),
            common=common,
            changed=common + changed,
        ).unique()
        here = pl.col("changed") - pl.col("changed").mean().over("segment_level")
        overall = pl.col("common") - pl.col("common").mean().over("segment_level")
        truth += [
            levels.select("factor", "level", "segment_level", true=here),
            levels.select("factor", "level", segment_level=pl.lit("all"), true=overall).unique(
                ["factor", "level"]
            ),
        ]
    effects = (
        FactorBandit(params(segments=("segment",)))
        .fit(answered(cells, log_odds, 150, rng))
        .effects()
        .with_columns(pl.col("segment_level").fill_null("all"))
        .join(pl.concat(truth), on=["factor", "level", "segment_level"], validate="1:1")
        .with_columns(error=(pl.col("true") - pl.col("effect")) / pl.col("effect_sd"))
    )
    assert effects.height == 4 * (2 * 4 + 3 + 4)
    is_common = pl.col("segment_level") == "all"
    return effects.filter(is_common)["error"].to_numpy(), effects.filter(~is_common)["error"].to_numpy()


def test_intervals_of_effects_hold_the_truth_as_often_as_they_say() -> None:
    common, by_segment = (
        np.concatenate(errors) for errors in zip(*map(standardised_errors, range(25)), strict=True)
    )
    for errors in (common, by_segment):
        assert 0.92 < np.mean(np.abs(errors) < 1.96) < 0.98
        assert 0.84 < np.mean(np.abs(errors) < 1.645) < 0.95


def regrets(
    seed: int, days: int = 10, n_start: int = 60, n_new: int = 4, n_sent: int = 400
) -> tuple[float, float]:
    """Answers lost against always sending the best subject: by factors, and by Beta posteriors per subject.

    Every day `n_new` subjects retire and as many new ones come.
    """
    rng = np.random.default_rng(seed)
    arms = make_arms(n_start + n_new * days, rng)
    log_odds = (
        -1.5
        + draw_effects(arms, [[f] for f in FACTORS], 0.25, rng)
        + draw_effects(arms, [["subject"]], 0.1, rng)
    )
    rate = 1 / (1 + np.exp(-log_odds))
    lost = []
    for by_factors in (True, False):
        draw = np.random.default_rng(seed + 1_000)
        sent, success = np.zeros(arms.height, dtype=np.int64), np.zeros(arms.height, dtype=np.int64)
        regret = 0.0
        for day in range(days):
            here = np.arange(n_new * day, n_start + n_new * day)
            if by_factors:
                history = arms.with_columns(n_sent=pl.Series(sent), n_success=pl.Series(success))
                bandit = FactorBandit(params(n_draws=1_000)).fit(history.filter(pl.col("n_sent") > 0))
                options = arms[here].with_columns(choice=pl.lit(0))
                share = bandit.chances(options, by=["choice"], rng=draw)["win_share"].to_numpy()
            else:
                drawn = draw.beta(1 + success[here], 1 + sent[here] - success[here], size=(1_000, len(here)))
                share = np.bincount(drawn.argmax(axis=1), minlength=len(here)) / 1_000
            taken = draw.multinomial(n_sent, share / share.sum())
            sent[here] += taken
            success[here] += draw.binomial(taken, rate[here])
            regret += float((taken * (rate[here].max() - rate[here])).sum())
        lost.append(regret)
    return lost[0], lost[1]


def test_what_factors_teach_carries_over_to_subjects_never_sent() -> None:
    by_factors, by_arm = np.array([regrets(seed) for seed in range(6)]).T
    assert lower_bound(by_arm - by_factors) > 0
    assert by_factors.mean() < 0.7 * by_arm.mean()


def squared_errors(seed: int) -> tuple[float, float, float]:
    """Mean squared error of log-odds within segments: hierarchical, pooled, one bandit per segment."""
    rng = np.random.default_rng(seed)
    groups = pl.DataFrame({"segment": ["a", "b", "c", "d"]})
    cells = make_arms(24, rng).join(groups, how="cross")
    log_odds = (
        -1.3
        + draw_effects(cells, [["segment"]], 0.3, rng)
        + draw_effects(cells, [[factor] for factor in FACTORS], 0.25, rng)
        + draw_effects(cells, [[factor, "segment"] for factor in FACTORS], 0.15, rng)
        + draw_effects(cells, [["subject"]], 0.1, rng)
    )
    history = answered(cells, log_odds, 60, rng)
    apart = np.empty(cells.height)
    for group in groups["segment"]:
        here = (cells["segment"] == group).to_numpy()
        own = FactorBandit(params()).fit(history.filter(pl.Series(here)))
        apart[here] = own.rates(cells.filter(pl.Series(here)))["log_odds"].to_numpy()
    hierarchical, pooled = (
        FactorBandit(params(**shape)).fit(history).rates(cells)["log_odds"].to_numpy()
        for shape in ({"segments": ("segment",)}, {"baselines": ("segment",)})
    )
    error = cells.select("segment").with_columns(
        pl.Series(name, estimate - log_odds)
        for name, estimate in (("hierarchical", hierarchical), ("pooled", pooled), ("apart", apart))
    )
    spread = (
        error.group_by("segment").agg(pl.exclude("segment").var(ddof=0)).select(pl.exclude("segment").mean())
    )
    return spread.row(0)


def test_segments_are_neither_pooled_nor_left_to_themselves() -> None:
    hierarchical, pooled, apart = np.array([squared_errors(seed) for seed in range(12)]).T
    assert lower_bound(pooled - hierarchical) > 0
    assert lower_bound(apart - hierarchical) > 0


def test_sizes_of_effects_follow_the_answers() -> None:
    rng = np.random.default_rng(0)
    arms = make_arms(200, rng)
    own = {}
    for size in (0.0, 0.6):
        log_odds = -1.0 + draw_effects(arms, [["subject"]], size, rng)
        posterior = FactorBandit(params()).fit(answered(arms, log_odds, 500, rng)).posterior
        assert posterior is not None
        own[size] = posterior.scales[-1]
    assert 0 < own[0.0] < 0.1
    assert 0.5 < own[0.6] < 0.7
