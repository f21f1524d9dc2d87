"""The runs of a plan: their keys and estimated durations, and the weights that they keep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypertransfer.runs.canonical import canonical
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

    A run that stands in several grids keeps the weights that any of these grids asks for. Runs
    that keep no weights have no entry.
    """
    steps: dict[str, set[int]] = {}
    for planned in runs:
        if planned.run.spec.checkpoints:
            steps.setdefault(planned.key, set()).update(planned.run.spec.checkpoints)
    return {key: sorted(kept) for key, kept in steps.items()}


def parts_of_runs(runs: Sequence[PlannedRun]) -> dict[str, Any]:
    """The runs of a job as plain values: `shared` holds what all specs share, `runs` the rest.

    The specs are without `checkpoints`, because the kept steps are no part of a run's key.
    """
    specs = [_identity(planned) for planned in runs]
    texts = {name: canonical(value) for name, value in specs[0].items()}
    shared = {
        name: value
        for name, value in specs[0].items()
        if all(other[name] is value or canonical(other[name]) == texts[name] for other in specs)
    }
    own = [
        {
            "key": planned.key,
            "point": dict(planned.run.point),
            "own": {name: value for name, value in spec.items() if name not in shared},
        }
        for planned, spec in zip(runs, specs, strict=True)
    ]
    return {"shared": shared, "runs": own}


def _identity(planned: PlannedRun) -> dict[str, Any]:
    plain = planned.run.spec.plain()
    del plain["checkpoints"]
    return plain
