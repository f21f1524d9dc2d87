"""Bars of claims: whether a value meets one, bars as text, and numbers on their side of a bar."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

TOLERANCE = 1e-9  # a value meets a bar that it misses by rounding
P_VALUE = "p"  # unit of the p value of a test, which is written before the number
TIMES = "×"  # begins the unit of a ratio, whose interval is one of its logarithm
FAR = 100.0  # times its value, beyond which an end of the interval of a ratio has no digits
MOST_DIGITS = 17  # decimals or significant digits; more add nothing to a float


def bar_text(bar: Mapping[str, float], unit: str = "") -> str:
    """A bar in words: `≤ 1 octave`, `≥ 2 octaves`, `0.5 to 2 octaves`, `p ≤ 0.05`."""
    if len(bar) == 2:
        text = f"{bar['min']:.12g} to {bar['max']:.12g}"
    else:
        text = f"≤ {bar['max']:.12g}" if "max" in bar else f"≥ {bar['min']:.12g}"
        unit = unit.replace("octaves", "octave") if 1 in bar.values() else unit
    return f"{unit} {text}" if unit == P_VALUE else f"{text} {unit}".strip()


def ends_violated(value: float, bar: Mapping[str, float]) -> tuple[bool, bool]:
    """Whether a value is below the bar, and whether it is above, by more than rounding."""
    least, most = bar.get("min", -math.inf), bar.get("max", math.inf)
    return value < least - TOLERANCE, value > most + TOLERANCE


def meets(value: float, bar: Mapping[str, float]) -> bool:
    """Whether a value meets a bar, up to rounding; nan meets none."""
    return not math.isnan(value) and not any(ends_violated(value, bar))


def far_text(end: float, value: float, unit: str, bar: Mapping[str, float]) -> str:
    """An end of the interval of a ratio that is a hundred times off its value: `> 100`, `< 0.02`.

    The logarithm of such a ratio is hardly bounded, and its end is far beyond all runs, where its
    digits are those of the tails of Student's t. Empty for other ends, and for one that is
    beyond a bar that the bound is not.
    """
    if not (unit.startswith(TIMES) and value > 0 and math.isfinite(end) and end != value):
        return ""
    above = end > value
    bound = FAR * value if above else value / FAR
    text = f"{math.floor(bound)}" if bound >= 1 else f"{bound:.1g}"
    far = end > bound and end > float(text) if above else end < bound and end < float(text)
    sides = {ends_violated(other, bar) for other in (float(text), math.inf if above else 0.0)}
    return f"{'>' if above else '<'} {text}" if far and len(sides) == 1 else ""


def longer_texts(value: float, digits: int, form: str = "g") -> Iterator[str]:
    """Texts of a number with at least so many digits, shortest first.

    Digits are significant ones in the form `g`, and decimals in the form `f`.
    """
    return (f"{value:.{count}{form}}" for count in range(digits, MOST_DIGITS + 1))


def text_on_side(value: float, bar: Mapping[str, float], texts: Iterable[str]) -> str:
    """The first text whose number is below, within or above the bar as the value is.

    `texts` are decimal forms of the value, shortest first. If none is on the value's side, the
    result is the shortest text from which the value can be read back.
    """
    violated = ends_violated(value, bar)
    for text in texts:
        if ends_violated(float(text), bar) == violated:
            return text
    return repr(float(value))
