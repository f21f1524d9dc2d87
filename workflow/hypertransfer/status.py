"""What a plan means against a store: what is there, what is missing, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypertransfer import keys
from hypertransfer.plan import PlannedRun, Shard, StudyPlan
from hypertransfer.spec import canonical
from hypertransfer.store import DamagedEntry, Store


@dataclass(frozen=True)
class GridStatus:
    """Counts of one grid: runs, cells and jobs, what is in the store, seconds still to train."""

    study: str
    grid: str
    runs: int
    cells: int
    jobs: int
    present: int
    probes: int
    probes_present: int
    seconds: float

    @property
    def missing(self) -> int:
        """Runs that have to be trained."""
        return self.runs - self.present


def grids(plan: StudyPlan, store: Store) -> Iterator[GridStatus]:
    """The status of each grid of a study."""
    for name, runs in plan.runs.items():
        shards = [shard for shard in plan.shards if shard.job.parts["grid"] == name]
        missing = [run for run in runs if not store.has("runs", run.key)]
        probe_keys = [key for shard in shards for key in shard.probe_keys]
        seconds = sum(run.seconds for run in missing)
        seconds += sum(_probe_seconds(shard, store) for shard in shards if shard.probe_keys)
        yield GridStatus(
            study=plan.name,
            grid=name,
            runs=len(runs),
            cells=sum(cell.grid == name for cell in plan.cells),
            jobs=len(shards),
            present=len(runs) - len(missing),
            probes=len(probe_keys),
            probes_present=sum(store.has("probes", key) for key in probe_keys),
            seconds=seconds,
        )


def _probe_seconds(shard: Shard, store: Store) -> float:
    absent = sum(not store.has("probes", key) for key in shard.probe_keys)
    return shard.seconds * absent / len(shard.probe_keys)


def reasons(plan: StudyPlan, store: Store) -> Counter[str]:
    """Why runs and probes are missing, with how many are missing for each reason."""
    found: Counter[str] = Counter()
    for name, runs in plan.runs.items():
        missing = [run for run in runs if not store.has("runs", run.key)]
        fresh = []
        for run in missing:
            reason = _changed(store, run)
            if reason:
                found[f"{name}: {reason}"] += 1
            else:
                fresh.append(run)
        for reason, count in _new_values(runs, fresh, store).items():
            found[f"{name}: {reason}"] += count
    return found


def _changed(store: Store, run: PlannedRun) -> str:
    """What differs from a stored run of the same spec; empty where there is none."""
    others = store.contexts("runs", run.key)
    if not others:
        return ""
    wanted = keys.context(run.run.spec)
    differences = [_difference(wanted, _context(store, other)) for other in others]
    return min(differences, key=len)


def _context(store: Store, key: str) -> Mapping[str, Any]:
    try:
        entry = store.get("runs", key)
        found = entry.record["context"] if entry else {}
        return found if isinstance(found, dict) and isinstance(found.get("code"), dict) else {}
    except (ValueError, KeyError, DamagedEntry):
        return {}


def _difference(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    if not found:
        return "the stored run cannot be read"
    parts = []
    code, old = wanted["code"], found.get("code", {})
    if modules := sorted(m for m in {*code, *old} if code.get(m) != old.get(m)):
        parts.append(f"changed code: {', '.join(modules)}")
    words = {"data": "changed data", "table": "changed parameterisation", "parts": "other parts"}
    parts += [text for name, text in words.items() if wanted[name] != found.get(name)]
    return "; ".join(parts) or "another context"


def _new_values(
    runs: Sequence[PlannedRun], fresh: Sequence[PlannedRun], store: Store
) -> Counter[str]:
    """New runs by the axis values that no stored run of the grid has."""
    stored = [run for run in runs if store.has("runs", run.key)]
    if not stored:
        return Counter({"not run yet": len(fresh)} if fresh else {})
    seen = {(axis, canonical(v)) for run in stored for axis, v in run.run.point.items()}
    found: Counter[str] = Counter()
    for run in fresh:
        new = [
            f"{axis} = {value}"
            for axis, value in run.run.point.items()
            if (axis, canonical(value)) not in seen
        ]
        found[f"new value: {', '.join(new)}" if new else "new combination of values"] += 1
    return found
