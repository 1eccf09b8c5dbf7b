"""This product in one process, for many days in a row: landing -> raw -> dbt -> scores -> plan, and training.

The bodies of the product's own assets are called, in their order, without Dagster's engine around them; nothing that the plan
does not read is made: no data tests, drift checks, propensities, segments, slots, marketing database.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from functools import cache
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from assets import mail as mail_assets
from assets import outcomes as outcome_assets
from assets import plan as plan_assets
from assets import scores, training
from assets.dbt import feature_vars, snapshot_vars
from assets.history import first_event_day
from assets.home import Home
from assets.landing.ingest import ingest
from assets.mail_files import MailFolder
from assets.partitions import training_week
from assets.registry import Registry, Version
from benchmarks.closed_loop.script import DayScript, DbtInProcess, days_to_build, hold_to_sql, stands
from mail.catalogue import Catalogue
from models.model import Model
from models.policy.decide import decide_with_options
from models.policy.inputs import PlanInputs

LABELS = ("label_customer", "label_sends", "label_purchases", "label_contents", "label_offers")
LESSONS: dict[str, dg.AssetsDefinition] = {
    training.LIFETIME_VALUE: training.lifetime_value,
    training.CHURN: training.churn,
    training.SEND_TIME: training.send_time,
    training.RECOMMENDATIONS: training.recommendations,
    training.CONTENT_RECOMMENDATIONS: training.content_recommendations,
    training.OFFER_RESPONSE: training.offer_response,
    training.SEGMENTS: training.segments,
}
"""Question -> what learns it: those whose champions the plan asks."""

SCORES: dict[str, dg.AssetsDefinition] = {
    name: scores.score_products if name == "score_recommendations" else getattr(scores, name)
    for name in plan_assets.SCORES
}
"""Score table -> the asset that makes it."""


BY_CUSTOMER = {"score_recommendations", "score_contents"}
"""Scores that do not depend on who else is asked, and cost so much that only those are asked about who may be mailed."""


def _parameters(asset: dg.AssetsDefinition) -> Set[str]:
    return signature(asset.op.compute_fn.decorated_fn).parameters.keys()  # type: ignore[union-attr]


RESULTS = ("feat_message_results", "feat_recent_orders")
"""Feature tables that tell what came of plans."""

RESOURCES = {"context", "registry", "mail_folder", "home"}
FEATURES = tuple(
    sorted(
        {
            *plan_assets.FEATURES,
            *(name for asset in SCORES.values() for name in _parameters(asset) - RESOURCES),
        }
    )
)
"""Feature tables that the plan or one of its scores reads."""


class _Registry(Registry):
    """A registry that reads each version once."""

    def load(self, version: Version) -> Model:
        return self._loaded(version)

    @cache  # noqa: B019 - lives as long as the trial
    def _loaded(self, version: Version) -> Model:
        return super().load(version)


class _Files(MailFolder):
    """The marketer's folder, read once: nobody changes it during the trial."""

    @cache  # noqa: B019 - lives as long as the trial
    def catalogue(self) -> Catalogue:
        return super().catalogue()


