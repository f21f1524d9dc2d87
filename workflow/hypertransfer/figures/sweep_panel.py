"""The panel of a learning-rate sweep, in figures of sweeps and of training."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from hypertransfer.analysis.sweeps import NoCommonSeedError, common_seeds, sweeps
from hypertransfer.analysis.tables import Tables
from hypertransfer.figures.labels import AXES
from hypertransfer.figures.panels import (
    Shades,
    band,
    diverged,
    plain_log_ticks,
    size_colours,
    write_left_out,
)

CUT = 4  # upper end of the loss axis, as a multiple of the largest best loss of any size


def draw_sweep(
    axis: Axes, tables: Tables, size: str, shades: Shades | None = None, swept: str = "lr"
) -> None:
    """Draw the mean loss over the learning rate, with one line for each size.

    Stars mark optima, and crosses mark learning rates at which a seed diverged. Bands are the range
    of the seeds, where no seed diverged. A panel without a seed that all sizes have says so.
    """
    axis.set(xlabel=AXES.get(swept, swept), ylabel="final training loss")
    try:
        runs, _ = common_seeds(tables["runs"], size, swept)
    except NoCommonSeedError as error:
        write_left_out(axis, [str(error)])
        return
    colours = size_colours(runs[size], shades)
    bests: list[float] = []  # best loss of each size, all of which the axis shows
    worsts: list[float] = []
    ends: list[float] = []  # of the bands
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
        if len(finite):
            bests.append(finite.min())
            worsts.append(finite.max())
            ends += [np.nanmin(curve["low"]), np.nanmax(curve["high"])]
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
        means = min(bests), min(max(bests) * CUT, max(worsts))
        _loss_axis(axis, means, (min(ends), max(ends)))


def _loss_axis(axis: Axes, means: tuple[float, float], ends: tuple[float, float]) -> None:
    """Set the limits of the loss axis, which shows the range of the means.

    It is linear if the upper end of this range is below four times the lower, else logarithmic. It
    shows the lower `ends` of bands, too; a linear one shows the upper as far as they do not make
    the means flat. Panels that share the axis and are already drawn stay in its limits.
    """
    low, high = means
    bottom, top = ends
    siblings = axis.get_shared_y_axes().get_siblings(axis)
    shown = axis.get_ylim() if any(one.lines for one in siblings if one is not axis) else means
    if high < 4 * low:
        top = min(top, high + (high - bottom) / 2)
        margin = 0.06 * (top - bottom)
        limits = bottom - margin, top + margin
    else:
        axis.set_yscale("log")
        plain_log_ticks(axis.yaxis)
        limits = bottom * 0.8, high * 1.1
    axis.set_ylim(min(limits[0], shown[0]), max(limits[1], shown[1]))
