"""Bars of claims as text, and numbers as text on their side of a bar."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

TOLERANCE = 1e-9  # a value meets a bar that it misses by rounding
P_VALUE = "p"  # unit of the p value of a test, which is written before the number
_NUMBER = r"(-?\d+(?:\.\d+)?(?:e[-+]?\d+)?)"
_BAR = re.compile(rf"(?:{P_VALUE} )?(?:{_NUMBER} to {_NUMBER}|([≤≥]) {_NUMBER})(?!\S)")


def bar_text(bar: Mapping[str, float], unit: str = "") -> str:
    """A bar in words: `≤ 1 octave`, `≥ 2 octaves`, `0.5 to 2 octaves`, `p ≤ 0.05`."""
    if len(bar) == 2:
        text = f"{bar['min']:.12g} to {bar['max']:.12g}"
    else:
        text = f"≤ {bar['max']:.12g}" if "max" in bar else f"≥ {bar['min']:.12g}"
        unit = unit.replace("octaves", "octave") if 1 in bar.values() else unit
    return f"{unit} {text}" if unit == P_VALUE else f"{text} {unit}".strip()


def parse_bar(text: str) -> dict[str, float]:
    """The bar that a text of `bar_text` says; empty if the text is not of this form.

    The unit of a p value may also be behind the bar.
    """
    if not (found := _BAR.match(text)):
        return {}
    low, high, sign, only = found.groups()
    if sign:
        return {"max" if sign == "≤" else "min": float(only)}
    return {"min": float(low), "max": float(high)}


def text_on_side(value: float, bar: Mapping[str, float], texts: Iterable[str]) -> str:
    """The first text whose number meets the ends of the bar that the value meets, and no other.

    `texts` are decimal forms of the value, shortest first. If none is on the value's side, the
    result is the shortest text from which the value can be read back.
    """
    least, most = bar.get("min", -math.inf), bar.get("max", math.inf)
    met = (least - TOLERANCE <= value, value <= most + TOLERANCE)
    for text in texts:
        if (least <= float(text), float(text) <= most) == met:
            return text
    return repr(value)
