"""Check suites whose tasks are runs of their own study against these runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from hypertransfer.runs.columns import SUMMARY
from hypertransfer.runs.problem import NO_VALUE, Problem, known_names
from hypertransfer.runs.spec import RunSpec
from hypertransfer.runs.table_values import in_table
from hypertransfer.spaces.dimensions import Dimension, Domain
from hypertransfer.spaces.tasks import sources
from hypertransfer.spaces.tasks.written_values import is_value, numbers_if_all, value_in
from hypertransfer.studies.document import condition_text
from hypertransfer.studies.placed_run import Run
from hypertransfer.studies.planned import Row, held_points, row_of, selects
from hypertransfer.studies.replays import Replay, Suite

SEEDS = ("seed", "order_seed")  # in which repetitions of one evaluation differ


class PlacedRuns(dict[str, Sequence[Run]]):
    """Runs by the name of their grid, which do not change, with their rows in tables.

    The checks of several suites and replays read the rows of one grid, which are made once.
    """

    def __init__(self, runs: Mapping[str, Sequence[Run]]) -> None:
        super().__init__(runs)
        self._rows: dict[str, list[tuple[Row, RunSpec]]] = {}

    @cached_property
    def _points(self) -> dict[str, list[Row]]:
        return held_points(self)

    def of(self, grid: str) -> list[tuple[Row, RunSpec]]:
        """The row, as the table holds it, and the spec of each run of a grid."""
        if grid not in self._rows:
            placed = zip(self.get(grid, ()), self._points.get(grid, ()), strict=True)
            self._rows[grid] = [
                ({k: in_table(value) for k, value in row_of(grid, run, point).items()}, run.spec)
                for run, point in placed
            ]
        return self._rows[grid]


def evaluations(suite: Suite, runs: Mapping[str, Sequence[Run]]) -> list[Row]:
    """The planned runs of a sound suite; none if its tasks are not runs of this study.

    Columns that name tasks have the values of the attributes of tasks: numbers if all selected
    values are texts of numbers.
    """
    if suite.source != sources.RUNS or suite.study is not None:
        return []
    rows = [dict(row) for row, _ in _selected(suite, runs)]
    named = [name for name in (suite.about or {}).get("task", ()) if all(name in r for r in rows)]
    for name in named:
        for row, value in zip(rows, numbers_if_all([row[name] for row in rows]), strict=True):
            row[name] = value
    return rows


def _selected(suite: Suite, runs: Mapping[str, Sequence[Run]]) -> list[tuple[Row, RunSpec]]:
    """The rows and specs of the planned runs of a suite over runs of its study."""
    where = _known_before_training((suite.about or {}).get("where", {}))
    placed = _placed(suite, runs)
    try:
        return [(r, spec) for r, spec in placed if all(_met(r, *part) for part in where.items())]
    except TypeError:  # bounds of a column of texts, which is a problem of its own
        return []


def _placed(suite: Suite, runs: Mapping[str, Sequence[Run]]) -> list[tuple[Row, RunSpec]]:
    """The rows, as the table holds them, and the specs of all runs of the grids of a suite."""
    placed = runs if isinstance(runs, PlacedRuns) else PlacedRuns(runs)
    return [run for grid in suite.grids for run in placed.of(grid)]


def _met(row: Row, column: str, condition: Any) -> bool:
    """Whether a row meets the condition on a column, or one of several, as the job reads it.

    Raises:
        TypeError: the condition bounds a text.
    """
    parts = condition if isinstance(condition, list | tuple) else [condition]
    return column in row and any(is_value(row[column], part) for part in parts)


def _unmet(suite: Suite, runs: Mapping[str, Sequence[Run]]) -> Iterator[Mapping[str, Any]]:
    """The parts of the condition of a suite that the job refuses, each by itself.

    No run of the grids meets the part, or the part bounds a column that holds a text.
    """
    where = _known_before_training((suite.about or {}).get("where", {}))
    rows = [row for row, _ in _placed(suite, runs)] if where else []
    for column, condition in where.items():
        for part in condition if isinstance(condition, list | tuple) else [condition]:
            try:
                met = [_met(row, column, part) for row in rows]
            except TypeError:
                met = []
            if not any(met):
                yield {column: part}


def _known_before_training(where: Mapping[str, Any]) -> dict[str, Any]:
    """A condition without the columns that only trained runs have, such as `status`."""
    return {column: wanted for column, wanted in where.items() if column not in SUMMARY}


def adaptive_problems(suite: Suite, adaptive: Collection[str]) -> Iterator[Problem]:
    """Problems of grids of a suite that are among `adaptive`, whose runs may not all run."""
    for index, name in enumerate(suite.grids):
        if name in adaptive:
            text = (
                f"{name!r} has an adaptive axis or seeds as needed, and a suite needs runs that "
                "are listed"
            )
            yield Problem(("grids", str(index)), NO_VALUE, text)


def suite_problems(suite: Suite, runs: Mapping[str, Sequence[Run]]) -> Iterator[Problem]:
    """Problems of columns, conditions and ranges of a suite that has no other problems."""
    of_grids = [grid for grid in suite.grids if runs.get(grid)]
    if suite.source != sources.RUNS or suite.study is not None or not of_grids:
        return
    about = suite.about or {}
    first, *others = (row_of(grid, runs[grid][0], runs[grid][0].point) for grid in of_grids)
    columns = [key for key in first if all(key in other for other in others)]
    problems = [problem.below("about") for problem in _column_problems(about, columns)]
    planned = _selected(suite, runs)
    rows = [row for row, _ in planned]
    wanted = next(_unmet(suite, runs), {} if rows else about.get("where", {}))
    if not problems and wanted:
        text = f"no run of the grids {', '.join(of_grids)} has {condition_text(wanted)}"
        problems.append(Problem(("about", "where"), NO_VALUE, text))
    yield from problems
    if not problems:
        dimensions = Domain.parse(about["dimensions"]).dimensions
        outside = [problem for d in dimensions for problem in _range_problems(d, rows)]
        yield from outside or _average_problems(about, dimensions, planned)


def _average_problems(
    about: Mapping[str, Any],
    dimensions: Sequence[Dimension],
    planned: Sequence[tuple[Row, RunSpec]],
) -> Iterator[Problem]:
    """The problem of runs of one evaluation, whose mean is taken, and that are no repetitions."""
    first: dict[tuple, tuple[Row, RunSpec]] = {}
    different: dict[str, None] = {}
    for place in planned:
        row = place[0]
        values = [value_in(dimension, row[dimension.name]) for dimension in dimensions]
        key = (*(row[name] for name in about["task"]), *values)
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
        if row.get(name) != second.get(name)
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
    for value in dict.fromkeys(row[name] for row in rows if name in row):
        if not _within(dimension, value):
            text = f"{value!r}, a value of the runs, lies outside"
            yield Problem(("about", "dimensions", name), NO_VALUE, text)
            return


def _within(dimension: Dimension, value: Any) -> bool:
    """Whether a dimension holds a value of a table, as the job reads it."""
    read = value_in(dimension, value)
    return read is not None and (not dimension.numeric or dimension.holds(read))


def target_problems(replay: Replay, rows: Sequence[Row]) -> Iterator[Problem]:
    """Problems of conditions on tasks that no planned run of the suite meets.

    `rows` are the `evaluations` of the replay's suite; without rows, the tasks are not known yet.
    """
    for key, condition in (("targets", replay.targets), ("priors", replay.priors)):
        if rows and condition and not any(selects(condition, row) for row in rows):
            text = f"no task has {condition_text(condition)}"
            yield Problem((key,), NO_VALUE, text)
