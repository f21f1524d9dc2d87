"""The plans of all studies that the main config names, and of the index above them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from hypertransfer.catalogue import dataset_options
from hypertransfer.planning import cost
from hypertransfer.planning.jobs import RESULTS, Job, code_of
from hypertransfer.planning.publication import Publication
from hypertransfer.planning.study_plan import StudyPlan
from hypertransfer.runs.canonical import canonical
from hypertransfer.studies.document import ConfigError, LocatedProblem
from hypertransfer.studies.study import load_rates, load_study


class IndexPlan:
    """What stands above the studies: the scorecard and the index page."""

    def __init__(self, plans: Sequence[StudyPlan]) -> None:
        self.plans = plans

    @cached_property
    def job(self) -> Job:
        """The job that joins the studies' verdicts."""
        studies = [
            {"name": p.name, "title": p.study.title, "scale": p.study.scale} for p in self.plans
        ]
        return Job(code_of("write_index"), {"studies": studies, "claims": self.claims_files})

    @property
    def claims_files(self) -> list[str]:
        """The verdicts of all studies."""
        return [plan.claims_file for plan in self.plans]

    @cached_property
    def publication(self) -> Publication:
        """The stable names at the top of the results."""
        made = RESULTS / "made" / "index" / self.job.digest
        names = ("scorecard.parquet", "index.html")
        return Publication(RESULTS, {name: f"{made}/{name}" for name in names})

    @property
    def made(self) -> list[str]:
        """The files behind the stable names."""
        return list(self.publication.files.values())


def load(config: Mapping[str, Any], directory: Path = Path("config/studies")) -> list[StudyPlan]:
    """The plans of all studies that the main config names.

    Raises:
        ConfigError: every problem of every study's file.
    """
    problems: list[LocatedProblem] = []
    plans: dict[str, StudyPlan] = {}
    for name in config["studies"]:
        try:
            plans[name] = load_plan(name, config, config["scale"], directory, plans.__getitem__)
        except ConfigError as error:
            problems += error.problems
    problems = problems or list(_borrowed_problems(plans, directory))
    if problems:
        raise ConfigError(problems)
    return list(plans.values())


def _borrowed_problems(plans: Mapping[str, StudyPlan], directory: Path) -> Iterator[LocatedProblem]:
    """Suites that take runs of studies which are not run, or of grids that these do not have."""
    for name, plan in plans.items():
        for key, suite in plan.study.suites.items():
            other = suite.study or name
            file, place = str(directory / f"{name}.yaml"), f"suites.{key}"
            if other not in plans:
                text = f"takes runs of {other!r}, which is not in `studies` of config.yaml: add it"
                yield LocatedProblem(file, None, f"{place}.study", text)
                continue
            for grid_name in suite.grids:
                if grid_name not in plans[other].study.grids:
                    known = ", ".join(plans[other].study.grids)
                    text = f"no grid {grid_name!r} in {other}; known: {known}"
                    yield LocatedProblem(file, None, f"{place}.grids", text)


def missing_data(plans: Iterable[StudyPlan]) -> list[str]:
    """What the data sets of all runs and searches lack, each once."""
    specs = [run.run.spec for plan in plans for runs in plan.runs.values() for run in runs]
    specs += [search.base for plan in plans for search in plan.study.searches.values()]
    used = {canonical(s.data.plain()): s.data for s in specs if ":" not in s.data.name}
    found = (dataset_options.missing(data.name, data.options) for data in used.values())
    tables = [text for plan in plans for text in plan.spaces.missing()]
    return [text for text in dict.fromkeys([*found, *tables]) if text]


def load_plan(
    name: str, config: Mapping[str, Any], scale: str, directory: Path,
    others: Callable[[str], StudyPlan] | None = None,
) -> StudyPlan:  # fmt: skip
    """The plan of one study at a scale, its cells cut by the calibrated rates.

    `others` gives the plans of studies whose runs it takes; by itself it reads them.

    Raises:
        ConfigError: every problem of its file, or of the rates'.
    """
    rates = cost.Rates(**load_rates(directory.parent / "cost.yaml"))
    study = load_study(name, scale, directory)
    read = cache(lambda other: load_plan(other, config, scale, directory))
    return StudyPlan(study, config["job_minutes"], rates, others or read)
