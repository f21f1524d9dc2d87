"""How well the cost model tells what a store's runs took, and rates that tell it better."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median, quantiles

import yaml

from hypertransfer.planning import cost, flops
from hypertransfer.planning.status import Survey
from hypertransfer.storage.atomic import replace_atomically
from hypertransfer.storage.run_store import DamagedEntry, Store

SAMPLE = 500  # entries that are read, of however many there are
FEWEST = 5  # runs that two rates can be fitted to


@dataclass(frozen=True)
class Measured:
    """What a run or probe of the store took, beside what the cost model knows of it."""

    device: str
    operations: float
    steps: float
    seconds: float

    def estimate(self, rates: cost.Rates) -> float:
        """What the model says that it takes."""
        return rates.seconds(self.operations, self.steps)


@dataclass(frozen=True)
class Error:
    """Factors by which estimates are off, up or down: typical (median), and 9 in 10 within."""

    typical: float
    most: float
    count: int

    def __str__(self) -> str:
        return f"off by {self.typical:.2f}× typically, 9 in 10 within {self.most:.2f}×"


def error(measured: Sequence[Measured], rates: cost.Rates) -> Error:
    """The error of the model on what was measured; at least one run."""
    off = [math.exp(abs(math.log(one.estimate(rates) / one.seconds))) for one in measured]
    most = quantiles(off, n=10)[-1] if len(off) > 1 else off[0]
    return Error(median(off), max(most, median(off)), len(off))


def fit(measured: Sequence[Measured], rates: cost.Rates) -> cost.Rates:
    """Rates of least relative error, neither of them negative (non-negative least squares).

    A rate that the runs say nothing of, since the other explains all, stays what it was.
    """
    import numpy as np
    from scipy.optimize import nnls  # slow to import, and only fitting needs it

    terms = np.array([[one.operations, one.steps] for one in measured])
    seconds = np.array([one.seconds for one in measured])
    (per_operation, per_step), _ = nnls(terms / seconds[:, None], np.ones(len(seconds)))
    out = replace(rates, seconds_per_step=float(per_step))
    return replace(out, operations_per_second=float(1 / per_operation)) if per_operation else out


def trainings(surveys: Iterable[Survey]) -> dict[str, list[Measured]]:
    """What the runs of the plans took that are in the store, by device; a sample of them."""
    found = [
        (survey.store, run.key, run.run.spec)
        for survey in surveys
        for runs in survey.plan.runs.values()
        for run in runs
        if run.key in survey.runs
    ]
    out: dict[str, list[Measured]] = {}
    for store, key, spec in _sample(found):
        for record in _record(store, "runs", key):
            device, steps = record["provenance"]["device"], record["steps_done"]
            operations = flops.train_flops(spec) * steps / spec.steps
            out.setdefault(device, []).append(
                Measured(device, operations, steps, record["seconds"])
            )
    return out


def products(surveys: Iterable[Survey], rates: cost.Rates, device: str) -> float:
    """Hessian-vector products of a checkpoint that explain what probes took, in the median."""
    per_value = rates.products_per_checkpoint  # of probes that find one eigenvalue
    found = [
        (survey.store, key, run.run.spec, settings)
        for survey in surveys
        for shard in survey.plan.shards
        if shard.kind == "probe"
        for key, run, settings in zip(
            shard.probe_keys, shard.runs, shard.job.parts["settings"], strict=True
        )
        if key in survey.probes and cost.probe_products(settings, rates) == per_value
    ]
    one = replace(rates, products_per_checkpoint=1.0)
    needed = [
        record["seconds"] / cost.probe_seconds(spec, settings, one)
        for store, key, spec, settings in _sample(found)
        for record in _record(store, "probes", key)
        if record["provenance"]["device"] == device
    ]
    return median(needed) if needed else rates.products_per_checkpoint


def _sample(found: Sequence[tuple]) -> Sequence[tuple]:
    """At most `SAMPLE` of them, evenly spread: cells of all sizes are among them."""
    return found[:: max(1, math.ceil(len(found) / SAMPLE))]


def _record(store: Store, kind: str, key: str) -> Iterator[dict]:
    """The record of an entry; nothing where it cannot be read or has no duration."""
    try:
        entry = store.get(kind, key)
    except DamagedEntry:
        return
    if entry is not None and entry.record.get("seconds", 0) > 0:
        yield dict(entry.record)


def main_device(measured: dict[str, list[Measured]]) -> str:
    """The device on which most was run."""
    return Counter({device: len(runs) for device, runs in measured.items()}).most_common(1)[0][0]


def write(file: Path, rates: cost.Rates, origin: str) -> None:
    """Put the rates in place for planning."""
    values = {name: float(f"{value:.4g}") for name, value in asdict(rates).items()}
    text = f"# Written by `hypertransfer calibrate`: {origin}.\n{yaml.safe_dump(values)}"
    replace_atomically(file, text.encode())
