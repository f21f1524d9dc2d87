"""The jobs of grids with an adaptive axis: allocations, the runs of each round, and their probes.

One job of a round allocates runs to all arms of the grid, from the tables of the earlier rounds.
Further jobs train the allocated runs of each cell. All runs that a round may choose are planned, so
the jobs of the plan do not depend on results.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from statistics import fmean
from typing import Any, NamedTuple

from hypertransfer.planning.allocated_jobs import AllocatedJobs, Candidates
from hypertransfer.planning.cell_jobs import CellJobs
from hypertransfer.planning.jobs import PlannedJob
from hypertransfer.planning.planned_runs import PlannedRun
from hypertransfer.rounds import sweep
from hypertransfer.rounds.settings import NARROW
from hypertransfer.studies import adaptive_grids, followed_grids, grid


class Arm(NamedTuple):
    """An arm of a grid, and its planned runs."""

    about: adaptive_grids.ArmRuns
    runs: Sequence[PlannedRun]

    def most_runs(self, number: int) -> int:
        """A bound on the runs of the arm in a round."""
        seeds = len({planned.run.spec.seed for planned in self.runs})
        if self.about.settings.best_of:
            return seeds if number == 1 else 0
        bound = sweep.most_runs(self.about.settings, seeds, number, len(self.about.sizes))
        return min(bound, len(self.runs))

    @property
    def least_runs(self) -> int:
        """The number of runs that the first round surely runs, one for each value."""
        if self.about.settings.best_of:
            return self.most_runs(1)
        first = self.runs[0].run.spec.seed
        values = sum(planned.run.spec.seed == first for planned in self.runs)
        return min(2 * NARROW + 1, values)

    def most_seconds(self, number: int) -> float:
        """A bound on the estimated duration of the arm's runs in a round."""
        return self.most_runs(number) * fmean(planned.seconds for planned in self.runs)


class RoundCell(NamedTuple):
    """A cell, its planned runs, and the arms to which these belong."""

    cell: grid.Cell
    members: Sequence[PlannedRun]
    arms: Sequence[Arm]

    @property
    def most_runs(self) -> int:
        """A bound on the runs of the cell in all rounds."""
        rounds = (range(1, arm.about.settings.rounds + 1) for arm in self.arms)
        bounds = (
            sum(map(arm.most_runs, numbers)) for arm, numbers in zip(self.arms, rounds, strict=True)
        )
        return min(sum(bounds), len(self.members))


class RoundJobs:
    """The jobs of all grids of a study that have an adaptive axis.

    Args:
        cells: the jobs of the other grids, which have the study, its cells and the cost model.
    """

    def __init__(self, cells: CellJobs) -> None:
        self.cells, self.study = cells, cells.study
        self.allocated = AllocatedJobs(cells)

    @cached_property
    def grids(self) -> dict[str, GridRounds]:
        """The rounds of each grid with an adaptive axis."""
        grids = {
            name: GridRounds(self.cells, name, self.allocated)
            for name, section in self.study.grids.items()
            if adaptive_grids.adaptive_axis(section)
        }
        for rounds in grids.values():
            if name := followed_grids.followed(rounds.grid):
                rounds.followed = grids.get(name) or ListedArms(self.cells, name)
        return grids

    @property
    def allocations(self) -> list[PlannedJob]:
        """The jobs that allocate runs to arms."""
        return [job for rounds in self.grids.values() for job in rounds.allocations]

    @property
    def train(self) -> list[PlannedJob]:
        """The jobs that train the runs of a round."""
        return [job for rounds in self.grids.values() for job in rounds.train]

    @property
    def probe(self) -> list[PlannedJob]:
        """The jobs that probe the runs of all rounds."""
        return [job for rounds in self.grids.values() for job in rounds.probe]


def _arms(cells: CellJobs, name: str) -> list[Arm]:
    """The arms of a grid, with the runs whose seeds surely run where their values are chosen."""
    planned = list(cells.sure_runs(name))
    abouts = adaptive_grids.arms(cells.study.grids[name], [member.run for member in planned])
    return [Arm(about, [planned[index] for index in about.indices]) for about in abouts]


def _written(arm: Arm, axis: str) -> dict[str, Any]:
    """An arm as the job of an allocation reads it."""
    about, runs = arm
    return {
        "point": dict(about.point),
        "family": about.family,
        "sizes": list(about.sizes),
        "settings": about.settings.complete(),
        "runs": [
            [about.settings.notch(member.run.point[axis]), member.run.spec.seed, member.key]
            for member in runs
        ],
    }


class ListedArms:
    """The arms of a grid whose settings are listed, the best of which another grid takes.

    Args:
        cells: the jobs of the study's grids with listed values.
        name: the name of the grid.
    """

    def __init__(self, cells: CellJobs, name: str) -> None:
        self._cells, self.name = cells, name

    @cached_property
    def arms(self) -> list[Arm]:
        """The arms of the grid."""
        return _arms(self._cells, self.name)

    @property
    def tables(self) -> list[str]:
        """The tables of the runs of the grid."""
        return [job.file for job in self._cells.train if job.parts["grid"] == self.name]


