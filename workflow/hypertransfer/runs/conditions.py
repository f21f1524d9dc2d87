"""Conditions on named values, as written in configs: `{lr: [0.5, 1], shape.width: {min: 64}}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypertransfer.runs.canonical import canonical

BOUNDS = ("min", "max")


def is_bounds(wanted: object) -> bool:
    """Whether a wanted value is an interval `{min: …, max: …}`."""
    return isinstance(wanted, Mapping) and bool(wanted) and set(wanted) <= set(BOUNDS)


def matches(condition: Mapping[str, Any], point: Mapping[str, Any]) -> bool:
    """Whether every named value of the point is as wanted.

    A wanted value is one value, a list of values, or bounds `{min: …, max: …}` (inclusive).

    Raises:
        KeyError: the condition names something that the point does not have.
    """
    return all(_wanted(wanted, point[name]) for name, wanted in condition.items())


def _wanted(wanted: object, value: object) -> bool:
    if is_bounds(wanted):
        low, high = wanted.get("min"), wanted.get("max")
        return (low is None or value >= low) and (high is None or value <= high)
    if isinstance(wanted, list | tuple):
        return any(_same(one, value) for one in wanted)
    return _same(wanted, value)


def _same(one: object, other: object) -> bool:
    if isinstance(other, str) and isinstance(one, bool | list | Mapping):
        return canonical(one) == other  # tables hold what is neither number nor text as text
    # 1 and True are equal in Python and different in a config.
    return one == other and isinstance(one, bool) == isinstance(other, bool)
