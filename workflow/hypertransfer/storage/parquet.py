"""Parquet tables written whole, read with their checksums, and joined.

Axes of a grid become columns with their dotted config names, such as `shape.width`.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hypertransfer.runs.canonical import canonical
from hypertransfer.storage.atomic import replace_atomically, replacing

WRITING = {"compression": "zstd", "write_page_checksum": True}  # a flipped bit is found in reading


def to_bytes(table: pa.Table) -> bytes:
    """The table as a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **WRITING)
    return buffer.getvalue()


MOST_ROWS = 10**7  # a small file can claim, and unpack to, any number of them


def opened(source: Any, form: pa.Schema | None = None) -> pq.ParquetFile:
    """A Parquet file of which only the head was read, and found to be of the form.

    Raises:
        pa.ArrowException: it is no Parquet file, or of another form.
    """
    file = pq.ParquetFile(source, page_checksum_verification=True)
    if file.metadata.num_rows > MOST_ROWS:
        raise pa.ArrowInvalid(f"{file.metadata.num_rows} rows, more than {MOST_ROWS}")
    found = file.schema_arrow
    for field in form or ():
        if found.get_field_index(field.name) < 0 or found.field(field.name).type != field.type:
            raise pa.ArrowInvalid(f"no column {field.name} of type {field.type}")
    return file


def from_bytes(content: bytes, form: pa.Schema | None = None) -> pa.Table:
    """A table from the bytes of a Parquet file: the form's columns, or all; no other metadata.

    Raises:
        pa.ArrowException: it is no Parquet file, or not of the form.
    """
    names = form.names if form else None
    table = opened(io.BytesIO(content), form).read(columns=names, use_threads=False)
    return table.replace_schema_metadata()


def read(path: Path | str, columns: Iterable[str] | None = None) -> pa.Table:
    """A table from a Parquet file: all its columns, or those of the names that it has.

    Reading is single-threaded: reader threads that are still starting when a short process
    ends abort it ("terminate called without an active exception", seen with pyarrow 22 and 26).
    """
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        names = None if columns is None else [c for c in columns if c in file.schema_arrow.names]
        return file.read(names, use_threads=False)


def frame(path: Path | str) -> pd.DataFrame:
    """A Parquet file as a data frame."""
    return read(path).to_pandas(use_threads=False, ignore_metadata=True)


def write(table: pa.Table, path: Path | str) -> None:
    """Put a Parquet file in place, whole."""
    replace_atomically(Path(path), to_bytes(table))


ROW_GROUP = 1 << 16


def write_stream(tables: Iterable[pa.Table], schema: pa.Schema, path: Path | str) -> None:
    """Put a Parquet file in place, of tables under one another, holding few of them at a time.

    Columns that a table does not have are null in its rows.
    """
    with replacing(Path(path)) as file, pq.ParquetWriter(file, schema, **WRITING) as out:
        for group in _groups(conform(table, schema) for table in tables):
            out.write_table(group)


def _groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of about `ROW_GROUP` rows: small row groups read slowly."""
    held: list[pa.Table] = []
    rows = 0
    for table in tables:
        held.append(table)
        rows += table.num_rows
        if rows >= ROW_GROUP:
            yield pa.concat_tables(held)
            held, rows = [], 0
    if held:
        yield pa.concat_tables(held)


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with the schema's columns in its order, nulls where it has none."""
    columns = [
        table.column(f.name).cast(f.type) if f.name in table.column_names
        else pa.nulls(table.num_rows, f.type)
        for f in schema
    ]  # fmt: skip
    return pa.table(columns, schema=schema)


def common_schema(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """The columns of all schemas in order of appearance, each of the type that holds them all."""
    return pa.unify_schemas([s.remove_metadata() for s in schemas], promote_options="permissive")


def schema_of(path: Path | str) -> pa.Schema:
    """The columns of a Parquet file, read from its footer."""
    return pq.read_schema(path)


def columns(values: Mapping[str, list], schema: pa.Schema) -> pa.Table:
    """A table of the schema from columns of plain values, NaN becoming null."""

    def tidy(value: Any) -> Any:
        return None if isinstance(value, float) and math.isnan(value) else value

    return pa.table(
        {f.name: pa.array([tidy(v) for v in values[f.name]], f.type) for f in schema}, schema=schema
    )


def axis_column(values: list) -> pa.Array:
    """A column for the values of an axis: integers and numbers as such, the rest as text.

    None is null, and a column of nothing else has no type, so that it stacks with any.
    """
    given = [v for v in values if v is not None]
    if not given:
        return pa.nulls(len(values))
    if all(isinstance(v, int) and not isinstance(v, bool) for v in given):
        return pa.array(values, pa.int64())
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in given):
        return pa.array([None if v is None else float(v) for v in values], pa.float64())
    texts = [v if isinstance(v, str | None) else canonical(v) for v in values]
    return pa.array(texts, pa.string())


def points_table(grid: str, keys: Iterable[str], points: list[Mapping[str, Any]]) -> pa.Table:
    """The leading columns of a runs table: grid, key, and one column for each named value."""
    keys = list(keys)
    out = {"grid": pa.array([grid] * len(keys)), "key": pa.array(keys)}
    for axis in points[0] if points else ():
        out[axis] = axis_column([point[axis] for point in points])
    return pa.table(out)
