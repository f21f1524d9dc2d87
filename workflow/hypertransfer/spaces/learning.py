"""Learning a search space: winners of earlier tasks, the region of them, and whether to trust it.

A task is what was evaluated of one black box: coordinates in the unit cube of a domain, and a loss
of each, +inf for what diverged. Regrets are normalised by the task's own least and greatest finite
loss (NR of Salinas et al. and others): 0 is the best known, 1 the worst.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from hypertransfer.spaces.dimensions import Domain
from hypertransfer.spaces.regions import CHECKS, FLOOR, INSIDE, Region, cube, fit, from_plain


def wanted_winners(dimension: int) -> int:
    """Winners that a region of so many dimensions wants: with fewer it may fit them alone."""
    return 2 * (dimension + 1)


@dataclass(frozen=True)
class Task:
    """Evaluations of one black box: points (n, numeric + categorical), losses (n,).

    `group` is what tasks are related by, such as the data set that they are cut from; `place` holds
    what else is known of it, such as a width. `curves` (n, r) are losses after less work, shares
    `work` (r,) of the whole, the last of which is 1.
    """

    name: str
    group: str
    points: np.ndarray
    losses: np.ndarray
    place: Mapping[str, Any] = field(default_factory=dict)
    curves: np.ndarray | None = None
    work: tuple[float, ...] = (1.0,)

    @cached_property
    def regrets(self) -> np.ndarray:
        """Normalised regrets (n,), 1 for what diverged; 0 for all if they are all alike."""
        known = self.losses[np.isfinite(self.losses)]
        if not known.size or np.ptp(known) == 0:
            return np.where(np.isfinite(self.losses), 0.0, 1.0)
        found = (self.losses - known.min()) / np.ptp(known)
        return np.where(np.isfinite(self.losses), found, 1.0)

    @cached_property
    def _order(self) -> np.ndarray:
        """Rows (n,) from the least loss to the greatest."""
        return np.argsort(self.losses, kind="stable")

    @property
    def best(self) -> np.ndarray:
        """The point (d,) of least loss."""
        return self.points[int(np.argmin(self.losses))]

    def winners(self, top: int = 1) -> np.ndarray:
        """The points (≤ top, d) of least finite loss, the best first."""
        order = self._order[:top]
        return self.points[order[np.isfinite(self.losses[order])]]

    def part(self, chosen: np.ndarray) -> Task:
        """The evaluations of some rows alone."""
        curves = None if self.curves is None else self.curves[chosen]
        return replace(self, points=self.points[chosen], losses=self.losses[chosen], curves=curves)

    def at(self, point: np.ndarray) -> Task:
        """The task with all its evaluations moved to one point (d,)."""
        return replace(self, points=np.tile(point, (len(self.losses), 1)))

    def near_best(self, share: float) -> np.ndarray:
        """Which (n,) are among that share of the rows with least loss; at least one is."""
        count = max(1, round(share * len(self.losses)))
        chosen = np.zeros(len(self.losses), dtype=bool)
        chosen[self._order[:count]] = True
        return chosen


@dataclass(frozen=True)
class Recipe:
    """How a space is learned: shape, slack λ, floor, winners of each task, and drift.

    `drift` names what of a task's place the winners move with, such as its width: they are carried
    along the line of least squares over log2 of it to the target's, in the dimensions `drifting`.
    """

    shape: str = "ellipsoid"
    slack: float = 0.0
    floor: float = FLOOR
    top: int = 1
    drift: str = ""
    drifting: tuple[str, ...] = ()

    @classmethod
    def parse(cls, written: Mapping[str, Any]) -> Recipe:
        """From a config that has been found sound."""
        values = dict(written)
        values["drifting"] = tuple(values.get("drifting", ()))
        return cls(**values)


@dataclass(frozen=True)
class Space:
    """A learned space: a region of the numeric dimensions, and the choices that won."""

    domain: Domain
    region: Region
    kept: tuple[tuple[int, ...], ...]  # of each categorical dimension, indices of choices
    tasks: tuple[str, ...]
    excluded: tuple[str, ...]  # tasks of which a winner is not inside
    points: int  # winners that it was learned from

    @property
    def volume(self) -> float:
        """The share of the whole space."""
        shares = [len(k) / len(d.choices)
                  for k, d in zip(self.kept, self.domain.categorical, strict=True)]  # fmt: skip
        return self.region.volume * float(np.prod(shares))

    @property
    def trusted(self) -> bool:
        """Whether there were winners enough for it not to fit them alone."""
        return self.points >= wanted_winners(self.region.dimension)

    def gauge(self, points: np.ndarray) -> np.ndarray:
        """By how much the region must grow to hold points (n, d); inf if a choice is not kept."""
        axes = len(self.domain.numeric)
        out = self.region.gauge(points[:, :axes])
        for column, kept in enumerate(self.kept):
            out = np.where(np.isin(points[:, axes + column].astype(int), kept), out, np.inf)
        return out

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Which (n,) of points lie in it."""
        return self.gauge(points) <= 1 + INSIDE

    def grown(self, factor: float) -> float:
        """The share of the whole space that it takes once its region is grown by a factor.

        Counted on quasi-random points of the cube; with factors from `gauge`, the least that holds
        a point, so that a tight region in the wrong place and a wide one in the right are one
        number. Infinite growth takes everything.
        """
        if math.isinf(factor):
            return 1.0
        points = cube(self.region.dimension).spread(CHECKS, 0)
        shares = self.volume / max(self.region.volume, 1e-300)
        return max(self.volume, float((self.region.gauge(points) <= factor).mean()) * shares)

    def draw(self, number: int, generator: np.random.Generator) -> np.ndarray:
        """Points (number, d), uniform in it."""
        numeric = self.region.draw(number, generator)
        return np.column_stack([numeric, *(generator.choice(k, number) for k in self.kept)])

    def spread(self, number: int, seed: int) -> np.ndarray:
        """Points (number, d), quasi-random in the region; choices take turns in random order."""
        numeric = self.region.spread(number, seed)
        generator = np.random.default_rng(seed)
        turns = [generator.permutation(np.resize(k, number)) for k in self.kept]
        return np.column_stack([numeric, *turns])

    def plain(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "domain": self.domain.plain(), "region": self.region.plain(),
            "kept": [list(k) for k in self.kept], "tasks": list(self.tasks),
            "excluded": list(self.excluded), "points": self.points,
        }  # fmt: skip

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Space:
        """The space of `plain`."""
        return cls(
            Domain.parse(values["domain"]), from_plain(values["region"]),
            tuple(tuple(k) for k in values["kept"]), tuple(values["tasks"]),
            tuple(values["excluded"]), values["points"],
        )  # fmt: skip


