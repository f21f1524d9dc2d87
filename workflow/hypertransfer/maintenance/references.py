"""What projects mean: the keys and made files of every study, at every scale.

A key depends on the project's own copy of the library and on the modules beside its Snakefile,
so each project is asked in a process of its own, which sees them as a job of it would.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypertransfer.catalogue.module_source import PACKAGE, PACKAGE_ROOT
from hypertransfer.planning.load import IndexPlan, load_plan
from hypertransfer.planning.study_plan import StudyPlan
from hypertransfer.storage.run_store import KINDS, StoreError
from hypertransfer.studies.document import ConfigError, LocatedProblem
from hypertransfer.studies.study import SCALES

COMMAND = "meant"  # of the command line; for processes of ours, not for people


@dataclass
class Meaning:
    """All that some projects mean, in as few bytes as will do: a key is 20 of them."""

    stores: dict[Path, Path] = field(default_factory=dict)  # project → its store
    keys: dict[str, set[bytes]] = field(default_factory=lambda: {kind: set() for kind in KINDS})
    studies: dict[bytes, str] = field(default_factory=dict)  # identity of a run → its study
    made: dict[Path, set[str]] = field(default_factory=dict)  # project → files below results/

    @property
    def store(self) -> Path:
        """The store that the projects share."""
        return next(iter(self.stores.values()))

    def has(self, kind: str, key: str) -> bool:
        """Whether any project means the entry."""
        return packed(key) in self.keys[kind]

    def add(self, kind: str, key: str, study: str) -> None:
        """Take up an entry that a study means."""
        self.keys[kind].add(packed(key))
        if kind == "runs":
            self.studies[packed(key)[:12]] = study

    def study_of(self, run: str) -> str:
        """The study that asks for the run, be it with other code or data; empty if none does."""
        return self.studies.get(packed(run)[:12], "")


def packed(key: str) -> bytes:
    """A key as bytes."""
    return bytes.fromhex(key.replace("-", ""))


def lines(config: Mapping[str, Any], directory: Path) -> Iterator[list[str]]:
    """What the project of the working directory means, a list of words at a time.

    Raises:
        ConfigError: there is no study, or a study is broken at any scale: every problem.
    """
    names = sorted(path.stem for path in directory.glob("*.yaml"))
    if not names:
        text = "no study in this folder, so nothing would be meant"
        raise ConfigError([LocatedProblem(str(directory), None, "(folder)", text)])
    yield ["store", str(Path(config["store"]).resolve())]
    problems: list[LocatedProblem] = []
    for scale in SCALES:
        index: list[StudyPlan] = []
        for name in names:
            try:
                plan = load_plan(name, config, scale, directory)
            except ConfigError as error:
                problems += error.problems
                continue
            if not problems:
                yield from _of_study(plan)
                index += [plan] if name in config["studies"] else []
        if not problems:
            index.sort(key=lambda plan: config["studies"].index(plan.name))
            yield from (["made", file, ""] for file in IndexPlan(index).made)
    if problems:
        raise ConfigError(problems)
    yield ["end"]


def _of_study(plan: StudyPlan) -> Iterator[list[str]]:
    for runs in plan.runs.values():
        yield from (["runs", run.key, plan.name] for run in runs)
    for shard in plan.shards:
        yield from (["probes", key, plan.name] for key in shard.probe_keys)
    yield from _of_searches(plan)
    yield from (["made", file, plan.name] for file in plan.made)


def _of_searches(plan: StudyPlan) -> Iterator[list[str]]:
    """Runs of searches, which are known once they are made: from the tables that name them."""
    made = [job.file for job in plan.searches if Path(job.file).is_file()]
    if made:
        from hypertransfer.storage import parquet  # pyarrow: most projects have no searches

        for path in made:
            keys = parquet.read(path, ["key"]).column("key").to_pylist()
            yield from (["runs", key, plan.name] for key in keys)


def announce(config: Mapping[str, Any], directory: Path, write: Callable[[str], object]) -> None:
    """Write down what the project of the working directory means, for `ask` to read."""
    for words in lines(config, directory):
        write(json.dumps(words) + "\n")


def ask(projects: Sequence[Path], arguments: Sequence[str] = ()) -> Meaning:
    """What the projects mean together; `arguments` as for `hypertransfer plan`.

    Raises:
        StoreError: a project cannot say, or they do not share a store. Nothing is known then.
    """
    meaning = Meaning()
    for project in dict.fromkeys(path.resolve() for path in projects):
        meaning.made[project] = set()
        _take(meaning, project, _asked(project, arguments))
    stores = set(meaning.stores.values())
    if len(stores) > 1:
        found = ", ".join(f"{project} has {store}" for project, store in meaning.stores.items())
        raise StoreError(f"the projects do not share a store: {found}")
    return meaning


def _take(meaning: Meaning, project: Path, said: Iterable[list[str]]) -> None:
    for kind, *words in said:
        if kind == "store":
            meaning.stores[project] = Path(words[0])
        elif kind == "made":
            meaning.made[project].add(words[0])
        elif kind in KINDS:
            meaning.add(kind, *words)


def _asked(project: Path, arguments: Sequence[str]) -> Iterator[list[str]]:
    """Words that a process in the project says; complete, or an error."""
    if not project.is_dir():
        raise StoreError(f"{project} is no folder of a project")
    own = project / "workflow"
    library = own if (own / PACKAGE / "maintenance" / "references.py").is_file() else PACKAGE_ROOT
    if library != own and (own / PACKAGE).is_dir():
        raise StoreError(f"{own / PACKAGE} is older than this command: bring it up to date first")
    known = os.environ.get("PYTHONPATH", "")
    paths = [str(library), str(project), *filter(None, known.split(os.pathsep))]
    with tempfile.TemporaryFile("w+") as complaints:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", PACKAGE, COMMAND, *arguments],
            cwd=project, text=True, stdout=subprocess.PIPE, stderr=complaints,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )  # fmt: skip
        last = [""]
        with process:
            for line in process.stdout or ():
                last = json.loads(line)
                yield last
        if process.returncode or last != ["end"]:
            complaints.seek(0)
            said = f"{project} cannot say what it means, so nothing was looked at"
            raise StoreError(f"{said}\n{complaints.read().strip()}")
