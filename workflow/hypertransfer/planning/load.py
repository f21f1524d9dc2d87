"""The plans of all studies that the main config names, and of the index above them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from hypertransfer.catalogue import dataset_options
from hypertransfer.claims.registration import needs_reason
from hypertransfer.planning import cost, keys
from hypertransfer.planning.job_digest import code_of
from hypertransfer.planning.jobs import RESULTS, PlannedJob
from hypertransfer.planning.kept_weights import kept_weights
from hypertransfer.planning.look_status import sure_seconds
from hypertransfer.planning.planned_runs import KeptWeights
from hypertransfer.planning.publication import Publication
from hypertransfer.planning.study_plan import StudyPlan
from hypertransfer.runs.problem import NO_VALUE, Problem
from hypertransfer.studies import suite_checks
from hypertransfer.studies.document import ConfigError, LocatedProblem
from hypertransfer.studies.main_config import STUDIES, Origins
from hypertransfer.studies.registrations import load_registration
from hypertransfer.studies.study import load_rates, load_study, unknown


class IndexPlan:
    """The scorecard and the index page above all studies."""

    def __init__(self, plans: Sequence[StudyPlan]) -> None:
        self.plans = plans

    @cached_property
    def write_index(self) -> PlannedJob:
        """The job that joins the verdicts of all studies."""
        studies = [
            {"name": plan.name, "title": plan.study.title, "scale": plan.study.scale}
            for plan in self.plans
        ]
        claims = [plan.check_claims.file for plan in self.plans]
        return PlannedJob(
            rule="write_index",
            study="",
            code=code_of("write_index"),
            parts={"studies": studies, "claims": claims},
            output_patterns={
                "scorecard": "results/made/index/{digest}/scorecard.parquet",
                "page": "results/made/index/{digest}/index.html",
            },
            input={"claims": claims},
        )

    @cached_property
    def publication(self) -> Publication:
        """The stable names at the top of the results."""
        return Publication(RESULTS, {Path(file).name: file for file in self.made})

    @property
    def jobs(self) -> list[PlannedJob]:
        """The job that writes the index, and the job that publishes it."""
        return [self.write_index, self.publication.job]

    @property
    def made(self) -> list[str]:
        """The scorecard and the index page."""
        return self.write_index.files


def load(
    config: Mapping[str, Any], directory: Path = STUDIES, origins: Origins | None = None
) -> list[StudyPlan]:
    """The plans of all studies that the main config names; `origins` are those of its values.

    Raises:
        ConfigError: every problem of every study's file.
    """
    problems: list[LocatedProblem] = []
    plans: dict[str, StudyPlan] = {}
    contexts = _contexts(config)

    @cache
    def weights() -> KeptWeights:
        return kept_weights(list(plans.values()))

    for index, name in enumerate(config["studies"]):
        if text := unknown(name, directory):
            problem = Problem(("studies", str(index)), NO_VALUE, text)
            problems.append((origins or Origins([])).locate(problem))
            continue
        try:
            plans[name] = load_plan(
                name, config, config["scale"], directory, plans.__getitem__, weights, contexts
            )
        except ConfigError as error:
            problems += error.problems
    problems = problems or list(_borrowed_problems(plans, directory))
    if problems:
        raise ConfigError(problems)
    return list(plans.values())


def _borrowed_problems(plans: Mapping[str, StudyPlan], directory: Path) -> Iterator[LocatedProblem]:
    """Problems of suites that take runs of a study or grid that is not planned."""
    for name, plan in plans.items():
        for key, suite in plan.study.suites.items():
            other = suite.study or name
            file, place = str(directory / f"{name}.yaml"), f"suites.{key}"
            if other not in plans:
                text = (
                    f"takes runs of {other!r}, which is not in `studies` of the main config: add it"
                )
                yield LocatedProblem(file, None, f"{place}.study", text)
                continue
            for grid_name in suite.grids:
                if grid_name not in plans[other].study.grids:
                    known = ", ".join(plans[other].study.grids)
                    text = f"no grid {grid_name!r} in {other}; known: {known}"
                    yield LocatedProblem(file, None, f"{place}.grids", text)
            if other != name:
                adaptive = plans[other].rounds.grids
                for problem in suite_checks.adaptive_problems(suite, adaptive):
                    at = f"{place}.{problem.key}"
                    yield LocatedProblem(file, None, at, problem.text)


def missing_data(plans: Iterable[StudyPlan]) -> list[str]:
    """A message for each data set, and each table of the user, that does not exist."""
    specs = [run.run.spec for plan in plans for runs in plan.runs.values() for run in runs]
    specs += [search.base for plan in plans for search in plan.study.searches.values()]
    used = {spec.data.text: spec.data for spec in specs if ":" not in spec.data.name}
    data_sets = (dataset_options.missing(data.name, data.options) for data in used.values())
    tables = [text for plan in plans for text in plan.spaces.missing()]
    return [text for text in dict.fromkeys([*data_sets, *tables]) if text]


def unregistered(plans: Iterable[StudyPlan]) -> list[str]:
    """A warning for each study with claims that are not registered, or differ from that."""
    found = [(plan, plan.registration.unregistered(plan.study.claims)) for plan in plans]
    return [_unregistered(plan, claims) for plan, claims in found if claims]


def _unregistered(plan: StudyPlan, claims: Sequence[str]) -> str:
    """The warning for the claims of a study that are not registered as they are."""
    one, command = len(claims) == 1, f"`hypertransfer claims {plan.name} --register"
    changed = needs_reason(plan.registration, plan.study.claims)
    return (
        f"{plan.name}: {len(claims)} of its claims {'is' if one else 'are'} not registered as "
        f"{'it is' if one else 'they are'} ({', '.join(claims)}); "
        + (
            f"{command} --reason TEXT` registers {'it' if one else 'them'}; TEXT says why these "
            f"were changed or dropped: {', '.join(changed)}"
            if changed
            else f"{command}` registers {'it' if one else 'them'}"
        )
    )


def overspent(plans: Iterable[StudyPlan]) -> list[str]:
    """A warning for each study whose budget is below the estimate of what surely runs.

    This is no error, since the estimates depend on the calibrated rates of a machine.
    """
    budgets = [
        (plan.name, plan.study.spending.core_minutes, sure_seconds(plan.looks) / 60)
        for plan in plans
        if plan.study.spending
    ]
    return [
        f"{name}: `spending.core_minutes` is {budget:g}, and what surely runs is estimated at "
        f"{sure:.3g}: no look can add seeds; raise `core_minutes` or list fewer runs"
        for name, budget, sure in budgets
        if sure > budget
    ]


def targets(plans: Sequence[StudyPlan | IndexPlan]) -> list[str]:
    """The files to ask Snakemake for, so that every missing file is made.

    These are the markers of the publications, to which all jobs lead, and the missing files that
    no missing file is made from, such as the lost table of a cell in a study that is published.
    Snakemake makes all other missing files for the jobs that read them. They are left out because
    a dry run prints every file that is asked for.
    """
    jobs = [job for plan in plans for job in plan.jobs]
    missing = [
        (job, absent)
        for job in jobs
        if (absent := [file for file in job.files if not Path(file).exists()])
    ]
    needed = {file for job, _ in missing for files in job.input.values() for file in files}
    lost = [file for _, absent in missing if needed.isdisjoint(absent) for file in absent]
    return list(dict.fromkeys([*(plan.publication.job.file for plan in plans), *lost]))


def load_plan(
    name: str,
    config: Mapping[str, Any],
    scale: str,
    directory: Path,
    other_plan: Callable[[str], StudyPlan] | None = None,
    weights: Callable[[], KeptWeights] | None = None,
    contexts: keys.Contexts | None = None,
) -> StudyPlan:
    """The plan of one study at a scale, with cells cut by the calibrated rates.

    Args:
        name: name of the study.
        config: the main config.
        scale: the scale.
        directory: folder of the files of studies.
        other_plan: returns the plan of another study, whose runs a suite takes; by default, the
            file of that study is read.
        weights: see `StudyPlan`.
        contexts: see `StudyPlan`.

    Raises:
        ConfigError: every problem of the study's file, of the file of rates, or of the
            registration of the claims.
    """
    rates = cost.Rates(**load_rates(directory.parent / "cost.yaml"))
    study = load_study(name, scale, directory)
    read = cache(lambda other: load_plan(other, config, scale, directory))
    registration = load_registration(name, directory)
    contexts = contexts or _contexts(config)
    return StudyPlan(
        study, config["job_minutes"], rates, other_plan or read, weights, registration, contexts
    )


def _contexts(config: Mapping[str, Any]) -> keys.Contexts:
    return keys.Contexts(config.get("device", keys.ANY_DEVICE))