def learn(
    domain: Domain, tasks: Sequence[Task], recipe: Recipe, target: float | None = None
) -> Space:
    """The space of the winners of tasks; with a drift, for a target of that size.

    Raises:
        RegionError: no task has a finite loss.
    """
    axes = len(domain.numeric)
    won = [task.winners(recipe.top) for task in tasks]
    if recipe.drift and target is not None:
        won = carried(domain, tasks, won, recipe, target)
    points = np.concatenate(won) if won else np.empty((0, axes))
    region = fit(recipe.shape, points[:, :axes], recipe.slack, recipe.floor)
    kept = tuple(
        tuple(sorted({int(i) for i in points[:, axes + column]}))
        for column in range(len(domain.categorical))
    )
    space = Space(domain, region, kept, tuple(task.name for task in tasks), (), len(points))
    out = [task.name for task, points in zip(tasks, won, strict=True)
           if not space.contains(points).all()]  # fmt: skip
    return replace(space, excluded=tuple(out))


def carried(
    domain: Domain, tasks: Sequence[Task], won: Sequence[np.ndarray], recipe: Recipe, target: float
) -> list[np.ndarray]:
    """Winners of each task, moved along the trend over log2 of a size to the target's size.

    The trend is of least squares over the winners of all tasks, for each of the drifting
    dimensions by itself; what leaves the cube stops at its border.
    """
    names = [d.name for d in domain.numeric]
    columns = [names.index(name) for name in recipe.drifting or names]
    sizes = [np.full(len(points), np.log2(float(task.place[recipe.drift])))
             for task, points in zip(tasks, won, strict=True)]  # fmt: skip
    x, y = np.concatenate(sizes), np.concatenate(won)
    moved = [points.copy() for points in won]
    if np.ptp(x) == 0:
        return moved
    for column in columns:
        slope = np.polyfit(x, y[:, column], 1)[0]
        for points, size in zip(moved, sizes, strict=True):
            points[:, column] = np.clip(points[:, column] + slope * (np.log2(target) - size), 0, 1)
    return moved


def expected_best(regrets: np.ndarray, counts: Sequence[int]) -> np.ndarray:
    """The mean of the least of so many regrets drawn without replacement, in closed form.

    Of n values in order, the i-th is the least of k drawn with probability
    C(n − i, k − 1)/C(n, k). More than all of them are all of them.
    """
    ordered = np.sort(regrets)
    n = len(ordered)
    out = []
    for count in counts:
        k = min(count, n)
        weights = np.empty(n)
        weights[0] = k / n
        for i in range(1, n):  # C(n−i−1, k−1)/C(n−i, k−1) one after another
            weights[i] = weights[i - 1] * max(n - i - k + 1, 0) / (n - i)
        out.append(float(weights @ ordered))
    return np.array(out)


def rows_inside(space: Space, points: np.ndarray) -> np.ndarray:
    """Indices of the points in a space; the one nearest to it where none is."""
    inside = np.flatnonzero(space.contains(points))
    return inside if inside.size else np.array([int(np.argmin(space.gauge(points)))])


@dataclass(frozen=True)
class LeftOut:
    """What a space learned from the other tasks would have done for one of them.

    Regrets are expected ones of random search after each of `counts` evaluations, in the space and
    in the whole range; `coverage` is the share of the best tenth of its rows that lies inside,
    `rows` how many of all lie there: more draws than that were not looked at.
    """

    task: str
    group: str
    volume: float
    holds_best: bool
    inflation: float
    coverage: float
    rows: int
    counts: tuple[int, ...]
    inside: np.ndarray
    whole: np.ndarray


def leave_one_out(
    domain: Domain, tasks: Sequence[Task], recipe: Recipe, counts: Sequence[int] = (3, 10, 30),
    by_group: bool = False,
) -> Iterator[LeftOut]:  # fmt: skip
    """For each task, the space of the others (or of the other groups), tried on it.

    The gain to expect before a space is trusted. Tasks that have no other are left out.
    """
    for task in tasks:
        others = [
            other for other in tasks
            if (other.group != task.group if by_group else other.name != task.name)
        ]  # fmt: skip
        if not others:
            continue
        size = float(task.place[recipe.drift]) if recipe.drift else None
        space = learn(domain, others, recipe, size)
        rows = rows_inside(space, task.points)
        gauge = float(space.gauge(task.best[None])[0])
        near = task.near_best(0.1)
        yield LeftOut(
            task.name, task.group, space.volume, bool(space.contains(task.best[None])[0]), gauge,
            float(space.contains(task.points[near]).mean()),
            len(rows),
            tuple(counts),
            expected_best(task.regrets[rows], counts), expected_best(task.regrets, counts),
        )  # fmt: skip
