"""Figures from a study's tables: one function a kind, all with the same look.

A figure in a study's config has a kind (`KINDS`), a selection of runs (`where`), and options.
Lines are means over seeds and bands span them; colours run from the smallest to the largest
size. Runs that diverged have no line, and stand at the top of a sweep.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hypertransfer import comparisons, measures, transfer
from hypertransfer.figures import spaces
from hypertransfer.figures.canvas import WORDS
from hypertransfer.figures.canvas import panels as _panels
from hypertransfer.runs.conditions import matches
from hypertransfer.store import replace_atomically
from hypertransfer.words import NAMES

mpl.use("Agg")

Tables = Mapping[str, pd.DataFrame]
Shades = dict[float, tuple]  # colours of sizes

NORMS = {"adamw": "AdamW", "col": "columns", "row": "rows", "sign": "signs",
         "max": "signs, unscaled", "keller": "spectral, Keller", "moonlight": "spectral, Moonlight",
         "euclidean": "Euclidean, joint", "frobenius": "Frobenius"}  # fmt: skip
OPTIMIZERS = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}
# Labels of measured quantities; those named here are drawn from zero, `LOG` on a log axis.
QUANTITIES = {
    "scaled_sharpness": "scaled sharpness γ²λ₁",
    "second": "second eigenvalue γ²λ₂",
    "last": "last eigenvalue tracked",
    "edge": "η₀γ²λ₁",
    "batch_edge": "η₀ × batch sharpness",
    "trace": "scaled trace γ²tr(H)",
    "gauss_newton": "Gauss–Newton γ²λ₁(G)",
    "residual": "residual γ²λ₁(R)",
    "ntk": "NTK γ²λ₁(JJᵀ)/n",
    "ntk_second": "NTK γ²λ₂",
    "ntk_last": "NTK, last eigenvalue tracked",
    "directional_sharpness": "directional sharpness",
    "alignment": "cos(g, Hg)",
    "preconditioned_sharpness": "preconditioned sharpness",
    "stability": "η × preconditioned sharpness\n/ Adam’s level",
    "feature_distance": "‖h − h₀‖/‖h₀‖",
    "stream": "mean |h| of the last stream",
    "stream_change": "mean |h − h₀| of the last stream",
    "logit_change": "mean change of the logits",
    "linearisation_distance": "mean |h − h of linear blocks|",
    "block_nonlinearity": "block beyond linear, over linear",
    "kernel_distance": "1 − CKA of features",
    "theory_gauss_newton": "γ²λ₁(G), theory",
    "theory_residual": "γ²‖R‖, theory",
    "theory_error": "network against theory",
    "train_loss": "training loss",
    "unclipped_share": "share of entries not clipped",
    "load_imbalance": "largest load over the mean",
    "router_entropy": "router entropy, of the largest",
    "dropped_share": "share of choices dropped",
    "router_logit": "mean |router logit|",
    "router_logit_change": "mean change of router logits",
    "expert_change": "mean change of experts’ output",
    "largest_attention_logit": "largest |attention logit|",
    "cache_bytes": "cache, bytes a token",
    "decoded_per_second": "tokens a second, decoded",
    "eval_accuracy": "test accuracy",
    "final_loss": "training loss",
    "eval_loss": "test loss",
    "seconds": "seconds of a run",
    "optimizer_seconds": "seconds of updates",
    "curvature_seconds": "seconds of curvature",
    "program_loss": "loss on program text",
    "messages_loss": "loss on messages left out",
    "party_accuracy": "party,\nbalanced accuracy",
    "delivery_accuracy": "spoken or written,\nbalanced accuracy",
}
LOG = (
    "train_loss", "stream", "stream_change", "linearisation_distance", "block_nonlinearity", "ntk",
    "trace", "theory_error", "stability", "preconditioned_sharpness", "router_logit",
    "router_logit_change", "expert_change",
)  # fmt: skip
FROM_ZERO = ("cache_bytes", "decoded_per_second", "largest_attention_logit")  # of arms
PANELS = "parameterisation"  # the column that tells panels apart, unless a figure says another
NO_TITLES: Mapping[str, str] = MappingProxyType({})
CUT = 4  # a sweep is shown up to this many times the best loss of its worst size
MANY_DECADES = 300  # a wider log axis keeps to powers of ten
ABREAST = 5  # panels in a row
STRIPES = ("0.82", "0.91", "0.96")  # of a table: its head, and rows in turns
LAW_POINTS = 4  # durations that a law with three constants needs
MARGIN = 2  # octaves of the axis around the optima: intervals can be open
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
    return _rows_of(runs, tables)


def _rows_of(runs: pd.DataFrame, tables: Tables) -> dict[str, pd.DataFrame]:
    """What all tables have of some runs."""
    of_runs = {name: table for name, table in tables.items() if "key" in table}
    kept = {name: table[table["key"].isin(runs["key"])] for name, table in of_runs.items()}
    # One key can stand in several grids: keep the grids that were asked for.
    kept = {name: table[table["grid"].isin(runs["grid"])] for name, table in kept.items()}
    return {**tables, **kept}


def overview(
    tables: Tables, *, dynamics: str, sweep: str, size: str = "shape.width"
) -> Figure:  # fmt: skip
    """The first figure of the paper: a row a parameterisation; sharpness, loss, sweep."""
    names = _in_order(tables["runs"]["parameterisation"])
    shades = _colours(tables["runs"][size])  # grids may have different sizes: one legend
    figure, axes = _panels(len(names), 3)
    for row, name in zip(axes, names, strict=True):
        along = select(tables, {"grid": dynamics, "parameterisation": name})
        _sharpness(row[0], along, size, shades)
        _loss(row[1], along, size, shades)
        _sweep(row[2], select(tables, {"grid": sweep, "parameterisation": name}), size, shades)
        row[0].set_ylabel(f"{_label(name)}\n\n{row[0].get_ylabel()}")
    for axis, title in zip(axes[0], ("Sharpness", "Training loss", "Transfer"), strict=True):
        axis.set_title(title)
    _one_legend(figure, axes, size)
    return figure


def sharpness(
    tables: Tables, *, size: str = "shape.width", panels: str = PANELS,
    titles: Mapping[str, str] = NO_TITLES,
) -> Figure:  # fmt: skip
    """Scaled sharpness along training with 2/η₀, a panel a parameterisation."""
    return _by_panel(tables, size, _sharpness, panels, titles)


def loss(
    tables: Tables, *, size: str = "shape.width", panels: str = PANELS,
    titles: Mapping[str, str] = NO_TITLES,
) -> Figure:  # fmt: skip
    """Training loss along training, a panel a parameterisation."""
    return _by_panel(tables, size, _loss, panels, titles, sharey=True)


def lr_sweep(
    tables: Tables, *, size: str = "shape.width", panels: str = PANELS,
    titles: Mapping[str, str] = NO_TITLES, axis: str = "lr",
) -> Figure:  # fmt: skip
    """Final loss over the learning rate, a panel a parameterisation (or another column).

    `axis` may name another hyperparameter that was swept.
    """
    # Arms of different networks end at different losses: only parameterisations share an axis.
    return _by_panel(
        tables, size, partial(_sweep, swept=axis), panels, titles, sharey=panels == PANELS
    )


def law(tables: Tables) -> Figure:
    """Final loss over the steps of a run, and E + A·D^−b through it, a line an arm.

    Where there are four durations or more; D is in steps, as batch and windows are equal. Runs
    that diverged are left out.
    """
    runs = tables["runs"][tables["runs"]["status"] != "diverged"]
    figure, axes = _panels(1, 1, width=1.6, height=1.2)
    axis = axes[0, 0]
    names = _in_order(runs["parameterisation"])
    for colour, name in zip(sns.color_palette("deep"), names, strict=False):
        part = runs[runs["parameterisation"] == name]
        spread = part.groupby("steps")["final_loss"].agg(["mean", "min", "max"])
        label = _label(name)
        if len(spread) >= LAW_POINTS:
            floor, scale, power = transfer.power_law_with_floor(spread.index, spread["mean"])
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


def along(
    tables: Tables, *, quantities: Sequence[str], size: str = "shape.width",
    panels: str = PANELS, titles: Mapping[str, str] = NO_TITLES, level: float | None = None,
    sweep: bool = False,
) -> Figure:  # fmt: skip
    """Quantities along training: a row a quantity, a column a panel; a dashed line at `level`.

    `sweep` puts a row with the final loss over the learning rate on top.
    """
    names = _in_order(tables["runs"][panels])
    rows = [*(["sweep"] if sweep else []), *quantities]
    figure, axes = _panels(len(rows), len(names), sharey=False if sweep else "row")
    for column, name in enumerate(names):
        part = select(tables, {panels: name})
        for axis, quantity in zip(axes[:, column], rows, strict=True):
            if quantity == "sweep":
                _sweep(axis, part, size)
            elif quantity == "train_loss":
                _loss(axis, _probed(part) if sweep else part, size)
            elif quantity in measures.IN_HISTORY:
                _of_history(axis, part, size, quantity)
            else:
                _quantity(axis, part, size, quantity, level)
            if column and not sweep:
                axis.set_ylabel("")
        axes[0, column].set_title(_title(name, titles))
    _one_legend(figure, axes, size)
    return figure


def gaps(
    tables: Tables, *, quantities: Sequence[str], size: str = "shape.width",
    relative: Sequence[str] = (),
) -> Figure:  # fmt: skip
    """|S_N − S_∞| of each quantity: over time (top) and over size late in training (bottom).

    S_∞ is the largest size with the same seed. Dashed lines are power laws; their exponents
    are those of the measures `gap_growth` and `gap_size_exponent`.
    """
    figure, axes = _panels(2, len(quantities))
    runs, _ = transfer.common_seeds(tables["runs"].drop_duplicates("key"), size)
    for column, quantity in enumerate(quantities):
        table = tables["history" if quantity == "train_loss" else "probes"]
        series = table[table["key"].isin(runs["key"])].dropna(subset=[quantity])
        paths = transfer.trajectories(runs, series, quantity, size)
        ratio = quantity in relative
        _gap_over_time(axes[0, column], paths, ratio)
        _gap_over_size(axes[1, column], paths, ratio, size)
        axes[0, column].set_title(QUANTITIES.get(quantity, quantity))
    axes[0, 0].set_ylabel("gap to the widest" if size == "shape.width" else "gap to the largest")
    axes[1, 0].set_ylabel("gap, last third")
    _one_legend(figure, axes, size)
    return figure


def density(
    tables: Tables, *, size: str = "shape.width", panels: str = PANELS,
    titles: Mapping[str, str] = NO_TITLES,
) -> Figure:  # fmt: skip
    """Share of the eigenvalues per unit of log λ, at the first and the last checkpoint."""
    probes = tables["probes"].dropna(subset=["nodes"])
    names = _in_order(tables["runs"][panels])
    figure, axes = _panels(len(names), 2, sharey=True, sharex=True)
    probes = _with_axes(probes, tables["runs"], list(dict.fromkeys([size, panels, "seed"])))
    for row, name in zip(axes, names, strict=True):
        part = probes[probes[panels] == name]
        for axis, step in zip(row, (part["step"].min(), part["step"].max()), strict=True):
            _density(axis, part[part["step"] == step], size)
            axis.set_title(f"step {step}")
        row[0].set_ylabel(f"{_title(name, titles)}\n\n{row[0].get_ylabel()}")
    _one_legend(figure, axes, size)
    return figure


def levels(tables: Tables, *, quantities: Sequence[str], size: str = "shape.width") -> Figure:
    """Quantities at the last checkpoint over size, a line a parameterisation, with power laws."""
    runs = tables["runs"]
    last = tables["probes"].sort_values("step").groupby("key").tail(1)
    table = _with_axes(last, runs, [size, PANELS])
    figure, axes = _panels(1, len(quantities), width=1.2, height=1.15)
    for axis, quantity in zip(axes[0], quantities, strict=True):
        for colour, name in zip(sns.color_palette("deep"), _in_order(runs[PANELS]), strict=False):
            part = table[table[PANELS] == name].groupby(size)[quantity]
            spread = part.agg(["mean", "min", "max"])
            fitted = np.polyfit(np.log(spread.index), np.log(spread["mean"]), 1)[0]
            label = f"{_label(name)}: ∝ {fitted:.2f}"
            axis.plot(spread.index, spread["mean"], "o-", color=colour, label=label)
            axis.fill_between(spread.index, spread["min"], spread["max"], color=colour, alpha=0.15,
                              linewidth=0)  # fmt: skip
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.set_xticks(sorted(runs[size].unique()))
        axis.xaxis.set_major_formatter(mpl.ticker.ScalarFormatter())
        axis.set(xlabel=WORDS.get(size, size), ylabel=QUANTITIES.get(quantity, quantity))
        axis.legend(title="exponent")
    return figure


def optimum(
    tables: Tables, *, size: str = "shape.width", titles: Mapping[str, str] = NO_TITLES
) -> Figure:
    """Best learning rate over size, in octaves from that of the smallest, a line a sweep.

    With `titles`, a line is a grid and the titles are its names.
    """
    figure, axes = _panels(1, 1, width=1.5, height=1.25)
    axis = axes[0, 0]
    lines = tables["runs"].groupby(["grid", "optimizer", "parameterisation"], sort=False)
    palette = sns.color_palette("deep")
    shown = [0.0]
    colours = dict(zip(NAMES, palette, strict=False))
    for index, ((grid, optimizer, name), runs) in enumerate(lines):
        sweeps = transfer.sweeps(transfer.common_seeds(runs, size)[0], size)
        sizes = [sweep.size for sweep in sweeps]
        found = [_shift_to(sweeps, place) for place in range(len(sweeps))]
        value = [estimate.value for estimate in found]
        shown += [v for v in value if np.isfinite(v)]
        spans = np.array([[_finite(e.value - e.low), _finite(e.high - e.value)] for e in found]).T
        style = "--" if optimizer.startswith("adam") else "-"
        words = titles.get(grid, f"{_label(name)}, {OPTIMIZERS.get(optimizer, optimizer)}")
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


def _shift_to(sweeps: Sequence[transfer.Sweep], index: int) -> transfer.Estimate:
    """The shift from the smallest size to another, with its interval over seeds."""
    if not index:
        return transfer.exact(0.0)
    pair = [sweeps[0], sweeps[index]]

    def statistic(seeds: np.ndarray) -> transfer.Estimate:
        return transfer.shift(transfer.optima(pair, seeds))

    return transfer.bootstrap(statistic, len(pair[0].losses))


def _finite(value: float) -> float:
    # An end that the runs leave open is drawn as long as the axis is likely to be.
    return value if np.isfinite(value) else 10.0


# Searches ------------------------------------------------------------------------------------

METHODS = {
    "global": "global, trust region",
    "types": "types, trust region",
    "factored": "types × depth, trust region",
    "random": "types × depth, random",
    "bayesian": "types × depth, Bayesian",
}
HYPERPARAMETERS = {"lr": "learning rate", "init_std": "initial deviation",
                   "residual": "residual multiplier", "weight_decay": "weight decay",
                   "beta1": "1 − β₁", "beta2": "1 − β₂"}  # fmt: skip
NODES = 5  # places over the depth in a heat map


def search_progress(tables: Tables) -> Figure:
    """Best loss so far over the trials of each method, and all trials."""
    runs = tables["runs"].sort_values(["generation", "trial"])
    figure, axes = _panels(1, 2, width=1.4, height=1.25)
    best, every = axes[0]
    ceiling = runs["final_loss"].iloc[0] * 1.15
    for name, colour in _method_colours(runs["method"]).items():
        losses = runs.loc[runs["method"] == name, "final_loss"].to_numpy(float)
        trials = np.arange(1, len(losses) + 1)
        best.step(trials, np.minimum.accumulate(losses), where="post", color=colour,
                  label=METHODS.get(name, name))  # fmt: skip
        above = ~(losses < ceiling)
        every.plot(trials[~above], losses[~above], ".", color=colour, markersize=7)
        if not above.any():
            continue
        every.plot(
            trials[above], [DIVERGED_Y] * int(above.sum()), linestyle="", marker="x", color=colour,
            clip_on=False, transform=every.get_xaxis_transform(),
        )  # fmt: skip
    best.set(xlabel="trial", ylabel="best loss so far")
    every.set(xlabel="trial (×: above, or diverged)", ylabel="loss of the trial")
    every.set_ylim(top=ceiling)
    figure.legend(*best.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _method_colours(names: pd.Series) -> dict[str, Any]:
    """A colour for each method that is there, the same in every figure."""
    known = dict.fromkeys([*METHODS, *names])
    colours = dict(zip(known, sns.color_palette("deep"), strict=False))
    return {name: colours[name] for name in known if name in set(names)}


def multipliers(tables: Tables, *, titles: Mapping[str, str] = NO_TITLES) -> Figure:
    """Heat maps, module × depth, of the multipliers of the best trial, one a hyperparameter."""
    runs = tables["runs"]
    point = json.loads(runs.loc[runs["final_loss"].idxmin(), "proposal"])
    maps = {}
    for name in dict.fromkeys(label.partition("/")[0] for label in point):
        parts = {k.partition("/")[2]: v for k, v in point.items() if k.partition("/")[0] == name}
        nodes = [v for k, v in parts.items() if re.fullmatch(r"depth\d+", k)] or [0.0]
        groups = {k: v for k, v in parts.items() if k and not re.fullmatch(r"depth\d+", k)}
        along = np.interp(np.linspace(0, 1, NODES), np.linspace(0, 1, len(nodes)), nodes)
        inside = [0.0 if group in OUTSIDE else 1.0 for group in groups]
        values = np.array(list(groups.values()))[:, None] + np.outer(inside, along)
        maps[name] = pd.DataFrame(values, list(groups), np.linspace(0, 1, NODES))
    most = max(float(frame.abs().to_numpy().max()) for frame in maps.values())
    sizes = [len(frame) for frame in maps.values()]
    figure, axes = plt.subplots(
        len(maps), 1, figsize=(6.5, 1.6 + 0.42 * sum(sizes)), squeeze=False,
        gridspec_kw={"height_ratios": sizes}, sharex=True,
    )  # fmt: skip
    for axis, (name, frame) in zip(axes[:, 0], maps.items(), strict=True):
        sns.heatmap(
            frame, ax=axis, cmap="vlag", center=0, vmin=-most, vmax=most, annot=True, fmt="+.1f",
            annot_kws={"size": 8}, cbar=False, linewidths=0.5,
            xticklabels=["first", "", "middle", "", "last"],
        )  # fmt: skip
        axis.set_title(titles.get(name, HYPERPARAMETERS.get(name, name)), loc="left")
        axis.tick_params(axis="y", rotation=0)
        axis.tick_params(axis="both", length=0)
    axes[-1, 0].set_xlabel("block")
    shades = mpl.cm.ScalarMappable(mpl.colors.Normalize(-most, most), "vlag")
    figure.colorbar(shades, ax=axes, label="octaves", shrink=0.6)
    return figure


OUTSIDE = ("embedding", "readout")  # groups of modules in no block


def carried(tables: Tables, *, over: str) -> Figure:
    """Loss of a reference method minus that of each other, seed by seed, at each target."""
    runs = tables["runs"]
    runs = runs[runs["method"] != "line"]
    wide = runs.pivot_table(index=["target", "seed"], columns="method", values="final_loss")
    colours = {k: v for k, v in _method_colours(runs["method"]).items() if k != over}
    gain = -wide[list(colours)].sub(wide[over], axis=0)
    targets = sorted(runs["target"].unique(), key=lambda name: (name != "same", name))
    figure, axes = _panels(1, len(targets), width=0.8, height=1.2, sharey=True)
    for axis, target in zip(axes[0], targets, strict=True):
        part = gain.loc[target]
        for place, (name, colour) in enumerate(colours.items()):
            axis.bar(place, part[name].mean(), color=colour, alpha=0.6, width=0.7,
                     label=METHODS.get(name, name))  # fmt: skip
            axis.plot([place] * len(part), part[name], ".", color="black", markersize=6)
        axis.axhline(0, color="0.3", linewidth=0.8)
        axis.set_title(target)
        axis.set_xticks([])
    axes[0, 0].set_ylabel(f"loss below that of\n{METHODS.get(over, over)}")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=2)
    return figure


def slices(tables: Tables) -> Figure:
    """Loss along a line in log space, at each target, less its least."""
    runs = tables["runs"]
    figure, axes = _panels(1, 1, width=1.6, height=1.2)
    axis = axes[0, 0]
    targets = runs.groupby("target", sort=False)
    for colour, (target, part) in zip(sns.color_palette("deep"), targets, strict=False):
        spread = part.groupby("place")["final_loss"].agg(["mean", "min", "max"])
        lowest = spread["mean"].min()
        axis.plot(spread.index, spread["mean"] - lowest, "o-", color=colour, label=target)
        axis.fill_between(spread.index, spread["min"] - lowest, spread["max"] - lowest,
                          color=colour, alpha=0.15, linewidth=0)  # fmt: skip
        axis.plot(spread["mean"].idxmin(), 0, "*", color=colour, markersize=14,
                  markeredgecolor="black", zorder=5)  # fmt: skip
    axis.set(xlabel="place: 0 best global, 1 best multipliers", ylabel="loss above its least mean")
    figure.legend(loc="outside right center")
    return figure


def arms(
    tables: Tables, *, quantities: Sequence[str], column: str = "optimizer", rows: str = "model",
    tuned_at: str = "", best: bool = False, titles: Mapping[str, str] = NO_TITLES,
) -> Figure:  # fmt: skip
    """Numbers of the runs, arms of `column` side by side, a row of panels a value of `rows`.

    With `tuned_at`, a column of sizes, each arm takes the learning rate that is best at its
    smallest size, and shows the largest; with `best`, its own. Numbers may be what a probe measured
    at the end.
    """
    names = _in_order(tables["runs"][rows])
    width = 0.72 * max(1.0, tables["runs"][column].nunique() / 4)
    figure, axes = _panels(len(names), len(quantities), width=width, height=0.9)
    for row, name in zip(axes, names, strict=True):
        part = select(tables, {rows: name})
        for axis, quantity in zip(row, quantities, strict=True):
            runs = measures.with_measured(part, quantity)
            if tuned_at:
                runs, absent = comparisons.at_tuned(runs, column, tuned_at)
                axis.set_title(absent, fontsize=7, wrap=True)
                runs = runs.iloc[:0] if absent else runs
            elif best:
                runs = comparisons.at_best(runs, column)
            _bars(axis, runs[runs["status"] != "diverged"], column, quantity, titles)
        row[0].set_ylabel(_title(name, titles))
    for axis, quantity in zip(axes[0], quantities, strict=True):
        axis.set_title(axis.get_title() or QUANTITIES.get(quantity, quantity), fontsize=10)
    return figure


def _bars(
    axis: Axes, runs: pd.DataFrame, column: str, quantity: str, titles: Mapping[str, str]
) -> None:
    """Means as lines and seeds as dots: differences are small against the numbers themselves."""
    colours = sns.color_palette("deep")
    for place, (_, part) in enumerate(runs.groupby(column, sort=False)):
        values, colour = part[quantity].astype(float), colours[place % len(colours)]
        axis.plot([place] * len(values), values, "o", color=colour, markersize=6, alpha=0.7)
        axis.hlines(values.mean(), place - 0.3, place + 0.3, color=colour, linewidth=3)
    known = list(dict.fromkeys(runs[column]))
    axis.set_xticks(range(len(known)), [_title(name, titles) for name in known], fontsize=9)
    axis.set_xlim(-0.6, len(known) - 0.4)
    axis.margins(y=0.25)
    if quantity in FROM_ZERO:
        axis.set_ylim(bottom=0)


def heat_map(tables: Tables, *, x: str, y: str, quantity: str = "final_loss") -> Figure:
    """A number of the runs over two axes, mean over seeds; a star at the best.

    Diverged runs are left white. Accuracy is best where it is largest, a loss where it is least.
    """
    runs = tables["runs"].assign(value=tables["runs"][quantity].astype(float))
    runs.loc[runs["status"] == "diverged", "value"] = np.nan
    wide = runs.pivot_table(index=y, columns=x, values="value", aggfunc="mean", dropna=False)
    wide = wide.sort_index(ascending=False)
    best = np.nanargmax(wide) if quantity == "eval_accuracy" else np.nanargmin(wide)
    figure, axes = _panels(1, 1, width=2.2, height=1.3)
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


def instances(
    tables: Tables, *, size: str = "shape.width", titles: Mapping[str, str] = NO_TITLES
) -> Figure:
    """A table, a row a grid: the norms of its optimizer, and its best learning rates."""
    from hypertransfer.optimizers import lmo  # torch, which other figures need not wait for

    runs = tables["runs"]
    ends = sorted(runs[size].unique())
    ends = [ends[0], ends[-1]]
    name = WORDS.get(size, size)
    head = ["optimizer", "one-hot", "hidden", "output", *(f"best η, {name} {v:g}" for v in ends),
            "shift [octaves]", f"loss, {name} {ends[1]:g}"]  # fmt: skip
    rows = []
    for grid, part in runs.groupby("grid", sort=False):
        sweeps = transfer.sweeps(transfer.common_seeds(part, size)[0], size)
        shift = _shift_to(sweeps, len(sweeps) - 1)
        found = [s.optimum(np.arange(len(s.losses))) for s in (sweeps[0], sweeps[-1])]
        preset = lmo.PRESETS.get(part["optimizer"].iloc[0])
        norms = [preset.one_hot, preset.hidden, preset.output] if preset else [lmo.ADAMW] * 3
        norms = [NORMS.get(norm, norm) for norm in norms]
        rates = [f"2$^{{{one.log2_lr:.1f}}}$" for one in found]
        ends_of = [f"{v:.1f}" if np.isfinite(v) else "open" for v in (shift.low, shift.high)]
        moved = f"{shift.value:+.1f} ({' to '.join(ends_of)})"
        rows.append([_title(grid, titles), *norms, *rates, moved, f"{found[1].loss:.3f}"])
    return _table(head, rows)


def race(
    tables: Tables, *, of: str, over: str, column: str = "optimizer",
    titles: Mapping[str, str] = NO_TITLES,
) -> Figure:  # fmt: skip
    """Training losses of two arms, each at its best learning rate, on the way to a target.

    The target is the final loss of `over`. Left: both over one horizon. Right: final losses over
    the number of steps, each run having its schedule to its own end.
    """
    runs = tables["runs"]
    whole = runs[runs["steps"] == runs.loc[runs[column] == over, "steps"].max()]
    figure, ((left, right),) = _panels(1, 2, width=1.35, height=1.25)
    colours = dict(zip((over, of), sns.color_palette("deep"), strict=False))
    curves = {arm: comparisons.best_curves(tables, whole[whole[column] == arm]) for arm in colours}
    target = curves[over][1][:, -1].mean()
    last = curves[over][0][-1]
    lowest = min(losses.mean(axis=0).min() for _, losses in curves.values())
    for arm, (steps, losses) in curves.items():
        _line(left, steps, losses, colours[arm], _title(arm, titles))
        ends = transfer.sweeps(runs[runs[column] == arm], "steps")
        at = np.array([sweep.size for sweep in ends])
        best = [sweep.losses[:, sweep.losses.mean(axis=0).argmin()] for sweep in ends]
        _line(right, at, np.stack(best, axis=1), colours[arm], _title(arm, titles), marker="o")
        if arm == of:
            lows = [one.mean() for one in best]
            shorter = 2 ** transfer.crossing(np.log2(at), lows, target).value
            whole_run = transfer.reached(steps, losses.mean(axis=0), target)
            for axis, step in ((left, whole_run), (right, shorter)):
                if np.isfinite(step):
                    axis.axvline(step, color=colours[arm], linestyle=":", linewidth=1.2)
                    axis.annotate(f" {step / last:.2f}×", (step, 0.92), fontsize=10,
                                  xycoords=("data", "axes fraction"))  # fmt: skip
    for axis, title in ((left, "on the way of one run"), (right, "at the ends of shorter runs")):
        axis.axhline(target, color="0.3", linestyle="--", linewidth=1)
        axis.set(title=title, xlabel="steps")
    left.set_ylim(top=target + 4 * (target - lowest + 0.05))  # the first steps fall from far up
    left.set_ylabel("training loss")
    right.legend()
    return figure


def _line(
    axis: Axes, x: np.ndarray, values: np.ndarray, colour: Any, label: str, **style: Any
) -> None:
    """The mean over seeds, the first axis of the values, and the span of the seeds as a band."""
    axis.plot(x, values.mean(axis=0), color=colour, label=label, **style)
    axis.fill_between(
        x, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.15, linewidth=0
    )


def frontier(
    tables: Tables, *, column: str = "optimizer", size: str = "batch_size",
    titles: Mapping[str, str] = NO_TITLES,
) -> Figure:  # fmt: skip
    """Samples against steps until a common loss: compute against time, a line an arm.

    The loss is the highest final one of all arms and sizes at their best learning rates, so that
    all of them reach it.
    """
    figure, ((axis,),) = _panels(1, 1, width=1.5, height=1.3)
    curves = {
        (arm, value): comparisons.best_curves(tables, part)
        for (arm, value), part in tables["runs"].groupby([column, size])
    }
    target = max(losses[:, -1].mean() for _, losses in curves.values())
    for arm in _in_order(tables["runs"][column]):
        points = []
        for (name, value), (steps, losses) in curves.items():
            if name == arm:
                reached = transfer.reached(steps, losses.mean(axis=0), target)
                points.append((reached, reached * value, value))
        x, y, labels = zip(*points, strict=True)
        axis.plot(x, y, "o-", label=_title(arm, titles))
        for place, height, label in zip(x, y, labels, strict=True):
            axis.annotate(f"{label:g}", (place, height), xytext=(5, 5), textcoords="offset points",
                          fontsize=9)  # fmt: skip
    axis.set_xscale("log", base=2)
    axis.set_yscale("log", base=2)
    for part in (axis.xaxis, axis.yaxis):
        _plain_log_ticks(part)
    axis.set(xlabel=f"steps to a loss of {target:.3f} (time)", ylabel="samples to it (compute)")
    axis.legend()
    return figure


def guidelines(tables: Tables, *, parts: Sequence[Mapping[str, Any]]) -> Figure:
    """A table, a row a component of a recipe: what was tried, what came out best, by how much.

    Each part has a `title`, a `grid`, the `column` of what was tried, and `titles` of its values;
    everything at its best learning rate. The gain is over the next best, with its interval.
    """
    head = ["component", "tried: final training loss", "best", "gain over the next"]
    rows = []
    for part in parts:
        column, titles = part["column"], part.get("titles", {})
        chosen = select(tables, {"grid": part["grid"]})
        names = [_title(value, titles) for value in chosen["runs"][column]]
        runs = chosen["runs"] = chosen["runs"].assign(**{column: names})
        lows = comparisons.at_best(runs, column).groupby(column, sort=False)["final_loss"].mean()
        best = str(lows.idxmin())
        gain = comparisons.advantage(chosen, 0, of=best, column=column, best=True)
        tried = ", ".join(f"{name}: {low:.3f}" for name, low in lows.items())
        words = f"{gain.value:.3f} ({gain.low:.3f} to {gain.high:.3f})"
        clear = best if gain.low > 0 else f"{best} (not clearly)"
        rows.append([part["title"], tried, clear, words])
    return _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Figure:
    """A table as a figure."""
    figure, axes = _panels(1, 1, width=3, height=0.12 * (len(rows) + 3))
    axes[0, 0].axis("off")
    drawn = axes[0, 0].table(rows, colLabels=head, bbox=(0, 0, 1, 1), cellLoc="center")
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(9.5)
    drawn.auto_set_column_width(range(len(head)))
    for (row, column), cell in drawn.get_celld().items():
        cell.set_edgecolor("white")
        cell.set_facecolor(STRIPES[0 if row == 0 else 1 + row % 2])
        cell.get_text().set_fontweight("bold" if row == 0 else "normal")
        cell.get_text().set_horizontalalignment("left" if column == 0 else "center")
    return figure


# Panels ------------------------------------------------------------------------------------


def _by_panel(
    tables: Tables,
    size: str,
    panel: Callable[[Axes, Tables, str, Shades], None],
    panels: str,
    titles: Mapping[str, str],
    **kwargs: Any,
) -> Figure:
    names = _in_order(tables["runs"][panels])
    columns = len(names) if len(names) <= ABREAST else -(-len(names) // 2)
    figure, axes = _panels(-(-len(names) // columns), columns, height=1.15, **kwargs)
    for axis in axes.flat[len(names) :]:
        axis.axis("off")
    shades = _colours(tables["runs"][size])  # a size has one colour in all panels
    for axis, name in zip(axes.flat, names, strict=False):
        panel(axis, select(tables, {panels: name}), size, shades)
        axis.set_title(_title(name, titles))
        if axis not in axes[:, 0] and kwargs.get("sharey"):
            axis.set_ylabel("")
    _one_legend(figure, axes, size)
    return figure


def _sharpness(axis: Axes, tables: Tables, size: str, shades: Shades | None = None) -> None:
    probes = _with_axes(tables["probes"], tables["runs"], [size, "lr"])
    _bands(axis, probes, size, "scaled_sharpness", shades)
    for lr in sorted(probes["lr"].unique()):
        axis.axhline(2 / lr, color="0.25", linestyle="--", linewidth=1.2)
        axis.annotate(
            "2/η₀", (1, 2 / lr), (3, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", va="center", fontsize=9, color="0.25",
        )  # fmt: skip
    axis.set_ylim(bottom=0)
    axis.set(xlabel="step", ylabel="scaled sharpness γ²λ")


def _probed(tables: Tables) -> dict[str, pd.DataFrame]:
    """The runs that were probed."""
    runs = tables["runs"]
    return _rows_of(runs[runs["key"].isin(tables["probes"]["key"])], tables)


def _quantity(axis: Axes, tables: Tables, size: str, quantity: str, level: float | None) -> None:
    probes = _with_axes(tables["probes"], tables["runs"], [size]).dropna(subset=[quantity])
    if quantity in LOG:
        probes = probes[probes[quantity] > 0]
    _bands(axis, probes, size, quantity)
    if level is not None:
        axis.axhline(level, color="0.25", linestyle="--", linewidth=1.2)
    if quantity in LOG:
        axis.set_yscale("log")
        if axis.get_ylim()[1] < MANY_DECADES * axis.get_ylim()[0]:
            _plain_log_ticks(axis.yaxis)
    elif len(probes) and probes[quantity].min() >= 0:
        top = axis.get_ylim()[1]  # a start far above the level would flatten what comes to it
        axis.set_ylim(0, top if level is None else min(top, 3 * level))
    axis.set(xlabel="step", ylabel=QUANTITIES.get(quantity, quantity))


def _gap_over_time(axis: Axes, paths: transfer.Trajectories, relative: bool) -> None:
    seeds = np.arange(paths.values.shape[1])
    steps, gap = transfer.gaps(paths, relative=relative)
    grown = transfer.growth(steps, gap, seeds).value
    colours = _colours(pd.Series(paths.sizes))
    for value, rows in zip(paths.sizes[:-1], gap, strict=True):
        mean = np.abs(rows).mean(axis=0)
        axis.plot(steps, mean, color=colours[value], label=f"{value:g}")
        if np.isfinite(grown) and (mean > 0).all():
            _power_law(axis, steps, mean, grown, colours[value])
    axis.set_xscale("log")
    axis.set_yscale("log")
    _few_log_ticks(axis.xaxis, axis.yaxis)
    axis.annotate(f"∝ t$^{{{grown:.2f}}}$", (0.04, 0.06), xycoords="axes fraction", fontsize=11)
    axis.set(xlabel="step")


def _gap_over_size(axis: Axes, paths: transfer.Trajectories, relative: bool, size: str) -> None:
    seeds = np.arange(paths.values.shape[1])
    _, gap = transfer.gaps(paths, window=1, burn_in=2 / 3, relative=relative)
    each = np.abs(gap).mean(axis=2)  # (size, seed)
    fitted = transfer.closing(paths, seeds, relative=relative).value
    sizes = paths.sizes[:-1]
    axis.plot(sizes, each, linestyle="", marker="o", color="0.5", markersize=4)
    axis.plot(sizes, each.mean(axis=1), linestyle="", marker="D", color="black", markersize=6)
    if np.isfinite(fitted):
        _power_law(axis, sizes, each.mean(axis=1), fitted, "black")
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_xticks(sizes)
    axis.xaxis.set_major_formatter(mpl.ticker.ScalarFormatter())
    _few_log_ticks(axis.yaxis)
    axis.annotate(f"∝ N$^{{{fitted:.2f}}}$", (0.04, 0.06), xycoords="axes fraction", fontsize=11)
    axis.set(xlabel=WORDS.get(size, size))


def _power_law(axis: Axes, x: np.ndarray, y: np.ndarray, exponent: float, colour: Any) -> None:
    """A dashed line ∝ x^exponent through the middle of the points."""
    middle = np.exp(np.log(y).mean() - exponent * np.log(x).mean())
    axis.plot(x, middle * x**exponent, color=colour, linestyle="--", linewidth=1)


def _density(axis: Axes, probes: pd.DataFrame, size: str) -> None:
    """Nodes of all seeds as a histogram over log₁₀ λ; what is not positive is left out."""
    edges = np.linspace(-4, 2, 37)
    width = edges[1] - edges[0]
    for value, colour in _colours(probes[size]).items():
        part = probes[probes[size] == value]
        nodes = np.concatenate(part["nodes"].to_list())
        shares = np.concatenate(part["shares"].to_list()) / len(part)
        positive = nodes > 0
        places = np.log10(nodes[positive])
        found, _ = np.histogram(places, bins=edges, weights=shares[positive])
        axis.stairs(found / width, edges, color=colour, linewidth=1.5, label=f"{value:g}")
    axis.set_yscale("log")
    axis.set_ylim(bottom=1e-5)
    axis.set(xlabel="log₁₀ of γ²λ", ylabel="share per decade")


def _loss(axis: Axes, tables: Tables, size: str, shades: Shades | None = None) -> None:
    history = _with_axes(tables["history"], tables["runs"], [size])
    history = history.assign(train_loss=_smooth(history))
    _bands(axis, history[history["step"] > 0], size, "train_loss", shades)
    axis.set_yscale("log")
    _plain_log_ticks(axis.yaxis)
    axis.set(xlabel="step", ylabel="training loss")


def _of_history(axis: Axes, tables: Tables, size: str, quantity: str) -> None:
    history = _with_axes(tables["history"], tables["runs"], [size]).dropna(subset=[quantity])
    _bands(axis, history, size, quantity)
    axis.set(xlabel="step", ylabel=QUANTITIES.get(quantity, quantity))
    axis.set_ylim(bottom=0)


def _smooth(history: pd.DataFrame, window: int = 5) -> pd.Series:
    rolled = history.groupby("key")["train_loss"].rolling(window, min_periods=1).mean()
    return rolled.reset_index(level=0, drop=True)


def _bands(
    axis: Axes, table: pd.DataFrame, size: str, quantity: str, shades: Shades | None = None
) -> None:
    """Mean over seeds as a line, and the span of the seeds as a band, for each size."""
    for value, colour in _colours(table[size], shades).items():
        grouped = table[table[size] == value].groupby("step")[quantity]
        spread = grouped.agg(["mean", "min", "max"])
        axis.plot(spread.index, spread["mean"], color=colour, label=f"{value:g}")
        axis.fill_between(
            spread.index, spread["min"], spread["max"], color=colour, alpha=0.15, linewidth=0
        )


def _sweep(
    axis: Axes, tables: Tables, size: str, shades: Shades | None = None, swept: str = "lr"
) -> None:
    runs = transfer.common_seeds(tables["runs"], size)[0]
    colours = _colours(runs[size], shades)
    bests: list[float] = []  # of each size: all of them are to be seen
    highest: list[float] = []
    for sweep in transfer.sweeps(runs, size, axis=swept):
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
    _plain_log_ticks(axis.yaxis)


def _plain_log_ticks(
    axis: mpl.axis.Axis, subs: Sequence[float] = (1, 2, 3, 5), number: int = 12
) -> None:
    """Plain numbers rather than powers of ten: 0.3, 0.5, 1, 2."""
    axis.set_major_locator(mpl.ticker.LogLocator(subs=subs, numticks=number))
    axis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
    axis.set_minor_formatter(mpl.ticker.NullFormatter())


def _few_log_ticks(*axes: mpl.axis.Axis) -> None:
    """The same for small panels: 1, 2 and 5 of each decade."""
    for axis in axes:
        _plain_log_ticks(axis, (1, 2, 5), 7)


def _with_axes(table: pd.DataFrame, runs: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """A table's rows with the axes of their runs, whether or not it has them already."""
    axes = runs.drop_duplicates("key").set_index("key")[list(columns)]
    return table.drop(columns=[c for c in columns if c in table]).join(axes, on="key")


