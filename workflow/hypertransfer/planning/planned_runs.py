"""The runs of a plan: their keys and estimated durations, and the weights that they keep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypertransfer.runs.canonical import canonical
from hypertransfer.runs.spec import FIELDS, RunSpec
from hypertransfer.studies import placed_run

Keep = Mapping[str, Sequence[int]]  # run key → steps after which the run keeps its weights


@dataclass(frozen=True)
class PlannedRun:
    """A run of a grid with its key and its estimated duration in seconds."""

    key: str
    run: placed_run.Run
    seconds: float


def steps_to_keep(runs: Iterable[PlannedRun]) -> dict[str, list[int]]:
    """The steps at which weights are kept, by run key.

    A run that belongs to several grids keeps the weights that any of these grids asks for. A run
    that keeps no weights has no entry.
    """
    steps: dict[str, set[int]] = {}
    for planned in runs:
        if planned.run.spec.checkpoints:
            steps.setdefault(planned.key, set()).update(planned.run.spec.checkpoints)
    return {key: sorted(kept) for key, kept in steps.items()}


def parts_of_runs(
    runs: Sequence[PlannedRun], points: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The runs of a job as plain values; `points` are the points of the runs as tables hold them.

    `shared` has the fields with equal values in all specs, and `runs` the key, the point, and the
    other fields of each run. `checkpoints` is left out, since kept steps do not belong to a run's
    key.
    """
    specs = [planned.run.spec for planned in runs]
    shared = {name: specs[0].plain_value(name) for name in SETTINGS if _is_shared(name, specs)}
    varied = [name for name in SETTINGS if name not in shared]
    own = [
        {
            "key": planned.key,
            "point": dict(point),
            "own": {name: planned.run.spec.plain_value(name) for name in varied},
        }
        for planned, point in zip(runs, points, strict=True)
    ]
    return {"shared": shared, "runs": own}


SETTINGS = tuple(name for name in FIELDS if name != "checkpoints")


def _is_shared(name: str, specs: Sequence[RunSpec]) -> bool:
    """Whether a field has the same text in all specs; 1 and 1.0 are different texts."""
    first = getattr(specs[0], name)
    others = [spec for spec in specs if getattr(spec, name) is not first]
    if not others:
        return True
    text = canonical(specs[0].plain_value(name))
    return all(canonical(spec.plain_value(name)) == text for spec in others)
