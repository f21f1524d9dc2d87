"""Joins the tables of cells into the tables of a study: `runs`, `history` and `probes`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute

from hypertransfer.analysis.tables import COLLECTED
from hypertransfer.catalogue.cards import probes as cards_probes
from hypertransfer.runs.scorecard import COLUMNS
from hypertransfer.storage import parquet, schemas

if TYPE_CHECKING:
    import pandas as pd

PREFIX = "history."  # begins the names of the list columns in the table of a cell
PLACE = pa.schema([("grid", pa.string()), ("key", pa.string())])
HISTORY = pa.schema([*PLACE, *schemas.HISTORY])
PROBES = pa.schema([*PLACE, ("probe", pa.string()), *schemas.probe_schema(*cards_probes.PROBES)])


def collect(cells: Sequence[str], probes: Sequence[str], tables: Mapping[str, str]) -> None:
    """Write the tables of a study from the files of its shards.

    `runs` has one row for each run, `history` one for each recorded step of a run, and `probes`
    one for each probed checkpoint. Memory does not grow with the number of files, which are read
    one after another. A column of `runs` for an axis is null in the rows of grids without it.

    Args:
        cells: files of training shards.
        probes: files of probe shards.
        tables: the path of each table by its name.
    """
    runs = parquet.common_schema(_without_history(parquet.schema_of(path)) for path in cells)
    without_history = (parquet.read(path, runs.names) for path in cells)
    parquet.write_stream(without_history, runs, tables["runs"])
    parquet.write_stream(map(_history, cells), HISTORY, tables["history"])
    parquet.write_stream(map(parquet.read, probes), PROBES, tables["probes"])


def joined(cells: Sequence[str], probes: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The tables that `collect` writes, as data frames."""
    with TemporaryDirectory() as folder:
        tables = {name: str(Path(folder, f"{name}.parquet")) for name in COLLECTED}
        collect(cells, probes, tables)
        return frames(tables.values())


def _without_history(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field for field in schema if not field.name.startswith(PREFIX)])


def _history(path: str) -> pa.Table:
    """The history of a cell, with one row for each recorded step instead of lists."""
    table = parquet.read(path, [*PLACE.names, *(PREFIX + name for name in schemas.HISTORY.names)])
    lists = {name: table.column(PREFIX + name) for name in schemas.HISTORY.names}
    lengths = pa.compute.list_value_length(lists["step"]).to_pylist()
    owner = pa.array([r for r, length in enumerate(lengths) for _ in range(length)], pa.int64())
    columns = {"grid": table.column("grid").take(owner), "key": table.column("key").take(owner)}
    flat = {name: pa.compute.list_flatten(column) for name, column in lists.items()}
    return pa.table({**columns, **flat})


def frames(paths: Iterable[str] | Mapping[str, str]) -> dict[str, pd.DataFrame]:
    """Collected tables as data frames, named by the stems of their files."""
    return {Path(path).stem: parquet.frame(path) for path in paths}


def verdict_table(verdicts: pd.DataFrame) -> pa.Table:
    """Verdicts as a table whose column types are the same for every study."""
    schema = schemas.schema({name: COLUMNS[name] for name in verdicts.columns})
    return pa.Table.from_pandas(verdicts, schema=schema, preserve_index=False)


def scorecard(paths: Iterable[str]) -> pa.Table:
    """The verdicts of all studies in one table."""
    return pa.concat_tables(map(parquet.read, paths))
