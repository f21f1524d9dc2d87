"""The rows of a table of past evaluations that the conditions of its description select."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hypertransfer.runs import conditions
from hypertransfer.spaces.tasks import table_file
from hypertransfer.spaces.tasks.tables import TableError


def selected(
    table: pd.DataFrame, about: Mapping[str, Any], columns: Sequence[str], file: str
) -> pd.DataFrame:
    """The rows that `where` selects.

    Raises:
        TableError: a column is missing, values cannot be compared, or no row is selected.
    """
    where = about.get("where", {})
    if table.empty:
        raise TableError(f"{file}: has no rows, only the names of columns")
    wanted = [*columns, *where, *([about["group"]] if "group" in about else [])]
    if absent := [name for name in wanted if name not in table]:
        known = ", ".join(map(repr, table))
        text = f"no column {', '.join(map(repr, absent))}; the columns are {known}"
        raise TableError(f"{file}: {text}")
    kept = pd.Series(True, index=table.index)
    for name, condition in where.items():
        parts = condition if isinstance(condition, list | tuple) else [condition]
        met = [pd.Series(_met(table[name], part, name, file), index=table.index) for part in parts]
        for part, rows in zip(parts, met, strict=True):
            if not rows.any():
                known = ", ".join(list(dict.fromkeys(map(repr, table[name])))[:30])
                wanted = "null (an empty cell)" if part is None else repr(part)
                raise TableError(
                    f"{file}: no row is selected by where: {name}: {wanted}; its values are {known}"
                )
        kept &= pd.concat(met, axis=1).any(axis=1) if met else False
    if not kept.any():
        raise TableError(f"{file}: no row is selected by where: {dict(where)!r}")
    return table[kept]


def _met(values: pd.Series, wanted: Any, name: str, file: str) -> list[bool]:
    """Whether each value of a column is as wanted."""
    try:
        return [_is_value(value, wanted) for value in values]
    except TypeError as error:  # numeric bounds for a column of text
        text = f"where: {name}: {wanted!r} cannot be compared: {error}"
        raise TableError(f"{file}: {text}") from error


def _is_value(value: Any, wanted: Any) -> bool:
    """Whether a value of a table is the value that a description names.

    The text of a CSV file is a truth value in lower case or with a capital, as Python writes it,
    and a number if it is that of one, but not if it is padded, as 007 is.
    """
    if isinstance(wanted, bool) and isinstance(value, str):
        return value.lower() == str(wanted).lower()
    if wanted is None or (conditions.is_bounds(wanted) and value in (None, "")):
        return wanted is None and (value is None or value == "" or value != value)
    if isinstance(value, str) and _is_numeric(wanted):
        (value,) = table_file.typed([value])
    value = _in_double_precision(value, wanted)
    # A list is the value itself here, and no list of alternatives.
    listed = [wanted] if isinstance(wanted, list | tuple) else wanted
    return conditions.matches({"": listed}, {"": value})


def _in_double_precision(value: Any, wanted: Any) -> Any:
    """The number of a condition that a value of a column of single precision stands for."""
    if not isinstance(value, float):
        return value
    numbers = (number for number in _numbers(wanted) if isinstance(number, float))
    with np.errstate(over="ignore"):
        return next((number for number in numbers if np.float32(number) == value), value)


def _is_numeric(wanted: Any) -> bool:
    """Whether a condition is a number or numeric bounds."""
    return any(isinstance(value, int | float) for value in _numbers(wanted))


def _numbers(wanted: Any) -> list[Any]:
    """The ends of bounds, or the value of another condition."""
    return list(wanted.values()) if conditions.is_bounds(wanted) else [wanted]
