"""Plots that a run carries: what the numbers look like. Figures without a window, closed by whoever saves
them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from models.evaluation.metrics import calibration_table, lift_table

INK, PALE, ACCENT = "#22313f", "#b8c4ce", "#d9480f"


def comparison_plot(figures: Mapping[str, float], title: str, winner: str) -> Figure:
    """One bar per method; the winner stands out. Methods without a figure are left out."""
    known = {name: value for name, value in figures.items() if np.isfinite(value)}
    figure = Figure(figsize=(6, 0.5 * len(known) + 1.2), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(
        list(known), list(known.values()), color=[ACCENT if name == winner else PALE for name in known]
    )
    axes.bar_label(bars, fmt="%.4f", padding=3)
    axes.margins(x=0.15)
    axes.set_title(title, loc="left", color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def calibration_plot(answers: Mapping[str, NDArray[np.float64]], outcome: ArrayLike, title: str) -> Figure:
    """Predicted against observed share in ten bins, one line per method."""
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=PALE, linestyle="--", label="perfect")
    for name, predicted in answers.items():
        table = calibration_table(outcome, predicted)
        axes.plot(table["predicted"], table["actual"], marker="o", markersize=4, label=name)
    axes.set(xlabel="predicted", ylabel="observed")
    axes.set_title(title, loc="left", color=INK)
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


def week_plot(by_hour: NDArray[np.float64], title: str) -> Figure:
    """168 hourly values as a table of colours, days down, hours across."""
    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(by_hour.reshape(7, 24), aspect="auto", cmap="viridis")
    axes.set(xlabel="local hour", yticks=range(7), yticklabels=["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"])
    axes.set_title(title, loc="left", color=INK)
    figure.colorbar(image, ax=axes)
    return figure
