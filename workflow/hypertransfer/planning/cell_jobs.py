"""The jobs that train the cells of grids with listed values, and the jobs that probe the runs."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import repeat
from typing import Any

from hypertransfer.catalogue.cards import probes
from hypertransfer.catalogue.options import completed
from hypertransfer.planning import cost, keys
from hypertransfer.planning.jobs import PlannedJob
from hypertransfer.planning.planned_runs import KeptWeights, PlannedRun, parts_of_runs
from hypertransfer.runs.conditions import matches
from hypertransfer.runs.spec import RunSpec
from hypertransfer.studies import adaptive_grids, grid
from hypertransfer.studies.planned import held_points
from hypertransfer.studies.spending import is_sure
from hypertransfer.studies.study import Study


class CellJobs:
    """The training and probing jobs of runs that are listed, and so surely run.

    Args:
        study: the study.
        runs: the planned runs of each grid.
        weights: returns the weights that the store holds, over all studies of the plan.
        contexts: computes keys.
        job_minutes: intended duration of a job; a longer cell is divided into several jobs.
        rates: the rates of the cost model.
    """

    def __init__(
        self,
        study: Study,
        runs: Mapping[str, Sequence[PlannedRun]],
        weights: Callable[[], KeptWeights],
        contexts: keys.Contexts,
        job_minutes: float,
        rates: cost.Rates,
    ) -> None:
        self.study, self.runs, self.contexts = study, runs, contexts
        self.job_minutes, self.rates = job_minutes, rates
        self._weights = weights

    @cached_property
    def weights(self) -> KeptWeights:
        """The weights that the store holds, over all studies of the plan."""
        return self._weights()

    def readers(self, chosen: Container[str]) -> Iterator[tuple[str, str, list[int]]]:
        """The probes of some runs: the key of the run, the key of the probe, and its steps.

        Timed probes are left out: they train again where a run does not keep its weights.
        """
        for name, section in self.study.grids.items():
            for probe in section.probes.values():
                if probes.PROBES[probe.probe].timed:
                    continue
                for run in self.runs[name]:
                    if run.key in chosen and matches(probe.where, run.run.point):
                        own = probe_settings(probe, run.run.spec)
                        yield run.key, self.contexts.probe_key(run.key, own), own["checkpoints"]

    @cached_property
    def cells(self) -> list[grid.Cell]:
        """The cells of all grids."""
        return [
            cell
            for name, values in self.study.grids.items()
            for cell in grid.cells(name, values, [planned.run for planned in self.runs[name]])
        ]

    def sure_runs(self, name: str) -> Iterator[PlannedRun]:
        """The runs of a grid whose seeds surely run where their other values are run."""
        section = self.study.grids[name]
        return (run for run in self.runs[name] if is_sure(section, run.run.point))

    @cached_property
    def train(self) -> list[PlannedJob]:
        """The jobs that train runs."""
        return [training for training, _ in self._jobs]

    @cached_property
    def probe(self) -> list[PlannedJob]:
        """The jobs that probe runs, those of timed probes last."""
        return [*(probing for _, probings in self._jobs for probing in probings), *self.timed]

    @cached_property
    def timed(self) -> list[PlannedJob]:
        """The jobs of timed probes: one for each grid and probe, whatever it costs.

        The runs of one seed are measured in turns, so they are never divided between jobs.
        """
        found = [
            (name, key, probe)
            for name, section in self.study.grids.items()
            for key, probe in section.probes.items()
            if probes.PROBES[probe.probe].timed
        ]
        code = self.contexts.code_of("probe_timed") if found else {}
        return [self._timing(*place, code) for place in found]

    @cached_property
    def _jobs(self) -> list[tuple[PlannedJob, list[PlannedJob]]]:
        """Each training job with the probing jobs that read its weights."""
        codes = {script: self.contexts.code_of(script) for script in ("train_cell", "probe_cell")}
        # Cells hold the same Run objects as the planned runs, so identity finds them.
        planned = {id(run.run): run for runs in self.runs.values() for run in runs}
        jobs = []
        for cell in self.cells:
            section = self.study.grids[cell.grid]
            if adaptive_grids.adaptive_axis(section):
                continue  # `RoundJobs` plans these
            # `LookJobs` plans the other seeds.
            members = [planned[id(run)] for run in cell.runs if is_sure(section, run.point)]
            for runs in self._shards(members):
                training = self._training(cell, runs, codes["train_cell"])
                probings = self._probings(cell, runs, training, codes["probe_cell"])
                jobs.append((training, list(probings)))
        return jobs

    def _shards(self, runs: Sequence[PlannedRun]) -> list[list[PlannedRun]]:
        """The runs of each job of a cell; a job's time, and its weights on the disk, are bounded.

        Only this grid counts, so that the jobs of a study do not depend on other studies.
        """
        seconds = self.job_minutes * 60
        shares = [max(run.seconds / seconds, run.passing / cost.PASSING_BYTES) for run in runs]
        return cost.shards(runs, shares, 1.0)

    @cached_property
    def _points(self) -> dict[int, Mapping[str, Any]]:
        """The point of each run as tables hold it, by the identity of the run.

        Values of an axis are of one kind in the tables of all cells, which are joined.
        """
        runs = {name: [planned.run for planned in members] for name, members in self.runs.items()}
        points = held_points(runs)
        return {
            id(run): point
            for name, members in runs.items()
            for run, point in zip(members, points[name], strict=True)
        }

    def parts_of(self, runs: Sequence[PlannedRun]) -> dict[str, Any]:
        """The runs of a job as plain values, at their points as tables hold them."""
        return parts_of_runs(runs, [self._points[id(planned.run)] for planned in runs])

    def _training(
        self, cell: grid.Cell, runs: Sequence[PlannedRun], code: Mapping[str, str]
    ) -> PlannedJob:
        return PlannedJob(
            rule="train_cell",
            study=self.study.name,
            code=code,
            parts={"grid": cell.grid, **self.parts_of(runs)},
            output_patterns={
                "table": f"results/{self.study.name}/made/cells/{cell.path}/{{digest}}.parquet"
            },
            seconds=sum(run.seconds for run in runs),
            bytes=max(cost.train_bytes(run.run.spec, self.weights.count(run.key)) for run in runs),
            weights=self.weights.of(runs),
        )

    def _probings(
        self,
        cell: grid.Cell,
        runs: Sequence[PlannedRun],
        training: PlannedJob,
        code: Mapping[str, str],
    ) -> Iterator[PlannedJob]:
        for name, probe in self.study.grids[cell.grid].probes.items():
            chosen = [run for run in runs if matches(probe.where, run.run.point)]
            if chosen and not probes.PROBES[probe.probe].timed:
                yield self.probing(cell, name, probe, chosen, training, code)

    def probing(
        self,
        cell: grid.Cell,
        name: str,
        probe: grid.Probe,
        runs: Sequence[PlannedRun],
        training: PlannedJob,
        code: Mapping[str, str],
    ) -> PlannedJob:
        """The job of one probe on runs that a training job trains."""
        specs = [run.run.spec for run in runs]
        settings = [probe_settings(probe, spec) for spec in specs]
        counts = (self.weights.count(run.key) for run in runs)
        path = f"results/{self.study.name}/made/probes/{cell.path}/{name}/{{digest}}.parquet"
        return PlannedJob(
            rule="probe_cell",
            study=self.study.name,
            code=code,
            parts=self._probed(cell.grid, name, runs, settings),
            output_patterns={"table": path},
            input={"cell": [training.file]},
            seconds=sum(map(cost.probe_seconds, specs, settings, repeat(self.rates))),
            retraining_seconds=sum(run.seconds for run in runs),
            bytes=max(  # a job that trains a run again needs the memory of the training as well
                training.bytes, *map(cost.probe_bytes, specs, settings, counts)
            ),
            weights=self.weights.of(runs),
        )

    def _timing(
        self, grid_name: str, name: str, probe: grid.Probe, code: Mapping[str, str]
    ) -> PlannedJob:
        """The job of a timed probe on all runs of a grid that it selects."""
        members = self.runs[grid_name]
        runs = [run for run in members if matches(probe.where, run.run.point)]
        specs = [run.run.spec for run in runs]
        settings = [probe_settings(probe, spec) for spec in specs]
        read = [
            {*self.weights.steps(run.key), *own["checkpoints"]}
            for run, own in zip(runs, settings, strict=True)
        ]
        again = sum(  # runs that do not keep the weights which the job reads
            run.seconds
            for run, own in zip(runs, settings, strict=True)
            if not {*own["checkpoints"]} <= {*self.weights.keep.get(run.key, ())}
        )
        keys_of_runs = {run.key for run in runs}
        trained = [
            job
            for job in self.train
            if job.parts["grid"] == grid_name
            and not keys_of_runs.isdisjoint(run["key"] for run in job.parts["runs"])
        ]
        path = f"results/{self.study.name}/made/timed/{grid_name}/{name}/{{digest}}.parquet"
        return PlannedJob(
            rule="probe_timed",
            study=self.study.name,
            code=code,
            parts={
                **self._probed(grid_name, name, runs, settings),
                "device": self.contexts.device,
            },
            output_patterns={"table": path},
            input={"cells": [job.file for job in trained]},
            seconds=again + sum(map(cost.probe_seconds, specs, settings, repeat(self.rates))),
            retraining_seconds=sum(run.seconds for run in runs) - again,
            bytes=cost.rivals_bytes(specs, [len(steps) for steps in read]),
            weights=self.weights.of(runs),
        )

    def _probed(
        self,
        grid_name: str,
        name: str,
        runs: Sequence[PlannedRun],
        settings: Sequence[Mapping[str, Any]],
    ) -> dict[str, Any]:
        """The parts of a job that probes runs.

        Settings belong to a run: if the number of steps is an axis, runs of one cell are probed at
        different steps.
        """
        specs = [(run.key, run.run.spec) for run in runs]
        return {
            "grid": grid_name,
            "probe": name,
            "settings": list(settings),
            "probe_keys": self.contexts.probe_keys(specs, settings),
            **self.parts_of(runs),
        }


def probe_settings(probe: grid.Probe, spec: RunSpec) -> dict[str, Any]:
    """The settings of a probe for a run, with defaults filled in, and checkpoints as steps."""
    settings = completed(probes.PROBES[probe.probe].settings, probe.settings)
    settings["probe"] = probe.probe
    settings["checkpoints"] = grid.checkpoints(probe.checkpoints, spec.steps)
    return settings
