"""Replays: search on each target task, in spaces that are learned from the other tasks.

For each target and repeat, all regions and methods have the same random evaluations of the earlier
tasks and the same random order of the target's rows, so that comparisons are paired. Random numbers
depend only on the names of the replay, the target and the method, and on the number of the repeat.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from hypertransfer.runs.canonical import digest
from hypertransfer.runs.conditions import matches
from hypertransfer.spaces import table_columns
from hypertransfer.spaces.dimensions import Domain
from hypertransfer.spaces.learning import Recipe, Space, learn
from hypertransfer.spaces.searchers import TaskSearch, search
from hypertransfer.spaces.tasks.task import Task
from hypertransfer.storage import schemas

log = logging.getLogger(__name__)

NEAR, NEAREST = 0.01, 0.001  # shares of a target's rows that count as its best
MOST_DRAWN = 100  # largest number of the target's best points in a picture

REPLAYS = schemas.schema(table_columns.REPLAYS)
REGIONS = schemas.schema(table_columns.REGIONS)


@dataclass(frozen=True)
class Replay:
    """A replay: all of its settings, as a job's parts hold them, its suite's domain and tasks."""

    name: str
    suite: str
    values: Mapping[str, Any]
    domain: Domain
    tasks: Sequence[Task]

    @property
    def recipes(self) -> dict[str, Recipe]:
        """How each region is learned, by the region's name."""
        return {name: Recipe.parse(values) for name, values in self.values["regions"].items()}

    @property
    def targets(self) -> list[Task]:
        """The tasks to search on: those whose attributes match `targets`."""
        where = self.values["targets"]
        return [task for task in self.tasks if matches(where, task.attributes)]

    def priors(self, target: Task) -> list[Task]:
        """The tasks from which spaces for a target are learned, without the target itself.

        These tasks match `priors` and equal the target in the attributes `same`; with `leave_out:
        group`, they belong to other groups than the target.
        """
        by_group = self.values["leave_out"] == "group"
        same = self.values["same"]
        return [
            task
            for task in self.tasks
            if task.name != target.name
            and not (by_group and task.group == target.group)
            and all(task.attributes[name] == target.attributes[name] for name in same)
            and matches(self.values["priors"], task.attributes)
        ]


@dataclass(frozen=True)
class _TestedSpace:
    """A learned space, the target's rows that lie in it, and the columns that describe both."""

    space: Space
    rows: np.ndarray
    columns: Mapping[str, Any]


class ReplayError(ValueError):
    """A replay without a target, or a target without earlier tasks."""


def run(replay: Replay, part: int, parts: int) -> tuple[pa.Table, pa.Table]:
    """Replay every `parts`-th target, from the `part`-th on.

    Returns:
        Tables with the schemas REPLAYS and REGIONS: a row for each target, repeat and method, and
        a row for each target, repeat and region.

    Raises:
        ReplayError: no task is a target, or a target has no earlier tasks.
    """
    targets = replay.targets
    if not targets:
        raise ReplayError(f"replay {replay.name}: no task is a target; see its `targets`")
    regrets: list[dict] = []
    regions: list[dict] = []
    for target in targets[part::parts]:
        for row in _replayed(replay, target):
            (regions if "region" in row else regrets).append(row)
        log.info("%s: %s replayed", replay.name, target.name)
    return _table(regrets, REPLAYS), _table(regions, REGIONS)


def _table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    arrays = {f.name: pa.array([row[f.name] for row in rows], f.type) for f in schema}
    return pa.table(arrays, schema=schema)


def _replayed(replay: Replay, target: Task) -> Iterator[dict[str, Any]]:
    """The rows of both tables for one target: for each repeat, first regions, then methods."""
    earlier = replay.priors(target)
    if not earlier:
        raise ReplayError(f"replay {replay.name}: {target.name} has no earlier tasks; see `priors`")
    known: dict[tuple, _TestedSpace] = {}
    for repeat in range(replay.values["repeats"]):
        generator = _generator(replay.name, target.name, repeat)
        observed = [_observed(task, replay.values["prior"], generator) for task in earlier]
        observed, outliers = _with_outliers(observed, replay, generator)
        order = generator.permutation(len(target.losses))
        place = {
            "replay": replay.name,
            "suite": replay.suite,
            "task": target.name,
            "group": target.group,
            "size": _size(replay, target),
            "repeat": repeat,
        }
        rows_inside: dict[str, np.ndarray] = {}
        for name, recipe in replay.recipes.items():
            tested = _tested(replay, target, observed, recipe, known)
            rows_inside[name] = tested.rows
            all_out = float(outliers <= set(tested.space.excluded)) if outliers else None
            picture = _picture(tested.space, observed, target, recipe) if repeat == 0 else None
            yield (
                place
                | tested.columns
                | {"region": name, "planted_out": all_out, "picture": picture}
            )
        for name, method in replay.values["methods"].items():
            start = time.perf_counter()
            random = _generator(replay.name, target.name, repeat, name)
            regrets = _regrets(replay, target, observed, rows_inside, method, order, random)
            yield place | {
                "method": name,
                "regrets": regrets.tolist(),
                "seconds": time.perf_counter() - start,
            }


