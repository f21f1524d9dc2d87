"""Numbers as text, alike in figures, reports and pages."""

from __future__ import annotations

import re

_HYPHEN = re.compile(r"(?<![\w.])-(?=\d|inf\b)")


def minus_signs(text: str) -> str:
    """Text with minus signs for the hyphens before numbers, as matplotlib writes them on axes.

    Hyphens of words, as in `Depth-µP` and `t-test`, stay.
    """
    return _HYPHEN.sub("−", text)


def percent(share: float) -> str:
    """A share in whole per cent, such as 95 %."""
    return f"{100 * share:.0f} %"
