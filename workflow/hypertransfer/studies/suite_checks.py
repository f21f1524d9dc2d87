"""Check suites whose tasks are runs of their own study against these runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hypertransfer.runs.columns import SUMMARY
from hypertransfer.runs.problem import NO_VALUE, Problem, known_names
from hypertransfer.spaces.dimensions import Dimension, Domain
from hypertransfer.spaces.tasks import sources
from hypertransfer.studies.document import condition_text
from hypertransfer.studies.placed_run import Run
from hypertransfer.studies.planned import Row, in_table, row_of, selects
from hypertransfer.studies.replays import Replay, Suite


def evaluations(suite: Suite, runs: Mapping[str, Sequence[Run]]) -> list[Row]:
    """The planned runs of a sound suite; none if its tasks are not runs of this study."""
    if suite.source != sources.RUNS or suite.study is not None:
        return []
    rows = [row_of(grid, run) for grid in suite.grids for run in runs.get(grid, ())]
    where = _known_before_training((suite.about or {}).get("where", {}))
    return [row for row in rows if selects(where, row)] if where else rows


def _known_before_training(where: Mapping[str, Any]) -> dict[str, Any]:
    """A condition without the columns that only trained runs have, such as `status`."""
    return {column: wanted for column, wanted in where.items() if column not in SUMMARY}


def suite_problems(suite: Suite, runs: Mapping[str, Sequence[Run]]) -> Iterator[Problem]:
    """Problems of columns, conditions and ranges of a suite that has no other problems."""
    of_grids = [grid for grid in suite.grids if runs.get(grid)]
    if suite.source != sources.RUNS or suite.study is not None or not of_grids:
        return
    about = suite.about or {}
    first, *others = (row_of(grid, runs[grid][0]) for grid in of_grids)
    columns = [key for key in first if all(key in other for other in others)]
    problems = [problem.below("about") for problem in _column_problems(about, columns)]
    rows = evaluations(suite, runs)
    if not problems and not rows:
        text = f"no run of the grids {', '.join(of_grids)} has {condition_text(about['where'])}"
        problems.append(Problem(("about", "where"), NO_VALUE, text))
    yield from problems
    if not problems:
        for dimension in Domain.parse(about["dimensions"]).dimensions:
            yield from _range_problems(dimension, rows)


def _column_problems(about: Mapping[str, Any], columns: Sequence[str]) -> Iterator[Problem]:
    """Problems of columns that runs of some grid do not have, and of losses that none can have."""
    numbers = [name for name, kind in SUMMARY.items() if kind != "text"]
    named = [
        *((("task",), name) for name in about["task"]),
        *((("group",), about[key]) for key in ("group",) if key in about),
        *((("where", name), name) for name in _known_before_training(about.get("where", {}))),
        *((("dimensions", name), name) for name in about["dimensions"]),
    ]
    for path, name in named:
        if name not in columns:
            yield Problem(path, NO_VALUE, f"no column {name!r}; {known_names(name, columns)}")
    for key in ("loss", "score"):
        if key in about and about[key] not in numbers:
            text = f"no numeric column {about[key]!r}; {known_names(about[key], numbers)}"
            yield Problem((key,), NO_VALUE, text)


def _range_problems(dimension: Dimension, rows: Sequence[Row]) -> Iterator[Problem]:
    """The problem of the first value that lies outside of its dimension."""
    name = dimension.name
    for value in dict.fromkeys(in_table(row[name]) for row in rows if name in row):
        if not _within(dimension, value):
            text = f"{value!r}, a value of the runs, lies outside"
            yield Problem(("about", "dimensions", name), NO_VALUE, text)
            return


def _within(dimension: Dimension, value: Any) -> bool:
    if not dimension.numeric:
        return value in map(in_table, dimension.choices)
    return isinstance(value, int | float) and dimension.holds(value)


def target_problems(replay: Replay, rows: Sequence[Row]) -> Iterator[Problem]:
    """Problems of conditions on tasks that no planned run of the suite meets.

    `rows` are the runs of the replay's suite; without rows, the tasks are not known yet.
    """
    for key, condition in (("targets", replay.targets), ("priors", replay.priors)):
        if rows and condition and not any(selects(condition, row) for row in rows):
            text = f"no task has {condition_text(condition)}"
            yield Problem((key,), NO_VALUE, text)
