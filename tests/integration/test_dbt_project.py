"""The dbt project as a whole: it builds with all its tests, on real dbt and DuckDB, and keeps the project's rules."""

import hashlib
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from dbt_harness import MODEL, PUBLISHED, Dbt, read_events, read_features, simulated_raw, write_events

from models.features import CUSTOMER_FEATURES

PLAN_DATE = date(2025, 4, 1)
SNAPSHOTS = [date(2025, 2, 20), date(2025, 3, 1), PLAN_DATE]
TAGS = {"warehouse", "features", "labels"}
PERSONAL = {"email", "first_name", "last_name", "gender", "birth_date"}
PROTECTED = {
    "stg_customers": {"birth_date"},
    "stg_customer_attributes": {"gender", "birth_date"},
    "audit_customer": {"gender"},
}
"""Where a protected attribute may stand."""
COUNTED = ("n_", "revenue_", "margin_", "order_days_decayed_")
"""Columns of feat_customer that are 0 where there is no behaviour."""
NOT_BEHAVIOUR = {
    *("customer_id", "as_of", "first_seen_at", "tenure_days", "repeat_days", "recency_days", "age_days"),
    *("lifecycle_stage", "has_behaviour", "has_negative_contact_30d"),
    *("utc_offset_hours_inferred", "timezone_confidence", "timezone_basis"),
    *("signup_source", "country", "is_business", "company_size", "industry", "job_role"),
}
"""What is known of a person without looking at what he does; 0 or false where it is a count or a flag."""
PROFILE_NOT_BEHAVIOUR = {
    *("region", "city", "locale", "timezone", "utc_offset_hours", "signed_up_at"),
    *("has_email", "consent_status", "profiling_allowed", "suppression_reason", "open_triggers"),
}


@pytest.fixture(scope="module")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    root = tmp_path_factory.mktemp("dbt_project")
    return Dbt(root, simulated_raw(root, customers=300, days=80, end=PLAN_DATE))


@pytest.fixture(scope="module")
def features(dbt: Dbt) -> Path:
    """One `dbt build` of everything: models, data tests and unit tests."""
    folder = dbt.root / "features"
    variables = dbt.variables(folder, SNAPSHOTS, label_horizon_days=30, labels_until=PLAN_DATE.isoformat())
    dbt.must("build", variables=variables)
    return folder


@pytest.fixture(scope="module")
def models(dbt: Dbt, features: Path) -> dict[str, dict[str, Any]]:
    """The models in dbt's manifest, by name."""
    nodes = dbt.manifest()["nodes"]
    return {node["name"]: node for node in nodes.values() if node["resource_type"] == "model"}


def test_build_runs_every_kind_of_test(dbt: Dbt, features: Path, models: dict[str, dict[str, Any]]) -> None:
    manifest = dbt.manifest()
    tested = {
        node.get("attached_node") for node in manifest["nodes"].values() if node["resource_type"] == "test"
    }
    untested = {name for name in models if f"{MODEL}{name}" not in tested} - {"int_as_of_dates"}
    assert untested == set()
    assert len(manifest["unit_tests"]) >= 20


def test_every_trigger_and_label_has_a_unit_test(dbt: Dbt, features: Path) -> None:
    unit_tested = {test["model"] for test in dbt.manifest()["unit_tests"].values()}
    logic = {path.stem for path in features.glob("*.parquet") if path.stem.startswith(("trigger_", "label_"))}
    assert len(logic) == 21
    assert logic <= unit_tested


def test_every_model_and_column_is_documented(dbt: Dbt, models: dict[str, dict[str, Any]]) -> None:
    with duckdb.connect(str(dbt.warehouse), read_only=True) as warehouse:
        for name, model in models.items():
            assert "Grain:" in model["description"], name
            if name == "int_as_of_dates":
                continue
            columns = [row[0] for row in warehouse.execute(f"describe {name}").fetchall()]
            assert columns == list(model["columns"]), name
            undocumented = [c for c, doc in model["columns"].items() if not doc["description"].strip()]
            assert undocumented == [], name


