"""Everything Dagster loads: assets, jobs, schedules, sensors, bound to one environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from assets import audits, drift, mail, outcomes, plan, raw, scores, training
from assets.clock import Clock
from assets.dbt import Dbt, prepare
from assets.features import build_dbt_assets
from assets.mail_files import MailFolder
from assets.registry import Registry
from pipelines.io import ParquetIOManager
from pipelines.jobs import daily_plan, feature_backfill, landing_check, weekly_training
from pipelines.schedules import daily_plan_schedule, weekly_training_schedule
from pipelines.sensors import drift_sensor, landing_sensor, training_sensor
from pipelines.settings import Settings

EXECUTORS = {"in_process": dg.in_process_executor, "multiprocess": dg.multiprocess_executor}


def build_defs(
    settings: Settings | None = None, overrides: Mapping[str, Any] | None = None
) -> dg.Definitions:
    """The definitions for production, tests and notebooks alike.

    Args:
        settings: the environment; read from the process when absent.
        overrides: resources to put in place of the usual ones, for example {"clock": a clock that stands still}.
    """
    settings = settings or Settings.from_env()
    modules = [raw, training, scores, plan, audits, outcomes, mail]
    manifest = prepare(settings.home)
    warehouse, features = build_dbt_assets(manifest)
    return dg.Definitions(
        assets=[
            *dg.load_assets_from_modules(modules),
            warehouse,
            features,
            training.build_training_snapshots(warehouse.keys, manifest),
        ],
        asset_checks=[*dg.load_asset_checks_from_modules(modules), *drift.drift_checks],
        jobs=[daily_plan, weekly_training, landing_check, feature_backfill],
        schedules=[daily_plan_schedule, weekly_training_schedule],
        sensors=[landing_sensor, training_sensor, drift_sensor],
        resources={**build_resources(settings), **(overrides or {})},
        executor=EXECUTORS[settings.environment.executor],
    )


def build_resources(settings: Settings) -> dict[str, Any]:
    """What the assets work with, by the names they ask for."""
    home = settings.home
    return {
        "home": home,
        "clock": Clock(),
        "registry": Registry(home.registry_db, home.artifacts),
        "mail_folder": MailFolder(settings.mail),
        "dbt": Dbt(home, settings.environment.duckdb_memory, settings.environment.duckdb_threads),
        "features_io": ParquetIOManager(home.features),
        "scores_io": ParquetIOManager(home.scores),
        "decisions_io": ParquetIOManager(home.decisions),
        "plan_io": ParquetIOManager(home.plan),
        "outcomes_io": ParquetIOManager(home.outcomes),
    }


@dg.definitions
def defs() -> dg.Definitions:
    """What `dagster dev` and `dagster definitions validate` load."""
    return build_defs()
