"""Figures of learning-rate sweeps over sizes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from hypertransfer.analysis.curves import power_law_with_floor
from hypertransfer.analysis.estimate import Estimate
from hypertransfer.analysis.sweeps import (
    NoCommonSeedError,
    shifts_from_smallest,
    sweeps_of_common_seeds,
)
from hypertransfer.analysis.tables import (
    Tables,
    across_seeds,
    best_cell,
    cell_means,
    diverged_cells,
)
from hypertransfer.figures.labels import AXES, NAMES, QUANTITIES, parameterisation_label
from hypertransfer.figures.panels import (
    PANELS,
    by_panel,
    in_order,
    log2_axis,
    panel_grid,
    write_left_out,
)
from hypertransfer.figures.sweep_panel import draw_sweep

OPTIMIZERS = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}
LAW_POINTS = 4  # least number of durations to which a law with three constants is fitted
MARGIN = 2  # octaves that the axis shows beyond the optima, since intervals can be open
APART = 0.05  # octaves of size between lines, so that their intervals can be told apart
OPEN_LENGTH = 10.0  # octaves of the line to an open end, which lies beyond the axis


def lr_sweep(
    tables: Tables,
    *,
    size: str,
    panels: str,
    titles: Mapping[str, str],
    axis: str,
) -> Figure:
    """Final loss over the learning rate, a panel a parameterisation (or another column).

    `axis` may name another hyperparameter that was swept. Stars mark optima, and crosses mark
    learning rates at which a seed diverged.
    """
    # Different networks have different losses, so only panels of parameterisations share an axis.
    return by_panel(
        tables, size, partial(draw_sweep, swept=axis), panels, titles, sharey=panels == PANELS
    )


def law(tables: Tables) -> Figure:
    """Final loss over the steps D of a run, with a law E + A·D^−b for each parameterisation.

    The law is fitted if there are four durations or more. D counts steps, since all runs have the
    same batch size and windows. Runs that diverged are left out.
    """
    runs = tables["runs"][tables["runs"]["status"] != "diverged"]
    figure, axes = panel_grid(1, 1, width=1.6, height=1.2)
    axis = axes[0, 0]
    names = in_order(runs["parameterisation"])
    for colour, name in zip(sns.color_palette("deep"), names, strict=False):
        part = runs[runs["parameterisation"] == name]
        spread = across_seeds(part, "steps", "final_loss")
        label = parameterisation_label(name)
        if len(spread) >= LAW_POINTS:
            floor, scale, power = power_law_with_floor(spread.index, spread["mean"])
            steps = np.geomspace(spread.index.min(), spread.index.max(), 50)
            axis.plot(steps, floor + scale * steps**-power, color=colour, linewidth=1.2)
            label += f": {floor:.2f} + {scale:.1f}·D$^{{-{power:.2f}}}$"
        errors = [spread["mean"] - spread["min"], spread["max"] - spread["mean"]]
        axis.errorbar(spread.index, spread["mean"], errors, fmt="o", color=colour, label=label)
    log2_axis(axis, sorted(runs["steps"].unique()))
    axis.set(xlabel="steps D", ylabel="final training loss")
    axis.legend()
    return figure


def optimum(tables: Tables, *, size: str, titles: Mapping[str, str]) -> Figure:
    """Best learning rate over size, in octaves from that of the smallest, a line a sweep.

    There is one line for each grid, optimizer and parameterisation. With `titles`, which map grids
    to labels, each line has its own colour; otherwise colours are those of parameterisations. Lines
    stand a little apart over the size. The figure names the lines that it leaves out because no
    seed has all their runs.
    """
    figure, axes = panel_grid(1, 1, width=1.5, height=1.4)
    axis = axes[0, 0]
    lines = tables["runs"].groupby(["grid", "optimizer", "parameterisation"], sort=False)
    palette = sns.color_palette("deep")
    shown, left_out = [0.0], []
    colours = dict(zip(NAMES, palette, strict=False))
    for index, ((grid, optimizer, name), runs) in enumerate(lines):
        words = titles.get(
            grid, f"{parameterisation_label(name)}, {OPTIMIZERS.get(optimizer, optimizer)}"
        )
        try:
            swept = sweeps_of_common_seeds(runs, size)
        except NoCommonSeedError as error:
            left_out.append(f"{words}: {error}")
            continue
        shifts = shifts_from_smallest(swept)
        shown += [shift.value for shift in shifts if np.isfinite(shift.value)]
        style = "--" if optimizer.startswith("adam") else "-"
        axis.errorbar(
            [sweep.size * 2 ** (APART * (index - (len(lines) - 1) / 2)) for sweep in swept],
            [shift.value for shift in shifts],
            yerr=_spans(shifts),
            label=words,
            marker="o",
            linestyle=style,
            capsize=3,
            color=palette[index % len(palette)] if titles else colours[name],
        )
    write_left_out(axis, left_out)
    log2_axis(axis, sorted(tables["runs"][size].unique()))
    axis.axhline(0, color="0.3", linewidth=0.8)
    axis.set_ylim(min(shown) - MARGIN, max(shown) + MARGIN)
    axis.set(xlabel=AXES.get(size, size), ylabel="shift of the best learning rate [octaves]")
    if axis.containers:
        figure.legend(loc="outside right center")
    return figure


def _spans(estimates: Sequence[Estimate]) -> np.ndarray:
    """Lengths (2, n) of the error bars below and above n values."""
    ends = [(e.value - e.low, e.high - e.value) for e in estimates]
    return np.array([[v if math.isfinite(v) else OPEN_LENGTH for v in pair] for pair in ends]).T


def heat_map(tables: Tables, *, x: str, y: str, quantity: str) -> Figure:
    """A quantity of the runs over two axes, mean over seeds; a star at the best.

    A star marks the best of the cells in which no seed diverged: the highest accuracy, or the least
    value of another quantity. A cross marks cells in which a seed diverged; their means are over
    the other seeds, and cells in which all diverged are white.
    """
    accuracy = quantity == "eval_accuracy"
    cells = cell_means(tables["runs"], x, y, quantity)
    unsafe = diverged_cells(tables["runs"], x, y)
    figure, axes = panel_grid(1, 1, width=2.2, height=1.3)
    axis = axes[0, 0]
    sns.heatmap(
        cells,
        ax=axis,
        **({"vmin": 0, "vmax": 1} if cells.isna().all(axis=None) else {}),  # else none is known
        cmap="viridis" if accuracy else "viridis_r",
        annot=True,
        fmt=".2f",
        annot_kws={"size": 9},
        cbar_kws={"label": QUANTITIES.get(quantity, quantity)},
        xticklabels=[f"2$^{{{np.log2(v):g}}}$" if x == "lr" else f"{v:g}" for v in cells.columns],
        yticklabels=[f"{v:g}" for v in cells.index],
    )
    axis.tick_params(axis="y", rotation=0)
    for row, column in np.argwhere(unsafe.to_numpy()):
        axis.plot(column + 0.5, row + 0.18, "x", color="black", markersize=7)
    if best := best_cell(cells.mask(unsafe), highest=accuracy):
        place = best[1] + 0.5, best[0] + 0.18
        axis.plot(*place, "*", color="white", markeredgecolor="black", markersize=12)
    axis.set(xlabel=AXES.get(x, x), ylabel=AXES.get(y, y))
    return figure
