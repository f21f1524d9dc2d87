"""Cells through the store: take what is there, train or measure what is missing, tabulate."""

from __future__ import annotations

import logging
import math
import platform
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from hypertransfer import __version__, measure, records
from hypertransfer.plan import AGAIN, StalePlan
from hypertransfer.planning import keys
from hypertransfer.spec import RunSpec
from hypertransfer.store import DamagedEntry, Entry, Store, StoreError, produce
from hypertransfer.training import build
from hypertransfer.training.interruption import Asked, Saver, signals
from hypertransfer.training.loop import Training, train
from hypertransfer.training.state import State, StateError, by_step, joined

log = logging.getLogger(__name__)

SAVE_SECONDS = 300.0  # between saved states, where a probe has to make a run again
Checkpoints = dict[int, dict[str, torch.Tensor]]
Made = tuple[dict, dict[str, bytes]]  # what the store keeps of an entry: its record, its files
RECORDED = (
    "status", "steps_done", "seconds", "optimizer_seconds", "curvature_seconds", "flops",
)  # fmt: skip
HISTORY, CHECKPOINTS, PROBE = "history.parquet", "checkpoints.safetensors", "probe.parquet"


@dataclass(frozen=True)
class Work:
    """A run of a cell with its place on the grid."""

    key: str
    point: Mapping[str, Any]
    spec: RunSpec

    @property
    def columns(self) -> dict[str, Any]:
        """The leading columns of the run's rows: its spec in short, and its axes."""
        return {**self.spec.columns(), **self.point}


def train_cell(
    grid: str, work: Sequence[Work], store: Store, device_name: str, save_minutes: float
) -> pa.Table:
    """One row a run: axes, summary, and the history as lists; missing runs are trained.

    A run that takes longer than `save_minutes` saves its state that often, and any run does when
    the process is asked to end; the next call goes on from there.

    Raises:
        Interrupted: the process was asked to end.
    """
    device = build.device(device_name)
    made: list[str] = []

    def make(key: str, item: Work) -> Made:
        made.append(key)
        return _train(item, device, store, 60 * save_minutes, asked)

    def read(entry: Entry, item: Work) -> tuple[pa.Table, pa.Table]:
        history = _parquet(entry, HISTORY, records.HISTORY)
        try:
            row = _summary(entry.record, history)
            row = {f.name: pa.array([row[f.name]], f.type) for f in records.SUMMARY}
        except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
            raise DamagedEntry(f"{entry.key}: its record is of no run: {error!r}") from error
        return pa.table(row), history

    with signals() as asked:
        found = produce(store, "runs", {w.key: w for w in work}, make, read, log.warning)
    log.info("%d runs: %d trained, %d from the store", len(work), len(made), len(work) - len(made))
    return _cell_table(grid, work, found)


def _parquet(entry: Entry, name: str, form: pa.Schema) -> pa.Table:
    try:
        return records.from_bytes(entry.read(name), form)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DamagedEntry(f"{entry.key}: {name} is not as it was written: {error}") from error


def _keeper(store: Store, key: str) -> Callable[[State], None]:
    """Saves a run's state; a store that cannot take it is no reason to stop training."""

    def keep(state: State) -> None:
        try:
            store.keep_state("runs", key, state.to_bytes())
            log.info("state saved at step %d", state.done)
        except StoreError as error:
            log.warning("the state at step %d is not saved: %s", state.done, error)

    return keep


def _saved(store: Store, key: str) -> State | None:
    try:
        content = store.state("runs", key)
        return None if content is None else State.from_bytes(content)
    except (DamagedEntry, StateError) as error:
        log.warning("%s; the run starts anew", error)
        return None


def _train(
    item: Work, device: torch.device, store: Store, save_seconds: float, asked: Asked
) -> Made:
    log.info("training %s: %s", item.key, dict(item.point))
    save = Saver(_keeper(store, item.key), save_seconds, asked)
    state = _saved(store, item.key)
    try:
        result = _trained(item, device, state, save)
    except StateError as error:
        log.warning("the saved state %s; the run starts anew", error)
        result = _trained(item, device, None, save)
    return _record(item, result, device)


def _trained(item: Work, device: torch.device, state: State | None, save: Saver) -> Training:
    started, first = time.monotonic(), state.done if state else 0

    def progress(step: int, loss: float) -> None:
        speed = (step - first) / max(time.monotonic() - started, 1e-9)
        log.info("step %d of %d, loss %.4f, %.1f steps/s", step, item.spec.steps, loss, speed)

    if state:
        log.info("resumed after %d of %d steps", state.done, item.spec.steps)
    table = keys.table(item.spec)
    return train(item.spec, table, device=device, progress=progress, resume=state, save=save)


