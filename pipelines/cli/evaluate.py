"""Commands that judge: the models on public data, another policy on the plans of this home."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from pipelines.cli.output import (
    JsonOption,
    Landing,
    facts,
    print_json,
    progress,
    report_warning,
    rows,
    stderr,
    stdout,
)
from pipelines.settings import Settings, plan_day, today

if TYPE_CHECKING:
    from benchmarks.evaluate.table import Table
    from pipelines.policies import Evaluated

DATA = Path("../shared/data")


class Reward(StrEnum):
    """What a policy can be judged by."""

    margin = "margin"
    orders = "orders"
    clicks = "clicks"
    opens = "opens"


class _TrialsByDefault(TyperGroup):
    """`evaluate` and `evaluate TRIAL` mean `evaluate trials` and `evaluate trials TRIAL`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or args[0] not in (*self.commands, "--help"):
            args = ["trials", *args]
        return super().parse_args(ctx, args)


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    group = typer.Typer(
        cls=_TrialsByDefault,
        help="Judge the models (evaluate, or evaluate TRIAL) or another policy (evaluate policy FILE).",
    )
    group.command()(trials)
    group.command()(policy)
    app.add_typer(group, name="evaluate")


def trials(
    trial: Annotated[
        list[str] | None, typer.Argument(help="Only these trials; default: all of them.")
    ] = None,
    data: Annotated[
        Path, typer.Option(envvar="SENDPLAN_DATA", help="The folder with the public datasets.")
    ] = DATA,
    report: Annotated[
        Path | None, typer.Option(help="A page of Markdown: the sections of these trials are renewed in it.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Judge every model beside its baselines on public data and simulated shops, from scratch; logged in MLflow."""
    from assets.registry import Registry
    from benchmarks.evaluate.log import log
    from benchmarks.evaluate.report import check, write
    from benchmarks.evaluate.trials import BY_NAME_ALONE, TRIALS, tables

    known = (*TRIALS, *BY_NAME_ALONE)
    unknown = sorted(set(trial or ()) - set(known))
    if unknown:
        raise typer.BadParameter(f"there is no trial {', '.join(unknown)}; there are {', '.join(known)}")
    if report is not None:
        check(report, trial or TRIALS)
    home = Settings.from_env().home
    registry = Registry(home.registry_db, home.artifacts)
    found: list[dict[str, Any]] = []
    for name in trial or TRIALS:
        start, done = time.monotonic(), []
        with progress(f"evaluate {name}", as_json):
            for table in tables(name, data):
                log(registry, name, table)
                done.append(table)
                found.append(
                    {
                        "trial": name,
                        "table": table.name,
                        "title": table.title,
                        "figures": table.figures.to_dicts(),
                        "targets": {str(t): table.is_met(t) for t in table.targets},
                    }
                )
                if not as_json:
                    _print(table)
        stderr.print(f"{name}: {time.monotonic() - start:.0f} s")
        if report is not None:
            write(report, {name: done})
    if as_json:
        print_json({"tables": found})


def policy(
    file: Annotated[
        str,
        typer.Argument(
            help="A Python file with a function policy(options), which is run; or logged, greedy, nothing."
        ),
    ],
    first: Annotated[
        str | None,
        typer.Option("--from", metavar="YYYY-MM-DD", help="First plan date; default: all of them."),
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="Last plan date; default: all of them.")
    ] = None,
    reward: Annotated[Reward, typer.Option(help="What it is judged by.")] = Reward.margin,
    landing: Landing = None,
    as_json: JsonOption = False,
) -> None:
    """Estimate what another policy would have earned, from what the plans logged and what came of it; logged in MLflow."""
    from assets.registry import Registry
    from pipelines.policies import evaluate, log_run, read_policy

    home = Settings.from_env(landing=landing).home
    days = [plan_day(text, today()) if text else None for text in (first, last)]
    asked = read_policy(file)
    with progress(f"evaluate {asked.name}", as_json):
        found = evaluate(home, asked, reward.value, *days)
        run = log_run(Registry(home.registry_db, home.artifacts), found)
    if as_json:
        print_json({**found.as_dict(), "run_id": run})
        return
    _print_policy(found)
    for warning in found.judgement.warnings:
        report_warning(warning)


def _print_policy(found: Evaluated) -> None:
    def said(row: dict[str, Any], name: str) -> str:
        low, high = ("low", "high") if name == "value" else (f"{name}_low", f"{name}_high")
        middle = row["logged_value"] if name == "logged" else row[name]
        return f"{middle:.4f} ({row[low]:.4f} to {row[high]:.4f})"

    rows(
        f"{found.policy.name}: {found.reward} per decision, with 95 % intervals",
        ["estimator", found.policy.name, "the plan", "difference"],
        [
            (row["estimator"], said(row, "value"), said(row, "logged"), said(row, "difference"))
            for row in found.judgement.estimates.iter_rows(named=True)
        ],
    )
    overlap, judged = found.judgement.overlap, found.judgement
    log, days = found.log, found.days
    facts(
        "",
        {
            "judged on": f"{len(log)} decisions of {overlap.n_clusters} customers, {days[0]} to {days[-1]}",
            "left out": f"{len(log.left_out)} days without complete outcomes, {log.n_unobserved} decisions of customers who "
            "refuse profiling",
            "worth": f"as much as {overlap.ess:.0f} decisions of the policy itself",
            "sends nothing": f"{judged.nothing_share:.1%}; the control group is {judged.control_share:.1%} of the decisions",
            "run": "experiment policy_evaluation in: sendplan ui mlflow",
        },
    )


def _print(table: Table) -> None:
    from benchmarks.evaluate.table import said

    stdout.print(f"\n{table.name}: {table.title}", markup=False, highlight=False, soft_wrap=True)
    shown = table.shown()
    rows("", shown.columns, shown.rows())
    for target in table.targets:
        verdict = "met   " if table.is_met(target) else "MISSED"
        stdout.print(f"  {verdict} {target}, is {said(table.figure(target))}", markup=False, highlight=False)
