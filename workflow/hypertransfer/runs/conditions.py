"""Conditions on named values, as written in configs: `{lr: [0.5, 1], shape.width: {min: 64}}`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hypertransfer.runs.canonical import canonical

BOUNDS = ("min", "max")
# Values within this relative distance of a bound are on it: generated values have 12 digits, and
# a bound may have been computed.
TOLERANCE = 1e-9


_SCALARS = (str, int, float, bool)


def is_bounds(wanted: object) -> bool:
    """Whether the condition on a value is an interval `{min: …, max: …}`."""
    return isinstance(wanted, Mapping) and bool(wanted) and set(wanted) <= set(BOUNDS)


def matches(condition: Mapping[str, Any], point: Mapping[str, Any]) -> bool:
    """Whether the point satisfies the condition on each value that the condition names.

    The condition on a value is a value, a list of allowed values, or inclusive bounds
    `{min: …, max: …}`. Numbers within a relative `TOLERANCE` of a bound are on it.

    Raises:
        KeyError: the point lacks a name of the condition.
    """
    return all(_wanted(wanted, point[name]) for name, wanted in condition.items())


def _wanted(wanted: object, value: object) -> bool:
    if type(wanted) is type(value) and type(wanted) in _SCALARS:
        return wanted == value
    if is_bounds(wanted):
        low, high = wanted.get("min"), wanted.get("max")
        return (low is None or value >= low or _close(value, low)) and (
            high is None or value <= high or _close(value, high)
        )
    if isinstance(wanted, list | tuple):
        return any(_same(one, value) for one in wanted)
    return _same(wanted, value)


def _close(value: object, bound: object) -> bool:
    """Whether a value is on a bound; whole numbers, such as large seeds, are compared exactly."""
    if isinstance(value, int) and isinstance(bound, int):
        return False
    numbers = isinstance(value, int | float) and isinstance(bound, int | float)
    return numbers and math.isclose(value, bound, rel_tol=TOLERANCE)


def _same(one: object, other: object) -> bool:
    if one is None:  # a table of numbers holds nan for null
        return other is None or other != other
    if isinstance(other, str) and isinstance(one, bool | list | Mapping):
        return canonical(one) == other  # tables hold such values as canonical text
    # 1 and True are equal in Python and different in a config.
    return one == other and isinstance(one, bool) == isinstance(other, bool)
