"""Learnt segments beside life-cycle stages and spend tiers, and look-alikes beside the nearest centroid."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from assets.home import Home
from benchmarks.evaluate.simulated import SimulatedShop, build_shop, build_tables, take_in
from benchmarks.evaluate.table import Table, Target, data_file
from models.evaluation.metrics import auc
from models.features import FloatArray
from models.lookalikes import MEMBER, LikenessEstimator, MembershipModel, NearestCentroid, lookalike_frame
from models.segments import CustomerSegments
from shop.config import ShopConfig
from shop.online_retail import import_online_retail

LAST_WEEK = date(2011, 12, 10)
N_WEEKS = 4
HORIZON_DAYS = 90
SEEDS = (8, 9, 10)
CUSTOMERS, DAYS = 2_000, 180
DRAWS = 2


def tables(data: Path) -> Iterator[Table]:
    """Segments on Online Retail II over four weeks; look-alikes on three simulated shops."""
    yield _segments(data)
    yield _lookalikes()


def _segments(data: Path) -> Table:
    """Four weekly refreshes that end 90 days before the last day: do ids hold, and do segments tell what comes?"""
    source = data_file(data, "online_retail_II.parquet")
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder), Path(folder) / "landing")
        import_online_retail(source, home.landing)
        shop = take_in(home, LAST_WEEK)
        weeks = [LAST_WEEK - timedelta(days=HORIZON_DAYS + 7 * back) for back in range(N_WEEKS - 1, -1, -1)]
        build_tables(shop, ["feat_customer", "label_customer"], weeks, HORIZON_DAYS)
        customers = shop.table("feat_customer").filter("has_behaviour", pl.col("first_seen_at").is_not_null())
        labels = shop.table("label_customer")
    snapshots = [customers.filter(pl.col("as_of") == week).sort("customer_id") for week in weeks]
    followed, former = [], None
    for snapshot in snapshots:
        former = CustomerSegments(former=former).fit(snapshot)
        followed.append(_groups(former.predict(snapshot), "segment_id"))
    anew = [
        _groups(CustomerSegments().fit(snapshot).predict(snapshot), "segment_id") for snapshot in snapshots
    ]
    stages = [_groups(snapshot, "lifecycle_stage") for snapshot in snapshots]
    tiers = [_groups(_tiers(snapshot), "tier") for snapshot in snapshots]
    named = {
        "lifecycle_stage": stages,
        "stage_and_spend": tiers,
        "k_means_anew": anew,
        CustomerSegments.name: followed,
    }
    outcome = snapshots[-1].join(labels, on=["customer_id", "as_of"], how="left", maintain_order="left")
    rows = [
        {
            "method": method,
            "n_segments": float(weekly[-1]["group"].n_unique()),
            "adjusted_rand": float(np.mean([_rand(one, two) for one, two in pairwise(weekly)])),
            "same_id": float(np.mean([_same(one, two) for one, two in pairwise(weekly)])),
            "orders_explained": _explained(weekly[-1], outcome["orders"]),
            "revenue_explained": _explained(weekly[-1], outcome["revenue"]),
        }
        for method, weekly in named.items()
    ]
    return Table(
        name="segments_online_retail",
        title=f"Online Retail II, weekly refreshes {weeks[0]} to {weeks[-1]}: agreement from week to week (adjusted Rand, share of "
        f"customers with the same id), and the share of the variance of log orders and revenue of the next {HORIZON_DAYS} days "
        "between segments",
        figures=pl.DataFrame(rows),
        targets=(
            Target(CustomerSegments.name, "adjusted_rand", low=0.8),
            Target(CustomerSegments.name, "same_id", low=0.9),
        ),
    )


def _groups(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    return frame.select("customer_id", group=pl.col(column).cast(pl.String)).sort("customer_id")


def _tiers(frame: pl.DataFrame) -> pl.DataFrame:
    """Stage, and the third of revenue of a year among buyers."""
    revenue = pl.when(pl.col("revenue_365d") > 0).then("revenue_365d")
    third = (revenue.rank("average") / revenue.count() * 3).ceil().cast(pl.String)
    return frame.with_columns(tier=pl.format("{} {}", "lifecycle_stage", third.fill_null("0")))


def _rand(one: pl.DataFrame, two: pl.DataFrame) -> float:
    both = one.join(two, on="customer_id")
    return float(adjusted_rand_score(both["group"], both["group_right"]))


def _same(one: pl.DataFrame, two: pl.DataFrame) -> float:
    both = one.join(two, on="customer_id")
    return float((both["group"] == both["group_right"]).to_numpy().mean())


def _explained(groups: pl.DataFrame, outcome: pl.Series) -> float:
    """Eta squared: variance of the groups' means over the variance of all, of log(1 + outcome)."""
    rows = groups.with_columns(y=outcome.cast(pl.Float64).clip(lower_bound=0).log1p()).drop_nulls("y")
    means = rows.select(pl.col("y").mean().over("group")).to_series().to_numpy()
    values = rows["y"].to_numpy()
    return float(means.var() / values.var())


