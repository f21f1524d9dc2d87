"""Numbers of a scorecard as text, alike in reports and in the documentation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from hypertransfer.claims.bars import P_VALUE, text_on_side

MOST_DIGITS = 17  # decimals or significant digits; more add nothing to a float


def number_text(value: float | None, unit: str, bar: Mapping[str, float] | None = None) -> str:
    """A measured number: losses with three decimals, others with two; `open` if not finite.

    Other numbers below 0.01 are shown with one significant digit. A number has more digits where
    the rounded number would be on another side of the bar.
    """
    if value is None or not math.isfinite(value):
        return "open"
    return text_on_side(value, bar or {}, _texts(value, unit))


def _texts(value: float, unit: str) -> Iterator[str]:
    """Ever longer texts of a number."""
    if unit == "loss":
        first, form = 3, "f"
    else:
        first, form = (2, "f") if abs(value) >= 0.01 or not value else (1, "g")
    yield from (f"{value:.{digits}{form}}" for digits in range(first, MOST_DIGITS + 1))


def measured_text(claim: Mapping[str, Any]) -> str:
    """The value of a claim, a row of the table of claims."""
    return number_text(claim["value"], claim["unit"], _bar(claim))


def value_text(claim: Mapping[str, Any]) -> str:
    """The value of a claim with its interval; an end that the runs leave open is `open`.

    A p value has no interval.
    """
    unit, bar = claim["unit"], _bar(claim)
    low, high = (number_text(claim[name], unit, bar) for name in ("low", "high"))
    return measured_text(claim) + ("" if unit == P_VALUE else f" ({low} … {high})")


def _bar(claim: Mapping[str, Any]) -> dict[str, float]:
    """The ends of the bar that a row of the table of claims has."""
    ends = {"min": claim["bar_min"], "max": claim["bar_max"]}
    return {name: end for name, end in ends.items() if end is not None and not math.isnan(end)}
