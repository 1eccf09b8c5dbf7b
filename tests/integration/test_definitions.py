"""What Dagster loads: complete, connected, and safe for a database with one writer."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph

from assets.home import Home
from pipelines.instance import open_instance
from pipelines.settings import PROJECT

PATH = (
    *("raw_events", "stg_events", "feat_customer", "score_value", "plan_decisions"),
    *("send_plan", "marketing_database"),
)


@pytest.fixture(scope="module")
def graph(definitions: dg.Definitions) -> BaseAssetGraph:
    return definitions.resolve_asset_graph()


def test_the_definitions_are_loadable(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


def test_nothing_is_read_that_is_not_made(graph: BaseAssetGraph) -> None:
    assert graph.external_asset_keys == set()
    assert len(graph.materializable_asset_keys) > 60


def test_every_asset_says_what_it_is_whose_it_is_and_where_it_belongs(graph: BaseAssetGraph) -> None:
    for key in graph.materializable_asset_keys:
        node = graph.get(key)
        name = key.to_user_string()
        assert node.group_name in {
            "raw",
            "warehouse",
            "features",
            "training",
            "scores",
            "plan",
            "outcomes",
        }, name
        assert node.owners, name
        assert node.kinds, name
        assert len(node.description or "") > 20, name


def test_the_graph_is_one_flow_from_raw_events_to_the_marketing_database(graph: BaseAssetGraph) -> None:
    nodes = {key: graph.get(key) for key in graph.get_all_asset_keys()}
    reached: set[dg.AssetKey] = set()
    waiting = [dg.AssetKey("raw_events")]
    while waiting:
        key = waiting.pop()
        if key not in reached:
            reached.add(key)
            waiting += [*nodes[key].parent_keys, *nodes[key].child_keys]
    assert reached == set(nodes)
    for earlier, later in pairwise(PATH):
        assert dg.AssetKey(earlier) in ancestors(graph, dg.AssetKey(later)), (earlier, later)


def ancestors(graph: BaseAssetGraph, key: dg.AssetKey) -> set[dg.AssetKey]:
    found: set[dg.AssetKey] = set()
    waiting = [key]
    while waiting:
        parents = graph.get(waiting.pop()).parent_keys - found
        found |= parents
        waiting += parents
    return found


@pytest.mark.parametrize(
    "question", ["lifetime_value", "churn", "send_time", "recommendations", "content_recommendations"]
)
def test_every_model_is_used_by_the_plan(graph: BaseAssetGraph, question: str) -> None:
    assert dg.AssetKey(question) in ancestors(graph, dg.AssetKey("plan_decisions"))


def test_what_opens_the_warehouse_runs_alone(graph: BaseAssetGraph, tmp_path: Path) -> None:
    in_warehouse = {
        key
        for key in graph.materializable_asset_keys
        if graph.get(key).group_name in ("warehouse", "features") or key == dg.AssetKey("training_snapshots")
    }
    assert len(in_warehouse) > 40
    assert all(graph.get(key).pools == {"duckdb"} for key in in_warehouse)
    with open_instance(Home(tmp_path, tmp_path / "landing")) as instance:
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 1


def test_the_jobs_cover_the_graph(definitions: dg.Definitions, graph: BaseAssetGraph) -> None:
    planned, trained = (
        set(definitions.resolve_job_def(job).asset_layer.selected_asset_keys)
        for job in ("daily_plan", "weekly_training")
    )
    assert planned | trained == set(graph.materializable_asset_keys)
    assert dg.AssetKey("marketing_database") in planned - trained
    assert dg.AssetKey("churn") in trained - planned


def test_the_plan_has_a_deadline(graph: BaseAssetGraph) -> None:
    policy = graph.get(dg.AssetKey("send_plan")).freshness_policy
    assert policy is not None
    assert policy.deadline_cron == "0 2 * * *"


def test_dagster_validates_the_definitions(tmp_path: Path) -> None:
    """The command that a deployment runs before it takes new code."""
    done = subprocess.run(
        [Path(sys.executable).parent / "dagster", "definitions", "validate", "--workspace", "workspace.yaml"],
        cwd=PROJECT,
        env={
            "PATH": "/usr/bin:/bin",
            "SENDPLAN_HOME": str(tmp_path),
            "DAGSTER_HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "All code locations passed validation" in done.stdout + done.stderr


@pytest.fixture(scope="module")
def dbt_tests(definitions: dg.Definitions) -> dict[str, str]:
    """dbt's data tests by name, with their severity."""
    home: Home = definitions.resources["home"]
    nodes = json.loads((home.dbt / "manifest" / "manifest.json").read_text())["nodes"].values()
    return {n["name"]: n["config"]["severity"].lower() for n in nodes if n["resource_type"] == "test"}


def test_every_dbt_test_is_an_asset_check(graph: BaseAssetGraph, dbt_tests: dict[str, str]) -> None:
    """A test that belongs to no asset would be logged as an observation, which nobody is alarmed by."""
    checks = [key for key in graph.asset_check_keys if key.name in dbt_tests]
    assert len(checks) == len(dbt_tests) > 200
    assert {key.name for key in checks} == set(dbt_tests)


def test_a_failing_dbt_test_stops_the_plan_unless_it_is_about_usual_shares(
    graph: BaseAssetGraph, dbt_tests: dict[str, str]
) -> None:
    blocking = {key.name: graph.get(key).blocking for key in graph.asset_check_keys if key.name in dbt_tests}
    assert blocking == {name: severity == "error" for name, severity in dbt_tests.items()}
    warning = {name for name, severity in dbt_tests.items() if severity == "warn"}
    assert len(warning) >= 10
    assert all(name.startswith("share_of_") or name.endswith("_is_mostly_known") for name in warning)
