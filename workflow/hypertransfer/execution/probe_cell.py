"""Measure the probes of a cell that the run store lacks, on the weights that runs have kept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import torch

from hypertransfer.execution import second_training, stored_weights, torch_compiler
from hypertransfer.execution.errors import AGAIN, StalePlan, noted
from hypertransfer.execution.provenance import provenance
from hypertransfer.execution.stored_weights import CHECKPOINTS, Checkpoints, Made, Readers
from hypertransfer.execution.train_cell import (
    SAVE_SECONDS,
    CellRun,
    log,
    parquet_of_entry,
    runs_of_job,
    trained_entry,
)
from hypertransfer.planning import keys
from hypertransfer.probes import checkpoint
from hypertransfer.probes.checkpoint import Columns
from hypertransfer.storage import parquet, schemas
from hypertransfer.storage.produce import produce
from hypertransfer.storage.run_store import DamagedEntry, Entry, Store
from hypertransfer.training import build, imports
from hypertransfer.training.interruption import signals

PROBE = "probe.parquet"


@dataclass(frozen=True)
class CellProbe:
    """A probe of a run, with its key and its complete settings."""

    key: str
    settings: Mapping[str, Any]
    run: CellRun


def measure_cell(
    grid: str, probe: str, work: Sequence[CellProbe], store: Store, device_name: str
) -> pa.Table:
    """Measure missing probes; returns a table with one row for each checkpoint of each run.

    The axes of the grid are in the table of the runs, and not in this table.

    Args:
        grid: name of the grid.
        probe: name of the probe in the grid.
        work: the probes of the job.
        store: the run store.
        device_name: name of the device.

    Raises:
        NotReproduced: a run was trained again for its weights, and its losses differ.
    """
    device = build.device(device_name)

    def make(key: str, item: CellProbe) -> Made:
        log.info("probing %s: %s", key, dict(item.run.point))
        with noted(f"The probe that failed is {probe} of {grid}: {dict(item.run.point)}"):
            return _measure(item, store, device)

    def read(entry: Entry, item: CellProbe) -> pa.Table:
        return parquet_of_entry(entry, PROBE, schemas.probe_schema(item.settings["probe"]))

    found = produce(store, "probes", {w.key: w for w in work}, make, read, log.warning)
    remove_read_weights(work, store)
    return table_of(grid, probe, work, found)


def remove_read_weights(work: Sequence[CellProbe], store: Store) -> None:
    """Remove weights of the probed runs that no probe will read any more."""
    for item in work:
        stored_weights.remove_if_read(item.run.key, item.run.readers, store)


def table_of(
    grid: str, probe: str, work: Sequence[CellProbe], found: Mapping[str, pa.Table]
) -> pa.Table:
    """The table of a job from the rows of each probe, by key."""
    tables = []
    for item in work:
        rows = found[item.key]
        place = parquet.points_table(grid, [item.run.key] * rows.num_rows, [])
        place = place.append_column("probe", pa.array([probe] * rows.num_rows, pa.string()))
        for field in rows.schema:
            place = place.append_column(field, rows.column(field.name))
        tables.append(place)
    return pa.concat_tables(tables, promote_options="permissive")


def _measure(item: CellProbe, store: Store, device: torch.device) -> Made:
    spec = item.run.spec
    torch_compiler.leave_out(spec)
    weights, difference = weights_of(item, store, device)
    rows = checkpoint.measure(spec, imports.table(spec), weights, item.settings, device, log)
    return entry_of_probe(item, rows, device, difference)


def entry_of_probe(item: CellProbe, rows: Columns, device: torch.device, difference: float) -> Made:
    """The record and the files of a measured probe, for its entry in the store.

    `difference` is that of the training that gave the weights from the run in the store.
    """
    schema = schemas.probe_schema(item.settings["probe"])
    record = {
        "run": item.run.key,
        "settings": dict(item.settings),
        "context": keys.probe_context(item.settings),
        "provenance": provenance(device),
        "seconds": math.fsum(rows["seconds"]),
    }
    if difference:  # of the training that gave these weights from the run in the store
        record["difference"] = difference
    return record, {PROBE: parquet.to_bytes(parquet.columns(rows, schema))}


def weights_of(
    probe: CellProbe, store: Store, device: torch.device, written: bool = True
) -> tuple[Checkpoints, float]:
    """The weights of a run by step, at the steps of the probe that the run reached.

    A run is trained again if it is missing or damaged, or if the store lacks its weights at some of
    the steps. In the latter case, only the lacking weights are added to the store, or nothing where
    `written` is false. Also returned is how far that training differs from the run (see
    `_further_weights`).
    """
    run, asked = probe.run, probe.settings["checkpoints"]

    def make(key: str, run: CellRun) -> Made:
        with signals() as request:
            return trained_entry(run, device, store, SAVE_SECONDS, request)

    def read(entry: Entry, run: CellRun) -> tuple[Checkpoints, list[int], Entry]:
        return stored_weights.read(entry), _lacking(asked, entry), entry

    kept, steps, entry = produce(store, "runs", {run.key: run}, make, read, log.warning)[run.key]
    if not steps:
        return kept, 0.0
    further, difference = _further_weights(run, steps, entry, store, device, written)
    return {**kept, **further}, difference


def _lacking(steps: Iterable[int], entry: Entry) -> list[int]:
    """The steps that the run of an entry reached, and at which it did not keep its weights.

    Raises:
        DamagedEntry: the record of the entry does not describe a run.
    """
    try:
        return keys.lacking_weights(steps, entry.record)
    except (KeyError, TypeError) as error:
        raise DamagedEntry(f"{entry.key}: its record does not describe a run: {error!r}") from error


def _further_weights(
    run: CellRun,
    steps: Sequence[int],
    entry: Entry,
    store: Store,
    device: torch.device,
    written: bool,
) -> tuple[Checkpoints, float]:
    """Weights by step that a finished run did not keep in its entry, from entries of their own.

    If an entry is missing, a second training makes the weights that this probe and all others lack,
    or those of this probe alone where they are not `written`. Also returned is how far the second
    training differs (see `second_training.weights`); 0 if it is equal or there was none.

    Raises:
        NotReproduced: the history of the second training differs from the first.
    """
    trained: Checkpoints = {}
    difference = 0.0

    def make(key: str, step: int) -> Made:
        nonlocal difference
        if not trained:
            weights, difference = second_training.weights(run, all_steps, entry, store, device)
            trained.update(weights)
        about = {"provenance": provenance(device), "difference": difference}
        return stored_weights.made(run.key, step, trained[step], about)

    def read(entry: Entry, step: int) -> tuple[dict[str, torch.Tensor], float]:
        weights = stored_weights.read(entry)
        if step not in weights:
            raise DamagedEntry(f"{entry.key}: {CHECKPOINTS} has no weights at step {step}")
        return weights[step], _difference(entry)

    # One process trains for all steps; other processes that need some of the steps wait here.
    with store.locked("runs", run.key, wait=True):
        all_steps = list(steps)
        if not all(store.has("weights", keys.weights_key(run.key, step)) for step in steps):
            if not written:
                return second_training.weights(run, steps, entry, store, device)
            unread = stored_weights.steps_to_write(run.readers, store)
            all_steps = _lacking({*steps, *run.spec.checkpoints, *unread}, entry)
        wanted = {keys.weights_key(run.key, step): step for step in all_steps}
        found = produce(store, "weights", wanted, make, read, log.warning)
    own = {step: found[key] for key, step in wanted.items() if step in steps}
    weights = {step: tensors for step, (tensors, _) in own.items()}
    return weights, max(difference for _, difference in own.values())


def _difference(entry: Entry) -> float:
    """How far the training of weights differs from that of their run.

    Raises:
        DamagedEntry: the record has no such number.
    """
    value = entry.record.get("difference", 0.0)
    if not isinstance(value, int | float):
        raise DamagedEntry(f"{entry.key}: its record does not describe weights")
    return float(value)


def probes_of_job(
    parts: Mapping[str, Any],
    keep: Mapping[str, Sequence[int]],
    passing: Mapping[str, Readers],
) -> list[CellProbe]:
    """The probes of a planned job.

    Args:
        parts: the parts of the job.
        keep: the steps at which each run keeps its weights, by run key.
        passing: the probes that read weights with entries of their own, by run key.

    Raises:
        StalePlan: the key of a run or of a probe changed after planning.
    """
    runs = runs_of_job(parts, keep, passing)
    rows = zip(parts["probe_keys"], parts["settings"], runs, strict=True)
    probes = [CellProbe(*row) for row in rows]
    runs = [(probe.run.key, probe.run.spec) for probe in probes]
    contexts = keys.Contexts(parts.get("device", keys.ANY_DEVICE))
    now = contexts.probe_keys(runs, [probe.settings for probe in probes])
    for probe, key in zip(probes, now, strict=True):
        if key != probe.key:
            text = f"the code or packages of probe {probe.key} changed after planning"
            raise StalePlan(f"{text}: {AGAIN}")
    return probes
