"""What the customer tables say, held against the simulator's truth and against themselves at other dates."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from dbt_harness import Dbt, read_features, simulated_raw

from shop.places import PLACES

PLAN_DATE = date(2025, 4, 10)
EARLIER = [date(2025, 2, 1), date(2025, 3, 1), date(2025, 3, 17), date(2025, 4, 1)]
ZONES = {city: place.timezone for place in PLACES for city, _ in place.cities}


@pytest.fixture(scope="module")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    """A shop that knows nobody's country and every second customer's time zone; all may be profiled."""
    root = tmp_path_factory.mktemp("customers")
    raw = simulated_raw(root, customers=700, days=120, end=PLAN_DATE)
    customers = pl.read_parquet(raw / "customers.parquet")
    stated = pl.when(pl.int_range(pl.len()) % 2 == 0).then("timezone")
    customers.with_columns(country=pl.lit(None, pl.String), timezone=stated).write_parquet(
        raw / "customers.parquet"
    )
    consents = pl.read_parquet(raw / "consents.parquet")
    consents.filter(pl.col("purpose") != "profiling").write_parquet(raw / "consents.parquet")
    return Dbt(root, raw)


@pytest.fixture(scope="module")
def tables(dbt: Dbt) -> dict[str, pl.DataFrame]:
    folder = dbt.root / "features"
    variables = dbt.variables(folder, [*EARLIER, PLAN_DATE], at_risk_min_days=20, lapsed_min_days=45)
    dbt.must("run", "--select", "+dim_customer_profile", variables=variables)
    return read_features(folder)


def test_a_hidden_clock_is_found_from_the_hours_of_activity(
    dbt: Dbt, tables: dict[str, pl.DataFrame]
) -> None:
    people = pl.read_parquet(dbt.raw / "customers.parquet").select(
        "customer_id", "timezone", offset=pl.col("city").replace_strict(_offsets(), return_dtype=pl.Float64)
    )
    found = tables["feat_customer"].filter(pl.col("as_of") == PLAN_DATE).join(people, on="customer_id")
    known = found.filter(pl.col("timezone").is_not_null())
    assert known["utc_offset_hours_inferred"].equals(known["offset"].alias("utc_offset_hours_inferred"))
    assert set(known["timezone_basis"]) == {"own"}
    guessed = found.filter(pl.col("timezone_basis") == "activity").with_columns(
        error=((pl.col("utc_offset_hours_inferred") - pl.col("offset") + 12) % 24 - 12).abs()
    )
    often = guessed.filter(pl.col("n_activity_365d") >= 20)
    assert often.height > 20
    assert often.select((pl.col("error") <= 2).mean()).item() > 0.8
    right = guessed.select((pl.col("error") <= 1).mean()).item()
    assert guessed["timezone_confidence"].mean() == pytest.approx(right, abs=0.12)


def test_a_guess_without_evidence_is_not_made(tables: dict[str, pl.DataFrame]) -> None:
    customers = tables["feat_customer"]
    unknown = customers.filter(pl.col("timezone_basis") == "none")
    assert unknown.height > 0
    assert unknown["n_activity_365d"].max() < 5
    assert unknown["usual_hour"].null_count() == unknown.height


def test_a_history_of_stages_agrees_with_the_snapshots_of_its_time(tables: dict[str, pl.DataFrame]) -> None:
    history = _history(tables["dim_customer_profile"].filter(pl.col("as_of") == PLAN_DATE), "stage")
    assert set(history["stage"]) == {"prospect", "new", "active", "loyal", "at_risk", "lapsed"}
    for day in [*EARLIER, PLAN_DATE]:
        then = history.filter(pl.col("since") <= day).group_by("customer_id").agg(pl.last("stage"))
        snapshot = tables["feat_customer"].filter(pl.col("as_of") == day)
        both = snapshot.join(then, on="customer_id", how="left")
        assert both.filter(pl.col("stage").ne_missing(pl.col("lifecycle_stage"))).height == 0, day


def test_a_history_of_segments_agrees_with_the_snapshots_of_its_time(
    tables: dict[str, pl.DataFrame],
) -> None:
    profiles = tables["dim_customer_profile"]
    history = _history(profiles.filter(pl.col("as_of") == PLAN_DATE), "segment").rename({"segment": "told"})
    for day in (day for day in EARLIER if day.day == 1):
        then = history.filter(pl.col("since") <= day).group_by("customer_id").agg(pl.last("told"))
        snapshot = profiles.filter(pl.col("as_of") == day)
        both = snapshot.join(then, on="customer_id", how="left")
        assert both.height > 500
        assert both.filter(pl.col("told").ne_missing(pl.col("segment"))).height == 0, day


def test_affinities_add_up(tables: dict[str, pl.DataFrame]) -> None:
    affinity = tables["feat_affinity"]
    kinds = ("customer_id", "as_of", "kind")
    assert affinity.group_by(kinds).agg(pl.col("rank").max() == pl.len())["rank"].all()
    whole = affinity.filter(pl.len().over(kinds) < 10).group_by(kinds).agg(pl.col("share").sum())
    assert whole["share"].min() == pytest.approx(1)
    assert whole["share"].max() == pytest.approx(1)


def test_no_figure_is_empty_for_everybody(tables: dict[str, pl.DataFrame]) -> None:
    customers = tables["feat_customer"].filter(pl.col("as_of") == PLAN_DATE)
    for name, values in customers.to_dict().items():
        if name in ("country", "site_tablet_share", "mail_tablet_share"):
            continue
        assert values.drop_nulls().len() > 0, name
    used = customers.filter(pl.col("n_offers_used_365d") > 0)
    assert used.height > 0
    assert (used["coupon_order_share"] > 0).all()


def test_the_profile_names_nobody(dbt: Dbt, tables: dict[str, pl.DataFrame]) -> None:
    people = pl.read_parquet(dbt.raw / "customers.parquet")
    profiles = tables["dim_customer_profile"].select(pl.selectors.string()).unpivot()["value"]
    for column in ("email", "last_name"):
        assert set(profiles.drop_nulls()) & set(people[column].drop_nulls()) == set(), column


def _offsets() -> dict[str, float]:
    midnight = datetime.combine(PLAN_DATE, time(), tzinfo=ZoneInfo("UTC"))
    return {
        city: offset.total_seconds() / 3600
        for city, zone in ZONES.items()
        if (offset := midnight.astimezone(ZoneInfo(zone)).utcoffset()) is not None
    }


def _history(profiles: pl.DataFrame, what: str) -> pl.DataFrame:
    """One row per entry of a history, in its order."""
    column = f"{what}_history"
    return profiles.select("customer_id", column).explode(column).unnest(column)
