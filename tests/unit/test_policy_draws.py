"""Draws are functions of seed, stream and key, and the control group of identity alone."""

import hashlib

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.policy import draws
from models.policy.choice import draw_one
from models.policy.control import in_control

IDS = pl.Series([f"c{i}" for i in range(20_000)])


def test_uniforms_are_pinned() -> None:
    values = draws.uniforms(pl.Series(["c1", "c2"]), seed="s|2025-03-04", streams=["u_message", "u_offer"])
    expected = {
        stream: [
            int(hashlib.md5(f"s|2025-03-04\x1f{stream}\x1f{key}".encode()).hexdigest()[:13], 16) / 2**52
            for key in ("c1", "c2")
        ]
        for stream in ("u_message", "u_offer")
    }
    assert values.to_dict(as_series=False) == expected
    assert values["u_message"].to_list() == pytest.approx([0.5272165166076106, 0.4064625382187572], abs=1e-12)


def test_digest_of_nothing_is_nothing() -> None:
    assert draws.digests(pl.Series([], dtype=pl.String), seed="s", stream="x").len() == 0


def test_uniforms_are_uniform_and_independent() -> None:
    values = draws.uniforms(IDS, seed="s", streams=["a", "b"])
    assert values["a"].min() >= 0 and values["a"].max() < 1
    assert values["a"].mean() == pytest.approx(0.5, abs=0.01)
    assert values.select(pl.corr("a", "b")).item() == pytest.approx(0.0, abs=0.03)


def test_order_of_keys_does_not_matter() -> None:
    forward = draws.digests(IDS, seed="s", stream="x")
    assert draws.digests(IDS.reverse(), seed="s", stream="x").to_list() == forward.reverse().to_list()


@settings(max_examples=20)
@given(small=st.floats(0, 1), large=st.floats(0, 1))
def test_a_larger_control_group_keeps_every_member(small: float, large: float) -> None:
    small, large = sorted((small, large))
    ids = IDS.head(300)
    few = in_control(ids, salt="s", share=small)
    assert (in_control(ids, salt="s", share=large) | ~few).all()


def test_control_group_has_its_share_and_depends_on_the_salt() -> None:
    members = in_control(IDS, salt="s", share=0.05)
    assert members.mean() == pytest.approx(0.05, abs=0.006)
    assert (members & in_control(IDS, salt="t", share=0.05)).mean() == pytest.approx(0.0025, abs=0.002)
    assert not in_control(IDS, salt="s", share=0.0).any()
    assert in_control(IDS, salt="s", share=1.0).all()


def test_one_option_is_drawn_with_its_chance() -> None:
    uniform = draws.uniforms(IDS, seed="s", streams=["u"])
    options = (
        pl.DataFrame({"id": IDS})
        .hstack(uniform)
        .join(pl.DataFrame({"option": ["a", "b", "c"], "p": [0.2, 0.0, 0.8]}), how="cross")
    )
    drawn = draw_one(options, by=["id"], order=["option"], chance="p", uniform="u")
    assert drawn.height == IDS.len()
    assert (drawn["option"] == "a").mean() == pytest.approx(0.2, abs=0.01)
    assert not (drawn["option"] == "b").any()
    assert ((drawn["option"] == "a") == (drawn["u"] < 0.2)).all()
