"""What mailing adds, on made-up shops where it is known: bias, coverage, less variance, and silence where too few are."""

import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from outcome_world import OutcomeWorld

from models.evaluation.incrementality import (
    MEMBERSHIP,
    REPORT_SCHEMA,
    SAME_MESSAGE,
    IncrementalityParams,
    by_dimension,
)
from models.model import MissingFeatureError

N_REPEATS = 40
WORLD = OutcomeWorld()
TRUTH = WORLD.truth()
FIGURE = "incremental_orders_per_mail"


@pytest.fixture(scope="module")
def logs() -> list[pl.DataFrame]:
    return [WORLD.outcomes(1000 + seed) for seed in range(N_REPEATS)]


@pytest.fixture(scope="module")
def reports(logs: list[pl.DataFrame]) -> pl.DataFrame:
    dimensions = ["all", "message_key", "subject_variant"]
    return pl.concat(by_dimension(log, dimensions).with_columns(seed=seed) for seed, log in enumerate(logs))


def off(values: pl.Series, truth: float) -> float:
    """Bias in Monte-Carlo standard errors."""
    return abs(float(values.to_numpy().mean()) - truth) / (
        float(values.to_numpy().std()) / np.sqrt(len(values))
    )


def of(reports: pl.DataFrame, dimension: str, level: str) -> pl.DataFrame:
    return reports.filter(pl.col("dimension") == dimension, pl.col("level") == level)


@pytest.mark.parametrize(("dimension", "level"), [key for key in TRUTH if key[0] != "segment"])
def test_increments_are_right_on_average(reports: pl.DataFrame, dimension: str, level: str) -> None:
    found = of(reports, dimension, level)
    assert found[FIGURE].len() == N_REPEATS
    assert off(found[FIGURE], TRUTH[dimension, level]) < 3.5
    assert off(found["incremental_revenue_per_mail"], 50 * TRUTH[dimension, level]) < 3.5


def test_intervals_cover_the_truth_as_often_as_they_say(reports: pl.DataFrame) -> None:
    truth = pl.DataFrame(
        [(*key, value) for key, value in TRUTH.items()], schema=["dimension", "level", "truth"], orient="row"
    )
    covered = reports.join(truth, on=["dimension", "level"]).select(
        pl.col("truth").is_between(f"{FIGURE}_low", f"{FIGURE}_high").mean()
    )
    assert 0.91 <= covered.item() <= 0.985


def test_the_share_of_what_is_attributed_is_that_of_the_truth(reports: pl.DataFrame) -> None:
    found = of(reports, "all", "all")
    truth = TRUTH["all", "all"] / found["attributed_orders_per_mail"].mean()
    assert found["incremental_share_orders"].mean() == pytest.approx(truth, rel=0.1)
    covered = found.select(
        pl.lit(truth).is_between("incremental_share_orders_low", "incremental_share_orders_high").mean()
    )
    assert covered.item() >= 0.85


def test_figures_of_before_take_variance_out_and_never_add_any(
    logs: list[pl.DataFrame], reports: pl.DataFrame
) -> None:
    kept = reports.group_by("dimension").agg(pl.col("variance_kept").mean())
    assert dict(kept.iter_rows())["all"] < 0.85
    assert kept["variance_kept"].max() < 1
    shuffled = [
        log.with_columns(pl.col("pre_orders").shuffle(seed).over("plan_date"))
        for seed, log in enumerate(logs[:20])
    ]
    useless = pl.concat(by_dimension(log, ["all"]) for log in shuffled)
    assert useless["variance_kept"].mean() == pytest.approx(1, abs=0.02)
    plain = IncrementalityParams(is_adjusted=False)
    spread = [by_dimension(log, ["all"], plain)[FIGURE].item() for log in logs]
    assert of(reports, "all", "all")[FIGURE].std() < np.std(spread)


def test_a_subject_that_frequent_buyers_get_is_not_credited_with_what_they_buy_anyway(
    logs: list[pl.DataFrame],
) -> None:
    """Without the logged chances it would be."""
    plain = IncrementalityParams(is_adjusted=False)
    level = "win_back / b"
    blind = [
        of(
            by_dimension(log.with_columns(propensity_variant=1.0), ["subject_variant"], plain),
            "subject_variant",
            level,
        )
        for log in logs
    ]
    assert off(pl.concat(blind)[FIGURE], TRUTH["subject_variant", level]) > 5


