"""Learning a search space from the winners of earlier tasks (Perrone et al. 2019, 1909.12552)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hypertransfer.spaces.dimensions import Domain
from hypertransfer.spaces.regions import CHECKS, FLOOR, INSIDE, Region, cube, fit, from_plain
from hypertransfer.spaces.tasks.task import Task


def wanted_winners(dimension: int) -> int:
    """The least number of winners, 2(d + 1), for which a region of d dimensions is trusted (ours).

    A region of fewer winners may overfit them.
    """
    return 2 * (dimension + 1)


@dataclass(frozen=True)
class Recipe:
    """How a space is learned.

    Attributes:
        shape: `box` or `ellipsoid`.
        slack: weight λ of the slack; see `regions`.
        floor: least half-width or semi-axis; see `regions`.
        top: number of winners of each task.
        drift: the attribute of tasks that is their size, such as a width. Winners are extrapolated
            to the size of the target; empty for no extrapolation.
        drifting: names of the dimensions in which winners are extrapolated; empty for all.
    """

    shape: str = "ellipsoid"
    slack: float = 0.0
    floor: float = FLOOR
    top: int = 1
    drift: str = ""
    drifting: tuple[str, ...] = ()

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Recipe:
        """A recipe from the complete settings of a region."""
        return cls(**{**values, "drifting": tuple(values["drifting"])})


@dataclass(frozen=True)
class Space:
    """A learned space: a region of the numeric dimensions, and the choices of the winners.

    Points (n, d) are coordinates as `Domain.encode` returns them.
    """

    domain: Domain
    region: Region
    kept: tuple[tuple[int, ...], ...]  # indices of the kept choices of each categorical dimension
    tasks: tuple[str, ...]  # names of the tasks that the space was learned from
    excluded: tuple[str, ...]  # names of the tasks with a winner outside the space
    points: int  # the number of winners that the space was learned from

    @property
    def volume(self) -> float:
        """The share of the whole space: the region's volume times the shares of kept choices."""
        shares = [
            len(kept) / len(dimension.choices)
            for kept, dimension in zip(self.kept, self.domain.categorical, strict=True)
        ]
        return self.region.volume * float(np.prod(shares))

    @property
    def trusted(self) -> bool:
        """Whether the space was learned from `wanted_winners` or more."""
        return self.points >= wanted_winners(self.region.dimension)

    def gauge(self, points: np.ndarray) -> np.ndarray:
        """The factors (n,) by which the region must grow to hold each of the points (n, d).

        The factor of a point with a choice that is not kept is infinite.
        """
        axes = len(self.domain.numeric)
        factors = self.region.gauge(points[:, :axes])
        for column, kept in enumerate(self.kept):
            is_kept = np.isin(points[:, axes + column].astype(int), kept)
            factors = np.where(is_kept, factors, np.inf)
        return factors

    def contains(self, points: np.ndarray) -> np.ndarray:
        """A mask (n,) of the points (n, d) that lie in the space."""
        return self.gauge(points) <= 1 + INSIDE

    def rows_inside(self, points: np.ndarray) -> np.ndarray:
        """The indices of the points in the space; without any, the index of the least gauge."""
        inside = np.flatnonzero(self.contains(points))
        return inside if inside.size else np.array([int(np.argmin(self.gauge(points)))])

    def grown(self, factor: float) -> float:
        """The volume of the space after its region has grown about its centre by a factor.

        The share of the cube is estimated on `CHECKS` quasi-random points; the result is 1 for an
        infinite factor. With the `gauge` of a task's best point as factor, the result is the least
        volume that holds this point. This volume is large if the region is large, and if the
        region lies far from the point.
        """
        if math.isinf(factor):
            return 1.0
        points = cube(self.region.dimension).spread(CHECKS, 0)
        shares = self.volume / max(self.region.volume, 1e-300)
        return max(self.volume, float((self.region.gauge(points) <= factor).mean()) * shares)

    def draw(self, number: int, generator: np.random.Generator) -> np.ndarray:
        """Random points (number, d), uniform in the space."""
        numeric = self.region.draw(number, generator)
        return np.column_stack([numeric, *(generator.choice(k, number) for k in self.kept)])

    def spread(self, number: int, seed: int) -> np.ndarray:
        """Points (number, d), quasi-random in the region; kept choices occur equally often."""
        numeric = self.region.spread(number, seed)
        generator = np.random.default_rng(seed)
        choices = [generator.permutation(np.resize(kept, number)) for kept in self.kept]
        return np.column_stack([numeric, *choices])

    def plain(self) -> dict[str, Any]:
        """The space as plain values, for `from_plain`."""
        return {
            "domain": self.domain.plain(),
            "region": self.region.plain(),
            "kept": [list(k) for k in self.kept],
            "tasks": list(self.tasks),
            "excluded": list(self.excluded),
            "points": self.points,
        }

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Space:
        """The space of the values that `plain` returned."""
        return cls(
            Domain.parse(values["domain"]),
            from_plain(values["region"]),
            tuple(tuple(k) for k in values["kept"]),
            tuple(values["tasks"]),
            tuple(values["excluded"]),
            values["points"],
        )


def learn(
    domain: Domain, tasks: Sequence[Task], recipe: Recipe, target_size: float | None = None
) -> Space:
    """The smallest space that holds the winners of the tasks.

    If the recipe has a drift and `target_size` is given, winners are extrapolated to this size
    first.

    Raises:
        RegionError: no task has a finite loss, or the solver finds no region.
    """
    axes = len(domain.numeric)
    winners = [task.winners(recipe.top) for task in tasks]
    if recipe.drift and target_size is not None:
        winners = extrapolated(domain, tasks, winners, recipe, target_size)
    points = np.concatenate(winners) if winners else np.empty((0, axes))
    region = fit(recipe.shape, points[:, :axes], recipe.slack, recipe.floor)
    kept = tuple(
        tuple(sorted({int(i) for i in points[:, axes + column]}))
        for column in range(len(domain.categorical))
    )
    space = Space(domain, region, kept, tuple(task.name for task in tasks), (), len(points))
    excluded = [
        task.name
        for task, points in zip(tasks, winners, strict=True)
        if not space.contains(points).all()
    ]
    return replace(space, excluded=tuple(excluded))


def extrapolated(
    domain: Domain,
    tasks: Sequence[Task],
    winners: Sequence[np.ndarray],
    recipe: Recipe,
    target_size: float,
) -> list[np.ndarray]:
    """The winners (n_t, d) of each task t, extrapolated to `target_size`.

    In each drifting dimension, winners move along the least-squares line of all winners over log₂
    of the size. Coordinates are clipped to the cube. If all sizes are equal, winners do not move.
    """
    names = [d.name for d in domain.numeric]
    columns = [names.index(name) for name in recipe.drifting or names]
    sizes = [
        np.full(len(points), np.log2(float(task.attributes[recipe.drift])))
        for task, points in zip(tasks, winners, strict=True)
    ]
    x, y = np.concatenate(sizes), np.concatenate(winners)
    moved = [points.copy() for points in winners]
    if np.ptp(x) == 0:
        return moved
    for column in columns:
        slope = np.polyfit(x, y[:, column], 1)[0]
        for points, size in zip(moved, sizes, strict=True):
            step = slope * (np.log2(target_size) - size)
            points[:, column] = np.clip(points[:, column] + step, 0, 1)
    return moved
