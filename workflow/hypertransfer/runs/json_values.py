"""Values as JSON can hold them, which knows neither infinite numbers nor NaN."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

OPEN = {"open": math.inf, "-open": -math.inf}  # texts of ends that are open
_TEXTS = {value: text for text, value in OPEN.items()}


def json_values(values: Any) -> Any:
    """Nested values with `"open"` or `"-open"` for infinite numbers, and null for NaN."""
    if isinstance(values, Mapping):
        return {name: json_values(value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return [json_values(value) for value in values]
    if not isinstance(values, float):
        return values
    return None if math.isnan(values) else _TEXTS.get(values, values)
