"""What a marketer's condition may speak of: the customers of a day, and their columns before there are any."""

from __future__ import annotations

import duckdb
import polars as pl
import yaml

from assets.dbt import PROJECT

PROFILE, FEATURES = "dim_customer_profile", "feat_customer"


def conditioned_customers(feat_customer: pl.DataFrame, profile: pl.DataFrame) -> pl.DataFrame:
    """One row per customer: the columns of the profile, then those of the features that it does not have."""
    rest = [column for column in feat_customer.columns if column not in profile.columns]
    return profile.join(
        feat_customer.select("customer_id", *rest), on="customer_id", maintain_order="left", validate="1:1"
    )


def documented_customers() -> pl.DataFrame:
    """The same columns without rows, as dbt documents them."""
    return conditioned_customers(_documented(FEATURES), _documented(PROFILE))


def _documented(model: str) -> pl.DataFrame:
    text = (PROJECT / "models" / "features" / f"{model}.yml").read_text(encoding="utf-8")
    columns = yaml.safe_load(text)["models"][0]["columns"]
    selected = ", ".join(f"cast(null as {column['data_type']}) as {column['name']}" for column in columns)
    with duckdb.connect() as database:
        return database.sql(f"select {selected}").pl().clear()
