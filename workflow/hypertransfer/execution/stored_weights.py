"""Weights of runs that have entries of their own in the store, one for each step.

Training writes large weights there that only probes read. The job of the last of these probes
removes them, once the results of all probes are in the store. Who writes, reads or removes such
entries holds the lock of the run: no entry is removed while another process reads it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from hypertransfer.execution.provenance import provenance
from hypertransfer.planning import keys
from hypertransfer.storage.removal import remove_entry
from hypertransfer.storage.run_store import DamagedEntry, Entry, Store, StoreError
from hypertransfer.training.state import by_step, joined

log = logging.getLogger(__name__)
CHECKPOINTS = "checkpoints.safetensors"
Checkpoints = dict[int, dict[str, torch.Tensor]]
Made = tuple[dict, dict[str, bytes]]  # record and files of an entry of the store
Readers = Mapping[str, Sequence[int]]  # key of a probe → steps whose weights it reads


def steps_to_write(readers: Readers, store: Store) -> set[int]:
    """The steps of the probes whose results the store lacks."""
    return {step for key, at in readers.items() if not store.has("probes", key) for step in at}


def made(run: str, step: int, weights: Mapping[str, torch.Tensor], about: Mapping) -> Made:
    """The record and the file of the weights of a run at a step; `about` is added to the record."""
    return {"run": run, "step": step, **about}, {CHECKPOINTS: save_tensors(joined({step: weights}))}


def write(run: str, weights: Checkpoints, store: Store, device: torch.device) -> None:
    """Write weights of a run that was just trained, in place of those of a former training.

    Raises:
        StoreError: the store cannot be written.
    """
    about: dict[str, Any] = {"provenance": provenance(device)}
    for step, tensors in weights.items():
        key = keys.weights_key(run, step)
        try:
            remove_entry(store, "weights", key)
        except OSError as error:
            raise StoreError(f"{store.path('weights', key)} cannot be replaced: {error}") from error
        store.put("weights", key, *made(run, step, tensors, about))


def read(entry: Entry) -> Checkpoints:
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


def remove_if_read(run: str, readers: Readers, store: Store) -> None:
    """Remove the weights of a run if the store has the results of all probes that read them.

    A process that holds the lock of the run removes them itself, or needs them for a probe of its
    own; they then stay. A failure is logged: the weights take room and do no harm.
    """
    if not readers or not all(store.has("probes", key) for key in readers):
        return
    steps = sorted({step for at in readers.values() for step in at})
    held = {step: keys.weights_key(run, step) for step in steps}
    held = {step: key for step, key in held.items() if store.has("weights", key)}
    if not held:  # a store with all results may be read-only
        return
    try:
        with store.locked("runs", run, wait=False) as acquired:
            if acquired:
                for key in held.values():
                    remove_entry(store, "weights", key)
                log.info("removed the weights of %s at %s: every probe has read them", run, [*held])
    except (StoreError, OSError) as error:
        log.warning("the weights of %s at steps %s are not removed: %s", run, [*held], error)
