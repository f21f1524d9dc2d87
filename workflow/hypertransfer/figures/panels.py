"""Panels, legends, ticks and colours that several kinds of figures use."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hypertransfer.analysis.tables import Tables, across_seeds
from hypertransfer.figures.labels import AXES, parameterisation_label
from hypertransfer.figures.selection import select
from hypertransfer.runs.table_values import name_of

Shades = dict[float, tuple]  # colours of sizes
PANELS = "parameterisation"  # the column of parameterisations
ABREAST = 5  # panels in a row
DIVERGED_Y = 1.02  # where crosses of diverged runs stand, as a share of the axis's height


def band(axis: Axes, x: Any, low: Any, high: Any, colour: Any) -> None:
    """Draw a transparent band between two curves."""
    axis.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)


def diverged(axis: Axes, x: Sequence[float], colour: Any) -> None:
    """Draw crosses above an axis at the positions `x` of runs that diverged."""
    if len(x):
        axis.plot(
            x,
            [DIVERGED_Y] * len(x),
            linestyle="",
            marker="x",
            color=colour,
            clip_on=False,
            transform=axis.get_xaxis_transform(),
        )


def log2_axis(axis: Axes, ticks: Sequence[float]) -> None:
    """Make the horizontal axis logarithmic (base 2), with plain numbers at the ticks."""
    axis.set_xscale("log", base=2)
    axis.set_xticks(ticks)
    axis.xaxis.set_major_formatter(mpl.ticker.ScalarFormatter())


def by_panel(
    tables: Tables,
    size: str,
    panel: Callable[[Axes, Tables, str, Shades], None],
    panels: str,
    titles: Mapping[str, str],
    **kwargs: Any,
) -> Figure:
    """A figure with one panel for each value of the column `panels`, drawn by `panel`."""
    names = in_order(tables["runs"][panels])
    columns = len(names) if len(names) <= ABREAST else math.ceil(len(names) / 2)
    figure, axes = panel_grid(math.ceil(len(names) / columns), columns, height=1.15, **kwargs)
    for axis in axes.flat[len(names) :]:
        axis.axis("off")
    shades = size_colours(tables["runs"][size])  # a size has one colour in all panels
    for axis, name in zip(axes.flat, names, strict=False):
        panel(axis, select(tables, {panels: name}), size, shades)
        axis.set_title(panel_title(name, titles))
        if axis not in axes[:, 0] and kwargs.get("sharey"):
            axis.set_ylabel("")
    one_legend(figure, axes, size)
    return figure


def bands(
    axis: Axes, table: pd.DataFrame, size: str, quantity: str, shades: Shades | None = None
) -> None:
    """Draw the mean over seeds as a line, and the range of the seeds as a band, for each size."""
    for value, colour in size_colours(table[size], shades).items():
        spread = across_seeds(table[table[size] == value], "step", quantity)
        axis.plot(spread.index, spread["mean"], color=colour, label=f"{value:g}")
        band(axis, spread.index, spread["min"], spread["max"], colour)


def plain_log_ticks(
    axis: mpl.axis.Axis, subs: Sequence[float] = (1, 2, 3, 5), number: int = 12
) -> None:
    """Label a log axis with plain numbers such as 0.3, 0.5, 1, 2 instead of powers of ten."""
    axis.set_major_locator(mpl.ticker.LogLocator(subs=subs, numticks=number))
    axis.set_major_formatter(mpl.ticker.FuncFormatter(_plain))
    axis.set_minor_formatter(mpl.ticker.NullFormatter())


def _plain(value: float, _place: int | None = None) -> str:
    """A number such as 0.3, or 3·10⁻⁷ if it is very small or large."""
    digits, _, exponent = f"{value:g}".partition("e")
    return f"{digits}·10$^{{{int(exponent)}}}$" if exponent else digits


def size_colours(values: pd.Series, shades: Shades | None = None) -> Shades:
    """The colour of each size in `values`: from `shades`, or evenly spaced colours."""
    sizes = sorted(values.unique())
    if shades:
        return {size: shades[size] for size in sizes}
    return dict(zip(sizes, sns.color_palette("viridis_r", len(sizes) + 1)[1:], strict=True))


def one_legend(figure: Figure, axes: np.ndarray, size: str) -> None:
    """Add one legend of the sizes in all panels, at the right of the figure.

    A size is shown as in the first panel that has it.
    """
    handles = {
        label: handle
        for axis in reversed(axes.ravel())
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    labels = sorted(handles, key=float)
    figure.legend(
        [handles[label] for label in labels],
        labels,
        title=AXES.get(size, size),
        loc="outside right center",
        alignment="left",
    )


def panel_title(name: object, titles: Mapping[str, str]) -> str:
    """The title of a panel: from `titles`, or the label of `name`; numbers in short form."""
    return titles.get(name_of(name), parameterisation_label(name_of(name)))


def in_order(names: pd.Series) -> list[str]:
    """The distinct names in the order of the runs, which is the order of the config."""
    return list(dict.fromkeys(names))


def write_left_out(axis: Axes, reasons: Sequence[str]) -> None:
    """Write in the middle of a panel what it leaves out, and why."""
    text = "\n".join(f"left out: {reason}" for reason in reasons)
    middle = {"ha": "center", "va": "center", "transform": axis.transAxes}
    axis.text(0.5, 0.5, text, fontsize=8, wrap=True, **middle)


PANEL = (3.6, 2.9)  # inches


def panel_grid(rows: int, columns: int, width: float = 1, height: float = 1, **kwargs: Any):
    """A figure with rows × columns panels, each `width` and `height` times the size `PANEL`."""
    size = (PANEL[0] * columns * width, PANEL[1] * rows * height)
    return plt.subplots(rows, columns, figsize=size, squeeze=False, **kwargs)
