"""Tables in CSV and Parquet files: values as they are written, and nothing guessed.

A CSV file holds texts. A column in which every value is a number is read as numbers, an empty cell
there as missing; every other column stays text, so that `None`, `NA` and `true` are what they say.
Columns of names stay text even if they look like numbers: 2020.1 and 2020.10 are two names.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from hypertransfer.spaces.tasks.tables import TableError
from hypertransfer.spaces.tasks.written_values import are_numbers, typed
from hypertransfer.storage import parquet

SUFFIXES = (".csv", ".parquet", ".pq")
_SEPARATORS = {";": "';'", "\t": "tabs", "|": "'|'"}  # that other tools write between values
_PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")


def frame(
    path: Path,
    is_name: Callable[[str], bool] = lambda _: False,
    lists: Collection[str] | None = None,
) -> pd.DataFrame:
    """The rows of a CSV or Parquet file, with values as objects of Python.

    `is_name` tells of a column whether its values are names, which stay text in a CSV file. Of the
    columns of lists and mappings in a Parquet file, such as histories, those in `lists` are read,
    and all if it is None.

    Raises:
        TableError: the file's suffix is not known, or the file cannot be read.
    """
    check_suffix(path)
    try:
        if path.suffix.lower() == ".csv":
            return _from_csv(path, is_name)
        return _from_parquet(path, lists)
    except UnicodeDecodeError as error:
        text = "cannot be read, since it is not in UTF-8: save it as CSV in UTF-8"
        raise TableError(f"{path}: {text}") from error
    except (OSError, ValueError, csv.Error, pa.ArrowException) as error:
        if isinstance(error, TableError):
            raise
        raise TableError(f"{path}: cannot be read: {error}") from error


def check_suffix(path: Path) -> None:
    """Check that a file's name ends as those of tables do.

    Raises:
        TableError: the file's suffix is not known.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        unpack = "unpack the file, and " if suffix in _PACKED else ""
        raise TableError(f"{path}: {unpack}give a file that ends with {', '.join(SUFFIXES)}")


def is_empty(value: Any) -> bool:
    """Whether a value is missing, as pandas writes NaN to Parquet, or is a text of blanks."""
    return value is None or value is pd.NA or (isinstance(value, str) and not value.strip())


def _from_parquet(path: Path, lists: Collection[str] | None) -> pd.DataFrame:
    table = parquet.read(path)
    _check_names(path, table.column_names)
    columns = [
        (name, column)
        for name, column in zip(table.column_names, table.columns, strict=True)
        if lists is None or name in lists or not pa.types.is_nested(column.type)
    ]
    return pd.DataFrame({name: pd.Series(c.to_pylist(), dtype=object) for name, c in columns})


def _from_csv(path: Path, is_name: Callable[[str], bool]) -> pd.DataFrame:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        header = [name.strip() for name in next(reader, [])]
        _check_separator(path, header)
        _check_names(path, header)
        rows = []
        for row in filter(None, reader):
            if len(row) != len(header):
                text = f"{len(row)} values for {len(header)} columns"
                raise TableError(f"{path}: line {reader.line_num}: {text}")
            rows.append(row)
    if not header:
        raise TableError(f"{path}: is empty: the first line names the columns")
    columns = zip(header, zip(*rows, strict=True) if rows else [()] * len(header), strict=True)
    read = {name: _written(c) if is_name(name) else typed(c) for name, c in columns}
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in read.items()})


def _check_separator(path: Path, header: Sequence[str]) -> None:
    if len(header) != 1:
        return
    for separator, words in _SEPARATORS.items():
        if separator in header[0]:
            raise TableError(
                f"{path}: line 1 has no comma, and {words} between its names: write commas between "
                "names and between values, and points in decimal numbers (0.1, not 0,1)"
            )


def _check_names(path: Path, names: Sequence[str]) -> None:
    if doubles := [name for name, count in Counter(names).items() if count > 1]:
        raise TableError(f"{path}: the column {doubles[0]!r} stands twice")


def _written(texts: Sequence[str]) -> list[str]:
    """The texts of a column of names; blanks around numbers are no part of a name."""
    return [text.strip() for text in texts] if are_numbers(texts) else list(texts)
