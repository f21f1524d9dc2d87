"""Proposals for the next generation of a search: random, trust region, Bayesian.

The coordinates of a point are octaves: log₂ of the factors on the hyperparameters of the base run.
The base run itself, the start of every search, is the point 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hypertransfer.spaces.gaussian_process import (
    gaussian_process,
    matern_kernel,
    most_promising,
    standardised,
)

CANDIDATES = 1024  # points among which the Bayesian method maximises expected improvement


@dataclass(frozen=True)
class SearchBox:
    """The box in which a search moves: coordinates, each between −`octaves` and `octaves`."""

    labels: Sequence[str]
    octaves: float

    @property
    def dimension(self) -> int:
        """The number of coordinates."""
        return len(self.labels)

    def uniform(self, number: int, generator: np.random.Generator) -> np.ndarray:
        """Points (number, dimension), uniform in the box."""
        return generator.uniform(-self.octaves, self.octaves, (number, self.dimension))

    def clipped(self, points: np.ndarray) -> np.ndarray:
        """Points (n, dimension), each moved to the nearest point of the box."""
        return points.clip(-self.octaves, self.octaves)


@dataclass(frozen=True)
class Trials:
    """The trials so far: points (trials, dimension) and losses (trials,) of each generation."""

    generations: Sequence[tuple[np.ndarray, np.ndarray]]

    @property
    def points(self) -> np.ndarray:
        """The points (n, dimension) of all generations."""
        return np.concatenate([points for points, _ in self.generations])

    @property
    def losses(self) -> np.ndarray:
        """The losses (n,) of all generations."""
        return np.concatenate([losses for _, losses in self.generations])

    @property
    def best(self) -> np.ndarray:
        """The first point (dimension,) of least loss; the start if all trials have diverged."""
        losses = self.losses
        point = self.points[int(losses.argmin())]
        return point if np.isfinite(losses).any() else np.zeros_like(point)


def random(
    trials: Trials, box: SearchBox, number: int, generator: np.random.Generator
) -> np.ndarray:
    """Points (number, dimension), uniform in the box; earlier trials have no influence."""
    return box.uniform(number, generator)


def trust_region(
    trials: Trials,
    box: SearchBox,
    number: int,
    generator: np.random.Generator,
    *,
    radius: float = 1.0,
    shrink: float = 0.6,
    least: float = 0.1,
) -> np.ndarray:
    """Points (number, dimension), uniform in a cube around the best point so far.

    The half-width of the cube starts at `radius` octaves. Every generation without an improvement
    of the least loss multiplies the half-width by `shrink`, down to `least`. Mlodozeniec et al.
    (2512.22382) also search in a trust region, but do not publish its rule; this rule is ours.
    """
    width, best = radius, float("inf")
    for _, losses in trials.generations:
        loss = float(losses.min())
        width = width if loss < best else max(width * shrink, least)
        best = min(best, loss)
    steps = generator.uniform(-width, width, (number, box.dimension))
    return box.clipped(trials.best + steps)


def bayesian(
    trials: Trials, box: SearchBox, number: int, generator: np.random.Generator
) -> np.ndarray:
    """Points (number, dimension) of largest expected improvement, chosen one after another.

    The Gaussian process has a Matérn 5/2 kernel with one length scale. Within a generation, each
    chosen point is added to the data with the loss that the process predicts ("kriging believer",
    Ginsbourger et al. 2010). For diverged runs, see `gaussian_process.finite`.
    """
    if not np.isfinite(trials.losses).any():
        return box.uniform(number, generator)
    points, values = trials.points, standardised(trials.losses)
    kernel = matern_kernel(box.octaves, (0.1, 100.0), noise=1e-2)
    process = gaussian_process(kernel, points, values)
    process.optimizer = None  # predicted losses do not change the kernel
    for _ in range(number):
        candidates = _candidates(trials.best, box, generator)
        index, prediction = most_promising(process, candidates, values.min())
        points = np.concatenate([points, candidates[index : index + 1]])
        values = np.append(values, prediction)
        process.kernel = process.kernel_
        process.fit(points, values)
    return points[-number:]


def _candidates(best: np.ndarray, box: SearchBox, generator: np.random.Generator) -> np.ndarray:
    """Points (CANDIDATES, dimension): half uniform in the box, half normal around the best."""
    half = CANDIDATES // 2
    nearby = best + generator.normal(0, 0.3 * box.octaves, (half, box.dimension))
    return np.concatenate([box.uniform(half, generator), box.clipped(nearby)])


KINDS: Mapping[str, Callable[..., np.ndarray]] = {
    "random": random,
    "trust_region": trust_region,
    "bayesian": bayesian,
}


def propose(
    kind: str,
    options: Mapping[str, Any],
    box: SearchBox,
    number: int,
    trials: Trials,
    seed: Sequence[int],
) -> np.ndarray:
    """Points (number, dimension) of the next generation; equal arguments give equal points.

    The first generation has the start, and further points that are drawn in a trust region around
    the start, or uniformly in the box for other kinds.

    Args:
        kind: the kind of method, one of `KINDS`.
        options: the options of the kind.
        box: the box of the search.
        number: number of points.
        trials: the trials of earlier generations.
        seed: numbers that seed the random draws.
    """
    generator = np.random.default_rng(list(seed))
    if trials.generations:
        return KINDS[kind](trials, box, number, generator, **options)
    start = np.zeros((1, box.dimension))
    if kind == "trust_region":
        untried = Trials([(start, np.array([np.inf]))])
        drawn = trust_region(untried, box, number - 1, generator, **options)
    else:
        drawn = box.uniform(number - 1, generator)
    return np.concatenate([start, drawn])
