"""What a run carries and a day is compared with: importances, contributions, references, the model card."""

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from customer_frames import World
from polars.testing import assert_frame_equal

from models.evaluation.champion import Criterion
from models.evaluation.contest import Answer, hold_contest
from models.evaluation.drift import Reference, Spread, from_json, to_json
from models.evaluation.importance import contribution_table, permutation_importance, sample_rows
from models.evaluation.metrics import calibration_by_tenths, rmse
from models.lessons.card import model_card
from models.lessons.customers import learn_value
from models.lessons.lesson import Lesson, made_up
from models.model import Explanation

RNG = np.random.default_rng(1)
RMSE = Criterion("rmse", rmse, higher_is_better=False, margin=0.0)
ROWS = pl.DataFrame({"used": RNG.normal(size=500), "ignored": RNG.normal(size=500), "constant": [1.0] * 500})


def judge(copies: pl.DataFrame, n_copies: int) -> np.ndarray:
    """RMSE of the model y = 2 x used, which is the truth."""
    truth = 2.0 * ROWS["used"].to_numpy()
    predicted = 2.0 * copies["used"].to_numpy().reshape(n_copies, -1)
    return np.array([rmse(truth, row) for row in predicted])


def test_what_a_model_does_not_use_has_no_importance() -> None:
    table = permutation_importance(ROWS, ROWS.columns, judge, RMSE)
    found = dict(zip(table["feature"], table["importance"], strict=True))
    # Two independent draws of variance 4 differ by sqrt(8).
    assert found["used"] == pytest.approx(8**0.5, rel=0.1)
    assert found["ignored"] == found["constant"] == 0.0
    assert table["feature"][0] == "used"
    assert table.equals(permutation_importance(ROWS, ROWS.columns, judge, RMSE))


def test_what_is_known_of_a_customer_is_dealt_out_among_customers() -> None:
    customer = np.repeat(np.arange(50), 10)
    frame = pl.DataFrame({"customer": customer, "age": customer * 1.0})
    seen = []

    def look(copies: pl.DataFrame, n_copies: int) -> np.ndarray:
        seen.append(copies)
        return np.zeros(n_copies)

    permutation_importance(frame, ["age"], look, RMSE, units={"age": customer}, n_repeats=1)
    dealt = seen[0].group_by("customer").agg(pl.col("age").n_unique().alias("n"), pl.col("age").first())
    assert set(dealt["n"]) == {1}
    assert set(dealt["age"]) == set(frame["age"])
    assert (dealt["age"] != dealt["customer"]).mean() > 0.9


def test_a_sample_keeps_the_order_and_small_frames_whole() -> None:
    numbered = ROWS.with_row_index()
    assert sample_rows(numbered, 50)["index"].is_sorted()
    assert sample_rows(numbered, 50).height == 50
    assert sample_rows(numbered, 1000).equals(numbered)


def test_contributions_say_how_much_and_in_which_direction() -> None:
    values = np.column_stack([np.arange(9.0), np.full(9, np.nan)])
    table = contribution_table(
        Explanation(("down", "missing"), values, np.column_stack([-np.arange(9.0), np.zeros(9)]))
    )
    assert table.rows() == [("down", 4.0, pytest.approx(-1.0)), ("missing", 0.0, None)]


def test_equal_predictions_share_a_group_of_the_calibration() -> None:
    assert calibration_by_tenths([0, 1, 0, 1], [0.5] * 4).rows() == [(4, 0.5, 0.5)]
    assert calibration_by_tenths(np.arange(100), np.arange(100)).height == 10


def people(shift: float = 0.0, country: str = "DE", n: int = 1000) -> pl.DataFrame:
    draw = np.random.default_rng(3)
    return pl.DataFrame({"spend": draw.normal(shift, 1, n), "country": [country] * n})


def test_the_same_table_has_not_drifted() -> None:
    compared = Reference.of(people()).compare(people())
    assert compared["psi"].to_list() == pytest.approx([0.0, 0.0], abs=1e-4)
    assert set(compared["state"]) == {"stable"}


def test_a_shift_alarms_and_names_the_column() -> None:
    compared = Reference.of(people()).compare(people(shift=1.0, country="FR"))
    assert set(compared["state"]) == {"alarm"}
    assert compared["column"][0] == "country"


def test_what_moved_as_far_in_training_is_expected_but_silence_is_not() -> None:
    reference = Reference.of(people(), people(shift=-0.8))
    moved = reference.compare(people(shift=0.5))
    silent = reference.compare(people().with_columns(spend=None))
    assert (
        Reference.of(people()).compare(people(shift=0.5)).filter(column="spend")["state"].item() != "stable"
    )
    assert moved.filter(column="spend")["state"].item() == "stable"
    assert silent.filter(column="spend")["state"].item() == "alarm"


def opened(n_mails: int, chance: float = 0.2, n: int = 2000) -> pl.DataFrame:
    """Customers who were all sent so many mails, and open each with one chance."""
    opens = np.random.default_rng(n_mails).binomial(n_mails, chance, n)
    return pl.DataFrame({"open_rate_90d": opens / n_mails})


def test_one_more_mail_to_everybody_is_no_drift_of_the_open_rate() -> None:
    reference = Reference.of(opened(3), opened(2))
    for n_mails in (4, 5, 12):
        assert reference.compare(opened(n_mails))["state"].to_list() == ["stable"]
    assert reference.compare(opened(4, chance=0.001))["state"].to_list() == ["alarm"]
    assert reference.compare(opened(4).with_columns(open_rate_90d=None))["state"].to_list() == ["alarm"]


