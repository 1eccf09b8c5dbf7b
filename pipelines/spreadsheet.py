"""CSV that people open in a spreadsheet."""

from __future__ import annotations

import polars as pl

FORMULA = r"^[=+\-@\t\r]"


def as_csv(frame: pl.DataFrame) -> bytes:
    """The frame as CSV: lists are joined with "|", and a text that a spreadsheet would take for a formula gets an apostrophe
    before it. Names come from sign-up forms, ids from the shop.
    """
    lists = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List)]
    frame = frame.with_columns(pl.col(lists).cast(pl.List(pl.String)).list.join("|"))
    frame = frame.with_columns(_as_text(name) for name, dtype in frame.schema.items() if dtype == pl.String)
    return frame.write_csv().encode()


def _as_text(column: str) -> pl.Expr:
    text = pl.col(column)
    return pl.when(text.str.contains(FORMULA)).then(pl.lit("'") + text).otherwise(text).alias(column)
