"""The jobs of looks: tests of the claims between numbers of seeds, and the seeds that they add.

Everything that surely runs is trained and probed first, and all rounds. Then one job of each look
reads all tables of the study so far, and lists the runs that get more seeds; further jobs train and
probe them. All runs that looks may list are planned, so the jobs do not depend on results.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from statistics import fmean
from typing import Any

from hypertransfer.claims.claim import Claim
from hypertransfer.claims.families import families_of, measures
from hypertransfer.planning import cost
from hypertransfer.planning.allocated_jobs import Candidates
from hypertransfer.planning.cell_jobs import CellJobs, probe_settings
from hypertransfer.planning.job_digest import MODULES
from hypertransfer.planning.jobs import PlannedJob
from hypertransfer.planning.planned_runs import PlannedRun
from hypertransfer.planning.round_jobs import RoundJobs
from hypertransfer.runs.canonical import canonical
from hypertransfer.studies import grid, spending
from hypertransfer.studies.planned import Planned
from hypertransfer.studies.spending import has_listed_runs, has_needed_seeds, is_sure


@dataclass(frozen=True)
class Place:
    """The planned runs of a grid that differ in the seed only.

    Attributes:
        grid: the name of the grid.
        numbers: the numbers of seeds; empty where the seeds are listed.
        runs: the runs.
        claims: the ids of the claims that read any of the runs, also by their controls.
    """

    grid: str
    numbers: Sequence[int]
    runs: Sequence[PlannedRun]
    claims: Sequence[str]


@dataclass(frozen=True)
class Look:
    """The job that decides a look, and the jobs that train and probe the runs which it lists.

    Attributes:
        number: the number of the look, from 1.
        allocation: the job that decides which runs are trained.
        candidates: the runs of each cell that the look may list.
        train: the jobs that train what is listed.
        probe: the jobs that probe these runs.
    """

    number: int
    allocation: PlannedJob
    candidates: Sequence[Candidates]
    train: Sequence[PlannedJob]
    probe: Sequence[PlannedJob]


class LookJobs:
    """The jobs of all looks of a study; none if the study has no spending.

    Args:
        cells: the jobs of runs that surely run, which have the study and the cost model.
        rounds: the jobs of grids with an adaptive axis.
        searches: the jobs of searches.
    """

    def __init__(
        self, cells: CellJobs, rounds: RoundJobs, searches: Sequence[PlannedJob] = ()
    ) -> None:
        self.cells, self.rounds, self.searches, self.study = cells, rounds, searches, cells.study
        self._allocated = rounds.allocated

    @property
    def seeds(self) -> Sequence[int]:
        """The numbers of seeds at which claims are tested; empty without spending."""
        return self.study.spending.seeds if self.study.spending else ()

    @property
    def train(self) -> list[PlannedJob]:
        """The jobs that train what looks list."""
        return [job for look in self.looks for job in look.train]

    @property
    def probe(self) -> list[PlannedJob]:
        """The jobs that probe what looks list."""
        return [job for look in self.looks for job in look.probe]

    @property
    def allocations(self) -> list[PlannedJob]:
        """The job of each look that decides which runs are trained."""
        return [look.allocation for look in self.looks]

    @cached_property
    def looks(self) -> list[Look]:
        """All looks, in order."""
        tables = {
            "cells": [job.file for job in (*self.cells.train, *self.rounds.train, *self.searches)],
            "probes": [job.file for job in (*self.cells.probe, *self.rounds.probe)],
        }
        looks: list[Look] = []
        for number in range(1, len(self.seeds)):
            look = self._look(number, {name: list(files) for name, files in tables.items()})
            tables["cells"] += [job.file for job in look.train]
            tables["probes"] += [job.file for job in look.probe]
            looks.append(look)
        return looks

    def _look(self, number: int, tables: Mapping[str, Sequence[str]]) -> Look:
        allocation = self._allocation(number, tables)
        candidates = list(self._candidates(number))
        train: list[PlannedJob] = []
        probe: list[PlannedJob] = []
        for of_cell in candidates:
            runs = self._allocated.runs_of_cell(of_cell.members)
            own = list(self._allocated.training(allocation, {"look": number}, of_cell, runs))
            train += own
            probe += self._allocated.probing(of_cell, own)
        return Look(number, allocation, candidates, train, probe)

    # The decision

    @cached_property
    def claims(self) -> list[Claim]:
        """The claims that read runs with seeds as needed, also by their controls."""
        read = {claim for place in self.places if place.numbers for claim in place.claims}
        return [claim for claim in self.study.claims if claim.id in read]

    @cached_property
    def places(self) -> list[Place]:
        """The places of all grids with runs that may not run, in the order of the config."""
        readers: dict[int, list[str]] = {}  # the claims that read a run, by the run's identity
        for (claim, _), read in self._read.items():
            for run in read:
                readers.setdefault(run, []).append(claim)
        found = []
        for name, section in self.study.grids.items() if self.seeds else ():
            if has_listed_runs(section):
                continue
            planned = self.cells.runs[name]
            for place in spending.places(section, [member.run for member in planned]):
                runs = [planned[index] for index in place.indices]
                # A claim on seeds that surely run reads nothing that a look may add.
                added = (run for run in runs if not is_sure(section, run.run.point))
                claims = dict.fromkeys(c for run in added for c in readers.get(id(run.run), ()))
                found.append(Place(name, place.numbers, runs, list(claims)))
        return found

    @cached_property
    def _read(self) -> dict[tuple[str, str], list[int]]:
        """The identities of the runs that a part of a claim reads, `claim` or `control`."""
        planned = Planned(self.study.runs)
        return {
            (claim.id, name): [id(found.run) for found in planned.iterate(part.where)]
            for claim in self.study.claims
            for name, part in (("claim", claim), ("control", claim.control))
            if part and measures()[part.measure].table == "runs"
        }

    @cached_property
    def _listed(self) -> dict[str, list[str]]:
        """The parts of claims, `claim` or `control`, that read runs whose seeds are listed, by id.

        No look adds seeds to such a part, since a measure needs the same seeds everywhere.
        """
        needed = {id(r.run) for place in self.places if place.numbers for r in place.runs}
        tested = {claim.id for claim in self.claims}
        listed: dict[str, list[str]] = {}
        for (claim, part), read in self._read.items():
            if claim in tested and not needed.issuperset(read):
                listed.setdefault(claim, []).append(part)
        return listed

    @cached_property
    def seconds(self) -> dict[str, float]:
        """The estimated seconds of each run and of all its probes, by the key of the run."""
        seconds: dict[str, float] = {}
        probes: dict[tuple[str, str], float] = {}  # by the run and the settings: each counts once
        for name, runs in self.cells.runs.items():
            section = self.study.grids[name]
            known: dict[tuple[str, int], tuple[dict[str, Any], str]] = {}
            for planned in runs:
                seconds[planned.key] = planned.seconds
                spec = planned.run.spec
                for own, probe in grid.selecting_probes(section, planned.run.point).items():
                    place = own, spec.steps  # on nothing else the settings depend
                    if place not in known:
                        settings = probe_settings(probe, spec)
                        known[place] = settings, canonical(settings)
                    settings, text = known[place]
                    estimate = cost.probe_seconds(spec, settings, self.cells.rates)
                    probes[planned.key, text] = estimate
        for (key, _), estimate in probes.items():
            seconds[key] += estimate
        return seconds

    @cached_property
    def fixed_seconds(self) -> float:
        """The estimated seconds of runs and probes that belong to no place, and of searches."""
        elsewhere = {run.key for place in self.places for run in place.runs}
        own = (seconds for key, seconds in self.seconds.items() if key not in elsewhere)
        return sum(own) + sum(job.seconds for job in self.searches)

    @cached_property
    def _parts(self) -> dict[str, Any]:
        """The parts that all looks share."""
        return {
            "seeds": list(self.seeds),
            "budget_seconds": self.study.spending.seconds,
            "fixed_seconds": self.fixed_seconds,
            "claims": [_deciding(claim) for claim in self.claims],
            "listed": self._listed,
            "places": [
                {
                    "grid": place.grid,
                    "claims": list(place.claims) if place.numbers else [],
                    "runs": [
                        [run.run.spec.seed, run.key, self.seconds[run.key]] for run in place.runs
                    ],
                }
                for place in self.places
            ],
            MODULES: families_of(self.claims),
        }

    def _allocation(self, number: int, tables: Mapping[str, Sequence[str]]) -> PlannedJob:
        return PlannedJob(
            rule="allocate_look",
            study=self.study.name,
            code=self.cells.contexts.code_of("allocate_look", *self._parts[MODULES]),
            parts={"look": number, **self._parts, "files": dict(tables)},
            output_patterns={"allocation": f"results/{self.study.name}/made/looks/{{digest}}.json"},
            input=tables,
        )

    # What a look may list

    def _candidates(self, number: int) -> Iterator[Candidates]:
        """The runs of each cell that a look may list: seeds below the look's last number."""
        last = self.seeds[number]
        step = max(b - a for a, b in pairwise(self.seeds[: number + 1]))
        for cell in self.cells.cells:
            section = self.study.grids[cell.grid]
            if not has_needed_seeds(section):
                continue
            members = [
                self._planned[id(run)]
                for run in cell.runs
                if not is_sure(section, run.point) and run.spec.seed < last
            ]
            if members:
                most = min(len(members), step * self._most_places(cell, len(members)))
                seconds = most * fmean(member.seconds for member in members)
                yield Candidates(cell, members, most, min(seconds, self.study.spending.seconds))

    def _most_places(self, cell: grid.Cell, members: int) -> int:
        """A bound on the places of a cell at which the first number of seeds runs."""
        rounds = self.rounds.grids.get(cell.grid)
        if rounds is None:
            return members
        own = next(found for found in rounds.cells if found.cell is cell)
        return own.most_runs // self.seeds[0]

    @cached_property
    def _planned(self) -> dict[int, PlannedRun]:
        """The planned runs by the identity of their runs."""
        return {id(run.run): run for runs in self.cells.runs.values() for run in runs}


def _deciding(claim: Claim) -> dict[str, Any]:
    """A claim as plain values, without texts, which decide nothing."""
    texts = dict.fromkeys(("sentence", "source", "bar_from"), "")
    plain = {key: value for key, value in claim.plain().items() if key != "paper_value"}
    return {**plain, **texts}