def test_every_model_is_in_a_selection_and_a_group(models: dict[str, dict[str, Any]]) -> None:
    for name, model in models.items():
        assert model["tags"] and set(model["tags"]) <= TAGS, name
        assert model["meta"]["dagster"]["group"] in {"warehouse", "features", "training"}, name


def test_the_warehouse_does_not_depend_on_the_plan_date(models: dict[str, dict[str, Any]]) -> None:
    warehouse = {f"{MODEL}{name}" for name, model in models.items() if "warehouse" in model["tags"]}
    for name in warehouse:
        parents = models[name.removeprefix(MODEL)]["depends_on"]["nodes"]
        assert {parent for parent in parents if parent.startswith(MODEL)} <= warehouse


def test_what_identifies_a_person_stays_in_raw(models: dict[str, dict[str, Any]]) -> None:
    for name, model in models.items():
        assert set(model["columns"]) & PERSONAL == PROTECTED.get(name, set()), name


def test_the_birth_date_is_read_by_the_birthday_trigger_and_the_audit_alone(
    models: dict[str, dict[str, Any]],
) -> None:
    readers = {name for name, model in models.items() if "birth_date" in model["raw_code"]}
    assert readers == {"stg_customers", "trigger_birthday", "stg_customer_attributes", "audit_customer"}


def test_protected_attributes_are_for_audits_alone(models: dict[str, dict[str, Any]]) -> None:
    audits = {"stg_customer_attributes", "audit_customer"}
    for name, model in models.items():
        parents = {parent.removeprefix(MODEL) for parent in model["depends_on"]["nodes"]}
        assert name in audits or not parents & audits, name
    protected = set(models["audit_customer"]["columns"]) - {"customer_id", "as_of"}
    assert protected == {"gender", "age_band"}
    assert not protected & set(CUSTOMER_FEATURES)
    assert not protected & {
        c for name, model in models.items() if name not in audits for c in model["columns"]
    }


def test_every_published_model_is_one_file_in_the_order_of_its_key(
    dbt: Dbt, features: Path, models: dict[str, dict[str, Any]]
) -> None:
    tables = read_features(features)
    assert set(tables) == {name for name in models if name.startswith(PUBLISHED)}
    for name, table in tables.items():
        assert table["as_of"].is_sorted(), name
        assert table["as_of"].dtype == pl.Date, name
        if "customer_id" in table.columns and name != "label_sends":
            assert table.select("as_of", "customer_id").equals(
                table.select("as_of", "customer_id").sort(pl.all())
            ), name


def test_the_shop_is_seen_in_the_features(features: Path) -> None:
    tables = read_features(features)
    customers = tables["feat_customer"].filter(pl.col("as_of") == PLAN_DATE)
    assert customers.height > 250
    totals = customers.select(pl.col("n_orders", "n_human_opens_90d", "n_emails_90d").sum()).row(
        0, named=True
    )
    assert totals["n_orders"] > 50
    assert 0.05 < totals["n_human_opens_90d"] / totals["n_emails_90d"] < 0.5
    assert set(tables["triggers"]["trigger_key"]) >= {
        "welcome",
        "cart_abandoned",
        "post_purchase_thanks",
        "win_back",
    }
    assert (tables["feat_interactions"]["weight"] > 0).all()


def test_a_product_is_spoken_of_by_one_trigger_of_interest_alone(features: Path) -> None:
    interest = [
        *("checkout_abandoned", "cart_abandoned", "replenishment"),
        *("repeated_views", "product_comparison", "browse_abandoned"),
    ]
    fired = read_features(features)["triggers"].filter(pl.col("trigger_key").is_in(interest))
    assert fired["trigger_key"].n_unique() >= 4
    named = fired.explode("product_ids").drop_nulls("product_ids")
    assert not named.select("customer_id", "as_of", "product_ids").is_duplicated().any()
    baskets = fired.filter(pl.col("trigger_key").is_in(interest[:2]))
    assert not baskets.select("customer_id", "as_of").is_duplicated().any()


