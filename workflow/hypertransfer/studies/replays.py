"""Suites and replays of a study, as written in its config.

A suite is a source of tasks. A replay learns search spaces from some tasks of a suite, and searches
in these spaces on other tasks. Planning imports this module, so the module does not import pandas.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypertransfer.catalogue.options import Option, Validator, completed, option
from hypertransfer.runs.paths import expand_home, path_fault
from hypertransfer.runs.problem import NO_VALUE, Problem, one_of
from hypertransfer.runs.section import Section
from hypertransfer.spaces.tasks import sources, suites, tables


def _whole(least: int, most: int) -> dict[str, Any]:
    expected = f"between {least} and {most}"
    return {"type": "integer", "minimum": least, "maximum": most, "expected": expected}


# Options of each searcher of `spaces.searchers`.
SEARCHERS: Mapping[str, Mapping[str, Option]] = {
    "random": {},
    "bayesian": {
        "start": option(
            _whole(1, 1000), 3, "Random evaluations before the first fit of a Gaussian process."
        ),
    },
    "halving": {
        "factor": option(
            _whole(2, 100), 3, "A round continues with the best 1/factor of its configurations."
        ),
        "brackets": option(_whole(1, 100), 1, "Number of first shares, which rounds take in turn."),
    },
}
TABLES = ("replays", "regions", "winners")
# The keys of a suite that only some sources have.
KEYS_OF_SOURCES = {
    **dict.fromkeys(sources.TABLES, ("split",)),
    **dict.fromkeys(suites.SUITES, ("points", "seed")),
    sources.RUNS: ("study", "grids", "about"),
    sources.FILE: ("file", "about"),
}


@dataclass(frozen=True)
class Suite(Section):
    """Tasks from one source: tables of a package, a live suite, runs, or a table of the user.

    Attributes:
        source: name of the source.
        split: dimensions of tables of a package; each combination of their values is a task.
        points: number of configurations in the design of a live suite.
        seed: seed of the design of a live suite.
        file: table of the user.
        study: the study whose runs are evaluations; the suite's own study if None.
        grids: the grids whose runs are evaluations.
        winners: number of best evaluations of each task in the table of winners.
        about: description of the columns of runs or of a table; see `spaces.tasks.tables`.
        description: description of the suite, as text.
    """

    source: str
    split: Sequence[str] = ()
    points: int | None = None
    seed: int = 0
    file: str | None = None
    study: str | None = None
    grids: Sequence[str] = ()
    winners: int = 1
    about: Mapping[str, Any] | None = None
    description: str = ""

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Suite:
        """From a mapping that the schema has accepted; `~` in `file` is the home folder."""
        file = values.get("file")
        return cls(**values) if file is None else cls(**{**values, "file": expand_home(file)})

    @property
    def task_keys(self) -> list[str]:
        """The columns that name the tasks; none if `about` does not list them."""
        if self.source in (sources.RUNS, sources.FILE):
            columns = (self.about or {}).get("task")
            return list(map(str, columns)) if isinstance(columns, list) else []
        return ["data", *self.split]

    @property
    def task_groups(self) -> dict[str, list[str]]:
        """The tasks that jobs evaluate, by group; empty unless the suite is a live suite."""
        groups: dict[str, list[str]] = {}
        if self.source in suites.SUITES:
            for task, group in suites.SUITES[self.source].tasks.items():
                groups.setdefault(group, []).append(task)
        return groups


@dataclass(frozen=True)
class Region(Section):
    """How a search space is learned; see `spaces.learning.Recipe`."""

    shape: str
    slack: float = 0.0
    floor: float = 0.05
    top: int = 1
    drift: str = ""
    drifting: Sequence[str] = ()


@dataclass(frozen=True)
class Method(Section):
    """A searcher, the region that it searches in, and all options of the searcher.

    Attributes:
        searcher: name of the searcher.
        region: name of the region to search in; the whole space if None.
        warm: whether the search starts from the configurations nearest to the winners of earlier
            tasks.
        options: options of the searcher.
    """

    searcher: str
    region: str | None = None
    warm: bool = False
    options: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Method:
        """From a mapping in which the options, of which some may be left out, stand beside."""
        own = {key: values[key] for key in ("searcher", "region", "warm") if key in values}
        options = {k: v for k, v in values.items() if k not in own}
        return cls(**own, options=completed(SEARCHERS[values["searcher"]], options))

    def plain(self) -> dict[str, Any]:
        """The mapping that `parse` reads back."""
        values = super().plain()
        options = values.pop("options", {})
        return {**values, **options}

    def complete(self) -> dict[str, Any]:
        """The mapping that `parse` reads back, with every key."""
        values = super().complete()
        options = values.pop("options")
        return {**values, **options}


@dataclass(frozen=True)
class Replay(Section):
    """Searches on the target tasks of a suite, with regions learned from the other tasks.

    Attributes:
        suite: name of the suite.
        budget: number of evaluations of a search.
        repeats: number of repetitions with other random numbers.
        methods: the compared methods, by name.
        prior: number of random evaluations of each earlier task that are used; all if None.
        leave_out: `task` or `group`: whether only the target, or the target's whole group, is left
            out of learning.
        targets: condition that selects target tasks.
        priors: condition that selects earlier tasks.
        same: columns in which earlier tasks have the same value as the target.
        size: column with the size of a task.
        planted: number of earlier tasks whose winner is replaced by an outlier.
        parts: number of jobs.
        regions: the learned regions, by name.
        description: purpose of the replay, as text.
    """

    suite: str
    budget: int
    repeats: int
    methods: Mapping[str, Method]
    prior: int | None = None
    leave_out: str = "task"
    targets: Mapping[str, Any] = field(default_factory=dict)
    priors: Mapping[str, Any] = field(default_factory=dict)
    same: Sequence[str] = ()
    size: str | None = None
    planted: int = 0
    parts: int = 2
    regions: Mapping[str, Region] = field(default_factory=dict)
    description: str = ""

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Replay:
        """From a mapping that the schema has accepted."""
        kinds = {"methods": Method, "regions": Region}
        parts = {
            key: {name: kind.parse(part) for name, part in values[key].items()}
            for key, kind in kinds.items()
            if key in values
        }
        return cls(**{**values, **parts})


def suite_problems(suite: Suite, grids: Collection[str]) -> Iterator[Problem]:
    """Problems of a suite that the schema does not find; `grids` are the grids of the study."""
    source = suite.source
    if source not in sources.NAMES:
        yield Problem(("source",), source, one_of(source, sources.NAMES))
        return
    own = KEYS_OF_SOURCES[source]
    for key in suite.plain():
        if key not in ("source", "description", "winners", *own):
            text = f"is not a key for the source {source}; known: {', '.join(own)}"
            yield Problem((key,), NO_VALUE, text)
    if source in suites.SUITES and suite.points is None:
        text = "is missing: the number of configurations at which each task is evaluated"
        yield Problem(("points",), NO_VALUE, text)
    for name in suite.split:
        if source in sources.TABLES and name not in sources.TABLES[source].dimensions:
            known = ", ".join(sources.TABLES[source].dimensions)
            text = f"{name!r} is not a dimension of {source}; known: {known}"
            yield Problem(("split",), NO_VALUE, text)
    if source == sources.RUNS:
        yield from _grid_problems(suite, grids)
    if source == sources.FILE and suite.file is None:
        yield Problem(("file",), NO_VALUE, "is missing: the CSV or Parquet file")
    if suite.file is not None and (fault := path_fault(suite.file)):
        yield Problem(("file",), NO_VALUE, fault)
    if source in (sources.RUNS, sources.FILE):
        yield from _about_problems(suite)


def _grid_problems(suite: Suite, grids: Collection[str]) -> Iterator[Problem]:
    known = ", ".join(grids) or "none"
    for name in suite.grids:
        # Grids of another study are checked once that study is planned.
        if name not in grids and suite.study is None:
            yield Problem(("grids",), NO_VALUE, f"no grid {name!r}; known: {known}")
    if not suite.grids:
        yield Problem(("grids",), NO_VALUE, "is missing: the grids whose runs are evaluations")


def _about_problems(suite: Suite) -> Iterator[Problem]:
    if suite.about is None:
        yield Problem(("about",), NO_VALUE, "is missing: the meaning of the table's columns")
        return
    about = dict(suite.about)
    if suite.source == sources.RUNS:
        work = about.pop("work", None)
        if work is not None and not tables.are_shares(work):
            yield Problem(("about", "work"), work, "a list of rising shares that ends with 1")
    yield from (problem.below("about") for problem in tables.problems(about))


def replay_problems(replay: Replay, known: Mapping[str, Suite]) -> Iterator[Problem]:
    """Problems of a replay that the schema does not find; `known` are the suites of the study."""
    if replay.suite not in known:
        text = f"no suite {replay.suite!r}; known: {', '.join(known) or 'none'}"
        yield Problem(("suite",), NO_VALUE, text)
        return
    suite = known[replay.suite]
    try:
        numeric = [name for name, d in _dimensions(suite).items() if "choices" not in d]
    except (KeyError, TypeError, AttributeError):
        return  # the problem of the suite is reported by `suite_problems`
    for name, region in replay.regions.items():
        yield from (p.below("regions", name) for p in _region_problems(region, numeric))
    for name, method in replay.methods.items():
        yield from (p.below("methods", name) for p in _method_problems(method, replay, suite))
    yield from _learning_problems(replay, suite)
    yield from _target_problems(replay, suite)
    if columns := suite.task_keys:  # else `suite_problems` reports that they are not listed
        yield from _column_problems(replay, columns)


def _dimensions(suite: Suite) -> Mapping[str, Any]:
    return sources.dimensions(suite.complete())


def _region_problems(region: Region, numeric: Sequence[str]) -> Iterator[Problem]:
    for name in region.drifting:
        if name not in numeric:
            text = f"{name!r} is not a numeric dimension; known: {', '.join(numeric)}"
            yield Problem(("drifting",), NO_VALUE, text)
    if region.drifting and not region.drift:
        text = "needs drift, the column with the size of a task"
        yield Problem(("drifting",), NO_VALUE, text)


def _learning_problems(replay: Replay, suite: Suite) -> Iterator[Problem]:
    """Problems of keys about earlier tasks that no region and no warm method reads."""
    if not replay.regions and not any(method.warm for method in replay.methods.values()):
        text = "has no effect: the replay learns no region, and no method is warm"
        for key in ("prior", "planted", "same"):
            if getattr(replay, key):
                yield Problem((key,), NO_VALUE, text)
    described = suite.source in (sources.RUNS, sources.FILE)
    if replay.leave_out == "group" and described and "group" not in (suite.about or {}):
        text = "has no effect: the suite has no about.group, and each task is its own group"
        yield Problem(("leave_out",), NO_VALUE, text)


def _data_of_tasks(suite: Suite) -> list[str]:
    """The data sets of a suite's tasks; none if they are not known before they are read."""
    if suite.source in sources.TABLES:
        return list(sources.TABLES[suite.source].tasks)
    if suite.source in suites.SUITES:
        return list(dict.fromkeys(suites.SUITES[suite.source].tasks.values()))
    return []


