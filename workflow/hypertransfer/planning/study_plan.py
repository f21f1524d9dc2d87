"""The plan of a study: its jobs, each with the file it makes, named by what it is made from.

A file's name carries a digest of everything that decides its content: run keys, settings, and
the fingerprint of the code that makes it. If any of these changes, the name changes and the
file is missing, which is the one rerun trigger that Snakemake needs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from pathlib import Path
from typing import Any

from hypertransfer.catalogue.cards import probes
from hypertransfer.catalogue.module_source import find
from hypertransfer.planning import cost, keys
from hypertransfer.planning.fingerprint import fingerprint, imports
from hypertransfer.planning.jobs import RESULTS, Job, code_of
from hypertransfer.planning.publication import Publication
from hypertransfer.planning.space_jobs import SpacePlan
from hypertransfer.runs.canonical import canonical, digest
from hypertransfer.runs.conditions import matches
from hypertransfer.runs.spec import RunSpec
from hypertransfer.studies import grid
from hypertransfer.studies.document import ConfigError, LocatedProblem
from hypertransfer.studies.searches import LATER, Search
from hypertransfer.studies.study import Study

FORMATS = ("svg", "png")
NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


@dataclass(frozen=True)
class PlannedRun:
    """A run of the plan: its place, its spec, its key, and what it is estimated to cost."""

    key: str
    run: grid.Run
    seconds: float


@dataclass(frozen=True)
class Shard:
    """A part of a cell, or of a cell's probing: one Snakemake job and one file."""

    kind: str  # 'train' or 'probe'
    study: str
    path: str
    job: Job
    runs: tuple[PlannedRun, ...]
    probe_keys: tuple[str, ...]
    seconds: float
    bytes: float  # of memory
    source: Shard | None = None  # the training that a probe waits for

    @property
    def file(self) -> str:
        """The table that the job makes."""
        return f"{RESULTS / self.study}/made/{self.path}/{self.job.digest}.parquet"


@dataclass(frozen=True)
class SearchJob:
    """A generation of a search, or the runs that carry its results over: one Snakemake job."""

    study: str
    search: str
    kind: str  # 'searches' or 'transfers'
    job: Job
    sources: tuple[str, ...]  # tables that it builds upon
    seconds: float
    bytes: float

    @property
    def file(self) -> str:
        """The table of its runs."""
        return f"{RESULTS / self.study}/made/{self.kind}/{self.search}/{self.job.digest}.parquet"

    @property
    def files(self) -> list[str]:
        """All that it makes: a generation's proposals lie beside its table."""
        return [self.file, *([self.file[:-8] + ".json"] if self.kind == "searches" else [])]


