"""Are two feature tables the same? Counts, texts and times exactly, fractional numbers to nine digits."""

from __future__ import annotations

import numpy as np
import pandas as pd

TOLERANCE = 1e-9
"""Of the value; of 1 where the value is smaller, as times are differences of seconds since 1970."""


def differences(ours: pd.DataFrame, theirs: pd.DataFrame, key: str) -> dict[str, int]:
    """Rows that differ, by column of `ours`; equal tables have no entry.

    Raises:
        ValueError: the tables do not hold the same keys, or a column of `ours` is not in `theirs`.
    """
    ours, theirs = (frame.set_index(key, verify_integrity=True).sort_index() for frame in (ours, theirs))
    if not ours.index.equals(theirs.index):
        odd = ours.index.symmetric_difference(theirs.index)
        raise ValueError(f"the tables do not hold the same {key}: {len(odd)} in one alone, such as {odd[0]}")
    if missing := set(ours) - set(theirs):
        raise ValueError(f"no such columns in the other table: {', '.join(sorted(missing))}")
    found = {column: int((~_same(ours[column], theirs[column])).sum()) for column in ours}
    return {column: count for column, count in found.items() if count}


def _same(ours: pd.Series, theirs: pd.Series) -> np.ndarray:
    are_null = (ours.isna() & theirs.isna()).to_numpy()
    if pd.api.types.is_float_dtype(theirs):
        left, right = ours.to_numpy(dtype=float), theirs.to_numpy(dtype=float)
        return are_null | (np.abs(left - right) <= TOLERANCE * np.maximum(1, np.abs(right)))
    return are_null | (ours == theirs).fillna(False).to_numpy(dtype=bool)
