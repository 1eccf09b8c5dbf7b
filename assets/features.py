"""dbt in the graph: the warehouse (facts, all of history, by changed days) and the feature tables of plan dates."""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets

from assets.dbt import Dbt, build_args, feature_vars, warehouse_code, warehouse_vars
from assets.home import Home
from assets.owners import DATA_ENGINEERING
from assets.partitions import a_month_per_run, daily
from assets.storage import replace_bytes

WAREHOUSE = "warehouse"
FEATURES = "features"


class Translator(DagsterDbtTranslator):
    """Names dbt models in Dagster: a model's name is its asset key, a source's the raw asset it reads."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """The model's name; for a source, the key in its meta."""
        if dbt_resource_props["resource_type"] == "source":
            return dg.AssetKey(dbt_resource_props["meta"]["dagster"]["asset_key"])
        return dg.AssetKey(dbt_resource_props["name"])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """By the model's tag."""
        return FEATURES if FEATURES in dbt_resource_props["tags"] else WAREHOUSE


def build_dbt_assets(manifest: Path) -> list[dg.AssetsDefinition]:
    """The dbt models as assets, from dbt's manifest (see `assets.dbt.prepare`)."""
    common: dict[str, Any] = {
        "manifest": manifest,
        # The events and the list of their days come from one raw asset.
        "dagster_dbt_translator": Translator(
            settings=DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True)
        ),
        "exclude": "resource_type:unit_test",
        "pool": "duckdb",
    }

    @dbt_assets(name=WAREHOUSE, select=f"tag:{WAREHOUSE}", **common)
    def warehouse(
        context: dg.AssetExecutionContext, dbt: dg.ResourceParam[Dbt], home: dg.ResourceParam[Home]
    ) -> Iterator[Any]:
        code = warehouse_code()
        is_known = home.warehouse_code.is_file() and home.warehouse_code.read_text() == code
        if not is_known:
            if context.is_subset:
                raise dg.Failure(
                    "the warehouse does not stand yet, or its SQL has changed: materialise the whole group "
                    f"'{WAREHOUSE}', then any part of it",
                    allow_retries=False,
                )
            # Until it stands again, no other SQL may build on what this run leaves.
            home.warehouse_code.unlink(missing_ok=True)
            context.log.info("the warehouse is built anew: it does not stand yet, or its SQL has changed")
        arguments = build_args([], warehouse_vars(home), full_refresh=not is_known)
        yield from dbt.stream(context, arguments)
        replace_bytes(home.warehouse_code, code.encode())

    @dbt_assets(
        name=FEATURES,
        select=f"tag:{FEATURES}",
        partitions_def=daily,
        backfill_policy=a_month_per_run,
        **common,
    )
    def features(
        context: dg.AssetExecutionContext, dbt: dg.ResourceParam[Dbt], home: dg.ResourceParam[Home]
    ) -> Iterator[Any]:
        days = [date.fromisoformat(key) for key in context.partition_keys]
        for day in days:
            home.features(day).mkdir(parents=True, exist_ok=True)
        yield from dbt.stream(context, build_args([], feature_vars(home)), as_of=days)

    return [
        assets.map_asset_specs(lambda spec: spec.replace_attributes(owners=DATA_ENGINEERING))
        for assets in (warehouse, features)
    ]
