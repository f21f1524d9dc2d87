"""Values of axes as the columns of tables hold them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypertransfer.runs.canonical import canonical
from hypertransfer.runs.numbers import is_number

MOST_DIGITS = 1e15  # below which whole numbers are named by all their digits


def is_text_column(values: Iterable[Any]) -> bool:
    """Whether the column of these values holds texts: a value is neither a number nor null."""
    return any(value is not None and not is_number(value) for value in values)


def as_text(value: Any) -> str | None:
    """A value in a column of texts: texts and null as they are, others as canonical text."""
    return value if isinstance(value, str | None) else canonical(value)


def in_table(value: Any) -> Any:
    """A value of an axis whose other values are of its kind, as a table holds it."""
    return value if is_number(value) else as_text(value)


def name_of(value: Any) -> str:
    """The name of an arm in measures, and of a panel in figures: numbers in short form."""
    found = in_table(value)
    if not is_number(found):
        return str(found)
    whole = abs(found) < MOST_DIGITS and found == int(found)
    return str(int(found)) if whole else f"{found:g}"
