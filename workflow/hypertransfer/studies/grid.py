"""The grid language: base values and axes → points → runs → cells.

The values of an axis are a list, or a form that generates them: `{powers: {base, from, to, step}}`
(base^from … base^to), `{logspace: {from, to, points}}` (geometric, both ends included),
`{range: n}` (0 … n-1), or `{sobol: {from, to, points, column}}` (a column of a Sobol design, on a
log axis unless `log: false`; the axes of one design have to be zipped). An override replaces the
values of axes, or sets values of the spec, at the points whose earlier axes meet its condition.
Zipped axes have equally many values, which are combined in order.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hypertransfer.catalogue import complete
from hypertransfer.catalogue.cards import probes
from hypertransfer.catalogue.options import typed_options
from hypertransfer.runs.canonical import canonical, digest
from hypertransfer.runs.conditions import matches
from hypertransfer.runs.problem import NO_VALUE, Problem, ProblemError
from hypertransfer.runs.section import Section
from hypertransfer.runs.spec import RunSpec
from hypertransfer.studies.axes import MOST_VALUES, Path, axis_values
from hypertransfer.studies.axis_group import AxisGroup
from hypertransfer.studies.placed_run import Run, put_all

MOST_POINTS = 10**6  # largest number of points of a grid, before its filters
MOST_AXES = 20
AXIS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")  # safe in file names
Condition = Mapping[str, Any]


@dataclass(frozen=True)
class Probe(Section):
    """A probe of a grid.

    Attributes:
        probe: name of the kind of probe.
        checkpoints: the steps at which the probe measures: a list, `{every: n}` or `{count: n}`.
        where: condition that selects points of the grid.
        settings: settings of the kind of probe.
    """

    probe: str
    checkpoints: Any
    where: Condition = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Probe:
        """The probe of a mapping in which settings and other keys are on one level.

        Numbers of settings get the types that the kind of probe has for them.
        """
        own = {key: values[key] for key in ("probe", "checkpoints", "where") if key in values}
        settings = {k: v for k, v in values.items() if k not in own}
        card = probes.PROBES.get(own["probe"])
        return cls(**own, settings=typed_options(card.settings, settings) if card else settings)

    def plain(self) -> dict[str, Any]:
        """The mapping that `parse` reads back."""
        values = super().plain()
        settings = values.pop("settings", {})
        return {**values, **settings}


@dataclass(frozen=True)
class Override(Section):
    """Other values of axes or of the spec, at points where a condition on earlier axes holds."""

    when: Condition
    axes: Mapping[str, Any] = field(default_factory=dict)
    set: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Grid(Section):
    """A grid of runs.

    Attributes:
        base: values of the spec that all runs share.
        axes: values of each axis, by dotted key of the spec.
        inner: axes whose values share a cell.
        zip: lists of axes whose values are combined in order.
        overrides: other values at points that meet a condition.
        exclude: conditions; points that meet one of them are left out.
        only: conditions; if there are any, points that meet none of them are left out.
        probes: probes by name.
        best_of: name of a grid with the same settings, of which only the best one is run: the
            values of `lr` and of the axes that are zipped with it; empty to run all of them.
        description: purpose of the grid, as text.
    """

    base: Mapping[str, Any]
    axes: Mapping[str, Any]
    inner: Sequence[str] = ("lr", "seed")
    zip: Sequence[Sequence[str]] = ()
    overrides: Sequence[Override] = ()
    exclude: Sequence[Condition] = ()
    only: Sequence[Condition] = ()
    probes: Mapping[str, Probe] = field(default_factory=dict)
    best_of: str = ""
    description: str = ""

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Grid:
        """The grid of a mapping that the schema has accepted."""
        overrides = [Override.parse(override) for override in values.get("overrides", ())]
        probes = {name: Probe.parse(probe) for name, probe in values.get("probes", {}).items()}
        return cls(**{**values, "overrides": overrides, "probes": probes})


@dataclass(frozen=True)
class Cell:
    """The runs of a grid with equal values of all axes except the inner ones."""

    grid: str
    outer: Mapping[str, Any]
    runs: tuple[Run, ...] = field(repr=False)

    @property
    def path(self) -> str:
        """The readable part of the cell's file name, such as `width/shape.width~64`."""
        return "/".join([self.grid, *(f"{axis}~{label(v)}" for axis, v in self.outer.items())])


def label(value: object) -> str:
    """A value as part of a path: its text if that is a plain word, else a short digest."""
    text = value if isinstance(value, str) else canonical(value)
    plain = text.replace(".", "").replace("-", "").replace("_", "").replace("+", "").isalnum()
    return text if plain and not text.startswith(".") and len(text) <= 40 else digest(value, 8)


