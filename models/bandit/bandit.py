"""The bandit on frames: fitted once a day on counts, asked once for all choices of the day.

Here: checks of the frames, and what is returned. Not here: the method (`posterior`, `wins`), the draw of the action
(`models.policy.choice`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.bandit.design import JOINT, Term, columns_of, matrix_of, terms_of
from models.bandit.params import BanditParams
from models.bandit.posterior import Counts, Posterior, fit_posterior
from models.bandit.wins import monte_carlo_error, win_counts
from models.model import NotFittedError, require
from models.shrinkage import FloatArray, expit, logit

COUNTS = ("n_sent", "n_success")
EXPOSURE = "n_effective"
"""Optional column of the history: sends that count (`delay.with_exposure`)."""


@dataclass
class FactorBandit:
    """Thompson sampling over arms described by factors, in contexts of few segments.

    In log-odds: the rate of an arm in a context = level + baselines of the context + effects of the arm's factors +
    the arm's own effect + what the context's segments and scores change of the factors' effects. Each kind of effect is
    Gaussian around 0, so that a segment's are shrunk to those of all, an arm's to what its factors say, and an arm that
    was never sent stands where its factors put it, as uncertain as arms differ. Thompson 1933; with logistic regression
    in batches: Chapelle and Li 2011, "An empirical evaluation of Thompson sampling"; over the parts of a mail's or
    page's layout: Hill et al. 2017, "An efficient bandit algorithm for realtime multivariate optimization".

    Between two fits arms and levels may come and go. The order of rows never matters.
    """

    params: BanditParams
    posterior: Posterior | None = None
    name: ClassVar[str] = "factor_bandit"

    def fit(self, history: pl.DataFrame) -> Self:
        """Learn from what was sent.

        history: `params.labels`, `params.numbers` (scores, rounded so that rows are few), n_sent, n_success (<= n_sent),
            if known n_effective (0 to n_sent); one row per arm, context and whatever else, or several.

        Raises:
            MissingFeatureError: a column is not there.
            ValueError: a label, score or count is missing or out of its limits.
        """
        params, terms = self.params, self._terms
        self._check(history, COUNTS)
        cells = self._cells(history)
        columns = columns_of(cells, terms)
        counts = Counts(
            matrix_of(cells, terms, columns),
            cells["n_sent"].to_numpy(),
            cells["n_success"].to_numpy(),
            cells.select((pl.col(EXPOSURE) / pl.max_horizontal("n_sent", 1)).clip(0.0, 1.0))
            .to_series()
            .to_numpy(),
        )
        centre = float(logit(params.expected_rate))
        self.posterior = fit_posterior(
            counts, columns, terms, centre=centre, prior_levels=params.prior_levels
        )
        return self

    def chances(
        self,
        options: pl.DataFrame,
        *,
        by: Sequence[str],
        rng: np.random.Generator,
        explore: float | None = None,
    ) -> pl.DataFrame:
        """The chance of each arm in each choice, to draw from and to log.

        propensity = (1 - explore) x win_share + explore / eligible arms: exact, as the action is drawn from these
        numbers. win_share is the share of `n_draws` samples of the posterior in which the arm is the best; mc_error is
        its standard error against infinitely many. Choices share their samples, so their errors are alike too. Before any
        answer arms that differ alike have even chances; of arms with factors in common each wins less often, as they are
        good or bad together.

        Args:
            options: one row per choice and eligible arm: `by`, `params.labels`, `params.numbers`.
            by: columns that tell choices apart: context, and whatever decides which arms are eligible.
            rng: a fresh one for each call (`models.policy.draws.generator`); the state it is in decides the samples.
            explore: in place of `params.explore`.

        Returns:
            `by`, `params.arm`, win_share, mc_error, propensity, is_best (no arm of the choice has higher mean log-odds);
            sorted by the former two.

        Raises:
            NotFittedError, MissingFeatureError: see their words.
            ValueError: an arm stands twice in a choice, or labels of the context or scores differ within one.
        """
        params = self.params
        posterior = self._fitted()
        share = params.explore if explore is None else explore
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"explore is {share}; it is a share and must lie between 0 and 1")
        arm = [column for column in params.arm if column not in by]
        require(options, by, self.name)
        self._check(options)
        ordered = options.sort(*by, *arm)
        self._check_choices(ordered, by, arm)
        columns = columns_of(ordered, self._terms)
        matrix = matrix_of(ordered, self._terms, columns)
        mean, covariance = posterior.over(columns)
        start, size = _runs(ordered, by)
        normals = rng.standard_normal((max(int(size.max(initial=1)) - 1, 0), params.n_draws))
        wins = np.full(ordered.height, float(params.n_draws))
        ahead = np.zeros(ordered.height)
        for n_arms in np.unique(size[size > 1]):
            rows = start[size == n_arms][:, None] + np.arange(n_arms)
            contrasts = _less_first(matrix, rows)
            wins[rows] = win_counts(contrasts, int(n_arms), mean, covariance, normals)
            ahead[rows[:, 1:]] = (contrasts @ mean).reshape(len(rows), -1)
        n_eligible = np.repeat(size, size)
        win_share = wins / params.n_draws
        error = np.where(n_eligible > 1, monte_carlo_error(wins, params.n_draws), 0.0)
        return ordered.select(
            *by,
            *arm,
            win_share=pl.Series(win_share),
            mc_error=pl.Series(error),
            propensity=pl.Series(win_share + share * (1.0 / n_eligible - win_share)),
            is_best=pl.Series(ahead == np.repeat(_highest(ahead, start), size)),
        )

    def rates(self, options: pl.DataFrame) -> pl.DataFrame:
        """What is expected of each row (`params.labels`, `params.numbers`), in its order: log_odds, log_odds_sd, rate.

        rate: posterior mean, by MacKay's approximation of the integral over the log-odds (1992).
        """
        posterior = self._fitted()
        self._check(options)
        columns = columns_of(options, self._terms)
        matrix = matrix_of(options, self._terms, columns)
        mean, covariance = posterior.over(columns)
        log_odds = matrix @ mean
        variance = np.asarray(matrix.multiply(matrix @ covariance).sum(axis=1)).ravel()
        return pl.DataFrame(
            {
                "log_odds": log_odds,
                "log_odds_sd": np.sqrt(variance),
                "rate": expit(log_odds / np.sqrt(1.0 + np.pi * variance / 8.0)),
            }
        )

    def effects(self) -> pl.DataFrame:
        """What was learnt of the factors: effect on the log-odds of a level against the mean of its factor's levels.

        Returns:
            factor, level, segment and segment_level (null: in all segments), effect, effect_sd.
        """
        posterior, terms = self._fitted(), self._terms
        place: dict[tuple[str, ...], list[tuple[list[str], int]]] = {}
        for column, (term, level) in enumerate(posterior.columns.iter_rows()):
            if terms[term].score is None:
                place.setdefault(terms[term].columns, []).append((level.split(JOINT), column))
        rows = []
        for factor in self.params.factors:
            levels = {level: column for (level,), column in place.get((factor,), [])}
            rows += _against_mean(posterior, (factor, None, None), {k: [c] for k, c in levels.items()})
            for segment in self.params.segments:
                changed = place.get((factor, segment), [])
                for group in sorted({group for (_, group), _ in changed}):
                    in_group = {
                        level: [levels[level], column] for (level, of), column in changed if of == group
                    }
                    rows += _against_mean(posterior, (factor, segment, group), in_group)
        return pl.DataFrame(
            rows,
            orient="row",
            schema={
                "factor": pl.String,
                "level": pl.String,
                "segment": pl.String,
                "segment_level": pl.String,
                "effect": pl.Float64,
                "effect_sd": pl.Float64,
            },
        )

    @property
    def _terms(self) -> tuple[Term, ...]:
        return terms_of(self.params)

    def _fitted(self) -> Posterior:
        if self.posterior is None:
            raise NotFittedError(self.name)
        return self.posterior

    def _cells(self, history: pl.DataFrame) -> pl.DataFrame:
        """One row per arm and context, sorted: sums do not depend on the order of rows."""
        if EXPOSURE not in history.columns:
            history = history.with_columns(pl.col("n_sent").cast(pl.Float64).alias(EXPOSURE))
        keys = [*self.params.labels, *self.params.numbers]
        counts = ["n_sent", "n_success", EXPOSURE]
        ordered = history.select(
            *(pl.col(column).cast(pl.String) for column in self.params.labels),
            *(pl.col(column).cast(pl.Float64) for column in self.params.numbers),
            *(pl.col(column).cast(pl.Float64) for column in counts),
        ).sort(*keys, *counts)
        start, size = _runs(ordered, keys)
        cell = np.repeat(np.arange(len(size)), size)
        return ordered.select(keys)[start].with_columns(
            pl.Series(column, np.bincount(cell, ordered[column].to_numpy(), minlength=len(size)))
            for column in counts
        )

    def _check(self, frame: pl.DataFrame, counts: Sequence[str] = ()) -> None:
        params = self.params
        require(frame, (*params.labels, *params.numbers, *counts), self.name)
        for column in (*params.labels, *params.numbers, *counts):
            missing = frame[column].null_count()
            if column in params.numbers and frame[column].dtype.is_float():
                missing += int(frame[column].is_nan().sum())
            if missing:
                raise ValueError(
                    f"{column} is missing in {missing} of {frame.height} rows; "
                    "say what holds where nothing is known, as 'none', or 0 for a score"
                )
        if not counts:
            return
        wrong = frame.filter(~((pl.col("n_success") >= 0) & (pl.col("n_success") <= pl.col("n_sent"))))
        if wrong.height:
            raise ValueError(
                f"n_success must lie between 0 and n_sent; {wrong.height} rows do not keep to that, "
                f"the first has {wrong['n_success'][0]} of {wrong['n_sent'][0]}"
            )
        if EXPOSURE in frame.columns:
            within = (pl.col(EXPOSURE) >= 0) & (pl.col(EXPOSURE) <= pl.col("n_sent"))
            outside = frame.filter(~within.fill_null(False))
            if outside.height:
                raise ValueError(
                    f"{EXPOSURE} must lie between 0 and n_sent; {outside.height} rows do not keep to that, "
                    f"the first has {outside[EXPOSURE][0]} of {outside['n_sent'][0]}"
                )

    def _check_choices(self, ordered: pl.DataFrame, by: Sequence[str], arm: Sequence[str]) -> None:
        twice = ordered.filter(ordered.select(*by, *arm).is_duplicated())
        if twice.height:
            raise ValueError(
                f"an arm stands twice in a choice: {twice.select(*by, *arm).row(0, named=True)}; "
                "an arm has one set of factors"
            )
        shared = [c for c in (*self.params.context_labels, *self.params.numbers) if c not in by]
        start, size = _runs(ordered, by)
        for column in shared:
            values = ordered[column]
            differs = values != values[np.repeat(start, size)]
            if differs.any():
                choice = ordered.filter(differs).select(by).row(0, named=True)
                raise ValueError(
                    f"{column} differs between the arms of the choice {choice}; "
                    "it belongs to the context: add it to `by`"
                )


def _runs(ordered: pl.DataFrame, by: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First row and number of rows of each group of a sorted frame."""
    number = (
        ordered.select(pl.struct(by).rle_id()).to_series().to_numpy() if ordered.height else np.zeros(0, int)
    )
    size = np.bincount(number)
    return np.cumsum(size) - size, size


