"""Numbers of a scorecard as text, alike in reports and in the documentation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hypertransfer.analysis.estimate import singular
from hypertransfer.analysis.numerals import percent
from hypertransfer.claims.bars import P_VALUE, far_text, longer_texts, text_on_side
from hypertransfer.report.duration import duration


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

    A p value has no interval. An end that says little of a ratio is `> 100` (see `bars.far_text`).
    Where noise alone may explain what is observed, that stands behind its ends.
    """
    unit, bar = claim["unit"], _bar(claim)
    if unit == P_VALUE:
        return measured_text(claim)
    value = math.nan if _is_missing(claim["value"]) else claim["value"]
    low, high = (
        far_text(claim[name], value, unit, bar) or number_text(claim[name], unit, bar)
        for name in ("low", "high")
    )
    text, observed = measured_text(claim), claim.get("observed")  # old records have none
    seen = text if _is_missing(observed) else number_text(observed, unit, bar)
    also = "" if seen == text else f"; the observed {seen} may be noise"
    return f"{text} ({low} … {high}{also})"


def units_text(claim: Mapping[str, Any]) -> str:
    """What the interval of a row of the table of claims is over, such as `8 seeds`."""
    return counted(int(claim["units"]), claim["over"])


def counted(number: int, nouns: str) -> str:
    """A number with its noun, given in the plural, such as `8 seeds` or `1 search`."""
    return f"{number} {singular(nouns) if number == 1 else nouns}"


def certainty_text(claim: Mapping[str, Any]) -> str:
    """The p value of a verdict, Holm's in brackets, and the power, of a row of the table of claims.

    Such as `p 0.004 (0.02), power 83 %`; empty if none is known.
    """
    p, corrected, power = (claim[name] for name in ("p_value", "p_holm", "power"))
    parts = []
    if not _is_missing(p):
        parts.append(f"p {p:.2g}" + ("" if _is_missing(corrected) else f" ({corrected:.2g})"))
    if not _is_missing(power):
        parts.append(f"power {percent(power)}")
    return ", ".join(parts)


def needed_text(claim: Mapping[str, Any]) -> str:
    """What would decide an undecided claim, such as `14 seeds, 3 min more`; empty if not known."""
    units, minutes = claim["units_needed"], claim["minutes_needed"]
    if _is_missing(units):
        return ""
    more = "" if _is_missing(minutes) else f", {duration(60 * minutes)} more"
    return f"{units:.0f} {claim['over']}{more}"


def _is_missing(value: float | None) -> bool:
    return value is None or math.isnan(value)


def _bar(claim: Mapping[str, Any]) -> dict[str, float]:
    """The ends of the bar that a row of the table of claims has."""
    ends = {"min": claim["bar_min"], "max": claim["bar_max"]}
    return {name: end for name, end in ends.items() if end is not None and not math.isnan(end)}
