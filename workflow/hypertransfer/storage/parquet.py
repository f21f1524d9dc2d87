"""Parquet tables: written atomically, read with verified checksums, and joined.

Axes of a grid are columns named by their dotted config keys, such as `shape.width`.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from hypertransfer.runs.table_values import as_text, is_text_column
from hypertransfer.storage.atomic import replace_atomically, replacing

if TYPE_CHECKING:
    import pandas as pd  # jobs that write tables do without its import

WRITING = {"compression": "zstd", "write_page_checksum": True}  # checksums detect flipped bits


def to_bytes(table: pa.Table) -> bytes:
    """The table as a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **WRITING)
    return buffer.getvalue()


MOST_ROWS = 10**7  # a bound on memory, since equal rows compress to almost nothing


# Columns are not read ahead: the threads that do so, like those of a read with `use_threads`, may
# still hold a buffer of Python when a short process ends, and abort the process ("terminate called
# without an active exception", seen with pyarrow 22 and 26).
READING = {"page_checksum_verification": True, "pre_buffer": False}


def opened(source: Any, form: pa.Schema | None = None) -> pq.ParquetFile:
    """Open a Parquet file and check its schema, reading only the footer.

    Raises:
        pa.ArrowException: the source is not a Parquet file, has more than `MOST_ROWS` rows, or
            lacks a column of `form`.
    """
    file = pq.ParquetFile(source, **READING)
    if file.metadata.num_rows > MOST_ROWS:
        raise pa.ArrowInvalid(f"{file.metadata.num_rows} rows exceed the limit of {MOST_ROWS}")
    schema = file.schema_arrow
    for field in form or ():
        if schema.get_field_index(field.name) < 0 or schema.field(field.name).type != field.type:
            raise pa.ArrowInvalid(f"no column {field.name} of type {field.type}")
    return file


def from_bytes(content: bytes, form: pa.Schema | None = None) -> pa.Table:
    """The table in the bytes of a Parquet file, without the metadata of its schema.

    With `form`, only the columns of `form` are read.

    Raises:
        pa.ArrowException: see `opened`.
    """
    names = form.names if form else None
    table = opened(io.BytesIO(content), form).read(columns=names, use_threads=False)
    return table.replace_schema_metadata()


def read(path: Path | str, columns: Iterable[str] | None = None) -> pa.Table:
    """The table in a Parquet file, with all columns or those of `columns` that the file has."""
    with pq.ParquetFile(path, **READING) as file:
        names = None if columns is None else [c for c in columns if c in file.schema_arrow.names]
        return file.read(names, use_threads=False)


def frame(path: Path | str) -> pd.DataFrame:
    """A Parquet file as a data frame."""
    return read(path).to_pandas(use_threads=False, ignore_metadata=True)


def write(table: pa.Table, path: Path | str) -> None:
    """Write a Parquet file atomically."""
    replace_atomically(Path(path), to_bytes(table))


ROW_GROUP = 1 << 16  # rows


def write_stream(tables: Iterable[pa.Table], schema: pa.Schema, path: Path | str) -> None:
    """Write tables one after another to a Parquet file, with about one row group in memory.

    A column of the schema that a table lacks is null in the rows of that table.
    """
    with replacing(Path(path)) as file, pq.ParquetWriter(file, schema, **WRITING) as writer:
        for group in _groups(conform(table, schema) for table in tables):
            writer.write_table(group)


def _groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of at least `ROW_GROUP` rows, since small groups read slowly."""
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
    """The table with the columns of a schema; columns that the table lacks are null.

    Raises:
        pa.ArrowException: a column cannot be cast to the type in the schema.
    """
    columns = [
        table.column(field.name).cast(field.type)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def common_schema(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """The columns of all schemas in order of appearance.

    Where the types of a column differ, such as int64 and float64, the column has the type that
    holds the values of all.

    Raises:
        pa.ArrowException: no type holds all values of a column.
    """
    return pa.unify_schemas([s.remove_metadata() for s in schemas], promote_options="permissive")


def schema_of(path: Path | str) -> pa.Schema:
    """The columns of a Parquet file, read from its footer."""
    return pq.read_schema(path)


def columns(values: Mapping[str, list], schema: pa.Schema) -> pa.Table:
    """A table of the schema from lists of values by column name; NaN becomes null."""

    def null_if_nan(value: Any) -> Any:
        return None if isinstance(value, float) and math.isnan(value) else value

    arrays = {
        field.name: pa.array([null_if_nan(value) for value in values[field.name]], field.type)
        for field in schema
    }
    return pa.table(arrays, schema=schema)


def axis_column(values: list) -> pa.Array:
    """A column for the values of an axis: int64, float64, or text for all other values.

    None becomes null. A column of nulls alone has Arrow's null type, which can be joined with a
    column of any type.
    """
    present = [v for v in values if v is not None]
    if not present:
        return pa.nulls(len(values))
    if is_text_column(present):
        return pa.array(map(as_text, values), pa.string())
    if all(isinstance(v, int) for v in present):
        return pa.array(values, pa.int64())
    return pa.array([None if v is None else float(v) for v in values], pa.float64())


def points_table(grid: str, keys: Iterable[str], points: list[Mapping[str, Any]]) -> pa.Table:
    """The first columns of a table of runs: grid, key, and one column for each axis."""
    keys = list(keys)
    columns = {"grid": pa.array([grid] * len(keys)), "key": pa.array(keys)}
    for axis in points[0] if points else ():
        columns[axis] = axis_column([point[axis] for point in points])
    return pa.table(columns)
