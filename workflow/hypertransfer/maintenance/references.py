"""The references of projects to a store: keys and made files of every study, at every scale.

The key of a run depends on the project's copy of the library, and on the modules beside the
project's Snakefile. Each project is therefore planned in its own process, which imports the same
modules as the jobs of the project, and writes the references to standard output as lines of JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypertransfer.catalogue.config_schemas import scales
from hypertransfer.catalogue.module_source import PACKAGE, PACKAGE_ROOT
from hypertransfer.planning.jobs import PlannedJob
from hypertransfer.planning.keys import weights_key
from hypertransfer.planning.load import IndexPlan, load_plan
from hypertransfer.planning.status import Survey, survey
from hypertransfer.planning.study_plan import StudyPlan
from hypertransfer.storage.run_store import KINDS, Store, StoreError
from hypertransfer.studies.document import ConfigError, LocatedProblem

COMMAND = "references"  # hidden command of the command line, called by `read_references` only


@dataclass
class References:
    """The entries of a store, and the made files, to which projects refer.

    Keys are stored as 20 bytes each, because there can be many.
    """

    stores: dict[Path, Path] = field(default_factory=dict)  # project → its store
    keys: dict[str, set[bytes]] = field(default_factory=lambda: {kind: set() for kind in KINDS})
    studies: dict[bytes, str] = field(default_factory=dict)  # identity of a run → its study
    made: dict[Path, set[str]] = field(default_factory=dict)  # project → files below results/

    @property
    def store(self) -> Path:
        """The store that the projects share."""
        return next(iter(self.stores.values()))

    def has(self, kind: str, key: str) -> bool:
        """Whether any project refers to the entry."""
        return packed(key) in self.keys[kind]

    def add(self, kind: str, key: str, study: str) -> None:
        """Add an entry that a study refers to."""
        self.keys[kind].add(packed(key))
        if kind == "runs":
            self.studies[packed(key)[:12]] = study

    def study_of(self, run: str) -> str:
        """The study with this run, in any version of code and data; empty if no study has it."""
        return self.studies.get(packed(run)[:12], "")


def packed(key: str) -> bytes:
    """A key as bytes."""
    return bytes.fromhex(key.replace("-", ""))


def project_references(config: Mapping[str, Any], directory: Path) -> Iterator[list[str]]:
    """The references of the project in the working directory, as lists of words.

    The lists are `[store, path]`, `[runs, key, study]`, `[probes, key, study]`,
    `[weights, key, study]`, `[made, file, study]`, and `[end]` as the last one.

    Raises:
        ConfigError: there is no study, or studies have problems; the error has the problems at all
            scales.
    """
    names = sorted(path.stem for path in directory.glob("*.yaml"))
    if not names:
        text = "no study file in this folder, so every entry of the store would count as unused"
        raise ConfigError([LocatedProblem(str(directory), None, "(folder)", text)])
    store = Store(config["store"])
    yield ["store", str(store.root.resolve())]
    problems: list[LocatedProblem] = []
    for scale in scales():
        index: list[StudyPlan] = []
        for name in names:
            try:
                plan = load_plan(name, config, scale, directory)
            except ConfigError as error:
                problems += error.problems
                continue
            if not problems:
                yield from _study_references(plan, store)
                index += [plan] if name in config["studies"] else []
        if not problems:
            index.sort(key=lambda plan: config["studies"].index(plan.name))
            yield from (["made", file, ""] for file in IndexPlan(index).made)
    if problems:
        raise ConfigError(problems)
    yield ["end"]


def _study_references(plan: StudyPlan, store: Store) -> Iterator[list[str]]:
    for runs in plan.runs.values():
        yield from (["runs", run.key, plan.name] for run in runs)
    found = survey(plan, store)
    asked = {name: {run.key for run in found.asked(name)} for name in plan.runs}
    for job in plan.probe_jobs:
        yield from _probe_references(found, job, asked[job.parts["grid"]])
    yield from _search_references(plan)
    yield from (["made", file, plan.name] for file in plan.made)


def _probe_references(found: Survey, job: PlannedJob, asked: Container[str]) -> Iterator[list[str]]:
    """The probes of a job, and the weights stored apart from runs that a missing probe reads.

    `asked` are the runs that are known to run: a round or a look may choose the others never.
    """
    all_settings, name = job.parts["settings"], found.plan.name
    for key, run, settings in zip(job.probe_keys, job.parts["runs"], all_settings, strict=True):
        yield ["probes", key, name]
        if run["key"] in asked and key not in found.probes:
            for step in settings["checkpoints"]:
                yield ["weights", weights_key(run["key"], step), name]


def _search_references(plan: StudyPlan) -> Iterator[list[str]]:
    """The runs of searches, read from the tables of finished generations."""
    tables = [job.file for job in plan.search_jobs if Path(job.file).is_file()]
    if tables:
        # Imported here because it imports pandas, and most projects have no searches.
        from hypertransfer.storage import parquet

        for path in tables:
            keys = parquet.read(path, ["key"]).column("key").to_pylist()
            yield from (["runs", key, plan.name] for key in keys)


def write_references(
    config: Mapping[str, Any], directory: Path, write: Callable[[str], object]
) -> None:
    """Write the references of the project in the working directory as lines of JSON.

    Raises:
        ConfigError: see `project_references`.
    """
    for words in project_references(config, directory):
        write(json.dumps(words) + "\n")


def read_references(projects: Sequence[Path], arguments: Sequence[str] = ()) -> References:
    """The references of several projects together.

    `arguments` are options of `hypertransfer plan`, such as `--configfile`.

    Raises:
        StoreError: a project cannot be planned, or the projects have different stores.
    """
    references = References()
    for project in dict.fromkeys(path.resolve() for path in projects):
        references.made[project] = set()
        _add_all(references, project, _lines_of_process(project, arguments))
    if len(set(references.stores.values())) > 1:
        stores = ", ".join(f"{project} has {store}" for project, store in references.stores.items())
        raise StoreError(f"the projects do not share a store: {stores}")
    return references


def _add_all(references: References, project: Path, lines: Iterable[list[str]]) -> None:
    for kind, *words in lines:
        if kind == "store":
            references.stores[project] = Path(words[0])
        elif kind == "made":
            references.made[project].add(words[0])
        elif kind in KINDS:
            references.add(kind, *words)


def _lines_of_process(project: Path, arguments: Sequence[str]) -> Iterator[list[str]]:
    """The lines that the hidden command writes in a project.

    Raises:
        StoreError: the process failed, or its output has no `[end]`.
    """
    if not project.is_dir():
        raise StoreError(f"{project} is not a folder: name the folder of a project")
    own = project / "workflow"
    library = own if (own / PACKAGE / "maintenance" / "references.py").is_file() else PACKAGE_ROOT
    if library != own and (own / PACKAGE).is_dir():
        raise StoreError(f"{own / PACKAGE} is older than this command: update the project first")
    inherited = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    paths = os.pathsep.join([str(library), str(project), *inherited])
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", PACKAGE, COMMAND, *arguments],
            cwd=project,
            encoding="utf-8",
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "PYTHONPATH": paths, "PYTHONUTF8": "1"},
        )
        last = [""]
        with process:
            for line in process.stdout or ():
                last = json.loads(line)
                yield last
        if process.returncode or last != ["end"]:
            errors.seek(0)
            raise StoreError(
                f"the studies of {project} cannot be planned, so the store was not searched\n"
                f"{errors.read().strip()}"
            )
