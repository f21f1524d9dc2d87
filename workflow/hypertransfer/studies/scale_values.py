"""What a study has at one of its scales, read from values that are not checked.

Conditions and titles of a study often serve all its scales. What is malformed at another scale is
left out: it is reported when that scale is planned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from hypertransfer.runs.canonical import is_plain
from hypertransfer.runs.problem import ProblemError
from hypertransfer.runs.table_values import as_text, in_table, is_text_column
from hypertransfer.studies import condition_checks, replays
from hypertransfer.studies.grid import Grid, axis_groups, remaining_points
from hypertransfer.studies.placed_run import Run
from hypertransfer.studies.planned import Row, ScaleValues, held_points, points_in_table, row_of
from hypertransfer.studies.replays import Replay, Suite
from hypertransfer.studies.searches import Search

# What parsing raises for values that no schema has accepted.
MALFORMED = (ProblemError, KeyError, TypeError, AttributeError, ValueError)


def grid_at(values: Any, name: str) -> Iterator[Grid]:
    """The grid of a name in the values of a study; none if it is missing or malformed."""
    try:
        yield Grid.parse(values["grids"][name])
    except MALFORMED:
        return


def scale_values(values: Any) -> ScaleValues:
    """The values of columns of runs, and the rows of tables of replays, at one scale."""
    grids = _parsed(values, "grids", lambda _, written: Grid.parse(written))
    runs = _parsed(values, "grids", lambda name, _: _columns(grids[name]))
    suites = _parsed(values, "suites", lambda _, written: Suite.parse(written))
    replayed = _parsed(values, "replays", lambda _, written: Replay.parse(written))
    try:
        rows = dict(replays.planned_rows(suites, replayed))
    except MALFORMED:
        rows = {}
    for name, (search, of_search) in _parsed(values, "searches", _search_and_runs).items():
        runs |= {grid: _columns_of_runs(grid, members) for grid, members in of_search.items()}
        rows.setdefault("searches", []).extend(
            {"grid": name, "hyperparameter": key} for key in search.settings.space
        )

    @cache  # several claims may ask for the points of a grid
    def seeded_points(name: str) -> Sequence[Row] | None:
        return _seeded_points(grids[name]) if name in grids else None

    return ScaleValues(runs, rows, seeded_points)


def _seeded_points(grid: Grid) -> Sequence[Row] | None:
    """The points that remain where filters or overrides decide the seeds; None for other grids."""
    try:
        moved = next((group for group in axis_groups(grid) if "seed" in group), {})
        filters = [*grid.exclude, *grid.only, *(override.axes for override in grid.overrides)]
        if not any(moved.keys() & condition.keys() for condition in filters):
            return None
        return points_in_table({"": list(remaining_points(grid))})[""]
    except MALFORMED:
        return ()


def _search_and_runs(name: str, written: Any) -> tuple[Search, dict[str, list[Run]]]:
    search = Search.parse(name, written)
    return search, search.rows()


def _section(values: Any, part: str) -> Mapping[str, Any]:
    written = values.get(part) if isinstance(values, Mapping) else None
    return {str(name): v for name, v in written.items()} if isinstance(written, Mapping) else {}


def _parsed(values: Any, part: str, parse: Callable[[str, Any], Any]) -> dict[str, Any]:
    """The entries of a part that can be parsed, by name."""
    parsed = {}
    for name, written in _section(values, part).items():
        try:
            parsed[name] = parse(name, written)
        except MALFORMED:
            continue
    return parsed


def _columns(grid: Grid) -> dict[str, list[Any]]:
    """The values that runs of a grid can have in each column: of the base, overrides and axes."""
    columns: dict[str, list[Any]] = {}
    if isinstance(grid.base, Mapping):
        for path, value in _leaves(grid.base):
            columns[path] = [value]
    for override in grid.overrides:
        for path, value in _leaves(override.set):
            columns.setdefault(path, []).append(value)
    columns |= condition_checks.values_of(grid.axes, [o.axes for o in grid.overrides])
    return {name: _held(list(filter(is_plain, values))) for name, values in columns.items()}


def _held(values: list[Any]) -> list[Any]:
    """The values of a column as the table of runs holds them."""
    return list(map(as_text, values)) if is_text_column(values) else values


def _leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a spec by dotted path; the value of a component is its name."""
    for key, value in values.items():
        path = f"{above}{key}"
        if not isinstance(value, Mapping):
            yield path, value
            continue
        if "name" in value:
            yield path, value["name"]
        yield from _leaves(value, f"{path}.")


def _columns_of_runs(grid: str, runs: list[Run]) -> dict[str, list[Any]]:
    columns: dict[str, dict[Any, None]] = {}
    (points,) = held_points({grid: runs}).values()
    for run, point in zip(runs, points, strict=True):
        for name, value in row_of(grid, run, point).items():
            columns.setdefault(name, {})[in_table(value)] = None
    return {name: list(values) for name, values in columns.items()}