def _colours(values: pd.Series, shades: Shades | None = None) -> Shades:
    sizes = sorted(values.unique())
    if shades:
        return {size: shades[size] for size in sizes}
    return dict(zip(sizes, sns.color_palette("viridis_r", len(sizes) + 1)[1:], strict=True))


def _one_legend(figure: Figure, axes: np.ndarray, size: str) -> None:
    found = {
        label: handle
        for axis in axes.flat
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    labels = sorted(found, key=float)
    figure.legend(
        [found[label] for label in labels],
        labels,
        title=WORDS.get(size, size),
        loc="outside right center",
        alignment="left",
    )


def _title(name: object, titles: Mapping[str, str]) -> str:
    """The title of a panel: as the figure says, or the name, a number without needless digits."""
    text = f"{name:g}" if isinstance(name, int | float) else str(name)
    return titles.get(text, _label(text))


def _label(parameterisation: str) -> str:
    return NAMES.get(parameterisation, parameterisation)


def _in_order(names: pd.Series) -> list[str]:
    """Parameterisations in the order of the config."""
    return list(dict.fromkeys(names))


KINDS: Mapping[str, Callable[..., Figure]] = {
    **spaces.KINDS,
    "overview": overview,
    "sharpness": sharpness,
    "loss": loss,
    "lr_sweep": lr_sweep,
    "optimum": optimum,
    "along": along,
    "gaps": gaps,
    "density": density,
    "levels": levels,
    "search_progress": search_progress,
    "multipliers": multipliers,
    "carried": carried,
    "slices": slices,
    "law": law,
    "heat_map": heat_map,
    "arms": arms,
    "instances": instances,
    "race": race,
    "frontier": frontier,
    "guidelines": guidelines,
}
