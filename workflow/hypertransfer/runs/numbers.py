"""Numbers of configs."""

from __future__ import annotations

import math
import re
import sys
from numbers import Real

_POWER = re.compile(r"2\^(-?\d+(?:\.\d+)?)")


def is_number(value: object) -> bool:
    """Whether a value is a number, of Python or of numpy; true and false are none."""
    return isinstance(value, int | float | Real) and not isinstance(value, bool)


def is_finite_number(value: object) -> bool:
    """Whether a value is a number within the range of floating-point numbers; booleans are not."""
    if not is_number(value):
        return False
    return abs(value) <= sys.float_info.max  # exact for whole numbers of any length; false for NaN


def power_of_two(text: str) -> int | float | None:
    """The number that is written as a power of two, such as 2^-3; None for other texts.

    The number is an int if the exponent is written as a whole number from 0 on, and infinite beyond
    the range of floats, as in configs.
    """
    found = _POWER.fullmatch(text)
    if found is None:
        return None
    try:
        value = 2.0 ** float(found[1])
    except OverflowError:
        return math.inf
    return int(value) if found[1].isdecimal() else value
