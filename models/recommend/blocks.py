"""Dense customer x product tables of bounded size, and the best cells of their rows."""

from collections.abc import Callable, Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

BLOCK_CELLS = 4_000_000
CELLS = {"customer": pl.Int64, "product": pl.Int64, "score": pl.Float64}

Scores = NDArray[np.float64]


def row_blocks(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Slices of rows whose dense blocks stay within BLOCK_CELLS cells."""
    size = max(1, BLOCK_CELLS // max(1, n_columns))
    return (slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size))


def top_mask(scores: Scores, k: int) -> NDArray[np.bool_]:
    """True at each row's k largest positive scores; of equal ones at the edge those of the smaller columns."""
    if k == 0 or scores.size == 0:
        return np.zeros(scores.shape, dtype=bool)
    if k >= scores.shape[1]:
        return scores > 0
    # Selection is ten times as slow among many equal values, as zeros are: here each becomes a number of its own below 0.
    distinct = np.where(scores > 0, scores, -np.arange(1.0, scores.shape[1] + 1))
    edge = np.partition(distinct, scores.shape[1] - k, axis=1)[:, scores.shape[1] - k]
    mask: NDArray[np.bool_] = (scores >= edge[:, None]) & (scores > 0)
    crowded = np.flatnonzero(np.count_nonzero(mask, axis=1) > k)
    at_edge = mask[crowded] & (scores[crowded] == edge[crowded, None])
    surplus = np.count_nonzero(mask[crowded], axis=1) - k
    room = np.count_nonzero(at_edge, axis=1) - surplus
    mask[crowded] &= ~at_edge | (np.cumsum(at_edge, axis=1, dtype=np.int32) <= room[:, None])
    return mask


def best_of_blocks(shape: tuple[int, int], table: Callable[[slice], Scores], k: int) -> pl.DataFrame:
    """Each row's k best positive cells of a table that is computed a block of rows at a time: columns CELLS, customer being
    the row and product the column.

    table: the dense scores of a slice of the rows.
    """
    found = []
    for block in row_blocks(*shape):
        scores = table(block)
        row, product = np.nonzero(top_mask(scores, k))
        cells = {"customer": row + block.start, "product": product, "score": scores[row, product]}
        found.append(pl.DataFrame(cells))
    return pl.concat([pl.DataFrame(schema=CELLS), *found])
