"""The next look of a study: what the looks before it decided, and bounds on what it may add."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from hypertransfer.planning.look_jobs import LookJobs, Place
from hypertransfer.planning.planned_runs import PlannedRun
from hypertransfer.planning.round_status import RoundStatus


@dataclass(frozen=True)
class ClaimStatus:
    """What a look decided on a claim: its seeds then, whether it got more, and why."""

    claim: str
    seeds: int
    extended: bool
    reason: str


@dataclass(frozen=True)
class LookStatus:
    """The next look of a study.

    Attributes:
        number: the first look that is not decided; the number of looks plus 1 if all are.
        looks: the number of looks.
        asked: the keys of all runs that the decided looks have listed.
        decided: what the last decided look found for each claim; empty if none is decided.
        later_runs: a bound on the runs that the next look and later ones may list.
        later_seconds: a bound on the estimated time of these runs and of their probes.
        candidates: the keys of the runs from which these looks choose.
    """

    number: int
    looks: int
    asked: frozenset[str]
    decided: Sequence[ClaimStatus]
    later_runs: int
    later_seconds: float
    candidates: frozenset[str]


def next_look(jobs: LookJobs, rounds: Mapping[str, RoundStatus]) -> LookStatus | None:
    """The next look of a study; None if the study has no spending.

    A look is decided if its file exists, which the file's name makes sure is of this config.

    Args:
        jobs: the jobs of all looks.
        rounds: the next round of each grid with an adaptive axis.
    """
    if not jobs.looks:
        return None
    decisions: list[Mapping[str, Any]] = []
    for look in jobs.looks:
        decision = _decision(look.allocation.file)
        if decision is None:
            break
        decisions.append(decision)
    asked = frozenset(key for decision in decisions for key in decision["keys"])
    found = [
        ClaimStatus(row["claim"], row["seeds"], row["extended"], row["reason"])
        for row in (decisions[-1]["claims"] if decisions else ())
    ]
    number = len(decisions) + 1
    over = number > len(jobs.looks)
    later = (0, 0.0, frozenset()) if over else _later(jobs, rounds, asked)
    return LookStatus(number, len(jobs.looks), asked, found, *later)


def _decision(file: str) -> Mapping[str, Any] | None:
    """The decision in a file of a look; None if there is none, or if the file is damaged."""
    try:
        decision = json.loads(Path(file).read_text(encoding="utf-8"))
        rows = [dict(row) for row in decision["claims"]]
        names = ("claim", "seeds", "extended", "reason")
        whole = all(row.keys() >= {*names} for row in rows)
        return {"keys": frozenset(decision["keys"]), "claims": rows} if whole else None
    except (OSError, ValueError, KeyError, TypeError):  # Snakemake makes the file again
        return None


def _later(
    jobs: LookJobs, rounds: Mapping[str, RoundStatus], asked: Collection[str]
) -> tuple[int, float, frozenset[str]]:
    """Bounds on the runs that looks may still list and on their seconds, and what they choose from.

    Looks add seeds to places at which the first number of seeds ran. These are known once all
    rounds have been run; before, all places are counted, and of rounds what surely runs. The
    cheapest runs are counted first, so that no choice of runs has more.
    """
    places = [place for place in jobs.places if place.numbers and place.claims]
    if all(found.number > found.rounds for found in rounds.values()):
        ran = _sure_keys(jobs).union(asked, *(found.asked for found in rounds.values()))
        spent = jobs.fixed_seconds + sum(jobs.seconds.get(key, 0.0) for key in ran)
        places = [p for p in places if all(run.key in ran for run in p.runs if _is_first(p, run))]
    else:
        ran = frozenset(asked)
        spent = sure_seconds(jobs) + sum(jobs.seconds.get(key, 0.0) for key in ran)
    left = max(jobs.study.spending.seconds - spent, 0.0)
    candidates = {run.key for place in places for run in place.runs if not _is_first(place, run)}
    open_keys = frozenset(candidates - ran)
    seconds = sorted(jobs.seconds[key] for key in open_keys)
    runs = sum(spent <= left for spent in accumulate(seconds))
    return runs, min(sum(seconds), left) if runs else 0.0, open_keys


def _is_first(place: Place, run: PlannedRun) -> bool:
    """Whether the seed of a run is below the first number, so that rounds or the plan run it."""
    return not place.numbers or run.run.spec.seed < place.numbers[0]


def _sure_keys(jobs: LookJobs) -> frozenset[str]:
    """The keys of the runs of places that surely run, in grids without an adaptive axis."""
    return frozenset(
        run.key
        for place in jobs.places
        if place.grid not in jobs.rounds.grids
        for run in place.runs
        if _is_first(place, run)
    )


def sure_seconds(jobs: LookJobs) -> float:
    """The least estimated seconds of what surely runs, with probes.

    Of an arm with an adaptive axis, the first round with one seed surely runs.
    """
    of_arms = (
        arm.least_runs * min(jobs.seconds[run.key] for run in arm.runs)
        for grid in jobs.rounds.grids.values()
        for arm in grid.arms
    )
    listed = sum(jobs.seconds[key] for key in _sure_keys(jobs))
    return jobs.fixed_seconds + listed + sum(of_arms)
