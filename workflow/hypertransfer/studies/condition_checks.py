"""Check that every condition of a grid selects some of its points, and that points are different.

A condition that selects nothing is misspelt: what it should exclude is trained, and what it should
set or measure is not. A value counts as known if an axis has it at any scale of the study, since
one list of overrides often serves all scales.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Any

from hypertransfer.catalogue.run_identity import RunIdentities
from hypertransfer.runs.canonical import canonical
from hypertransfer.runs.conditions import is_bounds, matches
from hypertransfer.runs.problem import NO_VALUE, Problem, ProblemError
from hypertransfer.runs.spec import RunSpec
from hypertransfer.studies.axes import axis_values
from hypertransfer.studies.document import flow
from hypertransfer.studies.grid import Grid, every_point

Values = dict[str, list[Any]]  # of each axis
Place = tuple[str, ...]  # keys from the root of the grid to a condition
MOST_SHOWN = 30  # values of an axis that a message lists


def problems(grid: Grid, other_scales: Callable[[], Iterable[Values]] = tuple) -> Iterator[Problem]:
    """Problems of conditions with values that no point has; the grid has no other problems.

    `other_scales` returns the values of the grid's axes at the other scales of the study.
    """
    here = values_of(grid.axes, [override.axes for override in grid.overrides])
    idle: dict[Place, Mapping[str, Any]] = {}
    for place, condition in _conditions(grid):
        if wrong := list(_useless(place, condition)):
            yield from wrong
            continue
        unknown = list(_unknown_values(condition, here))
        if not unknown:
            idle[place] = condition
            continue
        for values in other_scales():
            unknown = [part for part in unknown if part in [*_unknown_values(condition, values)]]
        for axis, text in unknown:
            yield Problem((*place, axis), NO_VALUE, text)
    yield from _never_met(grid, {k: v for k, v in idle.items() if k[0] != "probes"})


def values_of(axes: Mapping[str, Any], overrides: Iterable[Mapping[str, Any]]) -> Values:
    """The values of each axis, from the axes of a grid as written and those of its overrides.

    Axes whose values cannot be used are left out.
    """
    values: Values = {}
    for written in (axes, *overrides):
        for axis, form in written.items():
            try:
                values.setdefault(axis, []).extend(axis_values((), form, zipped=True))
            except (ProblemError, KeyError, TypeError):
                continue
    return values


def _conditions(grid: Grid) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    for name, conditions in (("exclude", grid.exclude), ("only", grid.only)):
        for index, condition in enumerate(conditions):
            yield (name, str(index)), condition
    for index, override in enumerate(grid.overrides):
        yield ("overrides", str(index), "when"), override.when
    for name, probe in grid.probes.items():
        yield ("probes", name, "where"), probe.where


def _useless(place: Place, condition: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of a condition that names nothing, or whose bounds are none."""
    if not condition and place[0] in ("exclude", "only"):
        yield Problem(place, NO_VALUE, "is a condition without axes, which every point meets")
    for axis, wanted in condition.items():
        for bound, value in wanted.items() if is_bounds(wanted) else ():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not math.isfinite(value):
                yield Problem((*place, axis, bound), value, "a finite number")


def _unknown_values(condition: Mapping[str, Any], values: Values) -> Iterator[tuple[str, str]]:
    """The axes of a condition with a value that they do not have, each with the fault in words."""
    for axis, wanted in condition.items():
        known = values.get(axis, [])
        several = isinstance(wanted, list | tuple)
        for part in wanted if several else [wanted]:
            alone = {axis: [part] if several else part}  # the part may be a list itself
            try:
                met = any(matches(alone, {axis: value}) for value in known)
            except TypeError:
                yield axis, f"{flow(part)} bounds an axis that does not hold numbers"
                continue
            if not met:
                noun = "within" if is_bounds(part) and not several else ""
                shown = ", ".join(map(str, dict.fromkeys(map(_shown, known[:MOST_SHOWN]))))
                more = ", …" if len(known) > MOST_SHOWN else ""
                value = flow(part) if isinstance(part, Mapping) else repr(part)
                words = " ".join(filter(None, ["no", axis, noun, value]))
                yield axis, f"{words} in this grid; known: {shown}{more}"


def _shown(value: object) -> str:
    return value if isinstance(value, str) else canonical(value)


def _never_met(grid: Grid, idle: dict[Place, Mapping[str, Any]]) -> Iterator[Problem]:
    """Problems of conditions whose values stand on their axes, but at no point together."""
    for point in every_point(grid) if idle else ():
        met = [place for place, condition in idle.items() if matches(condition, point)]
        for place in met:
            del idle[place]
        if not idle:
            return
    for place, condition in idle.items():
        text = f"no point of this grid has {flow(dict(condition))}: its values never stand together"
        yield Problem(place, NO_VALUE, text)


class Twins:
    """Finds points of a grid that are one run, as their values are equal once they are parsed."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, Mapping[str, Any]] = {}
        self._identities = RunIdentities()

    def problems(self, point: Mapping[str, Any], spec: RunSpec) -> Iterator[Problem]:
        """The problem of a point whose run is that of an earlier point."""
        first = self._seen.setdefault(self._identities.of(spec), point)
        if first is not point:
            axis = next((a for a in point if point[a] != first[a]), next(iter(point)))
            text = f"{first[axis]!r} and {point[axis]!r} give one and the same run: keep one"
            yield Problem(("axes", axis), NO_VALUE, text)
