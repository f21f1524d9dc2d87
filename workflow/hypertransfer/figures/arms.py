"""Figures that compare arms: optimizers, architectures, rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hypertransfer.analysis import arms as analysis_arms
from hypertransfer.analysis import curves as analysis_curves
from hypertransfer.analysis import sweeps as analysis_sweeps
from hypertransfer.claims import arm_measures
from hypertransfer.figures.labels import FROM_ZERO, NORMS, QUANTITIES, WORDS
from hypertransfer.figures.panels import (
    NO_TITLES,
    in_order,
    line,
    panel_grid,
    panel_title,
    plain_log_ticks,
    table,
)
from hypertransfer.figures.selection import Tables, select
from hypertransfer.figures.sweeps import shift_to_last


def arms(
    tables: Tables, *, quantities: Sequence[str], column: str = "optimizer", rows: str = "model",
    tuned_at: str = "", best: bool = False, titles: Mapping[str, str] = NO_TITLES,
) -> Figure:  # fmt: skip
    """Numbers of the runs, arms of `column` side by side, a row of panels a value of `rows`.

    With `tuned_at`, a column of sizes, each arm takes the learning rate that is best at its
    smallest size, and shows the largest; with `best`, its own. Numbers may be what a probe measured
    at the end.
    """
    names = in_order(tables["runs"][rows])
    width = 0.72 * max(1.0, tables["runs"][column].nunique() / 4)
    figure, axes = panel_grid(len(names), len(quantities), width=width, height=0.9)
    for row, name in zip(axes, names, strict=True):
        part = select(tables, {rows: name})
        for axis, quantity in zip(row, quantities, strict=True):
            runs = analysis_arms.with_measured(part, quantity)
            if tuned_at:
                runs, absent = analysis_arms.at_tuned(runs, column, tuned_at)
                axis.set_title(absent, fontsize=7, wrap=True)
                runs = runs.iloc[:0] if absent else runs
            elif best:
                runs = analysis_arms.at_best(runs, column)
            _bars(axis, runs[runs["status"] != "diverged"], column, quantity, titles)
        row[0].set_ylabel(panel_title(name, titles))
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
    axis.set_xticks(range(len(known)), [panel_title(name, titles) for name in known], fontsize=9)
    axis.set_xlim(-0.6, len(known) - 0.4)
    axis.margins(y=0.25)
    if quantity in FROM_ZERO:
        axis.set_ylim(bottom=0)


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
        sweeps = analysis_sweeps.sweeps(analysis_sweeps.common_seeds(part, size)[0], size)
        shift = shift_to_last(sweeps, len(sweeps) - 1)
        found = [s.optimum(np.arange(len(s.losses))) for s in (sweeps[0], sweeps[-1])]
        preset = lmo.PRESETS.get(part["optimizer"].iloc[0])
        norms = [preset.one_hot, preset.hidden, preset.output] if preset else [lmo.ADAMW] * 3
        norms = [NORMS.get(norm, norm) for norm in norms]
        rates = [f"2$^{{{one.log2_lr:.1f}}}$" for one in found]
        ends_of = [f"{v:.1f}" if np.isfinite(v) else "open" for v in (shift.low, shift.high)]
        moved = f"{shift.value:+.1f} ({' to '.join(ends_of)})"
        rows.append([panel_title(grid, titles), *norms, *rates, moved, f"{found[1].loss:.3f}"])
    return table(head, rows)


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
    figure, ((left, right),) = panel_grid(1, 2, width=1.35, height=1.25)
    colours = dict(zip((over, of), sns.color_palette("deep"), strict=False))
    curves = {
        arm: analysis_arms.best_curves(tables, whole[whole[column] == arm]) for arm in colours
    }
    target = curves[over][1][:, -1].mean()
    last = curves[over][0][-1]
    lowest = min(losses.mean(axis=0).min() for _, losses in curves.values())
    for arm, (steps, losses) in curves.items():
        line(left, steps, losses, colours[arm], panel_title(arm, titles))
        ends = analysis_sweeps.sweeps(runs[runs[column] == arm], "steps")
        at = np.array([sweep.size for sweep in ends])
        best = [sweep.losses[:, sweep.losses.mean(axis=0).argmin()] for sweep in ends]
        line(right, at, np.stack(best, axis=1), colours[arm], panel_title(arm, titles), marker="o")
        if arm == of:
            lows = [one.mean() for one in best]
            shorter = 2 ** analysis_curves.crossing(np.log2(at), lows, target).value
            whole_run = analysis_curves.reached(steps, losses.mean(axis=0), target)
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


def frontier(
    tables: Tables, *, column: str = "optimizer", size: str = "batch_size",
    titles: Mapping[str, str] = NO_TITLES,
) -> Figure:  # fmt: skip
    """Samples against steps until a common loss: compute against time, a line an arm.

    The loss is the highest final one of all arms and sizes at their best learning rates, so that
    all of them reach it.
    """
    figure, ((axis,),) = panel_grid(1, 1, width=1.5, height=1.3)
    curves = {
        (arm, value): analysis_arms.best_curves(tables, part)
        for (arm, value), part in tables["runs"].groupby([column, size])
    }
    target = max(losses[:, -1].mean() for _, losses in curves.values())
    for arm in in_order(tables["runs"][column]):
        points = []
        for (name, value), (steps, losses) in curves.items():
            if name == arm:
                reached = analysis_curves.reached(steps, losses.mean(axis=0), target)
                points.append((reached, reached * value, value))
        x, y, labels = zip(*points, strict=True)
        axis.plot(x, y, "o-", label=panel_title(arm, titles))
        for place, height, label in zip(x, y, labels, strict=True):
            axis.annotate(f"{label:g}", (place, height), xytext=(5, 5), textcoords="offset points",
                          fontsize=9)  # fmt: skip
    axis.set_xscale("log", base=2)
    axis.set_yscale("log", base=2)
    for part in (axis.xaxis, axis.yaxis):
        plain_log_ticks(part)
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
        names = [panel_title(value, titles) for value in chosen["runs"][column]]
        runs = chosen["runs"] = chosen["runs"].assign(**{column: names})
        lows = analysis_arms.at_best(runs, column).groupby(column, sort=False)["final_loss"].mean()
        best = str(lows.idxmin())
        gain = arm_measures.advantage(chosen, 0, of=best, column=column, best=True)
        tried = ", ".join(f"{name}: {low:.3f}" for name, low in lows.items())
        words = f"{gain.value:.3f} ({gain.low:.3f} to {gain.high:.3f})"
        clear = best if gain.low > 0 else f"{best} (not clearly)"
        rows.append([part["title"], tried, clear, words])
    return table(head, rows)
