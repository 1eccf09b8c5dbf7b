"""The model registry: what a training asset learned goes in, the champion of a day comes out.

One MLflow experiment and one registered model per question, one run per question and week. A run registers the
champion's method and the runner-up's, both fitted on everything known. The champion's version of a week has the alias
`w<YYYY-MM-DD>`, so that a plan can name its models in a way that does not depend on the order of runs; `@champion` and
`@challenger` point to the versions of the newest week.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import mlflow
import polars as pl
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.models import infer_signature
from mlflow.pyfunc.model import PythonModel

from models.evaluation.drift import Reference, from_json, to_json
from models.lessons.card import model_card
from models.lessons.lesson import Lesson
from models.model import Model

UNUSED_EXPERIMENT = "0"
"""MLflow makes an experiment "Default" with every store; nothing is ever logged there."""

CHAMPION, CHALLENGER = "champion", "challenger"
CARD, REFERENCE = "model_card.md", "reference.json"
"""Artifacts of a run: what a reader must know of its models, and how their inputs and answers were spread."""

REQUIREMENTS = [
    f"{name}=={installed(name)}" for name in ("numpy", "polars", "xgboost", "scikit-learn", "implicit")
]


@dataclass(frozen=True)
class Version:
    """A registered model version.

    Attributes:
        question: the registered model.
        week: the week it was trained for.
        number: MLflow's version number.
        run_id: the MLflow run that made it.
        role: "champion" or "challenger".
        method: how it answers.
        fingerprint: of the data and code it was trained with.
        decision: why the champion is champion.
    """

    question: str
    week: date
    number: int
    run_id: str
    role: str
    method: str
    fingerprint: str
    decision: str

    @property
    def label(self) -> str:
        """`<question>@w<week>`: after `models:/`, the version's address in MLflow."""
        return f"{self.question}@{alias(self.week)}"


