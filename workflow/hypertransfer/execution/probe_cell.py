"""Probing through the run store: what is missing is measured on the weights that runs kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors

from hypertransfer.catalogue import lookup
from hypertransfer.execution.errors import AGAIN, StalePlan
from hypertransfer.execution.provenance import provenance
from hypertransfer.execution.train_cell import (
    CHECKPOINTS,
    SAVE_SECONDS,
    Checkpoints,
    Made,
    Work,
    listed,
    log,
    parquet_of_entry,
    train_run,
)
from hypertransfer.planning import keys
from hypertransfer.probes import checkpoint
from hypertransfer.storage import parquet, schemas
from hypertransfer.storage.produce import produce
from hypertransfer.storage.run_store import DamagedEntry, Entry, Store
from hypertransfer.training import build
from hypertransfer.training.interruption import Asked
from hypertransfer.training.state import by_step

PROBE = "probe.parquet"


@dataclass(frozen=True)
class ProbeWork:
    """A probe with complete settings on a run."""

    key: str
    settings: Mapping[str, Any]
    run: Work


def measure_cell(
    grid: str, probe: str, work: Sequence[ProbeWork], store: Store, device_name: str
) -> pa.Table:
    """One row a checkpoint of each run; missing ones are made. Axes stand in the runs' table."""
    device = build.device(device_name)

    def make(key: str, item: ProbeWork) -> Made:
        log.info("probing %s: %s", key, dict(item.run.point))
        return _measure(item, store, device)

    def read(entry: Entry, item: ProbeWork) -> pa.Table:
        return parquet_of_entry(entry, PROBE, schemas.probe_schema(item.settings["probe"]))

    found = produce(store, "probes", {w.key: w for w in work}, make, read, log.warning)
    tables = []
    for item in work:
        rows = found[item.key]
        place = parquet.points_table(grid, [item.run.key] * rows.num_rows, [])
        place = place.append_column("probe", pa.array([probe] * rows.num_rows, pa.string()))
        for field in rows.schema:
            place = place.append_column(field, rows.column(field.name))
        tables.append(place)
    return pa.concat_tables(tables, promote_options="permissive")


def _measure(item: ProbeWork, store: Store, device: torch.device) -> Made:
    spec = item.run.spec
    weights = _weights(item.run, store, device)
    schema = schemas.probe_schema(item.settings["probe"])
    rows = checkpoint.measure(spec, lookup.table(spec), weights, item.settings, device, log)
    record = {
        "run": item.run.key,
        "settings": dict(item.settings),
        "context": keys.probe_context(item.settings),
        "provenance": provenance(device),
        "seconds": math.fsum(rows["seconds"]),
    }
    return record, {PROBE: parquet.to_bytes(parquet.columns(rows, schema))}


def _weights(run: Work, store: Store, device: torch.device) -> Checkpoints:
    """The weights that training left in the store; a run that is gone or damaged is made again."""

    def make(key: str, item: Work) -> Made:
        return train_run(item, device, store, SAVE_SECONDS, Asked())

    def read(entry: Entry, item: Work) -> Checkpoints:
        return _checkpoints(entry)

    return produce(store, "runs", {run.key: run}, make, read, log.warning)[run.key]


def _checkpoints(entry: Entry) -> Checkpoints:
    """The weights of a run at its checkpoints, by step; empty if it diverged before the first.

    Raises:
        DamagedEntry: they are not what was written.
    """
    if CHECKPOINTS not in entry.files:
        return {}
    try:
        return by_step(load_tensors(entry.read(CHECKPOINTS)))
    except (SafetensorError, ValueError) as error:
        text = f"{entry.key}: {CHECKPOINTS} is not as it was written: {error}"
        raise DamagedEntry(text) from error


def listed_probes(parts: Mapping[str, Any]) -> list[ProbeWork]:
    """The probes of a planned job.

    Raises:
        StalePlan: a probe has another key by now.
    """
    rows = zip(parts["probe_keys"], parts["settings"], listed(parts), strict=True)
    work = [ProbeWork(*row) for row in rows]
    contexts = keys.Contexts()
    for item in work:
        if contexts.probe_key(item.run.key, item.settings) != item.key:
            raise StalePlan(f"the code of probe {item.key} changed after planning: {AGAIN}")
    return work
