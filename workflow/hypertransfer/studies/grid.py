"""The grid language: base values and axes → points → runs → cells.

Values of an axis are written as a list, as `{powers: {base, from, to, step}}` (base^from …
base^to), as `{logspace: {from, to, points}}` (geometric, both ends included), as `{range: n}`
(0 … n-1), or as `{sobol: {from, to, points, column}}` (a column of a Sobol design, log unless
`log: false`; zip the columns of one design). An override replaces the values of axes, or sets
values of the spec, where its condition on earlier axes holds. Zipped axes move together.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hypertransfer.catalogue import complete
from hypertransfer.runs.canonical import canonical, digest
from hypertransfer.runs.conditions import matches
from hypertransfer.runs.parse import SpecError
from hypertransfer.runs.spec import RunSpec
from hypertransfer.studies.axes import MOST_VALUES, GridError, axis_values

PROBE_KEYS = ("probe", "where", "checkpoints")  # keys of a grid's probe beside its settings
MOST_POINTS = 10**6  # of a grid, before its filters
AXIS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")  # part of a path, too


@dataclass(frozen=True)
class Run:
    """A run in its place on the grid: the values of the axes, and the spec they make."""

    point: Mapping[str, Any]
    spec: RunSpec


@dataclass(frozen=True)
class Cell:
    """Runs of a grid that share everything but the inner axes: one job, one file."""

    grid: str
    outer: Mapping[str, Any]
    runs: tuple[Run, ...] = field(repr=False)

    @property
    def path(self) -> str:
        """The readable part of the cell's file name: `width/shape.width~64/…`."""
        return "/".join([self.grid, *(f"{axis}~{label(v)}" for axis, v in self.outer.items())])


def label(value: object) -> str:
    """A value as part of a path: itself where that is a plain word, else a short digest."""
    text = value if isinstance(value, str) else canonical(value)
    plain = text.replace(".", "").replace("-", "").replace("_", "").replace("+", "").isalnum()
    return text if plain and not text.startswith(".") and len(text) <= 40 else digest(value, 8)


def put(values: dict, path: str, value: object) -> None:
    """Set a dotted path in nested values; a component written as a name becomes a mapping."""
    *parents, last = path.split(".")
    for parent in parents:
        inner = values.get(parent, {})
        values[parent] = {"name": inner} if isinstance(inner, str) else dict(inner)
        values = values[parent]
    values[last] = value


