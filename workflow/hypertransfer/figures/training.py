"""Figures of quantities along training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hypertransfer.analysis.curves import power_law_exponent
from hypertransfer.analysis.numerals import minus_signs
from hypertransfer.analysis.tables import (
    Tables,
    across_seeds,
    eigenvalue_density,
    last_rows,
    probed_rows,
    smoothed,
    table_of,
    with_axes,
)
from hypertransfer.figures.labels import AXES, QUANTITIES, parameterisation_label
from hypertransfer.figures.panels import (
    PANELS,
    Shades,
    band,
    bands,
    by_panel,
    in_order,
    log2_axis,
    one_legend,
    panel_grid,
    panel_title,
    plain_log_ticks,
    size_colours,
)
from hypertransfer.figures.selection import rows_of, select
from hypertransfer.figures.sweep_panel import draw_sweep

# Quantities that are drawn on a log axis.
LOG = (
    "train_loss", "stream", "stream_change", "linearisation_distance", "block_nonlinearity", "ntk",
    "ntk_last", "trace", "theory_error", "stability", "preconditioned_sharpness", "router_logit",
    "router_logit_change", "expert_change",
)  # fmt: skip
MANY_DECADES = 300  # ratio of the ends of a log axis above which ticks are powers of ten
EDGES = np.linspace(-4, 2, 37)  # of the bins of a density, in log₁₀ λ
SMOOTH = 5  # records over which a training loss is averaged


def overview(tables: Tables, *, dynamics: str, sweep: str, size: str, probe: str | None) -> Figure:
    """The first figure of the paper: a row a parameterisation; sharpness, loss, sweep."""
    names = in_order(tables["runs"]["parameterisation"])
    shades = size_colours(tables["runs"][size])  # one legend for grids of different sizes
    figure, axes = panel_grid(len(names), 3)
    for row, name in zip(axes, names, strict=True):
        along = select(tables, {"grid": dynamics, "parameterisation": name})
        draw_sharpness(row[0], along, size, shades, probe)
        draw_loss(row[1], along, size, shades)
        draw_sweep(row[2], select(tables, {"grid": sweep, "parameterisation": name}), size, shades)
        row[0].set_ylabel(f"{parameterisation_label(name)}\n\n{row[0].get_ylabel()}")
    for axis, title in zip(axes[0], ("Sharpness", "Training loss", "Transfer"), strict=True):
        axis.set_title(title)
    one_legend(figure, axes, size)
    return figure


def sharpness(
    tables: Tables,
    *,
    size: str,
    panels: str,
    titles: Mapping[str, str],
    probe: str | None,
) -> Figure:
    """Scaled sharpness along training with 2/η₀, a panel a parameterisation."""
    return by_panel(tables, size, partial(draw_sharpness, probe=probe), panels, titles)


def loss(
    tables: Tables,
    *,
    size: str,
    panels: str,
    titles: Mapping[str, str],
) -> Figure:
    """Training loss along training, a panel a parameterisation."""
    return by_panel(tables, size, draw_loss, panels, titles, sharey=True)


def along(
    tables: Tables,
    *,
    quantities: Sequence[str],
    size: str,
    panels: str,
    titles: Mapping[str, str],
    level: float | None,
    sweep: bool,
    probe: str | None,
) -> Figure:
    """Quantities along training: a row a quantity, a column a panel; a dashed line at `level`.

    There is one column for each value of the column `panels`. A dashed line marks `level`. With
    `sweep`, the top row shows the final loss over the learning rate.
    """
    names = in_order(tables["runs"][panels])
    rows = [*(["sweep"] if sweep else []), *quantities]
    figure, axes = panel_grid(len(rows), len(names), sharey=False if sweep else "row")
    for column, name in enumerate(names):
        part = select(tables, {panels: name})
        along = _probed(part) if sweep else part  # the sweep has several runs of a size and seed
        for axis, quantity in zip(axes[:, column], rows, strict=True):
            if quantity == "sweep":
                draw_sweep(axis, part, size)
            elif quantity == "train_loss":
                draw_loss(axis, along, size)
            elif table_of(quantity) == "history":
                _of_history(axis, along, size, quantity)
            else:
                draw_quantity(axis, part, size, quantity, level, probe)
            if column and not sweep:
                axis.set_ylabel("")
        axes[0, column].set_title(panel_title(name, titles))
    one_legend(figure, axes, size)
    return figure


def density(
    tables: Tables,
    *,
    size: str,
    panels: str,
    titles: Mapping[str, str],
    probe: str | None,
) -> Figure:
    """Share of the eigenvalues per unit of log λ, at the first and the last checkpoint."""
    probes = probed_rows(tables, "nodes", probe).dropna(subset=["nodes"])
    names = in_order(tables["runs"][panels])
    figure, axes = panel_grid(len(names), 2, sharey=True, sharex=True)
    probes = with_axes(probes, tables["runs"], list(dict.fromkeys([size, panels, "seed"])))
    for row, name in zip(axes, names, strict=True):
        part = probes[probes[panels] == name]
        for axis, step in zip(row, (part["step"].min(), part["step"].max()), strict=True):
            _density(axis, part[part["step"] == step], size)
            axis.set_title(f"step {step}")
        row[0].set_ylabel(f"{panel_title(name, titles)}\n\n{row[0].get_ylabel()}")
    one_legend(figure, axes, size)
    return figure


def levels(tables: Tables, *, quantities: Sequence[str], size: str, probe: str | None) -> Figure:
    """Quantities at the last checkpoint over size, a line a parameterisation, with power laws."""
    runs = tables["runs"]
    figure, axes = panel_grid(1, len(quantities), width=1.2, height=1.15)
    for axis, quantity in zip(axes[0], quantities, strict=True):
        rows = last_rows(probed_rows(tables, quantity, probe))
        table = with_axes(rows, runs, [size, PANELS])
        for colour, name in zip(sns.color_palette("deep"), in_order(runs[PANELS]), strict=False):
            spread = across_seeds(table[table[PANELS] == name], size, quantity)
            exponent = power_law_exponent(spread.index, spread["mean"])
            number = minus_signs(f"{round(exponent, 2) + 0.0:.2f}")  # never −0.00
            label = f"{parameterisation_label(name)}: {number}"
            axis.plot(spread.index, spread["mean"], "o-", color=colour, label=label)
            band(axis, spread.index, spread["min"], spread["max"], colour)
        log2_axis(axis, sorted(runs[size].unique()))
        axis.set_yscale("log")
        plain_log_ticks(axis.yaxis)
        axis.set(xlabel=AXES.get(size, size), ylabel=QUANTITIES.get(quantity, quantity))
        axis.legend(title="exponent")
    return figure


def draw_sharpness(
    axis: Axes,
    tables: Tables,
    size: str,
    shades: Shades | None = None,
    probe: str | None = None,
) -> None:
    """Draw the scaled sharpness along training, and 2/η₀ for each learning rate."""
    axes = list(dict.fromkeys([size, "lr"]))
    probes = with_axes(probed_rows(tables, "scaled_sharpness", probe), tables["runs"], axes)
    bands(axis, probes, size, "scaled_sharpness", shades)
    for lr in sorted(probes["lr"].unique()):
        axis.axhline(2 / lr, color="0.25", linestyle="--", linewidth=1.2)
        axis.annotate(
            "2/η₀",
            (1, 2 / lr),
            (3, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=9,
            color="0.25",
        )
    axis.set_ylim(bottom=0)
    axis.set(xlabel="step", ylabel="scaled sharpness γ²λ")


def _probed(tables: Tables) -> dict[str, pd.DataFrame]:
    """The tables of the runs that were probed."""
    runs = tables["runs"]
    return rows_of(runs[runs["key"].isin(tables["probes"]["key"])], tables)


def draw_quantity(
    axis: Axes,
    tables: Tables,
    size: str,
    quantity: str,
    level: float | None,
    probe: str | None,
) -> None:
    """Draw a probed quantity along training, and a dashed line at `level`."""
    rows = probed_rows(tables, quantity, probe).dropna(subset=[quantity])
    probes = with_axes(rows, tables["runs"], [size])
    if quantity in LOG:
        probes = probes[probes[quantity] > 0]
    bands(axis, probes, size, quantity)
    if level is not None:
        axis.axhline(level, color="0.25", linestyle="--", linewidth=1.2)
    if quantity in LOG:
        axis.set_yscale("log")
        if axis.get_ylim()[1] < MANY_DECADES * axis.get_ylim()[0]:
            plain_log_ticks(axis.yaxis)
    elif len(probes) and probes[quantity].min() >= 0:
        axis.autoscale(axis="y")  # panels of a row share the axis, and an earlier one has set it
        top = axis.get_ylim()[1]  # early values far above the level would flatten the rest
        axis.set_ylim(0, top if level is None else min(top, 3 * level))
    axis.set(xlabel="step", ylabel=QUANTITIES.get(quantity, quantity))


def _density(axis: Axes, probes: pd.DataFrame, size: str) -> None:
    """Draw densities of eigenvalues over log₁₀ λ, averaged over seeds, one line for each size."""
    for value, colour in size_colours(probes[size]).items():
        heights = eigenvalue_density(probes[probes[size] == value], EDGES)
        axis.stairs(heights, EDGES, color=colour, linewidth=1.5, label=f"{value:g}")
    axis.set_yscale("log")
    axis.autoscale(axis="y")
    axis.set_ylim(bottom=1e-5)
    axis.set(xlabel="log₁₀ of γ²λ", ylabel="share per decade")


def draw_loss(axis: Axes, tables: Tables, size: str, shades: Shades | None = None) -> None:
    """Draw the training loss along training, averaged over `SMOOTH` records."""
    history = with_axes(tables["history"], tables["runs"], [size])
    history = history.assign(train_loss=smoothed(history, "train_loss", SMOOTH))
    bands(axis, history[history["step"] > 0], size, "train_loss", shades)
    axis.set_yscale("log")
    plain_log_ticks(axis.yaxis)
    axis.set(xlabel="step", ylabel="training loss")


def _of_history(axis: Axes, tables: Tables, size: str, quantity: str) -> None:
    """Draw a quantity of the training history along training; the axis starts at zero."""
    history = with_axes(tables["history"], tables["runs"], [size]).dropna(subset=[quantity])
    bands(axis, history, size, quantity)
    axis.set(xlabel="step", ylabel=QUANTITIES.get(quantity, quantity))
    axis.autoscale(axis="y")  # panels of a row share the axis, and an earlier one has set it
    axis.set_ylim(bottom=0)
