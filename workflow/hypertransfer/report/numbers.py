"""Numbers of a scorecard as text, alike in reports and in the documentation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def number_text(value: float | None, unit: str) -> str:
    """A measured number: losses with three decimals, others with two; `open` if not finite.

    Other numbers below 0.01 are shown with one significant digit.
    """
    if value is None or not math.isfinite(value):
        return "open"
    if unit == "loss":
        return f"{value:.3f}"
    return f"{value:.2f}" if abs(value) >= 0.01 or not value else f"{value:.1g}"


def value_text(claim: Mapping[str, Any]) -> str:
    """A claim's value with its interval; an end that the runs leave open is `open`."""
    unit = claim["unit"]
    value, low, high = (number_text(claim[name], unit) for name in ("value", "low", "high"))
    return f"{value} ({low} … {high})"
