"""The dbt project as a whole: it builds with all its tests, on real dbt and DuckDB, and keeps the project's rules."""

import hashlib
import json
import re
import shutil
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
    *("lifecycle_stage", "has_behaviour", "has_bad_experience_30d"),
    *("utc_offset_hours_inferred", "timezone_confidence", "timezone_basis"),
    *("signup_source", "country", "is_business", "company_size", "industry", "job_role"),
}
"""What is known of a person without looking at what he does; 0 or false where it is a count or a flag."""
WITHOUT_LOGIC = {
    "int_as_of_dates": "the dates of the run, as they were given",
    "stg_events": "casts and renames",
    "stg_event_days": "casts and renames",
    "dim_contents": "passes stg_contents on",
    "int_built_days": "keeps what a run has done; followed run by run in test_incremental.py",
    "triggers": "puts the triggers together",
    "feat_content_reads": "publishes int_content_reads_as_of",
}
"""Models without a unit test of their own, and why."""
LOGIC = re.compile(r"\b(join|where|group by|distinct|qualify|over|case|coalesce|having)\b", re.IGNORECASE)
CLOSED_BY_THE_SHOP = {
    *("country", "region", "city", "locale", "timezone", "currency", "company_size", "industry", "job_role"),
    *(
        "signup_source",
        "gender",
        "category",
        "top_category",
        "brand",
        "top_brand",
        "subcategory",
        "top_topic",
    ),
    *("message_key", "subject_variant", "tone", "offer_key", "coupon", "bounce_type", "device", "topic"),
    *("user_agent", "query", "url", "context", "value", "name", "version", "segment"),
}
"""Columns whose few values are words of the shop, or made of others that are tested."""
PROFILE_NOT_BEHAVIOUR = {
    *("region", "city", "locale", "timezone", "utc_offset_hours", "signed_up_at"),
    *(
        "has_email",
        "is_duplicate",
        "consent_status",
        "profiling_allowed",
        "suppression_reason",
        "open_triggers",
    ),
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
    assert len(manifest["unit_tests"]) >= 90


def test_every_model_with_logic_has_a_unit_test(dbt: Dbt, models: dict[str, dict[str, Any]]) -> None:
    unit_tested = {test["model"] for test in dbt.manifest()["unit_tests"].values()}
    assert set(models) - unit_tested == set(WITHOUT_LOGIC)
    for name in WITHOUT_LOGIC.keys() - {"int_built_days"}:
        assert not LOGIC.search(models[name]["raw_code"]), name


@pytest.mark.usefixtures("features")
def test_every_unit_test_says_what_it_shows(dbt: Dbt) -> None:
    for test in dbt.manifest()["unit_tests"].values():
        assert len(test["description"].split()) >= 6, test["name"]


def test_every_column_is_documented(dbt: Dbt, models: dict[str, dict[str, Any]]) -> None:
    """In the order of the table, in words that are not its name again; where it can be null, with what that means."""
    with duckdb.connect(str(dbt.warehouse), read_only=True) as warehouse:
        for name, model in models.items():
            assert "Grain:" in model["description"], name
            if name == "int_as_of_dates":
                continue
            columns = [row[0] for row in warehouse.execute(f"describe {name}").fetchall()]
            assert columns == list(model["columns"]), name
            nulls = warehouse.execute(
                f"select {', '.join(f'bool_or({column} is null)' for column in columns)} from {name}"
            ).fetchall()[0]
            for column, has_null in zip(columns, nulls, strict=True):
                described = model["columns"][column]["description"].strip()
                assert described, f"{name}.{column}"
                assert _words(described) != _words(column), f"{name}.{column}: {described}"
                assert not has_null or "null" in described.lower(), f"{name}.{column} has nulls: {described}"


def test_every_contract_is_enforced(models: dict[str, dict[str, Any]]) -> None:
    without = {name for name, model in models.items() if not model["config"]["contract"]["enforced"]}
    assert without <= {"int_as_of_dates"}
    for name, model in models.items():
        assert all(column["data_type"] for column in model["columns"].values()), name


def test_every_key_is_unique_and_complete(dbt: Dbt, models: dict[str, dict[str, Any]]) -> None:
    keyed = {
        test["attached_node"].removeprefix(MODEL)
        for test in _data_tests(dbt)
        if test.get("test_metadata", {}).get("name") == "unique_key"
    }
    # The last is a view that pairs two keys that are tested.
    assert set(models) - keyed == {"int_as_of_dates", "int_changed_messages", "int_message_outcomes_as_of"}


def test_every_column_of_few_values_says_which(dbt: Dbt, models: dict[str, dict[str, Any]]) -> None:
    tested = _row_conditions(dbt)
    with duckdb.connect(str(dbt.warehouse), read_only=True) as warehouse:
        for name in models.keys() - {"int_as_of_dates"}:
            for column, kind in [row[:2] for row in warehouse.execute(f"describe {name}").fetchall()]:
                if kind != "VARCHAR" or column.endswith("_id") or column in CLOSED_BY_THE_SHOP:
                    continue
                query = f"select count(distinct {column}) from {name}"
                if warehouse.execute(query).fetchall()[0][0] <= 12:
                    assert re.search(rf"\b{column}\b", tested.get(name, "")), f"{name}.{column}"


def test_every_count_share_and_duration_is_bounded(dbt: Dbt, models: dict[str, dict[str, Any]]) -> None:
    tested = _row_conditions(dbt)
    for name, model in models.items():
        for column, documented in model["columns"].items():
            is_number = documented["data_type"] in {"integer", "bigint", "smallint", "double"}
            if is_number and re.search(
                r"^n_|_share|_days(_|$)|^days_|(open|click|use)_rate|_confidence", column
            ):
                assert re.search(rf"\b{column}\b", tested.get(name, "")), f"{name}.{column}"


@pytest.mark.usefixtures("features")
def test_usual_shares_say_when_and_on_what_they_were_measured(dbt: Dbt) -> None:
    usual = [
        test
        for test in _data_tests(dbt)
        if test.get("test_metadata", {}).get("name") in {"share_between", "mostly_known"}
    ]
    assert len(usual) >= 12
    for test in usual:
        assert test["config"]["severity"] == "warn", test["name"]
        assert re.match(r"\d{4}-\d\d-\d\d, .+: \d\.\d", test["config"]["meta"]["measured"]), test["name"]
        assert len(test["description"]) > 40, test["name"]


def test_a_share_out_of_its_bounds_warns_and_stops_nothing(dbt: Dbt, features: Path, tmp_path: Path) -> None:
    """Every open by a machine: the signals, or the senders, have changed."""
    raw = tmp_path / "raw"
    shutil.copytree(dbt.raw, raw)
    opened = pl.col("event") == "Email Opened"
    agent = pl.when(opened).then(pl.lit("Mozilla/5.0")).otherwise("user_agent")
    write_events(raw, read_events(dbt.raw).with_columns(user_agent=agent))
    strange = Dbt(tmp_path, raw)
    said = strange.must(
        *("build", "--select", "tag:warehouse", "--exclude-resource-type", "unit_test"),
        variables=strange.variables(tmp_path / "features", [PLAN_DATE]),
    )
    assert "WARN 1 share_of_opens_by_machines" in said
    assert "WARN=1" in said


def test_a_broken_row_stops_what_is_built_on_it(dbt: Dbt, features: Path, tmp_path: Path) -> None:
    """A price below 0, which no landing file can bring in, is noticed all the same before it reaches an order."""
    raw = tmp_path / "raw"
    shutil.copytree(dbt.raw, raw)
    ordered = pl.col("event") == "Order Completed"
    price = pl.when(ordered).then(-1.0).otherwise("price")
    write_events(raw, read_events(dbt.raw).with_columns(price=price))
    broken = Dbt(tmp_path, raw)
    done = broken.run(
        *("build", "--select", "tag:warehouse", "--exclude-resource-type", "unit_test"),
        variables=broken.variables(tmp_path / "features", [PLAN_DATE]),
    )
    assert done.returncode == 1
    assert re.search(r"FAIL \d+ stg_events_has_valid_rows", done.stdout)
    assert re.search(r"SKIP relation main.fct_orders", done.stdout)
    with duckdb.connect(str(broken.warehouse), read_only=True) as warehouse:
        tables = {row[0] for row in warehouse.execute("show tables").fetchall()}
    assert "stg_events" in tables
    assert "fct_orders" not in tables


def test_the_documentation_builds(dbt: Dbt, features: Path, models: dict[str, dict[str, Any]]) -> None:
    dbt.must("docs", "generate", variables=dbt.variables(features, SNAPSHOTS))
    target = dbt.root / "target"
    assert "<html" in (target / "index.html").read_text()[:2000].lower()
    catalog = json.loads((target / "catalog.json").read_text())
    assert {f"{MODEL}{name}" for name in models if name != "int_as_of_dates"} <= set(catalog["nodes"])
    assert not catalog["errors"]


def test_every_published_table_is_read_by_one_of_the_three_users(
    dbt: Dbt, models: dict[str, dict[str, Any]]
) -> None:
    exposures = dbt.manifest()["exposures"].values()
    assert {exposure["owner"]["name"] for exposure in exposures} == {
        "Data engineering",
        "Data science",
        "Marketing",
    }
    reached: set[str] = set()
    waiting = [parent for exposure in exposures for parent in exposure["depends_on"]["nodes"]]
    while waiting:
        name = waiting.pop().removeprefix(MODEL)
        if name in models and name not in reached:
            reached.add(name)
            waiting += models[name]["depends_on"]["nodes"]
    assert set(models) - reached == set()


def test_the_age_of_the_events_is_known(dbt: Dbt, features: Path) -> None:
    said = dbt.must("source", "freshness", variables=dbt.variables(features, SNAPSHOTS))
    assert "WARN freshness of raw.raw_events" in said
    (result,) = json.loads((dbt.root / "target" / "sources.json").read_text())["results"]
    newest = read_events(dbt.raw)["occurred_at"].max()
    assert result["max_loaded_at"].startswith(f"{newest:%Y-%m-%dT%H:%M:%S}")


def test_every_model_is_in_a_selection_and_a_group(models: dict[str, dict[str, Any]]) -> None:
    for name, model in models.items():
        assert model["tags"] and set(model["tags"]) <= TAGS, name
        assert model["meta"]["dagster"]["group"] in {"warehouse", "features", "training"}, name


def test_a_day_is_built_only_when_all_of_the_warehouse_is(models: dict[str, dict[str, Any]]) -> None:
    waiting, reached = ["int_built_days"], set()
    while waiting:
        parents = models[waiting.pop()]["depends_on"]["nodes"]
        new = {parent.removeprefix(MODEL) for parent in parents if parent.startswith(MODEL)} - reached
        reached |= new
        waiting += new
    warehouse = {name for name, model in models.items() if "warehouse" in model["tags"]}
    # What audits alone read from a snapshot is no part of a day.
    assert warehouse - reached <= {"int_built_days", "stg_customer_attributes"}


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
    assert not private["has_bad_experience_30d"].any()
    keys = private.select("customer_id", "as_of")
    for name in (
        "feat_interactions",
        "feat_affinity",
        "feat_send_hours",
        "feat_content_reads",
        "label_customer",
        "label_sends",
        "label_offers",
        "label_purchases",
        "label_categories",
        "label_contents",
        "feat_recent_orders",
        "feat_repurchases",
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
    assert set(tables["label_categories"]["as_of"]) <= set(SNAPSHOTS[:2])
    assert set(tables["label_contents"]["as_of"]) <= set(SNAPSHOTS[:2])
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


def _data_tests(dbt: Dbt) -> list[dict[str, Any]]:
    return [node for node in dbt.manifest()["nodes"].values() if node["resource_type"] == "test"]


def _row_conditions(dbt: Dbt) -> dict[str, str]:
    """What `valid_rows` holds true of each model, as text."""
    return {
        test["attached_node"].removeprefix(MODEL): str(test["test_metadata"]["kwargs"])
        for test in _data_tests(dbt)
        if test.get("test_metadata", {}).get("name") == "valid_rows"
    }


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", text.lower()))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