def _highest(values: FloatArray, start: NDArray[np.int64]) -> FloatArray:
    return np.maximum.reduceat(values, start) if len(start) else values


def _less_first(matrix: csr_matrix, rows: NDArray[np.int64]) -> csr_matrix:
    """Rows of the arms of choices (choices x arms) but the first, less the first's: what all share cancels."""
    others = matrix[rows[:, 1:].ravel()] - matrix[np.repeat(rows[:, 0], rows.shape[1] - 1)]
    others.eliminate_zeros()
    return others


def _against_mean(
    posterior: Posterior, of: tuple[str, str | None, str | None], levels: dict[str, list[int]]
) -> list[tuple[str, str, str | None, str | None, float, float]]:
    """Rows of `effects`: the sum of each level's columns less the mean of these sums."""
    factor, segment, group = of
    names = sorted(levels)
    if not names:
        return []
    sums = np.zeros((len(names), len(posterior.mean)))
    for row, name in enumerate(names):
        sums[row, levels[name]] = 1.0
    contrasts = sums - sums.mean(axis=0)
    effect = contrasts @ posterior.mean
    deviation = np.sqrt(
        np.einsum("ij,jk,ik->i", contrasts, posterior.covariance, contrasts, optimize=True).clip(0)
    )
    return [
        (factor, name, segment, group, float(effect[row]), float(deviation[row]))
        for row, name in enumerate(names)
    ]
