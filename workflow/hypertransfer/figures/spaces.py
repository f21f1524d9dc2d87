"""Figures of learned search spaces: regrets of searchers, regions in the plane, drift of winners.

Bands are 95 % intervals over groups of tasks, as the intervals of claims are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from hypertransfer.analysis import spaces
from hypertransfer.analysis.curves import slope_per_doubling
from hypertransfer.analysis.numerals import minus_signs
from hypertransfer.analysis.tables import Tables
from hypertransfer.figures.labels import AXES
from hypertransfer.figures.panels import band, panel_grid, plain_log_ticks
from hypertransfer.spaces.dimensions import Dimension, Domain
from hypertransfer.spaces.regions import Box, Ellipsoid, from_plain

ABREAST = 4  # largest number of panels in one row
LEAST = (1e-4, 1e-3)  # bounds of the lower end of a log axis of regrets
TICKS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50]  # of axes over a decade or two
CIRCLE = np.linspace(0, 2 * np.pi, 200)
GREY = "0.45"
# Palettes begin with colours that are easily told apart; in that of regions, red is the target's.
METHOD_COLOURS = [sns.color_palette("colorblind")[i] for i in (0, 1, 2, 4, 9, 3, 7, 5, 8, 6)]
REGION_COLOURS = [sns.color_palette("deep")[i] for i in (0, 1, 2, 4, 5, 7, 8, 9)]


def regrets(
    tables: Tables,
    *,
    replays: Sequence[str],
    methods: Sequence[str],
    titles: Mapping[str, str],
    log: bool,
) -> Figure:
    """Mean normalised regret after each evaluation, a panel a replay, a line a method."""
    figure, axes = _grid(len(replays))
    table = tables["replays"]
    names = list(methods) or list(dict.fromkeys(table[table["replay"].isin(replays)]["method"]))
    colours = dict(zip(names, sns.color_palette(METHOD_COLOURS, len(names)), strict=True))
    for axis, replay in zip(axes, replays, strict=True):
        part = table[table["replay"] == replay]
        for name in names:
            if name in set(part["method"]):
                curves = spaces.regret_curves(part, name)
                _curve(axis, curves, colours[name], titles.get(name, name))
        if log:
            axis.set_yscale("log")
            plain_log_ticks(axis.yaxis, (1, 3))
            least = min((v for line in axis.lines for v in line.get_ydata() if v > 0), default=1)
            axis.set_ylim(bottom=max(axis.get_ylim()[0], np.clip(0.8 * least, *LEAST)))
        axis.set_title(titles.get(replay, replay))
        axis.set_xlabel("evaluations")
    axes[0].set_ylabel("normalised regret")
    _legend(figure, axes)
    return figure


def _curve(axis: Axes, curves: np.ndarray, colour: Any, label: str) -> None:
    """Draw the mean over groups of curves (group, evaluation), and its interval as a band."""
    mean = curves.mean(axis=0)
    evaluations = np.arange(1, len(mean) + 1)
    axis.plot(evaluations, mean, color=colour, label=label)
    band(axis, evaluations, *spaces.regret_band(curves), colour)


def regions(
    tables: Tables,
    *,
    replays: Sequence[str],
    x: str,
    y: str,
    regions: Sequence[str],
    task: str,
    titles: Mapping[str, str],
) -> Figure:
    """Regions in the plane of two hyperparameters, with earlier winners and the target's best.

    There is one panel for each replay, which shows one target: `task`, or the first. A star marks
    the target's best point. Regions after the second are dashed, since they may cover others. An
    ellipsoid of more than two dimensions is shown by the outline of its projection onto the plane.
    """
    figure, axes = _grid(len(replays))
    table = tables["regions"]
    colours = dict(zip(regions, sns.color_palette(REGION_COLOURS, len(regions)), strict=True))
    for axis, replay in zip(axes, replays, strict=True):
        part = table[(table["replay"] == replay) & table["picture"].notna()]
        part = part[part["task"] == (task or part["task"].iloc[0])]
        for place, name in enumerate(regions):
            picture = json.loads(part[part["region"] == name]["picture"].iloc[0])
            domain = Domain.parse(picture["domain"])
            names = [d.name for d in domain.numeric]
            plane = [names.index(x), names.index(y)]
            if not place:
                _points(axis, picture, [domain.numeric[i] for i in plane], plane)
            _outline(
                axis,
                picture["region"],
                plane,
                [domain.numeric[i] for i in plane],
                colours[name],
                titles.get(name, name),
                dashed=place > 1,
            )
        axis.set_title(titles.get(replay, replay))
        axis.set_xlabel(AXES.get(x, x))
    axes[0].set_ylabel(AXES.get(y, y))
    _legend(figure, axes)
    return figure


def _points(
    axis: Axes, picture: Mapping, dimensions: Sequence[Dimension], plane: list[int]
) -> None:
    """Draw winners of earlier tasks, the best 1 % of the target's points, and the best point."""
    best, won = (np.array(picture[key])[:, plane] for key in ("best", "won"))
    # A dot under the star would not be seen.
    dots = {"color": "crimson", "s": 16, "alpha": 0.5, "linewidth": 0}
    earlier = {"color": "black", "s": 22, "linewidth": 0}
    star = {"color": "crimson", "s": 190, "marker": "*", "edgecolor": "white"}
    for points, label, style in (
        (best[1:], "the target’s best 1 %", dots),
        (won, "winners of earlier tasks", earlier),
        (best[:1], "the target’s best", star),
    ):
        if len(points):
            places = _real(points, dimensions).T
            axis.scatter(*places, label=label, zorder=3, clip_on=False, **style)
    for dimension, scale, limits in zip(
        dimensions, (axis.set_xscale, axis.set_yscale), (axis.set_xlim, axis.set_ylim), strict=True
    ):
        if dimension.log:
            scale("log")
        limits(dimension.low, dimension.high)


