"""The plan of a study: its Snakemake jobs, and the files that each job makes.

The name of a file contains a digest of everything that decides its content: run keys, settings, and
the fingerprint of the code. If any of these changes, the name changes, and a file with the new name
is missing. A missing file is the only rerun trigger that Snakemake needs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator
from functools import cached_property
from pathlib import Path

from hypertransfer.analysis.tables import COLLECTED
from hypertransfer.catalogue.cards.figures import FIGURES
from hypertransfer.claims.families import families_of
from hypertransfer.claims.registration import Registration
from hypertransfer.planning import cost, keys, report_template
from hypertransfer.planning.cell_jobs import CellJobs
from hypertransfer.planning.job_digest import MODULES
from hypertransfer.planning.jobs import RESULTS, PlannedJob
from hypertransfer.planning.kept_weights import kept_weights
from hypertransfer.planning.look_jobs import LookJobs
from hypertransfer.planning.planned_runs import KeptWeights, PlannedRun
from hypertransfer.planning.publication import Publication
from hypertransfer.planning.round_jobs import RoundJobs
from hypertransfer.planning.search_jobs import search_jobs
from hypertransfer.planning.space_jobs import SpaceJobs
from hypertransfer.runs.canonical import digest
from hypertransfer.studies import grid
from hypertransfer.studies.figure import Figure
from hypertransfer.studies.study import Study

FORMATS = ("svg", "png")

# The keys of a claim that tell which rows the claim reads: headlines show these rows.
OF_HEADLINES = ("id", "measure", "where", "bar", "options")


class StudyPlan:
    """All jobs of one study at one scale.

    Args:
        study: the study.
        job_minutes: intended duration of a training job.
        rates: the rates of the cost model.
        other_plan: returns the plan of another study, whose runs a suite takes.
        weights: returns the weights that the store holds, over all studies of the plan; by
            default, those for which this study alone asks.
        registration: when the claims were fixed; by default, no claim is registered.
        contexts: computes keys; the plans of several studies share it, so that each context is
            computed only once.
    """

    def __init__(
        self,
        study: Study,
        job_minutes: float,
        rates: cost.Rates | None = None,
        other_plan: Callable[[str], StudyPlan] | None = None,
        weights: Callable[[], KeptWeights] | None = None,
        registration: Registration | None = None,
        contexts: keys.Contexts | None = None,
    ) -> None:
        self.registration = registration or Registration(study=study.name)
        self.study, self.name, self.root = study, study.name, RESULTS / study.name
        self.job_minutes, self.rates = job_minutes, rates or cost.Rates()
        self._other_plan, self._weights = other_plan, weights or (lambda: kept_weights([self]))
        self._contexts = contexts or keys.Contexts()

    # Runs

    @cached_property
    def runs(self) -> dict[str, list[PlannedRun]]:
        """The runs of each grid, with their keys."""
        return {
            name: [
                PlannedRun(
                    self._contexts.key(run.spec), run, cost.train_seconds(run.spec, self.rates)
                )
                for run in runs
            ]
            for name, runs in self.study.runs.items()
        }

    def readers(self, chosen: Container[str]) -> Iterator[tuple[str, str, list[int]]]:
        """The probes of some runs: the key of the run, the key of the probe, and its steps.

        Timed probes are left out.
        """
        return self._cell_jobs.readers(chosen)

    @property
    def weights(self) -> KeptWeights:
        """The weights that the store holds, over all studies of the plan."""
        return self._cell_jobs.weights

    # Jobs

    @cached_property
    def _cell_jobs(self) -> CellJobs:
        return CellJobs(
            self.study, self.runs, self._weights, self._contexts, self.job_minutes, self.rates
        )

    @cached_property
    def rounds(self) -> RoundJobs:
        """The jobs of grids with an adaptive axis."""
        return RoundJobs(self._cell_jobs)

    @cached_property
    def looks(self) -> LookJobs:
        """The jobs of looks, which add seeds where claims need them."""
        return LookJobs(self._cell_jobs, self.rounds, self.search_jobs)

    @property
    def cells(self) -> list[grid.Cell]:
        """The cells of all grids."""
        return self._cell_jobs.cells

    @property
    def train_jobs(self) -> list[PlannedJob]:
        """The jobs that train the runs of grids."""
        return [*self._cell_jobs.train, *self.rounds.train, *self.looks.train]

    @property
    def probe_jobs(self) -> list[PlannedJob]:
        """The jobs that probe the trained runs."""
        return [*self._cell_jobs.probe, *self.rounds.probe, *self.looks.probe]

    @cached_property
    def search_jobs(self) -> list[PlannedJob]:
        """The generations of all searches, and the jobs that carry their results over."""
        return [
            job
            for search in self.study.searches.values()
            for job in search_jobs(self.name, search, self._contexts, self.rates, self.job_minutes)
        ]

    @cached_property
    def spaces(self) -> SpaceJobs:
        """The jobs of suites and replays."""

        def cell_tables(study: str, grid_name: str) -> list[str]:
            own = study == self.name or self._other_plan is None
            return (self if own else self._other_plan(study)).tables_of_grid[grid_name]

        suites, replays = self.study.suites, self.study.replays
        return SpaceJobs(self.name, suites, replays, cell_tables, self._contexts)

    @cached_property
    def tables_of_grid(self) -> dict[str, list[str]]:
        """The tables of the cells of each grid."""
        tables: dict[str, list[str]] = {name: [] for name in self.study.grids}
        for job in self.train_jobs:
            tables[job.parts["grid"]].append(job.file)
        return tables

    @cached_property
    def collect_tables(self) -> PlannedJob:
        """The job that joins the tables of all cells, searches and probes."""
        tables = {
            "cells": [job.file for job in self.train_jobs],
            "searches": [job.file for job in self.search_jobs],
            "probes": [job.file for job in self.probe_jobs],
        }
        folder = f"results/{self.name}/made/tables/{{digest}}"
        return PlannedJob(
            rule="collect_tables",
            study=self.name,
            code=self._contexts.code_of("collect_tables"),
            parts=tables,
            output_patterns={name: f"{folder}/{name}.parquet" for name in COLLECTED},
            input=tables,
        )

    @cached_property
    def _tables_digest(self) -> str:
        """The digest of everything that decides the content of `table_files`."""
        digests = [self.collect_tables.digest]
        digests += [self.spaces.collect.digest] if self.spaces.suites else []
        return digest(digests, 12)

    @cached_property
    def check_claims(self) -> PlannedJob:
        """The job that writes the verdicts on the claims."""
        parts = {
            "study": self.name,
            "scale": self.study.scale,
            "tables": self._tables_digest,
            "claims": [claim.plain() for claim in self.study.claims],
            "edition": str(self.study.edition),
            "registered": {c.id: self.registration.status(c) for c in self.study.claims},
            MODULES: families_of(self.study.claims),
        }
        if self.looks.seeds:
            read = [claim.id for claim in self.looks.claims]
            parts["looks"] = {"seeds": list(self.looks.seeds), "claims": read}
        searched = [name for s in self.study.searches.values() for name in s.over_searches()]
        if searched:
            parts["searched"] = searched
        return PlannedJob(
            rule="check_claims",
            study=self.name,
            code=self._contexts.code_of("check_claims", *parts[MODULES]),
            parts=parts,
            output_patterns={"verdicts": f"results/{self.name}/made/claims/{{digest}}.parquet"},
            input={"tables": self.table_files},
        )

    @cached_property
    def figures(self) -> dict[str, PlannedJob]:
        """The job that draws each figure, by the figure's id."""
        return {figure.id: self._figure(figure) for figure in self.study.figures}

    def _figure(self, figure: Figure) -> PlannedJob:
        path = FIGURES[figure.kind].path
        module = path.partition(":")[0]
        stem = f"results/{self.name}/made/figures/{figure.id}-{{digest}}"
        return PlannedJob(
            rule="draw_figure",
            study=self.name,
            code=self._contexts.code_of("draw_figure", module),
            parts={
                "tables": self._tables_digest,
                "figure": figure.plain(),
                "drawn_by": path,
                MODULES: [module],
            },
            output_patterns={suffix: f"{stem}.{suffix}" for suffix in FORMATS},
            input={"tables": self.table_files},
        )

    @cached_property
    def write_report(self) -> PlannedJob:
        """The job that runs the report's notebook and writes its page."""
        figures = {name: job.digest for name, job in self.figures.items()}
        values = self.study.plain()
        texts = {key: value for key, value in values.items() if key not in ("figures", "claims")}
        texts["claims"] = [
            {key: claim[key] for key in OF_HEADLINES if key in claim}
            for claim in values.get("claims", ())
        ]
        stem = f"results/{self.name}/made/reports/{{digest}}"
        return PlannedJob(
            rule="write_report",
            study=self.name,
            code=self._contexts.code_of("write_report"),
            parts={
                "study": texts,
                "scale": self.study.scale,
                "tables": self._tables_digest,
                "claims": self.check_claims.digest,
                "figures": figures,
                "captions": {f.id: f.caption for f in self.study.figures},
                "order": list(figures),
                "notebook": report_template.notebook_digest(self.template),
            },
            output_patterns={"notebook": f"{stem}.ipynb", "page": f"{stem}.html"},
            input={
                "tables": self.table_files,
                "claims": self.check_claims.files,
                "figures": self.figure_files,
            },
        )

    @property
    def template(self) -> Path:
        """The notebook template of the report."""
        return report_template.notebook(self.name)

    @cached_property
    def publication(self) -> Publication:
        """The stable names below the study's folder, and the files that are copied to them."""
        names = {f"tables/{Path(file).name}": file for file in self.table_files}
        names["tables/claims.parquet"] = self.check_claims.file
        for figure, job in self.figures.items():
            names |= {f"figures/{figure}.{suffix}": job.output[suffix] for suffix in FORMATS}
        names |= {f"report{Path(file).suffix}": file for file in self.write_report.files}
        return Publication(self.root, names, self.name)

    @cached_property
    def made_by(self) -> list[PlannedJob]:
        """All jobs except the publication, which copies their files."""
        return [
            *self.rounds.allocations,
            *self.looks.allocations,
            *self.train_jobs,
            *self.probe_jobs,
            *self.search_jobs,
            *self.spaces.jobs,
            self.collect_tables,
            self.check_claims,
            *self.figures.values(),
            self.write_report,
        ]

    @cached_property
    def jobs(self) -> list[PlannedJob]:
        """All jobs."""
        return [*self.made_by, self.publication.job]

    # Files

    @property
    def table_files(self) -> list[str]:
        """The collected tables."""
        return [*self.collect_tables.files, *self.spaces.table_files]

    @property
    def figure_files(self) -> list[str]:
        """Every figure in every format."""
        return [file for job in self.figures.values() for file in job.files]

    @property
    def made(self) -> list[str]:
        """Every file that is named by a digest, except the marker of the publication."""
        return [file for job in self.made_by for file in job.files]

    def caption(self, figure: str) -> str:
        """The caption of a figure with all punctuation escaped for reStructuredText."""
        text = next(f.caption for f in self.study.figures if f.id == figure)
        return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))
