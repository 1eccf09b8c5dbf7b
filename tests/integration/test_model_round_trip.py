"""Every model that can become champion gives the same answers after MLflow has stored and loaded it."""

import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from assets.registry import Registry
from models.evaluation.contest import Verdict
from models.lessons.hours import METHODS as SEND_TIME_METHODS
from models.lessons.lesson import Lesson
from models.model import Model
from models.send_time import SendTimeModel, send_hour_profile

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from test_model_contract import CASES, Case, _fitted

WEEK = date(2025, 9, 1)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    root = tmp_path_factory.mktemp("mlflow")
    return Registry(root / "mlflow.db", root / "artifacts")


def stored(registry: Registry, question: str, model: Model, example: pl.DataFrame) -> Model:
    """The model as the registry gives it back."""
    lesson = Lesson(Verdict(model.name, None, "the only one"), {}, {model.name: model}, example)
    return registry.load(registry.record(question, WEEK, "abc", lesson))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_stored_model_answers_as_before(registry: Registry, case: Case) -> None:
    model = _fitted(case)
    loaded = stored(registry, case.name, model, case.asked().head(3))
    assert_frame_equal(loaded.predict(case.asked()), model.predict(case.asked()), check_exact=True)


@pytest.mark.parametrize("method", SEND_TIME_METHODS)
def test_a_stored_send_time_answers_as_before(registry: Registry, method: str) -> None:
    draw = np.random.default_rng(1)
    n = 400
    sends = pl.DataFrame(
        {
            "customer_id": [f"c{i % 40}" for i in range(n)],
            "hour_of_week": draw.integers(0, 168, n),
            "is_human_open_24h": draw.random(n) < 0.3,
        }
    ).with_columns(sent_at=pl.lit(WEEK).cast(pl.Datetime("us")) - timedelta(days=3))
    hours = (
        sends.group_by("customer_id", "hour_of_week")
        .agg(
            n_sent=pl.len(),
            n_opened_24h=pl.col("is_human_open_24h").sum(),
            n_opens=pl.col("is_human_open_24h").sum(),
            n_visits=pl.len(),
        )
        .sort("customer_id", "hour_of_week")
    )
    profile = send_hour_profile(sends.select("customer_id").unique().sort("customer_id"), hours)
    model = SEND_TIME_METHODS[method]()
    model = model.fit(sends, hours) if isinstance(model, SendTimeModel) else model.fit(sends)
    loaded = stored(registry, f"send_time_{method}", model, profile.head(2))
    assert_frame_equal(loaded.predict(profile), model.predict(profile), check_exact=True)