def _record(item: Work, result: Training, device: torch.device) -> Made:
    if result.status == "diverged":
        log.info("diverged at step %d: recorded as such", result.steps_done)
    record = {
        "spec": item.spec.plain(),
        "context": keys.context(item.spec),
        "status": result.status,
        "steps_done": result.steps_done,
        "final_loss": result.final_loss,
        "seconds": result.seconds,
        "optimizer_seconds": result.optimizer_seconds,
        "curvature_seconds": result.curvature_seconds,
        "flops": result.flops,
        "parameters": result.parameters,
        "provenance": provenance(device),
    }
    history = records.columns(vars(result.history), records.HISTORY)
    files = {HISTORY: records.to_bytes(history)}
    if result.checkpoints:
        files[CHECKPOINTS] = save_tensors(joined(result.checkpoints))
    return record, files


def _cell_table(grid: str, work: Sequence[Work], found: Mapping[str, tuple]) -> pa.Table:
    table = records.points_table(grid, [w.key for w in work], [w.columns for w in work])
    rows = pa.concat_tables([found[w.key][0] for w in work])
    for field in records.SUMMARY:
        table = table.append_column(field, rows.column(field.name))
    for field in records.HISTORY:
        lists = [found[w.key][1].column(field.name).to_pylist() for w in work]
        name = f"history.{field.name}"
        table = table.append_column(name, [pa.array(lists, pa.list_(field.type))])
    return table


def _summary(record: Mapping[str, Any], history: pa.Table) -> dict[str, Any]:
    provenance_, last = record["provenance"], history.num_rows - 1
    return {
        **{name: record[name] for name in RECORDED},
        "final_loss": math.inf if record["final_loss"] is None else record["final_loss"],
        "eval_loss": history.column("eval_loss")[last].as_py(),
        "eval_accuracy": history.column("eval_accuracy")[last].as_py(),
        "torch": provenance_["torch"],
        "device": provenance_["device"],
    }


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
        return _parquet(entry, PROBE, records.probe_schema(item.settings["probe"]))

    found = produce(store, "probes", {w.key: w for w in work}, make, read, log.warning)
    tables = []
    for item in work:
        rows = found[item.key]
        place = records.points_table(grid, [item.run.key] * rows.num_rows, [])
        place = place.append_column("probe", pa.array([probe] * rows.num_rows, pa.string()))
        for field in rows.schema:
            place = place.append_column(field, rows.column(field.name))
        tables.append(place)
    return pa.concat_tables(tables, promote_options="permissive")


def _measure(item: ProbeWork, store: Store, device: torch.device) -> Made:
    spec = item.run.spec
    weights = _weights(item.run, store, device)
    schema = records.probe_schema(item.settings["probe"])
    rows = measure.measure(spec, keys.table(spec), weights, item.settings, device, log)
    record = {
        "run": item.run.key,
        "settings": dict(item.settings),
        "context": keys.probe_context(item.settings),
        "provenance": provenance(device),
        "seconds": math.fsum(rows["seconds"]),
    }
    return record, {PROBE: records.to_bytes(records.columns(rows, schema))}


def _weights(run: Work, store: Store, device: torch.device) -> Checkpoints:
    """The weights that training left in the store; a run that is gone or damaged is made again."""

    def make(key: str, item: Work) -> Made:
        return _train(item, device, store, SAVE_SECONDS, Asked())

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


def provenance(device: torch.device) -> dict[str, str]:
    """Where, when and with what a result was made."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {
        "hypertransfer": __version__,
        "git": _git(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "host": socket.gethostname(),
        "device": f"{device.type}: {name}",
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@lru_cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


@lru_cache
def _git() -> str:
    """The commit of the library's tree, with `+` behind it where files differ from it."""
    where = Path(__file__).parent
    try:
        commit = _ask("git", "rev-parse", "--short=12", "HEAD", cwd=where)
        return commit + ("+" if _ask("git", "status", "--porcelain", "-uno", cwd=where) else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _ask(*command: str, cwd: Path) -> str:
    return subprocess.run(
        command, cwd=cwd, check=True, capture_output=True, text=True
    ).stdout.strip()


def listed(parts: Mapping[str, Any]) -> list[Work]:
    """The runs of a planned job.

    Raises:
        StalePlan: a run has another key by now, since its code changed after planning.
    """
    work = [
        Work(run["key"], run["point"], RunSpec.parse({**parts["shared"], **run["own"]}))
        for run in parts["runs"]
    ]
    contexts = keys.Contexts()
    for item in work:
        if contexts.key(item.spec) != item.key:
            raise StalePlan(f"the code of run {item.key} changed after planning: {AGAIN}")
    return work


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