def test_refusing_profiling_leaves_no_behaviour(features: Path) -> None:
    tables = read_features(features)
    private = tables["feat_customer"].filter(~pl.col("has_behaviour"))
    assert private.height > 0
    counts = private.select(pl.col("^n_.*$", "^revenue_.*$", "^margin_.*$")).sum().row(0)
    assert set(counts) == {0}
    assert private["last_order_at"].null_count() == private.height
    assert set(private["lifecycle_stage"]) == {"prospect"}
    known = {name for name in private.columns if private[name].null_count() < private.height}
    assert {name for name in known if not (name.startswith(COUNTED) or name in NOT_BEHAVIOUR)} == set()
    assert set(private["timezone_basis"]) <= {"own", "country", "none"}
    decayed = private.select("^.*_decayed_.*$", "n_activity_365d").sum().row(0)
    assert set(decayed) == {0}
    assert not private["has_negative_contact_30d"].any()
    keys = private.select("customer_id", "as_of")
    for name in (
        "feat_interactions",
        "feat_affinity",
        "feat_send_hours",
        "feat_content_match",
        "label_sends",
        "label_purchases",
    ):
        assert tables[name].join(keys, on=["customer_id", "as_of"], how="semi").height == 0, name
    profiles = tables["dim_customer_profile"].filter(~pl.col("profiling_allowed"))
    assert profiles.height == private.height
    shown = {
        name
        for name, dtype in profiles.schema.items()
        if (profiles[name].list.len().sum() if dtype.is_nested() else profiles[name].is_not_null().sum())
    }
    assert shown <= NOT_BEHAVIOUR | PROFILE_NOT_BEHAVIOUR
    fired = tables["triggers"].join(keys, on=["customer_id", "as_of"], how="semi")
    assert set(fired["trigger_key"]) <= {"welcome", "birthday", "anniversary"}


def test_no_label_window_reaches_past_labels_until(features: Path) -> None:
    tables = read_features(features)
    assert sorted(set(tables["label_customer"]["as_of"])) == SNAPSHOTS[:2]
    assert set(tables["label_purchases"]["as_of"]) <= set(SNAPSHOTS[:2])
    assert max(tables["label_sends"]["as_of"]) == PLAN_DATE


def test_the_same_input_gives_the_same_bytes(dbt: Dbt, features: Path) -> None:
    again = dbt.root / "again"
    variables = dbt.variables(again, SNAPSHOTS, label_horizon_days=30, labels_until=PLAN_DATE.isoformat())
    dbt.must("run", "--select", "tag:features", "tag:labels", variables=variables)
    for path in sorted(features.glob("*.parquet")):
        assert _digest(path) == _digest(again / path.name), path.name


def test_a_shop_without_events_still_has_its_customers(dbt: Dbt, features: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for table in ("customers", "products", "contents", "consents"):
        pl.read_parquet(dbt.raw / f"{table}.parquet").write_parquet(raw / f"{table}.parquet")
    write_events(raw, read_events(dbt.raw).clear())
    empty = Dbt(tmp_path, raw)
    variables = empty.variables(tmp_path / "features", [PLAN_DATE])
    empty.must("build", "--exclude-resource-type", "unit_test", variables=variables)
    tables = read_features(tmp_path / "features")
    assert tables["feat_customer"].height > 250
    assert set(tables["feat_customer"]["lifecycle_stage"]) == {"prospect"}
    assert tables["feat_interactions"].height == 0
    assert tables["feat_interactions"].schema == read_features(features)["feat_interactions"].schema


def test_features_without_a_date_are_refused(dbt: Dbt, features: Path) -> None:
    done = dbt.run("run", "--select", "int_consent_as_of", variables=dbt.variables(dbt.root / "none", []))
    assert done.returncode != 0
    assert "need snapshot dates" in done.stdout


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