class StudyPlan:
    """All jobs of one study at one scale."""

    def __init__(
        self, study: Study, job_minutes: float, rates: cost.Rates | None = None,
        others: Callable[[str], StudyPlan] | None = None,
    ) -> None:  # fmt: skip
        self.others = others  # the plans of studies whose runs a suite takes
        self.study, self.job_minutes, self.rates = study, job_minutes, rates or cost.Rates()
        self.name = study.name
        self.contexts = keys.Contexts()
        self.codes = {script: code_of(script) for script in ("train_cell", "probe_cell")}

    @cached_property
    def runs(self) -> dict[str, list[PlannedRun]]:
        """The runs of each grid, with their keys."""
        return {
            name: [
                PlannedRun(
                    self.contexts.key(run.spec), run, cost.train_seconds(run.spec, self.rates)
                )
                for run in runs
            ]
            for name, runs in self.study.runs.items()
        }

    @cached_property
    def cells(self) -> list[grid.Cell]:
        """The cells of all grids."""
        return [
            cell
            for name, values in self.study.grids.items()
            for cell in grid.cells(name, values, [planned.run for planned in self.runs[name]])
        ]

    @cached_property
    def shards(self) -> list[Shard]:
        """Training and probing, cut into jobs."""
        planned = {
            id(one.run): one for runs in self.runs.values() for one in runs
        }  # cells hold the very runs of the grids
        out = []
        for cell in self.cells:
            members = [planned[id(run)] for run in cell.runs]
            seconds = [member.seconds for member in members]
            for piece in cost.shards(members, seconds, self.job_minutes * 60):
                training = self._training(cell, piece)
                out.append(training)
                out += self._probings(cell, piece, training)
        return out

    def _training(self, cell: grid.Cell, runs: Sequence[PlannedRun]) -> Shard:
        parts = {"grid": cell.grid, **_listing(runs)}
        path = f"cells/{cell.path}"
        seconds = sum(run.seconds for run in runs)
        memory = max(cost.train_bytes(run.run.spec) for run in runs)
        job = Job(self.codes["train_cell"], parts)
        return Shard("train", self.name, path, job, tuple(runs), (), seconds, memory)

    def _probings(
        self, cell: grid.Cell, runs: Sequence[PlannedRun], training: Shard
    ) -> Iterable[Shard]:
        for name, probe in self.study.grids[cell.grid].probes.items():
            chosen = [r for r in runs if matches(probe.where, r.run.point)]
            if not chosen:
                continue
            # All runs of a shard share their steps unless steps are an axis: settings per run.
            settings = [probe_settings(probe, r.run.spec) for r in chosen]
            found = tuple(map(self.contexts.probe_key, (r.key for r in chosen), settings))
            parts = {
                "grid": cell.grid,
                "probe": name,
                "settings": settings,
                "probe_keys": list(found),
                **_listing(chosen),
            }
            specs = [r.run.spec for r in chosen]
            seconds = sum(map(cost.probe_seconds, specs, settings, repeat(self.rates)))
            memory = max(map(cost.probe_bytes, specs, settings))
            path = f"probes/{cell.path}/{name}"
            job = Job(self.codes["probe_cell"], parts)
            yield Shard(
                "probe", self.name, path, job, tuple(chosen), found, seconds, memory, training
            )

    @cached_property
    def collect(self) -> Job:
        """The study's tables from all its shards, in the order of the plan."""
        files = [shard.file for shard in self.shards] + [job.file for job in self.searches]
        return Job(code_of("collect_tables"), {"files": files})

    @cached_property
    def spaces(self) -> SpacePlan:
        """The jobs of suites and replays."""

        def cells(study: str, grid_name: str) -> list[str]:
            plan = self if study == self.name or not self.others else self.others(study)
            return plan.cell_files[grid_name]

        return SpacePlan(self.name, self.study.suites, self.study.replays, cells)

    @cached_property
    def cell_files(self) -> dict[str, list[str]]:
        """The files of each grid's cells."""
        out: dict[str, list[str]] = {name: [] for name in self.study.grids}
        for shard in self.shards:
            if shard.kind == "train":
                out[shard.job.parts["grid"]].append(shard.file)
        return out

    @cached_property
    def tables(self) -> str:
        """The digest of all that the study's tables are made from."""
        spaces = self.spaces
        own = self.collect.digest
        return digest([own, spaces.collect.digest], 12) if spaces.suites else own

    @cached_property
    def claims(self) -> Job:
        """The verdicts."""
        parts = {"study": self.name, "scale": self.study.scale, "tables": self.tables}
        parts["claims"] = [claim.plain() for claim in self.study.claims]
        parts["edition"] = str(self.study.edition)
        return Job(code_of("check_claims"), parts)

    @cached_property
    def figures(self) -> dict[str, Job]:
        """A job for each figure, by its id."""
        tables, code = self.tables, code_of("draw_figure")
        return {
            figure.id: Job(code, {"tables": tables, "figure": figure.plain()})
            for figure in self.study.figures
        }

    @cached_property
    def report(self) -> Job:
        """The report notebook and its page."""
        figures = {name: job.digest for name, job in self.figures.items()}
        texts = {k: v for k, v in self.study.plain().items() if k not in ("figures", "claims")}
        return Job(
            code_of("write_report"),
            {
                "study": texts,
                "scale": self.study.scale,
                "tables": self.tables,
                "claims": self.claims.digest,
                "figures": figures,
                "captions": {f.id: f.caption for f in self.study.figures},
                "order": list(figures),
                "notebook": notebook_digest(notebook(self.study)),
            },
        )

    @cached_property
    def searches(self) -> list[SearchJob]:
        """The generations of all searches, each method's one after another, and what follows."""
        return [job for search in self.study.searches.values() for job in self._search(search)]

    def _search(self, search: Search) -> Iterator[SearchJob]:
        # What answers a run, whatever it is asked: code, data, table.
        context = self.contexts.key(search.base).partition("-")[2]
        code = code_of("search_generation")  # once for all generations
        seconds = cost.train_seconds(search.base, self.rates)
        settings, ends = search.plain(), []
        started = {k: v for k, v in settings.items() if k not in LATER}
        for name, method in search.settings.methods.items():
            earlier: list[str] = []
            for generation in range(search.settings.generations):
                parts = {
                    "search": search.name,
                    "values": started,
                    "method": {"name": name, **method.plain()},
                    "generation": generation,
                    "context": context,
                }
                job = SearchJob(
                    self.name, search.name, "searches", Job(code, parts),
                    tuple(earlier), search.settings.trials * seconds, cost.train_bytes(search.base),
                )  # fmt: skip
                yield job
                earlier.append(job.file)
            ends += earlier
        if search.settings.transfer:
            specs = [search.spec({}, changes) for _, changes in search.transfer_runs()]
            parts = {"search": search.name, "values": settings, "context": context,
                     "files": ends}  # fmt: skip
            yield SearchJob(
                self.name, search.name, "transfers", Job(code_of("carry_over"), parts),
                tuple(ends), sum(cost.train_seconds(spec, self.rates) for spec in specs),
                max(map(cost.train_bytes, specs)),
            )  # fmt: skip

    def files(self, kind: str) -> list[str]:
        """The files of all shards of a kind."""
        return [shard.file for shard in self.shards if shard.kind == kind]

    @property
    def root(self) -> Path:
        """The study's folder of results."""
        return RESULTS / self.name

    @property
    def table_files(self) -> list[str]:
        """The collected tables."""
        folder = f"{self.root}/made/tables/{self.collect.digest}"
        return [*(f"{folder}/{name}.parquet" for name in TABLES), *self.spaces.table_files]

    @property
    def claims_file(self) -> str:
        """The verdicts."""
        return f"{self.root}/made/claims/{self.claims.digest}.parquet"

    @property
    def figure_files(self) -> list[str]:
        """Every figure in every format."""
        return [
            f"{self.root}/made/figures/{name}-{job.digest}.{suffix}"
            for name, job in self.figures.items()
            for suffix in FORMATS
        ]

    @property
    def report_files(self) -> list[str]:
        """The executed notebook and its page."""
        return [f"{self.root}/made/reports/{self.report.digest}.{s}" for s in ("ipynb", "html")]

    @cached_property
    def stable(self) -> dict[str, str]:
        """Names for people, below the study's folder → the files behind them."""
        out = {f"tables/{Path(file).name}": file for file in self.table_files}
        out["tables/claims.parquet"] = self.claims_file
        for name, job in self.figures.items():
            for suffix in FORMATS:
                file = f"{self.root}/made/figures/{name}-{job.digest}.{suffix}"
                out[f"figures/{name}.{suffix}"] = file
        out |= {f"report{Path(file).suffix}": file for file in self.report_files}
        return out

    @cached_property
    def publication(self) -> Publication:
        """The study's stable names."""
        return Publication(self.root, self.stable)

    @property
    def made(self) -> list[str]:
        """Every file that the study makes under a digest's name."""
        return [
            *(shard.file for shard in self.shards),
            *(file for job in (*self.searches, *self.spaces.jobs) for file in job.files),
            *self.table_files,
            self.claims_file,
            *self.figure_files,
            *self.report_files,
        ]

    def caption(self, figure: str) -> str:
        """What a figure of the study shows, in words, as reStructuredText that means no more."""
        text = next(f.caption for f in self.study.figures if f.id == figure)
        return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))


