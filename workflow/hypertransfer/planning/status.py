"""Compare a plan with a run store: stored and missing runs, and reasons for missing runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any

from hypertransfer.planning import cost, keys
from hypertransfer.planning.jobs import PlannedJob
from hypertransfer.planning.look_status import LookStatus, next_look
from hypertransfer.planning.planned_runs import PlannedRun
from hypertransfer.planning.round_status import RoundStatus, next_round
from hypertransfer.planning.study_plan import StudyPlan
from hypertransfer.runs.canonical import canonical
from hypertransfer.storage.run_store import DamagedEntry, Store
from hypertransfer.studies.searches import TRANSFER
from hypertransfer.studies.spending import is_sure


@dataclass(frozen=True)
class GridStatus:
    """The counts of a grid or a search, and the estimated time of its missing runs and probes.

    For a grid with an adaptive axis, runs and seconds are bounds: `is_bound` is true.
    """

    study: str
    grid: str
    runs: int
    cells: int
    jobs: int
    present: int  # stored runs
    probes: int
    probes_present: int  # stored probes
    seconds: float  # estimate for missing runs and probes, on one core
    is_bound: bool = False

    @property
    def missing(self) -> int:
        """The number of runs that have to be trained."""
        return self.runs - self.present


@dataclass(frozen=True)
class Survey:
    """A plan compared with a store.

    Attributes:
        plan: the plan of a study.
        store: the run store.
        runs: keys of the planned runs that the store has.
        probes: keys of the planned probes that the store has.
        lacking: steps at which stored runs lack weights for missing probes, by run key.
        rounds: the next round of each grid with an adaptive axis.
        look: the next look; None if the study has no spending.
    """

    plan: StudyPlan
    store: Store
    runs: frozenset[str]
    probes: frozenset[str]
    lacking: Mapping[str, frozenset[int]]
    rounds: Mapping[str, RoundStatus]
    look: LookStatus | None = None

    def asked(self, grid: str) -> Sequence[PlannedRun]:
        """The runs of a grid that are known to run.

        Of a grid with an adaptive axis, these are the runs of its rounds up to the next one; of
        seeds as needed, those that surely run, and those that looks have listed.
        """
        runs, looked = self.plan.runs[grid], self.look.asked if self.look else frozenset()
        if grid in self.rounds:
            known = self.rounds[grid].asked | looked
            return [run for run in runs if run.key in known]
        section = self.plan.study.grids[grid]
        return [run for run in runs if run.key in looked or is_sure(section, run.run.point)]


def survey(plan: StudyPlan, store: Store) -> Survey:
    """Look up every run and probe of a plan in the store, with one file access for each."""
    keys_of_runs = (run.key for members in plan.runs.values() for run in members)
    keys_of_probes = (key for job in plan.probe_jobs for key in job.probe_keys)
    runs = frozenset(key for key in keys_of_runs if store.has("runs", key))
    probes = frozenset(key for key in keys_of_probes if store.has("probes", key))
    rounds = {name: next_round(grid, store) for name, grid in plan.rounds.grids.items()}
    lacking = _lacking_weights(plan, store, runs, probes)
    return Survey(plan, store, runs, probes, lacking, rounds, next_look(plan.looks, rounds))


def _lacking_weights(
    plan: StudyPlan, store: Store, runs: Container[str], probes: Container[str]
) -> dict[str, frozenset[int]]:
    """The steps at which stored runs lack weights for missing probes, by run key.

    Only records of runs with a missing probe are read.
    """
    steps: dict[str, set[int]] = {}
    for job in plan.probe_jobs:
        for run, key, settings in zip(
            job.parts["runs"], job.probe_keys, job.parts["settings"], strict=True
        ):
            if key not in probes and run["key"] in runs:
                steps.setdefault(run["key"], set()).update(settings["checkpoints"])
    lacking = {run: _lacking_of_run(store, run, wanted) for run, wanted in steps.items()}
    return {run: missing for run, missing in lacking.items() if missing}


def _lacking_of_run(store: Store, run: str, steps: set[int]) -> frozenset[int]:
    try:
        entry = store.get("runs", run)
        lacking = keys.lacking_weights(steps, entry.record) if entry else ()
    except (DamagedEntry, KeyError, TypeError):  # a job trains a damaged run again
        return frozenset()
    return frozenset(
        step for step in lacking if not store.has("weights", keys.weights_key(run, step))
    )


def grids(found: Survey) -> Iterator[GridStatus]:
    """The status of each grid of a study."""
    plan = found.plan
    cells = Counter(cell.grid for cell in plan.cells)
    for name in plan.runs:
        runs = found.asked(name)
        train_jobs = [job for job in plan.train_jobs if job.parts["grid"] == name]
        probe_jobs = [job for job in plan.probe_jobs if job.parts["grid"] == name]
        measured = _probes(plan, probe_jobs, runs)
        later = found.rounds.get(name)
        seconds = sum(
            run.seconds for run in runs if run.key not in found.runs or run.key in found.lacking
        )
        if later and later.later_runs:  # their probes are not known
            seconds += later.later_seconds + sum(job.seconds for job in probe_jobs)
        else:
            seconds += sum(measured[key] for key in measured.keys() - found.probes)
        yield GridStatus(
            study=plan.name,
            grid=name,
            runs=len(runs) + (later.later_runs if later else 0),
            cells=cells[name],
            jobs=len(train_jobs) + len(probe_jobs),
            present=sum(run.key in found.runs for run in runs),
            probes=len(measured),
            probes_present=sum(key in found.probes for key in measured),
            seconds=seconds,
            is_bound=bool(later and later.later_runs),
        )


def timed(found: Survey) -> tuple[int, float]:
    """The number of jobs of timed probes with missing results, and the seconds of these results.

    No other job of a local run runs beside such a job.
    """
    jobs = [job for job in found.plan.probe_jobs if job.rule == "probe_timed"]
    missing = [job for job in jobs if not found.probes.issuperset(job.probe_keys)]
    runs = [run for job in missing for run in found.plan.runs[job.parts["grid"]]]
    estimates = _probes(found.plan, missing, runs)
    return len(missing), sum(estimates[key] for key in estimates.keys() - found.probes)


def searches(plan: StudyPlan) -> Iterator[GridStatus]:
    """The status of the trials of each search, and of its transfer runs if it has any."""
    for name, search in plan.study.searches.items():
        jobs = [job for job in plan.search_jobs if job.parts["search"] == name]
        trials = [job for job in jobs if job.rule == "search_generations"]
        cells = len(search.settings.methods) * search.settings.repeats
        numbers = [job.parts["generations"] for job in trials]
        runs = [(end - first) * search.settings.trials for first, end in numbers]
        yield _search_status(plan.name, name, trials, cells, runs)
        if transfers := [job for job in jobs if job.rule == "carry_over"]:
            runs = [len(list(search.transfer_runs()))]
            yield _search_status(plan.name, name + TRANSFER, transfers, 1, runs)


def _search_status(
    study: str, grid: str, jobs: Sequence[PlannedJob], cells: int, runs: Sequence[int]
) -> GridStatus:
    """The status of jobs of a search, with the numbers of runs of each."""
    done = [Path(job.file).is_file() for job in jobs]
    return GridStatus(
        study=study,
        grid=grid,
        runs=sum(runs),
        cells=cells,
        jobs=len(jobs),
        present=sum(compress(runs, done)),
        probes=0,
        probes_present=0,
        seconds=sum(job.seconds for job, there in zip(jobs, done, strict=True) if not there),
    )


def _probes(
    plan: StudyPlan, jobs: Sequence[PlannedJob], runs: Sequence[PlannedRun]
) -> dict[str, float]:
    """The estimated seconds of each probe of some runs, by the key of the probe."""
    specs = {run.key: run.run.spec for run in runs}
    return {
        key: cost.probe_seconds(specs[run["key"]], settings, plan.rates)
        for job in jobs
        for run, key, settings in zip(
            job.parts["runs"], job.probe_keys, job.parts["settings"], strict=True
        )
        if run["key"] in specs
    }


def reasons(found: Survey) -> Counter[str]:
    """The reasons why runs are trained, with the number of runs for each reason."""
    counts: Counter[str] = Counter()
    changes = _Changes(found.store)
    for name in found.plan.runs:
        runs = found.asked(name)
        fresh = []
        for run in runs:
            if run.key in found.runs:
                continue
            if reason := changes.of(run):
                counts[f"{name}: {reason}"] += 1
            else:
                fresh.append(run)
        stored = [run for run in runs if run.key in found.runs]
        for reason, count in _new_values(stored, fresh).items():
            counts[f"{name}: {reason}"] += count
        if again := {run.key for run in runs if run.key in found.lacking}:
            steps = ", ".join(map(str, sorted(frozenset.union(*map(found.lacking.get, again)))))
            reason = f"trained again, because weights at steps {steps} were not kept"
            counts[f"{name}: {reason}"] += len(again)
    return counts


class _Changes:
    """The changes since stored runs of the same spec; each pair of contexts is compared once."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._known: dict[tuple[str, str], str] = {}

    def of(self, run: PlannedRun) -> str:
        """The smallest change since the run was stored; empty if it was never stored."""
        others = self.store.contexts("runs", run.key)
        return min((self._change(run, other) for other in others), key=len, default="")

    def _change(self, run: PlannedRun, other: str) -> str:
        pair = (run.key.partition("-")[2], other.partition("-")[2])
        if pair not in self._known:
            wanted = keys.context(run.run.spec)
            self._known[pair] = _difference(wanted, _context(self.store, other))
        return self._known[pair]


