"""Measure the probes of a cell that the run store lacks, on the weights that runs have kept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from hypertransfer.execution import torch_compiler
from hypertransfer.execution.errors import AGAIN, NotReproduced, StalePlan, noted
from hypertransfer.execution.provenance import provenance
from hypertransfer.execution.train_cell import (
    CHECKPOINTS,
    HISTORY,
    SAVE_SECONDS,
    CellRun,
    Checkpoints,
    Made,
    entry_of,
    history_table,
    log,
    parquet_of_entry,
    runs_of_job,
    train_run,
)
from hypertransfer.planning import keys
from hypertransfer.probes import checkpoint
from hypertransfer.probes.checkpoint import Columns
from hypertransfer.storage import parquet, schemas
from hypertransfer.storage.produce import produce
from hypertransfer.storage.run_store import DamagedEntry, Entry, Store
from hypertransfer.training import build
from hypertransfer.training.interruption import signals
from hypertransfer.training.state import by_step, joined

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
    return table_of(grid, probe, work, found)


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
    weights = weights_of(item, store, device)
    rows = checkpoint.measure(spec, build.table(spec), weights, item.settings, device, log)
    return entry_of_probe(item, rows, device)


def entry_of_probe(item: CellProbe, rows: Columns, device: torch.device) -> Made:
    """The record and the files of a measured probe, for its entry in the store."""
    schema = schemas.probe_schema(item.settings["probe"])
    record = {
        "run": item.run.key,
        "settings": dict(item.settings),
        "context": keys.probe_context(item.settings),
        "provenance": provenance(device),
        "seconds": math.fsum(rows["seconds"]),
    }
    return record, {PROBE: parquet.to_bytes(parquet.columns(rows, schema))}


def weights_of(probe: CellProbe, store: Store, device: torch.device) -> Checkpoints:
    """The weights of a run by step, at the steps of the probe that the run reached.

    A run is trained again if it is missing or damaged, or if it did not keep its weights at some of
    the steps. In the latter case, only the lacking weights are added to the store.
    """
    run, asked = probe.run, probe.settings["checkpoints"]

    def make(key: str, run: CellRun) -> Made:
        with signals() as request:
            result = train_run(run, device, store, SAVE_SECONDS, request)
        return entry_of(run, result, device)

    def read(entry: Entry, run: CellRun) -> tuple[Checkpoints, list[int], Entry]:
        steps = {*run.spec.checkpoints, *asked} if _lacking(asked, entry) else ()
        return _checkpoints(entry), _lacking(steps, entry), entry

    kept, steps, entry = produce(store, "runs", {run.key: run}, make, read, log.warning)[run.key]
    return {**kept, **(_further_weights(run, steps, entry, store, device) if steps else {})}


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
    run: CellRun, steps: Sequence[int], entry: Entry, store: Store, device: torch.device
) -> Checkpoints:
    """Weights by step that a finished run did not keep, from the store or a second training.

    Raises:
        NotReproduced: the history of the second training differs from the first.
    """
    trained: Checkpoints = {}

    def make(key: str, step: int) -> Made:
        if not trained:
            trained.update(_trained_again(run, steps, entry, store, device))
        record = {"run": run.key, "step": step, "provenance": provenance(device)}
        return record, {CHECKPOINTS: save_tensors(joined({step: trained[step]}))}

    def read(entry: Entry, step: int) -> dict[str, torch.Tensor]:
        weights = _checkpoints(entry)
        if step not in weights:
            raise DamagedEntry(f"{entry.key}: {CHECKPOINTS} has no weights at step {step}")
        return weights[step]

    wanted = {keys.weights_key(run.key, step): step for step in steps}
    # One process trains for all steps; other processes that need some of the steps wait here.
    with store.locked("runs", run.key, wait=True):
        found = produce(store, "weights", wanted, make, read, log.warning)
    return {step: found[key] for key, step in wanted.items()}


def _trained_again(
    run: CellRun, steps: Sequence[int], entry: Entry, store: Store, device: torch.device
) -> Checkpoints:
    log.info("training %s again for its weights at steps %s", run.key, list(steps))
    wanted = replace(run, spec=replace(run.spec, checkpoints=tuple(steps)))
    place = ("weights", keys.weights_key(run.key, steps[-1]))
    with signals() as request:
        result = train_run(wanted, device, store, SAVE_SECONDS, request, place)
        if set(result.checkpoints) != set(steps):  # resumed from a state for other steps
            store.drop_state(*place)
            result = train_run(wanted, device, store, SAVE_SECONDS, request, place)
    store.drop_state(*place)
    if not history_table(result).equals(parquet_of_entry(entry, HISTORY, schemas.HISTORY)):
        made = entry.record["provenance"]
        here = provenance(device)
        raise NotReproduced(
            f"run {run.key} was trained again for its weights at steps {list(steps)}, and its "
            f"losses differ from those in the store, which {made['device']} computed with torch "
            f"{made['torch']} (here {here['device']}, torch {here['torch']}). Probe it where it "
            f"was trained, or remove {entry.path} and the results of the study, and {AGAIN}"
        )
    return result.checkpoints


def _checkpoints(entry: Entry) -> Checkpoints:
    """The weights of an entry by step; empty if the run diverged before its first checkpoint.

    Raises:
        DamagedEntry: the file of the weights cannot be read.
    """
    if CHECKPOINTS not in entry.files:
        return {}
    try:
        return by_step(load_tensors(entry.read(CHECKPOINTS)))
    except (SafetensorError, ValueError) as error:
        text = f"{entry.key}: {CHECKPOINTS} is not as it was written: {error}"
        raise DamagedEntry(text) from error


def probes_of_job(parts: Mapping[str, Any], keep: Mapping[str, Sequence[int]]) -> list[CellProbe]:
    """The probes of a planned job.

    Args:
        parts: the parts of the job.
        keep: the steps at which each run keeps its weights, by run key.

    Raises:
        StalePlan: the key of a run or of a probe changed after planning.
    """
    rows = zip(parts["probe_keys"], parts["settings"], runs_of_job(parts, keep), strict=True)
    probes = [CellProbe(*row) for row in rows]
    runs = [(probe.run.key, probe.run.spec) for probe in probes]
    now = keys.Contexts().probe_keys(runs, [probe.settings for probe in probes])
    for probe, key in zip(probes, now, strict=True):
        if key != probe.key:
            text = f"the code or packages of probe {probe.key} changed after planning"
            raise StalePlan(f"{text}: {AGAIN}")
    return probes