TABLES = ("runs", "history", "probes")


def notebook(study: Study) -> Path:
    """The report's template, in the repository: the study's own, or the general one."""
    own = NOTEBOOKS / f"{study.name}.ipynb"
    found = own if own.is_file() else NOTEBOOKS / "any_study.ipynb"
    if found.resolve().parent != NOTEBOOKS:
        text = f"{found} is a link that leads out of {NOTEBOOKS}: put the notebook itself there"
        raise ConfigError(
            [LocatedProblem(f"config/studies/{study.name}.yaml", None, "study", text)]
        )
    return found


def notebook_digest(path: Path) -> str:
    """Digest of what a report's looks depend on: its cells, its page, the code it imports."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells]
    code = [s for s, cell in zip(sources, cells, strict=True) if cell["cell_type"] == "code"]
    ours = [name for name in imports("\n".join(code), "notebook", False) if find(name)]
    pages = sorted((NOTEBOOKS / "templates").rglob("*.*"))
    page = [p.read_text(encoding="utf-8") for p in pages if p.is_file()]
    return digest({"cells": sources, "page": page, "code": fingerprint(*ours)}, 16)


def probe_settings(probe: grid.Probe, spec: RunSpec) -> dict[str, Any]:
    """A probe's settings for a run, complete: defaults filled in, the schedule as steps."""
    schemas = probes.PROBES[probe.probe].settings
    settings = {
        name: probe.settings.get(name, schema["default"]) for name, schema in schemas.items()
    }
    settings["probe"] = probe.probe
    settings["checkpoints"] = grid.checkpoints(probe.checkpoints, spec.steps)
    return settings


def _listing(runs: Sequence[PlannedRun]) -> dict[str, Any]:
    """The runs of a job as plain values: what all share once, and each one's own."""
    plain = [one.run.spec.plain() for one in runs]
    texts = {name: canonical(value) for name, value in plain[0].items()}
    shared = {
        name: value
        for name, value in plain[0].items()
        if all(other[name] is value or canonical(other[name]) == texts[name] for other in plain)
    }
    own = [
        {
            "key": one.key,
            "point": dict(one.run.point),
            "own": {name: value for name, value in spec.items() if name not in shared},
        }
        for one, spec in zip(runs, plain, strict=True)
    ]
    return {"shared": shared, "runs": own}
