"""The spending of a study: its budget, and the seeds that run where claims are undecided.

An axis `seed: as_needed` holds the seeds 0, 1, … below the largest of the numbers of seeds. The
seeds below the first number surely run. Before each further number, a *look* tests the claims, and
decides which runs get the seeds up to that number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hypertransfer.runs.canonical import canonical
from hypertransfer.runs.problem import NO_VALUE, Problem
from hypertransfer.runs.section import Section
from hypertransfer.studies.adaptive_grids import adaptive_axis, written_at
from hypertransfer.studies.axes import AS_NEEDED, axis_values, is_as_needed
from hypertransfer.studies.grid import Grid, alternatives
from hypertransfer.studies.placed_run import Run

SEED = "seed"


@dataclass(frozen=True)
class Spending(Section):
    """The budget of a study at a scale, and the numbers of seeds at which its claims are tested.

    Attributes:
        core_minutes: minutes on one core for all runs and probes, by the estimates of the plan.
        seeds: ascending numbers of seeds, of which the first surely run.
    """

    core_minutes: float
    seeds: Sequence[int]

    @property
    def seconds(self) -> float:
        """The budget in seconds."""
        return 60.0 * self.core_minutes


def with_numbers(values: Any) -> Any:
    """The values of a study in which axes that are `as_needed` have the numbers of `spending`.

    `spending` and the axes may be malformed, which is reported elsewhere; such values are returned
    as they are.
    """
    seeds = _numbers(values)
    if not seeds or not isinstance(values.get("grids"), Mapping):
        return values
    grids = {name: _grid_with_numbers(grid, seeds) for name, grid in values["grids"].items()}
    return {**values, "grids": grids}


def _numbers(values: Any) -> Sequence[int]:
    """The numbers of seeds of a study's values; empty if there are none, or malformed ones."""
    spending = values.get("spending") if isinstance(values, Mapping) else None
    seeds = spending.get("seeds") if isinstance(spending, Mapping) else None
    return seeds if _are_numbers(seeds) else ()


def _are_numbers(seeds: object) -> bool:
    whole = isinstance(seeds, list) and all(type(n) is int and n > 0 for n in seeds)
    return whole and len(seeds) > 1 and all(a < b for a, b in pairwise(seeds))


def _grid_with_numbers(grid: Any, seeds: Sequence[int]) -> Any:
    if not isinstance(grid, Mapping):
        return grid
    changed = {**grid, "axes": _axes_with_numbers(grid.get("axes"), seeds)}
    if isinstance(grid.get("overrides"), list):
        changed["overrides"] = [
            {**override, "axes": _axes_with_numbers(override["axes"], seeds)}
            if isinstance(override, Mapping) and "axes" in override
            else override
            for override in grid["overrides"]
        ]
    return changed


def _axes_with_numbers(axes: Any, seeds: Sequence[int]) -> Any:
    if not isinstance(axes, Mapping) or axes.get(SEED) != AS_NEEDED:
        return axes
    return {**axes, SEED: {AS_NEEDED: list(seeds)}}


def problems(values: Mapping[str, Any], grids: Mapping[str, Grid]) -> Iterator[Problem]:
    """Problems of the spending that the schema has accepted, with the sound grids of the study."""
    spending = values.get("spending")
    if spending is None:
        return
    seeds = spending["seeds"]
    if not _are_numbers(seeds):
        text = f"{seeds} do not ascend: write the smallest number of seeds first, and each once"
        yield Problem(("spending", "seeds"), NO_VALUE, text)
    elif grids and not any(map(has_needed_seeds, grids.values())):
        text = (
            "no grid has the axis `seed: as_needed`, so that nothing can be spent: write it in a "
            "grid, or leave `spending` out"
        )
        yield Problem(("spending",), NO_VALUE, text)


def has_needed_seeds(grid: Grid) -> bool:
    """Whether more seeds run, at some points of a grid, where claims need them."""
    written = [grid.axes.get(SEED), *alternatives(grid, SEED)]
    return any(map(is_as_needed, written))


