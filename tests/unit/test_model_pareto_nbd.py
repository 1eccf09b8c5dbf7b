"""Pareto/NBD and Gamma-Gamma against the published fits, a simulation, and their own limits."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.btyd import BtydParams
from models.gamma_gamma import GammaGamma, GammaGammaParams
from models.pareto_nbd import ParetoNbd

CDNOW = Path(__file__).parents[2].parent / "shared" / "data" / "CDNOW_sample.txt"
CALIBRATION_END = date(1997, 9, 30)
PLAIN = BtydParams(prior_weight=0.0)


@pytest.fixture(scope="module")
def cdnow() -> pl.DataFrame:
    """The history at the end of the calibration period, holdout orders of 39 weeks, mean spend of repeat orders."""
    if not CDNOW.exists():
        pytest.skip(f"the CDNOW sample is not at {CDNOW}")
    lines = [line.split() for line in CDNOW.read_text().splitlines()]
    days = (
        pl.DataFrame(
            {
                "id": [line[1] for line in lines],
                "day": [line[2] for line in lines],
                "spend": [float(line[4]) for line in lines],
            }
        )
        .with_columns(pl.col("day").str.to_date("%Y%m%d"))
        .group_by("id", "day")
        .agg(pl.col("spend").sum())
        .sort("id", "day")
    )
    known = pl.col("day") <= CALIBRATION_END
    before = pl.col("day").filter(known)
    return days.group_by("id", maintain_order=True).agg(
        repeat_days=before.len() - 1,
        recency_days=(before.max() - before.min()).dt.total_days(),
        age_days=(pl.lit(CALIBRATION_END) - before.min()).dt.total_days() + 1,
        holdout=(~known).sum(),
        mean_spend=pl.col("spend").filter(known & (pl.col("day") > pl.col("day").min())).mean(),
    )


def test_the_published_pareto_nbd_and_its_holdout(cdnow: pl.DataFrame) -> None:
    model = ParetoNbd(PLAIN).fit(cdnow)
    r, alpha_days, s, beta_days = model.fitted
    assert model.converged
    assert (r, alpha_days / 7, s, beta_days / 7) == pytest.approx((0.553, 10.578, 0.606, 11.669), rel=0.01)
    expected, actual = model.expected_orders(cdnow, 39 * 7), cdnow["holdout"].to_numpy()
    assert np.sqrt(np.mean((expected - actual) ** 2)) == pytest.approx(1.603, rel=0.005)


def test_the_published_gamma_gamma(cdnow: pl.DataFrame) -> None:
    repeaters = cdnow.filter(pl.col("repeat_days") > 0)
    orders = repeaters["repeat_days"].cast(pl.Float64).to_numpy()
    model = GammaGamma(GammaGammaParams(0.0)).fit(orders, repeaters["mean_spend"].to_numpy())
    assert model.converged
    assert model.fitted == pytest.approx((6.25, 3.74, 15.45), rel=0.01)


def _customers(n: int, days: float, seed: int = 1) -> pl.DataFrame:
    """Customers drawn from a Pareto/NBD with r 0.8, alpha 20, s 0.7, beta 100, watched for `days`, and `days` more."""
    draw = np.random.default_rng(seed)
    rate, end = draw.gamma(0.8, 1 / 20.0, n), draw.exponential(1.0, n) / draw.gamma(0.7, 1 / 100.0, n)
    times = np.cumsum(draw.exponential(1.0, (n, 300)) / rate[:, None], axis=1)
    happened = times <= end[:, None]
    seen, later = happened & (times <= days), happened & (times > days) & (times <= 2 * days)
    return pl.DataFrame(
        {
            "repeat_days": seen.sum(1),
            "recency_days": np.where(seen, times, 0.0).max(axis=1),
            "age_days": np.full(n, days + 1.0),
            "later": later.sum(1),
            "is_active": end > days,
        }
    )


def test_it_recovers_the_process_it_assumes() -> None:
    world = _customers(6000, 300.0)
    model = ParetoNbd().fit(world)
    assert model.fitted == pytest.approx((0.8, 20.0, 0.7, 100.0), rel=0.25)
    assert model.expected_orders(world, 300.0).sum() == pytest.approx(world["later"].sum(), rel=0.05)
    assert model.p_alive(world).mean() == pytest.approx(world["is_active"].mean(), abs=0.015)
    silent = float((world["later"] == 0).mean())
    assert model.p_no_order(world, 300.0).mean() == pytest.approx(silent, abs=0.015)


def test_fifty_customers_are_enough_for_sane_numbers() -> None:
    for seed in range(3):
        world = _customers(50, 300.0, seed)
        model = ParetoNbd().fit(world)
        assert np.isfinite(model.fitted).all()
        assert 0.3 < model.expected_orders(world, 300.0).sum() / world["later"].sum() < 3.0


def test_without_customers_it_is_the_prior() -> None:
    assert ParetoNbd().fit(_customers(1, 10.0).clear()).fitted == ParetoNbd.medians
    assert GammaGamma().fit(np.empty(0), np.empty(0)).population_mean == 0.0


histories = st.tuples(st.integers(0, 800), st.floats(0, 1), st.floats(0, 3000)).map(
    lambda drawn: (drawn[0], drawn[1] * drawn[2] if drawn[0] else 0.0, drawn[2] + 1.0)
)


@pytest.mark.parametrize("fitted", [ParetoNbd.medians, (0.7, 70.0, 1.0, 2500.0), (2.0, 300.0, 0.4, 20.0)])
@given(rows=st.lists(histories, min_size=1, max_size=20), days=st.floats(1, 400))
def test_expectations_are_finite_ordered_and_grow_with_time(
    fitted: tuple[float, ...], rows: list[tuple[int, float, float]], days: float
) -> None:
    frame = pl.DataFrame(rows, schema=["repeat_days", "recency_days", "age_days"], orient="row")
    model = ParetoNbd()
    model._fitted = fitted
    alive, soon, late = model.p_alive(frame), *(model.expected_orders(frame, d) for d in (days, 2 * days))
    none, longer = (model.p_no_order(frame, d) for d in (days, 2 * days))
    assert np.isfinite([*alive, *soon, *late, *none]).all()
    assert ((alive >= 0) & (alive <= 1) & (none >= 0) & (none <= 1)).all()
    assert (late >= soon - 1e-9).all()
    assert (longer <= none + 1e-9).all()
    assert (soon >= (1.0 - none) - 1e-6).all()


@given(
    st.lists(st.tuples(st.integers(1, 40), st.floats(0.5, 500)), min_size=2, max_size=30),
    st.floats(0.01, 1000),
)
def test_expected_spend_lies_between_own_and_the_shops_and_knows_no_currency(
    rows: list[tuple[int, float]], rate: float
) -> None:
    orders, spend = np.array(rows, dtype=np.float64).T
    model = GammaGamma().fit(orders, spend)
    expected = model.expected_spend(orders, spend)
    low, high = np.minimum(spend, model.population_mean), np.maximum(spend, model.population_mean)
    assert ((expected >= low - 1e-9) & (expected <= high + 1e-9)).all()
    abroad = GammaGamma().fit(orders, spend * rate)
    assert abroad.population_mean == pytest.approx(model.population_mean * rate, rel=1e-3)
