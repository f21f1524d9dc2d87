"""The runs that a round or a look has allocated to a job, and the tables of jobs without runs.

The module does not import torch, and its functions do not make pyarrow import pandas, so that a job
without runs ends at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from hypertransfer.storage import parquet, schemas
from hypertransfer.storage.collect import PLACE, PREFIX, PROBES


def allocated(parts: Mapping[str, Any], allocation: str) -> dict[str, Any]:
    """The parts of a planned training job with only the runs that an allocation lists for it."""
    # By grid, since a look lists runs of several grids, which may have runs in common.
    listed = json.loads(Path(allocation).read_text(encoding="utf-8"))["grids"]
    return _chosen(parts, listed.get(parts["grid"], []), ["runs"])


def trained(parts: Mapping[str, Any], tables: Iterable[str]) -> dict[str, Any]:
    """The parts of a planned probe job with only the runs in the tables of training jobs."""
    keys = [key for path in tables for key in parquet.read(path, ["key"])["key"].to_pylist()]
    return _chosen(parts, keys, ["runs", "settings", "probe_keys"])


def _chosen(
    parts: Mapping[str, Any], keys: Sequence[str], columns: Sequence[str]
) -> dict[str, Any]:
    """The parts with the entries of `columns` for those of the keys that are the job's piece.

    Runs are dealt in turn to the jobs of a cell, which thus have like amounts of work.
    """
    listed = frozenset(keys)
    piece, pieces = parts["piece"]
    places = [place for place, run in enumerate(parts["runs"]) if run["key"] in listed]
    own = places[piece::pieces]
    return {**parts, **{name: [parts[name][place] for place in own] for name in columns}}


def no_runs() -> pa.Table:
    """The table of a training job without runs."""
    lists = [pa.field(PREFIX + field.name, pa.list_(field.type)) for field in schemas.HISTORY]
    return pa.Table.from_batches([], pa.schema([*PLACE, *schemas.SUMMARY, *lists]))


def no_probes() -> pa.Table:
    """The table of a probe job without runs."""
    return pa.Table.from_batches([], PROBES)