def points(grid: Grid) -> Iterator[tuple[dict[str, Any], dict]]:
    """Every point of a grid that passes the filters, with the values of its spec, nested.

    Axes vary in the order of the config, the last one fastest. An axis of an option and one of its
    component apply together, in whatever order they are written.

    Raises:
        ProblemError: the values of an axis, of zipped axes, or of the base cannot be used.
    """
    for point in remaining_points(grid):
        yield point, _spec_values(grid, point)


def remaining_points(grid: Grid) -> Iterator[dict[str, Any]]:
    """Every point of a grid that passes the filters, as the values of its axes.

    Raises:
        ProblemError: the values of an axis, or of axes that are zipped, cannot be used.
    """
    for point in every_point(grid):
        if any(matches(condition, point) for condition in grid.exclude):
            continue
        if grid.only and not any(matches(condition, point) for condition in grid.only):
            continue
        yield point


def every_point(grid: Grid) -> Iterator[dict[str, Any]]:
    """Every point of a grid before its filters, as the values of its axes.

    Raises:
        ProblemError: the values of an axis, or of axes that are zipped, cannot be used.
    """
    groups = [AxisGroup(group, grid.overrides) for group in axis_groups(grid)]

    def expand(index: int, point: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if index == len(groups):
            yield point
            return
        for values in groups[index].rows(point):
            yield from expand(index + 1, {**point, **values})

    yield from expand(0, {})


def _spec_values(grid: Grid, point: Mapping[str, Any]) -> dict:
    """The spec at a point as nested values.

    Raises:
        ProblemError: a value should be set inside a value of the base that is not a mapping.
    """
    values = dict(grid.base)  # `put` copies the nested values that it changes
    try:
        put_all(values, [*_set_by_overrides(grid, point).items(), *point.items()])
    except ProblemError as error:
        raise ProblemError(problem.below("base") for problem in error.problems) from error
    return values


def _set_by_overrides(grid: Grid, point: Mapping[str, Any]) -> dict[str, Any]:
    """The values that overrides set at a point, by dotted path.

    A later override replaces the values of earlier ones. If it sets a component, the options that
    an earlier override has set in it are dropped.
    """
    settings: dict[str, Any] = {}
    for override in grid.overrides:
        if override.set and matches(override.when, point):
            for path in override.set:
                settings = {p: v for p, v in settings.items() if not p.startswith(f"{path}.")}
            settings |= override.set
    return settings


def axis_groups(grid: Grid) -> list[dict[str, object]]:
    """The axes with their values as written in the config; zipped axes share a group."""
    zipped = [set(names) for names in grid.zip]
    groups: list[dict[str, object]] = []
    for axis, written in grid.axes.items():
        partners = next((names for names in zipped if axis in names), {axis})
        home = next((group for group in groups if partners & set(group)), None)
        if home is None:
            groups.append({axis: written})
        else:
            home[axis] = written
    return groups


def problems(grid: Grid) -> Iterator[Problem]:
    """Problems of the axes of a grid, and of other keys that refer to axes."""
    axes = list(grid.axes)
    zipped = {axis for names in grid.zip for axis in names}
    yield from _axis_problems(("axes",), grid.axes, zipped)
    yield from _size_problems(grid)
    for axis in grid.inner if grid.inner != Grid.inner else ():
        if axis not in axes:
            yield Problem(("inner",), axis, f"an axis of this grid; known: {', '.join(axes)}")
    for index, names in enumerate(grid.zip):
        yield from _unknown_axes(("zip", str(index)), names, axes)
    for index, override in enumerate(grid.overrides):
        yield from _override_problems(("overrides", str(index)), override, axis_groups(grid))
    for name, conditions in (("exclude", grid.exclude), ("only", grid.only)):
        for index, condition in enumerate(conditions):
            yield from _unknown_axes((name, str(index)), condition, axes)
    for name, probe in grid.probes.items():
        yield from _unknown_axes(("probes", name, "where"), probe.where, axes)


def _unknown_axes(path: Path, names: Collection[str], axes: Collection[str]) -> Iterator[Problem]:
    for name in names:
        if name not in axes:
            yield Problem(path, name, f"an axis; known: {', '.join(axes)}")


def _axis_problems(
    path: Path, axes: Mapping[str, Any], zipped: Collection[str]
) -> Iterator[Problem]:
    for axis, written in axes.items():
        if not isinstance(axis, str) or not AXIS.fullmatch(axis) or len(axis) > 100:
            yield Problem(path, axis, "the dotted name of a value of a run")
            continue
        try:
            axis_values((*path, axis), written, axis in zipped)
        except ProblemError as error:
            yield from error.problems


def _size_problems(grid: Grid) -> Iterator[Problem]:
    """Problems of a grid that may have too many axes or points, with the largest alternatives."""
    try:
        count = math.prod(
            max(
                len(axis_values(("axes", axis), written, len(group) > 1))
                for axis in group
                for written in (grid.axes[axis], *alternatives(grid, axis))
            )
            for group in axis_groups(grid)
        )
    except ProblemError:
        return  # `_axis_problems` reports the problem
    if count > MOST_POINTS:
        expected = f"at most {MOST_POINTS} points: split the grid"
        yield Problem(("axes",), count, expected)
    if len(grid.axes) > MOST_AXES:
        yield Problem(("axes",), len(grid.axes), f"at most {MOST_AXES} axes")


def alternatives(grid: Grid, axis: str) -> list[object]:
    """The values of an axis that overrides give it, as written in the config."""
    return [override.axes[axis] for override in grid.overrides if axis in override.axes]


def _override_problems(
    path: Path, override: Override, groups: list[dict[str, object]]
) -> Iterator[Problem]:
    place = {axis: index for index, group in enumerate(groups) for axis in group}
    axes = list(place)
    zipped = {axis for group in groups if len(group) > 1 for axis in group}
    yield from _axis_problems((*path, "axes"), override.axes, zipped)
    if not override.axes and not override.set:
        yield Problem(path, NO_VALUE, "has no effect: give other values as axes or set")
    for axis in override.set:
        if axis in axes:
            yield Problem((*path, "set"), NO_VALUE, f"{axis!r} is an axis: use 'axes' to change it")
    yield from _unknown_axes((*path, "when"), override.when, axes)
    yield from _unknown_axes((*path, "axes"), override.axes, axes)
    for axis in override.axes:
        late = [a for a in override.when if a in axes and place[a] >= place.get(axis, len(axes))]
        if late:
            expected = f"written before the axis {axis} that it decides"
            yield Problem((*path, "when"), late[0], expected)


def runs(grid: Grid) -> list[Run]:
    """All runs of a grid, in the order of its axes.

    Raises:
        ProblemError: values of the grid or of a run cannot be used.
    """
    completer = complete.Completer()
    return [run(grid, point, completer.run_spec(values)) for point, values in points(grid)]


def selecting_probes(grid: Grid, point: Mapping[str, Any]) -> dict[str, Probe]:
    """The probes of a grid that select a point, by name."""
    return {name: probe for name, probe in grid.probes.items() if matches(probe.where, point)}


def run(
    grid: Grid,
    point: Mapping[str, Any],
    spec: RunSpec,
    selecting: Mapping[str, Probe] | None = None,
) -> Run:
    """The run at a point, with the checkpoints of every probe that selects the point.

    `selecting` are these probes, if they are known.

    Raises:
        ProblemError: a checkpoint of a probe is beyond the last step of the run.
    """
    steps = set(spec.checkpoints)
    for name, probe in (selecting_probes(grid, point) if selecting is None else selecting).items():
        path = ("probes", name, "checkpoints")
        steps |= set(checkpoints(probe.checkpoints, spec.steps, path))
    kept = tuple(sorted(steps))
    placed = spec if kept == spec.checkpoints else replace(spec, checkpoints=kept)
    return Run(point, placed, spec.checkpoints)


def checkpoints(written: Any, last: int, path: Path = ("checkpoints",)) -> list[int]:
    """The steps at which a probe measures, ascending, each once.

    They are written as a list, as `{every: n}` or as `{count: n}`. `every` and `count` include the
    first and the last step. `last` is the last step of the run.

    Raises:
        ProblemError: a step is beyond the last step, or there are too many steps.
    """
    if isinstance(written, list):
        if beyond := [step for step in written if step > last]:
            raise ProblemError.at(path, beyond, f"within the run's {last} steps")
        return sorted(set(written))
    steps = last // written["every"] + 2 if "every" in written else written["count"]
    if steps > MOST_VALUES:
        raise ProblemError.at(path, written, f"at most {MOST_VALUES} checkpoints")
    if "every" in written:
        return sorted({*range(0, last + 1, written["every"]), last})
    count = written["count"]
    return sorted({round(i * last / (count - 1)) for i in range(count)})


def cells(name: str, grid: Grid, all_runs: Sequence[Run]) -> list[Cell]:
    """The cells of a grid: its runs, grouped by the values of all axes except the inner ones."""
    grouped: dict[str, list[Run]] = {}
    outers: dict[str, dict] = {}
    texts: dict[tuple[int, ...], str] = {}  # by the identities of values, which many runs share
    for run in all_runs:
        outer = {axis: value for axis, value in run.point.items() if axis not in grid.inner}
        objects = tuple(map(id, outer.values()))
        if objects not in texts:
            texts[objects] = canonical(outer)
        text = texts[objects]
        grouped.setdefault(text, []).append(run)
        outers.setdefault(text, outer)
    return [Cell(name, outers[text], tuple(members)) for text, members in grouped.items()]
