"""Every model that can become champion gives the same answers after MLflow has stored and loaded it."""

import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from assets.registry import Registry
from models.evaluation.contest import Verdict
from models.lessons.lesson import Lesson
from models.model import Model

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from test_model_contract import CASES, Case, registered

WEEK = date(2025, 9, 1)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    root = tmp_path_factory.mktemp("mlflow")
    return Registry(root / "mlflow.db", root / "artifacts")


def stored(registry: Registry, question: str, model: Model, example: pl.DataFrame) -> Model:
    """The model as the registry gives it back."""
    lesson = Lesson(Verdict(model.name, None, "the only one"), {}, {model.name: model}, example)
    return registry.load(registry.record(question, WEEK, "abc", lesson))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_a_stored_model_answers_as_before(registry: Registry, case: Case) -> None:
    model = registered(case)
    loaded = stored(registry, case.label, model, case.asked().head(3))
    assert_frame_equal(loaded.predict(case.asked()), model.predict(case.asked()), check_exact=True)
