"""Runs in their places on a grid, and values set by dotted paths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypertransfer.runs.problem import ProblemError
from hypertransfer.runs.spec import RunSpec


@dataclass(frozen=True)
class Run:
    """A run in its place on the grid: the values of the axes, and the spec they make."""

    point: Mapping[str, Any]
    spec: RunSpec


def put(values: dict, path: str, value: object) -> None:
    """Set a dotted path in nested values; a component written as a name becomes a mapping.

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