def test_what_chance_brings_about_among_few_is_no_drift() -> None:
    draw = np.random.default_rng(5)
    states = [
        Reference.of(pl.DataFrame({"spend": draw.normal(size=60)})).compare(
            pl.DataFrame({"spend": draw.normal(size=60)})
        )["state"][0]
        for _ in range(300)
    ]
    assert states.count("stable") >= 290
    few = pl.DataFrame({"spend": draw.normal(size=60)})
    assert Reference.of(few).compare(few + 2)["state"].to_list() == ["alarm"]


def test_a_shop_too_young_to_say_what_is_usual_is_not_compared() -> None:
    assert Reference.of(people(), people().clear()).compare(people(shift=1.0)).is_empty()


def test_a_reference_survives_as_text_and_holds_no_rare_level() -> None:
    frame = people().with_columns(
        pl.when(pl.int_range(pl.len()) < 5).then(pl.lit("LI")).otherwise("country").alias("country")
    )
    references = {"features": Reference.of(frame, people()), "scores": Reference.of(opened(3), opened(2))}
    text = to_json(references)
    assert from_json(text) == references
    assert "LI" not in text


def test_few_people_are_not_cut_into_bins() -> None:
    assert Spread.of(pl.Series([1.0, 2.0, 3.0])).edges == ()


def test_no_rows_are_no_drift() -> None:
    assert Reference.of(people().clear()).compare(people()).is_empty()
    assert Reference.of(people()).compare(people().clear()).is_empty()


def test_rows_of_one_customer_are_resampled_together() -> None:
    outcome = RNG.normal(size=60)
    answers = {"a": Answer(outcome + RNG.normal(size=60), {}), "b": Answer(outcome + RNG.normal(size=60), {})}
    repeated = {name: Answer(np.repeat(answer.predicted, 20), {}) for name, answer in answers.items()}
    groups = np.repeat(np.arange(60), 20)
    alone, grouped = (
        hold_contest(repeated, np.repeat(outcome, 20), RMSE, None, by).intervals["a"] for by in (None, groups)
    )
    assert grouped.high - grouped.low > 3 * (alone.high - alone.low)
    assert grouped.low < grouped.estimate < grouped.high


def test_the_lead_is_positive_where_the_winner_is_better_also_for_errors() -> None:
    outcome = RNG.normal(size=300)
    answers = {"bad": Answer(outcome + RNG.normal(scale=2, size=300), {}), "good": Answer(outcome + 0.1, {})}
    verdict = hold_contest(answers, outcome, RMSE, None)
    assert verdict.winner == "good"
    assert set(verdict.leads) == {"bad"}
    assert verdict.leads["bad"].low > 0


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    frame = World(700, seed=3).training(date(2025, 9, 1), n_snapshots=6)
    return learn_value(frame.with_columns(first_seen_at=None), None)


def test_a_lesson_carries_all_that_a_run_shows(lesson: Lesson) -> None:
    assert {"importance.csv", "contributions.csv", "calibration.csv", "training_data.csv"} <= set(
        lesson.tables
    )
    assert {"lift.png", "calibration.png", "comparison.png", "importance.png", "contributions.png"} <= set(
        lesson.figures
    )
    assert {"margin_gini_low", "margin_gini_high", "lead", "lead_low", "lead_high"} <= set(
        lesson.comparison.columns
    )
    assert set(lesson.references) == {"features", "scores"}


def test_an_example_is_about_nobody() -> None:
    n = 400
    people = pl.DataFrame(
        {
            "customer_id": [f"c{i}" for i in range(n)],
            "first_seen_at": [
                datetime(2025, 1, 1, 10, 30, 1, 250_000) + timedelta(hours=i) for i in range(n)
            ],
            "revenue": [1000.0 + i for i in range(n)],
            "seen": [[i, i] for i in range(n)],
            "place": range(n),
        }
    )
    example = made_up(people, 5)
    assert_frame_equal(example, made_up(people, 5))
    assert example.schema == people.schema
    assert example["customer_id"].to_list() == [f"made-up-customer-{i}" for i in range(1, 6)]
    assert (example["first_seen_at"] == example["first_seen_at"].dt.truncate("1d")).all()
    assert set(example["revenue"]) <= {1000.0, 1100.0, 1200.0, 1300.0, 1400.0}
    assert (example["seen"].list.first() != example["place"]).all()
    assert made_up(people.head(2), 5).height == 2
    assert made_up(people.clear(), 5).is_empty()


def test_a_lesson_asks_about_nobody(lesson: Lesson) -> None:
    assert lesson.example["customer_id"].str.starts_with("made-up-customer-").all()
    assert lesson.winner.predict(lesson.example).height == lesson.example.height


def test_the_card_tells_what_it_must(lesson: Lesson) -> None:
    card = model_card("lifetime_value", date(2025, 9, 1), "abc123", lesson)
    for said in (
        *lesson.answers,
        *("Not for:", "2025-06-03", "holdout", "margin_gini_low", "Permutation importance", "SHAP"),
        *("Protected attributes", "## Limits", "sendplan train --as-of 2025-09-01", "abc123"),
    ):
        assert said in card, said
    assert "c00" not in card


def test_a_shop_without_labels_has_a_card_too() -> None:
    frame = World(60, seed=3).training(date(2025, 9, 1), n_snapshots=0)
    card = model_card(
        "lifetime_value", date(2025, 9, 1), "abc", learn_value(frame.with_columns(first_seen_at=None), None)
    )
    assert "There was nothing to judge on" in card