def _lookalikes() -> Table:
    methods: tuple[type[LikenessEstimator], ...] = (NearestCentroid, MembershipModel)
    rows = [row for seed in SEEDS for row in _one_shop(seed, methods)]
    figures = (
        pl.DataFrame(rows)
        .group_by("method", maintain_order=True)
        .agg(pl.exclude("seed").mean(), auc_sd=pl.col("auc").std())
    )
    rule = figures.row(by_predicate=pl.col("method") == NearestCentroid.name, named=True)
    return Table(
        name="lookalikes_simulated",
        title=f"seeds {', '.join(map(str, SEEDS))} ({CUSTOMERS:,} customers, {DAYS} days), active customers: half of those who truly share a "
        "way of life, or are among the tenth that visits most, or are price-sensitive, is given; are the others found?",
        figures=figures,
        params={"seeds": SEEDS, "customers": CUSTOMERS, "days": DAYS, "draws": DRAWS},
        targets=(
            Target(MembershipModel.name, "auc", low=rule["auc"]),
            Target(MembershipModel.name, "precision", low=rule["precision"]),
        ),
    )


def _one_shop(seed: int, methods: tuple[type[LikenessEstimator], ...]) -> Iterator[dict[str, object]]:
    """For each true group, some draws of its half, and each method: auc of the held-out half among all not given, and
    precision among as many as there are of them."""
    with tempfile.TemporaryDirectory() as folder:
        config = ShopConfig(customers=CUSTOMERS, days=DAYS, seed=seed)
        shop = build_shop(config, Path(folder))
        build_tables(shop, ["feat_customer", "feat_affinity"], [config.end])
        customers = shop.table("feat_customer").filter("has_behaviour", pl.col("n_sessions_90d") > 0)
        affinity, groups = shop.table("feat_affinity"), list(_true_groups(shop, customers))
    draw = np.random.default_rng(seed)
    for ids in groups:
        for _ in range(DRAWS):
            given = draw.random(len(ids)) < 0.5
            frame = lookalike_frame(customers, affinity, ids.filter(pl.Series(given)))
            others = frame.filter(~pl.col(MEMBER))
            held = others["customer_id"].is_in(ids.implode()).to_numpy()
            for method in methods:
                similarity = method().fit(frame).predict(others)["similarity"].to_numpy()
                yield {"method": method.name, "seed": seed, **_found(held, similarity)}


def _true_groups(shop: SimulatedShop, customers: pl.DataFrame) -> Iterator[pl.Series]:
    """Ids of active customers who share a way of life, visit most, or are most price-sensitive, by the truth."""
    true = customers.select("customer_id").join(shop.true("customers"), on="customer_id").sort("customer_id")
    for lifestyle in sorted(true["lifestyle"].unique()):
        yield true.filter(pl.col("lifestyle") == lifestyle)["customer_id"]
    for column in ("visit_rate", "price_sensitivity"):
        yield true.filter(pl.col(column) >= pl.col(column).quantile(0.9))["customer_id"]


def _found(held: NDArray[np.bool_], similarity: FloatArray) -> dict[str, float]:
    first = np.argsort(-similarity, kind="stable")[: int(held.sum())]
    return {
        "auc": auc(held.astype(np.float64), similarity),
        "precision": float(held[first].mean()),
        "share_of_members": float(held.mean()),
    }