def _generator(*names: Any) -> np.random.Generator:
    """A random generator whose seed is a digest of the names."""
    return np.random.default_rng(int(digest(list(names), 16), 16))


def _observed(task: Task, number: int | None, generator: np.random.Generator) -> Task:
    """The task with `number` random evaluations; with all if `number` is None or too large."""
    if number is None or number >= len(task.losses):
        return task
    return task.part(generator.choice(len(task.losses), number, replace=False))


def _with_outliers(
    observed: list[Task], replay: Replay, generator: np.random.Generator
) -> tuple[list[Task], set[str]]:
    """The tasks, of which `planted` are turned into outliers, and the names of the outliers.

    An outlier has one evaluation only, at the corner of the cube opposite to the mean of all
    winners.
    """
    number = replay.values["planted"]
    if not number:
        return observed, set()
    axes = len(replay.domain.numeric)
    winners = np.stack([task.best for task in observed])
    corner = np.round(1 - winners[:, :axes].mean(axis=0))
    count = min(number, len(observed))
    outliers = {int(i) for i in generator.choice(len(observed), count, replace=False)}
    tasks = [
        _best_alone(task).moved_to(np.concatenate([corner, winners[index, axes:]]))
        if index in outliers
        else task
        for index, task in enumerate(observed)
    ]
    return tasks, {observed[index].name for index in outliers}


def _best_alone(task: Task) -> Task:
    return task.part(np.array([task.losses.argmin()]))


def _size(replay: Replay, target: Task) -> float | None:
    name = replay.values["size"]
    return float(target.attributes[name]) if name else None


def _tested(
    replay: Replay, target: Task, observed: Sequence[Task], recipe: Recipe,
    known: dict[tuple, _TestedSpace],
) -> _TestedSpace:  # fmt: skip
    """The space of a recipe, tested on the target; repeats with equal winners share one space."""
    key = (recipe, *(task.winners(recipe.top).tobytes() for task in observed))
    if key not in known:
        start = time.perf_counter()
        size = float(target.attributes[recipe.drift]) if recipe.drift else None
        space = learn(replay.domain, observed, recipe, size)
        seconds = time.perf_counter() - start
        rows = space.rows_inside(target.points)
        known[key] = _TestedSpace(space, rows, _region_columns(space, target, seconds))
    return known[key]


def _region_columns(space: Space, target: Task, seconds: float) -> dict[str, Any]:
    """The columns of REGIONS that compare a space with a target from which it was not learned.

    `share` is the share of the target's rows in the space, `inflation` the factor by which the
    region must grow to hold the target's best point, and `needed` the volume after this growth.
    `coverage` and `coverage_nearest` are the shares of the target's best rows in the space, of the
    best NEAR and NEAREST of all rows.
    """
    inside = space.contains(target.points)
    gauge = float(space.gauge(target.best[None])[0])
    return {
        "points": space.points,
        "volume": space.volume,
        "share": float(inside.mean()),
        "inflation": gauge,
        "needed": space.grown(max(1.0, gauge)),
        "covered": float(space.contains(target.best[None])[0]),
        "coverage": float(inside[target.near_best(NEAR)].mean()),
        "coverage_nearest": float(inside[target.near_best(NEAREST)].mean()),
        "excluded": len(space.excluded),
        "seconds": seconds,
    }


def _picture(space: Space, observed: Sequence[Task], target: Task, recipe: Recipe) -> str:
    """The data of a figure as JSON: the space, its winners, and the target's best points."""
    winners = np.concatenate([task.winners(recipe.top) for task in observed])
    best = target.winners(max(1, round(NEAR * len(target.losses))))
    points = {"won": winners.tolist(), "best": best[:MOST_DRAWN].tolist()}
    return json.dumps({**space.plain(), **points})


def _regrets(
    replay: Replay, target: Task, observed: Sequence[Task], rows_inside: Mapping[str, np.ndarray],
    method: Mapping[str, Any], order: np.ndarray, generator: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Regrets (budget,) of a method on the target, whose rows are evaluated in the given order."""
    rows = order
    if method["region"] is not None:
        rows = order[np.isin(order, rows_inside[method["region"]])]
    axes = len(replay.domain.numeric)
    warm = _nearest(target, observed, axes) if method["warm"] else ()
    options = {k: v for k, v in method.items() if k not in ("searcher", "region", "warm")}
    problem = TaskSearch(target, axes, rows, replay.values["budget"], generator, warm)
    return search(method["searcher"], problem, options)


def _nearest(target: Task, observed: Sequence[Task], axes: int) -> list[int]:
    """The target's rows nearest to the best points of earlier tasks, without duplicates.

    A different choice adds 1 to the squared distance, as do opposite ends of a range.
    """
    rows = []
    for task in observed:
        for winner in task.winners(1):
            numeric = ((target.points[:, :axes] - winner[:axes]) ** 2).sum(axis=1)
            categorical = (target.points[:, axes:] != winner[axes:]).sum(axis=1)
            rows.append(int((numeric + categorical).argmin()))
    return list(dict.fromkeys(rows))
