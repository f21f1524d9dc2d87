"""Markdown text for the documentation: tables, code spans and generated pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from hypertransfer.analysis.numerals import minus_signs

NOTICE = (
    "<!-- Written by workflow/scripts/write_docs.py. "
    "Edit the source that the page names, not this file. -->"
)
# A number or fraction, or ½, b or β as a word of its own.
_EXPONENT = re.compile(r"\^([-−]?)(\d*\.?\d+(?:/\d+)?|½|[bβ](?!\w))")


def cell(text: object) -> str:
    """Text for one cell of a table: on one line, with every `|` escaped."""
    return " ".join(str(text).split()).replace("|", "\\|")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; an empty string if there are no rows."""
    lines = ["| " + " | ".join(map(cell, row)) + " |" for row in rows]
    if not lines:
        return ""
    rule = "|" + "---|" * len(head)
    return "\n".join(["| " + " | ".join(head) + " |", rule, *lines])


def code(value: object) -> str:
    """A value as a code span; an empty string for None."""
    return "" if value is None else f"`{value}`"


def ratio(symbol: str) -> str:
    """The ratio of target to base, m with an index, such as m_N of the width."""
    return f"m<sub>{symbol}</sub>"


def typeset(power: object) -> str:
    """Text with powers of ratios, such as m_N^-0.5·m_L, set with indices and exponents."""
    indices = partial(re.sub, r"\bm_([A-Z])", lambda match: ratio(match[1]))
    text = superscripts(_outside_code(str(power), indices))
    return re.sub(r">(−?)0\.5</sup>", r">\g<1>1/2</sup>", text)


def superscripts(text: str) -> str:
    """Text with exponents that are a number, ½, b or β, such as t^-0.5, set as superscripts."""
    return _outside_code(text, partial(_EXPONENT.sub, _superscript))


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    """The text, changed outside its code spans."""
    parts = re.split(r"(`[^`]*`)", text)  # code spans have odd places
    parts[::2] = map(change, parts[::2])
    return "".join(parts)


def _superscript(exponent: re.Match[str]) -> str:
    return f"<sup>{'−' if exponent[1] else ''}{exponent[2]}</sup>"


def joined(values: Iterable[object]) -> str:
    """The distinct values in their order as texts, or `unknown`."""
    return ", ".join(sorted({str(value) for value in values})) or "unknown"


def numerals(text: str) -> str:
    """Text with minus signs for hyphens before numbers, and with 3e-07 as 3·10⁻⁷."""
    powers = partial(
        re.sub, r"(\d)e([-+]\d+)", lambda match: f"{match[1]}·10<sup>{int(match[2])}</sup>"
    )
    return _outside_code(text, lambda part: minus_signs(powers(part)))


def page(title: str, *parts: str) -> str:
    """A generated page: the notice, the title, and the parts that are not empty."""
    return "\n\n".join([NOTICE, f"# {title}", *(part for part in parts if part)]) + "\n"
