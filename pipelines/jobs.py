"""The two jobs: the plan of a day, and the models of a week."""

import dagster as dg

from assets.features import FEATURES, WAREHOUSE
from assets.partitions import daily, weekly

RAW = dg.AssetSelection.groups("raw")

daily_plan = dg.define_asset_job(
    "daily_plan",
    selection=RAW | dg.AssetSelection.groups(WAREHOUSE, FEATURES, "scores", "plan"),
    partitions_def=daily,
    description="From what lies in the landing folder to the published send plan of one day.",
    tags={"dagster/priority": "1"},
)

weekly_training = dg.define_asset_job(
    "weekly_training",
    selection=RAW | dg.AssetSelection.groups(WAREHOUSE, "training"),
    partitions_def=weekly,
    description="Point-in-time training sets and the models of one week, each compared with its baselines.",
)
