"""A small shop that is trained and planned through the real jobs, and what tests ask of it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
from mail_folder import without_limit
from worked_example import lay_in

from assets.clock import FixedClock
from assets.features import WAREHOUSE
from assets.home import Home
from pipelines.definitions import build_defs
from pipelines.instance import open_instance
from pipelines.runs import run_job
from pipelines.settings import ENVIRONMENTS, Settings
from shop.config import ShopConfig
from shop.simulate import simulate

CONFIG = ShopConfig(customers=300, days=120, start=date(2025, 1, 6))
DAY = date(2025, 4, 29)
"""A Tuesday inside the simulated history, so that something lies after it."""

WEEK = date(2025, 4, 28)
LATER = date(2025, 5, 2)
NOW = datetime(2025, 7, 1)
SENDPLAN = Path(sys.executable).parent / "sendplan"


@dataclass(frozen=True)
class Shop:
    """A home folder in which the jobs run."""

    home: Home

    @property
    def mail(self) -> Path:
        """The marketer's folder, of `mail_folder.without_limit`."""
        return self.home.root / "mail"

    @classmethod
    def at(cls, root: Path) -> "Shop":
        """The shop whose home folder is `root`."""
        return cls(Home(root, root / "landing"))

    def copy(self, root: Path, *leave_out: str) -> "Shop":
        """The same shop in another folder, to be changed."""
        shutil.copytree(self.home.root, root, ignore=shutil.ignore_patterns(*leave_out), dirs_exist_ok=True)
        return Shop.at(root)

    def definitions(self) -> dg.Definitions:
        """The definitions, with a clock that stands still."""
        settings = Settings("test", ENVIRONMENTS["test"], self.home, self.mail)
        return build_defs(settings, {"clock": FixedClock(NOW)})

    def run(self, job: str, day: date, done: AbstractSet[str] = frozenset()) -> dg.ExecuteInProcessResult:
        """Run one partition of a job."""
        with open_instance(self.home) as instance:
            return run_job(self.definitions(), instance, job, day, lambda *_: None, done)

    def train_and_plan(self) -> None:
        """Make the plan of `DAY` from nothing but the landing folder."""
        self.run("weekly_training", WEEK)
        self.run("daily_plan", DAY, done={"raw", WAREHOUSE})

    def start(self, output: Path, *arguments: object) -> "subprocess.Popen[bytes]":
        """Start the command line in another process; it prints to the files `output`.out and `output`.err."""
        with output.with_suffix(".out").open("w") as out, output.with_suffix(".err").open("w") as err:
            return subprocess.Popen(
                [SENDPLAN, *map(str, arguments)],
                env={
                    **os.environ,
                    "SENDPLAN_HOME": str(self.home.root),
                    "SENDPLAN_MAIL": str(self.mail),
                    "COLUMNS": "400",
                },
                stdout=out,
                stderr=err,
            )

    def remove(self, day: date) -> None:
        """Take away every file made for a day, so that what is found later has been made anew."""
        for file in self.files_of(day).values():
            file.unlink()

    def plan(self, day: date = DAY) -> pl.DataFrame:
        """The published plan of a day."""
        return pl.read_parquet(self.home.plan(day) / "send_plan.parquet")

    def files_of(self, day: date) -> dict[str, Path]:
        """Every file made for a day, by its path in the home folder."""
        home = self.home
        folders = (
            home.features(day),
            home.scores(day),
            home.decisions(day),
            home.plan(day),
            home.outcomes(day),
        )
        files = (file for folder in folders for file in sorted(folder.rglob("*")) if file.is_file())
        return {str(file.relative_to(home.root)): file for file in files}

    def contents_of(self, day: date) -> dict[str, bytes]:
        """The same with the bytes of each file."""
        return {name: file.read_bytes() for name, file in self.files_of(day).items()}


def simulated(root: Path) -> Shop:
    """A shop with a landing folder, the worked example in it, a few broken rows in it, and nothing made from it yet."""
    shop = Shop.at(root)
    without_limit(shop.mail)
    simulate(CONFIG, shop.home.landing, root / "truth")
    lay_in(shop.home.landing, DAY)
    write_bad_rows(shop.home.landing / "events")
    return shop


def answered(shop: Shop) -> pl.DataFrame:
    """The mails of `DAY` that are answered: three of customers whose answers may be looked at."""
    known = pl.read_parquet(shop.home.features(DAY) / "feat_customer.parquet").filter("has_behaviour")
    sends = shop.plan().filter(pl.col("action") == "send")
    return sends.join(known.select("customer_id"), on="customer_id", how="semi").sort("customer_id").head(3)


def land_answers(shop: Shop) -> None:
    """Report the sending of these mails, that people opened them, and an order of each on the same day."""
    rows = [
        ("Email Sent", 0, {}),
        ("Email Delivered", 1, {}),
        ("Email Opened", 40, {"user_agent": "Thunderbird"}),
        ("Order Completed", 50, {"product_id": "p0001", "quantity": 2.0, "price": 30.0}),
    ]
    answers = pl.concat(
        [
            answered(shop).select(
                pl.format("{}-{}", "message_id", pl.lit(event)).alias("event_id"),
                pl.lit(event).alias("event"),
                (pl.col("send_at") + timedelta(minutes=minutes)).alias("occurred_at"),
                "customer_id",
                pl.when(event.startswith("Email")).then("message_id").alias("message_id"),
                pl.when(event.startswith("Order")).then("message_id").alias("order_id"),
                **{name: pl.lit(value) for name, value in columns.items()},
            )
            for event, minutes, columns in rows
        ],
        how="diagonal",
    )
    answers.write_parquet(shop.home.landing / "events" / "answers.parquet")


def assert_same_files(actual: dict[str, bytes], expected: dict[str, bytes]) -> None:
    """Same files, same bytes; names those that differ."""
    assert expected
    assert set(actual) == set(expected)
    assert [name for name in expected if actual[name] != expected[name]] == []


def write_bad_rows(events: Path) -> None:
    """Every kind of broken row, once, among good ones that must stay (their ids begin with good)."""
    (events / "bad.csv").write_text(
        "event_id,event,occurred_at,customer_id,price\n"
        "good-1,Page Viewed,2025-03-01T10:00:00Z,c000001,\n"
        "bad-name,Order Complete,2025-03-01T10:00:00Z,c000001,\n"
        "bad-future,Page Viewed,2999-03-01T10:00:00Z,c000001,\n"
        "bad-absurd,Page Viewed,0025-03-01T10:00:00Z,c000001,\n"
        "bad-price,Product Added,2025-03-01T10:00:00Z,c000001,-5\n"
        "good-2,Page Viewed,2025-03-01T11:00:00Z,c000001,\n"
        "good-2,Page Viewed,2025-03-01T12:00:00Z,c000002,\n"
    )
    (events / "bad.jsonl").write_text(
        '{"event_id": "good-3", "event": "Page Viewed", "occurred_at": "2025-03-01T10:00:00Z"}\n'
        '{"event_id": "bad-json", "event": "Page Viewed", "occurred_at"\n'
        '{"event_id": "good-4", "event": "Page Viewed", "occurred_at": "2025-03-01T10:00:00Z"}\n'
    )
    (events / "bad_encoding.csv").write_bytes(
        b"event_id,event,occurred_at,query\n"
        b"good-5,Products Searched,2025-03-01T10:00:00Z,shoes\n"
        b"bad-bytes,Products Searched,2025-03-01T10:00:00Z,caf\xe9\n"
    )