class Pipeline:
    """The product on one home folder.

    Args:
        home: its landing folder is written by the trial.
        mail: the marketer's folder.
        weeks_per_training: how long models serve; 1 is what the product's schedule does.
    """

    def __init__(self, home: Home, mail: Path, weeks_per_training: int = 1) -> None:
        for name in ("mlflow", "alembic", "dagster"):
            logging.getLogger(name).setLevel(logging.ERROR)
        hold_to_sql(home)
        self.home = home
        self.folder = _Files(mail)
        self.registry = _Registry(home.registry_db, home.artifacts)
        self.term = timedelta(weeks=weeks_per_training)
        self._dbt: DbtInProcess | None = None
        self._decided: tuple[PlanInputs, pl.DataFrame] | None = None

    def plan(self, day: date, now: datetime | None = None) -> pl.DataFrame:
        """Take in what has landed, train the week's models if it is their time, and make the day's plan.

        Args:
            now: the present, by which landed rows may be of the future; an hour into the day if it is not given.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ingest(self.home, now or datetime.combine(day, time(1)))
            self._warehouse(day)
            self._features(day)
            week = training_week(day)
            if any(self._is_due(question, week) for question in LESSONS):
                self._train(week)
            return self._decide(day)

    def _warehouse(self, day: date) -> None:
        """Facts up to the plan date: by dbt, and once a single new day has been built so, by the script that it left."""
        home, path = self.home, self.home.dbt / "warehouse.script.json"
        waiting = days_to_build(home)
        is_next_day = waiting == [day - timedelta(days=1)]
        script = DayScript.kept(path) if is_next_day else None
        if script is not None:
            script.run(home, day)
        elif waiting:
            extra = [] if home.warehouse.exists() else ["--full-refresh"]
            statements = self.dbt.run(["tag:warehouse"], feature_vars(home), [day], *extra)
            if is_next_day:
                DayScript(day, statements).keep(path)
        if left := days_to_build(home):
            raise RuntimeError(f"the warehouse has not taken in {left} for the plan of {day}")

    def _features(self, day: date) -> None:
        """Feature tables of the plan date: by dbt, and once it has built them a second time, by the script that it left."""
        home, path = self.home, self.home.dbt / "features.script.json"
        home.features(day).mkdir(parents=True, exist_ok=True)
        script = DayScript.kept(path)
        if script is not None:
            script.run(home, day)
            return
        stood = stands(home, "feat_customer")
        selection = [f"+{name},tag:features" for name in FEATURES]
        statements = self.dbt.run(selection, feature_vars(home), [day])
        if stood:
            DayScript(day, statements).keep(path)

    def _is_due(self, question: str, week: date) -> bool:
        champion = self.registry.champion(question, week)
        return champion is None or week - champion.week >= self.term

    @property
    def dbt(self) -> DbtInProcess:
        """dbt, parsed when it is first needed."""
        if self._dbt is None:
            self._dbt = DbtInProcess(self.home, feature_vars(self.home))
        return self._dbt

    def _train(self, week: date) -> None:
        """The week's models that the plan asks."""
        home = self.home
        dates = training.training_dates(week, first_event_day(home) or week)
        home.training(week).mkdir(parents=True, exist_ok=True)
        variables = snapshot_vars(home, week, dates.all, dates.customers.horizon_days)
        wanted = [f"+{name},tag:features" for name in FEATURES] + [
            part for name in LABELS for part in (name, f"+{name},tag:features")
        ]
        self.dbt.run(wanted, variables, [])
        self.registry.prepare(LESSONS)
        for lesson in LESSONS.values():
            _called(lesson, week, home=home, registry=self.registry)

    def _decide(self, day: date) -> pl.DataFrame:
        home = self.home
        frames = {name: pl.read_parquet(home.features(day) / f"{name}.parquet") for name in FEATURES}
        asked = {**frames, "feat_customer": self._open_to_mail(frames, day)}
        found = {name: self._score(name, asked if name in BY_CUSTOMER else frames, day) for name in SCORES}
        known = {name: frames[name] for name in plan_assets.FEATURES} | found
        inputs = plan_assets.plan_inputs(home, self.folder, day, known)
        decision = decide_with_options(inputs, self.folder.policy(day))
        self._decided = inputs, decision.options
        home.decisions(day).mkdir(parents=True, exist_ok=True)
        decision.options.write_parquet(home.decisions(day) / "plan_options.parquet")
        plan = self._rendered(day, decision.plan, frames["feat_product"])
        home.plan(day).mkdir(parents=True, exist_ok=True)
        plan.write_parquet(home.plan(day) / "send_plan.parquet")
        return plan

    def _rendered(self, day: date, decisions: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
        plan: pl.DataFrame = _called(
            mail_assets.send_plan,
            day,
            home=self.home,
            mail_folder=self.folder,
            plan_decisions=decisions,
            feat_product=products,
        )
        return plan

    @property
    def options(self) -> pl.DataFrame:
        """What the plan made last chose among."""
        return self._last[1]

    @property
    def _last(self) -> tuple[PlanInputs, pl.DataFrame]:
        if self._decided is None:
            raise RuntimeError("no plan has been made yet")
        return self._decided

    def plan_of(self, day: date, choices: pl.DataFrame) -> pl.DataFrame:
        """The plan made last, if another policy had chosen message and offer, and nobody were in the control group.

        Args:
            choices: customer_id, message_key, offer_key out of `options`, one per customer; who has none gets nothing.
        """
        inputs, _ = self._last
        config = replace(self.folder.policy(day), control_share=0.0)
        return self._rendered(day, decide_with_options(inputs, config, choices).plan, inputs.feat_product)

    def tell_outcomes(self, day: date) -> None:
        """What has come of the plans of the two weeks before `day`, for which the warehouse must stand."""
        self.dbt.run([f"+{name},tag:features" for name in RESULTS], feature_vars(self.home), [day])
        features = self.home.features(day)
        told: pl.DataFrame = _called(
            outcome_assets.outcomes,
            day,
            home=self.home,
            mail_folder=self.folder,
            **{name: pl.read_parquet(features / f"{name}.parquet") for name in (*RESULTS, "feat_customer")},
        )
        self.home.outcomes(day).mkdir(parents=True, exist_ok=True)
        told.write_parquet(self.home.outcomes(day) / "outcomes.parquet")

    def _open_to_mail(self, frames: dict[str, pl.DataFrame], day: date) -> pl.DataFrame:
        """Rows of feat_customer of all who may get a mail today, and of some who will not: nobody else needs products."""
        config = self.folder.policy(day)
        able = frames["feat_eligibility"].filter(
            pl.col("has_email"),
            pl.col("consent_status") == "granted",
            pl.col("suppression_reason").is_null(),
            pl.col("n_sent_1d") < config.max_sends_per_day,
            pl.col("n_sent_7d") < config.max_sends_per_7_days,
        )
        rested = [
            able.join(
                self._sent_lately(frames, message.key, message.cool_down_days, day),
                on="customer_id",
                how="anti",
            )
            for message in self.folder.catalogue().messages.values()
            if message.trigger is None
        ]
        triggered = able.join(frames["triggers"], on="customer_id", how="semi")
        ids = pl.concat([frame.select("customer_id") for frame in (*rested, triggered)]).unique()
        return frames["feat_customer"].join(ids, on="customer_id", how="semi", maintain_order="left")

    @staticmethod
    def _sent_lately(frames: dict[str, pl.DataFrame], key: str, days: int, day: date) -> pl.DataFrame:
        since = datetime.combine(day, time()) - timedelta(days=days)
        return frames["feat_message_history"].filter(
            pl.col("message_key") == key, pl.col("last_sent_at") > since
        )

    def _score(self, name: str, frames: dict[str, pl.DataFrame], day: date) -> pl.DataFrame:
        frame: pl.DataFrame = _called(
            SCORES[name], day, registry=self.registry, mail_folder=self.folder, **frames
        )
        return frame


@dataclass(frozen=True)
class _Partition:
    """What the assets' bodies ask of Dagster's context."""

    partition_key: str
    selected_output_names: frozenset[str] = frozenset()
    log: logging.Logger = field(default_factory=lambda: logging.getLogger(__name__))


def _called(asset: dg.AssetsDefinition, day: date, **inputs: Any) -> Any:
    """The body of an asset, run for a day with what it asks for of `inputs`: its frame, or the first of its outputs."""
    inputs["context"] = _Partition(day.isoformat())
    body = asset.op.compute_fn.decorated_fn  # type: ignore[union-attr]
    asked = inputs if _takes_all(body) else {name: inputs[name] for name in _parameters(asset)}
    made = body(**asked)
    output = next(made) if isinstance(made, Iterator) else made
    return output.value


def _takes_all(body: Callable[..., Any]) -> bool:
    """Whether a function has a parameter for all other names."""
    return any(p.kind is Parameter.VAR_KEYWORD for p in signature(body).parameters.values())
