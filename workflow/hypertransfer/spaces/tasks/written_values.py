"""What a value of a table stands for: a number, a choice, or the value that a condition names.

Planning asks this of values that tables will hold, so this module imports neither numpy nor pandas.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from typing import Any

from hypertransfer.runs import conditions
from hypertransfer.runs.numbers import is_number
from hypertransfer.spaces.dimensions import NEAR, Dimension

NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_PADDED = re.compile(r"[-+]?0[0-9]")  # of names such as 007


def number(value: Any) -> float | None:
    """A value as a number, if it is a number or the text of one; None for every other value.

    The text of a number that is too large for a float, such as 1e400, is no number.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value.strip()
        return float(text) if _is_number(text) else None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def typed(texts: Sequence[str]) -> list[Any]:
    """The values of a CSV file's column: numbers if all are numbers, else texts as written."""
    return [_number(text.strip()) for text in texts] if are_numbers(texts) else list(texts)


def are_numbers(texts: Sequence[str]) -> bool:
    """Whether every text that is not empty is a number, and none is padded, as 007 is."""
    filled = [text.strip() for text in texts if text.strip()]
    return bool(filled) and all(_is_number(t) and not _PADDED.match(t) for t in filled)


def _is_number(text: str) -> bool:
    """Whether a text is that of a number that a float can hold."""
    return bool(NUMBER.fullmatch(text)) and math.isfinite(float(text))


def _number(text: str) -> float | None:
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        return float(text)


def numbers_if_all(values: Sequence[Any]) -> list[Any]:
    """The values of a column, with texts as numbers if every value is the text of a number."""
    texts = [value for value in values if isinstance(value, str)]
    return typed(texts) if len(texts) == len(values) else list(values)


def value_in(dimension: Dimension, written: Any) -> Any:
    """The number or the choice of a dimension that a value stands for; None if it is neither."""
    return number(written) if dimension.numeric else _choice(written, dimension.choices)


def _choice(value: Any, choices: Sequence[Any]) -> Any:
    """The choice that a value is; None if it is none of them."""
    for choice in choices:
        if type(choice) is type(value) and choice == value:
            return choice
    if isinstance(value, str):
        for choice in choices:
            if isinstance(choice, bool) and value.lower() == str(choice).lower():
                return choice
    if (found := number(value)) is None:
        return None
    numbers = [choice for choice in choices if is_number(choice)]
    nearest = min(numbers, key=lambda choice: abs(choice - found), default=math.nan)
    return nearest if math.isclose(found, nearest, rel_tol=NEAR) else None


def is_value(value: Any, wanted: Any) -> bool:
    """Whether a value of a table is the value that a description names.

    The text of a CSV file is a truth value in lower case or with a capital, as Python writes it,
    and a number if it is that of one, but not if it is padded, as 007 is.
    """
    if isinstance(wanted, bool) and isinstance(value, str):
        return value.lower() == str(wanted).lower()
    if wanted is None or (conditions.is_bounds(wanted) and value in (None, "")):
        return wanted is None and (value is None or value == "" or value != value)
    if isinstance(value, str) and _is_numeric(wanted):
        text = value.strip()
        value = float(text) if NUMBER.fullmatch(text) and not _PADDED.match(text) else value
    value = _in_double_precision(value, wanted)
    # A list is the value itself here, and no list of alternatives.
    listed = [wanted] if isinstance(wanted, list | tuple) else wanted
    return conditions.matches({"": listed}, {"": value})


def _in_double_precision(value: Any, wanted: Any) -> Any:
    """The number of a condition that a value of a column of single precision stands for."""
    if not isinstance(value, float):
        return value
    numbers = (number for number in _numbers(wanted) if isinstance(number, float))
    return next((number for number in numbers if _in_single_precision(number) == value), value)


def _in_single_precision(number: float) -> float:
    try:
        return struct.unpack("f", struct.pack("f", number))[0]
    except OverflowError:
        return math.copysign(math.inf, number)


def _is_numeric(wanted: Any) -> bool:
    """Whether a condition is a number or numeric bounds."""
    return any(isinstance(value, int | float) for value in _numbers(wanted))


def _numbers(wanted: Any) -> list[Any]:
    """The ends of bounds, or the value of another condition."""
    return list(wanted.values()) if conditions.is_bounds(wanted) else [wanted]
