"""Systematic sampling draws an exact number, each with an exactly known chance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.policy.sampling import systematic


@given(n=st.integers(1, 60), share=st.floats(0, 1), seed=st.integers(0, 999))
def test_over_all_starts_everyone_is_drawn_equally_often(n: int, share: float, seed: int) -> None:
    n_drawn = round(share * n)
    uniforms = np.random.default_rng(seed).random(n)
    starts = (np.arange(n) + 0.5) / n
    drawn = systematic(np.broadcast_to(uniforms, (n, n)), n_drawn, starts)
    assert (drawn.sum(axis=1) == n_drawn).all()
    assert (drawn.sum(axis=0) == n_drawn).all()


@given(
    sizes=st.lists(st.integers(0, 20), min_size=1, max_size=5),
    share=st.floats(0, 1),
    start=st.floats(0, 1, exclude_max=True),
)
def test_a_group_has_its_part_rounded_down_or_up(sizes: list[int], share: float, start: float) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    n = len(groups)
    n_drawn = int(share * n)
    drawn = systematic(np.random.default_rng(3).random(n), n_drawn, start, groups)
    assert drawn.sum() == n_drawn
    for group, size in enumerate(sizes):
        part = n_drawn * size / max(n, 1)
        assert np.floor(part) <= drawn[groups == group].sum() <= np.ceil(part)


def test_chances_in_100_000_draws() -> None:
    rng = np.random.default_rng(11)
    n, n_drawn, n_draws = 13, 5, 100_000
    drawn = systematic(rng.random((n_draws, n)), n_drawn, rng.random(n_draws))
    chance = n_drawn / n
    error = np.sqrt(chance * (1 - chance) / n_draws)
    assert (drawn.sum(axis=1) == n_drawn).all()
    assert np.abs(drawn.mean(axis=0) - chance).max() < 4.5 * error
    # By the order of a hash any two are drawn together as often as any others.
    together = n_drawn * (n_drawn - 1) / n / (n - 1)
    pairs = (drawn.T.astype(float) @ drawn.astype(float) / n_draws)[~np.eye(n, dtype=bool)]
    assert np.abs(pairs - together).max() < 4.5 * np.sqrt(together * (1 - together) / n_draws)


@pytest.mark.parametrize("n_drawn", [-1, 4])
def test_more_than_there_are_cannot_be_drawn(n_drawn: int) -> None:
    with pytest.raises(ValueError, match=f"{n_drawn} cannot be drawn of 3"):
        systematic([0.1, 0.2, 0.3], n_drawn, 0.0)


def test_nobody_to_draw_from() -> None:
    assert systematic(np.empty(0), 0, 0.3).tolist() == []
