"""Figures of learning-rate sweeps over sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hypertransfer.analysis import curves as analysis_curves
from hypertransfer.analysis import estimate as analysis_estimate
from hypertransfer.analysis import sweeps as analysis_sweeps
from hypertransfer.figures.labels import (
    NAMES,
    OPTIMIZERS,
    QUANTITIES,
    WORDS,
    parameterisation_label,
)
from hypertransfer.figures.panels import (
    NO_TITLES,
    PANELS,
    Shades,
    by_panel,
    finite_or_nan,
    in_order,
    panel_grid,
    plain_log_ticks,
    size_colours,
)
from hypertransfer.figures.selection import Tables

CUT = 4  # a sweep is shown up to this many times the best loss of its worst size
LAW_POINTS = 4  # durations that a law with three constants needs
MARGIN = 2  # octaves of the axis around the optima: intervals can be open
DIVERGED_Y = 1.02  # of the axis: where diverged runs stand


def lr_sweep(
    tables: Tables, *, size: str = "shape.width", panels: str = PANELS,
    titles: Mapping[str, str] = NO_TITLES, axis: str = "lr",
) -> Figure:  # fmt: skip
    """Final loss over the learning rate, a panel a parameterisation (or another column).

    `axis` may name another hyperparameter that was swept.
    """
    # Arms of different networks end at different losses: only parameterisations share an axis.
    return by_panel(
        tables, size, partial(draw_sweep, swept=axis), panels, titles, sharey=panels == PANELS
    )


def law(tables: Tables) -> Figure:
    """Final loss over the steps of a run, and E + A·D^−b through it, a line an arm.

    Where there are four durations or more; D is in steps, as batch and windows are equal. Runs
    that diverged are left out.
    """
    runs = tables["runs"][tables["runs"]["status"] != "diverged"]
    figure, axes = panel_grid(1, 1, width=1.6, height=1.2)
    axis = axes[0, 0]
    names = in_order(runs["parameterisation"])
    for colour, name in zip(sns.color_palette("deep"), names, strict=False):
        part = runs[runs["parameterisation"] == name]
        spread = part.groupby("steps")["final_loss"].agg(["mean", "min", "max"])
        label = parameterisation_label(name)
        if len(spread) >= LAW_POINTS:
            floor, scale, power = analysis_curves.power_law_with_floor(spread.index, spread["mean"])
            steps = np.geomspace(spread.index.min(), spread.index.max(), 50)
            axis.plot(steps, floor + scale * steps**-power, color=colour, linewidth=1.2)
            label += f": {floor:.2f} + {scale:.1f}·D$^{{-{power:.2f}}}$"
        errors = [spread["mean"] - spread["min"], spread["max"] - spread["mean"]]
        axis.errorbar(spread.index, spread["mean"], errors, fmt="o", color=colour, label=label)
    axis.set_xscale("log", base=2)
    axis.set_xticks(sorted(runs["steps"].unique()))
    axis.xaxis.set_major_formatter(mpl.ticker.ScalarFormatter())
    axis.set(xlabel="steps D", ylabel="final training loss")
    axis.legend()
    return figure


def optimum(
    tables: Tables, *, size: str = "shape.width", titles: Mapping[str, str] = NO_TITLES
) -> Figure:
    """Best learning rate over size, in octaves from that of the smallest, a line a sweep.

    With `titles`, a line is a grid and the titles are its names.
    """
    figure, axes = panel_grid(1, 1, width=1.5, height=1.25)
    axis = axes[0, 0]
    lines = tables["runs"].groupby(["grid", "optimizer", "parameterisation"], sort=False)
    palette = sns.color_palette("deep")
    shown = [0.0]
    colours = dict(zip(NAMES, palette, strict=False))
    for index, ((grid, optimizer, name), runs) in enumerate(lines):
        sweeps = analysis_sweeps.sweeps(analysis_sweeps.common_seeds(runs, size)[0], size)
        sizes = [sweep.size for sweep in sweeps]
        found = [shift_to_last(sweeps, place) for place in range(len(sweeps))]
        value = [estimate.value for estimate in found]
        shown += [v for v in value if np.isfinite(v)]
        spans = np.array(
            [[finite_or_nan(e.value - e.low), finite_or_nan(e.high - e.value)] for e in found]
        ).T
        style = "--" if optimizer.startswith("adam") else "-"
        words = titles.get(
            grid, f"{parameterisation_label(name)}, {OPTIMIZERS.get(optimizer, optimizer)}"
        )
        axis.errorbar(
            sizes, value, yerr=spans, label=words, marker="o",
            linestyle=style, capsize=3,
            color=palette[index % len(palette)] if titles else colours[name],
        )  # fmt: skip
    axis.set_xscale("log", base=2)
    axis.set_xticks(sorted(tables["runs"][size].unique()))
    axis.xaxis.set_major_formatter(mpl.ticker.ScalarFormatter())
    axis.axhline(0, color="0.3", linewidth=0.8)
    axis.set_ylim(min(shown) - MARGIN, max(shown) + MARGIN)
    axis.set(xlabel=WORDS.get(size, size), ylabel="shift of the best learning rate [octaves]")
    figure.legend(loc="outside right center")
    return figure


def shift_to_last(
    sweeps: Sequence[analysis_sweeps.Sweep], index: int
) -> analysis_estimate.Estimate:
    """The shift from the smallest size to another, with its interval over seeds."""
    if not index:
        return analysis_estimate.exact(0.0)
    pair = [sweeps[0], sweeps[index]]

    def statistic(seeds: np.ndarray) -> analysis_estimate.Estimate:
        return analysis_sweeps.shift(analysis_sweeps.optima(pair, seeds))

    return analysis_estimate.bootstrap(statistic, len(pair[0].losses))


def heat_map(tables: Tables, *, x: str, y: str, quantity: str = "final_loss") -> Figure:
    """A number of the runs over two axes, mean over seeds; a star at the best.

    Diverged runs are left white. Accuracy is best where it is largest, a loss where it is least.
    """
    runs = tables["runs"].assign(value=tables["runs"][quantity].astype(float))
    runs.loc[runs["status"] == "diverged", "value"] = np.nan
    wide = runs.pivot_table(index=y, columns=x, values="value", aggfunc="mean", dropna=False)
    wide = wide.sort_index(ascending=False)
    best = np.nanargmax(wide) if quantity == "eval_accuracy" else np.nanargmin(wide)
    figure, axes = panel_grid(1, 1, width=2.2, height=1.3)
    axis = axes[0, 0]
    sns.heatmap(
        wide, ax=axis, cmap="viridis" if quantity == "eval_accuracy" else "viridis_r", annot=True,
        fmt=".2f", annot_kws={"size": 9}, cbar_kws={"label": QUANTITIES.get(quantity, quantity)},
        xticklabels=[f"2$^{{{np.log2(v):g}}}$" if x == "lr" else f"{v:g}" for v in wide.columns],
        yticklabels=[f"{v:g}" for v in wide.index],
    )  # fmt: skip
    row, column = np.unravel_index(best, wide.shape)
    axis.plot(column + 0.5, row + 0.18, "*", color="white", markeredgecolor="black", markersize=12)
    axis.set(xlabel=WORDS.get(x, x), ylabel=WORDS.get(y, y))
    return figure


def draw_sweep(
    axis: Axes, tables: Tables, size: str, shades: Shades | None = None, swept: str = "lr"
) -> None:
    """Draw the final loss over the learning rate, a line a size."""
    runs = analysis_sweeps.common_seeds(tables["runs"], size)[0]
    colours = size_colours(runs[size], shades)
    bests: list[float] = []  # of each size: all of them are to be seen
    highest: list[float] = []
    for sweep in analysis_sweeps.sweeps(runs, size, axis=swept):
        colour = colours[sweep.size]
        mean = sweep.losses.mean(axis=0)
        axis.plot(sweep.lrs, mean, marker="o", markersize=4, color=colour, label=f"{sweep.size:g}")
        whole = np.isfinite(mean)  # a band where no seed diverged
        low, high = (np.where(whole, f(sweep.losses, axis=0), np.nan) for f in (np.min, np.max))
        axis.fill_between(sweep.lrs, low, high, color=colour, alpha=0.15, linewidth=0)
        if len(gone := sweep.lrs[~np.isfinite(mean)]):
            axis.plot(
                gone, [DIVERGED_Y] * len(gone), linestyle="", marker="x", color=colour,
                clip_on=False, transform=axis.get_xaxis_transform(),
            )  # fmt: skip
        bests += [mean.min()] if whole.any() else []
        highest += [mean[whole].max()] if whole.any() else []
        best = sweep.optimum(np.arange(len(sweep.losses)))
        if not best.edge:
            on_curve = np.interp(best.log2_lr, np.log2(sweep.lrs[whole]), mean[whole])
            axis.plot(
                2**best.log2_lr, on_curve, marker="*", markersize=14, color=colour,
                markeredgecolor="black", markeredgewidth=0.7, linestyle="", zorder=5,
            )  # fmt: skip
    axis.set_xscale("log", base=2)
    if bests:
        _loss_axis(axis, min(bests), min(max(bests) * CUT, max(highest)))
    axis.set(xlabel=WORDS.get(swept, swept), ylabel="final training loss")


def _loss_axis(axis: Axes, low: float, high: float) -> None:
    """From the least loss to the largest worth seeing: linear where they are close, else log."""
    if high < 4 * low:
        margin = 0.12 * (high - low)
        axis.set_ylim(low - margin, high + margin)
        return
    axis.set_yscale("log")
    axis.set_ylim(low * 0.8, high)
    plain_log_ticks(axis.yaxis)
