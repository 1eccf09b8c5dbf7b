"""Where everything lives: the layout of one home folder. No other module spells a path below it."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path


@dataclass(frozen=True)
class Home:
    """Paths below one home folder (`SENDPLAN_HOME`). `landing` may lie elsewhere; only `assets.privacy` writes there.

    Attributes:
        root: the home folder.
        landing: the folder with the five landing tables.
    """

    root: Path
    landing: Path

    @property
    def raw(self) -> Path:
        """Contract-checked tables: `<table>.parquet` and `events/day=YYYY-MM-DD/events.parquet`."""
        return self.root / "raw"

    @property
    def quarantine(self) -> Path:
        """Rows that broke the contract: `<table>.parquet` with file, row and reason."""
        return self.root / "quarantine"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file that dbt, and nothing else, writes."""
        return self.root / "warehouse.duckdb"

    @property
    def dbt(self) -> Path:
        """dbt's manifest, compiled SQL and logs."""
        return self.root / "dbt"

    @property
    def registry_db(self) -> Path:
        """MLflow's SQLite store."""
        return self.root / "mlflow.db"

    @property
    def artifacts(self) -> Path:
        """MLflow's artifacts."""
        return self.root / "mlflow-artifacts"

    def decisions(self, as_of: date) -> Path:
        """The decisions of one plan date, before names join."""
        return self.root / "decisions" / f"as_of={as_of:%Y-%m-%d}"

    @property
    def plans(self) -> Path:
        """Published send plans: `plan_date=YYYY-MM-DD/send_plan.parquet`."""
        return self.root / "plans"

    def plan(self, day: date) -> Path:
        """The published send plan of one day."""
        return self.plans / f"plan_date={day:%Y-%m-%d}"

    def outcomes(self, day: date) -> Path:
        """What had become of the plans of before one day by then, and the report on it."""
        return self.root / "outcomes" / f"plan_date={day:%Y-%m-%d}"

    @property
    def marketing(self) -> Path:
        """The read-only DuckDB file for marketers, swapped in by an atomic rename."""
        return self.root / "marketing.duckdb"

    @property
    def privacy(self) -> Path:
        """What is kept so that erased people stay erased; readable by its owner alone."""
        return self.root / "privacy"

    @property
    def erasures(self) -> Path:
        """Proofs of erasures, without personal data: `<date>-<short hash>.json`."""
        return self.root / "erasures"

    @property
    def shops(self) -> Path:
        """Homes of other shops: people there are other people, whatever their ids."""
        return self.root / "shops"

    @property
    def dagster(self) -> Path:
        """`DAGSTER_HOME`: runs, event logs, schedules."""
        return self.root / "dagster"

    def features(self, as_of: date) -> Path:
        """Feature and trigger tables computed for one plan date, one Parquet file per dbt model."""
        return self.root / "features" / f"as_of={as_of:%Y-%m-%d}"

    @property
    def features_template(self) -> str:
        """The same folder with `{as_of}` for the date."""
        return str(self.root / "features" / "as_of={as_of}")

    @property
    def warehouse_code(self) -> Path:
        """Which SQL the warehouse was last built with, whole and tested."""
        return self.dbt / "warehouse.code"

    def training(self, week: date) -> Path:
        """Feature snapshots and labels for the training of one week, one Parquet file per dbt model."""
        return self.root / "training" / f"week={week:%Y-%m-%d}"

    def scores(self, as_of: date) -> Path:
        """Score tables for one plan date, one Parquet file per question."""
        return self.root / "scores" / f"as_of={as_of:%Y-%m-%d}"
