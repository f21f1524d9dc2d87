"""The panel of a learning-rate sweep, in figures of sweeps and of training."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from hypertransfer.analysis.sweeps import common_seeds, sweeps
from hypertransfer.analysis.tables import Tables
from hypertransfer.figures.labels import AXES
from hypertransfer.figures.panels import Shades, band, diverged, plain_log_ticks, size_colours

CUT = 4  # upper end of the loss axis, as a multiple of the largest best loss of any size


def draw_sweep(
    axis: Axes, tables: Tables, size: str, shades: Shades | None = None, swept: str = "lr"
) -> None:
    """Draw the mean loss over the learning rate, with one line for each size.

    Stars mark optima, and crosses mark learning rates at which a seed diverged. Bands are the range
    of the seeds, where no seed diverged.
    """
    runs, _ = common_seeds(tables["runs"], size, swept)
    colours = size_colours(runs[size], shades)
    bests: list[float] = []  # best loss of each size, all of which the axis shows
    highest: list[float] = []
    for sweep in sweeps(runs, size, axis=swept):
        colour, curve = colours[sweep.size], sweep.curve()
        finite = curve["mean"][np.isfinite(curve["mean"])]
        axis.plot(
            sweep.lrs,
            curve["mean"],
            marker="o",
            markersize=4,
            color=colour,
            label=f"{sweep.size:g}",
        )
        band(axis, sweep.lrs, curve["low"], curve["high"], colour)
        diverged(axis, sweep.lrs[~np.isfinite(curve["mean"])], colour)
        bests += [finite.min()] if len(finite) else []
        highest += [finite.max()] if len(finite) else []
        if star := sweep.optimum_on_curve():
            axis.plot(
                *star,
                marker="*",
                markersize=14,
                color=colour,
                markeredgecolor="black",
                markeredgewidth=0.7,
                linestyle="",
                zorder=5,
            )
    axis.set_xscale("log", base=2)
    if bests:
        _loss_axis(axis, min(bests), min(max(bests) * CUT, max(highest)))
    axis.set(xlabel=AXES.get(swept, swept), ylabel="final training loss")


def _loss_axis(axis: Axes, low: float, high: float) -> None:
    """Set the limits of the loss axis: linear if `high` is below four times `low`, else log."""
    if high < 4 * low:
        margin = 0.12 * (high - low)
        axis.set_ylim(low - margin, high + margin)
        return
    axis.set_yscale("log")
    axis.set_ylim(low * 0.8, high)
    plain_log_ticks(axis.yaxis)
