"""Grids that take the best values of another grid: found by its rounds, or listed there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from hypertransfer.rounds.settings import Adaptive, Listed
from hypertransfer.runs.canonical import canonical
from hypertransfer.runs.problem import NO_VALUE, Problem
from hypertransfer.studies.adaptive_grids import ArmRuns, adaptive_axis, arms, found_axes
from hypertransfer.studies.axes import CHOSEN
from hypertransfer.studies.grid import Grid, alternatives
from hypertransfer.studies.placed_run import Run

FREE = ("steps", "seed")  # columns in which runs may differ from those whose best value they take


def followed(grid: Grid) -> str:
    """The name of the grid whose best values a grid takes; empty if it takes none."""
    axis = adaptive_axis(grid)
    if grid.best_of or not axis:
        return grid.best_of
    return grid.axes[axis]["adaptive"].get("best_of") or ""


def counterpart(arm: ArmRuns, others: Sequence[ArmRuns]) -> int | None:
    """The place of the only arm of another grid that an arm agrees with in all common axes.

    None if there are none or several, or if the arms have different lattices of values.
    """
    found = _agreeing(arm, others)
    if len(found) != 1 or _difference(arm.settings, others[found[0]].settings):
        return None
    return found[0]


def _agreeing(arm: ArmRuns, others: Sequence[ArmRuns]) -> list[int]:
    """The places of the arms of another grid that an arm agrees with in all common axes."""
    return [
        place
        for place, other in enumerate(others)
        if all(arm.point.get(axis, value) == value for axis, value in other.point.items())
    ]


def _why_none(arm: ArmRuns, others: Sequence[ArmRuns]) -> str:
    """Why an arm has no counterpart, in words."""
    found = _agreeing(arm, others)
    if len(found) == 1:
        return _difference(arm.settings, others[found[0]].settings)
    if not found:
        return "no arm there has its values on the axes that both grids have"
    return f"{len(found)} arms there have its values on the axes that both grids have"


def _difference(own: Adaptive | Listed, theirs: Adaptive | Listed) -> str:
    """The settings by which two lattices of values differ, in words; empty if they are equal."""
    if isinstance(own, Listed) or isinstance(theirs, Listed):
        return "" if own == replace(theirs, best_of=own.best_of) else f"other values of {CHOSEN}"
    parts = (
        ("`start`", own.origin, theirs.origin),
        ("`finest` (or `step` without `finest`)", own.spacing, theirs.spacing),
        ("`octaves` in whole steps", own.width, theirs.width),
    )
    return ", ".join(
        f"{name} is {here:.12g} here and {there:.12g} there"
        for name, here, there in parts
        if here != there
    )


def problems(grids: Mapping[str, Grid], runs: Mapping[str, Sequence[Run]]) -> Iterator[Problem]:
    """Problems of grids that take the values of another grid; all grids have runs."""
    for name, grid in grids.items():
        if other := followed(grid):
            path = ("grids", name, "axes", adaptive_axis(grid), "adaptive", "best_of")
            if grid.best_of:
                path = ("grids", name, "best_of")
            if text := _fault(name, other, grids, runs):
                yield Problem(path, NO_VALUE, text)


def _fault(
    name: str, other: str, grids: Mapping[str, Grid], runs: Mapping[str, Sequence[Run]]
) -> str:
    """Why a grid cannot take the values of another; empty if it can."""
    axis = adaptive_axis(grids[name])
    if grids[name].best_of:
        return _listed_fault(name, other, grids, runs)
    if any(
        written["adaptive"].get("best_of") != other for written in alternatives(grids[name], axis)
    ):
        return f"names {other}, and overrides do not: all points take the values of one grid"
    if other not in grids:
        return f"names the grid {other!r}, which the study lacks"
    if adaptive_axis(grids[other]) != axis or followed(grids[other]):
        return f"names the grid {other}, whose axis {axis} is not found by rounds of its own"

    def differs(where: str, arm: ArmRuns, twin: ArmRuns) -> str:
        own, theirs = (
            runs[grid][one.indices[0]].spec.columns() for grid, one in ((name, arm), (other, twin))
        )
        differing = [key for key in own if own[key] != theirs[key] and key not in (*FREE, axis)]
        if differing:
            return f"names {other}, from whose counterpart {where} differs in {differing[0]}"
        return ""

    return _fault_of_arms(name, other, grids, runs, differs)


def _listed_fault(
    name: str, other: str, grids: Mapping[str, Grid], runs: Mapping[str, Sequence[Run]]
) -> str:
    """Why a grid cannot take the best of the settings that another lists; empty if it can.

    The networks, data and steps of the two grids may differ: the other one may be a proxy.
    """
    if other not in grids:
        return f"names the grid {other!r}, which the study lacks"
    if adaptive_axis(grids[other]):
        return f"names the grid {other}, which does not run all values of {CHOSEN}"
    if CHOSEN not in grids[other].axes:
        return f"names the grid {other}, which has no axis {CHOSEN}: list the same settings there"

    def differs(where: str, arm: ArmRuns, twin: ArmRuns) -> str:
        own, theirs = (
            _settings_of(grids[grid], [runs[grid][index] for index in one.indices])
            for grid, one in ((name, arm), (other, twin))
        )
        if own != theirs:
            return f"names {other}, in which {where} has other values on an axis zipped with lr"
        if len(own) > len(arm.settings.values):
            return f"has two settings of one {CHOSEN} in {where}, by which settings are told apart"
        return ""

    return _fault_of_arms(name, other, grids, runs, differs)


def _fault_of_arms(
    name: str,
    other: str,
    grids: Mapping[str, Grid],
    runs: Mapping[str, Sequence[Run]],
    differs: Callable[[str, ArmRuns, ArmRuns], str],
) -> str:
    """Why an arm of a grid cannot take the value of another grid; empty if all arms can.

    `differs` says why an arm, given as text and as arm, cannot take that of its counterpart.
    """
    others = arms(grids[other], runs[other])
    for arm in arms(grids[name], runs[name]):
        at = ", ".join(f"{column} {value}" for column, value in arm.point.items())
        where = f"the arm at {at or 'the only point'}"
        found = counterpart(arm, others)
        if found is None:
            return f"names {other}, in which {where} has no counterpart: {_why_none(arm, others)}"
        if text := differs(where, arm, others[found]):
            return text
    return ""


def _settings_of(grid: Grid, runs: Sequence[Run]) -> list[str]:
    """The settings of an arm as texts, in order."""
    axes = found_axes(grid)
    return list(dict.fromkeys(canonical({axis: run.point[axis] for axis in axes}) for run in runs))
