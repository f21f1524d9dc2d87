"""The jobs that train the runs which an allocation lists, and the jobs that probe these runs.

An allocation is a file that a round or a look writes. The jobs of the plan do not depend on it: a
job knows all runs of its cell that the allocation may list, and trains those that it does list.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from heapq import nlargest
from typing import Any

from hypertransfer.planning import cost
from hypertransfer.planning.cell_jobs import CellJobs
from hypertransfer.planning.jobs import PlannedJob
from hypertransfer.planning.planned_runs import KeptWeights, PlannedRun
from hypertransfer.runs.canonical import canonical
from hypertransfer.runs.conditions import matches
from hypertransfer.studies import grid


@dataclass(frozen=True)
class Candidates:
    """The runs of a cell that an allocation may list.

    Attributes:
        cell: the cell.
        members: the runs.
        most: a bound on the runs that the allocation lists.
        seconds: a bound on the estimated duration of these.
    """

    cell: grid.Cell
    members: Sequence[PlannedRun]
    most: int
    seconds: float


@dataclass(frozen=True)
class CellRuns:
    """The runs of a cell that allocations may list, as the jobs of all allocations have them.

    Attributes:
        parts: the runs as `CellJobs.parts_of` gives them.
        texts: the canonical texts of these parts.
        weights: the steps at which the store holds their weights.
        bytes: the memory of the largest of them.
    """

    parts: Mapping[str, Any]
    texts: Mapping[str, str]
    weights: KeptWeights
    bytes: float


class AllocatedJobs:
    """Plans jobs for the runs of allocations.

    Args:
        jobs: the jobs of cells with listed values, which have the study and the cost model.
    """

    def __init__(self, jobs: CellJobs) -> None:
        self.jobs, self.folder = jobs, f"results/{jobs.study.name}/made"

    @cached_property
    def _codes(self) -> dict[str, dict[str, str]]:
        scripts = ("train_allocated", "probe_allocated")
        return {script: self.jobs.contexts.code_of(script) for script in scripts}

    def _pieces(self, seconds: float, most: int, passing: float = 0.0) -> int:
        """The number of jobs for at most `most` runs or probes that take this long together.

        `passing` bounds the bytes of the weights that they write and that do not stay.
        """
        shares = max(seconds / (self.jobs.job_minutes * 60), passing / cost.PASSING_BYTES)
        return max(1, min(most, math.ceil(shares)))

    def runs_of_cell(self, members: Sequence[PlannedRun]) -> CellRuns:
        """What the jobs that train some runs of a cell share, in all rounds."""
        weights = self.jobs.weights.of(members)
        memory = max(cost.train_bytes(m.run.spec, weights.count(m.key)) for m in members)
        parts = self.jobs.parts_of(members)
        texts = {name: canonical(part) for name, part in parts.items()}
        return CellRuns(parts, texts, weights, memory)

    def training(
        self,
        allocation: PlannedJob,
        number: Mapping[str, int],
        candidates: Candidates,
        runs: CellRuns,
    ) -> Iterator[PlannedJob]:
        """The jobs that train the runs of a cell; a large cell is divided by its bounds.

        Args:
            allocation: the job that writes the allocation.
            number: the number of the round or look, by `round` or `look`.
            candidates: the runs of the cell that the allocation may list.
            runs: what the jobs of these runs share.
        """
        cell, members = candidates.cell, candidates.members
        passing = sum(nlargest(candidates.most, (run.passing for run in members)))
        pieces = self._pieces(candidates.seconds, candidates.most, passing)
        path = f"{self.folder}/allocated/{cell.path}/{{digest}}.parquet"
        for piece in range(pieces):
            yield PlannedJob(
                rule="train_allocated",
                study=self.jobs.study.name,
                code=self._codes["train_allocated"],
                parts={
                    "grid": cell.grid,
                    **number,
                    "allocation": allocation.file,
                    "piece": [piece, pieces],
                    **runs.parts,
                },
                output_patterns={"table": path},
                input={"allocation": allocation.files},
                seconds=candidates.seconds / pieces,
                bytes=runs.bytes,
                texts=runs.texts,
                weights=runs.weights,
            )

    def probing(
        self, candidates: Candidates, trained: Sequence[PlannedJob]
    ) -> Iterator[PlannedJob]:
        """The jobs of all probes of a cell on the runs that some jobs have trained."""
        for name, probe in self.jobs.study.grids[candidates.cell.grid].probes.items():
            members = candidates.members
            chosen = [run for run in members if matches(probe.where, run.run.point)]
            if chosen:
                yield from self._probings(candidates, name, probe, chosen, trained)

    def _probings(
        self,
        candidates: Candidates,
        name: str,
        probe: grid.Probe,
        chosen: Sequence[PlannedRun],
        trained: Sequence[PlannedJob],
    ) -> Iterator[PlannedJob]:
        cell, code = candidates.cell, self._codes["probe_allocated"]
        whole = self.jobs.probing(cell, name, probe, chosen, trained[0], code)
        share = min(1.0, candidates.most / len(chosen))
        pieces = self._pieces(whole.seconds * share, len(chosen))
        tables = [job.file for job in trained]
        path = f"{self.folder}/allocated_probes/{cell.path}/{name}/{{digest}}.parquet"
        for piece in range(pieces):
            yield replace(
                whole,
                rule="probe_allocated",
                parts={**whole.parts, "files": tables, "piece": [piece, pieces]},
                output_patterns={"table": path},
                input={"cells": tables},
                seconds=whole.seconds * share / pieces,
                retraining_seconds=whole.retraining_seconds * share / pieces,
            )
