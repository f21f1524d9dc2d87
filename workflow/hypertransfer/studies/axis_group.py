"""The values of an axis of a grid, or of axes that are zipped, with those of overrides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hypertransfer.runs.conditions import matches
from hypertransfer.runs.problem import ProblemError
from hypertransfer.studies.axes import Path, axis_values, equality_text

if TYPE_CHECKING:
    from hypertransfer.studies.grid import Override


class AxisGroup:
    """An axis, or axes that are zipped, whose values are computed once for all points."""

    def __init__(self, group: Mapping[str, object], overrides: Sequence[Override]) -> None:
        self._group = group
        self._overrides = [
            (index, override)
            for index, override in enumerate(overrides)
            if not override.axes.keys().isdisjoint(group)
        ]
        self._known: dict[tuple[int, ...], list[dict[str, Any]]] = {}

    def rows(self, point: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The values of the axes beside a point of the earlier axes, one mapping for each.

        Raises:
            ProblemError: the values of an axis, or of axes that are zipped, cannot be used.
        """
        apply = [(i, override) for i, override in self._overrides if matches(override.when, point)]
        place = tuple(index for index, _ in apply)
        if place not in self._known:
            self._known[place] = _group_values(self._group, apply)
        return self._known[place]


def _group_values(
    group: Mapping[str, object], overrides: Sequence[tuple[int, Override]]
) -> list[dict[str, Any]]:
    """The values of axes that are zipped, or of one axis, with the overrides that apply."""
    columns = {}
    for axis, written in group.items():
        path: Path = ("axes", axis)
        for index, override in overrides:
            if axis in override.axes:
                written, path = override.axes[axis], ("overrides", str(index), "axes", axis)
        columns[axis] = axis_values(path, written, zipped=len(group) > 1)
    lengths = {axis: len(values) for axis, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ProblemError.at(("zip",), lengths, "equally many values for axes that are zipped")
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    # `axis_values` has compared the values of an axis that is not zipped.
    if len(group) > 1 and len({equality_text(row) for row in rows}) < len(rows):
        raise ProblemError.at(("zip",), list(columns), "free of points that occur twice")
    return rows
