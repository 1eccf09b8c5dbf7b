"""What offers bring in shops whose truth is known: estimated effects beside those of the same shop played again and again.

Each seed is a shop of its own: a weekly mail whose offer is drawn with equal, logged chances; its events go through ingestion
and dbt as a shop's do, and the models learn from `label_offers` and `feat_customer`. The truth: from the last day on the shop
is played many times over with every customer sent one offer, and with every customer sent none.
"""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from scipy.stats import spearmanr

from assets.dbt import Dbt, warehouse_vars
from assets.home import Home
from assets.landing.ingest import ingest
from benchmarks.evaluate.table import Table, Target
from models.features import FloatArray
from models.lessons.offers import METHODS
from models.offers.response import OfferModel
from models.offers.trials import NO_OFFER, with_features
from shop.config import ShopConfig
from shop.world import World

SEEDS = (11, 12, 13)
N_CUSTOMERS, N_WEEKS = 3_000, 30
LABEL_DAYS = 7
N_REPLAYS = 30
FIXED_COST = 4.90
N_GROUPS = 10


@dataclass(frozen=True)
class Offer:
    """An offer of the experiment; percent and fixed_cost as in mail/offers.yaml."""

    rate: float
    is_shipping: bool
    percent: float
    fixed_cost: float


OFFERS = {
    NO_OFFER: Offer(0.0, False, 0.0, 0.0),
    "free_shipping": Offer(0.0, True, 0.0, FIXED_COST),
    "percent_10": Offer(0.1, False, 10.0, 0.0),
    "percent_20": Offer(0.2, False, 20.0, 0.0),
}


@dataclass(frozen=True)
class Shop:
    """A shop at the end of its experiment.

    Attributes:
        training: rows of `trials.with_features`.
        asked: customers mailed on the last day, in order, with the features of that day.
        chance: share of replays in which each of them ordered within LABEL_DAYS, by offer.
        sensitivity: their true price sensitivity.
    """

    training: pl.DataFrame
    asked: pl.DataFrame
    chance: dict[str, FloatArray]
    sensitivity: FloatArray


def tables(data: Path) -> Iterator[Table]:
    """A table of effects by method over all seeds, and one of the average effects by offer."""
    shops = [play(seed) for seed in SEEDS]
    fitted = {method: [make().fit(shop.training) for shop in shops] for method, make in METHODS.items()}
    yield Table(
        "simulated_offers",
        f"{len(SEEDS)} shops of {N_CUSTOMERS} customers, {N_WEEKS} weekly mails with offers by lot; "
        "effects against the truth on the next mail",
        pl.DataFrame([_judged(method, models, shops) for method, models in fitted.items()]),
        params={"seeds": str(SEEDS), "customers": N_CUSTOMERS, "weeks": N_WEEKS, "replays": N_REPLAYS},
        targets=(Target("offer_response", "rank_truth", low=0.5),),
    )
    yield Table(
        "simulated_offers_average",
        "average change of the chance to order by offer, % points: estimated from the sends, kept, and true",
        pl.DataFrame(list(_averages(fitted["pooled"], shops))),
        params={"seeds": str(SEEDS)},
    )


def play(seed: int) -> Shop:
    """Run the experiment of one shop, learn its tables, and play its next week again and again."""
    config = ShopConfig(customers=N_CUSTOMERS, days=7 * N_WEEKS + 1, seed=seed, send_time="broadcast")
    world = World(config)
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder), Path(folder) / "landing")
        _live(world, home.landing, config)
        ingest(home, datetime.combine(world.today, time()))
        features, labels = _tables(home, config.start, world.today)
    now = features.filter(pl.col("as_of") == world.today)
    mailed = world.broadcast_sends().select("customer_id")
    asked = now.join(mailed, on="customer_id", how="semi").sort("customer_id")
    ids = world.people.customers["customer_id"]
    row = {customer: number for number, customer in enumerate(ids)}
    place = np.array([row[customer] for customer in asked["customer_id"]])
    return Shop(
        with_features(labels, features),
        asked,
        {key: _ordered(world, key)[place] for key in OFFERS},
        world.people.price_sensitivity[place],
    )


def _live(world: World, landing: Path, config: ShopConfig) -> None:
    """Play the shop up to its last day and write its landing tables."""
    (landing / "events").mkdir(parents=True)
    consents = []
    for _ in range(config.days):
        sends = world.broadcast_sends()
        lot = config.rng("offers by lot", world.today).integers(0, len(OFFERS), sends.height)
        outcome = world.step(offered(sends, np.array(list(OFFERS))[lot], 1 / len(OFFERS)))
        outcome.events.write_parquet(landing / "events" / f"day={outcome.day:%Y-%m-%d}.parquet")
        consents.append(outcome.consents)
    world.people.customers.write_parquet(landing / "customers.parquet")
    world.products.write_parquet(landing / "products.parquet")
    world.catalogue.contents.write_parquet(landing / "contents.parquet")
    pl.concat(consents).write_parquet(landing / "consents.parquet")


def offered(sends: pl.DataFrame, keys: np.ndarray, propensity: float) -> pl.DataFrame:
    """The mails with other offers, and the chance of each."""
    key = pl.Series(keys, dtype=pl.String)
    return sends.with_columns(
        offer_key=key,
        discount_rate=key.replace_strict({k: o.rate for k, o in OFFERS.items()}, return_dtype=pl.Float64),
        has_free_shipping=key.replace_strict(
            {k: o.is_shipping for k, o in OFFERS.items()}, return_dtype=pl.Boolean
        ),
        coupon=pl.select(
            pl.when(key != NO_OFFER).then(
                pl.concat_str(key.str.to_uppercase(), sends["message_id"].str.slice(0, 24))
            )
        ).to_series(),
        propensity=pl.lit(propensity),
        propensity_offer=pl.lit(propensity),
    )


