"""Plots that a run carries: what the numbers look like. Figures without a window, closed by whoever saves
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from models.evaluation.importance import contribution_table
from models.evaluation.intervals import Interval
from models.evaluation.metrics import calibration_by_tenths, lift_table
from models.evaluation.uplift import effect_table, gain_curve
from models.model import Explanation

INK, PALE, ACCENT = "#22313f", "#b8c4ce", "#d9480f"
LOW_TO_HIGH = LinearSegmentedColormap.from_list("low to high", ["#1c7ed6", PALE, ACCENT])
N_SHOWN = 15
"""How many features a plot of features shows, the strongest first."""


def comparison_plot(
    figures: Mapping[str, float], title: str, winner: str, intervals: Mapping[str, Interval] | None = None
) -> Figure:
    """One bar per method, with its interval where there is one; the winner stands out. Methods without a figure are
    left out.
    """
    known = {name: value for name, value in figures.items() if np.isfinite(value)}
    figure = Figure(figsize=(6, 0.5 * len(known) + 1.2), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(
        list(known), list(known.values()), color=[ACCENT if name == winner else PALE for name in known]
    )
    axes.bar_label(bars, fmt="%.4f", label_type="center")
    for name, value in known.items():
        interval = (intervals or {}).get(name)
        if interval is not None and np.isfinite([interval.low, interval.high]).all():
            ends = [[max(value - interval.low, 0.0)], [max(interval.high - value, 0.0)]]
            axes.errorbar([value], [name], xerr=ends, color=INK, capsize=3)
    axes.margins(x=0.15)
    axes.set_title(title, loc="left", color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def calibration_plot(answers: Mapping[str, NDArray[np.float64]], outcome: ArrayLike, title: str) -> Figure:
    """Predicted against observed share in tenths of the rows, one line per method."""
    return _tenths(answers, outcome, title, "predicted share", "observed share", "linear")


def amount_calibration_plot(
    answers: Mapping[str, NDArray[np.float64]], actual: ArrayLike, title: str
) -> Figure:
    """Predicted against actual mean amount in tenths of the rows on logarithmic axes, one line per method.

    Tenths in which nothing happened are left out.
    """
    return _tenths(answers, actual, title, "predicted mean", "actual mean", "log")


def _tenths(
    answers: Mapping[str, NDArray[np.float64]],
    actual: ArrayLike,
    title: str,
    predicted_label: str,
    actual_label: str,
    scale: str,
) -> Figure:
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    ends: list[float] = []
    for name, predicted in answers.items():
        table = calibration_by_tenths(actual, predicted)
        if scale == "log":
            table = table.filter(pl.col("predicted") > 0, pl.col("actual") > 0)
        ends += [*table["predicted"], *table["actual"]]
        axes.plot(table["predicted"], table["actual"], marker="o", markersize=4, label=name)
    if ends:
        axes.plot([min(ends), max(ends)], [min(ends), max(ends)], color=PALE, linestyle="--", label="perfect")
    axes.set(xlabel=predicted_label, ylabel=actual_label, xscale=scale, yscale=scale)
    axes.set_title(title, loc="left", color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def lift_plot(answers: Mapping[str, NDArray[np.float64]], actual: ArrayLike, title: str) -> Figure:
    """Share of the actual total that each tenth of customers holds, best predicted first, one line per
    method.
    """
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for name, predicted in answers.items():
        table = lift_table(actual, predicted)
        axes.plot(table["group"], table["lift"], marker="o", markersize=4, label=name)
    axes.axhline(1.0, color=PALE, linestyle="--")
    axes.set(xlabel="tenth of customers, best first", ylabel="actual, times the mean")
    axes.set_title(title, loc="left", color=INK)
    axes.legend(frameon=False)
    return figure


def effect_plot(answers: Mapping[str, NDArray[np.float64]], scores: ArrayLike, title: str) -> Figure:
    """Predicted against actual mean effect of tenths (`effect_table`) with one standard error, one line per method."""
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    for name, predicted in answers.items():
        table = effect_table(scores, predicted)
        axes.errorbar(
            table["predicted"],
            table["actual"],
            table["error"],
            marker="o",
            markersize=4,
            capsize=2,
            label=name,
        )
    axes.axline((0, 0), slope=1, color=PALE, linestyle="--", label="perfect")
    axes.set(xlabel="predicted effect", ylabel="actual effect")
    axes.set_title(title, loc="left", color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def gain_plot(answers: Mapping[str, NDArray[np.float64]], scores: ArrayLike, title: str) -> Figure:
    """Outcomes won per row against the share treated, best predicted first (`gain_curve`), one line per method."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    total = 0.0
    for name, predicted in answers.items():
        curve = gain_curve(scores, predicted)
        n = max(curve.n[-1], 1.0)
        axes.plot(curve.n / n, curve.gain / n, label=name)
        total = curve.gain[-1] / n
    axes.plot([0, 1], [0, total], color=PALE, linestyle="--", label="at random")
    axes.set(xlabel="share treated, best first", ylabel="outcomes won per row")
    axes.set_title(title, loc="left", color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def profile_plot(
    deviations: NDArray[np.float64], groups: Sequence[str], columns: Sequence[str], title: str
) -> Figure:
    """Groups x columns: how far each group's mean is from everybody's, in standard deviations (low blue, high orange)."""
    figure = Figure(figsize=(9, 0.5 * len(groups) + 2.4), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(deviations, aspect="auto", cmap=LOW_TO_HIGH, vmin=-2, vmax=2)
    axes.set_yticks(range(len(groups)), groups)
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="right")
    axes.set_title(title, loc="left", color=INK)
    figure.colorbar(image, ax=axes)
    return figure


def week_plot(by_hour: NDArray[np.float64], title: str) -> Figure:
    """168 hourly values as a table of colours, days down, hours across."""
    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(by_hour.reshape(7, 24), aspect="auto", cmap="viridis")
    axes.set(xlabel="local hour", yticks=range(7), yticklabels=["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"])
    axes.set_title(title, loc="left", color=INK)
    figure.colorbar(image, ax=axes)
    return figure


def importance_plot(importance: pl.DataFrame, title: str) -> Figure:
    """One bar per feature of `permutation_importance`, the strongest on top, with the spread over the repeats."""
    shown = importance.drop_nans("importance").head(N_SHOWN).reverse()
    figure = Figure(figsize=(6, 0.3 * shown.height + 1.2), layout="constrained")
    axes = figure.subplots()
    axes.barh(shown["feature"], shown["importance"], xerr=shown["spread"], color=PALE, ecolor=INK, capsize=2)
    axes.axvline(0.0, color=INK, linewidth=0.8)
    axes.set_title(title, loc="left", color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def contributions_plot(explanation: Explanation, title: str) -> Figure:
    """One dot per row and input: how far it moved the answer, coloured by the input's value (low blue, high orange,
    missing grey); inputs with the largest mean contribution on top.
    """
    names = contribution_table(explanation)["input"].head(N_SHOWN).to_list()
    figure = Figure(figsize=(7, 0.35 * len(names) + 1.4), layout="constrained")
    axes = figure.subplots()
    for height, name in enumerate(reversed(names)):
        column = explanation.inputs.index(name)
        moved, value = explanation.contributions[:, column], explanation.values[:, column]
        level = height + _swarm(moved)
        known = ~np.isnan(value)
        axes.scatter(moved[~known], level[~known], s=5, color="#adb5bd", linewidths=0)
        share = rankdata(value[known]) / max(known.sum(), 1)
        axes.scatter(moved[known], level[known], s=5, c=share, cmap=LOW_TO_HIGH, vmin=0, vmax=1, linewidths=0)
    axes.axvline(0.0, color=INK, linewidth=0.8)
    axes.set_yticks(range(len(names)), list(reversed(names)))
    axes.set_title(title, loc="left", color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _swarm(values: NDArray[np.float64], n_bins: int = 60, half_width: float = 0.4) -> NDArray[np.float64]:
    """Offsets that spread equal values evenly to both sides, the fullest bin over the whole width."""
    low, width = values.min(), max(float(np.ptp(values)), 1e-12)
    bins = np.minimum(((values - low) / width * n_bins).astype(int), n_bins - 1)
    order = np.argsort(bins, kind="stable")
    size = np.bincount(bins, minlength=n_bins)
    place = np.empty(len(values))
    place[order] = np.arange(len(values)) - np.repeat(np.cumsum(size) - size, size)
    return np.asarray(half_width * (2.0 * place + 1.0 - size[bins]) / size.max(), dtype=np.float64)
