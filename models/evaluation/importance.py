"""What a model's answers rest on: permutation importance, and summaries of its contributions (SHAP values).

Here: the tables. Not here: how a model explains itself (`models.model.Explains`), plots.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import rankdata

from models.evaluation.champion import Criterion
from models.evaluation.metrics import FloatArray
from models.model import Explanation

Judge = Callable[[pl.DataFrame, int], FloatArray]
"""(copies of the judged rows below one another, how many) -> the criterion's metric of each copy."""

MAX_STACKED_ROWS = 100_000
IMPORTANCE_SCHEMA = {"feature": pl.String, "importance": pl.Float64, "spread": pl.Float64}


def sample_rows(frame: pl.DataFrame, max_rows: int, seed: int = 0) -> pl.DataFrame:
    """At most `max_rows` rows drawn without replacement, in their order."""
    if frame.height <= max_rows:
        return frame
    drawn = np.random.default_rng(seed).choice(frame.height, max_rows, replace=False)
    return frame[np.sort(drawn)]


def permutation_importance(
    frame: pl.DataFrame,
    columns: Sequence[str],
    judge: Judge,
    criterion: Criterion,
    *,
    units: Mapping[str, NDArray[np.int64]] | None = None,
    n_repeats: int = 3,
    seed: int = 0,
) -> pl.DataFrame:
    """By how much the criterion gets worse when one column's values are dealt out among the rows anew.

    Columns that say the same share their importance: each stands in for the other. A constant column has 0.

    Args:
        units: column -> number of the unit (a customer) whose property it is, per row: its values are dealt out among
            units, so that all rows of one still agree.

    Returns: feature, importance (mean over the repeats, in the criterion's unit, positive: the model needs it), spread
    (standard deviation over the repeats); most important first. NaN where the metric cannot be known.

    Source: Breiman (2001), "Random forests", for any model as in Fisher, Rudin and Dominici (2019).
    """
    if frame.is_empty() or not columns:
        return pl.DataFrame(schema=IMPORTANCE_SCHEMA)
    generator = np.random.default_rng(seed)
    order = np.argsort(generator.random((n_repeats, frame.height)), axis=1, kind="stable")
    dealt = {column: _dealt(number, n_repeats, generator) for column, number in (units or {}).items()}
    varying = [column for column in columns if frame.get_column(column).n_unique() > 1]
    per_batch = max(MAX_STACKED_ROWS // (frame.height * n_repeats), 1)
    metrics: list[FloatArray] = []
    for start in range(0, len(varying), per_batch):
        batch = varying[start : start + per_batch]
        copies = [
            frame.with_columns(frame.get_column(column).gather(pl.Series(rows)))
            for column in batch
            for rows in dealt.get(column, order)
        ]
        metrics.append(judge(pl.concat(copies), len(copies)).reshape(len(batch), n_repeats))
    sign = 1.0 if criterion.higher_is_better else -1.0
    intact = float(judge(frame, 1)[0])
    worse = sign * (intact - np.concatenate(metrics)) if metrics else np.zeros((0, n_repeats))
    constant = [column for column in columns if column not in varying]
    return pl.DataFrame(
        {
            "feature": [*varying, *constant],
            "importance": [*worse.mean(axis=1).tolist(), *[0.0] * len(constant)],
            "spread": [*worse.std(axis=1).tolist(), *[0.0] * len(constant)],
        },
        schema=IMPORTANCE_SCHEMA,
    ).sort(["importance", "feature"], descending=[True, False], nulls_last=True)


def _dealt(unit: NDArray[np.int64], n_repeats: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """n_repeats x rows: the row to take a value from, the first of another unit, the same for all rows of a unit."""
    _, first, code = np.unique(unit, return_index=True, return_inverse=True)
    order = np.argsort(generator.random((n_repeats, len(first))), axis=1, kind="stable")
    return np.asarray(first[order][:, code])


def contribution_table(explanation: Explanation) -> pl.DataFrame:
    """input, mean_contribution (mean of the absolute contributions), direction (Spearman's correlation of value and
    contribution: positive where more of it raises the answer; null where either does not vary); largest first.
    """
    contributions = explanation.contributions
    rows = [
        (
            name,
            float(np.abs(contributions[:, i]).mean()),
            _spearman(explanation.values[:, i], contributions[:, i]),
        )
        for i, name in enumerate(explanation.inputs)
    ]
    schema = {"input": pl.String, "mean_contribution": pl.Float64, "direction": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").sort(
        ["mean_contribution", "input"], descending=[True, False]
    )


def _spearman(values: FloatArray, contributions: FloatArray) -> float | None:
    known = ~np.isnan(values)
    one, two = rankdata(values[known]), rankdata(contributions[known])
    if known.sum() < 2 or np.ptp(one) == 0 or np.ptp(two) == 0:
        return None
    return float(np.corrcoef(one, two)[0, 1])