def _tables(home: Home, first: date, today: date) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`feat_customer` every four weeks, and `label_offers` of today."""
    days = [today - timedelta(days=28 * back) for back in range((today - first).days // 28)]
    target = home.root / "training"
    target.mkdir()
    variables = {
        **warehouse_vars(home),
        "as_of_dates": sorted(day.isoformat() for day in days),
        "features_root": str(target),
        "label_offer_days": LABEL_DAYS,
    }
    Dbt(home, memory="2GB", threads=1).run(
        ["run", "--quiet", "--select", "+feat_customer +label_offers", "--vars", json.dumps(variables)],
        "evaluate",
    )
    return pl.read_parquet(target / "feat_customer.parquet"), pl.read_parquet(target / "label_offers.parquet")


def _ordered(world: World, key: str) -> FloatArray:
    """Share of replays in which each person of the world orders in the days after a mail with the offer."""
    ids = world.people.customers["customer_id"]
    place = pl.DataFrame({"customer_id": ids, "place": np.arange(len(ids))})
    ordered = np.zeros(len(ids))
    sends = world.broadcast_sends()
    sends = offered(sends, np.full(sends.height, key), 1.0)
    for replay in range(N_REPLAYS):
        again = copy.deepcopy(world)
        again.config = replace(world.config, seed=world.config.seed + 1_000 * (replay + 1))
        outcomes = [again.step(sends), *(again.step() for _ in range(LABEL_DAYS - 1))]
        orders = pl.concat([outcome.events for outcome in outcomes]).filter(
            pl.col("event") == "Order Completed"
        )
        buyers = orders.select("customer_id").unique().join(place, on="customer_id")
        ordered[buyers["place"].to_numpy()] += 1
    return ordered / N_REPLAYS


def _judged(method: str, models: list[OfferModel], shops: list[Shop]) -> dict[str, object]:
    """Means over the shops: rank correlations, the gap between predicted and true effects by tenth, value of the policy."""
    found: list[dict[str, float]] = []
    for model, shop in zip(models, shops, strict=True):
        predicted, margin, sensitivity = _answers(model, shop.asked)
        true = {key: shop.chance[key] - shop.chance[NO_OFFER] for key in predicted}
        gaps, spreads = [], []
        for key, effect in predicted.items():
            group = _tenths(effect)
            for number in range(N_GROUPS):
                rows = group == number
                gaps.append(abs(effect[rows].mean() - true[key][rows].mean()))
            top = group == N_GROUPS - 1
            spreads.append(true[key][top].mean() - true[key].mean())
        mean_true = np.mean([true[key] for key in true], axis=0)
        by_effect = np.mean([predicted[key] for key in predicted], axis=0)
        found.append(
            {
                "rank_sensitivity": _rank(sensitivity, shop.sensitivity),
                "rank_truth": _by_tenth_rank(by_effect, mean_true),
                "top_tenth_gain": 100 * float(np.mean(spreads)),
                "gap_by_tenth": 100 * float(np.mean(gaps)),
                "offered_share": float(np.mean([margin[key] > 0 for key in margin])),
            }
        )
    return {"method": method, **{name: float(np.mean([f[name] for f in found])) for name in found[0]}}


def _answers(
    model: OfferModel, asked: pl.DataFrame
) -> tuple[dict[str, FloatArray], dict[str, FloatArray], FloatArray]:
    """Predicted change of the chance to order and of margin by offer, and price sensitivity, per customer asked."""
    effect, margin = {}, {}
    for key, offer in OFFERS.items():
        answer = model.predict(
            asked.with_columns(
                offer_key=pl.lit(key), percent=pl.lit(offer.percent), fixed_cost=pl.lit(offer.fixed_cost)
            )
        )
        if key != NO_OFFER:
            effect[key] = answer["uplift_order"].to_numpy()
            margin[key] = answer["uplift_margin"].to_numpy()
    return effect, margin, answer["sensitivity_rank"].to_numpy()


def _tenths(values: FloatArray) -> np.ndarray:
    """Tenth of each value, 0 lowest; ties by place, which says nothing of the customer."""
    rank = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return rank * N_GROUPS // len(values)


def _rank(predicted: FloatArray, true: FloatArray) -> float:
    return float(spearmanr(predicted, true).statistic) if np.ptp(predicted) > 0 else 0.0


def _by_tenth_rank(predicted: FloatArray, true: FloatArray) -> float:
    """Rank correlation of predicted and true means over the tenths of the prediction."""
    if np.ptp(predicted) == 0:
        return 0.0
    group = _tenths(predicted)
    means = [(predicted[group == n].mean(), true[group == n].mean()) for n in range(N_GROUPS)]
    return _rank(np.array([m[0] for m in means]), np.array([m[1] for m in means]))


def _averages(models: list[OfferModel], shops: list[Shop]) -> Iterator[dict[str, object]]:
    for key in OFFERS:
        if key == NO_OFFER:
            continue
        levels = [model.levels[key] for model in models]
        true = [float((shop.chance[key] - shop.chance[NO_OFFER]).mean()) for shop in shops]
        yield {
            "method": key,
            "estimated": 100 * float(np.mean([level.effect for level in levels])),
            "standard_error": 100 * float(np.mean([level.error for level in levels])),
            "kept": 100 * float(np.mean([level.shrunk for level in levels])),
            "true": 100 * float(np.mean(true)),
            "gap_kept": 100
            * float(np.mean([abs(lv.shrunk - t) for lv, t in zip(levels, true, strict=True)])),
            "gap_raw": 100 * float(np.mean([abs(lv.effect - t) for lv, t in zip(levels, true, strict=True)])),
        }