def _target_problems(replay: Replay, suite: Suite) -> Iterator[Problem]:
    """Problems of data sets that a condition on tasks names, and that no task has."""
    known = _data_of_tasks(suite)
    for key, condition in (("targets", replay.targets), ("priors", replay.priors)):
        wanted = condition.get("data", [])
        for name in wanted if isinstance(wanted, list) else [wanted]:
            if known and name not in known:
                text = f"no task has the data {name!r}; known: {', '.join(known)}"
                yield Problem((key, "data"), NO_VALUE, text)


def _column_problems(replay: Replay, columns: Sequence[str]) -> Iterator[Problem]:
    """Problems of keys that name columns of tasks."""
    known = ", ".join(columns)
    for key, condition in (("targets", replay.targets), ("priors", replay.priors)):
        for name in condition:
            if name not in columns:
                text = f"is not a column of tasks; known: {known}"
                yield Problem((key, str(name)), NO_VALUE, text)
    drifts = [region.drift for region in replay.regions.values() if region.drift]
    sizes = [replay.size] if replay.size else []
    for key, names in (("same", replay.same), ("regions", drifts), ("size", sizes)):
        for name in names:
            if name not in columns:
                text = f"{name!r} is not a column of tasks; known: {known}"
                yield Problem((key,), NO_VALUE, text)


