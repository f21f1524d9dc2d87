"""Fit the rates of the cost model to the runs of a store, and measure the error of estimates."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median, quantiles

import yaml

from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.lazy import optimize
from hypertransfer.planning import cost, flops
from hypertransfer.planning.status import Survey
from hypertransfer.runs.spec import RunSpec
from hypertransfer.storage.atomic import replace_atomically
from hypertransfer.storage.run_store import DamagedEntry, Store

SAMPLE = 500  # largest number of entries to read
FEWEST = 5  # least number of runs to which the two rates are fitted


@dataclass(frozen=True)
class Timing:
    """The time that a stored run took, with its floating-point operations and steps."""

    device: str
    operations: float
    steps: float
    seconds: float

    def estimate(self, rates: cost.Rates) -> float:
        """The seconds that the cost model predicts."""
        return rates.seconds(self.operations, self.steps)


@dataclass(frozen=True)
class EstimateError:
    """The factors by which estimates are too high or too low.

    Attributes:
        typical: the median of the factors.
        most: the 9th decile of the factors.
        count: the number of runs.
    """

    typical: float
    most: float
    count: int

    def __str__(self) -> str:
        return f"off by {self.typical:.2f}× typically, 9 in 10 within {self.most:.2f}×"


def estimate_error(timings: Sequence[Timing], rates: cost.Rates) -> EstimateError:
    """The error of the estimates for runs, of which there must be at least one."""
    factors = [
        math.exp(abs(math.log(timing.estimate(rates) / timing.seconds))) for timing in timings
    ]
    most = quantiles(factors, n=10)[-1] if len(factors) > 1 else factors[0]
    return EstimateError(median(factors), max(most, median(factors)), len(factors))


def fit(timings: Sequence[Timing], rates: cost.Rates) -> cost.Rates:
    """The rates of least relative error, by non-negative least squares.

    If the fitted time per operation is zero, `operations_per_second` stays as in `rates`.
    """
    terms = np.array([[timing.operations, timing.steps] for timing in timings])
    seconds = np.array([timing.seconds for timing in timings])
    relative = terms / seconds[:, None]
    (per_operation, per_step), _ = optimize.nnls(relative, np.ones(len(seconds)))
    fitted = replace(rates, seconds_per_step=float(per_step))
    if not per_operation:
        return fitted
    return replace(fitted, operations_per_second=float(1 / per_operation))


def trainings(surveys: Iterable[Survey]) -> dict[str, list[Timing]]:
    """The timings of stored runs of the plans, by device; at most `SAMPLE` runs are read."""
    stored = [
        (survey.store, run.key, run.run.spec)
        for survey in surveys
        for runs in survey.plan.runs.values()
        for run in runs
        if run.key in survey.runs
    ]
    timings: dict[str, list[Timing]] = {}
    for store, key, spec in _sample(stored):
        for record in _record(store, "runs", key):
            device, steps = record["provenance"]["device"], record["steps_done"]
            operations = flops.train_flops(spec) * steps / spec.steps
            timings.setdefault(device, []).append(
                Timing(device, operations, steps, record["seconds"])
            )
    return timings


def products(surveys: Iterable[Survey], rates: cost.Rates, device: str) -> float:
    """The number of Hessian-vector products at a checkpoint that explains the times of probes.

    The result is the median over stored probes that find one eigenvalue on the device; without such
    probes, the rate in `rates`.
    """
    per_value = rates.products_per_checkpoint  # for probes that find one eigenvalue
    stored = [
        (survey.store, key, specs[run["key"]], settings)
        for survey in surveys
        for specs in [_specs(survey)]
        for job in survey.plan.probe_jobs
        for key, run, settings in zip(
            job.probe_keys, job.parts["runs"], job.parts["settings"], strict=True
        )
        if key in survey.probes and cost.probe_products(settings, rates) == per_value
    ]
    single = replace(rates, products_per_checkpoint=1.0)
    needed = [
        record["seconds"] / cost.probe_seconds(spec, settings, single)
        for store, key, spec, settings in _sample(stored)
        for record in _record(store, "probes", key)
        if record["provenance"]["device"] == device
    ]
    return median(needed) if needed else rates.products_per_checkpoint


def _specs(survey: Survey) -> dict[str, RunSpec]:
    """The specs of all runs of the plan, by run key."""
    return {run.key: run.run.spec for runs in survey.plan.runs.values() for run in runs}


def _sample(stored: Sequence[tuple]) -> Sequence[tuple]:
    """At most `SAMPLE` of the entries, evenly spaced, so that cells of all sizes are included."""
    return stored[:: max(1, math.ceil(len(stored) / SAMPLE))]


def _record(store: Store, kind: str, key: str) -> Iterator[dict]:
    """Yield the record of an entry, unless the record cannot be read or has no duration."""
    try:
        entry = store.get(kind, key)
    except DamagedEntry:
        return
    if entry is not None and entry.record.get("seconds", 0) > 0:
        yield dict(entry.record)


def main_device(timings: dict[str, list[Timing]]) -> str:
    """The device with the largest number of runs."""
    return Counter({device: len(runs) for device, runs in timings.items()}).most_common(1)[0][0]


def write(file: Path, rates: cost.Rates, origin: str) -> None:
    """Write the rates to the file that planning reads; `origin` becomes a comment in the file."""
    values = {name: float(f"{value:.4g}") for name, value in asdict(rates).items()}
    text = f"# Written by `hypertransfer calibrate`: {origin}.\n{yaml.safe_dump(values)}"
    replace_atomically(file, text.encode())
