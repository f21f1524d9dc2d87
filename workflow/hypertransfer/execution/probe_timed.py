"""Measure a timed probe on the runs of a grid: those of one seed in turns, on one occasion.

Each result is an entry of the store under its own key, which contains the keys of its rivals. All
results of one occasion have its name in their records. Results of several occasions, which a job
leaves that was killed between two entries, are never used together.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import torch

from hypertransfer.execution import torch_compiler
from hypertransfer.execution.errors import noted
from hypertransfer.execution.probe_cell import (
    PROBE,
    CellProbe,
    entry_of_probe,
    remove_read_weights,
    table_of,
    weights_of,
)
from hypertransfer.execution.provenance import provenance
from hypertransfer.execution.train_cell import log, parquet_of_entry
from hypertransfer.probes import turns
from hypertransfer.probes.checkpoint import Columns
from hypertransfer.storage import schemas
from hypertransfer.storage.run_store import DamagedEntry, Store, StoreError
from hypertransfer.training import build, imports

OCCASION = "occasion"  # in the record of a result: a name that all results of one occasion share
Machine = tuple[str, str]  # host and device, as the provenance of a result has them


@dataclass(frozen=True)
class _Results:
    """The results of a set of rivals: rows by key, and the machine that measured them."""

    tables: Mapping[str, pa.Table]
    machine: Machine


def measure_timed(
    grid: str, probe: str, work: Sequence[CellProbe], store: Store, device_name: str
) -> pa.Table:
    """Measure the sets of rivals that the store lacks; returns the table of the job.

    A set is the probes of the runs with one seed. It is measured again as a whole if any of its
    results is missing or damaged. All sets are measured again if their results are of different
    machines, since the seeds of a grid are read together. The table is that of
    `probe_cell.measure_cell`.

    Raises:
        NotReproduced: a run was trained again for its weights, and its losses differ.
    """
    device = build.device(device_name)
    sets: dict[int, dict[str, CellProbe]] = {}
    for item in work:
        sets.setdefault(item.run.spec.seed, {})[item.key] = item
    store.check()
    here = _machine(provenance(device))
    found = {seed: _stored([*rivals.values()], store) for seed, rivals in sets.items()}
    machines = {one.machine if one else here for one in found.values()}
    if len(machines) > 1:
        names = "; ".join(sorted(" ".join(machine) for machine in machines))
        log.warning("times of %d machines (%s): all are measured again", len(machines), names)
        found = dict.fromkeys(found)
    elif any(not machine[1].startswith(f"{device.type}:") for machine in machines):  # by `auto`
        ((_, other),) = machines
        log.warning("the times in the store are of %s, and not of this device, %s", other, here[1])
    tables: dict[str, pa.Table] = {}
    for seed, rivals in sets.items():
        with noted(f"The probe that failed is {probe} of {grid}, seed {seed}"):
            one = found[seed] or _made([*rivals.values()], store, device, here)
        tables |= one.tables
    remove_read_weights(work, store)
    return table_of(grid, probe, work, tables)


def _machine(made: Mapping[str, Any]) -> Machine:
    """The machine of a result, from its provenance."""
    return str(made.get("host")), str(made.get("device"))


def _made(
    rivals: Sequence[CellProbe], store: Store, device: torch.device, here: Machine
) -> _Results:
    """Measure a set, unless another process of this machine does so; then wait for its results."""
    store.open()
    with store.locked("probes", min(item.key for item in rivals), wait=True):
        if (found := _stored(rivals, store)) and found.machine == here:
            return found
        measured, differences = _measured(rivals, store, device)
        occasion = uuid.uuid4().hex
        for item in rivals:
            if store.path("probes", item.key).exists():
                store.set_aside("probes", item.key)
        for item, columns, difference in zip(rivals, measured, differences, strict=True):
            record, files = entry_of_probe(item, columns, device, difference)
            store.put("probes", item.key, {**record, OCCASION: occasion}, files)
        if found := _stored(rivals, store):
            return found
    keys = ", ".join(item.key for item in rivals)
    raise StoreError(f"{keys} were written to {store.root} but cannot be read")


def _stored(rivals: Sequence[CellProbe], store: Store) -> _Results | None:
    """The results of a set; none unless all rivals have one, of one occasion."""
    tables: dict[str, pa.Table] = {}
    occasions = set()
    for item in rivals:
        try:
            if (entry := store.get("probes", item.key)) is None:
                continue
            schema = schemas.probe_schema(item.settings["probe"])
            tables[item.key] = parquet_of_entry(entry, PROBE, schema)
            machine = _machine(entry.record.get("provenance") or {})
            occasions.add((str(entry.record.get(OCCASION)), machine))
        except DamagedEntry as error:
            log.warning("damaged entry %s; it is measured again with its rivals", error)
            return None
    if len(occasions) == 1 and len(tables) == len(rivals):
        return _Results(tables, occasions.pop()[1])
    if tables:
        missing = len(rivals) - len(tables)
        log.info("%d of %d rivals have no result, or one of another occasion", missing, len(rivals))
    return None


def _measured(
    rivals: Sequence[CellProbe], store: Store, device: torch.device
) -> tuple[list[Columns], list[float]]:
    """Measure a set in turns; runs that lack weights are trained first.

    Also returned is how far each run's further training differs from the run in the store.
    """
    for item in rivals:
        torch_compiler.leave_out(item.run.spec)
    # Nothing is written: weights that the runs do not keep would wait here for all of the grid.
    found = [weights_of(item, store, device, written=False) for item in rivals]
    log.info("measuring %d runs in turns: %s", len(rivals), [r.run.key for r in rivals])
    ready = [
        turns.Rival(
            spec=item.run.spec,
            table=imports.table(item.run.spec),
            checkpoints=own,
            settings=item.settings,
            device=device,
        )
        for item, (own, _) in zip(rivals, found, strict=True)
    ]
    return turns.measure(ready, log), [difference for _, difference in found]
