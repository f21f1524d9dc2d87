"""Replays: each task in turn is the target, the others are what a space is learned from.

For every target and repeat the earlier tasks are seen through the same random evaluations, and all
methods draw from the same random order of the target's rows: methods are compared in pairs. What is
random is a function of the replay's name, the target and the repeat, whatever else is replayed.
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
from hypertransfer.spaces.dimensions import Domain
from hypertransfer.spaces.learning import Recipe, Space, Task, learn, rows_inside
from hypertransfer.spaces.searchers import Problem, search

log = logging.getLogger(__name__)

NEAR, NEAREST = 0.01, 0.001  # shares of a target's rows that count as its best

PLACE = [(name, pa.string()) for name in ("replay", "suite", "task", "group")]
REPLAYS = pa.schema([
    *PLACE, ("size", pa.float64()), ("method", pa.string()), ("repeat", pa.int32()),
    ("regrets", pa.list_(pa.float64())), ("seconds", pa.float64()),
])  # fmt: skip
REGIONS = pa.schema([
    *PLACE, ("size", pa.float64()), ("region", pa.string()), ("repeat", pa.int32()),
    ("points", pa.int32()), ("volume", pa.float64()), ("share", pa.float64()),
    ("inflation", pa.float64()), ("needed", pa.float64()), ("covered", pa.float64()),
    ("coverage", pa.float64()), ("coverage_nearest", pa.float64()), ("excluded", pa.int32()),
    ("planted_out", pa.float64()),
    ("picture", pa.string()), ("seconds", pa.float64()),
])  # fmt: skip


@dataclass(frozen=True)
class Replay:
    """A replay as a config has it, with its tasks."""

    name: str
    suite: str
    values: Mapping[str, Any]
    domain: Domain
    tasks: Sequence[Task]

    @property
    def targets(self) -> list[Task]:
        """The tasks that are searched on."""
        return [t for t in self.tasks if matches(self.values.get("targets", {}), t.place)]

    def priors(self, target: Task) -> list[Task]:
        """What is known before a target: never itself, nor its group where that is left out."""
        by_group = self.values.get("leave_out", "task") == "group"
        same = self.values.get("same", [])
        return [
            t for t in self.tasks
            if t.name != target.name
            and not (by_group and t.group == target.group)
            and all(t.place[name] == target.place[name] for name in same)
            and matches(self.values.get("priors", {}), t.place)
        ]  # fmt: skip


@dataclass(frozen=True)
class _Learned:
    """A space, the target's rows that it leaves to a search, and what there is to say of it."""

    space: Space
    rows: np.ndarray
    described: Mapping[str, Any]


class ReplayError(ValueError):
    """A replay that has nothing to learn from, or nothing to search on."""


def run(replay: Replay, part: int, parts: int) -> tuple[pa.Table, pa.Table]:
    """Regrets and regions, every `parts`-th target from the `part`-th on.

    Raises:
        ReplayError: no task is a target, or one has no earlier tasks.
    """
    targets = replay.targets
    if not targets:
        raise ReplayError(f"replay {replay.name}: no task is a target; see its `targets`")
    regrets: list[dict] = []
    regions: list[dict] = []
    for target in targets[part::parts]:
        for row in _of_target(replay, target):
            (regions if "region" in row else regrets).append(row)
        log.info("%s: %s replayed", replay.name, target.name)
    return _table(regrets, REPLAYS), _table(regions, REGIONS)


def _table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.table({f.name: pa.array([row[f.name] for row in rows], f.type) for f in schema},
                    schema=schema)  # fmt: skip


def _of_target(replay: Replay, target: Task) -> Iterator[dict[str, Any]]:
    earlier = replay.priors(target)
    if not earlier:
        raise ReplayError(f"replay {replay.name}: {target.name} has no earlier tasks; see `priors`")
    recipes = {
        name: Recipe.parse(written) for name, written in replay.values.get("regions", {}).items()
    }
    known: dict[tuple, _Learned] = {}
    for repeat in range(replay.values["repeats"]):
        generator = _generator(replay.name, target.name, repeat)
        seen = [_seen(task, replay.values.get("prior"), generator) for task in earlier]
        seen, planted = _planted(seen, replay, generator)
        order = generator.permutation(len(target.losses))
        place = {
            "replay": replay.name, "suite": replay.suite, "task": target.name,
            "group": target.group, "size": _size(replay, target), "repeat": repeat,
        }  # fmt: skip
        rows: dict[str, np.ndarray] = {}
        for name, recipe in recipes.items():
            learned = _learned(replay, target, seen, recipe, known)
            rows[name] = learned.rows
            out = planted <= set(learned.space.excluded)
            picture = _picture(learned.space, seen, target, recipe) if repeat == 0 else None
            yield place | learned.described | {
                "region": name, "planted_out": float(out) if planted else None, "picture": picture
            }  # fmt: skip
        for name, method in replay.values["methods"].items():
            start = time.perf_counter()
            random = _generator(replay.name, target.name, repeat, name)
            found = _searched(replay, target, seen, rows, method, order, random)
            yield place | {
                "method": name, "regrets": found.tolist(), "seconds": time.perf_counter() - start
            }  # fmt: skip


