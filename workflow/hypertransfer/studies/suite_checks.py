"""Check suites whose tasks are runs of their own study against these runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hypertransfer.runs.columns import SUMMARY
from hypertransfer.runs.numbers import is_number
from hypertransfer.runs.problem import NO_VALUE, Problem, known_names
from hypertransfer.runs.spec import RunSpec
from hypertransfer.runs.table_values import in_table
from hypertransfer.spaces.dimensions import Dimension, Domain
from hypertransfer.spaces.tasks import sources
from hypertransfer.studies.document import condition_text
from hypertransfer.studies.placed_run import Run
from hypertransfer.studies.planned import Row, row_of, selects
from hypertransfer.studies.replays import Replay, Suite

SEEDS = ("seed", "order_seed")  # in which repetitions of one evaluation differ


def evaluations(suite: Suite, runs: Mapping[str, Sequence[Run]]) -> list[Row]:
    """The planned runs of a sound suite; none if its tasks are not runs of this study."""
    if suite.source != sources.RUNS or suite.study is not None:
        return []
    return [row for row, _ in _selected(suite, runs)]


def _selected(suite: Suite, runs: Mapping[str, Sequence[Run]]) -> list[tuple[Row, RunSpec]]:
    """The rows and specs of the planned runs of a suite over runs of its study."""
    where = _known_before_training((suite.about or {}).get("where", {}))
    placed = ((row_of(g, run), run.spec) for g in suite.grids for run in runs.get(g, ()))
    return [(row, spec) for row, spec in placed if not where or selects(where, row)]


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
    planned = _selected(suite, runs)
    rows = [row for row, _ in planned]
    if not problems and not rows:
        text = f"no run of the grids {', '.join(of_grids)} has {condition_text(about['where'])}"
        problems.append(Problem(("about", "where"), NO_VALUE, text))
    yield from problems
    if not problems:
        dimensions = Domain.parse(about["dimensions"]).dimensions
        outside = [problem for d in dimensions for problem in _range_problems(d, rows)]
        yield from outside or _average_problems(about, planned)


def _average_problems(
    about: Mapping[str, Any], planned: Sequence[tuple[Row, RunSpec]]
) -> Iterator[Problem]:
    """The problem of runs of one evaluation, whose mean is taken, and that are no repetitions."""
    named = [*about["task"], *about["dimensions"]]
    first: dict[tuple, tuple[Row, RunSpec]] = {}
    different: dict[str, None] = {}
    for place in planned:
        key = tuple(in_table(place[0].get(name)) for name in named)
        other = first.setdefault(key, place)
        if other is not place:
            different |= dict.fromkeys(_differences(place, other))
    if different:
        text = (
            f"runs of one evaluation differ in {', '.join(different)}, and their mean would be "
            "taken: add these columns to task, or select one value of each by where"
        )
        yield Problem(("about", "task"), NO_VALUE, text)


def _differences(one: tuple[Row, RunSpec], other: tuple[Row, RunSpec]) -> list[str]:
    """The columns, apart from seeds, in which two runs differ; `grid` if no other column tells."""
    (row, spec), (second, second_spec) = one, other
    alike = {"seed": 0, "order_seed": None, "checkpoints": ()}
    if replace(spec, **alike) == replace(second_spec, **alike):
        return []
    columns = [
        name
        for name in {**row, **second}
        if name != "grid" and name.rpartition(".")[2] not in SEEDS
        if in_table(row.get(name)) != in_table(second.get(name))
    ]
    return columns or ([] if row["grid"] == second["grid"] else ["grid"])


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
    """Whether a dimension holds a value; the check of `read_table` before there are tables."""
    if not dimension.numeric:
        return value in map(in_table, dimension.choices)
    return is_number(value) and dimension.holds(value)


def target_problems(replay: Replay, rows: Sequence[Row]) -> Iterator[Problem]:
    """Problems of conditions on tasks that no planned run of the suite meets.

    `rows` are the runs of the replay's suite; without rows, the tasks are not known yet.
    """
    for key, condition in (("targets", replay.targets), ("priors", replay.priors)):
        if rows and condition and not any(selects(condition, row) for row in rows):
            text = f"no task has {condition_text(condition)}"
            yield Problem((key,), NO_VALUE, text)
