"""Methods that propose the next generation of a search: random, trust region, Bayesian."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hypertransfer.spaces.gaussian_process import (
    expected_improvement,
    gaussian_process,
    standardised,
)

CANDIDATES = 1024  # points among which the Bayesian method maximises expected improvement


@dataclass(frozen=True)
class SearchBox:
    """The coordinates of a search, each from -octaves to octaves around the start at 0."""

    labels: Sequence[str]
    octaves: float

    @property
    def dimension(self) -> int:
        """The number of coordinates."""
        return len(self.labels)

    def uniform(self, number: int, random: np.random.Generator) -> np.ndarray:
        """Points (number, dimension) drawn uniformly from the box."""
        return random.uniform(-self.octaves, self.octaves, (number, self.dimension))

    def clipped(self, points: np.ndarray) -> np.ndarray:
        """Points (number, dimension), each moved to the nearest point in the box."""
        return points.clip(-self.octaves, self.octaves)


@dataclass(frozen=True)
class Trials:
    """Earlier generations: points (trials, dimension) and losses (trials,) of each."""

    generations: Sequence[tuple[np.ndarray, np.ndarray]]

    @property
    def points(self) -> np.ndarray:
        """The points of all generations (trials, dimension)."""
        return np.concatenate([points for points, _ in self.generations])

    @property
    def losses(self) -> np.ndarray:
        """The losses of all generations (trials,); infinite if a run diverged."""
        return np.concatenate([losses for _, losses in self.generations])

    @property
    def best(self) -> np.ndarray:
        """The first point (dimension,) of least loss; the start if all runs have diverged."""
        losses = self.losses
        point = self.points[int(losses.argmin())]
        return point if np.isfinite(losses).any() else np.zeros_like(point)


def random(
    trials: Trials, box: SearchBox, number: int, generator: np.random.Generator
) -> np.ndarray:
    """Points (number, dimension) drawn uniformly from the box, whatever was tried before."""
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
    """Points (number, dimension) drawn uniformly from a smaller box around the best point so far.

    The half-width of the smaller box is `radius` octaves at first, is multiplied by `shrink`
    after each generation without a better point, and is `least` octaves or more. Mlodozeniec et
    al. (2512.22382) use a trust region whose rule they do not state; this rule is ours.
    """
    width, best = radius, float("inf")
    for _, losses in trials.generations:
        least_loss = float(losses.min())
        width = width if least_loss < best else max(width * shrink, least)
        best = min(best, least_loss)
    steps = generator.uniform(-width, width, (number, box.dimension))
    return box.clipped(trials.best + steps)


def bayesian(
    trials: Trials, box: SearchBox, number: int, generator: np.random.Generator
) -> np.ndarray:
    """Points (number, dimension) of largest expected improvement under a Gaussian process.

    The kernel is Matérn 5/2 with one length scale, fitted by scikit-learn. The points of a
    generation are chosen one after another, each with the posterior mean as the loss of the points
    before ("kriging believer", Ginsbourger et al. 2010). The loss of a diverged run is one spread
    of the losses above the worst. If all runs have diverged, points are drawn uniformly.
    """
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    if not np.isfinite(trials.losses).any():
        return box.uniform(number, generator)
    points, values = trials.points, standardised(trials.losses)
    kernel = ConstantKernel(1.0, (1e-2, 1e2)) * Matern(box.octaves, (0.1, 100.0), nu=2.5)
    process = gaussian_process(kernel + WhiteKernel(1e-2, (1e-6, 1.0)), points, values)
    process.optimizer = None  # the kernel is not fitted to posterior means
    for _ in range(number):
        around = trials.best + generator.normal(
            0, 0.3 * box.octaves, (CANDIDATES // 2, len(box.labels))
        )
        candidates = np.concatenate([box.uniform(CANDIDATES // 2, generator), box.clipped(around)])
        mean, deviation = process.predict(candidates, return_std=True)
        chosen = int(expected_improvement(mean, deviation, values.min()).argmax())
        points = np.concatenate([points, candidates[chosen : chosen + 1]])
        values = np.append(values, mean[chosen])
        process.kernel = process.kernel_
        process.fit(points, values)
    return points[-number:]


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
    """Points (number, dimension) of the next generation.

    The points depend on the arguments alone. In the first generation, the first point is the
    start, and the others are drawn uniformly from the box, or, for a trust region, from the
    smaller box around the start.
    """
    generator = np.random.default_rng(list(seed))
    if trials.generations:
        return KINDS[kind](trials, box, number, generator, **options)
    start = np.zeros((1, box.dimension))
    if kind == "trust_region":
        alone = Trials([(start, np.array([np.inf]))])
        return np.concatenate([start, trust_region(alone, box, number - 1, generator, **options)])
    return np.concatenate([start, box.uniform(number - 1, generator)])
