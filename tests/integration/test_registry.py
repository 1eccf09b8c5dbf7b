"""The registry keeps a lesson as an MLflow run and finds the champion of any day again."""

import shutil
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Self

import dagster as dg
import mlflow
import numpy as np
import polars as pl
import pytest
from command_line import Command
from polars.testing import assert_frame_equal

from assets.home import Home
from assets.privacy.fitted import drop_examples_of_people
from assets.registry import DamagedModelError, Registry, Version, fingerprint
from assets.training import QUESTIONS, _question
from models.evaluation.contest import Answer, Verdict
from models.lessons.lesson import Lesson

EARLY, LATE = date(2025, 6, 2), date(2025, 6, 9)
EXAMPLE = pl.DataFrame({"customer_id": ["a", "b"], "n_orders": [1.0, 2.0]})


@dataclass
class Constant:
    """Says the same of everybody."""

    value: float
    name: str = "constant"
    features: tuple[str, ...] = ("n_orders",)

    @property
    def params(self) -> dict[str, Any]:
        return {"value": self.value}

    def fit(self, frame: pl.DataFrame) -> Self:
        return self

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.select("customer_id", score=pl.lit(self.value))


def lesson(value: float) -> Lesson:
    answers = {
        "mean": Answer(np.zeros(2), {"rmse": 2.0, "r": float("nan")}),
        "constant": Answer(np.ones(2), {"rmse": 1.0, "r": 0.5}),
    }
    verdict = Verdict("constant", "mean", "constant is the first champion: best rmse")
    fitted = {"constant": Constant(value), "mean": Constant(0.0, "mean")}
    return Lesson(verdict, answers, fitted, EXAMPLE)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "mlflow.db", tmp_path / "artifacts")


def test_a_run_holds_every_method_side_by_side(registry: Registry) -> None:
    version = registry.record("value", EARLY, "abc", lesson(3.0))
    (run,) = mlflow.search_runs(experiment_names=["value"], output_format="list")
    assert run.info.run_id == version.run_id
    assert run.data.metrics == {
        "rmse/mean": 2.0,
        "rmse/constant": 1.0,
        "rmse": 1.0,
        "r/constant": 0.5,
        "r": 0.5,
    }
    assert run.data.params == {"value": "3.0"}
    assert run.data.tags["champion"] == "constant"


def test_a_model_answers_without_the_example_it_was_logged_with(tmp_path: Path) -> None:
    """Examples of people go with the first erasure, those of nobody stay."""
    home = Home(tmp_path, tmp_path / "landing")
    registry = Registry(home.registry_db, home.artifacts)
    of_nobody = replace(lesson(1.0), example=EXAMPLE.with_columns(customer_id=pl.lit("made-up-customer-1")))
    registry.record("churn", EARLY, "abc", of_nobody)
    version = registry.record("value", EARLY, "abc", lesson(3.0))
    drop_examples_of_people(home)
    kept = [path.relative_to(home.artifacts).parts[0] for path in home.artifacts.rglob("*input_example.json")]
    assert kept == ["churn"] * 4
    assert registry.load(version).predict(EXAMPLE)["score"].to_list() == [3.0, 3.0]
    served = mlflow.pyfunc.load_model(f"models:/value/{version.number}")
    assert served.predict(EXAMPLE.to_pandas())["score"].to_list() == [3.0, 3.0]


def test_the_champion_of_a_day_does_not_depend_on_the_order_of_training(tmp_path: Path) -> None:
    labels = []
    for order in ([EARLY, LATE], [LATE, EARLY]):
        registry = Registry(tmp_path / f"{order[0]}.db", tmp_path / f"artifacts-{order[0]}")
        for week in order:
            registry.record("value", week, "abc", lesson(1.0))
        found = [registry.champion("value", day) for day in (date(2025, 6, 8), LATE)]
        labels.append([version.label for version in found if version])
        client = mlflow.MlflowClient()
        newest = registry.champion("value", LATE)
        assert newest is not None
        assert int(client.get_model_version_by_alias("value", "champion").version) == newest.number
    assert labels[0] == labels[1] == ["value@w2025-06-02", "value@w2025-06-09"]


def test_there_is_no_champion_before_the_first_training(registry: Registry) -> None:
    assert registry.champion("value", LATE) is None
    registry.record("value", LATE, "abc", lesson(1.0))
    assert registry.champion("value", EARLY) is None
    assert registry.at_week("value", EARLY) is None


