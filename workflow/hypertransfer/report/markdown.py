"""Markdown text for the documentation: tables, code spans and generated pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

NOTICE = (
    "<!-- Written by workflow/scripts/write_docs.py. "
    "Edit the source that the page names, not this file. -->"
)


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
    """A product of powers of ratios, such as m_N^-0.5·m_L, with indices and exponents."""
    text = superscripts(re.sub(r"m_(\w)", lambda match: ratio(match[1]), str(power)))
    return text.replace("0.5</sup>", "1/2</sup>")


def superscripts(text: str) -> str:
    """Text with exponents that are a number, ½, b or β, such as t^-0.5, set as superscripts."""
    text = re.sub(r"\^([-−]?(?:[\d.]*\d|[½bβ]))", r"<sup>\1</sup>", text)
    return text.replace("<sup>-", "<sup>−")


def page(title: str, *parts: str) -> str:
    """A generated page: the notice, the title, and the parts that are not empty."""
    return "\n\n".join([NOTICE, f"# {title}", *(part for part in parts if part)]) + "\n"
