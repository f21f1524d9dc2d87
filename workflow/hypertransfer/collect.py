"""Cells to tables: one row a run, one a recorded step, one a probed checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute

from hypertransfer import records

PREFIX = "history."


def collect(cells: Iterable[str], probes: Iterable[str]) -> dict[str, pa.Table]:
    """The tables `runs`, `history` and `probes` of a study, from the files of its shards.

    Grids may have different axes: an axis that a grid does not have is null in its rows.
    """
    tables = [records.read(path) for path in cells]
    runs = _stack([table.select(_plain_columns(table)) for table in tables])
    return {
        "runs": runs,
        "history": _stack([_history(table) for table in tables]),
        "probes": _probes([records.read(path) for path in probes]),
    }


def _stack(tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables, promote_options="permissive")


def _plain_columns(table: pa.Table) -> list[str]:
    return [name for name in table.column_names if not name.startswith(PREFIX)]


def _history(table: pa.Table) -> pa.Table:
    """One row a recorded step: the list columns unrolled beside the run's key."""
    lists = {name: table.column(PREFIX + name) for name in records.HISTORY.names}
    lengths = pa.compute.list_value_length(lists["step"]).to_pylist()
    owner = pa.array([r for r, length in enumerate(lengths) for _ in range(length)], pa.int64())
    columns = {"grid": table.column("grid").take(owner), "key": table.column("key").take(owner)}
    flat = {name: pa.compute.list_flatten(column) for name, column in lists.items()}
    return pa.table({**columns, **flat})


def _probes(tables: list[pa.Table]) -> pa.Table:
    if tables:
        return _stack(tables)
    empty = [("grid", pa.string()), ("key", pa.string()), ("probe", pa.string())]
    return pa.schema([*empty, *records.PROBE]).empty_table()


def frames(paths: Iterable[str] | Mapping[str, str]) -> dict[str, pd.DataFrame]:
    """The collected tables as data frames, by their names."""
    return {Path(path).stem: records.frame(path) for path in paths}


def verdict_table(verdicts: pd.DataFrame) -> pa.Table:
    """The scorecard's rows with types that do not depend on the verdicts."""
    texts = ("study", "claim", "sentence", "source", "paper_value", "bar", "verdict",
             "confidence", "scale", "edition", "reason", "unit")  # fmt: skip
    schema = pa.schema([(n, pa.string() if n in texts else pa.float64()) for n in verdicts.columns])
    return pa.Table.from_pandas(verdicts, schema=schema, preserve_index=False)


def scorecard(paths: Iterable[str]) -> pa.Table:
    """The verdicts of all studies under one another."""
    return _stack([records.read(path) for path in paths])
