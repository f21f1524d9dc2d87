"""Cells to tables: one row a run, one a recorded step, one a probed checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute

from hypertransfer.catalogue.cards import probes as cards_probes
from hypertransfer.storage import parquet, schemas

PREFIX = "history."


PLACE = pa.schema([("grid", pa.string()), ("key", pa.string())])
HISTORY = pa.schema([*PLACE, *schemas.HISTORY])
PROBES = pa.schema([*PLACE, ("probe", pa.string()), *schemas.probe_schema(*cards_probes.PROBES)])


def collect(cells: Sequence[str], probes: Sequence[str], tables: Mapping[str, str]) -> None:
    """Write the tables `runs`, `history` and `probes` of a study from the files of its shards.

    `tables` says where each is to lie. Files are streamed through: what is held in memory does
    not grow with their number. Grids may have different axes: an axis that a grid does not have
    is null in its rows.
    """
    runs = parquet.common_schema(_plain(parquet.schema_of(path)) for path in cells)
    plain = (parquet.read(path, runs.names) for path in cells)
    parquet.write_stream(plain, runs, tables["runs"])
    parquet.write_stream(map(_history, cells), HISTORY, tables["history"])
    parquet.write_stream(map(parquet.read, probes), PROBES, tables["probes"])


def _plain(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field for field in schema if not field.name.startswith(PREFIX)])


def _history(path: str) -> pa.Table:
    """One row a recorded step of a cell: the list columns unrolled beside the run's key."""
    table = parquet.read(path, [*PLACE.names, *(PREFIX + name for name in schemas.HISTORY.names)])
    lists = {name: table.column(PREFIX + name) for name in schemas.HISTORY.names}
    lengths = pa.compute.list_value_length(lists["step"]).to_pylist()
    owner = pa.array([r for r, length in enumerate(lengths) for _ in range(length)], pa.int64())
    columns = {"grid": table.column("grid").take(owner), "key": table.column("key").take(owner)}
    flat = {name: pa.compute.list_flatten(column) for name, column in lists.items()}
    return pa.table({**columns, **flat})


def frames(paths: Iterable[str] | Mapping[str, str]) -> dict[str, pd.DataFrame]:
    """The collected tables as data frames, by their names."""
    return {Path(path).stem: parquet.frame(path) for path in paths}


def verdict_table(verdicts: pd.DataFrame) -> pa.Table:
    """The scorecard's rows with types that do not depend on the verdicts."""
    texts = ("study", "claim", "sentence", "source", "paper_value", "bar", "verdict",
             "confidence", "scale", "edition", "reason", "unit")  # fmt: skip
    schema = pa.schema([(n, pa.string() if n in texts else pa.float64()) for n in verdicts.columns])
    return pa.Table.from_pandas(verdicts, schema=schema, preserve_index=False)


def scorecard(paths: Iterable[str]) -> pa.Table:
    """The verdicts of all studies under one another."""
    return pa.concat_tables(map(parquet.read, paths))
