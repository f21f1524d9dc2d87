"""Measure a timed probe on the runs of a grid: those of one seed in turns, on one occasion.

Each result is an entry of the store under its own key, which contains the keys of its rivals. All
results of one occasion have its name in their records. Results of several occasions, which a job
leaves that was killed between two entries, are never used together.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

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
from hypertransfer.execution.train_cell import log, parquet_of_entry
from hypertransfer.probes import turns
from hypertransfer.probes.checkpoint import Columns
from hypertransfer.storage import schemas
from hypertransfer.storage.run_store import DamagedEntry, Store, StoreError
from hypertransfer.training import build

OCCASION = "occasion"  # in the record of a result: a name that all results of one occasion share


def measure_timed(
    grid: str, probe: str, work: Sequence[CellProbe], store: Store, device_name: str
) -> pa.Table:
    """Measure the sets of rivals that the store lacks; returns the table of the job.

    A set is the probes of the runs with one seed. It is measured again as a whole if any of its
    results is missing or damaged. The table is that of `probe_cell.measure_cell`.

    Raises:
        NotReproduced: a run was trained again for its weights, and its losses differ.
    """
    device = build.device(device_name)
    sets: dict[int, list[CellProbe]] = {}
    for item in work:
        sets.setdefault(item.run.spec.seed, []).append(item)
    found: dict[str, pa.Table] = {}
    store.check()
    for seed, rivals in sets.items():
        with noted(f"The probe that failed is {probe} of {grid}, seed {seed}"):
            found |= _stored(rivals, store) or _made(rivals, store, device)
    remove_read_weights(work, store)
    return table_of(grid, probe, work, found)


def _made(rivals: Sequence[CellProbe], store: Store, device: torch.device) -> dict[str, pa.Table]:
    """Measure a set, unless another process does so; then wait for its results."""
    store.open()
    with store.locked("probes", min(item.key for item in rivals), wait=True):
        if found := _stored(rivals, store):
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


def _stored(rivals: Sequence[CellProbe], store: Store) -> dict[str, pa.Table]:
    """The rows of each result of a set by key; empty unless all are of one occasion."""
    found: dict[str, pa.Table] = {}
    occasions = set()
    for item in rivals:
        try:
            if (entry := store.get("probes", item.key)) is None:
                continue
            schema = schemas.probe_schema(item.settings["probe"])
            found[item.key] = parquet_of_entry(entry, PROBE, schema)
            occasions.add(str(entry.record.get(OCCASION)))
        except DamagedEntry as error:
            log.warning("damaged entry %s; it is measured again with its rivals", error)
            return {}
    if len(occasions) == 1 and len(found) == len(rivals):
        return found
    if found:
        missing = len(rivals) - len(found)
        log.info("%d of %d rivals have no result, or one of another occasion", missing, len(rivals))
    return {}


def _measured(
    rivals: Sequence[CellProbe], store: Store, device: torch.device
) -> tuple[list[Columns], list[float]]:
    """Measure a set in turns; runs that lack weights are trained first.

    Also returned is how far each run's further training differs from the run in the store.
    """
    for item in rivals:
        torch_compiler.leave_out(item.run.spec)
    found = [weights_of(item, store, device) for item in rivals]
    log.info("measuring %d runs in turns: %s", len(rivals), [r.run.key for r in rivals])
    ready = [
        turns.Rival(
            spec=item.run.spec,
            table=build.table(item.run.spec),
            checkpoints=own,
            settings=item.settings,
            device=device,
        )
        for item, (own, _) in zip(rivals, found, strict=True)
    ]
    return turns.measure(ready, log), [difference for _, difference in found]
