"""Conditions on values that are found, of which only those of the first round surely run.

The first round runs the start and its neighbours in every arm, with the first seed. Which other
values and seeds run depends on results. Of the settings that a grid with `best_of` lists, values of
`lr` and of the axes that are zipped with it, none surely runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from hypertransfer.claims.claim import MIN_SEEDS
from hypertransfer.claims.families import measures
from hypertransfer.claims.measure import Measure
from hypertransfer.rounds.settings import NARROW
from hypertransfer.runs.conditions import is_bounds
from hypertransfer.runs.problem import NO_VALUE, Problem
from hypertransfer.studies.adaptive_grids import ArmRuns, adaptive_axis, arms, found_axes
from hypertransfer.studies.grid import Grid
from hypertransfer.studies.placed_run import Run
from hypertransfer.studies.planned import Planned, selects
from hypertransfer.studies.references import parts_with_conditions

SURE_SEEDS = 1  # seeds that surely run at a value of the first round
REMEDY = (
    "name the start or its neighbours and the first seed, which always run, or list the values in "
    "a grid of their own and select this grid"
)


def problems(
    entry: Mapping[str, Any], planned: Planned, grids: Mapping[str, Grid]
) -> Iterator[Problem]:
    """Problems of a figure or claim as written that names values which rounds may never run."""
    asked = 0
    for path, part in parts_with_conditions(entry):
        measure = measures().get(str(part.get("measure")))
        if measure and measure.table != "runs":
            continue
        for name, grid in grids.items():
            axes, where = _found(grid), part["where"]
            swept = measure and _swept_whole(measure, part)
            if swept and swept in axes:
                if _places(name, planned, where):
                    text = (
                        f"{part['measure']} reads seeds that ran every value of {swept}, which is "
                        f"found in the grid {name}: most seeds run around the best value only; "
                        f"list the values of {swept} in a grid of their own and select this grid"
                    )
                    yield Problem((*path, "measure"), NO_VALUE, text)
                continue
            wanted = {column: where[column] for column in axes if column in where}
            if not wanted or not planned.runs.get(name):
                continue
            rest = {column: held for column, held in where.items() if column not in wanted}
            within, selected = (_places(name, planned, one) for one in (rest, where))
            if text := _unsure(wanted, grid, planned.runs[name], within, selected):
                yield Problem((*path, "where"), NO_VALUE, text)
            elif within and measure and not all(map(is_bounds, wanted.values())):
                asked = entry.get("min_seeds", MIN_SEEDS)
    if asked > SURE_SEEDS:
        text = (
            f"{asked} seeds are asked for, and at values of an axis that is found only "
            f"{SURE_SEEDS} is sure to run: list the values in a grid of their own and select this "
            f"grid, leave the values out of where, or set `min_seeds: {SURE_SEEDS}`"
        )
        yield Problem(("min_seeds",), NO_VALUE, text)


def _found(grid: Grid) -> Collection[str]:
    """The axes whose values are found; none if all values of all axes are run."""
    return found_axes(grid) if adaptive_axis(grid) else ()


def _swept_whole(measure: Measure, part: Mapping[str, Any]) -> str | None:
    """The axis of which a claim or control reads only seeds that ran every value; None for none."""
    written = part.get("options")
    options = {**measure.options, **(written if isinstance(written, Mapping) else {})}
    return measure.values.swept_column(options) if measure.complete else None


def probe_problems(grid: Grid, runs: Sequence[Run]) -> Iterator[Problem]:
    """Problems of the probes of a grid that name values which rounds may never run."""
    axes = _found(grid)
    for name, probe in grid.probes.items():
        wanted = {column: probe.where[column] for column in axes if column in probe.where}
        if not wanted:
            continue
        rest = {column: held for column, held in probe.where.items() if column not in wanted}
        within, selected = (
            {index for index, run in enumerate(runs) if selects(where, run.point)}
            for where in (rest, probe.where)
        )
        if text := _unsure(wanted, grid, runs, within, selected):
            yield Problem(("probes", name, "where"), NO_VALUE, text)


def _places(grid: str, planned: Planned, where: Mapping[str, Any]) -> set[int]:
    """The places, in the list of a grid's runs, of the runs that a condition selects."""
    chosen = {id(found.run) for found in planned.iterate(where) if found.row["grid"] == grid}
    return {index for index, run in enumerate(planned.runs[grid]) if id(run) in chosen}


def _unsure(
    wanted: Mapping[str, Any],
    grid: Grid,
    runs: Sequence[Run],
    within: Collection[int],
    selected: Collection[int],
) -> str:
    """A text on the first arm in which a wanted value may never be run; empty if there is none.

    Args:
        wanted: the condition on each axis whose values are found: a value, a list, or bounds,
            within which one value has to run.
        grid: the grid.
        runs: its runs.
        within: the places of the runs that the other conditions select.
        selected: the places of the runs that all conditions select.
    """
    axis = adaptive_axis(grid)
    for arm in arms(grid, runs):
        if not any(index in within for index in arm.indices):
            continue
        sure = [runs[index].point for index in _sure(arm, axis, runs) if index in selected]
        for column, value in _each(wanted):
            if not any(selects({column: value}, point) for point in sure):
                at = ", ".join(f"{name} {held}" for name, held in arm.point.items())
                what = "a value within the bounds" if is_bounds(value) else value
                where = f"at {at} " if at else ""
                return f"{column} {what} may never be run {where}with these seeds: {REMEDY}"
    return ""


def _each(wanted: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each axis with each value of its list, its only value, or its bounds."""
    for column, held in wanted.items():
        yield from ((column, value) for value in (held if isinstance(held, list) else [held]))


def _sure(arm: ArmRuns, axis: str, runs: Sequence[Run]) -> list[int]:
    """The places of the runs that the first round runs, however small or large the arm is.

    There are none if the arm takes the best value of another grid.
    """
    if arm.settings.best_of:
        return []
    first: dict[int, int] = {}
    for index in arm.indices:
        first.setdefault(arm.settings.notch(runs[index].point[axis]), index)
    stride = arm.settings.stride
    return [
        index
        for notch, index in first.items()
        if notch % stride == 0 and abs(notch) <= NARROW * stride
    ]
