"""Train a finished run again, for weights that the store lacks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import torch

from hypertransfer.execution.errors import AGAIN, NotReproduced
from hypertransfer.execution.provenance import provenance
from hypertransfer.execution.stored_weights import Checkpoints
from hypertransfer.execution.train_cell import (
    HISTORY,
    SAVE_SECONDS,
    CellRun,
    history_table,
    log,
    parquet_of_entry,
    train_run,
)
from hypertransfer.planning import keys
from hypertransfer.storage import schemas
from hypertransfer.storage.run_store import Entry, Store
from hypertransfer.training.interruption import signals

CLOSE = 1e-3  # largest relative difference of a loss on a GPU between trainings that agree (ours)
LOSSES = ("train_loss", "eval_loss")


def weights(
    run: CellRun, steps: Sequence[int], entry: Entry, store: Store, device: torch.device
) -> tuple[Checkpoints, float]:
    """The weights of a second training at some steps, and its difference from the first training.

    The difference is the largest relative difference of a recorded loss. On a CPU both histories
    are equal, bit for bit. On a GPU, where another card or library rounds otherwise, losses may
    differ by up to `CLOSE`; a warning in the log then says so.

    Args:
        run: the run.
        steps: the steps.
        entry: the entry of the run in the store.
        store: the run store; the caller holds the lock of the run.
        device: where to train.

    Raises:
        NotReproduced: the histories differ by more than that.
    """
    log.info("training %s again for its weights at steps %s", run.key, list(steps))
    wanted = replace(run, spec=replace(run.spec, checkpoints=tuple(steps)))
    place = ("weights", keys.weights_key(run.key, steps[-1]))
    with signals() as request:
        result = train_run(wanted, device, store, SAVE_SECONDS, request, place)
        if set(result.checkpoints) != set(steps):  # resumed from a state for other steps
            store.drop_state(*place)
            result = train_run(wanted, device, store, SAVE_SECONDS, request, place)
    store.drop_state(*place)
    first, second = parquet_of_entry(entry, HISTORY, schemas.HISTORY), history_table(result)
    if second.equals(first):
        return result.checkpoints, 0.0
    difference, made = _difference(first, second), entry.record["provenance"]
    alike = difference <= CLOSE and set(result.checkpoints) == set(steps)
    if not (alike and _on_gpu(made, device)):
        raise _not_reproduced(run, steps, entry, made, device)
    log.warning(
        "the losses of %s differ by up to %.1g from those in the store, which %s computed; the "
        "weights of the second training are probed",
        run.key,
        difference,
        made["device"],
    )
    return result.checkpoints, difference


def _on_gpu(made: Any, device: torch.device) -> bool:
    return device.type != "cpu" or not str(made["device"]).startswith("cpu")


def _difference(first: pa.Table, second: pa.Table) -> float:
    """The largest relative difference of a recorded loss; infinite if other steps are recorded."""
    if not first.column("step").equals(second.column("step")):
        return math.inf
    pairs = [
        pair
        for name in LOSSES
        for pair in zip(first[name].to_pylist(), second[name].to_pylist(), strict=True)
    ]
    return max(map(_relative, *zip(*pairs, strict=True)), default=0.0)


def _relative(first: float | None, second: float | None) -> float:
    """The relative difference of two values; infinite if only one of them was measured."""
    a, b = (math.nan if value is None else value for value in (first, second))
    if a == b or (math.isnan(a) and math.isnan(b)):
        return 0.0
    found = abs(a - b) / max(abs(a), abs(b))
    return math.inf if math.isnan(found) else found


def _not_reproduced(
    run: CellRun, steps: Sequence[int], entry: Entry, made: Any, device: torch.device
) -> NotReproduced:
    here = provenance(device)
    return NotReproduced(
        f"run {run.key} was trained again for its weights at steps {list(steps)}, and its "
        f"losses differ from those in the store, which {made['device']} computed with torch "
        f"{made['torch']} (here {here['device']}, torch {here['torch']}). Probe it where it "
        f"was trained, or remove {entry.path} and the results of the study, and {AGAIN}"
    )
