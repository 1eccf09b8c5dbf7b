"""BG/NBD against the published fit, a simulation, and its own limits."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.btyd import BgNbd, BtydParams

CDNOW = Path(__file__).parents[2].parent / "shared" / "data" / "CDNOW_sample.txt"
CALIBRATION_END = date(1997, 9, 30)
PUBLISHED = (0.243, 4.414, 0.793, 2.426)


@pytest.fixture(scope="module")
def cdnow() -> pl.DataFrame:
    """repeat_days, recency_days, age_days at the end of the calibration period; holdout orders of 39 weeks."""
    if not CDNOW.exists():
        pytest.skip(f"the CDNOW sample is not at {CDNOW}")
    lines = [line.split() for line in CDNOW.read_text().splitlines()]
    days = (
        pl.DataFrame({"id": [line[1] for line in lines], "day": [line[2] for line in lines]})
        .with_columns(pl.col("day").str.to_date("%Y%m%d"))
        .unique()
        .sort("id", "day")
    )
    before = pl.col("day").filter(pl.col("day") <= CALIBRATION_END)
    return days.group_by("id", maintain_order=True).agg(
        repeat_days=before.len() - 1,
        recency_days=(before.max() - before.min()).dt.total_days(),
        age_days=(pl.lit(CALIBRATION_END) - before.min()).dt.total_days() + 1,
        holdout=(pl.col("day") > CALIBRATION_END).sum(),
    )


@pytest.mark.parametrize("prior_weight", [0.0, 1.0])
def test_the_published_parameters_within_one_percent(cdnow: pl.DataFrame, prior_weight: float) -> None:
    r, alpha_days, a, b = BgNbd(BtydParams(prior_weight)).fit(cdnow).fitted
    assert (r, alpha_days / 7, a, b) == pytest.approx(PUBLISHED, rel=0.01)


def test_the_reference_figures_on_the_holdout(cdnow: pl.DataFrame) -> None:
    expected = BgNbd().fit(cdnow).expected_orders(cdnow, 39 * 7)
    actual = cdnow["holdout"].to_numpy()
    assert np.sqrt(np.mean((expected - actual) ** 2)) == pytest.approx(1.608, abs=0.001)
    assert np.corrcoef(expected, actual)[0, 1] == pytest.approx(0.626, abs=0.001)


def _customers(n: int, days: float, seed: int = 1) -> pl.DataFrame:
    """Customers drawn from a BG/NBD with r 0.8, alpha 20, a 1, b 4, watched for `days`, and `days` more."""
    draw = np.random.default_rng(seed)
    rate, drop = draw.gamma(0.8, 1 / 20.0, n), draw.beta(1.0, 4.0, n)
    times = np.cumsum(draw.exponential(1.0, (n, 400)) / rate[:, None], axis=1)
    alive = np.cumprod(draw.random((n, 400)) > drop[:, None], axis=1)
    happened = np.hstack([np.ones((n, 1)), alive[:, :-1]]) > 0
    seen = happened & (times <= days)
    later = happened & (times > days) & (times <= 2 * days)
    last = np.where(seen, times, 0.0).max(axis=1)
    return pl.DataFrame(
        {
            "repeat_days": seen.sum(1),
            "recency_days": last,
            "age_days": np.full(n, days + 1.0),
            "later": later.sum(1),
        }
    )


def test_it_recovers_the_process_it_assumes() -> None:
    world = _customers(6000, 300.0)
    model = BgNbd().fit(world)
    assert model.fitted == pytest.approx((0.8, 20.0, 1.0, 4.0), rel=0.2)
    assert model.expected_orders(world, 300.0).sum() == pytest.approx(world["later"].sum(), rel=0.05)
    silent = float((world["later"] == 0).mean())
    assert model.p_no_order(world, 300.0).mean() == pytest.approx(silent, abs=0.015)


def test_fifty_customers_are_enough_for_sane_numbers() -> None:
    for seed in range(5):
        world = _customers(50, 300.0, seed)
        model = BgNbd().fit(world)
        assert np.isfinite(model.fitted).all()
        assert 0.3 < model.expected_orders(world, 300.0).sum() / world["later"].sum() < 3.0


def test_without_customers_it_is_the_prior() -> None:
    assert BgNbd().fit(_customers(1, 10.0).clear()).fitted == BgNbd.medians


histories = st.tuples(st.integers(0, 800), st.floats(0, 1), st.floats(0, 3000)).map(
    lambda drawn: (drawn[0], drawn[1] * drawn[2] if drawn[0] else 0.0, drawn[2])
)


@given(st.lists(histories, min_size=1, max_size=20), st.floats(1, 400))
def test_expectations_are_finite_ordered_and_grow_with_time(
    rows: list[tuple[int, float, float]], days: float
) -> None:
    frame = pl.DataFrame(rows, schema=["repeat_days", "recency_days", "age_days"], orient="row")
    model = BgNbd().fit(frame.clear())
    alive, soon, late = model.p_alive(frame), *(model.expected_orders(frame, d) for d in (days, 2 * days))
    none = model.p_no_order(frame, days)
    assert np.isfinite([*alive, *soon, *late, *none]).all()
    assert ((alive >= 0) & (alive <= 1) & (none >= 0) & (none <= 1)).all()
    assert (soon >= 0).all()
    assert (late >= soon - 1e-9).all()
    assert (soon >= (1.0 - none) - 1e-6).all()


@pytest.mark.parametrize("a", [0.5, 0.9999999, 1.0, 1.5])
def test_expectations_are_continuous_where_the_formula_divides_by_zero(a: float) -> None:
    frame = pl.DataFrame({"repeat_days": [0, 1, 5], "recency_days": [0, 40, 200], "age_days": [60, 90, 230]})
    model, near = BgNbd(), BgNbd()
    model._fitted, near._fitted = (
        (0.5, 30.0, a, 1.0 - min(a, 0.99)),
        (0.5, 30.0, a + 1e-4, 1.0 - min(a, 0.99)),
    )
    assert model.expected_orders(frame, 90.0) == pytest.approx(near.expected_orders(frame, 90.0), rel=1e-2)