def _real(points: np.ndarray, dimensions: Sequence[Dimension]) -> np.ndarray:
    """Points of the unit cube in the units of the dimensions, without rounding of integers."""
    columns = [
        np.array([d.on_axis(float(place)) for place in column])
        for d, column in zip(dimensions, points.T, strict=True)
    ]
    return np.column_stack(
        [
            np.exp2(column) if d.log else column
            for d, column in zip(dimensions, columns, strict=True)
        ]
    )


def _outline(
    axis: Axes,
    plain: Mapping,
    plane: list[int],
    dimensions: Sequence[Dimension],
    colour: Any,
    label: str,
    dashed: bool,
) -> None:
    """Draw the outline of a region in the plane of two coordinates."""
    region = from_plain(plain)
    style = {"edgecolor": colour, "linewidth": 2, "label": label, "zorder": 2}
    style["linestyle"] = "--" if dashed else "-"
    faint = (*colour, 0.08)
    if isinstance(region, Box):
        corners = _real(np.stack([region.low[plane], region.high[plane]]), dimensions)
        size = corners[1] - corners[0]
        axis.add_patch(Rectangle(tuple(corners[0]), *size, facecolor=faint, **style))
        return
    points = _real(shadow(region, plane), dimensions)
    axis.add_patch(Polygon(points, facecolor=faint, **style))


def shadow(ellipsoid: Ellipsoid, plane: Sequence[int]) -> np.ndarray:
    """The outline (200, 2) of an ellipsoid's projection onto two coordinates.

    The projection of {x : ‖Ax + b‖ ≤ 1} with centre c is {c + Σ^½u : ‖u‖ ≤ 1}, where Σ is the block
    of (A²)⁻¹ for the two coordinates.
    """
    spread = np.linalg.inv(ellipsoid.a @ ellipsoid.a)[np.ix_(plane, plane)]
    root = np.linalg.cholesky(spread)
    circle = np.column_stack([np.cos(CIRCLE), np.sin(CIRCLE)])
    return ellipsoid.centre[list(plane)] + circle @ root.T


