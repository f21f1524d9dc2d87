"""Figures of the gap between each size and the largest size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hypertransfer.analysis import trajectories
from hypertransfer.analysis.curves import scaled_to
from hypertransfer.analysis.sweeps import common_seeds
from hypertransfer.analysis.tables import Tables, named_probe, series_of, unique_runs
from hypertransfer.analysis.trajectories import Trajectories
from hypertransfer.figures.labels import AXES, QUANTITIES
from hypertransfer.figures.panels import (
    log2_axis,
    one_legend,
    panel_grid,
    plain_log_ticks,
    size_colours,
)


def gaps(
    tables: Tables,
    *,
    quantities: Sequence[str],
    size: str,
    relative: Sequence[str],
    probe: str | None,
) -> Figure:
    """|S_N − S_∞| of each quantity: along training (top) and over size late in training (bottom).

    S_∞ is the quantity at the largest size with the same seed; for quantities in `relative`, the
    gap is divided by |S_∞|. The bottom row shows the mean over the last third of training. Dashed
    lines have the exponents of the measures `gap_growth` and `gap_size_exponent`: power laws of the
    step, and |N^b − N_max^b| over the size N.
    """
    figure, axes = panel_grid(2, len(quantities))
    runs, _ = common_seeds(unique_runs(tables), size)
    for column, quantity in enumerate(quantities):
        chosen = named_probe(tables, quantity, probe)
        series = series_of(tables, runs, quantity, chosen).dropna(subset=[quantity])
        paths = trajectories.trajectories(runs, series, quantity, size)
        ratio = quantity in relative
        _gap_over_time(axes[0, column], paths, ratio)
        _gap_over_size(axes[1, column], paths, ratio, size)
        axes[0, column].set_title(QUANTITIES.get(quantity, quantity))
    axes[0, 0].set_ylabel("gap to the widest" if size == "shape.width" else "gap to the largest")
    axes[1, 0].set_ylabel("gap, last third")
    one_legend(figure, axes, size)
    return figure


def _gap_over_time(axis: Axes, paths: Trajectories, relative: bool) -> None:
    """Draw the mean |gap| over seeds along training, one line for each size, and power laws."""
    steps, gap = trajectories.gaps(paths, relative=relative)
    exponent = trajectories.gap_growth(steps, gap).value
    colours = size_colours(pd.Series(paths.sizes))
    for value, rows in zip(paths.sizes[:-1], gap, strict=True):
        mean = np.abs(rows).mean(axis=0)
        axis.plot(steps, mean, color=colours[value], label=f"{value:g}")
        if np.isfinite(exponent) and (mean > 0).all():
            _dashed(axis, steps, scaled_to(steps**exponent, mean), colours[value])
    axis.set_xscale("log")
    axis.set_yscale("log")
    _few_log_ticks(axis.xaxis, axis.yaxis)
    if np.isfinite(exponent):
        _write(axis, f"∝ t$^{{{exponent:.2f}}}$")
    axis.set(xlabel="step")


def _gap_over_size(axis: Axes, paths: Trajectories, relative: bool, size: str) -> None:
    """Draw late |gaps| of the seeds over the size, their mean, and the fitted law of the mean."""
    each = trajectories.late_gaps(paths, relative=relative)
    exponent = trajectories.gap_size_exponent(paths, relative=relative).value
    sizes, means = paths.sizes[:-1], each.mean(axis=1)
    axis.plot(sizes, each, linestyle="", marker="o", color="0.5", markersize=4)
    axis.plot(sizes, means, linestyle="", marker="D", color="black", markersize=6)
    if np.isfinite(exponent):
        shape = np.abs(trajectories.limit_shape(paths.sizes, exponent))[:, 0]
        _dashed(axis, sizes, scaled_to(shape, means), "black")
        _write(axis, f"∝ |N$^b$ − N$_{{max}}^b$|, b = {exponent:.2f}")
    log2_axis(axis, sizes)
    axis.set_yscale("log")
    _few_log_ticks(axis.yaxis)
    axis.set(xlabel=AXES.get(size, size))


def _write(axis: Axes, text: str) -> None:
    """Write a law into a corner."""
    axis.annotate(text, (0.04, 0.06), xycoords="axes fraction", fontsize=11)


def _dashed(axis: Axes, x: np.ndarray, law: np.ndarray, colour: Any) -> None:
    """Draw a fitted law."""
    axis.plot(x, law, color=colour, linestyle="--", linewidth=1)


def _few_log_ticks(*axes: mpl.axis.Axis) -> None:
    """Label the log axes of small panels with plain numbers: 1, 2 and 5 of each decade."""
    for axis in axes:
        plain_log_ticks(axis, (1, 2, 5), 7)
