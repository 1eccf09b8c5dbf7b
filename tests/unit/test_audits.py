"""Figures of a plan with a known answer; limits; and no figure from which a small group could be worked out."""

import ast
from datetime import date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from assets.audits import audit_result
from models.evaluation.audits import AuditLimits, Limit, audit_groups, audit_products

DAY = date(2025, 3, 4)
ROOT = Path(__file__).parents[2]
PRODUCTS = pl.DataFrame(
    {
        "product_id": ["a", "b", "c", "d", "hidden"],
        "category": ["Shoes", "Shoes", "Books", None, "Books"],
        "brand": ["Aero", "Aero", "Aero", None, None],
        "is_available": [True] * 5,
        "is_sensitive": [False] * 4 + [True],
        "released_at": [datetime(2025, 2, 20), datetime(2020, 1, 1), None, None, None],
    }
)


def value(audits: pl.DataFrame, figure: str) -> float:
    return float(audits.filter(figure=figure)["value"].item())


def test_figures_of_products_by_hand() -> None:
    plan = pl.DataFrame(
        {
            "plan_date": [DAY] * 4,
            "action": ["send", "send", "send", "hold"],
            "product_ids": [["a", "b"], ["a", "c", "d"], ["a"], None],
        }
    )
    limits = AuditLimits(limits={"coverage": Limit(warn=1.0), "exposure_gini": Limit(warn=0.1, block=0.2)})
    audits = audit_products(plan, PRODUCTS, limits)
    assert value(audits, "coverage") == 1.0
    # a is shown thrice, b, c and d once.
    by_hand = np.abs(np.subtract.outer([3, 1, 1, 1], [3, 1, 1, 1])).sum() / (2 * 16 * 1.5)
    assert value(audits, "exposure_gini") == pytest.approx(by_hand)
    # {a, b} are alike in both; of the three pairs of {a, c, d} one shares its brand.
    assert value(audits, "diversity") == pytest.approx(((1 - 1) + (1 - (0.5 / 3))) / 2)
    assert value(audits, "new_products") == pytest.approx(3 / 6)
    states = dict(audits.select("figure", "state").iter_rows())
    assert states == {
        "coverage": "ok",
        "exposure_gini": "block",
        "diversity": "ok",
        "new_products": "ok",
    }
    result = audit_result(audits)
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "exposure_gini 0.250 (limit 0.2)" in str(result.description)
    nothing = audit_products(plan.clear(), PRODUCTS, limits)
    assert nothing["state"].to_list() == ["warn", "unknown", "unknown", "unknown"]


def people(**groups: tuple[int, int, int]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A plan and genders of so many (customers, mails, offers) for each group."""
    rows: list[dict[str, Any]] = []
    for group, (n, mails, offers) in groups.items():
        for i in range(n):
            is_mail = i < mails
            rows.append(
                {
                    "customer_id": f"{group}{i}",
                    "gender": None if group == "none" else group,
                    "age_band": "25-34",
                    "action": "send" if is_mail else "hold",
                    "reason": "life_cycle" if is_mail else "cool_down",
                    "is_control": False,
                    "offer_key": ("free" if i < offers else "none") if is_mail else None,
                    "expected_margin": 1.0 + i % 2 if is_mail else None,
                }
            )
    frame = pl.DataFrame(rows)
    return frame.drop("gender", "age_band"), frame.select("customer_id", "gender", "age_band")


def test_groups_are_compared_with_intervals_and_only_sure_gaps_count() -> None:
    limits = AuditLimits(
        50, limits={"send_rate_gap": Limit(warn=0.1), "offer_rate_gap": Limit(warn=0.1, block=0.3)}
    )
    audits = audit_groups(*people(female=(500, 250, 200), male=(500, 100, 20), none=(200, 60, 24)), limits)
    rates = audits.filter(figure="send_rate", attribute="gender")
    female, male, none = (
        rates.row(by_predicate=pl.col("group") == g, named=True) for g in ("female", "male", "not stated")
    )
    wilson = binomtest(250, 500).proportion_ci(0.95, "wilson")
    assert (female["low"], female["high"]) == pytest.approx((wilson.low, wilson.high))
    assert female["gap"] == pytest.approx(0.5 - 160 / 700)
    assert (female["state"], male["state"]) == ("warn", "warn")
    # 5 points away, but so few that it may be chance.
    assert none["gap"] == pytest.approx(0.30 - 0.35) and none["state"] == "ok"
    offers = audits.filter(figure="offer_rate", attribute="gender", group="female")
    assert offers["state"].item() == "block"
    # Newcombe 1998, table II (a): 56/70 and 48/80.
    known = audit_groups(*people(one=(70, 56, 0), two=(80, 48, 0)), AuditLimits(5))
    row = known.filter(figure="send_rate", attribute="gender", group="one").row(0, named=True)
    assert (row["gap_low"], row["gap_high"]) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    margins = audits.filter(figure="expected_margin", attribute="gender")
    assert margins["value"].to_list() == pytest.approx([1.5] * margins.height)


@settings(max_examples=40)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=7),
    smallest=st.integers(5, 25),
    share=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_no_small_group_can_be_worked_out(sizes: list[int], smallest: int, share: float) -> None:
    groups = {f"g{i}": (n, int(n * share), 0) for i, n in enumerate(sizes)}
    audits = audit_groups(*people(**groups), AuditLimits(smallest)).filter(attribute="gender")
    for figure, total in (("send_rate", sum(sizes)), ("offer_rate", sum(m for _, m, _ in groups.values()))):
        given_out = audits.filter(figure=figure)["n"]
        assert (given_out >= smallest).all()
        left_out = total - given_out.sum()
        assert left_out == 0 or left_out >= smallest or given_out.is_empty()


def test_protected_attributes_are_read_by_the_audits_alone() -> None:
    readers = {
        str(file.relative_to(ROOT))
        for package in ("models", "assets", "pipelines", "mail")
        for file in (ROOT / package).rglob("*.py")
        if any(
            (isinstance(node, ast.Constant) and node.value in ("audit_customer", "age_band"))
            or (isinstance(node, ast.arg) and node.arg == "audit_customer")
            for node in ast.walk(ast.parse(file.read_text()))
        )
    }
    # assets/training.py names the table as one that no model learns from.
    assert readers == {"assets/audits.py", "assets/training.py", "models/evaluation/audits.py"}
