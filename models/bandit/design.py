"""Arms and contexts as rows of a matrix: one column per level of each term.

Here: terms, their levels, the sparse matrix. Not here: the values of coefficients (`posterior`).

Every level of a factor has a column, none is the reference: under a prior around 0 all are treated alike, and a level seen
later is one more column.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix

from models.bandit.params import BanditParams

JOINT = "\x1f"
"""Between the values of a level of several columns."""


@dataclass(frozen=True)
class Term:
    """Effects of one kind: a coefficient per level of `columns`, each times the score if there is one.

    scale: their standard deviation before any answer. is_sized: the answers may correct it.
    """

    columns: tuple[str, ...]
    scale: float
    score: str | None = None
    is_sized: bool = True

    @property
    def level(self) -> pl.Expr:
        """A row's level as a text."""
        if not self.columns:
            return pl.repeat("", pl.len(), dtype=pl.String)
        return pl.concat_str([pl.col(column).cast(pl.String) for column in self.columns], separator=JOINT)


def terms_of(params: BanditParams) -> tuple[Term, ...]:
    """Level, baselines, factors and arms; then what segments and scores change of the factors."""
    scales = params.scales
    return (
        Term((), scales.level, is_sized=False),
        *(Term((column,), scales.baseline) for column in params.context_labels),
        *(Term((), scales.baseline, score=column) for column in params.numbers),
        *(Term((factor,), scales.factor) for factor in params.factors),
        *(Term(part, scales.arm) for part in params.own),
        Term(params.arm, scales.arm),
        *(Term((factor, s), scales.segment) for s in params.segments for factor in params.factors),
        *(Term((score.factor,), scales.score, score=score.column) for score in params.scores),
    )


def columns_of(frame: pl.DataFrame, terms: tuple[Term, ...]) -> pl.DataFrame:
    """The matrix's columns: term (number), level; sorted by both."""
    parts = [
        frame.select(pl.lit(number, pl.Int32).alias("term"), term.level.alias("level"))
        .unique("level")
        .sort("level")
        for number, term in enumerate(terms)
    ]
    return pl.concat(parts)


def matrix_of(frame: pl.DataFrame, terms: tuple[Term, ...], columns: pl.DataFrame) -> csr_matrix:
    """rows of `frame` x `columns`, which hold every level of the frame."""
    numbered = columns.with_row_index("column")
    indices = np.empty((frame.height, len(terms)), dtype=np.int64)
    values = np.ones((frame.height, len(terms)))
    for number, term in enumerate(terms):
        found = frame.select(term.level.alias("level")).join(
            numbered.filter(pl.col("term") == number), on="level", how="left", maintain_order="left"
        )
        indices[:, number] = found["column"].to_numpy()
        if term.score is not None:
            values[:, number] = frame[term.score].cast(pl.Float64).to_numpy()
    starts = np.arange(frame.height + 1) * len(terms)
    return csr_matrix((values.ravel(), indices.ravel(), starts), shape=(frame.height, columns.height))
