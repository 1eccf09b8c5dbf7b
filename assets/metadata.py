"""What a person sees of an asset in the UI: a preview of a table, a plot."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable

import dagster as dg
import polars as pl
from matplotlib.figure import Figure

PREVIEW_ROWS = 10
MAX_TEXT = 60


def table(frame: pl.DataFrame, rows: int = PREVIEW_ROWS) -> dg.MetadataValue:
    """The first rows as a Markdown table."""
    header = "| " + " | ".join(frame.columns) + " |"
    rule = "|" + " --- |" * frame.width
    body = ["| " + " | ".join(_cells(row)) + " |" for row in frame.head(rows).iter_rows()]
    return dg.MetadataValue.md("\n".join([header, rule, *body]))


def plot(figure: Figure) -> dg.MetadataValue:
    """A figure as an image in Markdown."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    return dg.MetadataValue.md(f"![](data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()})")


def _cells(row: Iterable[object]) -> list[str]:
    return [_text(value).replace("|", "\\|")[:MAX_TEXT] for value in row]


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
