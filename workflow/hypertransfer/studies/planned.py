"""What is known of a study's tables when the study is planned."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from hypertransfer.catalogue.cards.probes import PROBES
from hypertransfer.catalogue.run_identity import RunIdentities
from hypertransfer.runs.conditions import matches
from hypertransfer.runs.numbers import is_number
from hypertransfer.runs.table_values import as_text, in_table, name_of
from hypertransfer.spaces import table_columns
from hypertransfer.studies.axes import equality_text
from hypertransfer.studies.grid import Probe
from hypertransfer.studies.placed_run import Run

Row = Mapping[str, Any]


class PlannedRun(NamedTuple):
    """A run of a grid, and the columns by which claims and figures can select it.

    The spec of a run of a search is not known: it is that of the search's start.
    """

    row: Row
    run: Run
    of_search: bool = False


class ScaleValues(NamedTuple):
    """What a study has at one scale, as far as it can be read without a check.

    Attributes:
        runs: the values that runs have in each column, by the name of their grid.
        rows: the rows of tables of replays.
        seeded_points: returns the points of a grid whose filters or overrides decide which seeds
            it has; None for other grids, whose columns in `runs` say it.
    """

    runs: Mapping[str, Mapping[str, Sequence[Any]]]
    rows: Mapping[str, Sequence[Row]]
    seeded_points: Callable[[str], Sequence[Row] | None] = lambda _: None


@dataclass(frozen=True)
class Planned:
    """The planned rows of the tables of a study.

    Attributes:
        runs: the runs by the name of their grid; empty if grids have problems.
        rows: the rows of tables of replays, with the columns that are known.
        probes: the probes of each grid, by name; the other names in `runs` are of searches.
        tasks: the tasks of suites, and the targets of replays, as far as they are known; see
            `planned_tasks`.
        read_scales: returns what the study has at each scale.
        one_of: the axes of which a grid runs one value at each place, by the name of the grid; all
            values are planned, and which one is run is found.
    """

    runs: Mapping[str, Sequence[Run]]
    rows: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    probes: Mapping[str, Mapping[str, Probe]] = field(default_factory=dict)
    read_scales: Callable[[], Iterable[ScaleValues]] = tuple
    tasks: Mapping[tuple[str, str], Sequence[Row]] = field(default_factory=dict)
    one_of: Mapping[str, Collection[str]] = field(default_factory=dict)

    def selected(self, where: Mapping[str, Any]) -> list[PlannedRun]:
        """The runs that a condition selects, in the order of their grids."""
        return list(self.iterate(where))

    def iterate(self, where: Mapping[str, Any]) -> Iterator[PlannedRun]:
        """As `selected`, one after another."""
        of_grid = {key: wanted for key, wanted in where.items() if key == "grid"}
        of_run = {key: wanted for key, wanted in where.items() if key != "grid"}
        for name, members in self.runs.items():
            of_search = bool(self.probes) and name not in self.probes
            if not members or not selects(of_grid, {"grid": name}):
                continue  # skips all runs of other grids at once
            on_axes = {k: wanted for k, wanted in of_run.items() if k in members[0].point}
            for run, point in zip(members, self.points[name], strict=True):
                if on_axes and not selects(on_axes, point):
                    continue  # a row is made of few runs only
                row = row_of(name, run, point)
                if len(on_axes) == len(of_run) or selects(of_run, row):
                    yield PlannedRun(row, run, of_search)

    @cached_property
    def points(self) -> dict[str, list[Row]]:
        """The points of the runs of each grid, as the table of runs holds them."""
        return held_points(self.runs)

    @cached_property
    def _identities(self) -> RunIdentities:
        return RunIdentities()

    def identity(self, run: PlannedRun) -> Hashable:
        """A value that two planned runs share if they are one run in the store.

        The spec of a run of a search is not known, so that such runs are told apart by their rows.
        """
        return equality_text(run.row) if run.of_search else self._identities.of(run.run.spec)

    @cached_property
    def names(self) -> frozenset[str]:
        """All values of all columns as texts, at this scale and at the others."""
        held = {*self.columns_of_runs}
        for columns in self.columns_of_runs.values():
            held |= {value for values in columns.values() for value in values}
        for tables in (self.rows, *(scale.rows for scale in self.scales)):
            held |= {value for rows in tables.values() for row in rows for value in _texts(row)}
        return frozenset(map(name_of, held - {None}))

    @cached_property
    def scales(self) -> tuple[ScaleValues, ...]:
        """What the study has at each scale; empty if that is not known."""
        return tuple(self.read_scales())

    @cached_property
    def columns_of_runs(self) -> dict[str, dict[str, set[Any]]]:
        """The values, as tables hold them, of each column of each grid, at any scale."""
        held: dict[str, dict[str, set[Any]]] = {}
        for name, members in self.runs.items():
            columns = held.setdefault(name, {})
            for run, point in zip(members, self.points[name], strict=True):
                for column, value in row_of(name, run, point).items():
                    columns.setdefault(column, set()).add(in_table(value))
        for scale in self.scales:
            for name, of_grid in scale.runs.items():
                columns = held.setdefault(name, {"grid": {name}})
                for column, values in of_grid.items():
                    columns.setdefault(column, set()).update(map(in_table, values))
        return held

    def rows_of(self, table: str, where: Mapping[str, Any]) -> list[Row]:
        """The planned rows of a table of replays that the known part of a condition selects."""
        return [
            row
            for row in self.rows.get(table, ())
            if selects({key: wanted for key, wanted in where.items() if key in row}, row)
        ]

    def rows_of_tasks(self, rows: Sequence[Row], where: Mapping[str, Any]) -> list[Row]:
        """Rows of a table of replays, each with the columns of every planned task that it is about.

        The tasks are those that the part of a condition on the columns of tasks selects: the
        targets of a replay, or all tasks of a suite for a row without replay.
        """
        return [
            {**row, **task}
            for row in rows
            for task in self.tasks.get(
                ("replay", row["replay"]) if "replay" in row else ("suite", row["suite"]), ()
            )
            if selects({key: wanted for key, wanted in where.items() if key in task}, task)
        ]

    def columns(self, table: str, rows: Sequence[Row]) -> list[str]:
        """The columns of a table of replays; those of the tasks of suites that `rows` have."""
        names = list(table_columns.TABLES[table])
        if table != "winners":
            return names
        suites = {row["suite"] for row in rows}
        tasks = [row["column"] for row in self.rows.get("tasks", ()) if row["suite"] in suites]
        return list(dict.fromkeys([*names, *tasks]))

    def probes_of(self, run: PlannedRun, column: str) -> list[str]:
        """The names of the probes that measure a column at checkpoints of a run."""
        return [
            name
            for name, probe in self.probes.get(run.row["grid"], {}).items()
            if column in _columns_of(probe) and selects(probe.where, run.run.point)
        ]

    def is_probed(self, run: PlannedRun) -> bool:
        """Whether a probe measures checkpoints of a run."""
        own = self.probes.get(run.row["grid"], {}).values()
        return any(selects(probe.where, run.run.point) for probe in own)


def _texts(row: Row) -> Iterator[str]:
    return (value for value in row.values() if isinstance(value, str))


def row_of(grid: str, run: Run, point: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a run in the table of runs that are known when it is planned.

    `point` is the run's point as the table holds it; see `held_points`.
    """
    return {**run.spec.columns(), **point, "grid": grid}


