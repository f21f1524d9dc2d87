"""Numbers of configs."""

from __future__ import annotations

import sys


def is_finite_number(value: object) -> bool:
    """Whether a value is a number within the range of floating-point numbers; booleans are not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max  # exact for whole numbers of any length; false for NaN
