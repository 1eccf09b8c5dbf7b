"""The raw tables: landing files checked against the contract. All logic is in `assets.landing`.

The five assets come from one pass, because a landing folder is checked as a whole.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import dagster as dg
import polars as pl
from pydantic import Field

from assets.clock import Clock
from assets.home import Home
from assets.landing.contract import CONTRACT_VERSION, TABLES, Column, Keep, Table
from assets.landing.discovery import LandingError
from assets.landing.ingest import ingest
from assets.landing.layout import events_glob, quarantine_path, table_path
from assets.landing.report import IngestReport, TableReport
from assets.owners import DATA_ENGINEERING

PREVIEW_ROWS = 8
FEW_ROWS = 20
"""So many bad rows never stop a run, whatever share of a small file they are."""


class RawConfig(dg.Config):
    """How much bad input is borne before the run stops, and how long a silence before it warns."""

    max_quarantined_share: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Share of a table's rows in quarantine above which the run stops.",
    )
    max_silent_days: float = Field(
        default=3,
        gt=0,
        description="Days without a new event after which the events no longer count as fresh; a warning.",
    )


def raw_key(table: str) -> dg.AssetKey:
    """The asset key of one landing table's raw asset."""
    return dg.AssetKey(f"raw_{table}")


def _column(column: Column) -> dg.TableColumn:
    return dg.TableColumn(
        name=column.name,
        type=str(column.dtype),
        description=column.description,
        constraints=dg.TableColumnConstraints(nullable=not column.required),
    )


def _asset_spec(table: Table) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=raw_key(table.name),
        description=f"{table.description} Checked against the landing contract; bad rows are in quarantine.",
        group_name="raw",
        kinds={"parquet", "polars"},
        owners=DATA_ENGINEERING,
        code_version=CONTRACT_VERSION,
        metadata={"dagster/column_schema": dg.TableSchema([_column(column) for column in table.columns])},
    )


def _check_specs(table: Table) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(
            "within_contract",
            asset=raw_key(table.name),
            description="No landing file is unusable and only a small share of rows breaks the contract.",
            blocking=True,
        ),
        dg.AssetCheckSpec(
            "unique_ids",
            asset=raw_key(table.name),
            description="No row occurs twice."
            if table.keep is Keep.ALL
            else f"{' and '.join(table.ids)} {'is' if len(table.ids) == 1 else 'together are'} unique.",
            blocking=True,
        ),
    ]


FRESH = dg.AssetCheckSpec(
    "events_are_fresh",
    asset=raw_key("events"),
    description="The newest event is not older than max_silent_days, seen from now: landing files still arrive.",
)


@dg.multi_asset(
    name="raw",
    specs=[_asset_spec(table) for table in TABLES.values()],
    check_specs=[*(spec for table in TABLES.values() for spec in _check_specs(table)), FRESH],
    pool="duckdb",
)
def raw_tables(
    context: dg.AssetExecutionContext,
    config: RawConfig,
    home: dg.ResourceParam[Home],
    clock: dg.ResourceParam[Clock],
) -> Iterator[dg.MaterializeResult[None]]:
    """Brings the raw tables up to what stands in the landing folder."""
    try:
        report = ingest(home, clock.now())
    except LandingError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    fresh = events_are_fresh(report.tables["events"], clock.now(), config.max_silent_days)
    for warning in report.warnings:
        context.log.warning(warning)
    for name, table in TABLES.items():
        rows = _scan(home, table)
        yield dg.MaterializeResult(
            asset_key=raw_key(name),
            metadata=_metadata(home, table, rows, report),
            check_results=[
                within_contract(report.tables[name], config.max_quarantined_share),
                unique_ids(table, rows),
                *([fresh] if name == "events" else []),
            ],
        )


def within_contract(report: TableReport, max_quarantined_share: float) -> dg.AssetCheckResult:
    """Error if a file is unusable or too many rows are in quarantine; warning if anything is in quarantine."""
    share = report.rows_quarantined / report.rows_read if report.rows_read else 0.0
    complaints = [f"{path}: {reason}" for path, reason in report.files_rejected.items()]
    if share > max_quarantined_share and report.rows_quarantined > FEW_ROWS:
        complaints.append(
            f"{report.rows_quarantined} of {report.rows_read} rows are in quarantine, more than the "
            f"{max_quarantined_share:.0%} allowed; see quarantine/{report.table}.parquet, correct the landing files, "
            "or launch the job in the UI with a higher max_quarantined_share"
        )
    is_wrong = bool(complaints)
    if not is_wrong and (report.rows_quarantined or report.values_repaired):
        complaints.append(
            f"{report.rows_quarantined} rows and {report.values_repaired} single values are in quarantine; "
            f"see quarantine/{report.table}.parquet"
        )
    return dg.AssetCheckResult(
        asset_key=raw_key(report.table),
        check_name="within_contract",
        passed=not complaints,
        severity=dg.AssetCheckSeverity.ERROR if is_wrong else dg.AssetCheckSeverity.WARN,
        description="; ".join(complaints) or None,
        metadata={
            "quarantined_share": share,
            "rows_by_rule": report.quarantined,
            "values_by_rule": report.repaired,
            "files_rejected": report.files_rejected,
        },
    )