def test_each_level_says_what_it_rests_on(logs: list[pl.DataFrame]) -> None:
    report = by_dimension(logs[0])
    assert report.schema == dict(REPORT_SCHEMA)
    basis = dict(report.select("dimension", "basis").iter_rows())
    assert (basis["all"], basis["segment"], basis["message_key"]) == (MEMBERSHIP, MEMBERSHIP, SAME_MESSAGE)
    assert basis["subject_variant"].startswith("sends weighted by the chance of their variant")
    whole = of(report, "all", "all").row(0, named=True)
    mails = logs[0].filter("is_sent")
    assert whole["n_sent"] == mails.height == report.filter(dimension="message_key")["n_sent"].sum()
    assert whole["open_rate"] == pytest.approx(mails["is_human_open"].mean())
    assert whole["n_control"] == logs[0].filter("is_control")["customer_id"].n_unique()


def test_too_few_are_told_as_such_and_not_as_a_number() -> None:
    small = replace(WORLD, customers=120, control_share=0.2)
    cases = {
        "customers in the control group, 50 are needed": small.outcomes(1),
        "nobody to compare with": replace(small, control_share=0.0).outcomes(1),
        "customers in the control group ordered, 10 are needed": WORLD.outcomes(1).with_columns(
            pl.when("is_control").then(0.0).otherwise(f"{prefix}orders").alias(f"{prefix}orders")
            for prefix in ("day_", "credited_")
        ),
        "no mail is reported as sent": WORLD.outcomes(1).with_columns(is_sent=False),
    }
    for note, outcomes in cases.items():
        report = by_dimension(outcomes, ["all", "message_key"])
        assert report["note"].str.contains(note).all(), note
        assert report.select(pl.col("^incremental_.*$").is_null().all()).row(0) == (True,) * 18
        assert set(report["basis"]) == {"none"}
        assert report["n_planned"].min() > 0


def test_a_message_held_back_from_a_handful_is_left_out_of_an_hour_and_said_to_be() -> None:
    log = WORLD.outcomes(5)
    held = log.filter(control_message_key="win_back").get_column("customer_id").unique().sort()
    is_rare = pl.col("customer_id").is_in(held[9:]) & (pl.col("control_message_key") == "win_back").fill_null(
        False
    )
    log = log.filter(~is_rare).with_columns(
        local_hour=pl.when("is_sent").then(9).cast(pl.Int8), propensity_send_time=pl.lit(1.0)
    )
    (hour,) = by_dimension(log, ["local_hour"]).iter_rows(named=True)
    news = of(by_dimension(log, ["message_key"]), "message_key", "news").row(0, named=True)
    assert hour["level"] == "09:00"
    assert re.match(r"4\d% of the mails left out", hour["note"])
    assert hour[FIGURE] == news[FIGURE]
    assert hour["n_sent"] > news["n_sent"]


def test_incomplete_days_and_people_who_refuse_profiling_do_not_count() -> None:
    log = WORLD.outcomes(3)
    other = log.with_columns(
        is_complete=pl.lit(False),
        day_orders=pl.col("day_orders") + 5,
        plan_date=pl.col("plan_date").dt.offset_by("9d"),
    )
    private = log.with_columns(
        pl.col("^(day|credited|pre)_.*$", "n_attributed_orders", "attributed_revenue") * None,
        has_behaviour=pl.lit(False),
        customer_id=pl.format("private-{}", "customer_id"),
    )
    figures = [
        "level",
        FIGURE,
        f"{FIGURE}_low",
        "incremental_share_revenue",
        "n_customers",
        "attributed_orders_per_mail",
    ]
    expected = by_dimension(log).select(figures)
    assert by_dimension(pl.concat([log, other])).select(figures).equals(expected)
    assert by_dimension(pl.concat([log, private])).select(figures).equals(expected)


def test_an_empty_day_is_an_empty_report_and_a_missing_column_is_named() -> None:
    log = WORLD.outcomes(1)
    assert by_dimension(log.clear()).schema == dict(REPORT_SCHEMA)
    with pytest.raises(MissingFeatureError, match="credited_orders"):
        by_dimension(log.drop("credited_orders"))
