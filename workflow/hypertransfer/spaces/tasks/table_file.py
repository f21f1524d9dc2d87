"""Tables in CSV and Parquet files: values as they are written, and nothing guessed.

A CSV file holds texts. A column in which every value is a number is read as numbers, an empty cell
there as missing; every other column stays text, so that `None`, `NA` and `true` are what they say.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from hypertransfer.spaces.tasks.tables import TableError
from hypertransfer.storage import parquet

SUFFIXES = (".csv", ".parquet", ".pq")
NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_PADDED = re.compile(r"[-+]?0[0-9]")  # of names such as 007


def frame(path: Path) -> pd.DataFrame:
    """The rows of a CSV or Parquet file, with values as objects of Python.

    Raises:
        TableError: the file's suffix is not known, or the file cannot be read.
    """
    if path.suffix not in SUFFIXES:
        raise TableError(f"{path}: give a file that ends with {', '.join(SUFFIXES)}")
    try:
        return _from_csv(path) if path.suffix == ".csv" else _from_parquet(path)
    except (OSError, ValueError, csv.Error, pa.ArrowException) as error:
        if isinstance(error, TableError):
            raise
        raise TableError(f"{path}: cannot be read: {error}") from error


def number(value: Any) -> float | None:
    """A value as a number, if it is a number or the text of one; None for every other value."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value.strip()
        return float(text) if NUMBER.fullmatch(text) else None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _from_parquet(path: Path) -> pd.DataFrame:
    table = parquet.read(path)
    _check_names(path, table.column_names)
    columns = zip(table.column_names, table.columns, strict=True)
    return pd.DataFrame({name: pd.Series(c.to_pylist(), dtype=object) for name, c in columns})


def _from_csv(path: Path) -> pd.DataFrame:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        header = next(reader, [])
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
    return pd.DataFrame({name: pd.Series(_typed(c), dtype=object) for name, c in columns})


def _check_names(path: Path, names: Sequence[str]) -> None:
    if doubles := [name for name, count in Counter(names).items() if count > 1]:
        raise TableError(f"{path}: the column {doubles[0]!r} stands twice")


def _typed(texts: Sequence[str]) -> list[Any]:
    """The values of a CSV file's column: numbers if all are numbers, else texts as written."""
    filled = [text.strip() for text in texts if text.strip()]
    if not filled or not all(NUMBER.fullmatch(t) and not _PADDED.match(t) for t in filled):
        return list(texts)
    return [_number(text.strip()) for text in texts]


def _number(text: str) -> float | None:
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        return float(text)
