"""Which weights of runs stay in the store, and which pass through it.

Probes read weights at the steps that they ask for. Most weights are small beside the time that
their training took, and stay in the entry of their run. Those of short trainings of large networks
would fill the disk: they have entries of their own, which are removed once every probe has read
them. A timed probe would read them only after all trainings of its grid: nothing is written for
it, and its job trains again, which takes less than a second for each 10 MB. Checkpoints that the
config lists for a run always stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from hypertransfer.planning import cost
from hypertransfer.planning.planned_runs import KeptWeights, PlannedRun

if TYPE_CHECKING:
    from hypertransfer.planning.study_plan import StudyPlan


def kept_weights(plans: Sequence[StudyPlan]) -> KeptWeights:
    """The weights that runs keep, and those that pass through the store, over all plans.

    A run that belongs to several grids has the weights that any of these grids asks for.
    """
    keep, heavy = divided(run for plan in plans for runs in plan.runs.values() for run in runs)
    passing: dict[str, dict[str, list[int]]] = {}
    for plan in plans if heavy else ():
        for run, probe, asked in plan.readers(heavy):
            if steps := sorted(heavy[run].intersection(asked)):
                passing.setdefault(run, {})[probe] = steps
    return KeptWeights(keep, passing)


def divided(runs: Iterable[PlannedRun]) -> tuple[dict[str, list[int]], dict[str, set[int]]]:
    """The steps at which runs keep their weights, and those whose weights pass through, by key.

    Runs without such steps are left out.
    """
    asked: dict[str, set[int]] = {}
    written: dict[str, set[int]] = {}
    planned: dict[str, PlannedRun] = {}
    for run in runs:
        if run.run.spec.checkpoints:
            asked.setdefault(run.key, set()).update(run.run.spec.checkpoints)
            written.setdefault(run.key, set()).update(run.run.written)
            planned[run.key] = run
    keep: dict[str, list[int]] = {}
    heavy: dict[str, set[int]] = {}
    for key, run in planned.items():
        probed = asked[key] - written[key]
        if not cost.are_kept(run.run.spec, probed, run.seconds):
            heavy[key] = probed
        if kept := asked[key] - heavy.get(key, set()):
            keep[key] = sorted(kept)
    return keep, heavy
