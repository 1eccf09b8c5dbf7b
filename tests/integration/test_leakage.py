"""Time is the first rule: nothing that is landed about the day itself or later changes anything made for the day.

Here at the level of the whole product, from landing folder to published plan. `test_no_leakage_features` tries many more
worlds on the SQL alone.
"""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import mlflow
import numpy as np
import polars as pl
import pytest
from planned_shop import DAY, WEEK, Shop, assert_same_files

from assets.landing.contract import TABLES
from assets.training import QUESTIONS

MIDNIGHT = datetime.combine(DAY, datetime.min.time())
EVENT_NAMES = next(column.allowed for column in TABLES["events"].columns if column.name == "event")
N_EVENTS, N_NEWCOMERS = 400, 20


def add_later_rows(shop: Shop, seed: int) -> None:
    """Put events of every name, consents, customers and their mails into the landing folder, all from `DAY` on.

    Half of the events belong to customers, products, orders, mails and browsers that are known from before.
    """
    rng = np.random.default_rng(seed)
    known = pl.read_parquet(shop.home.landing / "events" / "day=*.parquet").filter(
        pl.col("occurred_at").is_between(MIDNIGHT - timedelta(days=20), MIDNIGHT)
    )

    def ids(column: str, size: int) -> list[str | None]:
        values = [*known[column].drop_nulls().unique().sort().sample(30, with_replacement=True, seed=seed)]
        strangers = [f"stranger-{n}" for n in range(10)]
        return rng.choice([*values, *strangers, None], size).tolist()

    def times(size: int) -> list[datetime]:
        """The first instant, the first minute, and up to forty days after."""
        spans = rng.choice([0.0, 60.0, 40 * 86_400.0], size) * rng.random(size)
        return [MIDNIGHT + timedelta(seconds=float(span)) for span in spans]

    events = pl.DataFrame(
        {
            "event_id": [f"later-{seed}-{n}" for n in range(N_EVENTS)],
            "event": rng.choice(list(EVENT_NAMES), N_EVENTS).tolist(),
            "occurred_at": times(N_EVENTS),
            **{
                name: ids(name, N_EVENTS)
                for name in ("customer_id", "anonymous_id", "product_id", "order_id", "message_id")
            },
            "quantity": rng.integers(1, 40, N_EVENTS),
            "price": rng.choice([0.5, 20.0, 999.0], N_EVENTS),
            "user_agent": rng.choice(["Mozilla/5.0", "Thunderbird"], N_EVENTS).tolist(),
            "properties": ['{"message_key":"weekly_picks","subject_variant":"a","kind":"hard","rating":1}']
            * N_EVENTS,
        }
    )
    events.write_parquet(shop.home.landing / "events" / f"later-{seed}.parquet")
    customers = pl.read_parquet(shop.home.landing / "customers.parquet")
    new = customers.sample(N_NEWCOMERS, seed=seed).with_columns(
        pl.format("stranger-{}", pl.int_range(pl.len())).alias("customer_id"),
        pl.Series("signed_up_at", times(N_NEWCOMERS)),
    )
    (shop.home.landing / "customers").mkdir(exist_ok=True)
    new.write_parquet(shop.home.landing / "customers" / "newcomers.parquet")
    everyone = pl.concat([customers.select("customer_id"), new.select("customer_id")])
    consents = pl.concat(
        everyone.select(
            "customer_id",
            pl.lit(purpose).alias("purpose"),
            pl.Series("granted", rng.random(everyone.height) < 0.5),
            pl.Series("occurred_at", times(everyone.height)),
        )
        for purpose in ("email_marketing", "profiling", "tracking")
    )
    (shop.home.landing / "consents").mkdir(exist_ok=True)
    consents.write_parquet(shop.home.landing / "consents" / f"later-{seed}.parquet")


def training_files(shop: Shop) -> dict[str, bytes]:
    folder = shop.home.training(WEEK)
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def metrics(shop: Shop, question: str) -> dict[str, float]:
    client = mlflow.MlflowClient(f"sqlite:///{shop.home.registry_db}")
    experiment = client.get_experiment_by_name(question)
    (run,) = client.search_runs([experiment.experiment_id])
    return run.data.metrics


@dataclass(frozen=True)
class Wiser:
    """A shop that knows the future, with the process that trains and plans it from nothing."""

    shop: Shop
    process: "subprocess.Popen[bytes]"


@pytest.fixture(scope="module")
def wiser(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wiser]:
    root = tmp_path_factory.mktemp("wiser")
    other = shop.copy(
        root / "home",
        *("raw", "quarantine", "warehouse*", "features", "training", "scores", "decisions", "plans"),
        *("mlflow*", "marketing*", "dagster", "truth"),
    )
    add_later_rows(other, seed=1)
    process = other.start(root / "said", "plan", "--date", DAY)
    yield Wiser(other, process)
    process.terminate()
    process.wait()


def test_models_and_plan_made_with_the_future_in_the_landing_folder_are_the_same(
    shop: Shop, wiser: Wiser
) -> None:
    """Everything anew in another home folder, models included."""
    assert wiser.process.wait() == 0
    raw = pl.scan_parquet(wiser.shop.home.raw / "events" / "*" / "events.parquet", hive_partitioning=False)
    added = raw.filter(pl.col("event_id").str.starts_with("later-")).collect()
    assert (added.height, added["event"].n_unique()) == (N_EVENTS, len(EVENT_NAMES))
    assert_same_files(training_files(wiser.shop), training_files(shop))
    for question in QUESTIONS:
        assert metrics(wiser.shop, question) == metrics(shop, question)
    assert_same_files(wiser.shop.contents_of(DAY), shop.contents_of(DAY))
