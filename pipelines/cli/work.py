"""Commands that run jobs: plan, train. They run what the UI runs, on the same instance."""

from __future__ import annotations

import time
from datetime import date
from typing import Annotated, Any

import typer

from pipelines.cli.output import (
    JsonOption,
    Landing,
    facts,
    print_json,
    progress,
    report_warning,
    rows,
    stdout,
)
from pipelines.settings import Settings, plan_day, today


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(plan)
    app.command()(train)


def plan(
    day: Annotated[str, typer.Option("--date", metavar="YYYY-MM-DD", help="The day to plan.")],
    landing: Landing = None,
    as_json: JsonOption = False,
) -> None:
    """Make the send plan of a day; trains the week's models first where they are missing."""
    settings = Settings.from_env(landing=landing)
    made = make_plan(settings, plan_day(day, today()), as_json)
    if as_json:
        print_json(made)
    else:
        report_plan(settings, made)


def train(
    as_of: Annotated[
        str, typer.Option("--as-of", metavar="YYYY-MM-DD", help="Train for the week of this day.")
    ],
    landing: Landing = None,
    as_json: JsonOption = False,
) -> None:
    """Train the models of a week on what was known before its Monday, and compare them with their baselines."""
    import polars as pl

    settings = Settings.from_env(landing=landing)
    models = train_week(settings, plan_day(as_of, today()), as_json)
    if as_json:
        print_json({"models": models})
        return
    for model in models:
        contest = pl.DataFrame(model["contest"])
        figures = contest.drop("method").transpose(
            include_header=True, header_name="holdout", column_names=contest["method"]
        )
        body = [tuple(_short(value) for value in row) for row in figures.iter_rows()]
        rows(f"{model['question']}: {model['why']}", figures.columns, body)
    stdout.print("Plots, parameters and models: [bold]sendplan ui mlflow[/]")


def make_plan(settings: Settings, day: date, as_json: bool) -> dict[str, Any]:
    """Train what is missing, run `daily_plan`, and sum up the plan."""
    from assets.audiences import documented_customers
    from assets.features import WAREHOUSE
    from assets.history import require_history
    from assets.mail_files import MailFolder
    from assets.partitions import training_week
    from assets.registry import Registry
    from assets.training import QUESTIONS
    from pipelines.definitions import build_defs
    from pipelines.failures import RunFailedError
    from pipelines.instance import open_instance
    from pipelines.runs import run_job

    start = time.monotonic()
    week = training_week(day)
    with progress("prepare", as_json):
        # A mistake in a message file is worth knowing before the models are trained.
        folder = MailFolder(settings.mail)
        folder.catalogue(), folder.policy(day), folder.audiences(documented_customers())
        definitions = build_defs(settings)
        registry = Registry(settings.home.registry_db, settings.home.artifacts)
        is_trained = all(registry.at_week(question, week) for question in QUESTIONS)
    done = {"raw"}
    with open_instance(settings.home) as instance:
        with progress("land", as_json) as advance:
            run_job(definitions, instance, "landing_check", None, _steps(advance), {WAREHOUSE})
        require_history(settings.home, day, f"plan {day}")
        if not is_trained:
            try:
                with progress(f"train {week}", as_json) as advance:
                    run_job(definitions, instance, "weekly_training", week, _steps(advance), done)
                done.add(WAREHOUSE)
            except RunFailedError as failure:
                if any(registry.champion(question, day) is None for question in QUESTIONS):
                    raise
                report_warning(f"training failed, the plan rests on models of an earlier week\n{failure}")
        with progress(f"plan {day}", as_json) as advance:
            run_job(definitions, instance, "daily_plan", day, _steps(advance), done)
    return {**summary(settings, day), "seconds": round(time.monotonic() - start, 1)}


def train_week(settings: Settings, day: date, as_json: bool) -> list[dict[str, Any]]:
    """Run `weekly_training` for the week of `day` and list the versions."""
    from assets.partitions import training_week
    from assets.registry import Registry
    from assets.training import QUESTIONS
    from pipelines.definitions import build_defs
    from pipelines.instance import open_instance
    from pipelines.runs import run_job

    week = training_week(day)
    definitions = build_defs(settings)
    with open_instance(settings.home) as instance, progress(f"train {week}", as_json) as advance:
        run_job(definitions, instance, "weekly_training", week, _steps(advance))
    registry = Registry(settings.home.registry_db, settings.home.artifacts)
    champions = [registry.at_week(question, week) for question in QUESTIONS]
    return [
        {
            "question": v.question,
            "week": v.week,
            "champion": v.method,
            "why": v.decision,
            "contest": registry.comparison(v).to_dicts(),
        }
        for v in champions
        if v is not None
    ]


def summary(settings: Settings, day: date) -> dict[str, Any]:
    """How many rows of each action, message and reason a plan has, and where it is."""
    import polars as pl

    from assets.landing.report import quarantined

    path = settings.home.plan(day) / "send_plan.parquet"
    frame = pl.read_parquet(path, columns=["action", "message_key", "reason"])

    def counts(column: str, of: pl.DataFrame) -> dict[str, int]:
        table = of.group_by(column).len().sort(["len", column], descending=[True, False])
        return dict(table.iter_rows())

    return {
        "plan_date": day,
        "rows": frame.height,
        "actions": counts("action", frame),
        "messages": counts("message_key", frame.filter(pl.col("action") == "send")),
        "holds": counts("reason", frame.filter(pl.col("action") == "hold")),
        "set_aside": quarantined(settings.home),
        "plan": path,
        "marketing": settings.home.marketing,
    }


def report_plan(settings: Settings, made: dict[str, Any]) -> None:
    """Print a plan's summary and where to look next."""
    listed = {
        key: ", ".join(f"{n} {name}" for name, n in made[key].items())
        for key in ("actions", "messages", "holds")
    }
    rows_aside = ", ".join(f"{n} of {table}" for table, n in made["set_aside"].items())
    aside = {"set aside": f"{rows_aside}: reasons in {settings.home.quarantine}"} if rows_aside else {}
    facts(
        f"Send plan for {made['plan_date']}: {made['rows']} customers in {made['seconds']} s",
        {**listed, **aside, "table": made["plan"], "database": made["marketing"]},
    )
    facts(
        "Look next",
        {
            "sendplan export --date "
            + str(made["plan_date"])
            + " --to plan.csv": "the plan with names and addresses",
            "sendplan ui dagster": "the graph, its runs and checks",
            "sendplan ui mlflow": "the models beside their baselines",
            "sendplan doctor": "what is installed, landed, trained and planned",
        },
    )


def _steps(advance: Any) -> Any:
    def on_step(step: str, done: int, total: int) -> None:
        advance(step, done / total)

    return on_step


def _short(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) > 1 else f"{value:.4f}"
    return value