def points(grid: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict]]:
    """Every point of a grid that the filters let through, with its spec as nested values.

    Axes vary in the order in which they are written, the last one fastest.
    """
    groups = _axis_groups(grid)
    overrides = grid.get("overrides", [])

    def expand(index: int, point: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if index == len(groups):
            yield dict(point)
            return
        for values in _group_values(groups[index], overrides, point):
            yield from expand(index + 1, {**point, **values})

    for point in expand(0, {}):
        if any(matches(condition, point) for condition in grid.get("exclude", [])):
            continue
        only = grid.get("only")
        if only and not any(matches(condition, point) for condition in only):
            continue
        values = dict(grid["base"])  # `put` copies what it changes below
        for override in overrides:
            if matches(override["when"], point):
                for path, value in override.get("set", {}).items():
                    put(values, path, value)
        for axis, value in point.items():
            put(values, axis, value)
        yield point, values


def _axis_groups(grid: Mapping[str, Any]) -> list[dict[str, object]]:
    zipped = [set(names) for names in grid.get("zip", [])]
    groups: list[dict[str, object]] = []
    for axis, written in grid["axes"].items():
        partners = next((names for names in zipped if axis in names), {axis})
        home = next((group for group in groups if partners & set(group)), None)
        if home is None:
            groups.append({axis: written})
        else:
            home[axis] = written
    return groups


def _group_values(
    group: Mapping[str, object], overrides: list[Mapping], point: Mapping[str, Any]
) -> list[dict[str, Any]]:
    columns = {}
    for axis, written in group.items():
        where = f"axes.{axis}"
        for index, override in enumerate(overrides):
            if axis in override.get("axes", {}) and matches(override["when"], point):
                written, where = override["axes"][axis], f"overrides.{index}.axes.{axis}"
        columns[axis] = axis_values(where, written, zipped=len(group) > 1)
    lengths = {axis: len(values) for axis, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise GridError("zip", lengths, "equally many values for axes that are zipped")
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if len({canonical(row) for row in rows}) < len(rows):
        raise GridError("zip", list(columns), "free of points that stand twice")
    return rows


def problems(grid: Mapping[str, Any]) -> Iterator[GridError]:
    """Everything about the axes' references that cannot work, before expansion."""
    axes = list(grid["axes"])
    zipped = {axis for names in grid.get("zip", []) for axis in names}
    yield from _axis_problems("axes", grid["axes"], zipped)
    yield from _size_problems(grid)
    for axis in grid.get("inner", []):
        if axis not in axes:
            yield GridError("inner", axis, f"an axis of this grid; known: {', '.join(axes)}")
    for index, names in enumerate(grid.get("zip", [])):
        for axis in names:
            if axis not in axes:
                yield GridError(f"zip.{index}", axis, f"an axis; known: {', '.join(axes)}")
    for index, override in enumerate(grid.get("overrides", [])):
        yield from _override_problems(f"overrides.{index}", override, _axis_groups(grid))
    for name in ("exclude", "only"):
        for index, condition in enumerate(grid.get(name, [])):
            for axis in condition:
                if axis not in axes:
                    yield GridError(f"{name}.{index}", axis, f"an axis; known: {', '.join(axes)}")
    for name, probe in grid.get("probes", {}).items():
        for axis in probe.get("where", {}):
            if axis not in axes:
                known = ", ".join(axes)
                yield GridError(f"probes.{name}.where", axis, f"an axis; known: {known}")


def _axis_problems(
    path: str, axes: Mapping[str, Any], zipped: Collection[str]
) -> Iterator[GridError]:
    for axis, written in axes.items():
        if not isinstance(axis, str) or not AXIS.fullmatch(axis) or len(axis) > 100:
            yield GridError(path, axis, "the dotted name of a value of a run")
            continue
        try:
            axis_values(f"{path}.{axis}", written, axis in zipped)
        except GridError as error:
            yield error


def _size_problems(grid: Mapping[str, Any]) -> Iterator[GridError]:
    """Whether the grid has more points than a plan can hold, by the most that it may have."""
    try:
        count = math.prod(
            max(
                len(axis_values(axis, written, len(group) > 1))
                for axis in group
                for written in (grid["axes"][axis], *_alternatives(grid, axis))
            )
            for group in _axis_groups(grid)
        )
    except GridError:
        return  # said already
    if count > MOST_POINTS:
        yield GridError("axes", count, f"at most {MOST_POINTS} points: cut it into several grids")
    if len(grid["axes"]) > 20:
        yield GridError("axes", len(grid["axes"]), "at most 20 axes")


def _alternatives(grid: Mapping[str, Any], axis: str) -> list[object]:
    overrides = [override.get("axes", {}) for override in grid.get("overrides", [])]
    return [axes[axis] for axes in overrides if axis in axes]


def _override_problems(
    path: str, override: Mapping, groups: list[dict[str, object]]
) -> Iterator[GridError]:
    place = {axis: index for index, group in enumerate(groups) for axis in group}
    axes = list(place)
    zipped = {axis for group in groups if len(group) > 1 for axis in group}
    yield from _axis_problems(f"{path}.axes", override.get("axes", {}), zipped)
    for axis in override.get("set", {}):
        if axis in axes:
            yield GridError(f"{path}.set", axis, "free to be set: it is an axis; use 'axes'")
    for axis in override["when"]:
        if axis not in axes:
            yield GridError(f"{path}.when", axis, f"an axis; known: {', '.join(axes)}")
    for axis in override.get("axes", {}):
        if axis not in axes:
            yield GridError(f"{path}.axes", axis, f"an axis; known: {', '.join(axes)}")
            continue
        late = [a for a in override["when"] if a in axes and place[a] >= place[axis]]
        if late:
            yield GridError(
                f"{path}.when", late[0], f"written before the axis {axis} that it decides"
            )


def runs(grid: Mapping[str, Any]) -> list[Run]:
    """All runs of a grid, in the order of its axes.

    Raises:
        GridError, SpecErrors: as said there; `path` names the key.
    """
    return [run(grid, point, values) for point, values in points(grid)]


def run(grid: Mapping[str, Any], point: Mapping[str, Any], values: Mapping[str, Any]) -> Run:
    """One run; it keeps its weights at the checkpoints of every probe that looks at it."""
    spec = complete.run_spec(values)
    steps = set(spec.checkpoints)
    for name, probe in grid.get("probes", {}).items():
        if matches(probe.get("where", {}), point):
            where = f"probes.{name}.checkpoints"
            steps |= set(checkpoints(probe["checkpoints"], spec.steps, where))
    return Run(point, replace(spec, checkpoints=tuple(sorted(steps))))


def checkpoints(written: object, last: int, path: str = "checkpoints") -> list[int]:
    """Steps of a probe schedule: a list, `{every: n}` or `{count: n}`, first and last included."""
    if isinstance(written, list):
        if beyond := [step for step in written if step > last]:
            raise SpecError(path, beyond, f"within the run's {last} steps")
        return written
    steps = last // written["every"] + 2 if "every" in written else written["count"]
    if steps > MOST_VALUES:
        raise SpecError(path, written, f"at most {MOST_VALUES} checkpoints")
    if "every" in written:
        return sorted({*range(0, last + 1, written["every"]), last})
    count = written["count"]
    return sorted({round(i * last / (count - 1)) for i in range(count)})


def cells(name: str, grid: Mapping[str, Any], all_runs: list[Run]) -> list[Cell]:
    """The runs grouped by all axes but the inner ones."""
    inner = grid.get("inner", ["lr", "seed"])
    grouped: dict[str, list[Run]] = {}
    outers: dict[str, dict] = {}
    for run in all_runs:
        outer = {axis: value for axis, value in run.point.items() if axis not in inner}
        text = canonical(outer)
        grouped.setdefault(text, []).append(run)
        outers.setdefault(text, outer)
    return [Cell(name, outers[text], tuple(members)) for text, members in grouped.items()]
