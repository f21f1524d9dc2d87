"""Train the runs of a cell that the run store lacks, and make the table of the cell."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import torch
from safetensors.torch import save as save_tensors

from hypertransfer.catalogue import complete
from hypertransfer.execution import stored_weights, torch_compiler
from hypertransfer.execution.errors import AGAIN, StalePlan, noted
from hypertransfer.execution.provenance import provenance
from hypertransfer.execution.stored_weights import CHECKPOINTS, Made, Readers
from hypertransfer.planning import keys
from hypertransfer.runs.columns import summary_of
from hypertransfer.runs.spec import RunSpec
from hypertransfer.storage import parquet, schemas
from hypertransfer.storage.produce import produce
from hypertransfer.storage.run_store import DamagedEntry, Entry, Store, StoreError
from hypertransfer.training import build, imports
from hypertransfer.training.interruption import Saver, StopRequest, signals
from hypertransfer.training.loop import Training, train
from hypertransfer.training.state import State, StateError, joined

log = logging.getLogger(__name__)
SAVE_SECONDS = 300.0  # interval between saved states of a run that a probe job trains again
HISTORY = "history.parquet"


@dataclass(frozen=True)
class CellRun:
    """A run of a cell.

    Attributes:
        key: the key of the run.
        point: the point on the grid.
        spec: the spec, with the checkpoints that the run keeps in its entry.
        readers: the probes that read weights with entries of their own, and their steps.
    """

    key: str
    point: Mapping[str, Any]
    spec: RunSpec
    readers: Readers = field(default_factory=dict)

    @property
    def columns(self) -> dict[str, Any]:
        """The first columns of the run's rows: the main fields of its spec, and its axes."""
        return {**self.spec.columns(), **self.point}


def train_cell(
    grid: str, work: Sequence[CellRun], store: Store, device_name: str, save_minutes: float
) -> pa.Table:
    """Train the runs that the store lacks; returns the table of the cell.

    The table has one row for each run, with its axes, its summary, and the columns of its history
    as lists. The state of a run is saved every `save_minutes`, and when the process receives a stop
    signal; the next call continues from the saved state.

    Raises:
        Interrupted: the process received a stop signal.
    """
    device = build.device(device_name)
    made: list[str] = []

    def make(key: str, item: CellRun) -> Made:
        made.append(key)
        with noted(f"The run that failed is of {grid}: {dict(item.point)}"):
            return trained_entry(item, device, store, 60 * save_minutes, request)

    def read(entry: Entry, item: CellRun) -> tuple[pa.Table, pa.Table]:
        history = parquet_of_entry(entry, HISTORY, schemas.HISTORY)
        try:
            row = _summary(entry.record, history)
            row = {f.name: pa.array([row[f.name]], f.type) for f in schemas.SUMMARY}
        except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
            raise DamagedEntry(
                f"{entry.key}: its record does not describe a run: {error!r}"
            ) from error
        return pa.table(row), history

    with signals() as request:
        found = produce(store, "runs", {w.key: w for w in work}, make, read, log.warning)
    log.info("%d runs: %d trained, %d from the store", len(work), len(made), len(work) - len(made))
    return _cell_table(grid, work, found)


def parquet_of_entry(entry: Entry, name: str, form: pa.Schema) -> pa.Table:
    """The table in a Parquet file of an entry.

    Raises:
        DamagedEntry: the file cannot be read, or lacks a column of `form`.
    """
    try:
        return parquet.from_bytes(entry.read(name), form)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DamagedEntry(f"{entry.key}: {name} cannot be read: {error}") from error


def _keeper(store: Store, kind: str, key: str) -> Callable[[State], None]:
    """A function that saves the state of a run; errors of the store are logged, not raised."""

    def keep(state: State) -> None:
        try:
            store.keep_state(kind, key, state.to_bytes())
            log.info("state saved at step %d", state.done)
        except StoreError as error:
            log.warning("the state at step %d is not saved: %s", state.done, error)

    return keep


def _saved(store: Store, kind: str, key: str) -> State | None:
    try:
        content = store.state(kind, key)
        return None if content is None else State.from_bytes(content)
    except (DamagedEntry, StateError) as error:
        log.warning("%s; the run starts from step 0", error)
        return None


def train_run(
    run: CellRun,
    device: torch.device,
    store: Store,
    save_seconds: float,
    request: StopRequest,
    state_of: tuple[str, str] | None = None,
) -> Training:
    """Train a run from its saved state, or from the start if there is none.

    States are saved under `state_of`, the kind and the key of an entry; by default under the run.
    """
    log.info("training %s: %s", run.key, dict(run.point))
    torch_compiler.leave_out(run.spec)
    kind, key = state_of or ("runs", run.key)
    save = Saver(_keeper(store, kind, key), save_seconds, request)
    saved = _saved(store, kind, key)
    try:
        return _trained(run, device, saved, save)
    except StateError as error:
        if saved is None:
            raise
        log.warning("the saved state %s; the run starts from step 0", error)
        return _trained(run, device, None, save)


