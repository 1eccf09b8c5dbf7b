"""From the checked rows of many files to one table: which row stays where several speak of the same thing.

The answer depends on the rows, not on how they are spread over files - but for snapshots, where the newer file wins.
"""

from dataclasses import dataclass

import polars as pl

from assets.landing.checking import REJECTED
from assets.landing.contract import Keep, Table
from assets.landing.reading import ROW

FILE = "file"
"""Path of the landing file a row comes from."""

_DUPLICATE = "duplicate id"


@dataclass(frozen=True)
class Merged:
    """One table made of many files.

    Attributes:
        kept: rows that stay, in contract columns; for `Contest`, of the contested ids alone.
        rejected: quarantine records with their `file`.
        duplicates: rows that repeated another one exactly.
        superseded: rows that a newer file replaced.
    """

    kept: pl.DataFrame
    rejected: pl.DataFrame
    duplicates: int
    superseded: int


def merge(rows: pl.LazyFrame, table: Table) -> Merged:
    """Merges a table that is held in one piece; `rows` has `file`, `row_number` and the contract columns."""
    everything = rows.sort(FILE, ROW).collect()
    if table.keep is Keep.ALL:
        return _every_distinct(everything, table)
    return _newest(everything, table)


def contested_ids(rows: pl.LazyFrame, table: Table) -> pl.Series:
    """Ids that occur in more than one row. Reads the id column alone."""
    (identifier,) = table.ids
    ids = rows.select(identifier).collect().to_series()
    return ids.filter(ids.is_duplicated()).unique().sort()


def settle(suspects: pl.DataFrame, table: Table) -> Merged:
    """Decides between rows with the same id: the earliest stays, then the one with the smallest content."""
    (identifier,) = table.ids
    names = list(table.names)
    by = [identifier, "occurred_at", *(name for name in names if name not in (identifier, "occurred_at"))]
    distinct = suspects.sort(*by, FILE, ROW).unique(names, keep="first", maintain_order=True)
    is_winner = distinct[identifier].is_first_distinct()
    winners, losers = distinct.filter(is_winner), distinct.filter(~is_winner)
    reason = pl.format(
        f"{identifier} '{{}}' is also that of {{}} row {{}}, which occurred earlier or has a smaller content and is "
        "kept; give every event an id of its own",
        identifier,
        "winner_file",
        "winner_row",
    )
    rejected = losers.join(_named(winners, [identifier]), on=identifier, how="left", maintain_order="left")
    return Merged(
        winners.select(names),
        _records(rejected, table, reason),
        suspects.height - distinct.height,
        superseded=0,
    )


def _every_distinct(rows: pl.DataFrame, table: Table) -> Merged:
    kept = rows.select(table.names).unique().sort(table.order)
    return Merged(kept, _records(rows.clear(), table, pl.lit("")), rows.height - kept.height, superseded=0)


def _newest(rows: pl.DataFrame, table: Table) -> Merged:
    ids = list(table.ids)
    key = pl.struct(FILE, *ids)
    repeated = rows.filter(key.is_duplicated())
    distinct = repeated.unique([FILE, *table.names], keep="last", maintain_order=True)
    last = distinct.filter(key.is_last_distinct())
    losers = distinct.filter(~key.is_last_distinct())
    reason = pl.format(
        f"{{}} occurs again in row {{}} of the same file, which is kept; write one row per {' and '.join(ids)}",
        _as_words(ids),
        "winner_row",
    )
    winners = _named(last, ids).rename({"winner_file": FILE})
    rejected = losers.join(winners, on=[FILE, *ids], how="left", maintain_order="left", nulls_equal=True)
    one_per_file = rows.filter(key.is_last_distinct())
    kept = one_per_file.unique(ids, keep="last", maintain_order=True)
    return Merged(
        kept.select(table.names).sort(table.order),
        _records(rejected, table, reason),
        repeated.height - distinct.height,
        one_per_file.height - kept.height,
    )


def _as_words(ids: list[str]) -> pl.Expr:
    """`product_id 'p1' with updated_at '2025-03-01 00:00:00'`, or `... without updated_at`."""
    identifier, *others = ids
    parts = [pl.format(f"{identifier} '{{}}'", identifier)]
    for name in others:
        value = pl.format(f" with {name} '{{}}'", pl.col(name).cast(pl.String))
        parts.append(pl.coalesce(value, pl.lit(f" without {name}")))
    return pl.concat_str(parts)


def _named(winners: pl.DataFrame, ids: list[str]) -> pl.DataFrame:
    return winners.select(*ids, pl.col(FILE).alias("winner_file"), pl.col(ROW).alias("winner_row"))


def _records(losers: pl.DataFrame, table: Table, reason: pl.Expr) -> pl.DataFrame:
    """Quarantine records of rows that lost against another row with their id."""
    return losers.select(
        FILE,
        ROW,
        pl.lit("row").alias("kind"),
        pl.lit(table.ids[0] if table.ids else None, pl.String).alias("column"),
        pl.lit(_DUPLICATE).alias("rule"),
        reason.alias("reason"),
        pl.struct(table.names).struct.json_encode().alias("raw"),
    ).cast(REJECTED)
