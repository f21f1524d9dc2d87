"""Numbers of configs."""

from __future__ import annotations

import sys
from numbers import Real


def is_number(value: object) -> bool:
    """Whether a value is a number, of Python or of numpy; true and false are none."""
    return isinstance(value, int | float | Real) and not isinstance(value, bool)


def is_finite_number(value: object) -> bool:
    """Whether a value is a number within the range of floating-point numbers; booleans are not."""
    if not is_number(value):
        return False
    return abs(value) <= sys.float_info.max  # exact for whole numbers of any length; false for NaN