class DamagedModelError(RuntimeError):
    """A version cannot be loaded, or holds another model than it says; the text names it, the cause and the remedy."""

    def __init__(self, version: Version, cause: str) -> None:
        self.version = version
        self.cause = cause
        self.remedy = f"make it anew with: sendplan train --as-of {version.week}"
        super().__init__(f"models:/{version.label} cannot be loaded ({cause}); {self.remedy}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.version, self.cause)


class _Pickled(PythonModel):
    """A fitted model as MLflow keeps it: data frames of pandas at MLflow's border, Polars inside."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def predict(self, context, model_input, params=None):
        """Answer rows of pandas. Without type hints: MLflow would take them for a schema."""
        return self.model.predict(pl.from_pandas(model_input)).to_pandas()


def alias(week: date) -> str:
    """The registry alias of a training week."""
    return f"w{week:%Y-%m-%d}"


def fingerprint(files: Iterable[Path], *facts: object) -> str:
    """Twelve hex digits that change when a file's content or one of the facts does."""
    digest = hashlib.sha256(repr(facts).encode())
    for file in files:
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()[:12]


class Registry:
    """MLflow, seen from the training and scoring assets.

    Args:
        database: the SQLite file; made when absent.
        artifacts: the folder for artifacts.
    """

    def __init__(self, database: Path, artifacts: Path) -> None:
        self._uri = f"sqlite:///{database}"
        self._artifacts = artifacts
        database.parent.mkdir(parents=True, exist_ok=True)

    @property
    def _client(self) -> MlflowClient:
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        # Alembic and MLflow announce every step of the store's creation and every model logged.
        for name in ("alembic", "mlflow"):
            logging.getLogger(name).setLevel(logging.ERROR)
        mlflow.set_tracking_uri(self._uri)
        return MlflowClient(self._uri)

    def champions(self, question: str, until: date) -> list[Version]:
        """The champions trained for weeks on or before `until`, newest week first, newest version of a week first."""
        found = self._client.search_model_versions(f"name = '{question}'")
        champions = [_version(entry) for entry in found if entry.tags.get("role") == CHAMPION]
        known = (version for version in champions if version.week <= until)
        return sorted(known, key=lambda v: (v.week, v.number), reverse=True)

    def champion(self, question: str, as_of: date) -> Version | None:
        """The champion as it stood on a day: the one of the newest week on or before it."""
        return next(iter(self.champions(question, as_of)), None)

    def at_week(self, question: str, week: date) -> Version | None:
        """The champion trained for exactly this week."""
        champion = self.champion(question, week)
        return champion if champion is not None and champion.week == week else None

    def load(self, version: Version) -> Model:
        """The fitted model of a version.

        Raises:
            DamagedModelError: whatever is the matter with its files.
        """
        _ = self._client
        try:
            loaded = mlflow.pyfunc.load_model(f"models:/{version.question}/{version.number}")
            model = loaded.unwrap_python_model().model
            name = model.name
        except Exception as error:
            reason = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
            raise DamagedModelError(version, reason) from error
        if name != version.method:
            raise DamagedModelError(version, f"it holds '{name}', not '{version.method}'")
        return model

    def is_sound(self, version: Version) -> bool:
        """Whether a version can be loaded."""
        try:
            self.load(version)
        except DamagedModelError:
            return False
        return True

    def comparison(self, version: Version) -> pl.DataFrame:
        """The contest a version comes from: one row per method with the metrics known on the holdout, simplest first."""
        _ = self._client
        text = mlflow.artifacts.load_text(f"runs:/{version.run_id}/comparison.csv")
        contest = pl.read_csv(text.encode(), infer_schema_length=None).fill_nan(None)
        return contest.select(metric for metric in contest if metric.null_count() < contest.height)

    def references(self, version: Version) -> dict[str, Reference]:
        """How a version's inputs ("features") and answers ("scores") were spread; empty where its training kept nothing."""
        client = self._client
        if REFERENCE not in {file.path for file in client.list_artifacts(version.run_id)}:
            return {}
        return from_json(mlflow.artifacts.load_text(f"runs:/{version.run_id}/{REFERENCE}"))

    def record(self, question: str, week: date, fingerprint: str, lesson: Lesson) -> Version:
        """Log a week's lesson as a run, register its champion and challenger, and move the aliases."""
        client = self._client
        verdict = lesson.verdict
        with mlflow.start_run(
            experiment_id=self.experiment(question),
            run_name=f"{week} {verdict.winner}",
            description=verdict.reason,
        ) as run:
            mlflow.set_tags(
                {"week": week.isoformat(), "champion": verdict.winner, "fingerprint": fingerprint}
            )
            _log_lesson(lesson)
            mlflow.log_text(model_card(question, week, fingerprint, lesson), CARD)
            roles = {verdict.winner: CHAMPION, verdict.runner_up: CHALLENGER}
            numbers = {roles[method]: _log_model(question, lesson, method) for method in lesson.fitted}
        newest = self.champion(question, date.max)
        is_newest = newest is None or newest.week <= week
        client.set_registered_model_alias(question, alias(week), numbers[CHAMPION])
        if is_newest:
            for role in (CHAMPION, CHALLENGER):
                if role in numbers:
                    client.set_registered_model_alias(question, role, numbers[role])
                elif newest is not None:
                    client.delete_registered_model_alias(question, role)
        # `champions` sees a version by its role: set last, so that what is seen is complete.
        for role, number in sorted(numbers.items(), key=lambda item: item[0] == CHAMPION):
            tags = {
                "week": week.isoformat(),
                "method": verdict.winner if role == CHAMPION else str(verdict.runner_up),
                "fingerprint": fingerprint,
                "decision": verdict.reason,
                "role": role,
            }
            for key, value in tags.items():
                client.set_model_version_tag(question, number, key, value)
        return next(v for v in self.champions(question, week) if v.run_id == run.info.run_id)

    def prepare(self, questions: Iterable[str]) -> None:
        """Make the store and an experiment per question, before several processes ask for them at once."""
        for question in questions:
            self.experiment(question)

    def experiment(self, question: str) -> str:
        """Id of the experiment of a question; made where it is absent."""
        client = self._client
        experiment = client.get_experiment_by_name(question)
        if experiment is not None:
            return str(experiment.experiment_id)
        unused = client.get_experiment(UNUSED_EXPERIMENT)
        if unused.lifecycle_stage == "active":
            client.delete_experiment(UNUSED_EXPERIMENT)
        return client.create_experiment(question, artifact_location=(self._artifacts / question).as_uri())


def _log_lesson(lesson: Lesson) -> None:
    """Metrics as `<metric>/<method>`, so that MLflow shows the methods of one metric side by side."""
    for method, answer in lesson.answers.items():
        known = {name: value for name, value in answer.metrics.items() if math.isfinite(value)}
        mlflow.log_metrics({f"{name}/{method}": value for name, value in known.items()})
        if method == lesson.verdict.winner:
            mlflow.log_metrics(known)
    mlflow.log_params(lesson.params(lesson.verdict.winner))
    mlflow.log_text(lesson.comparison.write_csv(), "comparison.csv")
    for name, frame in lesson.tables.items():
        mlflow.log_text(frame.write_csv(), name)
    if lesson.references:
        mlflow.log_text(to_json(lesson.references), REFERENCE)
    for name, figure in lesson.figures.items():
        mlflow.log_figure(figure, name)


def _log_model(question: str, lesson: Lesson, method: str) -> str:
    """Log one fitted method with signature and example; returns the version's number."""
    model = lesson.fitted[method]
    example = lesson.example.to_pandas()
    with warnings.catch_warnings():
        # MLflow points out at each inference of a signature that integer columns may hold nulls.
        warnings.simplefilter("ignore", UserWarning)
        logged = mlflow.pyfunc.log_model(
            name=method,
            python_model=_Pickled(model),
            signature=infer_signature(example, model.predict(lesson.example).to_pandas()),
            input_example=example,
            pip_requirements=REQUIREMENTS,
            registered_model_name=question,
        )
    return str(logged.registered_model_version)


def _version(entry: ModelVersion) -> Version:
    tags = entry.tags
    return Version(
        question=entry.name,
        week=date.fromisoformat(tags["week"]),
        number=int(entry.version),
        run_id=str(entry.run_id),
        role=tags["role"],
        method=tags["method"],
        fingerprint=tags["fingerprint"],
        decision=tags["decision"],
    )
