"""The next look of a study: what the looks before it decided, and bounds on what it may add."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from hypertransfer.planning.look_jobs import LookJobs, Place


@dataclass(frozen=True)
class ClaimStatus:
    """What a look decided on a claim: its seeds then, whether it got more, and why."""

    claim: str
    seeds: int
    extended: bool
    reason: str


@dataclass(frozen=True)
class Bound:
    """A bound on runs, and on the seconds of their training and of their probes."""

    runs: int
    train_seconds: float
    probe_seconds: float


@dataclass(frozen=True)
class LookStatus:
    """The next look of a study.

    Attributes:
        number: the first look that is not decided; the number of looks plus 1 if all are.
        looks: the number of looks.
        asked: the keys of all runs that the decided looks have listed.
        decided: what the last decided look found for each claim; empty if none is decided.
        later: by grid, a bound on the runs that the next look and later ones may list. The bounds
            of the grids do not add up, as the grids share the budget.
        in_all: the same for all grids together.
    """

    number: int
    looks: int
    asked: frozenset[str]
    decided: Sequence[ClaimStatus]
    later: Mapping[str, Bound]
    in_all: Bound


def next_look(jobs: LookJobs) -> LookStatus | None:
    """The next look of a study; None if the study has no spending.

    A look is decided if its file exists, which the file's name makes sure is of this config.
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
    open_places = [place for place in jobs.places if place.claims and place.numbers]
    done = number > len(jobs.looks)
    left = 0.0 if done else jobs.study.spending.seconds - _sure_seconds(jobs, asked)
    later = {} if done else _by_grid(jobs, open_places, asked, left)
    in_all = _bound(jobs, [] if done else open_places, asked, left)
    return LookStatus(number, len(jobs.looks), asked, found, later, in_all)


def _decision(file: str) -> Mapping[str, Any] | None:
    """The decision in a file of a look; None if there is none, or if the file is damaged."""
    try:
        decision = json.loads(Path(file).read_text(encoding="utf-8"))
        rows = [dict(row) for row in decision["claims"]]
        names = ("claim", "seeds", "extended", "reason")
        whole = all(row.keys() >= {*names} for row in rows)
        return {"keys": list(decision["keys"]), "claims": rows} if whole else None
    except (OSError, ValueError, KeyError, TypeError):  # Snakemake makes the file again
        return None


def _by_grid(
    jobs: LookJobs, places: Sequence[Place], asked: Collection[str], left: float
) -> dict[str, Bound]:
    grids = dict.fromkeys(place.grid for place in places)
    return {
        name: _bound(jobs, [place for place in places if place.grid == name], asked, left)
        for name in grids
    }


def _bound(
    jobs: LookJobs, places: Sequence[Place], asked: Collection[str], left: float
) -> Bound:
    """A bound on the runs of some places that looks may still list within `left` seconds.

    The cheapest runs are counted first, so that no choice of runs has more.
    """
    open_runs = {
        run.key: run
        for place in places
        for run in place.runs
        if run.run.spec.seed >= place.numbers[0] and run.key not in asked
    }
    whole = sorted(jobs.seconds[key] for key in open_runs)
    runs = sum(spent <= max(left, 0.0) for spent in accumulate(whole))
    within = min(sum(whole), max(left, 0.0)) if runs else 0.0
    training = sum(run.seconds for run in open_runs.values())
    share = training / sum(whole) if sum(whole) else 0.0
    return Bound(runs, share * within, (1 - share) * within)


def _sure_seconds(jobs: LookJobs, asked: Collection[str]) -> float:
    """The estimated seconds of what surely runs and of what looks have listed."""
    return sure_seconds(jobs) + sum(jobs.seconds[key] for key in asked if key in jobs.seconds)


def sure_seconds(jobs: LookJobs) -> float:
    """The least estimated seconds of what surely runs, with probes.

    Of an arm with an adaptive axis, the first round with one seed surely runs.
    """
    rounds = jobs.rounds.grids
    keys = {
        run.key
        for place in jobs.places
        if place.grid not in rounds
        for run in place.runs
        if run.run.spec.seed < place.numbers[0]
    }
    of_arms = (
        arm.least_runs * min(jobs.seconds[run.key] for run in arm.runs)
        for grid in rounds.values()
        for arm in grid.arms
    )
    return jobs.fixed_seconds + sum(jobs.seconds[key] for key in keys) + sum(of_arms)
