"""Estimates of the disk space that the runs and probes of studies take in the store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import nlargest

from hypertransfer.planning import cost
from hypertransfer.planning.jobs import PlannedJob
from hypertransfer.planning.planned_runs import PlannedRun
from hypertransfer.planning.status import GridStatus, Survey


@dataclass(frozen=True)
class Disk:
    """Estimated bytes in the store.

    Attributes:
        kept: bytes that stay: records, histories, results of probes, and kept weights.
        passing: bytes of weights that are there while jobs run, and are then removed.
    """

    kept: float
    passing: float


def disk(surveys: Sequence[Survey], rows: Iterable[GridStatus], jobs: int) -> Disk:
    """The disk space of all runs and probes of a plan, with bounds for rounds and looks.

    Args:
        surveys: the plan of each study, compared with the store.
        rows: the grids and searches of the plan.
        jobs: the number of jobs that run at the same time.
    """
    kept = sum(row.runs * cost.RUN_BYTES + row.probes * cost.PROBE_BYTES for row in rows)
    seen: set[str] = set()
    kept += sum(_kept_weights(found, seen) for found in surveys)
    # Probes that have weights removed run before further trainings.
    passing = [_passing_weights(found, job) for found in surveys for job in found.plan.train_jobs]
    return Disk(kept, sum(nlargest(jobs, passing)))


def _kept_weights(found: Survey, seen: set[str]) -> float:
    """The bytes of the weights that runs of a study keep, without the runs in `seen`."""
    plan, total, look = found.plan, 0.0, found.look

    def size(run: PlannedRun) -> float:
        return cost.weights_bytes(run.run.spec, plan.weights.keep.get(run.key, ()))

    for name, runs in plan.runs.items():
        own = [run for run in found.asked(name) if run.key not in seen]
        seen.update(run.key for run in own)
        total += sum(map(size, own))
        if (later := found.rounds.get(name)) and later.later_runs:
            others = [run for run in runs if run.key not in seen]
            total += sum(nlargest(later.later_runs, map(size, others)))
    if look and look.later_runs:
        chosen = {run.key: run for runs in plan.runs.values() for run in runs}
        sizes = [size(chosen[key]) for key in look.candidates if key not in seen]
        total += sum(nlargest(look.later_runs, sizes)) + look.later_runs * cost.RUN_BYTES
    return total


def _passing_weights(found: Survey, job: PlannedJob) -> float:
    """The bytes of weights that a training job writes for probes that are missing."""
    if not job.weights.passing:
        return 0.0
    planned = {run.key: run for run in found.plan.runs[job.parts["grid"]]}
    runs = [planned[run["key"]] for run in job.parts["runs"]]
    total = 0.0
    for run in runs:
        readers = job.weights.passing.get(run.key, {})
        steps = {s for key, at in readers.items() if not _is_stored(found, key) for s in at}
        total += cost.weights_bytes(run.run.spec, steps)
    # A job of a round or a look trains a part of the runs that it may train.
    return total * min(1.0, job.seconds / sum(run.seconds for run in runs))


def _is_stored(found: Survey, probe: str) -> bool:
    return probe in found.probes or found.store.has("probes", probe)