def _columns_of(probe: Probe) -> Mapping[str, str]:
    return PROBES[probe.probe].columns if probe.probe in PROBES else {}


def selects(where: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Whether a condition selects a row; False if bounds and value cannot be compared."""
    try:
        return set(where) <= set(row) and matches(where, row)
    except TypeError:
        return False


def held_points(runs: Mapping[str, Sequence[Run]]) -> dict[str, list[Row]]:
    """The points of the runs of each grid, as `points_in_table` gives them."""
    return points_in_table({n: [run.point for run in members] for n, members in runs.items()})


def points_in_table(points: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
    """The points of each grid, with the values of axes as the table of runs holds them.

    An axis with numbers beside texts, in one grid or in several, is held as texts. Values of other
    axes are as they are.
    """
    kinds: dict[str, set[bool]] = {}
    for of_grid in points.values():
        for axis in of_grid[0] if of_grid else ():
            types = {type(point[axis]): point[axis] for point in of_grid}  # quick: few types
            present = (value for value in types.values() if value is not None)
            kinds.setdefault(axis, set()).update(map(is_number, present))
    mixed = {axis for axis, found in kinds.items() if len(found) > 1}
    return {name: [_held(point, mixed) for point in of_grid] for name, of_grid in points.items()}


def _held(point: Row, mixed: Collection[str]) -> Row:
    texts = {axis: as_text(point[axis]) for axis in mixed if axis in point}
    return {**point, **texts} if texts else point
