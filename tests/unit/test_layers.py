"""Imports run one way: models <- assets <- pipelines; mail and shop know none of the three."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORBIDDEN = {
    "models": {"assets", "pipelines", "mail", "shop", "dagster", "dagster_dbt", "mlflow"},
    "mail": {"models", "assets", "pipelines", "shop", "dagster", "mlflow"},
    "shop": {"models", "assets", "pipelines", "mail", "dagster", "mlflow"},
    "assets": {"pipelines", "shop"},
    "pipelines": set(),
}


def imported(source: str) -> set[str]:
    """Top-level names of all modules imported anywhere in a source text."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_run_one_way(package: str) -> None:
    found = {
        f"{file.relative_to(ROOT)} imports {name}"
        for file in (ROOT / package).rglob("*.py")
        for name in imported(file.read_text()) & FORBIDDEN[package]
    }
    assert found == set()


def test_the_simulator_is_imported_by_the_command_line_alone() -> None:
    users = {
        str(file.relative_to(ROOT))
        for package in ("assets", "pipelines")
        for file in (ROOT / package).rglob("*.py")
        if "shop" in imported(file.read_text())
    }
    assert users == {"pipelines/cli/sample.py"}


def test_models_read_no_clock_environment_or_global_randomness() -> None:
    banned = {
        ("datetime", "now"),
        ("date", "today"),
        ("datetime", "utcnow"),
        ("os", "environ"),
        ("time", "time"),
    }
    found = {
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in (ROOT / "models").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in banned
    }
    assert found == set()


def test_the_scan_finds_a_forbidden_import() -> None:
    assert "dagster" in imported("def f():\n    from dagster import asset\n")
