"""Check that every condition of a grid selects some of its points, and that points are different.

A condition that selects nothing is misspelt: what it should exclude is trained, and what it should
set or measure is not. A value counts as known if an axis has it at any scale of the study, since
one list of overrides often serves all scales.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from hypertransfer.catalogue.run_identity import RunIdentities
from hypertransfer.runs.canonical import canonical, is_plain
from hypertransfer.runs.conditions import is_bounds, matches
from hypertransfer.runs.numbers import is_finite_number
from hypertransfer.runs.problem import NO_VALUE, Problem, ProblemError
from hypertransfer.runs.spec import RunSpec
from hypertransfer.studies.axes import axis_values, equality_text
from hypertransfer.studies.document import condition_text, flow
from hypertransfer.studies.grid import Grid, every_point

Values = dict[str, list[Any]]  # of each axis
Place = tuple[str, ...]  # keys from the root of the grid to a condition
MOST_SHOWN = 30  # values of an axis that a message lists


def problems(grid: Grid, other_scales: Callable[[], Iterable[Grid]] = tuple) -> Iterator[Problem]:
    """Problems of conditions with values that no point has; the grid has no other problems.

    `other_scales` returns the grid as it is at the other scales of the study.
    """
    here = _AxisValues(grid)
    there: list[_AxisValues] | None = None
    idle: dict[Place, Mapping[str, Any]] = {}
    for place, condition in _conditions(grid):
        if wrong := list(_useless(place, condition)):
            yield from wrong
            continue
        unknown = [named for named in _named(condition) if not here.have(named)]
        if not unknown:
            idle[place] = condition
            continue
        if there is None:
            there = [_AxisValues(other) for other in other_scales()]
        for named in unknown:
            if not any(values.have(named) for values in there):
                yield Problem((*place, named.axis), NO_VALUE, here.fault(named))
    filters = {place: condition for place, condition in idle.items() if place[0] != "probes"}
    yield from _never_met(grid, filters, other_scales)


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
        if isinstance(wanted, list) and not wanted:
            yield Problem((*place, axis), NO_VALUE, "is an empty list, which no point meets")
        for bound, value in wanted.items() if is_bounds(wanted) else ():
            if not is_finite_number(value):
                yield Problem((*place, axis, bound), value, "a finite number")


class _Named(NamedTuple):
    """A value of an axis, or bounds, that a condition names; members of a list are values."""

    axis: str
    wanted: Any
    bounds: bool


def _named(condition: Mapping[str, Any]) -> Iterator[_Named]:
    for axis, wanted in condition.items():
        if isinstance(wanted, list | tuple):
            yield from (_Named(axis, member, bounds=False) for member in wanted)
        else:
            yield _Named(axis, wanted, is_bounds(wanted))


class _AxisValues:
    """The values that each axis of a grid has, at whatever points."""

    def __init__(self, grid: Grid) -> None:
        self._values = values_of(grid.axes, [override.axes for override in grid.overrides])
        self._texts: dict[str, frozenset[str]] = {}  # of the values of each axis, by which to find

    def have(self, named: _Named) -> bool:
        """Whether the axis has the value, or one within the bounds."""
        if named.bounds:
            return any(_within(named.wanted, value) for value in self._values.get(named.axis, ()))
        if named.axis not in self._texts:
            texts = map(equality_text, self._values.get(named.axis, ()))
            self._texts[named.axis] = frozenset(texts)
        return is_plain(named.wanted) and equality_text(named.wanted) in self._texts[named.axis]

    def fault(self, named: _Named) -> str:
        """The value or the bounds that the axis does not have, in words."""
        known, wanted = self._values.get(named.axis, []), named.wanted
        if named.bounds and not any(map(is_finite_number, known)):
            return f"{flow(wanted)} bounds an axis that does not hold numbers"
        noun = "within " if named.bounds else ""
        value = flow(wanted) if isinstance(wanted, Mapping) else repr(wanted)
        shown = ", ".join(dict.fromkeys(map(_shown, known[:MOST_SHOWN])))
        more = ", …" if len(known) > MOST_SHOWN else ""
        return f"no {named.axis} {noun}{value} in this grid; known: {shown}{more}"


def _within(bounds: Mapping[str, Any], value: Any) -> bool:
    return is_finite_number(value) and matches({"": bounds}, {"": value})


def _shown(value: object) -> str:
    return value if isinstance(value, str) else canonical(value)


def _never_met(
    grid: Grid,
    conditions: Mapping[Place, Mapping[str, Any]],
    other_scales: Callable[[], Iterable[Grid]],
) -> Iterator[Problem]:
    """Problems of conditions whose values stand on their axes, but at no point together."""
    unmet = _unmet(grid, conditions)
    for other in other_scales() if unmet else ():
        try:
            unmet = _unmet(other, unmet)
        except (ProblemError, KeyError, TypeError):
            continue  # the other scale is malformed, and cannot meet a condition
    for place, condition in unmet.items():
        text = f"no point of this grid has {condition_text(condition)}: its values never stand "
        yield Problem(place, NO_VALUE, f"{text}together")


def _unmet(
    grid: Grid, conditions: Mapping[Place, Mapping[str, Any]]
) -> dict[Place, Mapping[str, Any]]:
    """The conditions that no point of a grid meets.

    Raises:
        ProblemError: the grid cannot be expanded.
    """
    unmet = dict(conditions)
    for point in every_point(grid) if unmet else ():
        for place, condition in conditions.items():
            if place in unmet and {*condition} <= {*point} and matches(condition, point):
                del unmet[place]
        if not unmet:
            break
    return unmet


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