def test_a_loaded_model_answers_as_the_fitted_one_and_through_mlflow_too(registry: Registry) -> None:
    version = registry.record("value", EARLY, "abc", lesson(3.0))
    expected = Constant(3.0).predict(EXAMPLE)
    assert_frame_equal(registry.load(version).predict(EXAMPLE), expected)
    served = mlflow.pyfunc.load_model("models:/value@champion").predict(EXAMPLE.to_pandas())
    assert_frame_equal(pl.from_pandas(served), expected)


def test_the_runner_up_is_registered_as_challenger(registry: Registry) -> None:
    registry.record("value", EARLY, "abc", lesson(3.0))
    challenger = mlflow.MlflowClient().get_model_version_by_alias("value", "challenger")
    assert challenger.tags["method"] == "mean"


def test_a_fingerprint_changes_with_content_and_facts(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    file.write_bytes(b"one")
    first = fingerprint([file], "question", "1")
    assert first == fingerprint([file], "question", "1")
    assert first != fingerprint([file], "question", "2")
    file.write_bytes(b"two")
    assert first != fingerprint([file], "question", "1")


def folder_of(version: Version) -> Path:
    """Where MLflow keeps the fitted model of a version."""
    return Path(mlflow.artifacts.download_artifacts(f"models:/{version.question}/{version.number}"))


def cut_pickle(folder: Path) -> None:
    file = folder / "python_model.pkl"
    file.write_bytes(file.read_bytes()[:40])


def empty_pickle(folder: Path) -> None:
    (folder / "python_model.pkl").write_bytes(b"")


def no_description(folder: Path) -> None:
    (folder / "MLmodel").write_text("flavors: {")


def test_a_damaged_model_is_named_with_the_remedy(registry: Registry, tmp_path: Path) -> None:
    version = registry.record("value", EARLY, "abc", lesson(3.0))
    folder = folder_of(version)
    sound = shutil.copytree(folder, tmp_path / "sound")
    for damage in (cut_pickle, empty_pickle, no_description, shutil.rmtree):
        damage(folder)
        with pytest.raises(DamagedModelError) as raised:
            registry.load(version)
        said = str(raised.value)
        assert said.startswith("models:/value@w2025-06-02 cannot be loaded (")
        assert said.endswith("; make it anew with: sendplan train --as-of 2025-06-02")
        assert len(said.splitlines()) == 1
        shutil.copytree(sound, folder, dirs_exist_ok=True)
    assert registry.is_sound(version)


def test_another_model_in_the_place_of_a_version_is_refused(registry: Registry) -> None:
    version, other = (registry.record(name, EARLY, "abc", lesson(3.0)) for name in ("churn", "segments"))
    stranger = mlflow.MlflowClient().get_model_version_by_alias("segments", "challenger").version
    pickle = folder_of(replace(other, number=int(stranger))) / "python_model.pkl"
    shutil.copy(pickle, folder_of(version) / "python_model.pkl")
    with pytest.raises(DamagedModelError, match="it holds 'mean', not 'constant'"):
        registry.load(version)


def test_a_damaged_model_is_trained_again_and_a_sound_one_is_kept(registry: Registry, tmp_path: Path) -> None:
    asset = _question("value", lambda *_: lesson(3.0), (), "Values.")
    folder = Home(tmp_path, tmp_path).training(EARLY)
    folder.mkdir(parents=True)
    EXAMPLE.write_parquet(folder / "feat_customer.parquet")

    def trained() -> Version:
        resources = {"home": Home(tmp_path, tmp_path), "registry": registry}
        assert dg.materialize([asset], resources=resources, partition_key=str(EARLY)).success
        version = registry.at_week("value", EARLY)
        assert version is not None
        return version

    first = trained()
    assert trained() == first
    cut_pickle(folder_of(first))
    again = trained()
    assert again.number > first.number
    assert_frame_equal(registry.load(again).predict(EXAMPLE), Constant(3.0).predict(EXAMPLE))


def test_doctor_names_a_champion_that_cannot_be_loaded(sendplan: Command, tmp_path: Path) -> None:
    home = Home(tmp_path / "home", tmp_path / "home" / "landing")
    registry = Registry(home.registry_db, home.artifacts)
    sound, damaged = (registry.record(name, EARLY, "abc", lesson(3.0)) for name in QUESTIONS[:2])
    cut_pickle(folder_of(damaged))
    said = sendplan("doctor", "--json", home=home.root)
    assert said.code == 1
    assert said.json[f"model {sound.question}"]["ok"]
    found = said.json[f"model {damaged.question}"]
    assert not found["ok"]
    assert found["found"].startswith("constant, trained for 2025-06-02, cannot be loaded (")
    assert found["remedy"] == "make it anew with: sendplan train --as-of 2025-06-02"
