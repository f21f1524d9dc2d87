"""Runs at points of a grid, and values set by dotted paths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hypertransfer.runs.problem import ProblemError
from hypertransfer.runs.spec import RunSpec


@dataclass(frozen=True)
class Run:
    """A run at a point of a grid.

    Attributes:
        point: the values of the axes.
        spec: the spec at this point, with the checkpoints that probes ask for.
        written: the checkpoints of the spec that the config itself lists, without those of probes.
    """

    point: Mapping[str, Any]
    spec: RunSpec
    written: tuple[int, ...] = ()


def put(values: dict, path: str, value: object) -> None:
    """Set the value at a dotted path in nested values; a component's name becomes a mapping.

    Raises:
        ProblemError: a value along the path is neither a mapping nor a name.
    """
    *parents, last = path.split(".")
    for count, parent in enumerate(parents, 1):
        inner = values.get(parent, {})
        if not isinstance(inner, str | Mapping):
            text = f"a mapping, into which {path} could be set"
            raise ProblemError.at(tuple(parents[:count]), inner, text)
        values[parent] = {"name": inner} if isinstance(inner, str) else dict(inner)
        values = values[parent]
    values[last] = value


def put_all(values: dict, settings: Iterable[tuple[str, object]]) -> None:
    """Set the values at dotted paths; a component is set before its options, in whatever order.

    Raises:
        ProblemError: a value along a path is neither a mapping nor a name.
    """
    for path, value in sorted(settings, key=lambda setting: setting[0].count(".")):
        put(values, path, value)
