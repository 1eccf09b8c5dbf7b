"""The chances a bandit gives: exact, logged, the same for the same input, and clear about wrong input."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from bandit_world import FACTORS, SEGMENTS, answered, make_arms, params
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from models.bandit import BanditParams, FactorBandit, Scales, Score
from models.bandit.design import columns_of, matrix_of, terms_of
from models.model import MissingFeatureError, NotFittedError
from models.policy import draws
from models.policy.choice import draw_one

EMPTY = pl.DataFrame(
    schema={
        "subject": pl.String,
        **dict.fromkeys(FACTORS, pl.String),
        "n_sent": pl.Int64,
        "n_success": pl.Int64,
    }
)


def rng(stream: str = "bandit") -> np.random.Generator:
    return draws.generator(seed="sendplan|2025-07-05", stream=stream)


def choices(arms: pl.DataFrame, n: int = 1) -> pl.DataFrame:
    """Every arm in each of `n` choices."""
    return pl.DataFrame({"choice": np.arange(n)}).join(arms, how="cross")


def taught(arms: pl.DataFrame, rates: list[float], n_sent: int = 1_000) -> pl.DataFrame:
    return arms.with_columns(
        n_sent=pl.lit(n_sent), n_success=pl.Series([round(n_sent * rate) for rate in rates])
    )


def alike(*names: str) -> pl.DataFrame:
    """Arms that differ in nothing but their names."""
    return (
        make_arms(1, np.random.default_rng(0))
        .drop("subject")
        .join(pl.DataFrame({"subject": names}), how="cross")
    )


@settings(max_examples=10)
@given(
    seed=st.integers(0, 10_000),
    n_arms=st.integers(1, 7),
    explore=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    with_segments=st.booleans(),
)
def test_chances_are_chances_and_do_not_depend_on_the_order_of_rows(
    seed: int, n_arms: int, explore: float, with_segments: bool
) -> None:
    generator = np.random.default_rng(seed)
    arms = make_arms(9, generator)
    cells = arms.join(pl.DataFrame({"segment": SEGMENTS}), how="cross")
    history = answered(cells, generator.normal(-1.5, 0.5, cells.height), 30, generator).with_columns(
        n_effective=pl.col("n_sent") * pl.Series(generator.random(cells.height))
    )
    options = cells.filter(
        pl.Series(generator.random(cells.height) < 0.7) | (pl.col("subject") == "s000")
    ).filter(pl.col("subject").rank("dense").over("segment") <= n_arms)
    settings_ = params(segments=("segment",) if with_segments else (), explore=explore, n_draws=500)
    first = FactorBandit(settings_).fit(history).chances(options, by=["segment"], rng=rng())
    again = (
        FactorBandit(settings_)
        .fit(history.sample(fraction=1.0, shuffle=True, seed=seed))
        .chances(options.sample(fraction=1.0, shuffle=True, seed=seed + 1), by=["segment"], rng=rng())
    )
    assert first.equals(again)
    by_choice = first.group_by("segment").agg(
        pl.col("propensity", "win_share").sum(), k=pl.len(), least=pl.col("propensity").min()
    )
    assert first.height == options.height
    assert by_choice["propensity"].to_list() == pytest.approx([1.0] * by_choice.height, abs=1e-12)
    assert by_choice["win_share"].to_list() == pytest.approx([1.0] * by_choice.height, abs=1e-12)
    assert (by_choice["least"] >= explore / by_choice["k"] - 1e-15).all()
    assert first["propensity"].is_between(0.0, 1.0).all()
    assert first.group_by("segment").agg(pl.col("is_best").any())["is_best"].all()
    if explore > 0:
        assert (first["propensity"] > 0).all()


def test_rows_of_one_cell_may_come_in_parts() -> None:
    arms = make_arms(6, np.random.default_rng(1))
    whole = answered(arms, np.full(6, -1.0), 80, np.random.default_rng(2))
    parts = pl.concat(
        [
            whole.with_columns(n_sent=pl.lit(60), n_success=pl.min_horizontal("n_success", pl.lit(5))),
            whole.with_columns(
                n_sent=pl.lit(20), n_success=pl.col("n_success") - pl.min_horizontal("n_success", 5)
            ),
        ]
    )
    options = choices(arms)
    first, second = (
        FactorBandit(params()).fit(rows).chances(options, by=["choice"], rng=rng()) for rows in (whole, parts)
    )
    assert first.equals(second)


def test_two_arms_have_the_chance_of_the_normal_distribution() -> None:
    arms = make_arms(2, np.random.default_rng(3))
    bandit = FactorBandit(params(n_draws=100_000)).fit(taught(arms, [0.20, 0.22], 500))
    assert bandit.posterior is not None
    columns = columns_of(arms, terms_of(bandit.params))
    mean, covariance = bandit.posterior.over(columns)
    rows = matrix_of(arms, terms_of(bandit.params), columns).toarray()
    apart = rows[1] - rows[0]
    exact = norm.cdf(apart @ mean / np.sqrt(apart @ covariance @ apart))
    second = bandit.chances(choices(arms), by=["choice"], rng=rng()).row(1, named=True)
    assert second["subject"] == "s001"
    assert abs(second["win_share"] - exact) < 4 * second["mc_error"]
    assert second["propensity"] == pytest.approx(0.05 + 0.9 * second["win_share"], abs=1e-12)


def test_win_shares_are_those_of_drawing_all_coefficients() -> None:
    generator = np.random.default_rng(4)
    arms = make_arms(8, generator)
    bandit = FactorBandit(params(n_draws=20_000)).fit(
        answered(arms.head(6), generator.normal(-1.4, 0.3, 6), 200, generator)
    )
    found = bandit.chances(choices(arms), by=["choice"], rng=rng())
    assert bandit.posterior is not None
    columns = columns_of(arms, terms_of(bandit.params))
    mean, covariance = bandit.posterior.over(columns)
    drawn = generator.multivariate_normal(mean, covariance, 100_000, method="cholesky")
    rows = matrix_of(arms, terms_of(bandit.params), columns)
    direct = np.bincount((rows @ drawn.T).argmax(axis=0), minlength=8) / 100_000
    off = np.abs(found["win_share"].to_numpy() - direct)
    assert (off < 4 * np.hypot(found["mc_error"].to_numpy(), np.sqrt(direct * (1 - direct) / 100_000))).all()


def test_what_is_drawn_has_the_logged_chance() -> None:
    generator = np.random.default_rng(5)
    arms = make_arms(5, generator)
    bandit = FactorBandit(params()).fit(answered(arms, generator.normal(-1.4, 0.2, 5), 150, generator))
    chances = bandit.chances(choices(arms), by=["choice"], rng=rng())
    customers = pl.DataFrame({"customer_id": [f"c{number}" for number in range(100_000)]})
    uniform = draws.uniforms(customers["customer_id"], seed="s", streams=["u"])
    drawn = draw_one(
        customers.hstack(uniform).join(chances, how="cross"),
        by=["customer_id"],
        order=["subject"],
        chance="propensity",
        uniform="u",
    )
    seen = (
        chances.join(drawn.group_by("subject").len(), on="subject", how="left", maintain_order="left")["len"]
        .fill_null(0)
        .to_numpy()
        / 100_000
    )
    p = chances["propensity"].to_numpy()
    assert (np.abs(seen - p) < 4 * np.sqrt(p * (1 - p) / 100_000)).all()


def test_the_monte_carlo_error_is_the_spread_of_repeated_runs() -> None:
    arms = make_arms(4, np.random.default_rng(6))
    bandit = FactorBandit(params(n_draws=400)).fit(taught(arms, [0.18, 0.20, 0.22, 0.21], 300))
    runs = [
        bandit.chances(choices(arms), by=["choice"], rng=np.random.default_rng(seed)) for seed in range(100)
    ]
    spread = np.std([run["win_share"].to_numpy() for run in runs], axis=0)
    stated = np.mean([run["mc_error"].to_numpy() for run in runs], axis=0)
    assert spread == pytest.approx(stated, rel=0.3)


def test_an_arm_that_never_won_still_has_an_error() -> None:
    found = (
        FactorBandit(params(n_draws=1_000))
        .fit(taught(alike("a", "b"), [0.6, 0.05], 5_000))
        .chances(choices(alike("a", "b")), by=["choice"], rng=rng())
    )
    assert found["win_share"].to_list() == [1.0, 0.0]
    assert found["propensity"].to_list() == pytest.approx([0.95, 0.05])
    assert (found["mc_error"] > 0).all() and (found["mc_error"] < 0.002).all()
    assert found["is_best"].to_list() == [True, False]


@pytest.mark.parametrize("history", [EMPTY, taught(alike("a", "b", "c", "d"), [0.2] * 4)])
def test_equal_arms_have_equal_chances(history: pl.DataFrame) -> None:
    arms = alike("a", "b", "c", "d")
    found = FactorBandit(params(n_draws=10_000)).fit(history).chances(choices(arms), by=["choice"], rng=rng())
    assert (np.abs(found["win_share"].to_numpy() - 0.25) < 4 * found["mc_error"].to_numpy()).all()
    assert found["is_best"].all()


def test_without_history_there_is_the_prior() -> None:
    arms = make_arms(3, np.random.default_rng(7))
    bandit = FactorBandit(params(expected_rate=0.3)).fit(EMPTY)
    rates = bandit.rates(arms)
    scales = Scales()
    expected = np.sqrt(scales.level**2 + len(FACTORS) * scales.factor**2 + scales.arm**2)
    assert rates["log_odds"].to_list() == pytest.approx([np.log(0.3 / 0.7)] * 3)
    assert rates["log_odds_sd"].to_list() == pytest.approx([expected] * 3)
    assert bandit.chances(choices(arms), by=["choice"], rng=rng())["is_best"].all()
    assert bandit.effects().is_empty()


def test_the_only_arm_is_taken() -> None:
    for history in (EMPTY, taught(alike("a"), [0.3])):
        found = (
            FactorBandit(params(explore=0.3))
            .fit(history)
            .chances(choices(alike("a"), 3), by=["choice"], rng=rng())
        )
        assert found.select("win_share", "mc_error", "propensity", "is_best").unique().rows() == [
            (1.0, 0.0, 1.0, True)
        ]


def test_no_choice_no_chances() -> None:
    found = FactorBandit(params()).fit(EMPTY).chances(choices(alike("a")).clear(), by=["choice"], rng=rng())
    assert found.is_empty()
    assert found.columns == ["choice", "subject", "win_share", "mc_error", "propensity", "is_best"]


def test_a_choice_does_not_depend_on_the_others() -> None:
    generator = np.random.default_rng(8)
    arms = make_arms(6, generator)
    bandit = FactorBandit(params(segments=("segment",))).fit(
        answered(arms.with_columns(segment=pl.lit("new")), np.full(6, -1.0), 50, generator)
    )
    options = choices(arms, 3).with_columns(
        segment=pl.col("choice").replace_strict({0: "new", 1: "loyal", 2: "risk"}, return_dtype=pl.String)
    )
    all_of_them = bandit.chances(options, by=["choice"], rng=rng())
    alone = bandit.chances(options.filter(pl.col("choice") == 1), by=["choice"], rng=rng())
    assert all_of_them.filter(pl.col("choice") == 1).equals(alone)


def test_arms_come_and_go_between_fits() -> None:
    generator = np.random.default_rng(9)
    arms = make_arms(6, generator)
    bandit = FactorBandit(params()).fit(answered(arms, np.full(6, -1.2), 400, generator))
    newcomers = make_arms(2, generator, prefix="new").with_columns(fact=pl.lit("horoscope"))
    today = pl.concat([arms.tail(4), newcomers])
    found = bandit.chances(choices(today), by=["choice"], rng=rng())
    assert sorted(found["subject"]) == sorted(today["subject"])
    assert (found["propensity"] >= 0.10 / 6).all()
    rates = bandit.rates(today)
    assert rates["log_odds_sd"].tail(2).min() > rates["log_odds_sd"].head(4).max()
    assert found.equals(bandit.chances(choices(today), by=["choice"], rng=rng()))


def test_new_arms_are_judged_by_their_factors() -> None:
    generator = np.random.default_rng(10)
    arms = make_arms(30, generator)
    log_odds = -1.5 + 0.5 * arms["has_emoji"].to_numpy()
    bandit = FactorBandit(params()).fit(answered(arms, log_odds, 300, generator))
    both = alike("new_plain", "new_emoji").with_columns(has_emoji=pl.col("subject") == "new_emoji")
    found = bandit.chances(choices(both), by=["choice"], rng=rng())
    assert dict(found.select("subject", "win_share").iter_rows())["new_emoji"] > 0.85


def test_a_score_decides_for_whom_a_factor_is() -> None:
    generator = np.random.default_rng(11)
    arms = make_arms(20, generator)
    cells = arms.join(pl.DataFrame({"likes_emoji": [-1.0, 0.0, 1.0]}), how="cross")
    log_odds = -1.3 + 0.4 * cells["likes_emoji"].to_numpy() * (2 * cells["has_emoji"].to_numpy() - 1)
    settings_ = params(scores=(Score("likes_emoji", "has_emoji"),))
    bandit = FactorBandit(settings_).fit(answered(cells, log_odds, 300, generator))
    both = alike("new_plain", "new_emoji").with_columns(has_emoji=pl.col("subject") == "new_emoji")
    options = both.join(pl.DataFrame({"likes_emoji": [-1.5, 0.5, 1.5]}), how="cross")
    share = (
        bandit.chances(options, by=["likes_emoji"], rng=rng())
        .filter(pl.col("subject") == "new_emoji")
        .sort("likes_emoji")["win_share"]
        .to_list()
    )
    assert share[0] < 0.1 and share[2] > 0.9
    assert share[0] < share[1] < share[2]


def test_arms_of_several_choices_may_share_parts() -> None:
    generator = np.random.default_rng(12)
    subjects = make_arms(4, generator)
    layouts = pl.DataFrame({"layout": ["grid", "hero", "text"]})
    arms = subjects.join(layouts, how="cross").with_columns(message=pl.lit("weekly"))
    settings_ = BanditParams(
        arm=("message", "subject", "layout"),
        factors=(*FACTORS, "layout"),
        own=(("message", "subject"),),
        baselines=("message",),
        n_draws=1_000,
    )
    history = answered(arms, np.full(12, -1.0), 100, generator)
    found = FactorBandit(settings_).fit(history).chances(arms, by=["message"], rng=rng())
    assert found.columns[:3] == ["message", "subject", "layout"]
    assert found["propensity"].sum() == pytest.approx(1.0)


def test_wrong_input_is_named() -> None:
    arms = make_arms(3, np.random.default_rng(13))
    history = taught(arms, [0.1, 0.2, 0.3])
    bandit = FactorBandit(params())
    with pytest.raises(NotFittedError, match="factor_bandit"):
        bandit.chances(choices(arms), by=["choice"], rng=rng())
    with pytest.raises(MissingFeatureError, match="length"):
        bandit.fit(history.drop("length"))
    with pytest.raises(ValueError, match="fact is missing in 3 of 3 rows"):
        bandit.fit(history.with_columns(fact=pl.lit(None, pl.String)))
    with pytest.raises(ValueError, match="3 rows do not keep to that, the first has 11 of 10"):
        bandit.fit(history.with_columns(n_sent=10, n_success=11))
    with pytest.raises(ValueError, match="n_effective must lie between 0 and n_sent"):
        bandit.fit(history.with_columns(n_effective=pl.lit(float("nan"))))
    bandit.fit(history)
    with pytest.raises(ValueError, match=r"an arm stands twice in a choice: .*s000"):
        bandit.chances(pl.concat([choices(arms), choices(arms.head(1))]), by=["choice"], rng=rng())
    with pytest.raises(ValueError, match="explore is 1.5"):
        bandit.chances(choices(arms), by=["choice"], rng=rng(), explore=1.5)
    with pytest.raises(MissingFeatureError, match="customer"):
        bandit.chances(choices(arms), by=["customer"], rng=rng())


def test_a_context_is_one_for_all_arms_of_a_choice() -> None:
    arms = make_arms(3, np.random.default_rng(14)).with_columns(
        segment=pl.Series(["new", "new", "loyal"]), likes_emoji=pl.lit(0.0)
    )
    settings_ = params(segments=("segment",), scores=(Score("likes_emoji", "has_emoji"),))
    bandit = FactorBandit(settings_).fit(taught(arms, [0.1, 0.2, 0.3]))
    with pytest.raises(ValueError, match="segment differs between the arms of the choice"):
        bandit.chances(choices(arms), by=["choice"], rng=rng())
    with pytest.raises(ValueError, match="likes_emoji is missing in 3"):
        bandit.fit(taught(arms, [0.1, 0.2, 0.3]).with_columns(likes_emoji=pl.lit(float("nan"))))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arm": ()}, "arm names no column"),
        ({"explore": -0.1}, "explore is -0.1"),
        ({"expected_rate": 1.0}, "expected_rate is 1.0"),
        ({"prior_levels": 0.0}, "prior_levels is 0.0"),
        ({"n_draws": 0}, "n_draws is 0"),
        ({"scores": (Score("likes_sun", "has_sun"),)}, "has_sun, which is not among the factors"),
        ({"segments": ("stage",), "baselines": ("stage",)}, "stage is among the segments and the baselines"),
    ],
)
def test_wrong_settings_are_named(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        params(**changes)


def test_effects_need_a_size() -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        Scales(arm=0.0)
