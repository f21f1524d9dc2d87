"""The rows of a table of past evaluations that the conditions of its description select."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from hypertransfer.spaces.tasks.tables import TableError
from hypertransfer.spaces.tasks.written_values import is_value


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
        return [is_value(value, wanted) for value in values]
    except TypeError as error:  # numeric bounds for a column of text
        text = f"where: {name}: {wanted!r} cannot be compared: {error}"
        raise TableError(f"{file}: {text}") from error