def inflation(
    tables: Tables,
    *,
    replays: Sequence[str],
    region: str,
    titles: Mapping[str, str],
    quantity: str,
) -> Figure:
    """The growth that a region needs to hold the target's best, over the region's volume.

    Dots are targets, and a diamond is their geometric mean. Sizes of dots differ only to keep those
    of the same place apart. Below the dashed line at 1, the best point lies inside the region.
    """
    figure, ((axis,),) = panel_grid(1, 1, width=2, height=1.5)
    table = tables["regions"]
    colours = sns.color_palette(METHOD_COLOURS, len(replays))
    sizes = np.linspace(85, 20, len(replays))
    for colour, dot, replay in zip(colours, sizes, replays, strict=True):
        part = table[(table["replay"] == replay) & (table["region"] == region)]
        means = part.groupby("task")[[quantity, "inflation"]].mean()
        axis.scatter(
            means[quantity],
            means["inflation"],
            color=colour,
            s=dot,
            linewidth=0,
            label=titles.get(replay, replay),
        )
        axis.scatter(
            *spaces.geometric_means(means),
            marker="D",
            s=90,
            color=colour,
            edgecolor="black",
            zorder=3,
        )
    axis.axhline(1, color="black", linestyle="--", linewidth=1)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("volume of the region, share of the space")
    axis.set_ylabel("growth needed to hold\nthe target’s best")
    for part in (axis.xaxis, axis.yaxis):
        part.set_major_locator(FixedLocator(TICKS))
        part.set_minor_locator(NullLocator())
        part.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def winners(
    tables: Tables,
    *,
    suites: Sequence[str],
    dimension: str,
    size: str,
    titles: Mapping[str, str],
) -> Figure:
    """The best value of a hyperparameter over a size: a line a group, and their mean."""
    table = tables["winners"]
    table = table[(table["dimension"] == dimension) & table["suite"].isin(suites)]
    splits = [
        (suite, depth) for suite in suites for depth in _depths(table[table["suite"] == suite])
    ]
    figure, axes = _grid(len(splits), sharey=True)
    for axis, (suite, depth) in zip(axes, splits, strict=True):
        part = table[table["suite"] == suite]
        part = part if depth is None else part[part["depth"] == depth]
        for _, group in part.groupby("group"):
            winner = group.groupby(size)["winner"].mean()
            axis.plot(winner.index, winner.to_numpy(), color=GREY, alpha=0.5, linewidth=1)
        mean = part.groupby(size)["winner"].mean()
        slope = slope_per_doubling(mean.index, mean)
        axis.plot(mean.index, mean.to_numpy(), "o-", color="crimson", label="mean")
        axis.set_xscale("log", base=2)
        axis.set_xlabel(size.removeprefix("shape."))
        number = minus_signs(f"{slope:+.2f}")
        words = titles.get(suite, suite) if depth is None else f"depth {depth:g}"
        axis.set_title(f"{words}: {number} octaves a doubling", fontsize=11)
    axes[0].set_ylabel(f"log₂ of the best {AXES.get(dimension, dimension)}")
    return figure


def _depths(part: pd.DataFrame) -> list[float | None]:
    """The depths with one panel each; None for one panel of all tasks."""
    known = sorted(part["depth"].dropna().unique()) if "depth" in part else []
    return known if len(known) > 1 else [None]


def _grid(count: int, **kwargs: Any) -> tuple[Figure, list[Axes]]:
    columns = min(count, ABREAST)
    figure, axes = panel_grid(math.ceil(count / columns), columns, height=1.15, **kwargs)
    for axis in axes.flat[count:]:
        axis.axis("off")
    return figure, list(axes.flat[:count])


def _legend(figure: Figure, axes: Sequence[Axes]) -> None:
    """Add one legend below all panels, with each label once."""
    handles = {
        label: handle
        for axis in axes
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    columns = math.ceil(len(handles) / math.ceil(len(handles) / 4))  # rows of about equal length
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=columns)