def _trained(item: CellRun, device: torch.device, state: State | None, save: Saver) -> Training:
    started, first = time.monotonic(), state.done if state else 0

    def progress(step: int, loss: float) -> None:
        speed = (step - first) / max(time.monotonic() - started, 1e-9)
        log.info("step %d of %d, loss %.4f, %.1f steps/s", step, item.spec.steps, loss, speed)

    if state:
        log.info("resumed after %d of %d steps", state.done, item.spec.steps)
    table = imports.table(item.spec)
    return train(item.spec, table, device=device, progress=progress, resume=state, save=save)


def trained_entry(
    run: CellRun, device: torch.device, store: Store, save_seconds: float, request: StopRequest
) -> Made:
    """Train a run; returns the record and the files of its entry.

    Weights with entries of their own are written before: if the run is in the store, so were they.
    The caller holds the lock of the run.

    Raises:
        StoreError: the store cannot be written.
    """
    apart = stored_weights.steps_to_write(run.readers, store)
    steps = tuple(sorted({*run.spec.checkpoints, *apart}))
    wanted = replace(run, spec=replace(run.spec, checkpoints=steps))
    result = train_run(wanted, device, store, save_seconds, request)
    weights = result.checkpoints
    written = {step: weights[step] for step in sorted(apart) if step in weights}
    stored_weights.write(run.key, written, store, device)
    passing = {step for at in run.readers.values() for step in at} - {*run.spec.checkpoints}
    kept = {step: tensors for step, tensors in weights.items() if step not in passing}
    return entry_of(run, replace(result, checkpoints=kept), device)


def entry_of(item: CellRun, result: Training, device: torch.device) -> Made:
    """The record and the files of a trained run, for its entry in the store."""
    if result.status == "diverged":
        log.info("diverged at step %d, and is recorded as diverged", result.steps_done)
    record = {
        "spec": item.spec.plain(),
        "context": keys.context(item.spec),
        **{name: getattr(result, name) for name in summary_of("training")},
        "parameters": result.parameters,
        "checkpoints": sorted(result.checkpoints),
        "provenance": provenance(device),
    }
    files = {HISTORY: parquet.to_bytes(history_table(result))}
    if result.checkpoints:
        files[CHECKPOINTS] = save_tensors(joined(result.checkpoints))
    return record, files


def history_table(result: Training) -> pa.Table:
    """The history of a training, with one row for each recorded step."""
    return parquet.columns(vars(result.history), schemas.HISTORY)


def _cell_table(grid: str, work: Sequence[CellRun], found: Mapping[str, tuple]) -> pa.Table:
    table = parquet.points_table(grid, [w.key for w in work], [w.columns for w in work])
    rows = pa.concat_tables([found[w.key][0] for w in work])
    for column in schemas.SUMMARY:
        table = table.append_column(column, rows.column(column.name))
    for column in schemas.HISTORY:
        lists = [found[w.key][1].column(column.name).to_pylist() for w in work]
        name = f"history.{column.name}"
        table = table.append_column(name, [pa.array(lists, pa.list_(column.type))])
    return table


def _summary(record: Mapping[str, Any], history: pa.Table) -> dict[str, Any]:
    """The values of `runs.columns.SUMMARY` of a stored run."""
    last = history.num_rows - 1
    values = {name: record[name] for name in summary_of("training")}
    values |= {name: history.column(name)[last].as_py() for name in summary_of("history")}
    values |= {name: record["provenance"][name] for name in summary_of("provenance")}
    if values["final_loss"] is None:
        values["final_loss"] = math.inf
    return values


def runs_of_job(
    parts: Mapping[str, Any],
    keep: Mapping[str, Sequence[int]],
    passing: Mapping[str, Readers],
) -> list[CellRun]:
    """The runs of a planned job.

    Args:
        parts: the parts of the job.
        keep: the steps at which each run keeps its weights, by run key.
        passing: the probes that read weights with entries of their own, by run key.

    Raises:
        StalePlan: the key of a run changed after planning.
    """
    runs = [_run_of_job(parts["shared"], values, keep, passing) for values in parts["runs"]]
    contexts = keys.Contexts()
    for run in runs:
        if contexts.key(run.spec) != run.key:
            text = f"the code, data or packages of run {run.key} changed after planning"
            raise StalePlan(f"{text}: {AGAIN}")
    return runs


def _run_of_job(
    shared: Mapping[str, Any],
    values: Mapping[str, Any],
    keep: Mapping[str, Sequence[int]],
    passing: Mapping[str, Readers],
) -> CellRun:
    spec, key = complete.run_spec({**shared, **values["own"]}), values["key"]
    kept = replace(spec, checkpoints=tuple(keep.get(key, ())))
    return CellRun(key, values["point"], kept, passing.get(key, {}))
