"""Figures from a study's tables: one function a kind, all with the same look.

A figure in a study's config has a kind (`KINDS`), a selection of runs (`where`), and options.
Lines are means over seeds and bands span them; colours run from the smallest to the largest
size. Runs that diverged have no line, and stand at the top of a sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hypertransfer import transfer
from hypertransfer.conditions import matches
from hypertransfer.store import replace_atomically

mpl.use("Agg")

Tables = Mapping[str, pd.DataFrame]

NAMES = {"mup": "µP", "ntp": "NTP", "sp": "SP", "depth_mup": "Depth-µP"}
OPTIMIZERS = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}
WORDS = {"shape.width": "width", "shape.depth": "depth", "batch_size": "batch size"}
PANEL = (3.6, 2.9)  # inches
CUT = 6  # a sweep is shown up to this many times its best loss
DIVERGED_Y = 1.02  # of the axis: where diverged runs stand


def draw(figure: Mapping[str, Any], tables: Tables) -> Figure:
    """The figure that a study's config describes."""
    sns.set_theme(context="notebook", style="ticks", rc=_STYLE)
    kind = KINDS[figure["kind"]]
    drawn = kind(select(tables, figure.get("where", {})), **figure.get("options", {}))
    drawn.suptitle(figure["title"], fontweight="bold")
    return drawn


_STYLE = {
    "axes.grid": True,
    "grid.alpha": 0.35,
    "grid.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 12,
    "axes.labelsize": 11,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
    "svg.hashsalt": "hypertransfer",
    "svg.fonttype": "path",
    "figure.constrained_layout.use": True,
}


def save(figure: Figure, path: str) -> None:
    """Write the figure in the format of the path's ending, the same bytes every time."""
    import io

    buffer = io.BytesIO()
    suffix = Path(path).suffix[1:]
    metadata = {"Date": None} if suffix == "svg" else {"Software": None}
    figure.savefig(buffer, format=suffix, dpi=200, bbox_inches="tight", metadata=metadata)
    replace_atomically(Path(path), buffer.getvalue())


