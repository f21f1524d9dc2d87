"""Grids with an adaptive axis: the axis, its settings at each point, its arms, and its problems."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypertransfer.rounds.settings import Adaptive, Listed
from hypertransfer.runs.canonical import canonical
from hypertransfer.runs.conditions import matches
from hypertransfer.runs.numbers import is_finite_number
from hypertransfer.runs.problem import NO_VALUE, Problem
from hypertransfer.studies.axes import CHOSEN, is_adaptive
from hypertransfer.studies.grid import Grid, axis_groups
from hypertransfer.studies.placed_run import Run

SIZES = ("shape.", "batch_size", "steps")  # beginnings of the names of axes that are sizes


@dataclass(frozen=True)
class ArmRuns:
    """The runs of an arm that rounds may choose: they differ in the adaptive axis and the seed.

    The attributes are those of `rounds.arm.Arm`, and `indices` are the places of the runs in the
    list of the grid's runs.
    """

    point: Mapping[str, Any]
    family: str
    sizes: tuple[float, ...]
    settings: Adaptive | Listed
    indices: Sequence[int]


def adaptive_axis(grid: Grid) -> str:
    """The axis whose values are found; empty if all values of all axes are run.

    The values of a grid with `best_of` are listed, and the axis is `lr`.
    """
    found = (axis for axis, written in grid.axes.items() if is_adaptive(written))
    return next(found, CHOSEN if grid.best_of else "")


def found_axes(grid: Grid) -> Collection[str]:
    """The axis whose values are found, or the values of `lr`, and the axes zipped with it."""
    axis = adaptive_axis(grid) or CHOSEN
    return next((group for group in axis_groups(grid) if axis in group), {axis: None}).keys()


def written_at(grid: Grid, axis: str, point: Mapping[str, Any]) -> Any:
    """The form of an axis at a point: that of the last override that matches, else of the grid."""
    written = grid.axes[axis]
    for override in grid.overrides:
        if axis in override.axes and matches(override.when, point):
            written = override.axes[axis]
    return written


def arms(grid: Grid, runs: Sequence[Run]) -> list[ArmRuns]:
    """The arms of a grid, in the order of their first runs.

    Without an adaptive axis the arms are those of `lr`, whose values are listed.
    """
    found = found_axes(grid)
    members: dict[str, list[int]] = {}
    points: dict[str, dict[str, Any]] = {}
    for index, run in enumerate(runs):
        point = {n: value for n, value in run.point.items() if n not in found and n != "seed"}
        text = canonical(point)
        members.setdefault(text, []).append(index)
        points.setdefault(text, point)
    groups = _size_groups(grid, list(points.values()))
    measured = [axis for group in groups for axis in _measuring(group, list(points.values()))]
    sizes = {axis for group in groups for axis in group}
    return [
        ArmRuns(
            points[text],
            canonical({axis: v for axis, v in points[text].items() if axis not in sizes}),
            tuple(math.log2(points[text][axis]) for axis in measured),
            _settings(grid, [runs[index] for index in indices]),
            indices,
        )
        for text, indices in members.items()
    ]


def _settings(grid: Grid, runs: Sequence[Run]) -> Adaptive | Listed:
    """The settings of the arm with these runs."""
    axis = adaptive_axis(grid) or CHOSEN
    written = written_at(grid, axis, runs[0].point)
    if is_adaptive(written):
        return Adaptive.parse(written["adaptive"])
    return Listed(list(dict.fromkeys(run.point[axis] for run in runs)), grid.best_of or None)


def _size_groups(grid: Grid, points: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The sizes along which optima are continued; sizes that are zipped are one group.

    An axis is a size if its name begins as one of `SIZES` and all its values are positive numbers.
    """
    groups = (
        [axis for axis in group if axis.startswith(SIZES) and _positive(axis, points)]
        for group in axis_groups(grid)
    )
    return [group for group in groups if group]


def _measuring(sizes: Sequence[str], points: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    """The first of zipped sizes that tells all their values apart; all of them if none does."""
    distinct = len({tuple(point[axis] for axis in sizes) for point in points})
    telling = (axis for axis in sizes if len({point[axis] for point in points}) == distinct)
    first = next(telling, None)
    return sizes if first is None else [first]


def _positive(axis: str, points: Sequence[Mapping[str, Any]]) -> bool:
    values = [point.get(axis) for point in points]
    return all(is_finite_number(value) and value > 0 for value in values)


def problems(grid: Grid) -> Iterator[Problem]:
    """Problems of adaptive axes, each of which has usable settings by itself."""
    found = [axis for axis, written in grid.axes.items() if is_adaptive(written)]
    if grid.best_of:
        yield from _best_of_problems(grid, found)
    for axis in found[1:]:
        text = f"is adaptive, as is {found[0]}: a grid can find the values of one axis"
        yield Problem(("axes", axis), NO_VALUE, text)
    if "seed" in found:
        yield Problem(("axes", "seed"), NO_VALUE, "cannot be adaptive: list the seeds")
    for index, override in enumerate(grid.overrides):
        for axis, written in override.axes.items():
            if is_adaptive(written) != (axis in found):
                text = f"is adaptive at some points only: write `axes.{axis}` in the same form"
                yield Problem(("overrides", str(index), "axes", axis), NO_VALUE, text)
    for axis in found:
        if axis not in grid.inner:
            text = f"lacks {axis}, whose values are found: write `inner: [{axis}, seed]`"
            yield Problem(("inner",), NO_VALUE, text)
        if any(axis in names for names in grid.zip):
            yield Problem(("zip",), NO_VALUE, f"names {axis}, whose values are found")


def _best_of_problems(grid: Grid, adaptive: Sequence[str]) -> Iterator[Problem]:
    """Problems of a grid with `best_of`, whose axes have usable values."""
    if adaptive:
        text = f"is given beside the adaptive axis {adaptive[0]}: write `best_of` there, or list"
        yield Problem(("best_of",), NO_VALUE, text)
    elif CHOSEN not in grid.axes:
        text = f"needs the axis {CHOSEN}, which tells settings apart"
        yield Problem(("best_of",), NO_VALUE, text)
    elif missing := [axis for axis in (*found_axes(grid), "seed") if axis not in grid.inner]:
        names = ", ".join([*grid.inner, *missing])
        text = f"lacks {missing[0]}, of which `best_of` runs one value: write `inner: [{names}]`"
        yield Problem(("inner",), NO_VALUE, text)