def _method_problems(method: Method, replay: Replay, suite: Suite) -> Iterator[Problem]:
    if method.region is not None and not replay.regions:
        yield Problem(("region",), NO_VALUE, "this replay has no regions")
    elif method.region is not None and method.region not in replay.regions:
        known = ", ".join(replay.regions)
        text = f"no region {method.region!r} of this replay; known: {known}"
        yield Problem(("region",), NO_VALUE, text)
    options = SEARCHERS[method.searcher]
    for key, value in method.options.items():
        if key not in options:
            text = f"unknown option of {method.searcher}; known: {', '.join(options) or 'none'}"
            yield Problem((key,), NO_VALUE, text)
        elif not Validator(options[key]).is_valid(value):
            yield Problem((key,), value, options[key]["expected"])
    if method.searcher == "halving" and method.warm:
        yield Problem(("warm",), NO_VALUE, "is not an option of halving")
    about = suite.about or {}
    if method.searcher == "halving" and not (about.get("work") or about.get("curves")):
        text = "halving needs a suite with learning curves: about.work or about.curves"
        yield Problem(("searcher",), NO_VALUE, text)


def planned_rows(
    suites: Mapping[str, Suite], replays: Mapping[str, Replay]
) -> dict[str, list[dict[str, Any]]]:
    """The rows of the tables `TABLES`, with the columns that are known when a study is planned.

    Beside them, the rows `tasks` name the columns that tell the tasks of each suite apart, `ranges`
    the numeric dimensions of each replay, and `budgets` its number of evaluations.
    """
    rows: dict[str, list[dict[str, Any]]] = {
        name: [] for name in (*TABLES, "tasks", "ranges", "budgets")
    }
    for name, replay in replays.items():
        place = {"replay": name, "suite": replay.suite}
        rows["replays"] += [place | {"method": method} for method in replay.methods]
        rows["regions"] += [place | {"region": region} for region in replay.regions]
        rows["budgets"] += [place | {"budget": replay.budget}]
        if replay.suite in suites:
            ranges = _ranges(suites[replay.suite])
            rows["ranges"] += [place | {"dimension": key} for key in ranges]
    for name, suite in suites.items():
        dimensions = [{"suite": name, "dimension": key} for key in _ranges(suite)]
        rows["winners"] += dimensions or [{"suite": name}]
        rows["tasks"] += [{"suite": name, **_task_column(suite, key)} for key in suite.task_keys]
    return rows


def _task_column(suite: Suite, key: str) -> dict[str, Any]:
    """A column of a suite's tasks, and whether it holds numbers, or the grids that have it."""
    if suite.source == sources.RUNS:
        return {"column": key, "grids": list(suite.grids) if suite.study is None else []}
    if suite.source == sources.FILE:
        return {"column": key}
    benchmark = sources.TABLES.get(suite.source)
    declared = benchmark.dimensions.get(key, {}) if benchmark else {}
    return {"column": key, "numbers": "low" in declared}


def _ranges(suite: Suite) -> list[str]:
    """The names of a suite's numeric dimensions; none if they are not declared as a mapping."""
    try:
        return [str(name) for name, d in _dimensions(suite).items() if "choices" not in d]
    except (KeyError, TypeError, AttributeError):
        return []
