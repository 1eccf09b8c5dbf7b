"""Running a simulated shop for a number of days and writing landing tables and truth."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl

from shop.catalogue import BRAND_NAMES, SUBCATEGORY_NAMES
from shop.config import ShopConfig
from shop.landing import LandingNotEmptyError, staged
from shop.world import DayOutcome, World

TABLES = ("customers", "products", "contents", "events", "consents")
SUMMARY_FILE = "summary.json"


@dataclass(frozen=True)
class SimulationSummary:
    """What a simulation made. human_open_rate and human_click_rate are per mail sent, from the truth."""

    customers: int
    products: int
    contents: int
    days: int
    events: int
    orders: int
    mails: int
    human_open_rate: float
    human_click_rate: float


def simulate(
    config: ShopConfig,
    landing: Path,
    truth: Path,
    progress: Callable[[str, float], None] | None = None,
) -> SimulationSummary:
    """Run a shop with the weekly broadcast and write what it would know, and apart from it what is true.

    landing: gets customers, products, contents, consents as ``<table>.parquet`` and ``events/day=YYYY-MM-DD.parquet``.
    truth: must not lie in ``landing``; gets customers (latent parameters), tastes, products, messages, orders,
    machine_events and summary.json. progress: called with what is being done and the share done, 0-1.
    The same configuration writes the same bytes; asked again for a simulation that is already there, it changes
    nothing. Raises LandingNotEmptyError if ``landing`` holds tables of another origin, ValueError if ``truth`` lies
    inside ``landing``.
    """
    if truth.resolve().is_relative_to(landing.resolve()):
        raise ValueError(
            f"The truth folder {truth} lies in the landing folder {landing}; choose one beside it."
        )
    tell = progress or (lambda _what, _share: None)
    present = sorted(path.name for path in landing.glob("*") if path.name.split(".")[0] in TABLES)
    if present:
        return _already_there(config, landing, truth, present)
    tell("Building catalogue and customers", 0.0)
    world = World(config)
    outcomes: list[DayOutcome] = []
    with staged(truth) as truth_stage, staged(landing) as stage:
        days = stage / "events"
        days.mkdir()
        for number in range(config.days):
            outcome = world.step(world.broadcast_sends())
            outcome.events.write_parquet(days / f"day={outcome.day:%Y-%m-%d}.parquet")
            outcomes.append(outcome)
            tell(f"Simulating {outcome.day:%Y-%m-%d}", 0.02 + 0.94 * (number + 1) / config.days)
        tell("Writing tables", 0.97)
        world.people.customers.write_parquet(stage / "customers.parquet")
        world.products.write_parquet(stage / "products.parquet")
        world.catalogue.contents.write_parquet(stage / "contents.parquet")
        pl.concat([outcome.consents for outcome in outcomes]).write_parquet(stage / "consents.parquet")
        summary = _summary(world, outcomes)
        _write_truth(world, outcomes, truth_stage)
        recorded = {"config": config.as_json(), "summary": asdict(summary)}
        (truth_stage / SUMMARY_FILE).write_text(json.dumps(recorded, indent=2) + "\n", encoding="utf-8")
    tell("Done", 1.0)
    return summary


def _already_there(config: ShopConfig, landing: Path, truth: Path, present: list[str]) -> SimulationSummary:
    record = truth / SUMMARY_FILE
    if record.is_file():
        recorded = json.loads(record.read_text(encoding="utf-8"))
        if recorded["config"] == config.as_json():
            return SimulationSummary(**recorded["summary"])
    raise LandingNotEmptyError(
        f"The landing folder {landing} already holds {', '.join(present)}, not made by this simulation. "
        "Nothing was written. Name another landing folder, or remove this one first."
    )


def _summary(world: World, outcomes: list[DayOutcome]) -> SimulationSummary:
    messages = pl.concat([outcome.messages for outcome in outcomes])
    mails = max(messages.height, 1)
    return SimulationSummary(
        customers=world.people.size,
        products=world.catalogue.products.height,
        contents=world.catalogue.contents.height,
        days=len(outcomes),
        events=sum(outcome.events.height for outcome in outcomes),
        orders=sum(outcome.orders.height for outcome in outcomes),
        mails=messages.height,
        human_open_rate=messages["opened_at"].count() / mails,
        human_click_rate=messages["clicked_at"].count() / mails,
    )


def _write_truth(world: World, outcomes: list[DayOutcome], folder: Path) -> None:
    people, state, catalogue = world.people, world.state, world.catalogue
    known = slice(0, people.size)
    ids = people.customers["customer_id"]
    gone = state.gone_on[known]
    is_gone = state.is_gone[known]
    scalars = (
        *(
            "lifestyle",
            "visit_rate",
            "cart_logit",
            "buy_logit",
            "dropout_rate",
            "price_sensitivity",
            "engagement",
        ),
        *(
            "fatigue",
            "formality",
            "emoji",
            "question",
            "personal",
            "urgency",
            "mobile_share",
            "remembered_share",
        ),
        *("has_machine_opens", "has_link_scanner", "is_bad_address"),
    )
    epoch = np.datetime64("1970-01-01").astype(object).toordinal()
    pl.DataFrame(
        {
            "customer_id": ids,
            **{name: getattr(people, name)[known] for name in scalars},
            "dropped_out_on": pl.Series(np.where(is_gone, gone, epoch) - epoch).cast(pl.Int32).cast(pl.Date),
            "is_dropped_out": is_gone,
            "orders": state.orders[known],
            "reading": pl.Series(people.reading[known].astype(np.float32)).cast(pl.List(pl.Float32)),
            "attention": pl.Series(people.attention[known].astype(np.float32)).cast(pl.List(pl.Float32)),
        }
    ).with_columns(pl.when("is_dropped_out").then("dropped_out_on").alias("dropped_out_on")).write_parquet(
        folder / "customers.parquet"
    )
    for name, values, columns in (
        ("tastes", people.taste, SUBCATEGORY_NAMES),
        ("brand_tastes", people.brand_taste, BRAND_NAMES),
        ("cycle_days", people.cycle_days, SUBCATEGORY_NAMES),
    ):
        pl.DataFrame({"customer_id": ids, **dict(zip(columns, values[known].T, strict=True))}).write_parquet(
            folder / f"{name}.parquet"
        )
    product_ids = catalogue.products["product_id"]
    pl.DataFrame(
        {
            "product_id": product_ids,
            "popularity": catalogue.popularity,
            "quality": catalogue.quality,
            "companions": [product_ids.gather(row).to_list() for row in catalogue.companions],
        }
    ).write_parquet(folder / "products.parquet")
    pl.concat([outcome.messages for outcome in outcomes]).write_parquet(folder / "messages.parquet")
    pl.concat([outcome.orders for outcome in outcomes]).write_parquet(folder / "orders.parquet")
    machine = pl.concat([outcome.machine_events for outcome in outcomes])
    machine.to_frame().write_parquet(folder / "machine_events.parquet")