def _generator(*names: Any) -> np.random.Generator:
    return np.random.default_rng(int(digest(list(names), 16), 16))


def _seen(task: Task, number: int | None, generator: np.random.Generator) -> Task:
    """What an earlier user knows of a task: so many random evaluations, or all."""
    if number is None or number >= len(task.losses):
        return task
    return task.part(generator.choice(len(task.losses), number, replace=False))


def _planted(
    seen: list[Task], replay: Replay, generator: np.random.Generator
) -> tuple[list[Task], set[str]]:
    """Outliers: some tasks' winner is moved to the corner opposite to the middle of all winners."""
    number = replay.values.get("planted", 0)
    if not number:
        return seen, set()
    axes = len(replay.domain.numeric)
    won = np.stack([task.best for task in seen])
    corner = np.round(1 - won[:, :axes].mean(axis=0))
    moved = {int(i) for i in generator.choice(len(seen), min(number, len(seen)), replace=False)}
    out = [
        task.part(np.array([task.losses.argmin()])).at(np.concatenate([corner, won[index, axes:]]))
        if index in moved else task
        for index, task in enumerate(seen)
    ]  # fmt: skip
    return out, {seen[index].name for index in moved}


def _size(replay: Replay, target: Task) -> float | None:
    name = replay.values.get("size")
    return float(target.place[name]) if name else None


def _learned(
    replay: Replay, target: Task, seen: Sequence[Task], recipe: Recipe,
    known: dict[tuple, _Learned],
) -> _Learned:  # fmt: skip
    """The space of a recipe, which repeats that see the same share."""
    key = (recipe, *(task.winners(recipe.top).tobytes() for task in seen))
    if key not in known:
        start = time.perf_counter()
        size = float(target.place[recipe.drift]) if recipe.drift else None
        space = learn(replay.domain, seen, recipe, size)
        seconds = time.perf_counter() - start
        rows = rows_inside(space, target.points)
        known[key] = _Learned(space, rows, _described(space, target, seconds))
    return known[key]


def _described(space: Space, target: Task, seconds: float) -> dict[str, Any]:
    """What there is to say of a space at a target that it does not know."""
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


def _picture(space: Space, seen: Sequence[Task], target: Task, recipe: Recipe) -> str:
    """The space, the winners that it was learned from, and the target's best, for a figure."""
    won = np.concatenate([task.winners(recipe.top) for task in seen])
    best = target.winners(max(1, round(NEAR * len(target.losses))))
    return json.dumps({**space.plain(), "won": won.tolist(), "best": best[:100].tolist()})


def _searched(
    replay: Replay, target: Task, seen: Sequence[Task], inside: Mapping[str, np.ndarray],
    method: Mapping[str, Any], order: np.ndarray, generator: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    rows = order
    if "region" in method:
        rows = order[np.isin(order, inside[method["region"]])]
    axes = len(replay.domain.numeric)
    warm = _nearest(target, seen, axes) if method.get("warm") else ()
    options = {k: v for k, v in method.items() if k not in ("searcher", "region", "warm")}
    problem = Problem(target, axes, rows, replay.values["budget"], generator, warm)
    return search(method["searcher"], problem, options)


def _nearest(target: Task, seen: Sequence[Task], axes: int) -> list[int]:
    """The target's rows nearest to the winners of earlier tasks, each once.

    Another choice is as far as the other end of a range.
    """
    rows = []
    for task in seen:
        for winner in task.winners(1):
            away = ((target.points[:, :axes] - winner[:axes]) ** 2).sum(axis=1)
            other = (target.points[:, axes:] != winner[axes:]).sum(axis=1)
            rows.append(int((away + other).argmin()))
    return list(dict.fromkeys(rows))
