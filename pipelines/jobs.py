"""The jobs: the plan of a day, the models of a week, and a look at what has come in."""

import dagster as dg

from assets.features import FEATURES, WAREHOUSE
from assets.outcomes import OUTCOMES
from assets.partitions import daily, weekly

RAW = dg.AssetSelection.groups("raw")

daily_plan = dg.define_asset_job(
    "daily_plan",
    selection=RAW | dg.AssetSelection.groups(WAREHOUSE, FEATURES, "scores", "plan", OUTCOMES),
    partitions_def=daily,
    description="From what lies in the landing folder to the published send plan of one day.",
    # One day after the other: a plan counts the mails of the plans of the week before it.
    run_tags={"sendplan/one_at_a_time": "daily_plan"},
)

landing_check = dg.define_asset_job(
    "landing_check",
    selection=RAW | dg.AssetSelection.groups(WAREHOUSE),
    description="Checks what lies in the landing folder and brings it into the warehouse; plans nothing.",
)

weekly_training = dg.define_asset_job(
    "weekly_training",
    selection=RAW | dg.AssetSelection.groups(WAREHOUSE, "training"),
    partitions_def=weekly,
    description="Point-in-time training sets and the models of one week, each compared with its baselines.",
)

feature_backfill = dg.define_asset_job(
    "feature_backfill",
    selection=dg.AssetSelection.groups(FEATURES),
    partitions_def=daily,
    description="Feature tables of past plan dates, up to 31 of them in one run.",
)