class GridRounds:
    """The jobs of one grid with an adaptive axis.

    Args:
        cells: the jobs of the study's other grids.
        name: the name of the grid.
        allocated: plans the jobs that train and probe what a round chooses.

    Attributes:
        followed: the rounds of the grid whose best values this grid takes; None if the rounds of
            this grid find the values.
    """

    followed: GridRounds | ListedArms | None = None

    def __init__(self, cells: CellJobs, name: str, allocated: AllocatedJobs) -> None:
        self.jobs, self.name, self.grid = cells, name, cells.study.grids[name]
        self.axis = adaptive_grids.adaptive_axis(self.grid)
        self.folder = f"results/{cells.study.name}/made"
        self._allocated = allocated

    @cached_property
    def arms(self) -> list[Arm]:
        """The arms of the grid."""
        return _arms(self.jobs, self.name)

    @property
    def rounds(self) -> int:
        """The largest number of rounds of an arm; 1 if the grid takes the values of another."""
        return 1 if self.followed else max(arm.about.settings.rounds for arm in self.arms)

    @cached_property
    def cells(self) -> list[RoundCell]:
        """The cells of the grid, in order."""
        planned = {id(member.run): member for member in self.jobs.sure_runs(self.name)}
        arms = {member.key: arm for arm in self.arms for member in arm.runs}
        cells = []
        for cell in self.jobs.cells:
            if cell.grid == self.name:
                members = [planned[id(run)] for run in cell.runs if id(run) in planned]
                own = {id(arms[member.key]): arms[member.key] for member in members}
                cells.append(RoundCell(cell, members, list(own.values())))
        return cells

    @property
    def allocations(self) -> list[PlannedJob]:
        """The job that allocates runs, for each round in order."""
        return [allocation for allocation, _ in self._rounds]

    @property
    def train(self) -> list[PlannedJob]:
        """The jobs that train the allocated runs, in the order of the rounds."""
        return [job for _, by_cell in self._rounds for jobs in by_cell for job in jobs]

    @property
    def tables(self) -> list[str]:
        """The tables of the runs of all rounds."""
        return [job.file for job in self.train]

    def tables_of(self, number: int) -> list[str]:
        """The tables of the runs of one round."""
        return [job.file for jobs in self._rounds[number - 1][1] for job in jobs]

    @cached_property
    def _rounds(self) -> list[tuple[PlannedJob, list[list[PlannedJob]]]]:
        """The allocation of each round, and the training jobs of each cell in the round."""
        code = self.jobs.contexts.code_of("allocate_round")
        runs_of_cells = [self._allocated.runs_of_cell(cell.members) for cell in self.cells]
        rounds: list[tuple[PlannedJob, list[list[PlannedJob]]]] = []
        earlier = self.followed.tables if self.followed else []
        for number in range(1, self.rounds + 1):
            allocation = self._allocation(number, earlier, code)
            by_cell = [
                list(self._allocated.training(allocation, {"round": number}, candidates, runs))
                for candidates, runs in zip(self._candidates(number), runs_of_cells, strict=True)
            ]
            rounds.append((allocation, by_cell))
            earlier = [*earlier, *(job.file for jobs in by_cell for job in jobs)]
        return rounds

    def _candidates(self, number: int) -> Iterator[Candidates]:
        """The runs of each cell that a round may choose."""
        for cell in self.cells:
            most = sum(arm.most_runs(number) for arm in cell.arms)
            seconds = sum(arm.most_seconds(number) for arm in cell.arms)
            yield Candidates(cell.cell, cell.members, most, seconds)

    @cached_property
    def written_arms(self) -> list[dict[str, Any]]:
        """The arms as the job of an allocation reads them."""
        return [_written(arm, self.axis) for arm in self.arms]

    @cached_property
    def decided_by(self) -> dict[str, Any]:
        """The parts of an allocation that name the other grid, and the counterpart of each arm."""
        if not self.followed:
            return {}
        others = [arm.about for arm in self.followed.arms]
        counterparts = (
            self.followed.arms[followed_grids.counterpart(arm.about, others)] for arm in self.arms
        )
        return {
            "best_of": self.followed.name,
            "followed": [_written(arm, self.axis) for arm in counterparts],
        }

    def _allocation(
        self, number: int, earlier: Sequence[str], code: Mapping[str, str]
    ) -> PlannedJob:
        return PlannedJob(
            rule="allocate_round",
            study=self.jobs.study.name,
            code=code,
            parts={
                "grid": self.name,
                "axis": self.axis,
                "round": number,
                "arms": self.written_arms,
                **self.decided_by,
                "files": list(earlier),
            },
            output_patterns={
                "allocation": f"{self.folder}/allocations/{self.name}/{{digest}}.json"
            },
            input={"earlier": tuple(earlier)},
        )

    @cached_property
    def probe(self) -> list[PlannedJob]:
        """The jobs that probe what rounds have trained, of each cell and probe."""
        return [
            job
            for index, cell in enumerate(self.cells)
            for job in self._allocated.probing(
                Candidates(cell.cell, cell.members, cell.most_runs, 0.0),
                [job for _, by_cell in self._rounds for job in by_cell[index]],
            )
        ]
