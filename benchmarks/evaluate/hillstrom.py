"""Whom the women's e-mail brings to the shop: effect learners beside a rule of one column (Hillstrom's challenge, 2008).

64,000 customers, randomised; here the women's e-mail against none, outcome a visit within two weeks. The file has no dates:
ten splits at random, equal shares of each arm and answer in both parts. As they overlap, the interval of the difference is
that of Nadeau and Bengio (2003).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import polars as pl
from scipy.stats import t as student
from sklearn.model_selection import train_test_split

from benchmarks.evaluate.table import Table, Target, data_file
from models.evaluation.uplift import qini_auc
from models.features import FloatArray
from models.offers.learners import DRLearner, EffectLearner, SLearner, TLearner, XLearner, arms
from models.offers.regression import Linear, Logistic, Trees

FILE = "hillstrom.csv"
SEEDS = tuple(range(42, 52))
HELD_OUT = 0.3
RULE, RANDOM = "rule_womens", "random"
CATEGORIES = ("zip_code", "channel")
NUMBERS = ("recency", "history", "mens", "womens", "newbie")


def _trees_of_change() -> Trees:
    return Trees(is_chance=False, max_depth=2, rounds=40, min_child_weight=200.0)


LEARNERS: Mapping[str, Callable[[], EffectLearner]] = {
    "s_learner_xgboost": lambda: SLearner(Trees),
    "t_learner_logistic": lambda: TLearner(Logistic),
    "t_learner_xgboost": lambda: TLearner(Trees),
    "x_learner_linear": lambda: XLearner(Logistic, Linear),
    "x_learner_xgboost": lambda: XLearner(Trees, _trees_of_change),
    "dr_learner_linear": lambda: DRLearner(Logistic, Linear),
    "dr_learner_xgboost": lambda: DRLearner(Trees, _trees_of_change),
}


def tables(data: Path) -> Iterator[Table]:
    """One table: Qini AUC over ten splits, and the paired difference to the rule with its 95 % interval."""
    matrix, names, treated, visit = experiment(data)
    rule = matrix[:, names.index("womens")]
    found: dict[str, list[float]] = {method: [] for method in (RANDOM, RULE, *LEARNERS)}
    for seed in SEEDS:
        train, test = train_test_split(
            np.arange(len(visit)), test_size=HELD_OUT, random_state=seed, stratify=2 * treated + visit
        )
        share = treated[train].mean()
        experienced = arms(
            matrix[train],
            treated[train],
            visit[train],
            np.where(treated[train] == 1, share, 1 - share),
        )
        predicted = {RANDOM: np.random.default_rng(seed).random(len(test)), RULE: rule[test]}
        predicted |= {
            method: make().fit(experienced).effect(matrix[test]) for method, make in LEARNERS.items()
        }
        for method, scores in predicted.items():
            found[method].append(qini_auc(visit[test], treated[test], scores))
    against = np.asarray(found[RULE])
    rows = [{"method": method, **_figures(np.asarray(areas), against)} for method, areas in found.items()]
    yield Table(
        "hillstrom",
        "women's e-mail against none, visit; Qini AUC (as scikit-uplift) on 30 %, seeds 42-51",
        pl.DataFrame(rows),
        params={"seeds": str(SEEDS), "held_out": HELD_OUT},
        targets=(
            Target(RULE, "qini_auc", 0.0645, 0.0655),
            Target("t_learner_logistic", "qini_auc", 0.0657, 0.0677),
            Target("t_learner_logistic", "over_rule_low", low=0.0),
        ),
    )


def experiment(data: Path) -> tuple[FloatArray, list[str], FloatArray, FloatArray]:
    """Matrix, its columns' names, who got the women's e-mail (the others none), and who visited."""
    frame = pl.read_csv(data_file(data, FILE), infer_schema_length=None).filter(
        pl.col("segment").is_in(["Womens E-Mail", "No E-Mail"])
    )
    coded = frame.select(*(pl.col(name).cast(pl.Float64) for name in NUMBERS), *CATEGORIES).to_dummies(
        CATEGORIES, drop_first=True
    )
    treated = (frame["segment"] == "Womens E-Mail").to_numpy() * 1.0
    return coded.to_numpy().astype(np.float64), coded.columns, treated, frame["visit"].to_numpy() * 1.0


def _figures(areas: FloatArray, against: FloatArray) -> dict[str, float | None]:
    difference = areas - against
    if not difference.any():
        return {
            "qini_auc": float(areas.mean()),
            "sd": float(areas.std()),
            "over_rule": None,
            "over_rule_low": None,
            "over_rule_high": None,
        }
    half = student.ppf(0.975, len(areas) - 1) * math.sqrt(
        (1 / len(areas) + HELD_OUT / (1 - HELD_OUT)) * float(difference.var(ddof=1))
    )
    mean = float(difference.mean())
    return {
        "qini_auc": float(areas.mean()),
        "sd": float(areas.std()),
        "over_rule": mean,
        "over_rule_low": mean - half,
        "over_rule_high": mean + half,
    }
