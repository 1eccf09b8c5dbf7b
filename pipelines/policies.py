"""Another policy judged on this home's plans: read from a file, asked day by day, logged as a run of MLflow."""

from __future__ import annotations

import hashlib
import math
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import mlflow
import polars as pl

from assets.home import Home
from assets.registry import Registry
from models.evaluation.plan_policy import (
    NAMED,
    OUTCOME_COLUMNS,
    REWARDS,
    Judgement,
    PlanLog,
    PlanLogError,
    Policy,
    PolicyError,
    judge,
    plan_log,
)

EXPERIMENT = "policy_evaluation"
OPTIONS, OUTCOMES = "plan_options.parquet", "outcomes.parquet"
FUNCTION = "policy"


class PolicyFileError(PolicyError):
    """A file holds no policy, or its code failed; the text names file, line and remedy."""


@dataclass(frozen=True)
class NamedPolicy:
    """A policy, and where it comes from.

    Attributes:
        name: one of `NAMED`, or the file's name.
        function: the policy.
        source: the file's text; None for one of `NAMED`.
    """

    name: str
    function: Policy
    source: str | None = None

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits of the source's SHA-256; the name of one of `NAMED`."""
        return self.name if self.source is None else hashlib.sha256(self.source.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Evaluated:
    """A policy with the log it was judged on.

    Attributes:
        policy: what was judged.
        reward: one of `REWARDS`.
        log: the decisions.
        judgement: the estimates.
    """

    policy: NamedPolicy
    reward: str
    log: PlanLog
    judgement: Judgement

    @property
    def days(self) -> list[date]:
        """The plan dates judged on, in order."""
        return self.log.days.unique().sort().to_list()

    def as_dict(self) -> dict[str, Any]:
        """Everything but the log."""
        found = self.judgement
        return {
            "policy": self.policy.name,
            "policy_hash": self.policy.fingerprint,
            "reward": self.reward,
            "first_day": self.days[0],
            "last_day": self.days[-1],
            "days": len(self.days),
            "days_left_out": list(self.log.left_out),
            "unobserved": self.log.n_unobserved,
            "estimates": found.estimates.to_dicts(),
            "overlap": {name: value for name, value in asdict(found.overlap).items() if name != "warnings"},
            "nothing_share": found.nothing_share,
            "control_share": found.control_share,
            "warnings": list(found.warnings),
        }


def read_policy(named: str) -> NamedPolicy:
    """One of `NAMED`, or the function `policy` of a Python file. The file's code is run.

    Raises:
        PolicyFileError: there is no such file, it cannot be run, or holds no such function.
    """
    if named in NAMED:
        return NamedPolicy(named, NAMED[named])
    path = Path(named)
    if not path.is_file():
        raise PolicyFileError(
            f"there is no file {named}; name a Python file with a function {FUNCTION}(options), or one of "
            f"{', '.join(NAMED)}"
        )
    try:
        source = path.read_text(encoding="utf-8")
        module = _run(path, source)
    except (SyntaxError, UnicodeDecodeError) as error:
        line = getattr(error, "lineno", None) or 1
        raise PolicyFileError(f"{path}:{line}: this is no Python: {error}") from error
    function = getattr(module, FUNCTION, None)
    if not callable(function):
        raise PolicyFileError(
            f"{path}: there is no function {FUNCTION}; write: def {FUNCTION}(options: pl.DataFrame) -> pl.DataFrame"
        )
    return NamedPolicy(path.name, _told(path, function), source)


def evaluate(
    home: Home, policy: NamedPolicy, reward: str, first: date | None, last: date | None
) -> Evaluated:
    """The policy on all planned days from `first` to `last` whose outcomes are complete.

    Raises:
        PlanLogError: there are no such days, or their tables do not belong together.
        PolicyError: what the policy answers cannot be.
    """
    options = read_options(home, first, last)
    outcomes = read_outcomes(home, options["plan_date"].unique().to_list(), REWARDS[reward])
    log = plan_log(options, outcomes, reward)
    try:
        return Evaluated(policy, reward, log, judge(log, policy.function))
    except PolicyFileError:
        raise
    except PolicyError as error:
        raise PolicyError(f"{policy.name}: {error}") from error


def read_options(home: Home, first: date | None, last: date | None) -> pl.DataFrame:
    """The options of all plans from `first` to `last`."""
    found = {_day(file): file for file in home.decisions(date.min).parent.glob(f"as_of=*/{OPTIONS}")}
    days = sorted(day for day in found if (first or day) <= day <= (last or day))
    if not days:
        kept = f"there are options of {min(found)} to {max(found)}" if found else "no plan has kept any yet"
        raise PlanLogError(
            f"there are no options of a plan in {home.root} from {first or 'the first day'} to {last or 'today'} ({kept}); "
            "plan these days with: sendplan plan --date D"
        )
    return pl.concat([_read(found[day]) for day in days], how="diagonal")


def read_outcomes(home: Home, days: list[date], reward: str) -> pl.DataFrame:
    """What became of the plans of some days, each as the latest table that has it tells."""
    files = sorted(home.outcomes(date.min).parent.glob(f"plan_date=*/{OUTCOMES}"), reverse=True)
    waiting, told = set(days), []
    for file in files:
        rows = pl.scan_parquet(file, glob=False, hive_partitioning=False)
        missing = [name for name in (*OUTCOME_COLUMNS, reward) if name not in rows.collect_schema()]
        if missing:
            raise PlanLogError(
                f"{file} lacks the column(s) {', '.join(missing)}; make it anew with: sendplan plan --date {_day(file)}"
            )
        found = (
            rows.filter(pl.col("plan_date").is_in(sorted(waiting))).select(*OUTCOME_COLUMNS, reward).collect()
        )
        waiting -= set(found["plan_date"])
        told.append(found)
        if not waiting:
            break
    if not any(found.height for found in told):
        raise PlanLogError(
            f"there are no outcomes of {min(days)} to {max(days)} in {home.root}; they are made by the plans of later days: "
            "sendplan plan --date D"
        )
    return pl.concat(told)


def log_run(registry: Registry, found: Evaluated) -> str:
    """Log an evaluation as a run of the experiment `policy_evaluation`.

    Returns:
        The run's id.
    """
    said = found.as_dict()
    judged = found.judgement
    with mlflow.start_run(
        experiment_id=registry.experiment(EXPERIMENT),
        run_name=f"{found.policy.name} {found.days[0]} to {found.days[-1]}",
    ) as run:
        mlflow.log_params(
            {
                name: said[name]
                for name in ("policy", "policy_hash", "reward", "first_day", "last_day", "days")
            }
        )
        for row in judged.estimates.iter_rows(named=True):
            estimator = row.pop("estimator")
            known = {
                f"{name}/{estimator}": value
                for name, value in row.items()
                if value is not None and math.isfinite(value)
            }
            mlflow.log_metrics(known)
        mlflow.log_metrics(
            {
                **{name: said["overlap"][name] for name in ("ess", "n_decisions", "n_clusters")},
                "nothing_share": judged.nothing_share,
                "control_share": judged.control_share,
            }
        )
        mlflow.log_text(judged.estimates.write_csv(), "comparison.csv")
        if judged.warnings:
            mlflow.log_text("\n".join(judged.warnings), "warnings.txt")
        if found.policy.source is not None:
            mlflow.log_text(found.policy.source, found.policy.name)
    return str(run.info.run_id)


def _run(path: Path, source: str) -> ModuleType:
    """The file as a module. It is run by compiling it here, so that nothing is written beside it."""
    module = ModuleType(f"sendplan_policy_{path.stem}")
    module.__file__ = str(path)
    # Dataclasses look up the module that they are defined in.
    sys.modules[module.__name__] = module
    code = compile(source, str(path), "exec")
    _told(path, exec)(code, module.__dict__)
    return module


def _told(path: Path, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, but an error in it names the file's line where it came about."""

    def call(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except Exception as error:
            lines = [
                frame.lineno
                for frame in traceback.extract_tb(error.__traceback__)
                if frame.filename == str(path)
            ]
            at = f"{path}:{lines[-1]}" if lines else str(path)
            cause = " ".join(str(error).split())
            raise PolicyFileError(f"{at}: {type(error).__name__}: {cause}") from error

    return call


def _read(file: Path) -> pl.DataFrame:
    return pl.read_parquet(file, glob=False, hive_partitioning=False)


def _day(file: Path) -> date:
    return date.fromisoformat(file.parent.name.partition("=")[2])
