"""Purchase propensity by category and subcategory: on simulated shops against what was bought and what is truly liked,
and on Online Retail II."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import rankdata

from assets.home import Home
from benchmarks.evaluate.simulated import SimulatedShop, build_shop, build_tables, take_in
from benchmarks.evaluate.table import Table, Target, data_file
from models.evaluation.intervals import paired_difference
from models.evaluation.metrics import log_loss
from models.features import KEYS
from models.lessons.propensity import METHODS, SEED, propensity_frame
from models.propensity import evaluate_propensity, match_outcome
from models.propensity_rules import HORIZON_DAYS, LABEL
from models.shelves import SUBCATEGORY, shelf_frame, with_labels
from shop.config import ShopConfig
from shop.online_retail import import_online_retail

SEEDS = (11, 12, 13)
CUSTOMERS, DAYS = 2_000, 180
MODELS = ("feat_customer", "feat_interactions", "feat_product", "label_categories")
STEP_DAYS, N_SNAPSHOTS = 30, 5
MODEL = "category_propensity"
SHOWN = {
    "log_loss": "log_loss",
    "auc": "auc_category",
    "ece": "ece_category",
    "auc_sub": "auc_subcategory",
    "ece_sub": "ece_subcategory",
}
"""Column of the table -> figure of `evaluate_propensity`."""


def tables(data: Path) -> Iterator[Table]:
    """Three simulated shops, and Online Retail II."""
    answers = [_simulated(seed) for seed in SEEDS]
    figures = pl.concat(answers).group_by("method", maintain_order=True).mean()
    yield Table(
        name="category_propensity_simulated",
        title=f"mean of seeds {', '.join(map(str, SEEDS))} ({CUSTOMERS:,} customers, {DAYS} days): purchases by shelf in "
        f"the last {HORIZON_DAYS} days, learnt from snapshots whose windows ended before; taste_rank: mean rank "
        "correlation of a customer's subcategories with his true taste",
        figures=figures,
        params={"seeds": SEEDS, "customers": CUSTOMERS, "days": DAYS},
        targets=(Target(MODEL, "auc", low=0.85), Target(MODEL, "gain_low", low=0.0)),
    )
    yield _online_retail(data)


def _simulated(seed: int) -> pl.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        config = ShopConfig(customers=CUSTOMERS, days=DAYS, seed=seed)
        shop = build_shop(config, Path(folder))
        frame, asked = _frames(shop)
        return _figures(frame, asked, shop.true("tastes"))


def _online_retail(data: Path) -> Table:
    source = data_file(data, "online_retail_II.parquet")
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder), Path(folder) / "landing")
        import_online_retail(source, home.landing)
        shop = take_in(home, date(2011, 12, 10))
        frame, asked = _frames(shop)
        figures = _figures(frame, asked, None)
    holdout = shop.week - timedelta(days=HORIZON_DAYS)
    return Table(
        name="category_propensity_online_retail",
        title=f"Online Retail II, purchases by shelf in the {HORIZON_DAYS} days from {holdout}, all customers known by then",
        figures=figures,
        targets=(Target(MODEL, "gain_low", low=0.0), Target(MODEL, "fit_seconds", high=40)),
    )


def _frames(shop: SimulatedShop) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The training frame as the product makes it `HORIZON_DAYS` before the week, and the shelves of everyone then."""
    holdout = shop.week - timedelta(days=HORIZON_DAYS)
    past = [holdout - timedelta(days=STEP_DAYS * back) for back in range(N_SNAPSHOTS, -1, -1)]
    build_tables(shop, MODELS, [*past, shop.week])
    then = pl.col("as_of") <= holdout
    seen = shop.table("feat_customer").filter("has_behaviour", pl.col("first_seen_at").is_not_null())
    interactions, products, labels = (shop.table(name) for name in MODELS[1:])
    frame = propensity_frame(
        seen.filter(then), interactions.filter(then), products.filter(then), labels.filter(then)
    )
    now = pl.col("as_of") == holdout
    asked = shelf_frame(seen.filter(now), interactions.filter(now), products.filter(now))
    return frame, with_labels(asked, labels, HORIZON_DAYS, shop.week)


def _figures(frame: pl.DataFrame, asked: pl.DataFrame, tastes: pl.DataFrame | None) -> pl.DataFrame:
    """A row per method, simplest first; gain: log loss of the best rule less the model's, with a 95 % interval by customer."""
    predictions: dict[str, pl.DataFrame] = {}
    rows: dict[str, dict[str, Any]] = {}
    for method, make in METHODS.items():
        start = time.process_time()
        model = make().fit(frame)
        fitted = time.process_time()
        predictions[method] = model.predict(asked.drop(LABEL))
        answered = time.process_time()
        figures = evaluate_propensity(predictions[method], asked)
        rows[method] = {
            "method": method,
            **{column: figures[name] for column, name in SHOWN.items()},
            "taste_rank": _taste_rank(predictions[method], tastes),
            "fit_seconds": fitted - start,
            "score_seconds": answered - fitted,
        }
    outcome, best = match_outcome(predictions[MODEL], asked)
    groups = asked["customer_id"].rank("dense").to_numpy()
    rival = min((m for m in METHODS if m != MODEL), key=lambda m: rows[m]["log_loss"])
    gain = paired_difference(
        log_loss,
        outcome,
        match_outcome(predictions[rival], asked)[1],
        best,
        groups=groups,
        n_resamples=200,
        seed=SEED,
    )
    for method, row in rows.items():
        is_model = method == MODEL
        row |= {
            "gain": gain.estimate if is_model else None,
            "gain_low": gain.low if is_model else None,
        }
    return pl.DataFrame(list(rows.values()), infer_schema_length=None)


def _taste_rank(predictions: pl.DataFrame, tastes: pl.DataFrame | None) -> float | None:
    """Mean over customers of Spearman's correlation between the chance and the true taste of his subcategories."""
    if tastes is None:
        return None
    true = tastes.unpivot(index="customer_id", variable_name="shelf", value_name="taste")
    pairs = (
        predictions.filter(pl.col("level") == SUBCATEGORY)
        .join(true, on=["customer_id", "shelf"])
        .sort(*KEYS, "shelf")
    )
    correlations = [
        np.corrcoef(rankdata(part["p_purchase_14d"]), rankdata(part["taste"]))[0, 1]
        for part in pairs.partition_by("customer_id")
    ]
    known = np.array(correlations)
    return float(np.nanmean(known))
