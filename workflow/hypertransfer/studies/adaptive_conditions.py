"""Conditions on the values of an adaptive axis, of which only those of the first round surely run.

The first round runs the start and its neighbours in every arm, with the first seed. Which other
values and seeds run depends on results.
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
from hypertransfer.studies.adaptive_grids import ArmRuns, adaptive_axis, arms
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
            axis, where = adaptive_axis(grid), part["where"]
            if measure and axis and _needs_all(measure, part, axis):
                if _places(name, planned, where):
                    text = (
                        f"{part['measure']} reads seeds that ran every value of {axis}, which is "
                        f"found in the grid {name}: most seeds run around the best value only; "
                        f"list the values of {axis} in a grid of their own and select this grid"
                    )
                    yield Problem((*path, "measure"), NO_VALUE, text)
                continue
            if not axis or axis not in where or not planned.runs.get(name):
                continue
            rest = {column: wanted for column, wanted in where.items() if column != axis}
            within, selected = (_places(name, planned, one) for one in (rest, where))
            if text := _unsure(where[axis], grid, planned.runs[name], within, selected):
                yield Problem((*path, "where"), NO_VALUE, text)
            elif within and measure and not is_bounds(where[axis]):
                asked = entry.get("min_seeds", MIN_SEEDS)
    if asked > SURE_SEEDS:
        text = (
            f"{asked} seeds are asked for, and at values of an axis that is found only "
            f"{SURE_SEEDS} is sure to run: list the values in a grid of their own and select this "
            f"grid, leave the values out of where, or set `min_seeds: {SURE_SEEDS}`"
        )
        yield Problem(("min_seeds",), NO_VALUE, text)


def _needs_all(measure: Measure, part: Mapping[str, Any], axis: str) -> bool:
    """Whether a claim or control reads only seeds that ran every value of the axis."""
    written = part.get("options")
    options = {**measure.options, **(written if isinstance(written, Mapping) else {})}
    return measure.complete and measure.values.swept_column(options) == axis


def probe_problems(grid: Grid, runs: Sequence[Run]) -> Iterator[Problem]:
    """Problems of the probes of a grid that name values which rounds may never run."""
    axis = adaptive_axis(grid)
    for name, probe in grid.probes.items():
        if not axis or axis not in probe.where:
            continue
        rest = {column: wanted for column, wanted in probe.where.items() if column != axis}
        within, selected = (
            {index for index, run in enumerate(runs) if selects(where, run.point)}
            for where in (rest, probe.where)
        )
        if text := _unsure(probe.where[axis], grid, runs, within, selected):
            yield Problem(("probes", name, "where"), NO_VALUE, text)


def _places(grid: str, planned: Planned, where: Mapping[str, Any]) -> set[int]:
    """The places, in the list of a grid's runs, of the runs that a condition selects."""
    chosen = {id(found.run) for found in planned.iterate(where) if found.row["grid"] == grid}
    return {index for index, run in enumerate(planned.runs[grid]) if id(run) in chosen}


def _unsure(
    wanted: Any,
    grid: Grid,
    runs: Sequence[Run],
    within: Collection[int],
    selected: Collection[int],
) -> str:
    """A text on the first arm in which a wanted value may never be run; empty if there is none.

    Args:
        wanted: the condition on the adaptive axis: a value, a list, or bounds, within which one
            value has to run.
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
        for value in wanted if isinstance(wanted, list) else [wanted]:
            if not any(selects({axis: value}, point) for point in sure):
                at = ", ".join(f"{name} {held}" for name, held in arm.point.items())
                what = "a value within the bounds" if is_bounds(value) else value
                where = f"at {at} " if at else ""
                return f"{axis} {what} may never be run {where}with these seeds: {REMEDY}"
    return ""


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