def has_listed_runs(grid: Grid) -> bool:
    """Whether all runs of a grid surely run: no axis is adaptive, and no seeds run as needed."""
    return not adaptive_axis(grid) and not has_needed_seeds(grid)


def first_number(values: Any) -> int:
    """The first number of seeds of a study's values, which may be malformed; 0 without spending."""
    return next(iter(_numbers(values)), 0)


def numbers_at(grid: Grid, point: Mapping[str, Any]) -> Sequence[int]:
    """The numbers of seeds at a point of a grid; empty where the seeds are listed."""
    if SEED not in grid.axes:
        return ()
    written = written_at(grid, SEED, point)
    return written[AS_NEEDED] if is_as_needed(written) else ()


def is_sure(grid: Grid, point: Mapping[str, Any]) -> bool:
    """Whether the seed of a point surely runs there: listed, or below the first number."""
    numbers = numbers_at(grid, point)
    return not numbers or point[SEED] < numbers[0]


@dataclass(frozen=True)
class Place:
    """The runs of a grid that differ in the seed only.

    Attributes:
        numbers: the numbers of seeds; empty where the seeds are listed.
        indices: the places of the runs in the list of the grid's runs.
    """

    numbers: Sequence[int]
    indices: Sequence[int]


def places(grid: Grid, runs: Sequence[Run]) -> list[Place]:
    """The places of a grid, in the order of their first runs."""
    members: dict[str, list[int]] = {}
    for index, run in enumerate(runs):
        rest = {axis: value for axis, value in run.point.items() if axis != SEED}
        members.setdefault(canonical(rest), []).append(index)
    return [Place(numbers_at(grid, runs[own[0]].point), own) for own in members.values()]


def grid_problems(grid: Grid) -> Iterator[Problem]:
    """Problems of a grid whose seeds run as needed, and whose axes have usable values."""
    if not has_needed_seeds(grid):
        return
    if SEED not in grid.inner:
        text = (
            f"lacks seed, which is {AS_NEEDED}: write `inner: [{', '.join([*grid.inner, SEED])}]`"
        )
        yield Problem(("inner",), NO_VALUE, text)
    if any(SEED in names for names in grid.zip):
        yield Problem(("zip",), NO_VALUE, f"names seed, which is {AS_NEEDED}")
    for name, conditions in (("exclude", grid.exclude), ("only", grid.only)):
        for index, condition in enumerate(conditions):
            if SEED in condition:
                text = (
                    f"names seed, which is {AS_NEEDED}: list the seeds of these points by an "
                    "override with `axes: {seed: [0, 1, …]}`"
                )
                yield Problem((name, str(index)), NO_VALUE, text)
    yield from _listed_problems(grid)
    for index, override in enumerate(grid.overrides):
        if SEED in override.when and override.axes:
            text = f"names seed, which is {AS_NEEDED}: all seeds of a place need the same values"
            yield Problem(("overrides", str(index), "when"), NO_VALUE, text)


def _listed_problems(grid: Grid) -> Iterator[Problem]:
    """Problems of seeds that such a grid lists at some points.

    The number of seeds of a claim, which tells the level of its interval, is that of all runs that
    the claim reads. With further seeds at some points it would be that of a later look.
    """
    written = {("axes", SEED): grid.axes.get(SEED)}
    for index, override in enumerate(grid.overrides):
        written["overrides", str(index), "axes", SEED] = override.axes.get(SEED)
    first = next(form[AS_NEEDED][0] for form in written.values() if is_as_needed(form))
    for path, form in written.items():
        if form is None or is_as_needed(form):
            continue
        seeds = axis_values(path, form)
        if later := [seed for seed in seeds if isinstance(seed, int) and seed >= first]:
            text = (
                f"lists the seed {later[0]} beside seeds that are {AS_NEEDED}: list only seeds "
                f"below {first}, the first number of `spending.seeds`, or put these points into a "
                "grid of their own"
            )
            yield Problem(path, NO_VALUE, text)
