"""The next look of a study: what the looks before it decided, and bounds on what it may add."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from hypertransfer.planning.look_jobs import LookJobs


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
    """

    number: int
    looks: int
    asked: frozenset[str]
    decided: Sequence[ClaimStatus]
    later_runs: int
    later_seconds: float


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
    later = _later(jobs, asked) if number <= len(jobs.looks) else (0, 0.0)
    return LookStatus(number, len(jobs.looks), asked, found, *later)


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


def _later(jobs: LookJobs, asked: Collection[str]) -> tuple[int, float]:
    """Bounds on the runs that looks may still list, and on their seconds with all probes.

    The cheapest runs are counted first, so that no choice of runs has more.
    """
    budget = jobs.study.spending.seconds - sure_seconds(jobs)
    left = max(budget - sum(jobs.seconds.get(key, 0.0) for key in asked), 0.0)
    candidates = {
        run.key
        for place in jobs.places
        if place.numbers and place.claims
        for run in place.runs
        if run.run.spec.seed >= place.numbers[0]
    }
    seconds = sorted(jobs.seconds[key] for key in candidates - asked)
    runs = sum(spent <= left for spent in accumulate(seconds))
    return runs, min(sum(seconds), left) if runs else 0.0


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
        if not place.numbers or run.run.spec.seed < place.numbers[0]
    }
    of_arms = (
        arm.least_runs * min(jobs.seconds[run.key] for run in arm.runs)
        for grid in rounds.values()
        for arm in grid.arms
    )
    return jobs.fixed_seconds + sum(jobs.seconds[key] for key in keys) + sum(of_arms)
