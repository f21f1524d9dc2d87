"""Check that the axes of a grid go together: with its base, in its zips, and as one design."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from hypertransfer.runs.problem import NO_VALUE, Problem
from hypertransfer.studies.grid import Grid, alternatives, axis_groups


def problems(grid: Grid) -> Iterator[Problem]:
    """Problems of axes, each of which has usable values by itself."""
    yield from _zip_problems(grid)
    yield from _discarded_options(grid)
    yield from _design_problems(grid)


def _zip_problems(grid: Grid) -> Iterator[Problem]:
    """Axes that stand in two zips, or in one of them twice."""
    for axis, count in Counter(axis for names in grid.zip for axis in names).items():
        if count > 1:
            text = f"names {axis} {count} times: write all axes that move together in one list"
            yield Problem(("zip",), NO_VALUE, text)


def _discarded_options(grid: Grid) -> Iterator[Problem]:
    """Options of the base that values of an axis replace as a whole, and that no run would have."""
    for axis, written in grid.axes.items():
        options = grid.base.get(axis)
        if not isinstance(options, Mapping):
            continue
        for values in filter(_is_list, (written, *alternatives(grid, axis))):
            for value in values:
                kept = value if isinstance(value, Mapping) else ()
                if lost := [key for key in options if key != "name" and key not in kept]:
                    what = f"{', '.join(map(str, lost))} would be lost"
                    why = f"since the axis {axis} replaces the whole value by {value!r}"
                    text = f"{what}, {why}: give the options on the axis"
                    yield Problem(("base", axis), NO_VALUE, text)
                    break


def _design_problems(grid: Grid) -> Iterator[Problem]:
    """Columns of a Sobol design that are combined with each other, or that are one column."""
    columns = [
        {axis: w["sobol"]["column"] for axis, w in group.items() if _is_design(w)}
        for group in axis_groups(grid)
    ]
    several = sum(map(len, columns)) > 1
    for group in columns:
        for axis, column in group.items():
            if several and len(group) == 1:
                text = "is one column of a Sobol design: zip it with the other columns"
                yield Problem(("axes", axis), NO_VALUE, text)
            elif twin := next((a for a in group if a != axis and group[a] == column), ""):
                text = f"has the column of {twin}, {column}: give each axis its own"
                yield Problem(("axes", axis), NO_VALUE, text)


def _is_design(written: object) -> bool:
    return isinstance(written, Mapping) and "sobol" in written


def _is_list(written: object) -> bool:
    return isinstance(written, list)
