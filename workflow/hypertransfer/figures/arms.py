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
from hypertransfer.analysis.numerals import minus_signs
from hypertransfer.analysis.sweeps import (
    NoCommonSeedError,
    shifts_from_smallest,
    sweeps_of_common_seeds,
)
from hypertransfer.analysis.tables import Tables, named_probe, with_measured
from hypertransfer.catalogue.cards.lmo_presets import ADAMW, PRESETS
from hypertransfer.figures.labels import AXES, QUANTITIES
from hypertransfer.figures.panels import (
    band,
    in_order,
    panel_grid,
    panel_title,
    plain_log_ticks,
)
from hypertransfer.figures.selection import select

# As many as the table of `guidelines` has room for.
VARIANTS_A_LINE = 3
NORMS = {
    "adamw": "AdamW",
    "col": "columns",
    "row": "rows",
    "sign": "signs",
    "max": "signs, unscaled",
    "keller": "spectral, Keller",
    "moonlight": "spectral, Moonlight",
    "euclidean": "Euclidean, joint",
    "frobenius": "Frobenius",
}  # norms without a label are shown by their names
STRIPES = ("0.82", "0.91", "0.96")  # greys of a table: of its head, and of alternating rows
FROM_ZERO = ("cache_bytes", "decoded_per_second", "largest_attention_logit")  # axes from zero


def arms(
    tables: Tables,
    *,
    quantities: Sequence[str],
    column: str,
    rows: str,
    tuned_at: str,
    best: bool,
    probe: str | None,
    titles: Mapping[str, str],
) -> Figure:
    """Quantities of the runs: arms of `column` side by side, a row of panels a value of `rows`.

    There is one row of panels for each value of the column `rows`, and one column of panels for
    each quantity. With `tuned_at`, a column of sizes, each arm is shown at its largest size, with
    the learning rate that is best at its smallest size. With `best`, each arm is shown at its best
    learning rate. A quantity that a probe measured is taken at the last checkpoint.
    """
    names = in_order(tables["runs"][rows])
    width = 0.72 * max(1.0, tables["runs"][column].nunique() / 4)
    figure, axes = panel_grid(len(names), len(quantities), width=width, height=0.9)
    for row, name in zip(axes, names, strict=True):
        part = select(tables, {rows: name})
        for axis, quantity in zip(row, quantities, strict=True):
            runs = with_measured(part, quantity, named_probe(part, quantity, probe))
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
    """Draw means as lines and seeds as dots; bars from zero would hide small differences."""
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


def instances(tables: Tables, *, size: str, titles: Mapping[str, str]) -> Figure:
    """A table, a row a grid: its optimizer's norms, its best learning rates and their shift."""
    runs = tables["runs"]
    ends = sorted(runs[size].unique())
    ends = [ends[0], ends[-1]]
    name = AXES.get(size, size)
    head = [
        "optimizer",
        "one-hot",
        "hidden",
        "output",
        *(f"best η, {name} {v:g}" for v in ends),
        "shift [octaves]",
        f"loss, {name} {ends[1]:g}",
    ]
    rows = []
    for grid, part in runs.groupby("grid", sort=False):
        preset = PRESETS.get(part["optimizer"].iloc[0])
        norms = [preset.one_hot, preset.hidden, preset.output] if preset else [ADAMW] * 3
        norms = [NORMS.get(norm, norm) for norm in norms]
        try:
            swept = sweeps_of_common_seeds(part, size)
        except NoCommonSeedError as error:
            rows.append([panel_title(grid, titles), *norms, "–", "–", f"left out: {error}", "–"])
            continue
        shift = shifts_from_smallest(swept)[-1]
        optima = [s.optimum(np.arange(len(s.losses))) for s in (swept[0], swept[-1])]
        rates = [f"2$^{{{best.log2_lr:.1f}}}$" for best in optima]
        ends_of = [f"{v:.1f}" if np.isfinite(v) else "open" for v in (shift.low, shift.high)]
        moved = minus_signs(f"{shift.value:+.1f} ({' to '.join(ends_of)})")
        rows.append([panel_title(grid, titles), *norms, *rates, moved, f"{optima[1].loss:.3f}"])
    return _table(head, rows)


def race(
    tables: Tables,
    *,
    of: str,
    over: str,
    column: str,
    titles: Mapping[str, str],
) -> Figure:
    """Training losses of two arms, each at its best learning rate, on the way to a target.

    The target is the final loss of `over`. Each arm has its best learning rate. Left: losses along
    runs of one length. Right: final losses over the number of steps of runs of several lengths,
    whose schedules end with the run.
    """
    progress = analysis_arms.race(tables, of, over, column)
    figure, ((left, right),) = panel_grid(1, 2, width=1.35, height=1.25)
    colours = dict(zip((over, of), sns.color_palette("deep"), strict=False))
    for arm, curve in progress.along.items():
        label = panel_title(arm, titles)
        _line(left, curve.steps, curve.losses, colours[arm], label)
        _line(right, progress.horizons[arm], progress.ends[arm], colours[arm], label, marker="o")
    for axis, steps in ((left, progress.steps_along), (right, progress.steps_at_ends)):
        if np.isfinite(steps):
            axis.axvline(steps, color=colours[of], linestyle=":", linewidth=1.2)
            axis.annotate(
                f" {steps / progress.steps:.2f}×",
                (steps, 0.92),
                fontsize=10,
                xycoords=("data", "axes fraction"),
            )
    for axis, title in ((left, "along runs of one length"), (right, "at the ends of shorter runs")):
        axis.axhline(progress.target, color="0.3", linestyle="--", linewidth=1)
        axis.set(title=title, xlabel="steps")
    lowest = min(curve.mean.min() for curve in progress.along.values())
    # The limit cuts off the large losses of the first steps.
    left.set_ylim(top=progress.target + 4 * (progress.target - lowest + 0.05))
    left.set_ylabel("training loss")
    right.legend()
    return figure


