"""Numbers of a scorecard as text, alike in reports and in the documentation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hypertransfer.claims.bars import P_VALUE, longer_texts, text_on_side


def number_text(value: float | None, unit: str, bar: Mapping[str, float] | None = None) -> str:
    """A measured number: losses with three decimals, others with two; `open` if not finite.

    Other numbers below 0.01 are shown with one significant digit. A number has more digits where
    the rounded number would be on another side of the bar.
    """
    if value is None or not math.isfinite(value):
        return "open"
    if unit == "loss":
        texts = longer_texts(value, 3, "f")
    elif abs(value) >= 0.01 or not value:
        texts = longer_texts(value, 2, "f")
    else:
        texts = longer_texts(value, 1)
    return text_on_side(value, bar or {}, texts)


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