def _context(store: Store, key: str) -> Mapping[str, Any]:
    try:
        entry = store.get("runs", key)
        found = entry.record["context"] if entry else {}
        return found if isinstance(found, dict) and isinstance(found.get("code"), dict) else {}
    except (ValueError, KeyError, DamagedEntry):
        return {}


def _difference(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    if not found:
        return "the record of the stored run cannot be read"
    parts = []
    code, old = wanted["code"], found.get("code", {})
    if modules := sorted(m for m in {*code, *old} if code.get(m) != old.get(m)):
        parts.append(f"changed code: {', '.join(modules)}")
    words = {
        "data": "changed data set",
        "table": "changed parameterisation",
        "packages": "other versions of packages",
        "parts": "other model, optimizer or data set of the same name",
    }
    parts += [text for name, text in words.items() if wanted.get(name) != found.get(name)]
    return "; ".join(parts) or "unknown difference from the stored run"


def _new_values(stored: Sequence[PlannedRun], fresh: Sequence[PlannedRun]) -> Counter[str]:
    """The number of new runs by the values of axes that no stored run of the grid has."""
    if not stored:
        return Counter({"not run yet": len(fresh)} if fresh else {})
    seen = {(axis, canonical(v)) for run in stored for axis, v in run.run.point.items()}
    counts: Counter[str] = Counter()
    for run in fresh:
        new = [
            f"{axis} = {value}"
            for axis, value in run.run.point.items()
            if (axis, canonical(value)) not in seen
        ]
        counts[f"new value: {', '.join(new)}" if new else "new combination of values"] += 1
    return counts
