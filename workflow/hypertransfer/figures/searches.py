"""Figures of searches for hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from hypertransfer.analysis import searches
from hypertransfer.analysis.tables import Tables, across_seeds
from hypertransfer.figures.panels import band, diverged, panel_grid

METHODS = {
    "global": "global, trust region",
    "types": "types, trust region",
    "factored": "types × depth, trust region",
    "random": "types × depth, random",
    "bayesian": "types × depth, Bayesian",
}
HYPERPARAMETERS = {
    "lr": "learning rate",
    "init_std": "initial deviation",
    "residual": "residual multiplier",
    "weight_decay": "weight decay",
    "eps": "ε",
    "beta1": "1 − β₁",
    "beta2": "1 − β₂",
}
NODES = 5  # positions over the depth in a heat map


def search_progress(tables: Tables) -> Figure:
    """The best loss so far over the trials of each method (left), and each trial's loss (right).

    Of several independent searches, the line is the mean, and the band the range.
    """
    runs = tables["runs"]
    figure, axes = panel_grid(1, 2, width=1.4, height=1.25)
    best, every = axes[0]
    trials = searches.progress(runs)
    ceiling = 1.15 * max(table.loc[1, ["loss"]].to_numpy().max() for table in trials.values())
    for name, colour in _method_colours(runs["method"]).items():
        table = trials[name]
        spread = table.groupby(level=0)["best"].agg(["mean", "min", "max"])
        best.step(
            spread.index, spread["mean"], where="post", color=colour, label=METHODS.get(name, name)
        )
        if table["seed"].nunique() > 1:
            band(best, spread.index, spread["min"], spread["max"], colour)
        below = table["loss"] < ceiling
        every.plot(table.index[below], table["loss"][below], ".", color=colour, markersize=7)
        diverged(every, table.index[~below], colour)
    best.set(xlabel="trial", ylabel="best loss so far")
    every.set(xlabel="trial (×: above, or diverged)", ylabel="loss of the trial")
    every.set_ylim(top=ceiling)
    figure.legend(*best.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _method_colours(names: pd.Series) -> dict[str, Any]:
    """The colour of each method in `names`, equal in all figures."""
    known = dict.fromkeys([*METHODS, *names])
    colours = dict(zip(known, sns.color_palette("deep"), strict=False))
    return {name: colours[name] for name in known if name in set(names)}


def multipliers(tables: Tables, *, titles: Mapping[str, str]) -> Figure:
    """Multipliers of the best trial: a heat map, module × depth, for each hyperparameter.

    Of several independent searches, the octaves are means over the best trials.
    """
    proposal = searches.best_proposal(tables["runs"])
    maps = searches.multiplier_maps(proposal, np.linspace(0, 1, NODES))
    most = max(float(frame.abs().to_numpy().max()) for frame in maps.values())
    sizes = [len(frame) for frame in maps.values()]
    figure, axes = plt.subplots(
        len(maps),
        1,
        figsize=(6.5, 1.6 + 0.42 * sum(sizes)),
        squeeze=False,
        gridspec_kw={"height_ratios": sizes},
        sharex=True,
    )
    for axis, (name, frame) in zip(axes[:, 0], maps.items(), strict=True):
        sns.heatmap(
            frame,
            ax=axis,
            cmap="vlag",
            center=0,
            vmin=-most,
            vmax=most,
            annot=frame.round(1) + 0.0,  # never −0.0
            fmt="+.1f",
            annot_kws={"size": 8},
            cbar=False,
            linewidths=0.5,
            xticklabels=["first", "", "middle", "", "last"],
        )
        axis.set_title(titles.get(name, HYPERPARAMETERS.get(name, name)), loc="left")
        axis.tick_params(axis="y", rotation=0)
        axis.tick_params(axis="both", length=0)
    axes[-1, 0].set_xlabel("block")
    shades = mpl.cm.ScalarMappable(mpl.colors.Normalize(-most, most), "vlag")
    figure.colorbar(shades, ax=axes, label="octaves", shrink=0.6)
    return figure


def carried(tables: Tables, *, over: str) -> Figure:
    """The loss of the method `over` minus the loss of each other method, for each target.

    Bars are means over seeds, or over independent searches, which have a seed each; dots are seeds.
    """
    runs = tables["runs"]
    runs = runs[runs["method"] != "line"]
    colours = {k: v for k, v in _method_colours(runs["method"]).items() if k != over}
    gains = searches.gains_over(runs, over)
    targets = sorted(runs["target"].unique(), key=lambda name: (name != "same", name))
    figure, axes = panel_grid(1, len(targets), width=0.8, height=1.2, sharey=True)
    for axis, target in zip(axes[0], targets, strict=True):
        part = gains.loc[target]
        for place, (name, colour) in enumerate(colours.items()):
            axis.bar(
                place,
                part[name].mean(),
                color=colour,
                alpha=0.6,
                width=0.7,
                label=METHODS.get(name, name),
            )
            axis.plot([place] * len(part), part[name], ".", color="black", markersize=6)
        axis.axhline(0, color="0.3", linewidth=0.8)
        axis.set_title(target)
        axis.set_xticks([])
    axes[0, 0].set_ylabel(f"loss below that of\n{METHODS.get(over, over)}")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=2)
    return figure


def slices(tables: Tables) -> Figure:
    """The loss along the line between the results of two methods, for each target.

    The least mean loss of the target is subtracted, and a star marks its position. Bands are the
    range of the seeds.
    """
    runs = tables["runs"]
    figure, axes = panel_grid(1, 1, width=1.6, height=1.2)
    axis = axes[0, 0]
    targets = runs.groupby("target", sort=False)
    for colour, (target, part) in zip(sns.color_palette("deep"), targets, strict=False):
        spread = across_seeds(part, "place", "final_loss")
        lowest = spread["mean"].min()
        minimum = searches.minimum(searches.losses_along(part, "place"))
        axis.plot(spread.index, spread["mean"] - lowest, "o-", color=colour, label=target)
        band(axis, spread.index, spread["min"] - lowest, spread["max"] - lowest, colour)
        axis.plot(minimum, 0, "*", color=colour, markersize=14, markeredgecolor="black", zorder=5)
    axis.set(xlabel="place: 0 best global, 1 best multipliers", ylabel="loss above its least mean")
    figure.legend(loc="outside right center")
    return figure