def select(tables: Tables, where: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """The runs that a condition selects, and their rows of the other tables."""
    runs = tables["runs"]
    rows = [matches(where, row) for row in runs.to_dict("records")]
    runs = runs[rows]
    kept = {name: table[table["key"].isin(runs["key"])] for name, table in tables.items()}
    # One key can stand in several grids: keep the grids that were asked for.
    return {name: table[table["grid"].isin(runs["grid"])] for name, table in kept.items()}


def overview(
    tables: Tables, *, dynamics: str, sweep: str, size: str = "shape.width"
) -> Figure:  # fmt: skip
    """The first figure of the paper: a row a parameterisation; sharpness, loss, sweep."""
    names = _in_order(tables["runs"]["parameterisation"])
    figure, axes = _panels(len(names), 3)
    for row, name in zip(axes, names, strict=True):
        along = select(tables, {"grid": dynamics, "parameterisation": name})
        _sharpness(row[0], along, size)
        _loss(row[1], along, size)
        _sweep(row[2], select(tables, {"grid": sweep, "parameterisation": name}), size)
        row[0].set_ylabel(f"{_label(name)}\n\n{row[0].get_ylabel()}")
    for axis, title in zip(axes[0], ("Sharpness", "Training loss", "Transfer"), strict=True):
        axis.set_title(title)
    _one_legend(figure, axes, size)
    return figure


def sharpness(tables: Tables, *, size: str = "shape.width") -> Figure:
    """Scaled sharpness along training, a panel a parameterisation."""
    return _by_parameterisation(tables, size, _sharpness)


def loss(tables: Tables, *, size: str = "shape.width") -> Figure:
    """Training loss along training, a panel a parameterisation."""
    return _by_parameterisation(tables, size, _loss, sharey=True)


def lr_sweep(tables: Tables, *, size: str = "shape.width") -> Figure:
    """Final loss over the learning rate, a panel a parameterisation."""
    return _by_parameterisation(tables, size, _sweep, sharey=True)


def optimum(tables: Tables, *, size: str = "shape.width") -> Figure:
    """Best learning rate over size, in octaves from that of the smallest, a line a sweep."""
    figure, axes = _panels(1, 1, width=1.5, height=1.25)
    axis = axes[0, 0]
    lines = tables["runs"].groupby(["grid", "optimizer", "parameterisation"], sort=False)
    colours = dict(zip(NAMES, sns.color_palette("deep"), strict=False))
    for (_, optimizer, name), runs in lines:
        sweeps = transfer.sweeps(transfer.common_seeds(runs, size)[0], size)
        sizes = [sweep.size for sweep in sweeps]
        found = [_shift_to(sweeps, index) for index in range(len(sweeps))]
        value = [estimate.value for estimate in found]
        spans = np.array([[_finite(e.value - e.low), _finite(e.high - e.value)] for e in found]).T
        style = "--" if optimizer.startswith("adam") else "-"
        words = f"{_label(name)}, {OPTIMIZERS.get(optimizer, optimizer)}"
        axis.errorbar(
            sizes, value, yerr=spans, label=words, marker="o",
            linestyle=style, color=colours[name], capsize=3,
        )  # fmt: skip
    axis.set_xscale("log", base=2)
    axis.set_xticks(sorted(tables["runs"][size].unique()))
    axis.xaxis.set_major_formatter(mpl.ticker.ScalarFormatter())
    axis.axhline(0, color="0.3", linewidth=0.8)
    axis.set(xlabel=WORDS.get(size, size), ylabel="shift of the best learning rate [octaves]")
    axis.legend()
    return figure


def _shift_to(sweeps: Sequence[transfer.Sweep], index: int) -> transfer.Estimate:
    """The shift from the smallest size to another, with its interval over seeds."""
    pair = [sweeps[0], sweeps[index]]

    def statistic(seeds: np.ndarray) -> transfer.Estimate:
        return transfer.shift(transfer.optima(pair, seeds))

    return transfer.bootstrap(statistic, len(pair[0].losses))


def _finite(value: float) -> float:
    # An end that the runs leave open is drawn as long as the axis is likely to be.
    return value if np.isfinite(value) else 10.0


# Panels ------------------------------------------------------------------------------------


def _panels(rows: int, columns: int, width: float = 1, height: float = 1, **kwargs: Any):
    size = (PANEL[0] * columns * width, PANEL[1] * rows * height)
    return plt.subplots(rows, columns, figsize=size, squeeze=False, **kwargs)


def _by_parameterisation(
    tables: Tables, size: str, panel: Callable[[Axes, Tables, str], None], **kwargs: Any
) -> Figure:
    names = _in_order(tables["runs"]["parameterisation"])
    figure, axes = _panels(1, len(names), height=1.15, **kwargs)
    for axis, name in zip(axes[0], names, strict=True):
        panel(axis, select(tables, {"parameterisation": name}), size)
        axis.set_title(_label(name))
        if axis is not axes[0, 0] and kwargs.get("sharey"):
            axis.set_ylabel("")
    _one_legend(figure, axes, size)
    return figure


def _sharpness(axis: Axes, tables: Tables, size: str) -> None:
    probes = _with_axes(tables["probes"], tables["runs"], [size, "lr"])
    _bands(axis, probes, size, "scaled_sharpness")
    for lr in sorted(probes["lr"].unique()):
        axis.axhline(2 / lr, color="0.25", linestyle="--", linewidth=1.2)
        axis.annotate(
            "2/η₀", (1, 2 / lr), (3, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", va="center", fontsize=9, color="0.25",
        )  # fmt: skip
    axis.set_ylim(bottom=0)
    axis.set(xlabel="step", ylabel="scaled sharpness γ²λ")


def _loss(axis: Axes, tables: Tables, size: str) -> None:
    history = _with_axes(tables["history"], tables["runs"], [size])
    history = history.assign(train_loss=_smooth(history))
    _bands(axis, history[history["step"] > 0], size, "train_loss")
    axis.set_yscale("log")
    _plain_log_ticks(axis)
    axis.set(xlabel="step", ylabel="training loss")


def _smooth(history: pd.DataFrame, window: int = 5) -> pd.Series:
    rolled = history.groupby("key")["train_loss"].rolling(window, min_periods=1).mean()
    return rolled.reset_index(level=0, drop=True)


def _bands(axis: Axes, table: pd.DataFrame, size: str, quantity: str) -> None:
    """Mean over seeds as a line, and the span of the seeds as a band, for each size."""
    for value, colour in _colours(table[size]).items():
        grouped = table[table[size] == value].groupby("step")[quantity]
        spread = grouped.agg(["mean", "min", "max"])
        axis.plot(spread.index, spread["mean"], color=colour, label=f"{value:g}")
        axis.fill_between(
            spread.index, spread["min"], spread["max"], color=colour, alpha=0.15, linewidth=0
        )


def _sweep(axis: Axes, tables: Tables, size: str) -> None:
    runs = transfer.common_seeds(tables["runs"], size)[0]
    colours = _colours(runs[size])
    for sweep in transfer.sweeps(runs, size):
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
        best = sweep.optimum(np.arange(len(sweep.losses)))
        if not best.edge:
            on_curve = np.interp(best.log2_lr, np.log2(sweep.lrs[whole]), mean[whole])
            axis.plot(
                2**best.log2_lr, on_curve, marker="*", markersize=14, color=colour,
                markeredgecolor="black", markeredgewidth=0.7, linestyle="", zorder=5,
            )  # fmt: skip
    finite = runs.loc[np.isfinite(runs["final_loss"]), "final_loss"]
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_ylim(finite.min() * 0.9, min(finite.max() * 1.1, finite.min() * CUT))
    _plain_log_ticks(axis)
    axis.set(xlabel="learning rate η₀", ylabel="final training loss")


def _plain_log_ticks(axis: Axes) -> None:
    """Losses as plain numbers: 0.3, 0.5, 1, 2 rather than powers of ten."""
    axis.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 3, 5), numticks=12))
    axis.yaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
    axis.yaxis.set_minor_formatter(mpl.ticker.NullFormatter())


def _with_axes(table: pd.DataFrame, runs: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """A table's rows with the axes of their runs, whether or not it has them already."""
    axes = runs.drop_duplicates("key").set_index("key")[list(columns)]
    return table.drop(columns=[c for c in columns if c in table]).join(axes, on="key")


def _colours(values: pd.Series) -> dict[float, tuple]:
    sizes = sorted(values.unique())
    return dict(zip(sizes, sns.color_palette("viridis_r", len(sizes) + 1)[1:], strict=True))


def _one_legend(figure: Figure, axes: np.ndarray, size: str) -> None:
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, title=WORDS.get(size, size), loc="outside right center", alignment="left"
    )


def _label(parameterisation: str) -> str:
    return NAMES.get(parameterisation, parameterisation)


def _in_order(names: pd.Series) -> list[str]:
    """Parameterisations in the order of the config."""
    return list(dict.fromkeys(names))


KINDS: Mapping[str, Callable[..., Figure]] = {
    "overview": overview,
    "sharpness": sharpness,
    "loss": loss,
    "lr_sweep": lr_sweep,
    "optimum": optimum,
}
