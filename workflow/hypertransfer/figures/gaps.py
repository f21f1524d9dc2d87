"""Figures of the gap to the largest size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hypertransfer.analysis import sweeps as analysis_sweeps
from hypertransfer.analysis import trajectories
from hypertransfer.figures.labels import QUANTITIES, WORDS
from hypertransfer.figures.panels import few_log_ticks, one_legend, panel_grid, size_colours
from hypertransfer.figures.selection import Tables


def gaps(
    tables: Tables, *, quantities: Sequence[str], size: str = "shape.width",
    relative: Sequence[str] = (),
) -> Figure:  # fmt: skip
    """|S_N − S_∞| of each quantity: over time (top) and over size late in training (bottom).

    S_∞ is the largest size with the same seed. Dashed lines are power laws; their exponents
    are those of the measures `gap_growth` and `gap_size_exponent`.
    """
    figure, axes = panel_grid(2, len(quantities))
    runs, _ = analysis_sweeps.common_seeds(tables["runs"].drop_duplicates("key"), size)
    for column, quantity in enumerate(quantities):
        table = tables["history" if quantity == "train_loss" else "probes"]
        series = table[table["key"].isin(runs["key"])].dropna(subset=[quantity])
        paths = trajectories.trajectories(runs, series, quantity, size)
        ratio = quantity in relative
        _gap_over_time(axes[0, column], paths, ratio)
        _gap_over_size(axes[1, column], paths, ratio, size)
        axes[0, column].set_title(QUANTITIES.get(quantity, quantity))
    axes[0, 0].set_ylabel("gap to the widest" if size == "shape.width" else "gap to the largest")
    axes[1, 0].set_ylabel("gap, last third")
    one_legend(figure, axes, size)
    return figure


def _gap_over_time(axis: Axes, paths: trajectories.Trajectories, relative: bool) -> None:
    seeds = np.arange(paths.values.shape[1])
    steps, gap = trajectories.gaps(paths, relative=relative)
    grown = trajectories.growth(steps, gap, seeds).value
    colours = size_colours(pd.Series(paths.sizes))
    for value, rows in zip(paths.sizes[:-1], gap, strict=True):
        mean = np.abs(rows).mean(axis=0)
        axis.plot(steps, mean, color=colours[value], label=f"{value:g}")
        if np.isfinite(grown) and (mean > 0).all():
            _power_law(axis, steps, mean, grown, colours[value])
    axis.set_xscale("log")
    axis.set_yscale("log")
    few_log_ticks(axis.xaxis, axis.yaxis)
    axis.annotate(f"∝ t$^{{{grown:.2f}}}$", (0.04, 0.06), xycoords="axes fraction", fontsize=11)
    axis.set(xlabel="step")


def _gap_over_size(axis: Axes, paths: trajectories.Trajectories, relative: bool, size: str) -> None:
    seeds = np.arange(paths.values.shape[1])
    _, gap = trajectories.gaps(paths, window=1, burn_in=2 / 3, relative=relative)
    each = np.abs(gap).mean(axis=2)  # (size, seed)
    fitted = trajectories.closing(paths, seeds, relative=relative).value
    sizes = paths.sizes[:-1]
    axis.plot(sizes, each, linestyle="", marker="o", color="0.5", markersize=4)
    axis.plot(sizes, each.mean(axis=1), linestyle="", marker="D", color="black", markersize=6)
    if np.isfinite(fitted):
        _power_law(axis, sizes, each.mean(axis=1), fitted, "black")
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_xticks(sizes)
    axis.xaxis.set_major_formatter(mpl.ticker.ScalarFormatter())
    few_log_ticks(axis.yaxis)
    axis.annotate(f"∝ N$^{{{fitted:.2f}}}$", (0.04, 0.06), xycoords="axes fraction", fontsize=11)
    axis.set(xlabel=WORDS.get(size, size))


def _power_law(axis: Axes, x: np.ndarray, y: np.ndarray, exponent: float, colour: Any) -> None:
    """A dashed line ∝ x^exponent through the middle of the points."""
    middle = np.exp(np.log(y).mean() - exponent * np.log(x).mean())
    axis.plot(x, middle * x**exponent, color=colour, linestyle="--", linewidth=1)