def frontier(
    tables: Tables,
    *,
    column: str,
    size: str,
    titles: Mapping[str, str],
) -> Figure:
    """Samples against steps until a common loss: compute against time, a line an arm.

    The common loss is the highest final loss of any arm and size at its best learning rate, so that
    every arm reaches this loss at every size.
    """
    figure, ((axis,),) = panel_grid(1, 1, width=1.5, height=1.3)
    points, target = analysis_arms.frontier(tables, column, size)
    for place, arm in enumerate(in_order(tables["runs"][column])):
        part = points[points[column] == arm]
        (line,) = axis.plot(part["steps"], part["samples"], "o-", label=panel_title(arm, titles))
        # Labels of every second arm stand below its line, so that labels are apart.
        side, across, along = ((1, "left", "bottom"), (-1, "right", "top"))[place % 2]
        for steps, samples, label in zip(part["steps"], part["samples"], part[size], strict=True):
            axis.annotate(
                f"{label:g}",
                (steps, samples),
                xytext=(5 * side, 5 * side),
                textcoords="offset points",
                fontsize=9,
                color=line.get_color(),
                ha=across,
                va=along,
            )
    axis.set_xscale("log", base=2)
    axis.set_yscale("log", base=2)
    axis.margins(0.1)
    for part in (axis.xaxis, axis.yaxis):
        plain_log_ticks(part)
    axis.set_xlabel(f"steps to a loss of {target:.3f} (time)")
    axis.set_ylabel("samples to this loss (compute)")
    axis.legend()
    return figure


def guidelines(tables: Tables, *, parts: Sequence[Mapping[str, Any]]) -> Figure:
    """A table of the components of a training recipe, with one row for each component.

    A row has the losses of the component's variants, the best variant, and its gain over the next
    best variant with an interval over seeds. Each variant has its best learning rate. Each entry of
    `parts` has a `title`, a `grid`, the `column` whose values are the variants, and optionally
    `titles` of these values.
    """
    head = ["part", "tried: final training loss", "best", "gain over the next"]
    rows = []
    for part in parts:
        column, titles = part["column"], part.get("titles", {})
        chosen = select(tables, {"grid": part["grid"]})
        names = [panel_title(value, titles) for value in chosen["runs"][column]]
        runs = chosen["runs"].assign(**{column: names})
        losses = analysis_arms.losses_at_best(runs, column)
        best = str(losses.idxmin())
        each = [f"{name}: {loss:.3f}" for name, loss in losses.items()]
        starts = range(0, len(each), VARIANTS_A_LINE)
        tried = ",\n".join(", ".join(each[at : at + VARIANTS_A_LINE]) for at in starts)
        try:
            gain = analysis_arms.compare(
                runs.drop_duplicates("key"), column, analysis_arms.lead(best), best=True
            )
        except NoCommonSeedError as error:
            rows.append([part["title"], tried, "–", f"left out: {error}"])
            continue
        words = minus_signs(f"{gain.value:.3f} ({gain.low:.3f} to {gain.high:.3f})")
        clear = best if gain.low > 0 else f"{best} (not clearly)"
        rows.append([part["title"], tried, clear, words])
    return _table(head, rows)


def _line(
    axis: Axes, x: np.ndarray, values: np.ndarray, colour: Any, label: str, **style: Any
) -> None:
    """Draw the mean of values (seed, x) over seeds, and the range of the seeds as a band."""
    axis.plot(x, values.mean(axis=0), color=colour, label=label, **style)
    band(axis, x, values.min(axis=0), values.max(axis=0), colour)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Figure:
    """A figure that shows a table."""
    lines = [max(text.count("\n") + 1 for text in row) for row in [head, *rows]]
    figure, axes = panel_grid(1, 1, width=3, height=0.12 * (sum(lines) + 2))
    axes[0, 0].axis("off")
    drawn = axes[0, 0].table(rows, colLabels=head, bbox=(0, 0, 1, 1), cellLoc="center")
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(9.5)
    drawn.auto_set_column_width(range(len(head)))
    for (row, column), cell in drawn.get_celld().items():
        cell.set_height(lines[row])
        cell.set_edgecolor("white")
        cell.set_facecolor(STRIPES[0 if row == 0 else 1 + row % 2])
        cell.get_text().set_fontweight("bold" if row == 0 else "normal")
        cell.get_text().set_horizontalalignment("left" if column == 0 else "center")
    return figure
