"""Trials as MLflow runs: one experiment per trial, one run per table, `<metric>/<method>` as in the weekly contests."""

from __future__ import annotations

import math

import mlflow

from assets.registry import Registry
from benchmarks.evaluate.table import Table


def log(registry: Registry, trial: str, table: Table) -> None:
    """Log a table as a run of the experiment `evaluate/<trial>`."""
    with mlflow.start_run(
        experiment_id=registry.experiment(f"evaluate/{trial}"), run_name=table.name, description=table.title
    ):
        for row in table.figures.iter_rows(named=True):
            known = {
                f"{metric}/{row['method']}": float(value)
                for metric, value in row.items()
                if metric != "method" and value is not None and math.isfinite(value)
            }
            mlflow.log_metrics(known)
        mlflow.log_params(dict(table.params))
        missed = [str(target) for target in table.targets if not table.is_met(target)]
        mlflow.set_tags({"targets": len(table.targets), "missed": "; ".join(missed)})
        mlflow.log_text(table.figures.write_csv(), "comparison.csv")
        for name, figure in table.plots.items():
            mlflow.log_figure(figure, name)