def events_are_fresh(report: TableReport, now: datetime, max_silent_days: float) -> dg.AssetCheckResult:
    """Warning if the newest event is older than `max_silent_days`, or there is none; never stops a run."""
    newest = report.last_occurred_at
    age = None if newest is None else (now - newest) / timedelta(days=1)
    complaint = None
    if newest is None or age is None:
        complaint = "there are no events; put events files into the landing folder"
    elif age > max_silent_days:
        complaint = (
            f"the newest event is of {newest:%Y-%m-%d %H:%M} UTC, {age:.1f} days ago, more than the "
            f"{max_silent_days:g} allowed; see whether landing files still arrive"
        )
    return dg.AssetCheckResult(
        asset_key=raw_key("events"),
        check_name=FRESH.name,
        passed=complaint is None,
        severity=dg.AssetCheckSeverity.WARN,
        description=complaint,
        metadata={}
        if newest is None or age is None
        else {"newest_event": newest.isoformat(), "age_days": age},
    )


def unique_ids(table: Table, rows: pl.LazyFrame) -> dg.AssetCheckResult:
    """Error if an id, or for tables without one a whole row, occurs twice."""
    keys = rows.select(table.ids or table.names).collect()
    repeated = keys.height - keys.n_unique()
    return dg.AssetCheckResult(
        asset_key=raw_key(table.name),
        check_name="unique_ids",
        passed=repeated == 0,
        description=None
        if repeated == 0
        else f"{repeated} rows repeat the {', '.join(table.ids or table.names)}",
        metadata={"repeated_rows": repeated},
    )


def _scan(home: Home, table: Table) -> pl.LazyFrame:
    path = events_glob(home) if table.keep is Keep.EARLIEST else table_path(home, table.name)
    return pl.scan_parquet(path, hive_partitioning=False)


def _metadata(
    home: Home, table: Table, rows: pl.LazyFrame, report: IngestReport
) -> dict[str, dg.MetadataValue | int | str | list[str]]:
    facts = report.tables[table.name]
    preview = _summary(table, rows) if "customer_id" in table.names else _first_rows(rows)
    quarantine = (
        pl.read_parquet(quarantine_path(home, table.name))
        .group_by("kind", "column", "rule")
        .agg(pl.len().alias("count"), pl.first("file").alias("for_example_in"))
        .sort("kind", "column", "rule")
    )
    metadata: dict[str, dg.MetadataValue | int | str | list[str]] = {
        "dagster/row_count": facts.rows_kept,
        "rows_read": facts.rows_read,
        "rows_quarantined": facts.rows_quarantined,
        "values_repaired": facts.values_repaired,
        "duplicates": facts.duplicates,
        "superseded": facts.superseded,
        "erased": facts.erased,
        "files": facts.files,
        "files_read": facts.files_read,
        "unknown_columns": list(facts.unknown_columns),
        "preview": dg.MetadataValue.md(_markdown(preview)),
        "quarantine": dg.MetadataValue.md(_markdown(quarantine)),
        "warnings": list(report.warnings),
    }
    if facts.first_occurred_at and facts.last_occurred_at:
        metadata["first_occurred_at"] = facts.first_occurred_at.isoformat()
        metadata["last_occurred_at"] = facts.last_occurred_at.isoformat()
    if table.keep is Keep.EARLIEST:
        metadata["days_written"] = [day.isoformat() for day in facts.days_written]
        metadata["days_reopened"] = [day.isoformat() for day in facts.days_reopened]
    return metadata


def _first_rows(rows: pl.LazyFrame) -> pl.DataFrame:
    """A few rows, without the columns that are empty in them."""
    preview = rows.head(PREVIEW_ROWS).collect()
    return preview.select(column for column in preview if column.null_count() < preview.height)


def _summary(table: Table, rows: pl.LazyFrame) -> pl.DataFrame:
    """How far each column is filled: of tables about people no row is shown, as the event log keeps what it is told."""
    counts = rows.select(pl.len().alias("\x00rows"), pl.all().count()).collect().row(0, named=True)
    return pl.DataFrame(
        [(name, counts[name], counts[name] / max(counts["\x00rows"], 1)) for name in table.names],
        schema={"column": pl.String, "filled": pl.Int64, "share": pl.Float64},
        orient="row",
    ).with_columns(pl.col("share").round(4))


def _markdown(frame: pl.DataFrame) -> str:
    """A frame as a Markdown table."""
    if frame.is_empty():
        return "(no rows)"
    with pl.Config(
        tbl_formatting="MARKDOWN",
        tbl_hide_column_data_types=True,
        tbl_hide_dataframe_shape=True,
        tbl_rows=-1,
        tbl_cols=-1,
        tbl_width_chars=10_000,
        fmt_str_lengths=60,
    ):
        return str(frame)
