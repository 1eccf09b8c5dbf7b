"""Commands that bring data into a landing folder: demo, simulate, import."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.output import JsonOption, facts, print_json, progress
from pipelines.settings import Settings, default_landing

DEMO_CUSTOMERS, DEMO_DAYS, DEMO_SEED, DEMO_START = 5_000, 180, 7, date(2025, 1, 6)

Customers = Annotated[int, typer.Option(min=1, help="How many customers the shop has.")]
Days = Annotated[int, typer.Option(min=1, help="How many days are simulated.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same shop, byte for byte.")]
SampleLanding = Annotated[
    Path | None,
    typer.Option(
        "--landing", help="The folder to write; default: SENDPLAN_LANDING, else landing/ in SENDPLAN_HOME."
    ),
]

imports = typer.Typer(help="Bring a public dataset into the landing folder.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(demo)
    app.command()(simulate)
    imports.command("online-retail")(online_retail)
    imports.callback()(_imports)
    app.add_typer(imports, name="import")


def _imports() -> None:
    """Bring a public dataset into the landing folder."""


def demo(
    customers: Customers = DEMO_CUSTOMERS,
    days: Days = DEMO_DAYS,
    seed: Seed = DEMO_SEED,
    as_json: JsonOption = False,
) -> None:
    """Simulate a shop, train its models, and plan the day after its last."""
    from pipelines.cli.work import make_plan, report_plan

    settings = _settings(None)
    summary = _simulate(settings, customers, days, seed, as_json)
    day = DEMO_START + timedelta(days=days)
    made = make_plan(settings, day, as_json)
    if as_json:
        print_json({"shop": summary, "plan": made})
        return
    facts("Simulated shop", summary)
    report_plan(settings, made)


def simulate(
    customers: Customers = DEMO_CUSTOMERS,
    days: Days = DEMO_DAYS,
    seed: Seed = DEMO_SEED,
    landing: SampleLanding = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate a shop whose truth is known; writes the landing folder, and the truth beside it."""
    summary = _simulate(_settings(landing), customers, days, seed, as_json)
    if as_json:
        print_json(summary)
    else:
        facts("Simulated shop", summary)


def online_retail(
    file: Annotated[
        Path, typer.Argument(help="The dataset's .parquet, .csv or .xlsx, with its original columns.")
    ],
    landing: SampleLanding = None,
    as_json: JsonOption = False,
) -> None:
    """UCI Online Retail II: two years of a gift wholesaler's invoices."""
    from shop.online_retail import import_online_retail

    settings = _settings(landing)
    with progress("import", as_json) as advance:
        summary = asdict(import_online_retail(file, settings.home.landing, advance))
    if as_json:
        print_json(summary)
    else:
        facts(f"Imported to {settings.home.landing}", summary)


def _settings(landing: Path | None) -> Settings:
    """Settings for writing a landing folder: never, unasked, the one that a home remembers."""
    return Settings.from_env(landing=landing or default_landing())


def _simulate(settings: Settings, customers: int, days: int, seed: int, as_json: bool) -> dict[str, object]:
    from shop.config import ShopConfig
    from shop.simulate import simulate as run

    home = settings.home
    config = ShopConfig(customers=customers, days=days, seed=seed, start=DEMO_START)
    with progress("simulate", as_json) as advance:
        summary = run(config, home.landing, home.landing.with_name("truth"), advance)
    return asdict(summary)
