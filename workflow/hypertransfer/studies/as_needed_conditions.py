"""Conditions on seeds that run as needed, of which only those below the first number surely run."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from hypertransfer.catalogue.run_identity import RunIdentities
from hypertransfer.claims.families import measures
from hypertransfer.runs.conditions import is_bounds
from hypertransfer.runs.problem import NO_VALUE, Problem
from hypertransfer.studies.grid import Grid
from hypertransfer.studies.placed_run import Run
from hypertransfer.studies.planned import Planned, selects
from hypertransfer.studies.references import parts_with_conditions
from hypertransfer.studies.spending import SEED, has_needed_seeds, is_sure, numbers_at

Point = Mapping[str, Any]


def problems(
    entry: Mapping[str, Any], planned: Planned, grids: Mapping[str, Grid], first_seeds: int
) -> Iterator[Problem]:
    """Problems of a figure or claim as written that asks for seeds which may never run.

    `first_seeds` is the largest first number of seeds of the study's spending at any scale.
    """
    needed = {name: grid for name, grid in grids.items() if has_needed_seeds(grid)}
    if not needed:
        return
    reads = False
    for path, part in parts_with_conditions(entry):
        measure = measures().get(str(part.get("measure")))
        if measure and measure.table != "runs":
            continue
        selected: dict[str, list[Point]] = {name: [] for name in needed}
        for run in planned.iterate(_without_seed(part["where"])):
            if run.row["grid"] in selected:
                selected[run.row["grid"]].append(run.run.point)
        for name, grid in needed.items():
            points = selected[name]
            if text := _unsure(part["where"], grid, points):
                yield Problem((*path, "where"), NO_VALUE, f"in the grid {name}, {text}")
            reads |= any(numbers_at(grid, point) for point in points)
    if reads and entry.get("min_seeds", 0) > first_seeds:
        text = (
            f"{entry['min_seeds']} seeds are asked for, and of the seeds as needed only "
            f"{first_seeds} surely run: set `min_seeds: {first_seeds}`, or raise the first of "
            "`spending.seeds`"
        )
        yield Problem(("min_seeds",), NO_VALUE, text)


def probe_problems(grid: Grid, runs: Sequence[Run]) -> Iterator[Problem]:
    """Problems of the probes of a grid that name seeds which may never run."""
    for name, probe in grid.probes.items() if has_needed_seeds(grid) else ():
        rest = _without_seed(probe.where)
        points = (run.point for run in runs if selects(rest, run.point))
        if text := _unsure(probe.where, grid, points):
            yield Problem(("probes", name, "where"), NO_VALUE, text)


def _without_seed(where: Mapping[str, Any]) -> dict[str, Any]:
    return {column: wanted for column, wanted in where.items() if column != SEED}


def _unsure(where: Mapping[str, Any], grid: Grid, points: Iterable[Point]) -> str:
    """A text on a seed that a condition names, and that may never run; empty if there is none.

    `points` are those that the other conditions select. Within bounds, one seed has to run.
    """
    if SEED not in where:
        return ""
    wanted = where[SEED] if isinstance(where[SEED], list) else [where[SEED]]
    firsts = {numbers[0] for point in points if (numbers := numbers_at(grid, point))}
    for first in sorted(firsts):
        for value in wanted:
            if not any(selects({SEED: value}, {SEED: seed}) for seed in range(first)):
                named = "a seed within the bounds" if is_bounds(value) else f"seed {value}"
                return f"{named} may never run: name seeds below {first}, which always run"
    return ""


def shared_problems(
    grids: Mapping[str, Grid], runs: Mapping[str, Sequence[Run]]
) -> Iterator[Problem]:
    """Problems of runs that one grid may run as needed, and that another grid lists.

    A run whose seed a look may add is listed by no other grid, since the table of the study would
    have the run whether the look adds the seed or not. Seeds that surely run may be listed.
    """
    identities = RunIdentities()
    firsts = [numbers[0] for name in runs for numbers in _numbers_of(grids, name, runs)]
    least = min(firsts, default=None)
    listed: dict[Hashable, str] = {}
    for name, members in runs.items() if least is not None else ():
        for run in members if name in grids else ():
            if run.spec.seed >= least and not numbers_at(grids[name], run.point):
                listed.setdefault(identities.of(run.spec), name)
    for name, members in runs.items() if listed else ():
        for run in members if name in grids else ():
            if is_sure(grids[name], run.point):
                continue
            if other := listed.get(identities.of(run.spec)):
                first = numbers_at(grids[name], run.point)[0]
                text = (
                    f"is as needed, and the grid {other} lists the same run with the seed "
                    f"{run.spec.seed}: write `seed: as_needed` there, too, or list only seeds "
                    f"below {first}"
                )
                yield Problem(("grids", name, "axes", SEED), NO_VALUE, text)
                break


def _numbers_of(
    grids: Mapping[str, Grid], name: str, runs: Mapping[str, Sequence[Run]]
) -> Iterator[Sequence[int]]:
    """The numbers of seeds at the points of a grid that has them as needed."""
    if name in grids and has_needed_seeds(grids[name]):
        yield from filter(None, (numbers_at(grids[name], run.point) for run in runs[name]))
