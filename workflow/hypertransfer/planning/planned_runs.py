"""The runs of a plan: their keys and estimated durations, and the weights that they keep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hypertransfer.planning import cost
from hypertransfer.runs.canonical import canonical
from hypertransfer.runs.spec import FIELDS, RunSpec
from hypertransfer.studies import placed_run

Keep = Mapping[str, Sequence[int]]  # run key → steps after which the run keeps its weights
Passing = Mapping[str, Mapping[str, Sequence[int]]]  # run key → probe key → steps


@dataclass(frozen=True)
class PlannedRun:
    """A run of a grid with its key and its estimated duration in seconds."""

    key: str
    run: placed_run.Run
    seconds: float

    @cached_property
    def passing(self) -> float:
        """A bound on the bytes of the weights that the run writes for its grid's probes alone.

        Weights that only timed probes read count, although they are not written.
        """
        return cost.passing_bytes(self.run.spec, self.run.written, self.seconds)


@dataclass(frozen=True)
class KeptWeights:
    """The steps at which the store holds weights of runs, over all studies of a plan.

    Attributes:
        keep: the steps at which a run keeps its weights in its own entry.
        passing: the steps at which each probe reads weights that have entries of their own. These
            entries are removed once the store has the results of all these probes. Timed probes
            are not among them: they wait for whole grids, and train again instead.
    """

    keep: Keep = field(default_factory=dict)
    passing: Passing = field(default_factory=dict)

    def of(self, runs: Iterable[PlannedRun]) -> KeptWeights:
        """The part for some runs."""
        keys = [planned.key for planned in runs]
        return KeptWeights(
            {key: self.keep[key] for key in keys if key in self.keep},
            {key: self.passing[key] for key in keys if key in self.passing},
        )

    def passing_steps(self, run: str) -> set[int]:
        """The steps at which a run's weights have entries of their own."""
        return {step for steps in self.passing.get(run, {}).values() for step in steps}

    def steps(self, run: str) -> set[int]:
        """The steps at which a run's weights are held, in whichever entry."""
        return {*self.keep.get(run, ()), *self.passing_steps(run)}

    def count(self, run: str) -> int:
        """The number of steps at which a run's weights are held, in whichever entry."""
        return len(self.steps(run))


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
