"""A study at one scale: read its config, apply the patch of the scale, and report all problems."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

from hypertransfer.catalogue.config_schemas import scales
from hypertransfer.claims import validation
from hypertransfer.claims.claim import Claim
from hypertransfer.runs.canonical import is_plain
from hypertransfer.runs.problem import NO_VALUE, Problem, known_names
from hypertransfer.runs.section import Section
from hypertransfer.studies import (
    adaptive_conditions,
    as_needed_conditions,
    axes,
    claim_checks,
    figure_checks,
    followed_grids,
    grid,
    grid_checks,
    known_sound,
    planned_tasks,
    references,
    replays,
    scale_patches,
    scale_values,
    search_checks,
    spending,
    suite_checks,
)
from hypertransfer.studies.adaptive_grids import found_axes
from hypertransfer.studies.document import (
    ConfigError,
    LocatedProblem,
    read,
)
from hypertransfer.studies.figure import Figure
from hypertransfer.studies.grid import Grid, Probe
from hypertransfer.studies.placed_run import Run
from hypertransfer.studies.planned import Planned, Row, ScaleValues
from hypertransfer.studies.replays import Replay, Suite
from hypertransfer.studies.schema import schema_problems, with_whole_numbers
from hypertransfer.studies.searches import Search
from hypertransfer.studies.spending import Spending


@dataclass(frozen=True)
class Study(Section):
    """A study at one scale: the texts and sections of its config, and the runs of its grids."""

    name: str
    scale: str
    title: str
    question: str
    grids: Mapping[str, Grid]
    runs: Mapping[str, Sequence[Run]] = field(repr=False)
    paper: Mapping[str, str] = field(default_factory=dict)
    edition: int = 1
    searches: Mapping[str, Search] = field(default_factory=dict)
    suites: Mapping[str, Suite] = field(default_factory=dict)
    replays: Mapping[str, Replay] = field(default_factory=dict)
    figures: Sequence[Figure] = ()
    claims: Sequence[Claim] = ()
    spending: Spending | None = None
    headlines: Sequence[Mapping[str, Any]] = ()
    counterparts: Sequence[Mapping[str, Any]] = ()
    comparisons: Sequence[Mapping[str, Any]] = ()

    DERIVED: ClassVar[tuple[str, ...]] = ("scale", "runs")

    @classmethod
    def parse(  # type: ignore[override]
        cls, values: Mapping[str, Any], scale: str, runs: Mapping[str, Sequence[Run]] | None = None
    ) -> Study:
        """The study of values without problems; grids are expanded unless `runs` is given.

        Raises:
            ProblemError: values of a grid or of a run cannot be used.
        """
        values = spending.with_numbers(values)
        grids = {name: Grid.parse(section) for name, section in values["grids"].items()}
        budget = values.get("spending")
        typed = {
            "name": values["study"],
            "scale": scale,
            "grids": grids,
            "runs": runs or {name: grid.runs(section) for name, section in grids.items()},
            "searches": {n: Search.parse(n, s) for n, s in values.get("searches", {}).items()},
            "suites": {n: Suite.parse(s) for n, s in values.get("suites", {}).items()},
            "replays": {n: Replay.parse(r) for n, r in values.get("replays", {}).items()},
            "figures": list(map(Figure.parse, values.get("figures", ()))),
            "claims": list(map(Claim.parse, values.get("claims", ()))),
            "spending": Spending.parse(budget) if budget else None,
        }
        return cls(**{**{k: v for k, v in values.items() if k != "study"}, **typed})

    def plain(self) -> dict[str, Any]:
        """The config at the scale of the study, without keys that have their default value."""
        values = super().plain()
        return {"study": values.pop("name"), **values}


def load_rates(file: Path) -> dict[str, float]:
    """The calibrated rates of the cost model; empty if the file does not exist.

    Raises:
        ConfigError: every problem of the file.
    """
    if not file.exists():
        return {}
    document = read(file)
    problems = schema_problems("cost", document.values)
    if problems:
        raise ConfigError(map(document.locate, problems))
    return dict(document.values)


_NAME_OF_STUDY = re.compile(r"[a-z][a-z0-9_]{0,63}")


def bad_name(name: str) -> str:
    """Why a study cannot have a name; empty if it can."""
    if _NAME_OF_STUDY.fullmatch(name):
        return ""
    return (
        f"no study {name!r}: a name has small letters, digits and _, begins with a letter, and "
        "has at most 64 characters"
    )


def unknown(name: str, directory: Path) -> str:
    """Why a folder has no study of a name; empty if it has one."""
    files = (path.stem for path in directory.glob("*.yaml"))
    names = sorted(filter(_NAME_OF_STUDY.fullmatch, files))
    if fault := bad_name(name):
        return f"{fault}; {known_names(name, names)}"
    if (directory / f"{name}.yaml").is_file():
        return ""
    return f"no study {name!r}; {known_names(name, names)}"


def load_study(name: str, scale: str, directory: Path) -> Study:
    """Read the config of a study, apply the patch of a scale, and check the result.

    Raises:
        ConfigError: every problem of the file at this scale.
    """
    if text := unknown(name, directory):
        raise ConfigError([LocatedProblem("main config", None, "studies", text)])
    file = directory / f"{name}.yaml"
    document = read(file, str(file))
    body = document.values if isinstance(document.values, Mapping) else {}
    patches = body.get("scales") if isinstance(body.get("scales"), Mapping) else {}
    patch = patches.get(scale) if isinstance(patches.get(scale), Mapping) else {}
    unpatched = {k: v for k, v in body.items() if k != "scales"}
    values = with_whole_numbers(
        "study", scale_patches.without_unknown(unpatched, scale_patches.merge(unpatched, patch))
    )
    if isinstance(values.get("claims"), list):
        values["claims"] = list(map(validation.with_whole_numbers, values["claims"]))
    key = known_sound.key(name, scale, body)
    if known_sound.is_known(key):
        return Study.parse(values, scale)
    merged = partial(scale_patches.merge, unpatched)
    at_scales = lambda: [unpatched, *map(merged, patches.values())]  # noqa: E731
    checks = _Checks(values, name, at_scales, conclusive=scale != scales()[0])
    problems = [*checks.problems, *scale_patches.problems(unpatched, body.get("scales", {}))]
    if problems:
        raise ConfigError(document.locate(problem, scale) for problem in problems)
    known_sound.remember(key)
    return Study.parse(values, scale, checks.runs)


def _values_without_text(value: Any, path: tuple[str, ...] = ()) -> Iterator[Problem]:
    """Problems of values without a canonical text, which cannot be settings of a job."""
    if is_plain(value):
        return
    if isinstance(value, Mapping | list):
        entries = value.items() if isinstance(value, Mapping) else enumerate(value)
        inner = [p for key, part in entries for p in _values_without_text(part, (*path, str(key)))]
        text = "mixes keys that are text with other keys: put all keys in quotes"
        yield from inner or [Problem(path, NO_VALUE, text)]
    else:
        yield Problem(path, value, "a finite number, a text, true, false or null (quote dates)")


class _Checks:
    """Every problem of a study's merged values, and the runs of its grids.

    Sections in which the schema finds a problem are not checked further. `scales` returns the
    study's values at every scale, which are not checked. At a scale that is not `conclusive`, a
    claim need not be able to hold or to fail.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        name: str,
        scales: Callable[[], list[Any]] = list,
        *,
        conclusive: bool = True,
    ) -> None:
        self.problems = schema_problems("study", values)
        self.values = values = spending.with_numbers(values)
        self.scales = lambda: map(spending.with_numbers, scales())
        self.conclusive = conclusive
        self.broken = {problem.path[:2] for problem in self.problems}
        if values.get("study", name) != name:
            problem = Problem(("study",), values["study"], f"the file's name, {name!r}")
            self.problems.append(problem)
        if not any(path[:1] == ("spending",) for path in self.broken):
            self.problems += spending.problems(values, self._grids())
        self.runs: dict[str, list[Run]] = {}
        runs = self._check_runs()
        self.problems += as_needed_conditions.shared_problems(self._grids(), runs)
        one_of = {
            name: found_axes(grid)
            for name, grid in self._grids().items()
            if followed_grids.followed(grid)
        }
        placed = suite_checks.PlacedRuns(runs)
        rows, tasks = self._check_spaces(placed), self._tasks(placed)
        planned = Planned(runs, rows, self._probes(), self._read_scales, tasks, one_of)
        for part in ("figures", "claims"):
            self._check_references(part, planned)
        if not self.broken:
            # Of claims, `claims.validation` checks the ids.
            named = {
                part: [entry for entry in values.get(part, ()) if isinstance(entry.get("id"), str)]
                for part in ("figures", "claims")
            }
            ids = {part: [entry["id"] for entry in entries] for part, entries in named.items()}
            counterparts = values.get("counterparts", ())
            self.problems += references.counterpart_problems(counterparts, ids)
            self.problems += references.paper_problems(values)
            headlines = values.get("headlines", ())
            kinds = {entry["id"]: entry.get("kind") for entry in named["claims"]}
            self.problems += references.headline_problems(headlines, kinds)
            comparisons = values.get("comparisons", ())
            self.problems += references.comparison_problems(comparisons, values.get("replays", {}))
        known = {problem.path for problem in self.problems}
        for problem in _values_without_text(values):
            if not any(problem.path[: len(path)] == path for path in known):
                self.problems.append(problem)

    def _sound(self, part: str) -> dict[Any, Any]:
        """The entries of a part by name or index, without entries with problems of the schema."""
        written = self.values.get(part)
        if (part,) in self.broken or not isinstance(written, Mapping | list):
            return {}
        entries = written.items() if isinstance(written, Mapping) else enumerate(written)
        return {name: entry for name, entry in entries if (part, str(name)) not in self.broken}

    def _check_runs(self) -> dict[str, list[Run]]:
        """Check grids and searches; returns their runs, or no runs if there is a problem."""
        problems: list[Problem] = []
        for name, written in self._sound("grids").items():
            at_scales = partial(self._grid_at_scales, name)
            self.runs[name], wrong = grid_checks.expand(name, Grid.parse(written), at_scales)
            problems += wrong
        planned = dict(self.runs)
        for name, written in self._sound("searches").items():
            search, wrong = search_checks.check(name, written)
            problems += wrong
            rows = search.rows() if search else {}
            if rows.keys() & self.runs.keys():
                text = "is also the name of a grid: choose another name"
                self.problems.append(Problem(("searches", name), NO_VALUE, text))
            planned |= rows
        if not problems and not self.broken:
            problems += followed_grids.problems(self._grids(), self.runs)
        self.problems += problems
        whole = not problems and not any(path[:1] == ("grids",) for path in self.broken)
        return planned if whole else {}

    def _run_suite_problems(
        self,
        suites: Mapping[str, Suite],
        replayed: Mapping[str, Replay],
        runs: Mapping[str, Sequence[Run]],
    ) -> Iterator[Problem]:
        """Problems of sound suites and replays with the planned runs."""
        for name, suite in suites.items():
            wrong = suite_checks.suite_problems(suite, runs)
            yield from (problem.below("suites", name) for problem in wrong)
        for name, replay in replayed.items():
            rows = suite_checks.evaluations(suites[replay.suite], runs)
            wrong = suite_checks.target_problems(replay, rows)
            yield from (problem.below("replays", name) for problem in wrong)

    def _check_spaces(self, runs: Mapping[str, Sequence[Run]]) -> dict[str, list[dict[str, Any]]]:
        """Check suites and replays; returns the rows of their tables that are known now.

        The rows `searches` name the hyperparameters of each search.
        """
        suites, replayed = self._suites, self._replays
        grids = self.values.get("grids")
        names = list(map(str, grids)) if isinstance(grids, Mapping) else []
        found = [name for name, grid in self._grids().items() if not spending.has_listed_runs(grid)]
        problems = [
            problem.below("suites", name)
            for name, suite in suites.items()
            for problem in (
                *replays.suite_problems(suite, names),
                *(suite_checks.adaptive_problems(suite, found) if suite.study is None else ()),
            )
        ]
        if not problems and not any(path[:1] == ("suites",) for path in self.broken):
            problems += [
                problem.below("replays", name)
                for name, replay in replayed.items()
                for problem in replays.replay_problems(replay, suites)
            ]
        if not problems and not self.broken:
            problems += self._run_suite_problems(suites, replayed, runs)
        self.problems += problems
        if self.broken:
            return {}
        searched = [
            {"grid": name, "hyperparameter": key}
            for name, search in self._sound("searches").items()
            for key in search["space"]
        ]
        return {**replays.planned_rows(suites, replayed), "searches": searched}

    def _tasks(self, runs: Mapping[str, Sequence[Run]]) -> dict[tuple[str, str], list[Row]]:
        """The planned tasks of suites and replays; none if anything has a problem."""
        if self.problems:
            return {}
        return planned_tasks.planned_tasks(self._suites, self._replays, runs)

    @cached_property
    def _suites(self) -> dict[str, Suite]:
        """The sound suites by name."""
        return {name: Suite.parse(written) for name, written in self._sound("suites").items()}

    @cached_property
    def _replays(self) -> dict[str, Replay]:
        """The sound replays by name."""
        return {name: Replay.parse(written) for name, written in self._sound("replays").items()}

    def _probes(self) -> dict[str, Mapping[str, Probe]]:
        """The probes of each sound grid, by name."""
        return {name: grid.probes for name, grid in self._grids().items()}

    def _grids(self) -> dict[str, Grid]:
        """The sound grids by name."""
        sound = self._sound("grids").items()
        return {str(name): Grid.parse(written) for name, written in sound}

    def _grid_at_scales(self, name: str) -> Iterator[Grid]:
        """A grid as it is at every scale."""
        return (grid for values in self.scales() for grid in scale_values.grid_at(values, name))

    @cached_property
    def _first_seeds(self) -> int:
        """The largest first number of seeds of the study's spending at any scale."""
        return max(map(spending.first_number, self.scales()), default=0)

    def _read_scales(self) -> Iterator[ScaleValues]:
        return map(scale_values.scale_values, self.scales())

    def _check_references(self, part: str, planned: Planned) -> None:
        """Check the figures or the claims, and the rows that they select."""
        entries = self._sound(part)
        ids = {index: entry["id"] for index, entry in entries.items()}
        self.problems += references.id_problems(part, ids)
        grids = self._grids()
        for index, entry in entries.items():
            if part == "figures":
                problems = list(figure_checks.figure_problems(Figure.parse(entry), planned))
            else:
                problems = list(validation.problems(entry))
                if not problems:
                    problems += self._claim_problems(Claim.parse(entry), entry, planned)
            problems += references.condition_problems(entry, planned)
            problems += adaptive_conditions.problems(entry, planned, grids)
            problems += as_needed_conditions.problems(entry, planned, grids, self._first_seeds)
            self.problems += [problem.below(part, index) for problem in problems]

    def _claim_problems(
        self, claim: Claim, entry: Mapping[str, Any], planned: Planned
    ) -> list[Problem]:
        """Problems of what a claim without other problems reads, and of its bar on these runs."""
        problems = list(
            claim_checks.claim_problems(claim, planned, asks_for_seeds="min_seeds" in entry)
        )
        if problems or not self.conclusive:
            return problems
        adaptive = {str(name): axes.adaptive(grid) for name, grid in self._sound("grids").items()}
        return list(claim_checks.reach_problems(claim, planned, adaptive))
